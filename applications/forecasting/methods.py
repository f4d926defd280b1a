"""What the methods of a report say of the same windows: the network, naive forecasts, ETS, Theta, DLinear."""

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import numpy as np

from applications.forecasting import baselines, building
from applications.forecasting.data import Table
from applications.forecasting.recipes import RECIPES

if TYPE_CHECKING:
    import pandas as pd

    from zoo.tasks import Forecaster, Panel
    from zoo.tasks.forecasts import Forecasts

NAIVE = ("seasonal naive", "Naive 2")
"""The baselines that need nothing fitted."""

WORKERS = os.cpu_count() or 1
"""Processes that fit the baselines."""

TENTHS = tuple(level / 10 for level in range(1, 10))
"""Levels, the ends of whose intervals are, with the median, at `PROBABILITIES`."""

PROBABILITIES = tuple(place / 20 for place in range(1, 20))


@dataclass(frozen=True)
class Said:
    """What one method says of windows.

    Attributes:
        point: (windows, horizon).
        intervals: level -> lower and upper bounds, of the same shape.
        quantiles: (windows, horizon, 19) at 5%, 10%, ..., 95%; None: unknown.
        note: what it fell back on, how often.
    """

    point: np.ndarray
    intervals: dict[float, tuple[np.ndarray, np.ndarray]]
    quantiles: np.ndarray | None = None
    note: str = ""


@dataclass(frozen=True)
class Sample:
    """Windows that all methods forecast.

    Attributes:
        panel: the series.
        windows: what the network says of them, in the unit of the series.
        first: (series,) how many values each series has before its first window.
        period: steps in a season.
        steps: how many of the last values of each series are forecast.
        stride: steps from one window of a series to the next.
        rescale: from a place in the panel and values to these in the scale that is measured in; None: as they are.
    """

    panel: "Panel"
    windows: "Forecasts"
    first: np.ndarray
    period: int
    steps: int
    stride: int
    rescale: Callable[[int, np.ndarray], np.ndarray] | None = None

    def scaled(self, array: np.ndarray) -> np.ndarray:
        """Return values (windows, ...) in the scale that is measured in."""
        if self.rescale is None:
            return array
        return np.stack(
            [self.rescale(series, row) for series, row in zip(self.windows.series, array, strict=True)]
        )

    def before(self, row: int) -> np.ndarray:
        """Return the values of its series before a window."""
        return self.panel.values[self.windows.series[row]][: self.windows.cutoffs[row]]

    def sizes(self) -> np.ndarray:
        """Return of each window what MASE divides errors by, (windows, 1); NaN where there is none."""
        found = [
            np.abs(y[self.period :] - y[: -self.period])
            for y in (values[:end] for values, end in zip(self.panel.values, self.first, strict=True))
        ]
        found = [each[~np.isnan(each)] for each in found]
        size = np.array([each.mean() if len(each) and each.any() else math.nan for each in found])
        return size[self.windows.series][:, None]


def of_network(sample: Sample, levels: Sequence[float], calibrated: bool) -> Said:
    """Return what the network says of the windows; its quantiles count if it is calibrated."""
    found = sample.windows
    return Said(found.forecast, found.intervals if levels else {}, found.quantiles if calibrated else None)


def of_baseline(name: str, sample: Sample, levels: Sequence[float]) -> Said:
    """Return what a function of `baselines` says of the windows."""
    horizon, asked = sample.windows.forecast.shape[1], sorted({*levels, *TENTHS})
    jobs = [
        (name, sample.before(row), horizon, sample.period, asked) for row in range(len(sample.windows.series))
    ]
    found = _each(_forecast, jobs, WORKERS if name not in NAIVE else 1)
    point = np.stack([one.point for one in found])
    bounds = {
        level: tuple(np.stack([one.intervals[level][side] for one in found]) for side in (0, 1))
        for level in asked
    }
    lower, upper = ([bounds[level][side] for level in TENTHS] for side in (0, 1))
    quantiles = np.stack([*reversed(lower), point, *upper], axis=-1)  # the widest level begins
    failed = sum(one.model.startswith("seasonal naive (") for one in found)
    note = f"seasonal naive in {failed} of them" if failed and name not in NAIVE else ""
    return Said(point, bounds, quantiles, note)


def _forecast(job: tuple[Any, ...]) -> baselines.Forecast:
    name, *arguments = job
    return baselines.BASELINES[name](*arguments)


def _each(function: Callable[[Any], Any], jobs: Sequence[Any], workers: int) -> list[Any]:
    """Return the answers to all jobs, by several processes where that is worth their start."""
    if workers == 1 or len(jobs) < 8 * workers:
        return [*map(function, jobs)]
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:  # a fork of TensorFlow would hang
        return list(pool.map(function, jobs, chunksize=4))


def of_linear(task: "Forecaster", sample: Sample, levels: Sequence[float]) -> Said:
    """Return what DLinear says of the windows, which learns from all that lies before the steps."""
    from zoo.tasks import read_frame

    panel, horizon = sample.panel, sample.windows.forecast.shape[1]
    frequency = panel.frequency or panel.times[0].step
    columns = {"time": "time", "value": "value", "series": "series", "frequency": frequency}
    look_back = None if task.model == "smoothing" else task.look_back
    recipe = replace(RECIPES["linear"], look_back=look_back)
    linear = building.build(recipe, horizon, sample.period)
    before = Table(_long(panel, sample.steps), columns, "DLinear")
    building.fit(linear, before, read_frame(before.frame, **columns), recipe, seed=0, progress=False)
    known = linear.preprocessor.calibration is not None
    found = linear.arrays(
        read_frame(_long(panel), **columns).select(panel.names),
        horizon=horizon,
        steps=sample.steps,
        stride=sample.stride,
        levels=levels if known else (),
        probabilities=PROBABILITIES if known else (),
    )
    return Said(found.forecast, found.intervals, found.quantiles)


def _long(panel: "Panel", steps: int = 0) -> "pd.DataFrame":
    """Return the series without their last steps as a table of the columns series, time and value."""
    import pandas as pd

    ends = [len(values) - steps for values in panel.values]
    times = [times[:end] for times, end in zip(panel.times, ends, strict=True)]
    values = [values[:end] for values, end in zip(panel.values, ends, strict=True)]
    return pd.DataFrame(
        {
            "series": np.repeat(panel.names, ends),
            "time": times[0].append(times[1:]),
            "value": np.concatenate(values),
        }
    )
