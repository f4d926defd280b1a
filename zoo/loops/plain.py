"""The plain loop: one step after the other. It is the meaning; every other loop equals it."""

from keras import tree

from zoo.loops.backend import native
from zoo.loops.masks import choose


def plain(cell, x, states, mask=None, drop=None):
    """Run any cell over time.

    Args:
        cell: a built `Cell`.
        x: what its `project` returned, each tensor (time, batch, ...).
        states: tuple of initial states, each (batch, ...).
        mask: boolean (time, batch), or None.
        drop: recurrent dropout, to be multiplied with what enters a recurrent product, (batch, units), or None.

    Returns:
        Two lists, the states after each step (time, batch, ...), None where the cell does not show them, and after
        the last one (batch, ...).
    """
    flat = tree.flatten(x)
    shown = cell.shown
    dropped = {} if drop is None else {"drop": lambda h: h * drop}

    def step(old, now):
        new = cell.step(tree.pack_sequence_as(x, now[: len(flat)]), *old, **dropped)
        if mask is not None:
            new = [choose(now[-1], n, o) for n, o in zip(new, old, strict=True)]
        return list(new), [new[k] for k in shown]

    like = [states[k] for k in shown]
    final, after = native.scan(step, list(states), flat if mask is None else [*flat, mask], like)
    return [after[shown.index(k)] if k in shown else None for k in range(len(states))], final
