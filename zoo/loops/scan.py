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
        products, sums = native.associative_scan(_combine, (a, b), (ops.ones_like, ops.zeros_like))
        after.append(products * first + sums)
    return after, [sequence[-1] for sequence in after]


def _combine(earlier, later):
    """Return two steps, s -> a*s + b, as one."""
    (a, b), (c, d) = earlier, later
    return a * c, c * b + d
