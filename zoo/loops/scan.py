"""The scan: all steps of a linear recurrence at once (Blelloch, 1990; Martin & Cundy, 2018, arXiv 1709.04057)."""

from keras import ops

from zoo.loops.backend import native
from zoo.loops.masks import choose


def scan(cell, x, states, mask=None, drop=None):
    """Run a `LinearCell` over time; arguments and answer are those of `plain`."""
    after = []
    for a, b, first in zip(*cell.factors(x), states, strict=True):
        if mask is not None:
            a = choose(mask, a, ops.ones_like(a))
            b = choose(mask, b, ops.zeros_like(b))
        after.append(_step_by_step(a, b, first) if b.shape[0] is None else _at_once(a, b, first))
    return after, [sequence[-1] for sequence in after]


def _at_once(a, b, first):
    """Return the states of s' = a*s + b for all steps; a, b (time, batch, ...), first (batch, ...).

    Two steps, s -> a*s + b and s -> c*s + d, are one: s -> (a*c)*s + (c*b + d). Each of log2(time) rounds doubles
    the number of steps that every place sums up (Hillis & Steele, 1986). Keras's own `associative_scan` knows no
    float64 on PyTorch and no unknown shape on TensorFlow (3.15).
    """
    distance = 1
    while distance < b.shape[0]:
        b = ops.concatenate([b[:distance], a[distance:] * b[:-distance] + b[distance:]], axis=0)
        a = ops.concatenate([a[:distance], a[distance:] * a[:-distance]], axis=0)
        distance *= 2
    return a * first + b


def _step_by_step(a, b, first):
    """Return the same where the number of steps is not known before the network runs."""

    def step(carry, now):
        state = now[0] * carry[0] + now[1]
        return [state], [state]

    _, (after,) = native.scan(step, [first], [a, b], [first])
    return after
