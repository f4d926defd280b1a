"""Forecasts of windows, and how well they hit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from zoo.errors import UserError
from zoo.metrics import (
    coverage,
    crps_quantiles,
    interval_width,
    mae,
    mase,
    mse,
    naive2,
    owa,
    smape,
)


@dataclass(frozen=True)
class Forecasts:
    """Forecasts of windows beside what came.

    Attributes:
        series: (count,) places of the series in their panel.
        cutoffs: (count,) how many values of the series lay before what was forecast.
        actual: (count, horizon), NaN where nothing was observed, or has not come yet.
        forecast: (count, horizon).
        intervals: level -> lower and upper bounds, (count, horizon) each.
        quantiles: (count, horizon, probabilities), where some were asked for.
    """

    series: np.ndarray
    cutoffs: np.ndarray
    actual: np.ndarray
    forecast: np.ndarray
    intervals: dict[float, tuple[np.ndarray, np.ndarray]]
    quantiles: np.ndarray | None = None

    @classmethod
    def joined(cls, blocks: Sequence[Self]) -> Self:
        """Return the windows of all blocks together."""

        def join(*parts):
            return None if parts[0] is None else np.concatenate(parts)

        return cls(
            *(join(*(getattr(each, name) for each in blocks)) for name in list(cls.__annotations__)[:4]),
            {
                level: tuple(join(*(each.intervals[level][side] for each in blocks)) for side in (0, 1))
                for level in blocks[0].intervals
            },
            join(*(each.quantiles for each in blocks)),
        )

    def part(self, rows: np.ndarray, horizon: int) -> "Forecasts":
        """Return some of the windows, up to a horizon."""
        return Forecasts(
            self.series[rows],
            self.cutoffs[rows],
            self.actual[rows, :horizon],
            self.forecast[rows, :horizon],
            {
                level: (low[rows, :horizon], high[rows, :horizon])
                for level, (low, high) in self.intervals.items()
            },
            None if self.quantiles is None else self.quantiles[rows, :horizon],
        )

    def narrow(self) -> "Forecasts":
        """Return the same in float32, which takes half of the memory."""
        arrays = (self.actual, self.forecast, *(bound for pair in self.intervals.values() for bound in pair))
        actual, forecast, *bounds = (each.astype("float32") for each in arrays)
        pairs = zip(bounds[::2], bounds[1::2], strict=True)
        return Forecasts(
            self.series,
            self.cutoffs,
            actual,
            forecast,
            dict(zip(self.intervals, pairs, strict=True)),
            None if self.quantiles is None else self.quantiles.astype("float32"),
        )

    def of_series(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield each series and the rows of its windows."""
        for series in np.unique(self.series):
            yield int(series), np.flatnonzero(self.series == series)


class Scores:
    """Metrics of forecasts, over all observed steps of all windows; windows are added block by block.

    `mse`, `mae`, of intervals `coverage_80` and `width_80`, and where quantiles are given `crps`. With histories also
    `smape` and `mase`, which is scaled by the history before the first window of a series, and with `naive` `owa`, for
    which Naive 2 forecasts each window from all that lies before it.

    Args:
        probabilities: of the quantiles.
        histories: for each series (time,) its values; None: those metrics are left out.
        period: steps in a season.
        first: (series,) the first cut-off of each series; with `histories`.
        naive: whether Naive 2 is wanted, which takes its time.
    """

    def __init__(
        self,
        probabilities: Sequence[float] = (),
        histories: Sequence[np.ndarray] | None = None,
        period: int = 1,
        first: np.ndarray | None = None,
        naive: bool = True,
    ):
        self.probabilities, self.histories = list(probabilities), histories
        self.period, self.first, self.naive = period, first, naive
        self._sums: dict[str, np.ndarray] = {}

    def add(self, block: Forecasts) -> None:
        """Count windows in."""
        count = int((~np.isnan(block.actual)).sum())
        if not count:
            return
        actual, forecast = block.actual, block.forecast
        self._add("mse", mse(actual, forecast), count)
        self._add("mae", mae(actual, forecast), count)
        for level, (low, high) in block.intervals.items():
            self._add(f"coverage_{100 * level:g}", coverage(actual, low, high), count)
            self._add(f"width_{100 * level:g}", interval_width(low, high), low.size)
        if block.quantiles is not None:
            self._add("crps", crps_quantiles(actual, block.quantiles, self.probabilities), count)
        if self.histories is not None:
            self._add_relative(block)

    def _add_relative(self, block):
        """Count in the metrics that are relative to a series' level or to naive forecasts."""
        for series, rows in block.of_series():
            y, history = block.actual[rows], self.histories[series]
            count = int((~np.isnan(y)).sum())
            if not count:
                continue
            forecasts = {"": block.forecast[rows]}
            if self.naive:
                steps, cutoffs = y.shape[1], block.cutoffs[rows]
                forecasts["naive2_"] = np.stack(
                    [naive2(history[:cut], steps, self.period) for cut in cutoffs]
                )
            for prefix, f in forecasts.items():
                self._add(f"{prefix}smape", smape(y, f), count)
                before = history[: self.first[series]]  # the windows in one line: all have the same scale
                error = mase(y.reshape(1, -1), f.reshape(1, -1), [before], self.period)
                self._add(f"{prefix}mase", error, count)

    def _add(self, name, value, count):
        if not np.isnan(value):
            self._sums[name] = self._sums.get(name, 0) + np.array([value * count, count])

    def metrics(self) -> dict[str, float]:
        """Return the means, by name.

        Raises:
            UserError: nothing was observed.
        """
        if not self._sums:
            raise UserError(
                "evaluate: there is no observed value to compare with; give others, or more steps"
            )
        means = {name: float(total / count) for name, (total, count) in self._sums.items()}
        others = {name: means.pop(f"naive2_{name}", None) for name in ("smape", "mase")}
        if self.naive and {"smape", "mase"} <= means.keys():
            means["owa"] = owa(means["smape"], means["mase"], *others.values())
        return means


def following(
    values: Sequence[np.ndarray], series: np.ndarray, cutoffs: np.ndarray, horizon: int
) -> np.ndarray:
    """Return what follows cut-offs, (count, horizon) float64, NaN behind the end of a series.

    Args:
        values: for each series (time,).
        series: (count,) places of series.
        cutoffs: (count,).
        horizon: steps.
    """
    found = np.full((len(series), horizon), np.nan)
    for row, one, cut in zip(found, series, cutoffs, strict=True):
        part = values[one][cut : cut + horizon]
        row[: len(part)] = part
    return found
