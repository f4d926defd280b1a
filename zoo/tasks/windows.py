"""Windows of many series, which lie in a few flat arrays and are cut out when a batch asks for them."""

from collections.abc import Sequence

import numpy as np

LEAST = 3
"""Observed values that a window must hold, if it is to tell what follows."""


class Column:
    """Stretches of one length of a flat array, as a column of `Batches`; a batch alone is ever in memory.

    Args:
        array: (time,) or (time, features).
        starts: (count,) where each stretch begins.
        length: steps of each.
    """

    def __init__(self, array: np.ndarray, starts: np.ndarray, length: int):
        self._views = np.moveaxis(np.lib.stride_tricks.sliding_window_view(array, length, axis=0), -1, 1)
        self._starts = starts
        self.dtype, self.ndim = array.dtype, array.ndim + 1
        self.shape = (len(starts), length, *array.shape[1:])

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, rows: np.ndarray | slice) -> np.ndarray:
        return self._views[self._starts[rows]]


class Windows:
    """Series one after the other, each between room for a window that begins before it, or ends behind it.

    A window is a series, by its place, and a cut-off: so many of its values lie before what is forecast.

    Args:
        values: for each series (time,), NaN where nothing was observed.
        look_back: steps of a window.
        horizon: steps that follow it.
        past: for each series (time, features), or None.
        known: for each series (time + horizon, features), or None.
        static: (series, features), or None.
        numbers: (series,) of each series among those of a training, or None.
    """

    def __init__(
        self,
        values: Sequence[np.ndarray],
        look_back: int,
        horizon: int,
        *,
        past: Sequence[np.ndarray] | None = None,
        known: Sequence[np.ndarray] | None = None,
        static: np.ndarray | None = None,
        numbers: np.ndarray | None = None,
    ):
        self.look_back, self.horizon = look_back, horizon
        self.lengths = np.array([len(each) for each in values])
        room = look_back + self.lengths + horizon
        self._begins = np.cumsum(room) - horizon - self.lengths  # where the first value of each series lies
        self._total = int(room.sum())
        seen = self._laid([~np.isnan(each)[:, None] for each in values])[:, 0]
        self._values = self._laid([np.nan_to_num(each)[:, None] for each in values])[:, 0]
        self._observed = seen
        self._count = np.concatenate([[0], np.cumsum(seen, dtype="int64")])
        self._features = {
            "past": None if past is None else self._laid(past),
            "known": None if known is None else self._laid(known),
        }
        self._own = {"static": static, "series": numbers}

    def _laid(self, arrays):
        """Return arrays (time, features) in one, (total, features) float32, with zeros between them."""
        laid = np.zeros((self._total, arrays[0].shape[1]), "float32")
        for begin, array in zip(self._begins, arrays, strict=True):
            laid[begin : begin + len(array)] = array
        return laid

    # --- which windows there are

    def training(self, ends: np.ndarray, stride: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Return series and cut-offs, (count,) each, of the windows to learn from, `stride` steps apart.

        They lie within a series, the last one at its end. A series in which none does gives those that begin before it,
        from `LEAST` values on; one in which there is not even a whole horizon behind these gives those that end behind
        it, where nothing counts. A window that holds fewer than `LEAST` observed values, or nothing to forecast, is
        left out.

        Args:
            ends: (series,) how many values of each belong to the training.
            stride: steps between two windows of a series.
        """
        last = np.where(ends - self.horizon >= LEAST, ends - self.horizon, ends - 1)
        first = np.where(last >= self.look_back, self.look_back, LEAST)
        first = first + np.maximum(last - first, 0) % stride
        series, cutoffs = self.every(first, last, stride)
        told = self.seen(series, cutoffs) >= LEAST
        asked = self._between(series, cutoffs, np.minimum(cutoffs + self.horizon, ends[series])) > 0
        return series[told & asked], cutoffs[told & asked]

    @staticmethod
    def every(first: np.ndarray, last: np.ndarray, stride: int) -> tuple[np.ndarray, np.ndarray]:
        """Return series and cut-offs of all windows from `first` to `last` of each series, `stride` steps apart."""
        count = np.maximum((last - first) // stride + 1, 0)
        series = np.repeat(np.arange(len(count)), count)
        places = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        return series, first[series] + places * stride

    def seen(self, series: np.ndarray, cutoffs: np.ndarray) -> np.ndarray:
        """Return how many values were observed in windows, (count,)."""
        return self._between(series, cutoffs - self.look_back, cutoffs)

    def _between(self, series, first, last):
        begin = self._begins[series]
        return self._count[begin + last] - self._count[begin + first]

    # --- what they hold

    def inputs(
        self, series: np.ndarray, cutoffs: np.ndarray, *, exponential: bool = False
    ) -> dict[str, Column | np.ndarray]:
        """Return the columns that the forecasters of `zoo.models` are called with.

        Args:
            series: (count,) places of series.
            cutoffs: (count,).
            exponential: whether the values' exponentials are asked for, 0 where nothing was observed.
        """
        starts = self._begins[series] + cutoffs - self.look_back
        columns = {
            "values": Column(self._exponential() if exponential else self._values, starts, self.look_back),
            "observed": Column(self._observed, starts, self.look_back),
        }
        for name, more in (("past", 0), ("known", self.horizon)):
            if self._features[name] is not None:
                columns[name] = Column(self._features[name], starts, self.look_back + more)
        if self._own["static"] is not None:
            columns["static"] = self._own["static"][series].astype("float32")
        if self._own["series"] is not None:
            columns["series"] = self._own["series"][series].astype("int32")
        return columns

    def _exponential(self):
        return np.exp(self._values) * self._observed

    def following(self, series: np.ndarray, cutoffs: np.ndarray) -> tuple[Column, Column]:
        """Return what follows windows, (count, horizon) each: the values, and whether they were observed."""
        starts = self._begins[series] + cutoffs
        return Column(self._values, starts, self.horizon), Column(self._observed, starts, self.horizon)

    def weighted(self, series: np.ndarray, cutoffs: np.ndarray, weights: np.ndarray) -> Column:
        """Return what follows windows, (count, horizon, 2): a value, and its weight, 0 where it was not observed.

        Args:
            series: (count,) places of series.
            cutoffs: (count,).
            weights: (all series,).
        """
        room = self.look_back + self.lengths + self.horizon
        both = np.stack([self._values, self._observed * np.repeat(weights, room).astype("float32")], axis=-1)
        return Column(both, self._begins[series] + cutoffs, self.horizon)


def extended(rows: np.ndarray, length: int) -> np.ndarray:
    """Return rows (time, ...) cut to a length, or with the last one repeated up to it."""
    return np.concatenate([rows[:length], np.repeat(rows[-1:], max(length - len(rows), 0), axis=0)])
