"""Whether training waits for its data: how much of it is padding, and how fast it is read."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from zoo.tasks.batches import Batches, padding_fraction, plan_batches


def reading(network: Any, batches: Batches, *, rounds: int = 3) -> dict[str, Any]:
    """Return how much of the batches is padding, how fast they are read, and how long training waits for them.

    The waiting is told by training on the same batches once more, kept in memory: what that saves is the wait.

    Args:
        network: a compiled `keras.Model` that fits the batches. It is trained.
        batches: the training data; its first epoch is read.
        rounds: how often everything is measured, in turn; medians are returned.

    Returns:
        `padding`, the share of all steps (all that the network computes, the rounding to few widths with it);
        `padding_unsorted`, the same if examples were not sorted by length; `shapes` of batches;
        `reader_batches_per_second` and `reader_tokens_per_second` of the reader alone; `training_batches_per_second`;
        and `waiting`, the share of the training time, not below 0.
    """
    unsorted = plan_batches(batches.lengths, batches.batch_size, batches.seed, 0, bucket=False)
    kept = _kept(batches)
    for dataset in (batches.dataset(), kept):  # compiles for all shapes
        network.fit(dataset, verbose=0, shuffle=False)
    read, fit, fit_kept = [], [], []
    for _ in range(rounds):
        read.append(_duration(lambda: [None for _ in batches.dataset()]))
        fit.append(_duration(lambda: network.fit(batches.dataset(), verbose=0, shuffle=False)))
        fit_kept.append(_duration(lambda: network.fit(kept, verbose=0, shuffle=False)))
    seconds, training, training_kept = map(statistics.median, (read, fit, fit_kept))
    return {
        "examples": batches.count,
        "tokens": int(batches.lengths.sum()),
        "batch_size": batches.batch_size,
        "padding": batches.padding_fraction,
        "padding_unsorted": padding_fraction(batches.lengths, unsorted),
        "shapes": len({np.shape(inputs) for inputs, *_ in batches.arrays()}),
        "reader_batches_per_second": batches.steps / seconds,
        "reader_tokens_per_second": float(batches.lengths.sum()) / seconds,
        "training_batches_per_second": batches.steps / training,
        "waiting": max(0.0, 1 - training_kept / training),
    }


def _kept(batches: Batches) -> Any:
    """Return the first epoch for `model.fit` in memory."""
    dataset = batches.dataset()
    if hasattr(dataset, "cache"):  # of tf.data; it is kept when it has been read to its end
        return dataset.cache()
    import keras

    class Kept(keras.utils.PyDataset):
        def __init__(self):
            super().__init__()
            self.batches = list(dataset)

        def __len__(self):
            return len(self.batches)

        def __getitem__(self, index):
            return self.batches[index]

    return Kept()


def _duration(function: Callable[[], Any]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began
