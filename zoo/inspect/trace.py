"""What the gates of a recurrent layer did at every step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from zoo.errors import UserError
from zoo.layers import Recurrent, RecurrentStack
from zoo.loops.masks import choose


@dataclass(frozen=True)
class Trace:
    """What one layer computed; every array is (batch, time, ...), at each place what the step there made.

    At a masked step gates and activations are NaN, since the step did not count; states and outputs are those
    that the mask keeps (see `Recurrent`).

    Attributes:
        gates: name -> (batch, time, units), what the cell passed through `gate`: 0 is closed, 1 is open.
        activations: name -> (batch, time, units), what it passed through `act`, such as the candidate.
        states: name -> (batch, time, ...), the states after each step.
        outputs: (batch, time, units).
    """

    gates: dict[str, np.ndarray]
    activations: dict[str, np.ndarray]
    states: dict[str, np.ndarray]
    outputs: np.ndarray


def trace(
    layer: Recurrent, sequences: Any, *, mask: Any = None, initial_state: Sequence[Any] | None = None
) -> Trace:
    """Run a layer by the plain loop, one step after the other, and return what each step computed.

    The cell that runs is a copy of the layer's cell that shares its weights and writes down what passes through
    `gate` and `act`. The layer, its cell and their equations are not touched, also if a step fails; threads may
    trace one layer at the same time. Dropout is off.

    Args:
        layer: any `Recurrent`; one that was never called is built.
        sequences: (batch, time, inputs), at least one step.
        mask: boolean (batch, time), true at real steps.
        initial_state: the states to begin with, (batch, ...) each; zeros by default, also where the layer is
            stateful.

    Returns:
        The trace in the order of `sequences`, also where the layer goes backwards.

    Raises:
        UserError: not a `Recurrent`, or no step.
    """
    if not isinstance(layer, Recurrent):
        raise UserError(f"trace: layer must be a zoo.layers.Recurrent, not {layer!r}")
    sequences = ops.convert_to_numpy(sequences)  # whose slices cost no compilation, as JAX's do
    if sequences.ndim < 3 or not sequences.shape[1]:
        raise UserError(f"trace: sequences must be (batch, time, inputs), not of shape {sequences.shape}")
    if not layer.built:
        layer.build(sequences.shape)
    cell, (batch, time) = layer.cell, sequences.shape[:2]
    if mask is not None:
        mask = ops.convert_to_numpy(mask).astype(bool)
        sequences = np.where(mask.reshape(batch, time, *[1] * (sequences.ndim - 2)), sequences, 0)
    states = list(layer.get_initial_state(batch) if initial_state is None else initial_state)
    shown = ops.zeros((batch, cell.output_size), dtype=layer.compute_dtype)
    steps = [None] * time
    for t in range(time - 1, -1, -1) if layer.go_backwards else range(time):
        gates, activations = {}, {}
        recording = _recording(cell, gates, activations)
        x = recording.project(ops.convert_to_tensor(sequences[:, t], dtype=layer.compute_dtype))
        new = recording.step(x, *states)
        output = recording.output(x, *new)
        if mask is not None:
            real = ops.convert_to_tensor(mask[:, t])
            new = [choose(real, n, o) for n, o in zip(new, states, strict=True)]
            output = choose(real, output, shown)
        states, shown = list(new), output
        steps[t] = gates, activations, dict(zip(cell.states, states, strict=True)), {"output": output}
    gates, activations, states, outputs = (
        {name: _over_time([step[part][name] for step in steps]) for name in steps[0][part]}
        for part in range(4)
    )
    if mask is not None:
        for values in (*gates.values(), *activations.values()):
            values[~mask] = np.nan
    return Trace(gates, activations, states, outputs["output"])


def trace_stack(stack: RecurrentStack, sequences: Any, *, mask: Any = None) -> dict[str, Trace]:
    """Return the trace of every layer and direction of a stack, by its name: `forward_0`, `backward_0`, ...

    Args:
        stack: a built stack; it is not touched.
        sequences: (batch, time, inputs), at least one step.
        mask: boolean (batch, time), true at real steps.
    """
    found = {}
    twin = _twin(stack)
    vars(twin)["layers"] = [[_watched(layer, found) for layer in level] for level in stack.layers]
    type(stack).call(twin, ops.cast(sequences, stack.compute_dtype), mask=mask)
    return found


def _watched(layer, found):
    """Return a twin of the layer that adds its trace to `found` when it runs."""

    def run(sequences, initial_state=None, mask=None, training=False):
        found[layer.name] = trace(layer, sequences, mask=mask, initial_state=initial_state)
        return layer.run(sequences, initial_state, mask, training)

    twin = _twin(layer)
    vars(twin)["run"] = run
    return twin


def _twin(layer):
    """Return an object of the same class and attributes; what is set on it is not set on the layer."""
    twin = object.__new__(type(layer))  # Keras would copy a layer by its config, with weights of its own
    vars(twin).update(vars(layer))
    return twin


def _recording(cell, gates, activations):
    """Return a twin of the cell that adds to two dictionaries what it names."""
    twin = _twin(cell)
    for method, seen in (("gate", gates), ("act", activations)):
        vars(twin)[method] = _recorder(getattr(type(cell), method), twin, seen)
    return twin


def _recorder(method, cell, seen):
    def call(name, z):
        value = method(cell, name, z)
        if name in seen:
            raise UserError(f"trace: {type(cell).__name__} has two values of a step called {name!r}")
        seen[name] = value
        return value

    return call


def _over_time(steps):
    """Return an array (batch, time, ...) from tensors (batch, ...), one for each step."""
    return np.stack([ops.convert_to_numpy(step) for step in steps], axis=1)
