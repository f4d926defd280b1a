"""What a forecaster says of windows: its forecasts, their intervals, and what these are calibrated by."""

from collections.abc import Iterator, Sequence

import numpy as np

from zoo.errors import UserError
from zoo.preprocessing import SeriesPreprocessor
from zoo.tasks.conformal import LEAST_SPREAD, calibrated, error_table, interpolated, naive_spread
from zoo.tasks.forecasting import BATCH, Predictor
from zoo.tasks.forecasts import Forecasts, following
from zoo.tasks.series import PreparedSeries
from zoo.tasks.windows import LEAST

EVEN = np.arange(1, 20) / 20  # probabilities of the quantiles that CRPS is taken over
SPREADS = ("auto", "backtest")
"""What errors are relative to: what the network says of its spread, or the naive error; or its own last errors."""
TAILS = (0.1, 0.9)  # of paths, between which their spread is taken
PARTS = 4  # cut-offs before a window's own from which the network's last errors are taken
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
        table, ratio = self.preprocessor.calibration, self.preprocessor.error_ratio
        errors = None
        if table is not None and ratio is not None and len(wanted):
            errors = self.recent_errors(made, series, cutoffs, paths=paths, seed=seed)
        for number, first in enumerate(range(0, len(series), rows)):
            one, cut = series[first : first + rows], cutoffs[first : first + rows]
            forecast, width, at, columns = self._answers(
                made, one, cut, horizon, wanted, paths, seed + number
            )
            if table is None:
                quantiles = interpolated(columns, at, wanted)
            else:
                late = None if errors is None else errors[first : first + rows]
                spread = self._spread(made, one, cut, width, late, ratio)
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
        spread: str = "auto",
    ) -> None:
        """Give the preprocessor a table of the errors of windows.

        Args:
            made: the series.
            series: (count,) their places.
            cutoffs: (count,).
            horizon: steps.
            paths: as in `blocks`.
            seed: the same.
            spread: what an error counts relative to: one of `SPREADS`.
        """
        recent, ratio = None, None
        if spread == "backtest":
            recent = self._calibrating_errors(made, series, cutoffs, paths, seed)
            known = ~np.isnan(recent)
            if known.any():
                series, cutoffs, recent = series[known], cutoffs[known], recent[known]
                sizes = np.maximum(recent, LEAST_SPREAD) / self._naive(made, series, cutoffs)[:, 0]
                ratio = float(np.median(sizes))
        errors = []
        for first in range(0, len(series), BATCH):
            one, cut = series[first : first + BATCH], cutoffs[first : first + BATCH]
            forecast, width, *_ = self._answers(made, one, cut, horizon, (), paths, seed + first)
            late = None if ratio is None else recent[first : first + BATCH]
            size = self._spread(made, one, cut, width, late, ratio)
            errors.append((following(made.values, one, cut, horizon) - forecast) / size)
        self.preprocessor.calibration = error_table(np.concatenate(errors))
        self.preprocessor.error_ratio = ratio

    def _calibrating_errors(self, made, series, cutoffs, paths, seed):
        """Return the recent errors of windows by forecasts that the network did not learn from, where there are any."""
        begin = np.full(len(made.values), np.iinfo(int).max)
        np.minimum.at(begin, series, cutoffs)
        found = self.recent_errors(made, series, cutoffs, begin, paths=paths, seed=seed)
        if np.isnan(found).all():
            found = self.recent_errors(made, series, cutoffs, paths=paths, seed=seed)
        return found

    def recent_errors(
        self,
        made: PreparedSeries,
        series: np.ndarray,
        cutoffs: np.ndarray,
        begin: np.ndarray | None = None,
        *,
        paths: int,
        seed: int,
    ) -> np.ndarray:
        """Return how far off the network was just before each cut-off: the mean absolute errors of its last forecasts.

        These begin a quarter, a half, three quarters and a whole of the network's horizon before the cut-off, and are
        compared with the values up to it; the mean is that of the four. One counts if its whole window lies within the
        series, and is not empty.

        Args:
            made: the series.
            series: (count,) their places.
            cutoffs: (count,).
            begin: (series,) the first cut-off of a forecast that counts; None: any.
            paths: as in `blocks`.
            seed: the same.

        Returns:
            (count,) in the scale that the network learns in; NaN where none counts.
        """
        most = self.predictor.network.config["horizon"]
        ago = np.unique([part * most // PARTS or 1 for part in range(1, PARTS + 1)])
        due = cutoffs[:, None] - ago
        counts = due >= made.windows.look_back
        if begin is not None:
            counts &= due >= begin[series][:, None]
        # forecasts that several windows look back on are made once
        pairs = np.stack([np.broadcast_to(series[:, None], due.shape), due], axis=-1)
        told, places = np.unique(pairs[counts], axis=0, return_inverse=True)
        errors = np.empty((len(told), len(ago)))
        for first in range(0, len(told), BATCH):
            one, cut = told[first : first + BATCH].T
            forecast, *_ = self._answers(made, one, cut, most, (), paths, seed + first)
            off = np.abs(following(made.values, one, cut, most) - forecast)
            seen = ~np.isnan(off)
            sums, known = (np.cumsum(each, axis=1)[:, ago - 1] for each in (np.where(seen, off, 0), seen))
            known = np.where(made.windows.seen(one, cut)[:, None] >= LEAST, known, 0)
            errors[first : first + BATCH] = np.where(known > 0, sums / np.maximum(known, 1), np.nan)
        found = np.full(due.shape, np.nan)
        found[counts] = errors[places.ravel(), np.nonzero(counts)[1]]
        known = ~np.isnan(found)
        means = np.where(known, found, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        return np.where(known.any(axis=1), means, np.nan)

    def _spread(self, made, series, cutoffs, width, errors, ratio):
        """Return what the errors of windows count relative to, (count, horizon) or (count, 1).

        That is the recent errors (count,), and where there are none `ratio` times the naive ones; without recent errors
        the width that the network tells of, and if it tells of none the naive errors.
        """
        if errors is None:
            return self._naive(made, series, cutoffs) if width is None else width
        spread = np.maximum(errors, LEAST_SPREAD)[:, None]
        unknown = np.isnan(errors)
        if unknown.any():
            spread[unknown] = ratio * self._naive(made, series[unknown], cutoffs[unknown])
        return spread

    def _naive(self, made, series, cutoffs):
        """Return the errors of the seasonal naive forecast within windows, (count, 1)."""
        plain = made.windows.inputs(series, cutoffs)
        return naive_spread(plain["values"][:], plain["observed"][:], self.period)

    def _answers(self, made, series, cutoffs, horizon, wanted, paths, seed):
        """Return what the network says of windows, in its scale.

        Returns:
            The forecast (count, horizon); the width between its outer quantiles, the same shape, or None of a network
            with one forecast; and at which probabilities it knows which quantiles (count, horizon, probabilities).
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
        width = np.maximum(high - low, LEAST_SPREAD) if len(at) > 1 else None
        return forecast, width, at, columns
