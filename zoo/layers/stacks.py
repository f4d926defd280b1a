"""Recurrent layers on top of each other."""

import keras
from keras import ops

from zoo.cells import get
from zoo.errors import UserError
from zoo.layers.recurrent import Recurrent


@keras.saving.register_keras_serializable(package="zoo")
class RecurrentStack(keras.layers.Layer):
    """Recurrent layers of one cell on top of each other.

    Input: (batch, time, inputs). Output: (batch, time, width) with `return_sequences`, else (batch, width),
    where width is the last layer's units, twice that where bidirectional.

    Args:
        cell: name of a cell of the catalogue, such as `"peephole_lstm"`.
        units: size of each layer: a tuple, the lowest layer first.
        bidirectional: let every layer run both ways and concatenate its two outputs.
        dropout: share of the features to drop between two layers, the same ones at all steps of a sequence.
        recurrent_dropout: of every cell.
        residual: add a layer's input to its output wherever both have the same width.
        return_sequences: return the outputs of all steps of the last layer.
        cell_options: further arguments for every cell, such as `{"use_bias": False}`.

    Raises:
        UserError: unknown cell, or arguments that it refuses.
    """

    def __init__(
        self,
        cell="lstm",
        units=(128,),
        *,
        bidirectional=False,
        dropout=0.0,
        recurrent_dropout=0.0,
        residual=False,
        return_sequences=False,
        cell_options=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not units:
            raise UserError("RecurrentStack: units must hold the size of at least one layer, not ()")
        self.cell = cell
        self.units = tuple(units)
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.residual = residual
        self.return_sequences = return_sequences
        self.cell_options = dict(cell_options or {})
        self.seed = seed
        self.supports_masking = True
        options = dict(self.cell_options)
        if recurrent_dropout:
            options["recurrent_dropout"] = recurrent_dropout
        self.layers = []  # for each level its directions
        self.dropouts = []  # before each level but the lowest
        for number, size in enumerate(self.units):
            last = number == len(self.units) - 1
            directions = ("forward", "backward") if bidirectional else ("forward",)
            seeds = [None if seed is None else seed + 1000 * (number + 1) + way for way in range(3)]
            self.layers.append(
                [
                    Recurrent(
                        get(cell)(size, seed=way_seed, name="cell", dtype=self.dtype_policy, **options),
                        return_sequences=return_sequences or not last,
                        go_backwards=way == "backward",
                        name=f"{way}_{number}",
                        dtype=self.dtype_policy,
                    )
                    for way, way_seed in zip(directions, seeds, strict=False)
                ]
            )
            if number:
                # one mask for all steps: noise of shape (batch, 1, features)
                self.dropouts.append(
                    keras.layers.SpatialDropout1D(dropout, seed=seeds[2], dtype=self.dtype_policy)
                )

    def build(self, sequences_shape):
        """Build all layers for sequences (batch, time, inputs)."""
        for level in self.layers:
            for layer in level:
                layer.build(sequences_shape)
            sequences_shape = (*sequences_shape[:2], len(level) * level[0].units)

    def call(self, sequences, mask=None, training=False):
        """Run all layers.

        Args:
            sequences: (batch, time, inputs).
            mask: boolean (batch, time), true at real steps.
            training: whether dropout is on.
        """
        return self.run(sequences, mask=mask, training=training)[0]

    def run(self, sequences, states=None, mask=None, training=False):
        """Run the layers from given states: on parts of longer sequences, say.

        Args:
            sequences: (batch, time, inputs).
            states: the states to begin with, a list for each direction that shall run, by its name (`forward_0`,
                `backward_0`, `forward_1`, ...). A level of which one is left out is where the run ends. None: all
                run, from their own first states.
            mask: boolean (batch, time), true at real steps.
            training: whether dropout is on.

        Returns:
            The output as `call` has it, None where a direction was left out, and the last states of each direction
            that ran, by its name.
        """
        last = {}
        for number, level in enumerate(self.layers):
            if number:
                sequences = self.dropouts[number - 1](sequences, training=training)
            outputs = []
            for layer in level:
                if states is None or layer.name in states:
                    first = None if states is None else states[layer.name]
                    # what Keras does around a call, it has done for the stack
                    output, last[layer.name] = layer.run(sequences, first, mask, training)
                    outputs.append(output)
            if len(outputs) < len(level):
                return None, last
            if len(level) == 2 and level[1].return_sequences:
                outputs[1] = ops.flip(outputs[1], axis=1)
            outputs = ops.concatenate(outputs, axis=-1) if len(level) == 2 else outputs[0]
            if self.residual and outputs.shape[1:] == sequences.shape[1:]:
                outputs = outputs + sequences
            sequences = outputs
        return sequences, last

    def compute_mask(self, sequences, mask=None):
        """Return the mask of the output: that of the input for sequences, none for the last output."""
        return mask if self.return_sequences else None

    def compute_output_shape(self, sequences_shape):
        """Return (batch, time, width) or (batch, width)."""
        width = self.units[-1] * (2 if self.bidirectional else 1)
        return (*sequences_shape[: 2 if self.return_sequences else 1], width)

    def get_config(self):
        """Return the arguments of `__init__`."""
        names = (
            "cell",
            "units",
            "bidirectional",
            "dropout",
            "recurrent_dropout",
            "residual",
            "return_sequences",
        )
        names = (*names, "cell_options", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
