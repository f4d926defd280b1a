"""`AttentionRecurrent` runs a cell over time that looks at a memory at each step: the decoder of a translation."""

import functools
from types import SimpleNamespace

import keras
from keras import ops

# no public name; `run` and `step` may be called outside of the scope that Keras opens for a layer's call
from keras.src.backend import AutocastScope

from zoo import loops
from zoo.cells import Cell, GRUCell
from zoo.cells.cell import keep, linear
from zoo.errors import UserError
from zoo.layers.attention import Attention, tanh
from zoo.loops.masks import choose
from zoo.loops.plain import plain

_LINEAR = (Cell.project, GRUCell.project)  # these are `inputs @ kernel` plus a constant


@keras.saving.register_keras_serializable(package="zoo")
class AttentionRecurrent(keras.layers.Layer):
    """An attention wrapper around any cell (Luong, Pham & Manning, 2015, arXiv 1508.04025, sections 3.1 and 3.3).

        x'  = [x_t; a_{t-1}] with input feeding, else x_t
        h_t = cell(x', h_{t-1})
        c_t = attention(h_t, memory)
        a_t = tanh(W [h_t; c_t])

    Without `units`, nothing is computed after the attention: [h_t; c_t] is shown and a_t = c_t is fed, so that a
    step sees what the last one found.

    Input: sequences (batch, time, inputs) and a memory (batch, memory time, width). Output: a (batch, time, units),
    or [h; c] without `units`; with `return_state` a list of it and the last states.

    A mask has the meaning that it has in `Recurrent`. Dropout of the cell has one mask a sequence, for what is fed
    too.

    Args:
        cell: the cell, a `zoo.cells.Cell`.
        attention: the attention, a `zoo.layers.Attention`.
        units: size of a, or None.
        input_feeding: let each step see what the last one ended with. Without it the cell runs by its fastest loop,
            and all steps look at the memory at once.
        return_state: return the last states too: those of the cell and, with input feeding, a.

    Raises:
        UserError: `cell` is not a cell of ours, or `attention` not an attention.
    """

    def __init__(self, cell, attention, *, units=None, input_feeding=True, return_state=False, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(cell, Cell):
            raise UserError(
                f"AttentionRecurrent: cell must be a zoo.cells.Cell, not {cell!r}; try zoo.cells.LSTMCell(64)"
            )
        if not isinstance(attention, Attention):
            raise UserError(
                "AttentionRecurrent: attention must be an attention of zoo.layers, "
                f'not {attention!r}; try zoo.layers.MultiplicativeAttention("general")'
            )
        if units is not None and (isinstance(units, bool) or not isinstance(units, int) or units < 1):
            raise UserError(f"AttentionRecurrent: units must be a positive integer or None, not {units!r}")
        self.cell = cell
        self.attention = attention
        self.units = units
        self.input_feeding = input_feeding
        self.return_state = return_state
        self.supports_masking = True

    def build(self, sequences_shape, memory_shape):
        """Build the cell and the attention for sequences (batch, time, inputs) and a memory (batch, time, width)."""
        if len(sequences_shape) != 3 or sequences_shape[-1] is None:
            raise UserError(
                "AttentionRecurrent: sequences must be (batch, time, inputs) with a known number of inputs, "
                f"not of shape {tuple(sequences_shape)}"
            )
        if not self.attention.built:  # loading has built both
            self.attention.build((None, self.cell.output_size), memory_shape)
        width = self.attention.width(memory_shape[-1])
        if self.units is not None:
            self.output_kernel = self.add_weight(
                name="output_kernel",
                shape=(self.cell.output_size + width, self.units),
                initializer="glorot_uniform",
            )
        self.fed_size = 0 if not self.input_feeding else width if self.units is None else self.units
        self.output_size = self.cell.output_size + width if self.units is None else self.units
        if not self.cell.built:
            self.cell.build((None, sequences_shape[-1] + self.fed_size))
        self.built = True

    def call(self, sequences, memory, mask=None, memory_mask=None, initial_state=None, training=False):
        """Run over the sequences.

        Args:
            sequences: (batch, time, inputs).
            memory: (batch, memory time, width).
            mask: boolean (batch, time), true at the real steps of the sequences.
            memory_mask: boolean (batch, memory time), true at the real steps of the memory.
            initial_state: the states to begin with, those of the cell alone or with a after them; zeros by default.
            training: whether dropout is on.

        Returns:
            The output (batch, time, size), or with `return_state` a list of the output and the last states.
        """
        output, _, states = self.run(sequences, memory, initial_state, mask, memory_mask, training)
        return [output, *states] if self.return_state else output

    def run(self, sequences, memory, initial_state=None, mask=None, memory_mask=None, training=False):
        """Run as `call` does.

        Returns:
            The output (batch, time, size), the weights of the attention (batch, time, memory time), and a list of the
            last states.
        """
        with AutocastScope(self.compute_dtype):
            memory = self._cast(memory)
            inputs = ops.transpose(self._cast(sequences), (1, 0, 2))
            batch, size = ops.shape(sequences)[0], inputs.shape[-1]
            states = self._first_states(initial_state, batch)
            mask = None if mask is None else ops.transpose(ops.cast(mask, "bool"))
            drop, fed_drop = None, None
            if training and self.cell.dropout:
                dropped = self._drop_mask(self.cell.dropout, (batch, size + self.fed_size))
                inputs, fed_drop = inputs * dropped[:, :size], dropped[:, size:]
            if training and self.cell.recurrent_dropout:
                drop = self._drop_mask(self.cell.recurrent_dropout, ops.shape(states[0]))

            look = functools.partial(
                self._look, keys=self.attention.project(memory), memory=memory, mask=memory_mask
            )
            if self.input_feeding and inputs.shape[0] != 0:
                first = ops.zeros_like(memory[..., 0])
                output, weights, states = self._fed(look, inputs, states, first, mask, drop, fed_drop)
            else:
                cell_states, fed = states[: len(self.cell.states)], states[len(self.cell.states) :]
                h, last = loops.run(self.cell, inputs, cell_states, mask, drop, "auto", bool(training))
                output, weights = look(ops.transpose(h, (1, 0, 2)))
                states = [*last, *fed]
            if mask is not None:
                seen = ops.transpose(ops.cumsum(ops.cast(mask, "int32"), axis=0)) > 0
                output, weights = (choose(seen, x, ops.zeros_like(x)) for x in (output, weights))
            return output, weights, states

    def keys(self, memory):
        """Return the keys of a memory (batch, memory time, width), for `step`."""
        with AutocastScope(self.compute_dtype):
            return self.attention.project(self._cast(memory))

    def step(self, inputs, states, keys, memory, memory_mask=None):
        """Take one step of a decoder.

        Args:
            inputs: (batch, inputs).
            states: the states so far; begin with `get_initial_state`, or with states of the cell alone.
            keys: what `keys(memory)` returned.
            memory: (batch, memory time, width).
            memory_mask: boolean (batch, memory time), true at the real steps of the memory.

        Returns:
            The output (batch, size), the weights (batch, memory time), and the list of new states.
        """
        with AutocastScope(self.compute_dtype):
            inputs, count = self._cast(inputs), len(self.cell.states)
            states = self._first_states(states, ops.shape(inputs)[0])
            x = self.cell.project(ops.concatenate([inputs, *states[count:]], axis=-1))
            states = self.cell.step(x, *states[:count])
            output, weights = self._look(self.cell.output(x, *states), keys, self._cast(memory), memory_mask)
            fed = [output[:, -self.fed_size :]] if self.input_feeding else []
            return output, weights, [*states, *fed]

    def get_initial_state(self, batch_size):
        """Return zeros, one tensor (batch_size, ...) for each state of the cell and for what is fed."""
        fed = [ops.zeros((batch_size, self.fed_size), dtype=self.compute_dtype)] if self.input_feeding else []
        return [*self.cell.get_initial_state(batch_size), *fed]

    def compute_mask(self, sequences, previous_mask=None):
        """Return the mask of the sequences for the output, none for the states."""
        none = [None] * (len(self.cell.states) + self.input_feeding)
        return [previous_mask, *none] if self.return_state else previous_mask

    def compute_output_shape(self, sequences_shape, memory_shape):
        """Return the shape of the output, or with `return_state` a list of it and those of the states."""
        batch, time = sequences_shape[:2]
        width = self.attention.width(memory_shape[-1])
        shape = (batch, time, self.cell.output_size + width if self.units is None else self.units)
        fed = [(batch, width if self.units is None else self.units)] if self.input_feeding else []
        states = [(batch, *shape) for shape in self.cell.state_shapes]
        return [shape, *states, *fed] if self.return_state else shape

    def get_config(self):
        """Return the arguments of `__init__`."""
        return {
            **super().get_config(),
            "cell": keras.saving.serialize_keras_object(self.cell),
            "attention": keras.saving.serialize_keras_object(self.attention),
            "units": self.units,
            "input_feeding": self.input_feeding,
            "return_state": self.return_state,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Return the layer that `get_config` tells of."""
        parts = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects=custom_objects)
            for name in ("cell", "attention")
        }
        return cls(**{**config, **parts})

    def _look(self, h, keys, memory, mask):
        """Return output and weights for outputs h of the cell, (batch, [time,] units)."""
        context, weights = self.attention.attend(h, keys, memory, mask)
        output = ops.concatenate([h, context], axis=-1)
        return (output if self.units is None else tanh(linear(output, self.output_kernel))), weights

    def _fed(self, look, inputs, states, first, mask, drop, fed_drop):
        """Run step by step, time first: the last output and its weights are states beside those of the cell."""
        cell, size, count = self.cell, inputs.shape[-1], len(self.cell.states)
        if mask is not None:
            inputs = choose(mask, inputs, ops.zeros_like(inputs))
        if type(cell).project in _LINEAR:
            kernel = cell.kernel.value
            fed_kernel = kernel[size:]
            constant = cell.project(ops.zeros((1, kernel.shape[0]), dtype=self.compute_dtype))
            inputs = linear(inputs, kernel[:size]) + constant

            def project(x, fed):
                return x + fed @ fed_kernel

        else:

            def project(x, fed):
                return cell.project(ops.concatenate([x, fed], axis=-1))

        def step(x, *states, drop=keep):
            *states, output, _ = states
            fed = output[:, -self.fed_size :]
            if fed_drop is not None:
                fed = fed * fed_drop
            x = project(x, fed)
            states = cell.step(x, *states, drop=drop)
            return (*states, *look(cell.output(x, *states)))

        *states, fed = states
        unseen = ops.zeros((ops.shape(fed)[0], self.output_size - self.fed_size), dtype=fed.dtype)
        states = (*states, ops.concatenate([unseen, fed], axis=-1), first)
        after, last = plain(SimpleNamespace(shown=(count, count + 1), step=step), inputs, states, mask, drop)
        output, weights = (ops.transpose(x, (1, 0, 2)) for x in after[count:])
        return output, weights, [*last[:count], last[count][:, -self.fed_size :]]

    def _first_states(self, given, batch):
        if given is None:
            return self.get_initial_state(batch)
        given = list(given) if isinstance(given, (list, tuple)) else [given]
        shapes = dict(zip(self.cell.states, self.cell.state_shapes, strict=True))
        if self.input_feeding:
            shapes["a"] = (self.fed_size,)
            if len(given) == len(self.cell.states):
                given.append(ops.zeros((batch, self.fed_size), dtype=self.compute_dtype))
        if [tuple(state.shape[1:]) for state in given] != list(shapes.values()):
            raise UserError(
                f"AttentionRecurrent: initial_state must hold {', '.join(f'{k} {v}' for k, v in shapes.items())} "
                f"after the batch axis, not {[tuple(state.shape[1:]) for state in given]}"
            )
        return [self._cast(state) for state in given]

    def _cast(self, x):
        return ops.cast(x, self.compute_dtype)

    def _drop_mask(self, rate, shape):
        """Return what a whole sequence is multiplied with: zeros at `rate`, else 1 / (1 - rate)."""
        ones = ops.ones(shape, dtype=self.compute_dtype)
        return keras.random.dropout(ones, rate, seed=self.cell.seed_generator)
