"""Batches of sequences: a plan that depends on the seed and the epoch alone, made while the model trains."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from typing import Any

import keras
import numpy as np

from zoo.errors import UserError

Column = np.ndarray | Sequence[np.ndarray]
"""One array `(count, ...)`, or a list of `count` arrays `(time, ...)` that differ in their time alone."""
Columns = Column | Mapping[str, Column]

# What the random streams of an epoch are for: the order of the examples, or the examples themselves.
_ORDER, _EXAMPLES = 0, 1
_AHEAD = 2  # batches that are prepared before they are asked for


def plan_batches(
    lengths: np.ndarray,
    batch_size: int,
    seed: int,
    epoch: int,
    *,
    shuffle: bool = True,
    bucket: bool = True,
    widths: int = 4,
    tokens: int | None = None,
) -> list[np.ndarray]:
    """Return the indices of the examples of every batch of one epoch; every example comes exactly once.

    With `bucket`, examples are put in a fresh random order and then sorted by their padded length, so that
    batches hold little padding while examples of one padded length still meet other ones every epoch. The
    batches come in random order. One batch, at a random place, is smaller if `batch_size` does not divide
    the number of examples.

    Args:
        lengths: `(count,)` integers, the time steps of every example; or `(count, columns)`, those of several
            columns, of which an earlier one counts more.
        batch_size: examples in a batch, at most if `tokens` are given.
        seed: not negative; with `epoch` it settles the plan.
        epoch: 0 for the first one.
        shuffle: False gives the same plan in every epoch, and without `bucket` the order of the data.
        bucket: whether batches are made of examples of about the same length.
        widths: lengths are rounded up before they are sorted, see `round_up`.
        tokens: if given, a batch has as many examples as make at most so many padded time steps of all columns
            together, one at least. It needs `bucket`. Epochs of the same lengths have the same number of batches.
    """
    count = len(lengths)
    generator = np.random.default_rng([seed, epoch, _ORDER])
    order = generator.permutation(count) if shuffle else np.arange(count)
    padded = round_up(lengths, widths).reshape(count, -1)
    if bucket:
        order = order[np.lexsort(padded[order].T[::-1])]
    if tokens is not None:
        batches = np.split(order, _cuts(padded[order], batch_size, tokens))
    else:
        sizes = np.full(-(-count // batch_size), batch_size)
        if count % batch_size:
            sizes[generator.integers(len(sizes)) if shuffle else -1] = count % batch_size
        batches = np.split(order, np.cumsum(sizes)[:-1])
    if shuffle:
        batches = [batches[number] for number in generator.permutation(len(batches))]
    return batches


def _cuts(padded: np.ndarray, batch_size: int, tokens: int) -> list[int]:
    """Return where each batch but the first begins, for sorted lengths (count, columns)."""
    cuts, first, widest = [], 0, 0
    for row, lengths in enumerate(padded):
        wider = np.maximum(widest, lengths)
        if row > first and (row - first == batch_size or wider.sum() * (row - first + 1) > tokens):
            cuts.append(row)
            first, wider = row, lengths
        widest = wider
    return cuts


def round_up(lengths: Any, widths: int, least: int = 1) -> np.ndarray:
    """Return the time that sequences of these `lengths` are padded to, at least `least`.

    With 0 `widths` it is the length itself. Else it is the next of a grid that has so many widths from one
    power of two to the next. With 4 these are 1 to 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, ...: 32 widths for
    all lengths up to 512, and of the steps that they are padded to a thirteenth is padding.
    """
    lengths = np.maximum(lengths, max(least, 1))
    if not widths:
        return lengths
    unit = np.maximum(2 ** np.log2(np.maximum(lengths - 1, 1)).astype("int64") // widths, 1)
    return -(-lengths // unit) * unit


def padding_fraction(lengths: np.ndarray, plan: Sequence[np.ndarray], widths: int = 0) -> float:
    """Return the share of the time steps of all batches of `plan` that are padding, from 0 to 1."""
    lengths = np.asarray(lengths).reshape(len(lengths), -1)
    steps = sum(len(rows) * int(round_up(lengths[rows].max(axis=0), widths).sum()) for rows in plan)
    return 1.0 - float(lengths.sum()) / steps


def pad(arrays: Sequence[np.ndarray], widths: int = 0, least: int = 1) -> np.ndarray:
    """Return the arrays `(time, ...)` as one array `(batch, time, ...)`, padded with 0 on the right.

    The time is that of the longest one as `round_up` has it.
    """
    arrays = [np.asarray(array) for array in arrays]
    width = int(round_up(max(len(array) for array in arrays), widths, least))
    padded = np.zeros((len(arrays), width, *arrays[0].shape[1:]), dtype=_kind(arrays[0].dtype))
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return padded


class Batches:
    """Examples in batches, in an order that depends on `seed`, the epoch and nothing else.

    A column is an array `(count, ...)`, or what gives the rows that are asked for as one (see
    `zoo.tasks.windows.Column`), or a list of `count` arrays `(time, ...)` of different lengths, which every batch pads
    with 0 on the right. Floats become float32 and integers int32.

    Args:
        inputs: a column, or columns by the names of the model's inputs.
        targets: the same for the outputs, or None.
        batch_size: examples in a batch, at most if `tokens` are given.
        seed: settles the order, not negative. Weights are the caller's: `keras.utils.set_random_seed`.
        lengths: `(count,)` time steps of the examples; by default those of the inputs. Or `(count, columns)`.
        weights: a column of weights, one for each example or one for each time step.
        class_weights: class number -> weight, for targets `(count,)` of class numbers or `(count, classes)`
            of probabilities (the most probable class counts). They multiply `weights`; a class that is not
            named weighs 1.
        draw: called before an epoch with a NumPy generator that depends on the seed and the epoch alone, returns
            the epoch's inputs and their lengths, in place of those given.
        shuffle: see `plan_batches`.
        bucket: see `plan_batches`.
        widths: see `round_up`: few widths for JAX, which compiles for every shape; 0 for the others.
        tokens: see `plan_batches`.

    Raises:
        UserError: there is no example, or the columns differ in their number of examples.
    """

    def __init__(
        self,
        inputs: Columns,
        targets: Columns | None = None,
        *,
        batch_size: int = 32,
        seed: int = 0,
        lengths: np.ndarray | None = None,
        weights: Column | None = None,
        class_weights: Mapping[int, float] | None = None,
        draw: Callable[[np.random.Generator], tuple[Columns, np.ndarray]] | None = None,
        shuffle: bool = True,
        bucket: bool = True,
        widths: int = 4,
        tokens: int | None = None,
    ):
        numbers = [("batch_size", batch_size, 1), ("seed", seed, 0), ("widths", widths, 0)]
        for name, value, least in numbers + ([] if tokens is None else [("tokens", tokens, 1)]):
            if not isinstance(value, int | np.integer) or value < least:
                raise UserError(f"{name}: got {value!r}; give a whole number of {least} or more")
        if widths & (widths - 1):
            raise UserError(f"widths: got {widths}; give 0 or a power of two")
        if tokens is not None and not bucket:
            raise UserError("tokens: they need bucket=True; leave out one of them")
        self.lengths = _lengths(inputs) if lengths is None else np.asarray(lengths)
        self.count = len(self.lengths)
        if not self.count:
            raise UserError("inputs: there is no example; give at least one")
        if class_weights is not None:
            weights = _class_weights(targets, class_weights, weights)
        for name, columns in (("inputs", inputs), ("targets", targets), ("weights", weights)):
            for key, column in _items(columns):
                if len(column) != self.count:
                    where = f"{name}[{key!r}]" if key else name
                    raise UserError(
                        f"{where}: {len(column)} examples where there are {self.count} lengths; "
                        "give every column the same number of examples"
                    )
        self.inputs = inputs
        self.targets = targets
        self.weights = weights
        self.batch_size = int(batch_size)
        self.seed = int(seed)
        self.draw = draw
        self.shuffle = shuffle
        self.bucket = bucket
        self.widths = int(widths)
        self.tokens = None if tokens is None else int(tokens)
        self._drawn: tuple[int | None, Columns, np.ndarray] = (None, inputs, self.lengths)

    @cached_property
    def steps(self) -> int:
        """The number of batches of the first epoch; of every one, unless `draw` and `tokens` are given."""
        return -(-self.count // self.batch_size) if self.tokens is None else len(self.plan(0))

    @property
    def padding_fraction(self) -> float:
        """The share of padding among the time steps of the first epoch, from 0 to 1 (by `lengths`)."""
        return padding_fraction(self.lengths, self.plan(0), self.widths)

    def plan(self, epoch: int) -> list[np.ndarray]:
        """Return the indices of the examples of every batch of an epoch."""
        return plan_batches(
            self._inputs(epoch)[1],
            self.batch_size,
            self.seed,
            epoch,
            shuffle=self.shuffle,
            bucket=self.bucket,
            widths=self.widths,
            tokens=self.tokens,
        )

    def arrays(self, epoch: int = 0, start: int = 0) -> Iterator[tuple]:
        """Yield `(x,)`, `(x, y)` or `(x, y, w)` of the batches of an epoch, from batch `start` on."""
        for rows in self.plan(epoch)[start:]:
            yield self.batch(epoch, rows)

    def batch(self, epoch: int, rows: np.ndarray) -> tuple:
        """Return `(x,)`, `(x, y)` or `(x, y, w)` of the examples `rows` of an epoch."""
        return tuple(_map(self._collate, part) for part in self._columns(epoch, rows))

    def dataset(self, epoch: int = 0, start: int = 0) -> Any:
        """Return the same batches for `model.fit`, prepared ahead by a thread.

        For TensorFlow it is a `tf.data.Dataset`. Batch size and padded time are unknown in its signature,
        whatever the first batch is: one training step is traced for all shapes, the same one in a run that
        starts in the middle of an epoch. For JAX and PyTorch, which tf.data would cost 1 to 2 ms a batch, it
        is a `keras.utils.PyDataset`.
        """
        if keras.backend.backend() != "tensorflow":
            return _Feed(self, epoch, start)
        import tensorflow as tf

        def signature(column: Column) -> Any:
            array, free = self._collate(column), 2 if _is_ragged(column) else 1
            return tf.TensorSpec([None] * free + list(array.shape[free:]), array.dtype)

        first = self._columns(epoch, self.plan(epoch)[0])
        dataset = tf.data.Dataset.from_generator(
            lambda: self.arrays(epoch, start),
            output_signature=tuple(_map(signature, part) for part in first),
        )
        count = tf.data.experimental.assert_cardinality(len(self.plan(epoch)) - start)
        return dataset.apply(count).prefetch(_AHEAD)

    def fingerprint(self) -> dict[str, Any]:
        """Return what must not differ between a run and the run that it resumes."""
        return {
            "examples": self.count,
            "batch_size": self.batch_size,
            "seed": self.seed,
            "total length": int(self.lengths.sum()),
            "shuffle": self.shuffle,
            "bucket": self.bucket,
            "widths": self.widths,
            **({} if self.tokens is None else {"tokens": self.tokens}),
        }

    def _inputs(self, epoch: int) -> tuple[Columns, np.ndarray]:
        """Return the inputs of an epoch and their lengths; those that were drawn last are kept."""
        if self.draw is not None and self._drawn[0] != epoch:
            self._drawn = (epoch, *self.draw(np.random.default_rng([self.seed, epoch, _EXAMPLES])))
        return self._drawn[1:]

    def _columns(self, epoch: int, rows: np.ndarray) -> tuple[Columns, ...]:
        columns = (self._inputs(epoch)[0], self.targets, self.weights)
        return tuple(_take(column, rows) for column in columns if column is not None)

    def _collate(self, column: Column) -> np.ndarray:
        if _is_ragged(column):
            return pad(column, self.widths)
        return column.astype(_kind(column.dtype), copy=False)


class _Feed(keras.utils.PyDataset):
    """The batches of an epoch from batch `start` on, in their order; a thread prepares the next ones."""

    def __init__(self, batches: Batches, epoch: int, start: int):
        super().__init__()
        self.batches, self.epoch, self.start = batches, epoch, start
        self.plan = batches.plan(epoch)
        self.thread = ThreadPoolExecutor(1)
        self.coming: dict[int, Future] = {}

    def __len__(self) -> int:
        return len(self.plan) - self.start

    def __getitem__(self, index: int) -> tuple:
        number = self.start + index
        for each in range(number, min(number + 1 + _AHEAD, len(self.plan))):
            if each not in self.coming:
                self.coming[each] = self.thread.submit(self.batches.batch, self.epoch, self.plan[each])
        return self.coming.pop(number).result()


def _kind(dtype: np.dtype) -> np.dtype:
    return np.dtype({"f": "float32", "i": "int32", "u": "int32"}.get(dtype.kind, dtype))


def _is_ragged(column: Column) -> bool:
    return not hasattr(column, "dtype")


def _items(columns: Columns | None) -> list[tuple[str, Column]]:
    if columns is None:
        return []
    return list(columns.items()) if isinstance(columns, Mapping) else [("", columns)]


def _map(function: Callable[[Column], Any], columns: Columns) -> Any:
    if isinstance(columns, Mapping):
        return {name: function(column) for name, column in columns.items()}
    return function(columns)


def _take(columns: Columns, rows: np.ndarray) -> Any:
    return _map(lambda column: [column[row] for row in rows] if _is_ragged(column) else column[rows], columns)


def _lengths(columns: Columns) -> np.ndarray:
    """Return the time steps of every example: the longest of its ragged columns, else axis 1."""
    lengths = []
    for _, column in _items(columns):
        if _is_ragged(column):
            lengths.append(np.array([len(item) for item in column], dtype=np.int64))
        else:
            lengths.append(np.full(len(column), column.shape[1] if column.ndim > 1 else 1))
    if len({len(each) for each in lengths}) > 1:
        raise UserError(
            f"inputs: columns of {[len(each) for each in lengths]} examples; give each the same number"
        )
    return np.max(lengths, axis=0)


def _class_weights(
    targets: Columns | None, class_weights: Mapping[int, float], weights: Column | None
) -> np.ndarray:
    if (
        not isinstance(targets, np.ndarray)
        or targets.ndim > 2
        or (weights is not None and _is_ragged(weights))
    ):
        raise UserError(
            "class_weights: they need targets of one array and one class for each example; give `weights`"
        )
    classes = targets.argmax(axis=-1) if targets.ndim == 2 and targets.shape[1] > 1 else targets.reshape(-1)
    values = np.array([class_weights.get(int(label), 1.0) for label in classes], dtype="float32")
    return values if weights is None else values * np.asarray(weights, dtype="float32")
