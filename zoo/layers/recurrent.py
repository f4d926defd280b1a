"""`Recurrent` runs a cell over time; every cell of the catalogue has a named layer made from it."""

import inspect

import keras
from keras import ops

from zoo import loops
from zoo.cells import CATALOGUE, Cell
from zoo.cells.cell import parameters
from zoo.errors import UserError


@keras.saving.register_keras_serializable(package="zoo")
class Recurrent(keras.layers.Layer):
    """A recurrent layer over any cell of `zoo.cells`, with Keras's protocol and our own loops.

    Input: (batch, time, inputs). Output: (batch, units), or (batch, time, units) with `return_sequences`;
    with `return_state` a list of that and the last states, each (batch, ...).

    A mask, (batch, time), has one meaning on every backend and loop: a masked step keeps the states and
    repeats the last output (zeros before the first real step). So a padded sequence, wherever its padding
    is, ends as the unpadded one does.

    Args:
        cell: the cell, a `zoo.cells.Cell`.
        return_sequences: return the outputs of all steps instead of the last one.
        return_state: return the last states too.
        go_backwards: run from the end to the start; the outputs come in that order.
        stateful: begin each batch with the states in which the last one ended; needs a fixed batch size.
        loop: `"auto"`, the fastest loop that can run the cell, or the name of one (`zoo.loops.LOOPS`).

    Raises:
        UserError: `cell` is not a cell of ours, or a loop cannot run it.
    """

    def __init__(
        self,
        cell,
        *,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        loop="auto",
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not isinstance(cell, Cell):
            raise UserError(
                f"Recurrent: cell must be a zoo.cells.Cell, not {cell!r}; try zoo.cells.LSTMCell(64)"
            )
        if loop != "auto" and loop not in loops.LOOPS:
            raise UserError(f"Recurrent: unknown loop {loop!r}: choose from auto, {', '.join(loops.LOOPS)}")
        self.cell = cell
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.loop = loop
        self.supports_masking = True
        self.states = None  # the states between two batches, where stateful

    @property
    def units(self) -> int:
        """Size of the output."""
        return self.cell.units

    def build(self, sequences_shape, initial_state_shape=None):
        """Build the cell for inputs of shape (batch, time, inputs)."""
        if len(sequences_shape) < 3:
            raise UserError(
                f"{type(self).__name__}: inputs must be (batch, time, inputs), not of shape {sequences_shape}"
            )
        if not self.cell.built:
            self.cell.build((sequences_shape[0], *sequences_shape[2:]))
        if self.stateful and self.states is None:
            if sequences_shape[0] is None:
                raise UserError(
                    f"{type(self).__name__}: stateful=True needs a fixed batch size: give the model's input as "
                    "keras.Input(batch_shape=(batch, time, inputs))"
                )
            self.states = [
                self.add_weight(
                    name=f"state_{name}",
                    shape=(sequences_shape[0], *shape),
                    initializer="zeros",
                    dtype=self.compute_dtype,
                    trainable=False,
                )
                for name, shape in zip(self.cell.states, self.cell.state_shapes, strict=True)
            ]
        self.built = True

    def call(self, sequences, initial_state=None, mask=None, training=False):
        """Run over the sequences.

        Args:
            sequences: (batch, time, inputs).
            initial_state: the states to begin with, one tensor (batch, ...) for each state; zeros by default.
            mask: boolean (batch, time), true at real steps.
            training: whether dropout is on.

        Returns:
            The output, or with `return_state` a list of the output and the last states.
        """
        output, states = self.run(sequences, initial_state, mask, training)
        return [output, *states] if self.return_state else output

    def run(self, sequences, initial_state=None, mask=None, training=False):
        """Return the output and the list of the last states; the arguments are those of `call`."""
        batch = ops.shape(sequences)[0]
        states = self._first_states(initial_state, batch)
        inputs = _time_first(sequences)
        if mask is not None:
            mask = self._checked_mask(mask, sequences)
        if self.go_backwards:
            inputs = ops.flip(inputs, axis=0)
            mask = None if mask is None else ops.flip(mask, axis=0)
        drop = None
        if training and self.cell.dropout:
            inputs = inputs * self._drop_mask(self.cell.dropout, (batch, *ops.shape(inputs)[2:]))
        if training and self.cell.recurrent_dropout:
            drop = self._drop_mask(self.cell.recurrent_dropout, ops.shape(states[0]))
        outputs, states = loops.run(self.cell, inputs, states, mask, drop, self.loop, bool(training))
        if self.stateful:
            for variable, state in zip(self.states, states, strict=True):
                variable.assign(ops.stop_gradient(state))
        if self.return_sequences:
            output = _time_first(outputs)
        else:
            none = sequences.shape[1] == 0
            output = ops.zeros((batch, self.cell.output_size), dtype=outputs.dtype) if none else outputs[-1]
        return output, states

    def step(self, inputs, states):
        """Take one step: a stream, one element of a sequence at a time.

        Args:
            inputs: (batch, inputs).
            states: the states so far, one tensor (batch, ...) for each; begin with `get_initial_state`.

        Returns:
            The output (batch, units) and the list of new states.
        """
        inputs = ops.convert_to_tensor(inputs)
        if not self.built:
            self.build((inputs.shape[0], None, *inputs.shape[1:]))
        return self.cell(inputs, self._first_states(states, ops.shape(inputs)[0]))

    def get_initial_state(self, batch_size):
        """Return the states that a sequence begins with: zeros, one tensor (batch_size, ...) for each."""
        return self.cell.get_initial_state(batch_size)

    def reset_states(self):
        """Set the states of a stateful layer to zero."""
        for variable in self.states or ():
            variable.assign(ops.zeros(variable.shape, dtype=variable.dtype))

    def compute_mask(self, sequences, mask=None):
        """Return the mask of the output: that of the input for sequences, none for the last output."""
        output = mask if self.return_sequences else None
        return [output, *(None for _ in self.cell.states)] if self.return_state else output

    def compute_output_shape(self, sequences_shape, initial_state_shape=None):
        """Return the shape of the output, or with `return_state` a list of it and those of the states."""
        batch, time = sequences_shape[:2]
        states = [(batch, *shape) for shape in self.cell.state_shapes]
        shape = (
            (batch, time, self.cell.output_size) if self.return_sequences else (batch, self.cell.output_size)
        )
        return [shape, *states] if self.return_state else shape

    def get_config(self):
        """Return the arguments of `__init__`."""
        return {
            **super().get_config(),
            "cell": keras.saving.serialize_keras_object(self.cell),
            **{name: getattr(self, name) for name in _SETTINGS},
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Return the layer that `get_config` tells of."""
        cell = keras.saving.deserialize_keras_object(config["cell"], custom_objects=custom_objects)
        return cls(**{**config, "cell": cell})

    def _first_states(self, given, batch):
        if given is None:
            if self.stateful:
                if isinstance(batch, int) and batch != self.states[0].shape[0]:
                    raise UserError(
                        f"{type(self).__name__}: stateful=True, built for batch size {self.states[0].shape[0]}, "
                        f"not {batch}"
                    )
                return [ops.copy(variable) for variable in self.states]  # they are assigned to, later
            return self.cell.get_initial_state(batch)
        given = list(given) if isinstance(given, (list, tuple)) else [given]
        names = self.cell.states
        if len(given) != len(names):
            raise UserError(
                f"{type(self).__name__}: initial_state must hold {len(names)} tensors ({', '.join(names)}), "
                f"not {len(given)}"
            )
        for name, state, shape in zip(names, given, self.cell.state_shapes, strict=True):
            if tuple(state.shape[1:]) != shape:
                raise UserError(
                    f"{type(self).__name__}: initial state {name} must be {('batch', *shape)}, "
                    f"not of shape {tuple(state.shape)}"
                )
            if isinstance(batch, int) and state.shape[0] not in (None, batch):
                raise UserError(
                    f"{type(self).__name__}: initial state {name} has batch size {state.shape[0]}, "
                    f"the inputs have {batch}"
                )
        return [ops.cast(state, self.compute_dtype) for state in given]

    def _checked_mask(self, mask, sequences):
        mask = ops.cast(mask, "bool")
        known = zip(mask.shape, sequences.shape[:2], strict=False)
        if len(mask.shape) != 2 or any(None not in pair and pair[0] != pair[1] for pair in known):
            raise UserError(
                f"{type(self).__name__}: mask must be (batch, time) = {tuple(sequences.shape[:2])}, "
                f"not of shape {tuple(mask.shape)}"
            )
        return ops.transpose(mask)

    def _drop_mask(self, rate, shape):
        """Return what a whole sequence is multiplied with: zeros at `rate`, else 1 / (1 - rate)."""
        ones = ops.ones(shape, dtype=self.compute_dtype)
        return keras.random.dropout(ones, rate, seed=self.cell.seed_generator)


_SETTINGS = ("return_sequences", "return_state", "go_backwards", "stateful", "loop")


def _time_first(x):
    """Return `x` with its first two axes, batch and time, exchanged."""
    return ops.transpose(x, (1, 0, *range(2, len(x.shape))))


def _named_layer(cell_class):
    """Return the layer of a cell class: its arguments are those of the cell and of `Recurrent`."""

    class Named(Recurrent):
        def __init__(self, units, **kwargs):
            outer = {
                k: kwargs.pop(k)
                for k in (*_SETTINGS, "name", "trainable", "activity_regularizer")
                if k in kwargs
            }
            outer |= {k: kwargs[k] for k in ("dtype",) if k in kwargs}
            super().__init__(cell_class(units, **{"name": "cell", **kwargs}), **outer)

        def get_config(self):
            cell = self.cell.get_config()
            return {**cell, **{k: v for k, v in super().get_config().items() if k != "cell"}}

        @classmethod
        def from_config(cls, config, custom_objects=None):
            return cls(**config)

    settings = {name: inspect.signature(Recurrent).parameters[name] for name in _SETTINGS}
    parts = [one for one in parameters(cell_class).values() if one.name not in cell_class.unused]
    Named.__signature__ = inspect.Signature([*parts, *settings.values()])
    Named.__name__ = Named.__qualname__ = cell_class.__name__.removesuffix("Cell")
    Named.__doc__ = f"`Recurrent({cell_class.__name__}(units, ...), ...)`.\n\n    {cell_class.__doc__}"
    Named.__module__ = __name__
    return keras.saving.register_keras_serializable(package="zoo")(Named)


LAYERS = {name: _named_layer(cell_class) for name, cell_class in CATALOGUE.items()}
globals().update({layer.__name__: layer for layer in LAYERS.values()})

__all__ = ["LAYERS", "Recurrent", *(layer.__name__ for layer in LAYERS.values())]
