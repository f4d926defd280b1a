"""The scan: a linear recurrence in blocks of time, all blocks at once (Blelloch, 1990), with its own gradient."""

from keras import ops, tree

from zoo.loops.backend import native
from zoo.loops.masks import choose

BLOCK = 32  # steps; with 64 the times are the same


def scan(cell, x, states, mask=None, drop=None):
    """Run a `LinearCell` over time; arguments and answer are those of `plain`.

    Where the product of `BLOCK` factors overflows, a state may be NaN that is infinite or zero in `plain`.
    """
    time = ops.shape(tree.flatten(x)[0])[0]
    recurrence = native.custom_gradient(_forward, _backward)
    after, final = [], []
    for a, b, first in zip(*cell.factors(x), states, strict=True):
        a = _at_each_step(a, first, time)
        b = _at_each_step(b, first, time)
        if mask is not None:
            a = choose(mask, a, ops.ones_like(a))
            b = choose(mask, b, ops.zeros_like(b))
        if b.shape[1:] != first.shape:
            b = ops.broadcast_to(b, (time, *ops.shape(first)))
        shown, last = recurrence([a, b, first])
        after.append(shown)
        final.append(last)
    return after, final


def _at_each_step(c, state, time):
    """Return the coefficient `c` with the axes of (time, *state); those after the first may be of size one."""
    c = ops.reshape(c, (*[1] * (len(state.shape) + 1 - len(c.shape)), *ops.shape(c)))
    return ops.broadcast_to(c, (time, *ops.shape(c)[1:])) if c.shape[0] == 1 else c


def _forward(values):
    a, b, first = values
    after, final = _over_time(_step, a, b, first)
    return [after, final], [a, first, after]


def _step(state, now):
    a, b = now
    state = a * state[0] + b
    return [state], [state]


def _backward(saved, cotangents):
    """Return the gradients of a, b and first: with d those of the states shown, g_t = d_t + a_{t+1} g_{t+1}."""
    a, first, after = saved
    d_after, d_final = cotangents
    d_b, d_first = _over_time(_step_back, a, d_after, d_final, backwards=True)
    d_a = d_b * ops.concatenate([first[None], after[:-1]], axis=0)
    sizes = zip(a.shape, d_b.shape, strict=True)
    spread = [axis for axis, (one, full) in enumerate(sizes) if one == 1 and full != 1]
    return [ops.sum(d_a, axis=spread, keepdims=True) if spread else d_a, d_b, d_first]


def _step_back(state, now):
    a, d = now
    g = state[0] + d
    return [a * g], [g]


def _over_time(step, a, b, first, backwards=False):
    """Return what `step` shows at each time, and its last state.

    A long sequence is cut into blocks. All blocks run at once from zero, which makes of each one long step;
    these follow one another; then all blocks run again, each from its own start. Keras's `associative_scan`
    knows no float64 on PyTorch and no unknown shape on TensorFlow (3.15).

    Args:
        step: maps [state], [a, b] to [new state], [what to show]; `a` is the new state's factor of the old one.
        a: factors (time, batch, ...); after `time`, axes of size one broadcast.
        b: (time, batch, ...).
        first: the state to begin with, (batch, ...).
        backwards: run from the end to the start.
    """
    time = ops.shape(b)[0]
    turned = native.reverse if backwards else lambda x: x
    if isinstance(time, int) and time <= 2 * BLOCK:
        (final,), (shown,) = native.scan(step, [first], [turned(a), turned(b)], [first])
        return turned(shown), final

    def long_step(old, now):
        return [old[0] * now[0], *step(old[1:], now)[0]], []

    def one_after_the_other(old, now):
        return _step(old, now)[0], old

    a, b = turned(_in_blocks(a, 1)), turned(_in_blocks(b, 0))
    long, _ = native.scan(long_step, [ops.ones_like(a[0]), ops.zeros_like(b[0])], [a, b], [])
    _, (starts,) = native.scan(one_after_the_other, [first], [turned(c) for c in long], [first])
    (ends,), (shown,) = native.scan(step, [turned(starts)], [a, b], [starts])
    shown = ops.reshape(_swapped(turned(shown)), (-1, *ops.shape(first)))[:time]
    return shown, ops.concatenate([first[None], turned(ends)], axis=0)[-1]


def _in_blocks(c, neutral):
    """Return the coefficient `c` (time, batch, ...) as (step of a block, block, batch, ...)."""
    missing = -ops.shape(c)[0] % BLOCK
    if not isinstance(missing, int) or missing:
        c = ops.pad(c, [[0, missing], *[[0, 0]] * (len(c.shape) - 1)], constant_values=neutral)
    return _swapped(ops.reshape(c, (-1, BLOCK, *ops.shape(c)[1:])))


def _swapped(x):
    return ops.transpose(x, (1, 0, *range(2, len(x.shape))))
