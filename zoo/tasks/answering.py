"""What a forecaster says of windows: its forecasts, their intervals, and what these are calibrated by."""

from collections.abc import Iterator, Sequence

import numpy as np

from zoo.errors import UserError
from zoo.preprocessing import SeriesPreprocessor
from zoo.tasks.conformal import LEAST_SPREAD, calibrated, error_table, interpolated, naive_spread
from zoo.tasks.forecasting import BATCH, Predictor
from zoo.tasks.forecasts import Forecasts, following
from zoo.tasks.series import PreparedSeries

EVEN = np.arange(1, 20) / 20  # probabilities of the quantiles that CRPS is taken over
TAILS = (0.1, 0.9)  # of paths, between which their spread is taken
_BLOCK = 2_000_000  # numbers of forecasts that are in memory at a time


class Answerer:
    """A network and the preprocessor that holds its table of errors.

    Args:
        predictor: calls the network.
        preprocessor: as above.
        period: steps in a season, for the spread of a network with one forecast.
    """

    def __init__(self, predictor: Predictor, preprocessor: SeriesPreprocessor, period: int):
        self.predictor, self.preprocessor, self.period = predictor, preprocessor, period

    def levels(self, levels: Sequence[float]) -> list[float]:
        """Return the levels of intervals, checked.

        Raises:
            UserError: one is not between 0 and 1, or neither the network nor a calibration knows of it.
        """
        levels = [float(level) for level in np.atleast_1d(np.asarray(levels, "float64"))]
        for level in levels:
            if not 0 < level < 1:
                raise UserError(f"levels: got {level:g}; give shares between 0 and 1, such as 0.8")
        if self.preprocessor.calibration is not None or self.predictor.draws or not levels:
            return levels
        known = self.predictor.quantiles or [0.5]
        if len(known) == 1:
            raise UserError(
                "levels: this network forecasts one number for each step, and is not calibrated; call calibrate(...), "
                "or give levels=()"
            )
        widest = 1 - 2 * max(known[0], 1 - known[-1])
        if max(levels) > widest + 1e-9:
            raise UserError(
                f"levels: got {max(levels):g}, and the quantiles of the network reach to {widest:g}; call "
                "calibrate(...), or give lower levels"
            )
        return levels

    @property
    def probabilities(self) -> Sequence[float]:
        """Those of the quantiles that CRPS is taken over; none of a network that knows of one forecast alone."""
        if self.preprocessor.calibration is not None or self.predictor.draws:
            return EVEN
        return self.predictor.quantiles or ()

    def blocks(
        self,
        made: PreparedSeries,
        series: np.ndarray,
        cutoffs: np.ndarray,
        horizon: int,
        levels: Sequence[float],
        *,
        paths: int,
        seed: int,
        probabilities: Sequence[float] = (),
        scaled: bool = False,
    ) -> Iterator[Forecasts]:
        """Yield the forecasts of windows, some at a time.

        Args:
            made: the series.
            series: (count,) their places.
            cutoffs: (count,).
            horizon: steps.
            levels: of the intervals.
            paths: how many an autoregressive network draws for each window.
            seed: of these.
            probabilities: of further quantiles.
            scaled: in the scale that the network learns in.
        """
        tails = [((1 - level) / 2, (1 + level) / 2) for level in levels]
        wanted = np.unique([*probabilities, *(end for pair in tails for end in pair)])
        rows = max(_BLOCK // (horizon * (len(wanted) + 3)), 1)
        for number, first in enumerate(range(0, len(series), rows)):
            one, cut = series[first : first + rows], cutoffs[first : first + rows]
            forecast, spread, at, columns = self._spread(
                made, one, cut, horizon, wanted, paths, seed + number
            )
            table = self.preprocessor.calibration
            if table is None:
                quantiles = interpolated(columns, at, wanted)
            else:
                quantiles = calibrated(forecast, spread, table, wanted)
            if not scaled:
                forecast, quantiles = (
                    self.preprocessor.restored(each, made.scales[one]) for each in (forecast, quantiles)
                )
            intervals = {}
            for level, pair in zip(levels, tails, strict=True):
                low, high = (quantiles[..., np.searchsorted(wanted, end)] for end in pair)
                intervals[level] = (np.minimum(low, forecast), np.maximum(high, forecast))
            values = made.values if scaled else made.panel.values
            own = np.searchsorted(wanted, probabilities)
            yield Forecasts(
                one,
                cut,
                following(values, one, cut, horizon),
                forecast,
                intervals,
                quantiles[..., own] if len(own) else None,
            )

    def calibrate(
        self,
        made: PreparedSeries,
        series: np.ndarray,
        cutoffs: np.ndarray,
        horizon: int,
        paths: int,
        seed: int,
    ) -> None:
        """Give the preprocessor a table of the errors of windows; the arguments are those of `blocks`."""
        errors = []
        for first in range(0, len(series), BATCH):
            one, cut = series[first : first + BATCH], cutoffs[first : first + BATCH]
            forecast, spread, *_ = self._spread(made, one, cut, horizon, (), paths, seed + first)
            errors.append((following(made.values, one, cut, horizon) - forecast) / spread)
        self.preprocessor.calibration = error_table(np.concatenate(errors))

    def _spread(self, made, series, cutoffs, horizon, wanted, paths, seed):
        """Return what the network says of windows, in its scale.

        Returns:
            The forecast (count, horizon); the spread by which its error is divided, the same shape or (count, 1); and
            at which probabilities it knows which quantiles (count, horizon, probabilities).
        """
        inputs = made.inputs(series, cutoffs)
        if self.predictor.draws:
            at = np.unique([*TAILS, 0.5, *wanted])
            columns = self.predictor.paths_quantiles(inputs, horizon, at, paths, seed)
            low, high = (columns[..., np.searchsorted(at, end)] for end in TAILS)
        else:
            at = self.predictor.quantiles or [0.5]
            columns = self.predictor(inputs, horizon)
            low, high = columns[..., 0], columns[..., -1]
        forecast = interpolated(columns, at, [0.5])[..., 0]
        if len(at) > 1:
            return forecast, np.maximum(high - low, LEAST_SPREAD), at, columns
        plain = made.windows.inputs(series, cutoffs)
        return forecast, naive_spread(plain["values"][:], plain["observed"][:], self.period), at, columns
