"""Intervals that hold as many values as they say: the errors on held out windows, step by step of the horizon.

Split conformal prediction (Lei, G'Sell, Rinaldo, Tibshirani & Wasserman, 2018, JASA 113(523), section 2.2), with
errors divided by a spread (their section 5.2) and both tails apart, as the signed scores of Romano, Patterson & Candès
(2019, NeurIPS, arXiv 1905.03222, theorem 2) have it:

    E = (y − f) / spread                             on windows that the network has not learned from
    interval = [f + spread·Q(a/2), f + spread·Q(1 − a/2)],   a = 1 − level

Q(p) is the ⌈p(n + 1)⌉-th smallest of n errors where p is above one half, the ⌊p(n + 1)⌋-th where it is below. Where
there is no such error, Q would have to be infinite; instead it goes on as a normal distribution would, from the median
m through the outermost error e: m + (e − m)·z(p)/z(n/(n + 1)). That is a guess, and no promise.

The promise of the papers, coverage of at least the level, is for errors that could be exchanged for those to come.
Windows that follow or overlap each other keep it only about: a series that changes after its validation is covered only
as far as the spread tells of it. One that does is the size of the network's last errors before a window:
`zoo.tasks.answering.Answerer.recent_errors`.
"""

from statistics import NormalDist

import numpy as np

GRID = np.unique(np.r_[0.0005, 0.0025, np.arange(1, 200) / 200, 0.9975, 0.9995])
"""The probabilities whose quantiles are kept; between two of them lies a straight line."""

_NORMAL = np.abs([NormalDist().inv_cdf(p) for p in GRID])

NEEDED = 200
"""Errors below which a step of the horizon takes those of its neighbours too."""


def error_table(errors: np.ndarray) -> np.ndarray:
    """Return Q of each step at the probabilities of `GRID`, (horizon, len(GRID)) float32.

    A step with fewer than `NEEDED` errors takes in those of the nearest steps, on both sides alike, until there are
    so many.

    Args:
        errors: E, (windows, horizon); nan is not counted, and one at least is a number.
    """
    columns = [column[~np.isnan(column)] for column in np.asarray(errors, "float64").T]
    counts = np.array([len(column) for column in columns])
    table = np.empty((len(columns), len(GRID)))
    for step in range(len(columns)):
        near, far = step, step + 1
        while counts[near:far].sum() < NEEDED and (near > 0 or far < len(columns)):
            near, far = max(near - 1, 0), min(far + 1, len(columns))
        table[step] = _order_statistics(np.sort(np.concatenate(columns[near:far])))
    return table.astype("float32")


def _order_statistics(ordered):
    """Return Q at the probabilities of `GRID` of sorted errors (n,)."""
    n = len(ordered)
    places = np.round(GRID * (n + 1), 9)  # 0.95·20 is 19
    low, high = (np.clip(each(places), 1, n).astype(int) - 1 for each in (np.floor, np.ceil))
    median = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
    table = np.select([GRID < 0.5, GRID > 0.5], [ordered[low], ordered[high]], median)
    beyond = (places < 1) | (places > n)
    outermost = NormalDist().inv_cdf(n / (n + 1)) or 1.0
    return np.where(beyond, median + (table - median) * _NORMAL / outermost, table)


def calibrated(
    forecast: np.ndarray, spread: np.ndarray, table: np.ndarray, probabilities: np.ndarray
) -> np.ndarray:
    """Return the quantiles f + spread·Q, (windows, horizon, probabilities).

    Args:
        forecast: f, (windows, horizon), of the first steps of the table.
        spread: of the same shape, or (windows, 1).
        table: what `error_table` returned.
        probabilities: (probabilities,), between 0 and 1; beyond those of `GRID` its ends are taken.
    """
    steps = table[: forecast.shape[1]].astype("float64")
    return forecast[..., None] + spread[..., None] * interpolated(steps, GRID, probabilities)


def interpolated(columns: np.ndarray, at: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return columns (..., wanted) on the straight lines between columns (..., at); at the ends the last ones.

    Args:
        columns: what is there, along the last axis.
        at: rising places of the columns.
        wanted: places to know.
    """
    at, wanted = np.asarray(at, "float64"), np.asarray(wanted, "float64")
    if len(at) == 1:
        return np.repeat(columns, len(wanted), axis=-1)
    after = np.clip(np.searchsorted(at, wanted), 1, len(at) - 1)
    share = np.clip((wanted - at[after - 1]) / (at[after] - at[after - 1]), 0, 1)
    return columns[..., after - 1] * (1 - share) + columns[..., after] * share


LEAST_SPREAD = 0.01
"""The smallest spread, in the scale that the network learns in: a window that does not change has none of its own."""


def naive_spread(values: np.ndarray, observed: np.ndarray, period: int) -> np.ndarray:
    """Return how far a value lies from that of a season before, mean abs(x_t − x_{t−m}) of windows, (windows, 1).

    Where no two values are a season apart it is that of neighbours; where there are none, 1.

    Args:
        values: (windows, time).
        observed: of the same shape, whether there is a value.
        period: m.
    """
    observed = np.asarray(observed, bool)
    spread = np.zeros(len(values))
    unknown = np.ones(len(values), bool)
    for lag in dict.fromkeys((period, 1)):
        if lag >= values.shape[1]:
            continue
        both = observed[:, lag:] & observed[:, :-lag]
        count = both.sum(axis=1)
        total = np.where(both, np.abs(values[:, lag:] - values[:, :-lag]), 0).sum(axis=1, dtype="float64")
        now = unknown & (count > 0)
        spread[now] = total[now] / count[now]
        unknown &= ~now
    return np.where(unknown, 1.0, np.maximum(spread, LEAST_SPREAD))[:, None]
