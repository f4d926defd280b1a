"""The series of a table as a forecasting network sees them."""

from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import UserError
from zoo.preprocessing import SeriesPreprocessor
from zoo.tasks.calendar import calendar_features, clock, continue_times, seconds_of, to_offset
from zoo.tasks.panel import Panel
from zoo.tasks.windows import LEAST, Column, Windows, extended

if TYPE_CHECKING:
    import pandas as pd

_ORIGINS = 100  # of a series that is held out, at most, where no stride is given


class PreparedSeries:
    """Series in the scale of a network, with their covariates, calendar and seasons.

    Attributes:
        panel: the series as they were read.
        values: for each series (time,) float64 in the network's scale; NaN is missing.
        scales: (series, 2), see `SeriesPreprocessor`.
        windows: of the values and all covariates.

    Args:
        panel: as above.
        ends: (series,) how many values of each are known: scales and seasons of new series are those of them.
        preprocessor: gives the scales.
        config: the arguments of the network.
        look_back: steps that it sees.
        horizon: steps that it forecasts.

    Raises:
        UserError: a value that has no logarithm, where one is needed.
    """

    def __init__(
        self,
        panel: Panel,
        ends: np.ndarray,
        preprocessor: SeriesPreprocessor,
        config: dict[str, Any],
        look_back: int,
        horizon: int,
    ):
        self.panel = panel
        known = [values[:end] for values, end in zip(panel.values, ends, strict=True)]
        self.scales = preprocessor.scales_of(panel.names, known)
        self.values = [
            preprocessor.scaled(*each) for each in zip(panel.names, panel.values, self.scales, strict=True)
        ]
        features = {
            "past": [preprocessor.covariates("past", each) for each in panel.past or ()],
            "known": _known(panel, preprocessor, horizon) if config.get("known") else None,
            "static": preprocessor.covariates("static", panel.static) if config.get("static") else None,
            "numbers": panel.numbers(preprocessor.names) if config["series"] else None,
        }
        features["past"] = features["past"] or None
        self.windows = Windows(self.values, look_back, horizon, **features)
        self._phases = self._seasonal = None
        if "period" in config:  # exponential smoothing
            self._phases = np.array([phase_of(times, panel.frequency) for times in panel.times])
            self._seasonal = np.array(
                [
                    seasonal_factors(values[:end], phase, config["period"])
                    for values, end, phase in zip(self.values, ends, self._phases, strict=True)
                ],
                "float32",
            )

    def inputs(self, series: np.ndarray, cutoffs: np.ndarray) -> dict[str, Column | np.ndarray]:
        """Return the columns of windows that the network is called with; the arguments are (count,) each."""
        columns = self.windows.inputs(series, cutoffs, exponential=self._phases is not None)
        if self._phases is not None:
            columns["phase"] = (self._phases[series] + cutoffs - self.windows.look_back).astype("int32")
            if self._seasonal.shape[1]:
                columns["seasonal"] = self._seasonal[series]
        return columns


def _known(panel, preprocessor, horizon):
    """Return covariates known ahead and calendar features of each series, up to a horizon behind it."""
    found = []
    for place, times in enumerate(panel.times):
        parts = []
        if panel.known is not None:
            rows = extended(panel.known[place], len(times) + horizon)
            parts.append(preprocessor.covariates("known", rows))
        if preprocessor.calendar:
            times = times.append(continue_times(times, panel.frequency, horizon))
            parts.append(calendar_features(times, panel.frequency, preprocessor.calendar))
        found.append(np.concatenate(parts, axis=1))
    return found


# --- what is learned from, and what is held out ----------------------------------------------------------------


def training_ends(panel: Panel, horizon: int, steps: int | None) -> np.ndarray:
    """Return how many values of each series are learned from, (series,).

    Args:
        panel: the series.
        horizon: steps to forecast.
        steps: the last so many values of a series are held out, if `LEAST` and a horizon are left; None: one horizon,
            if two are left; 0: none.

    Raises:
        UserError: a series with too few values, or no series from which so many could be held out.
    """
    lengths = np.array([len(values) for values in panel.values])
    for name, length in zip(panel.names, lengths, strict=True):
        if length <= LEAST:
            raise UserError(
                f"fit: series {name!r} has {length} values; give {LEAST + 1} or more, or leave it out"
            )
    if steps != 0 and steps is not None:
        check_whole("validation_steps", steps)
    held, kept = (horizon, 2) if steps is None else (steps, 1)
    ends = np.where(lengths - held >= LEAST + kept * horizon, lengths - held, lengths)
    if steps and (ends == lengths).all():
        raise UserError(
            f"validation_steps: got {steps}, and no series has more than {lengths.max()} values; {LEAST} and a horizon "
            f"of {horizon} must be left to learn from: give fewer"
        )
    return ends


def held_out(
    panel: Panel, ends: np.ndarray, horizon: int, stride: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return series and cut-offs, (count,) each, of the windows behind what is learned from.

    Args:
        panel: the series.
        ends: what `training_ends` returned.
        horizon: steps to forecast; where less is held out, there is a window before it.
        stride: steps from one window to the next; None: so many that a series has a hundred at most.
    """
    if stride is not None:
        check_whole("validation_stride", stride)
    lengths = np.array([len(values) for values in panel.values])
    last = np.maximum(lengths - horizon, ends)
    if stride is None:
        stride = -(-int((last - ends).max() + 1) // _ORIGINS)
    chosen = np.flatnonzero(ends < lengths)
    series, cutoffs = Windows.every(ends[chosen], last[chosen], stride)
    series = chosen[series]
    told = [
        bool(np.isfinite(panel.values[one][cut : cut + horizon]).any())
        for one, cut in zip(series, cutoffs, strict=True)
    ]
    return series[told], cutoffs[told]


def check_whole(name: str, value: object) -> None:
    """Raise `UserError` unless a value is a whole number from 1 on."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise UserError(f"{name}: got {value!r}; give a whole number of 1 or more")


def check_history(windows: Windows, names: Sequence[str], cutoffs: np.ndarray, where: str) -> None:
    """Raise `UserError` unless the window before the cut-off of each series, (series,), holds `LEAST` values."""
    seen = windows.seen(np.arange(len(names)), cutoffs)
    for name, count in zip(names, seen, strict=True):
        if count < LEAST:
            raise UserError(
                f"{where}: series {name!r} has {count} values in the {windows.look_back} steps that the network sees; "
                f"give {LEAST} or more, or leave the series out"
            )


# --- seasons -------------------------------------------------------------------------------------------------


def phase_of(times: "pd.Index", frequency: str | None) -> int:
    """Return the number of the first of regular times since the beginning of 2000, or since 0 of plain numbers.

    So a place in the season has the same number in whatever part of a series is given.
    """
    import pandas as pd

    if frequency is None:
        return int(times[0] // times.step)
    offset, anchor = to_offset(frequency), pd.Timestamp(2000, 1, 1)
    first = clock(times[:2], offset)[0]
    if (step := seconds_of(offset)) is not None:
        return int((first - anchor) // pd.Timedelta(seconds=step))
    begin, end = sorted((anchor, first))
    between = len(pd.date_range(begin, end, freq=offset, inclusive="left"))
    return between if first > anchor else -between


def seasonal_factors(logs: np.ndarray, phase: int, periods: Sequence[int]) -> np.ndarray:
    """Return the factors of a series by place in the season, (sum of periods,), by classical decomposition.

    For one period after the other: the mean logarithm of what the centred moving average over a season leaves, place
    by place, the mean of all places taken off. All are 1 where there are not two whole seasons.

    Args:
        logs: (time,) logarithms of the values; NaN is missing, taken from the line between its neighbours.
        phase: number of the first step.
        periods: steps of each season; those of one step have no factors.
    """
    seen, found = np.flatnonzero(~np.isnan(logs)), []
    rest = np.interp(np.arange(len(logs)), seen, logs[seen]) if len(seen) else np.zeros(0)
    for period in (each for each in periods if each > 1):
        factors = np.zeros(period)
        if len(rest) >= 2 * period:
            weights = np.ones(period) if period % 2 else np.r_[0.5, np.ones(period - 1), 0.5]
            start = len(weights) // 2
            left = rest[start : len(rest) - start] - np.convolve(rest, weights / period, mode="valid")
            places = (phase + start + np.arange(len(left))) % period
            count = np.bincount(places, minlength=period)
            factors = np.bincount(places, left, period) / np.maximum(count, 1)
            factors -= factors.mean()
            rest = rest - factors[(phase + np.arange(len(rest))) % period]
        found.append(np.exp(factors))
    return np.concatenate(found) if found else np.zeros(0)
