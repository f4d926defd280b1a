"""The one meaning of a mask: a masked step keeps the states and repeats the last output.

Masks are boolean, (time, batch), true where a step is real. Before the first real step the output is zero.
"""

from keras import ops


def spread(mask, like):
    """Return `mask` with axes of size one added at its end until it has the rank of `like`."""
    missing = len(like.shape) - len(mask.shape)
    return ops.reshape(mask, (*ops.shape(mask), *[1] * missing)) if missing else mask


def choose(mask, new, old):
    """Return `new` where `mask` holds, else `old`; the axes of `mask` are the first axes of both."""
    return ops.where(spread(mask, new), new, old)


def compressed(mask):
    """Return two integer tensors (time, batch) that pass from all steps to the real ones and back.

    `order` holds the times of the real steps, then those of the masked ones, both in order. `rank` holds for
    each step the place in `order` of the last real step so far, or -1.
    """
    time = ops.shape(mask)[0]
    now = ops.arange(time)[:, None]
    order = ops.argsort(ops.where(mask, now, now + time), axis=0)
    return order, ops.cumsum(ops.cast(mask, "int32"), axis=0) - 1


def take(sequence, index):
    """Return `sequence` (time, batch, ...) at the times `index` (time, batch); zeros where that is negative."""
    picked = ops.take_along_axis(sequence, spread(ops.maximum(index, 0), sequence), axis=0)
    return choose(index >= 0, picked, ops.zeros_like(picked))


def last_real(mask):
    """Return the time of the last real step so far, (time, batch), or -1."""
    order, rank = compressed(mask)
    times = ops.take_along_axis(order, ops.cast(ops.maximum(rank, 0), order.dtype), axis=0)
    return ops.where(rank >= 0, times, ops.full_like(times, -1))
