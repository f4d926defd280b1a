"""How a recurrence runs over time. The plain loop is the meaning; the others equal it and are faster.

| loop       | cells                              | where                     | what it saves                          |
|------------|------------------------------------|---------------------------|----------------------------------------|
| `fused`    | LSTM, GRU, SimpleRNN with defaults | PyTorch, CPU              | all of Python: PyTorch's own kernels   |
| `compiled` | gated and linear cells             | CPU, with `lstm-zoo[cpu]` | all of the framework between two steps |
| `scan`     | linear cells                       | everywhere                | the order of the steps                 |
| `gated`    | gated cells                        | everywhere                | whatever can be done for all steps     |
| `plain`    | every cell                         | everywhere                | -                                      |
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from keras import ops

from zoo.cells import Cell, GatedCell, LinearCell
from zoo.errors import UserError
from zoo.loops.backend import native
from zoo.loops.compiled import compiled, compiles
from zoo.loops.gated import gated
from zoo.loops.masks import choose, last_real, take
from zoo.loops.plain import plain
from zoo.loops.program import program_of
from zoo.loops.scan import scan

__all__ = ["LOOPS", "names_for", "private", "run"]

_private = ContextVar("private", default=False)


@contextmanager
def private() -> Iterator[None]:
    """Let predictions that are traced within it take the compiled loop: they run in this process and are not saved."""
    token = _private.set(True)
    try:
        yield
    finally:
        _private.reset(token)


def _over_states(loop):
    """Return a loop from inputs to outputs, made from one that runs states only."""

    def over_inputs(cell, inputs, states, mask=None, drop=None):
        x = cell.project(inputs)
        after, final = loop(cell, x, states, mask, drop)
        return _shown(cell, x, after, mask), final

    return over_inputs


# name -> (whether it can run this cell with this dropout, the loop)
LOOPS = {
    "fused": (
        lambda cell, drop: hasattr(native, "fuses") and native.fuses(cell, drop),
        getattr(native, "fused", None),
    ),
    "compiled": (lambda cell, drop: compiles(cell), _over_states(compiled)),
    "scan": (lambda cell, drop: isinstance(cell, LinearCell), _over_states(scan)),
    "gated": (
        lambda cell, drop: isinstance(cell, GatedCell) and program_of(cell) is not None,
        _over_states(gated),
    ),
    "plain": (lambda cell, drop: True, _over_states(plain)),
}


def names_for(cell: Cell, drop=None) -> list[str]:
    """Return the names of the loops that can run the built `cell` on this backend."""
    return [name for name, (can, _) in LOOPS.items() if can(cell, drop)]


def run(cell, inputs, states, mask=None, drop=None, loop="auto", training=False):
    """Run a cell over a sequence.

    Args:
        cell: a built `Cell`.
        inputs: (time, batch, ...).
        states: the initial states, each (batch, ...).
        mask: boolean (time, batch), true at real steps, or None. A masked step keeps the states and repeats
            the last output (zeros before the first real step); what stands in `inputs` there has no influence.
        drop: recurrent dropout, to be multiplied with what enters a recurrent product, (batch, units), or None.
        loop: name of a loop, or `"auto"`: the fastest that can run this cell.
        training: whether this is a training step: `"auto"` differs, for it will go back, and no graph is saved
            (see `private` for predictions of which none is).

    Returns:
        The outputs (time, batch, units) and a list of the last states.

    Raises:
        UserError: the loop does not exist or cannot run this cell.
    """
    names = names_for(cell, drop)
    if loop != "auto" and loop not in names:
        raise UserError(
            f"loop={loop!r} cannot run {type(cell).__name__} here: choose from auto, {', '.join(names)}"
        )
    if inputs.shape[0] == 0:
        return ops.zeros((0, ops.shape(inputs)[1], cell.output_size), dtype=cell.compute_dtype), list(states)
    if mask is not None:
        inputs = choose(mask, inputs, ops.zeros_like(inputs))
    if loop == "auto":
        order = native.TRAINING if training else native.PREDICTING
        if _private.get():
            order = ("compiled", *order)
        loop = next(name for name in order if name in names)
    return LOOPS[loop][1](cell, inputs, tuple(states), mask, drop)


def _shown(cell, x, after, mask):
    """Return the outputs (time, batch, units) for the states `after` each step."""
    if type(cell).output is Cell.output:
        outputs = after[0]
        if mask is None:
            return outputs
        seen = ops.cumsum(ops.cast(mask, "int32"), axis=0) > 0
        return choose(seen, outputs, ops.zeros_like(outputs))
    outputs = cell.output(x, *after)
    return outputs if mask is None else take(outputs, last_real(mask))
