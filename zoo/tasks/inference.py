"""A network's answers for many sequences: by length, in few shapes, in the order of the input."""

from collections.abc import Callable, Sequence

import keras
import numpy as np

from zoo.tasks.batches import pad

_MULTIPLE = 8  # lengths are rounded up to it: few shapes, few compilations


def run(
    network: keras.Model,
    sequences: Sequence[np.ndarray],
    batch_size: int = 64,
    progress: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Return the network's outputs (count, ...) for sequences of ids, each (time,).

    Args:
        network: maps padded ids (batch, time) to one tensor (batch, ...).
        sequences: at least one, of any lengths; id 0 is padding.
        batch_size: sequences at a time.
        progress: called after every batch with the number of sequences that are done.
    """
    lengths = np.array([len(sequence) for sequence in sequences])
    order = np.argsort(-lengths, kind="stable")
    outputs, done = None, 0
    for rows in np.split(order, range(batch_size, len(order), batch_size)):
        ids = pad([sequences[row] for row in rows], _MULTIPLE)
        # a power of two in rows: the few rows of zeros that are added are all mask
        full = np.zeros((1 << (len(rows) - 1).bit_length(), ids.shape[1]), dtype="int32")
        full[: len(rows)] = ids
        answer = np.asarray(network.predict_on_batch(full))[: len(rows)]
        if outputs is None:
            outputs = np.empty((len(order), *answer.shape[1:]), answer.dtype)
        outputs[rows] = answer
        done += len(rows)
        if progress:
            progress(done)
    return outputs
