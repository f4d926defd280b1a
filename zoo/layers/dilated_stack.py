"""Recurrent layers on top of each other that go on from what they were several steps ago."""

import itertools

import keras
from keras import ops

from zoo.cells import get
from zoo.errors import UserError, check_range
from zoo.layers.recurrent import Recurrent


@keras.saving.register_keras_serializable(package="zoo")
class DilatedStack(keras.layers.Layer):
    """Recurrent layers of one cell, each with a dilation (Chang et al., 2017, NIPS, section 2, equation 1).

        h_t = cell(x_t, h_{t-d})        in a layer of dilation d; h before the first step is zero

    Layers come in blocks, and from the second one on, a block's input is added to its output (Smyl, 2020,
    International Journal of Forecasting 36(1), section 4).

    Steps d apart are a sequence of their own: the d sequences become rows of the batch, and the loops run them at once.
    So a mask has its one meaning among them: a masked step keeps the states of d steps ago and repeats the output of
    the last real step of its own sequence, zeros where there is none.

    Input: (batch, time, inputs). Output: (batch, time, units).

    Args:
        cell: name of a cell of the catalogue, such as `"peephole_lstm"`.
        units: size of each layer.
        dilations: a tuple of dilations for each block, the lowest layer first.
        residual: whether blocks after the first are added to what they see.
        dropout: share of the features to drop between two layers, the same ones at all steps of a sequence.
        recurrent_dropout: of every cell; each of the d sequences draws its own.
        seed: of all dropout masks.

    Raises:
        UserError: unknown cell, arguments that it refuses, or a dilation that is no positive integer.
    """

    def __init__(
        self,
        cell="lstm",
        units=40,
        dilations=((1, 2), (4, 8)),
        *,
        residual=True,
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.dilations = tuple(tuple(block) for block in dilations)
        flat = list(itertools.chain(*self.dilations))
        if not all(self.dilations) or not flat or any(not isinstance(d, int) or d < 1 for d in flat):
            raise UserError(
                f"DilatedStack: dilations must be blocks of positive integers, not {dilations!r}; "
                "try ((1, 2), (4, 8))"
            )
        check_range("dropout", dropout, 0, below=1)
        self.cell = cell
        self.units = units
        self.residual = residual
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.seed = seed
        self.supports_masking = True
        options = {"recurrent_dropout": recurrent_dropout} if recurrent_dropout else {}
        self.layers = []
        self.dropouts = []  # before each layer but the lowest
        for number in range(len(flat)):
            seeds = [None if seed is None else seed + 1000 * (number + 1) + way for way in range(2)]
            one = get(cell)(units, seed=seeds[0], name="cell", dtype=self.dtype_policy, **options)
            self.layers.append(
                Recurrent(one, return_sequences=True, name=f"layer_{number}", dtype=self.dtype_policy)
            )
            if number:
                self.dropouts.append(
                    keras.layers.SpatialDropout1D(dropout, seed=seeds[1], dtype=self.dtype_policy)
                )

    def build(self, sequences_shape):
        """Build all layers for sequences (batch, time, inputs)."""
        for layer in self.layers:
            layer.build(sequences_shape)
            sequences_shape = (*sequences_shape[:2], self.units)

    def call(self, sequences, mask=None, training=False):
        """Run all layers.

        Args:
            sequences: (batch, time, inputs).
            mask: boolean (batch, time), true at real steps.
            training: whether dropout is on.
        """
        layers = zip(self.layers, [None, *self.dropouts], strict=True)
        for number, block in enumerate(self.dilations):
            seen = sequences
            for dilation, (layer, dropout) in zip(block, layers, strict=False):
                if dropout is not None:
                    sequences = dropout(sequences, training=training)
                sequences = _dilated(layer, dilation, sequences, mask, training)
            if self.residual and number:
                sequences = sequences + seen
        return sequences

    def compute_output_shape(self, sequences_shape):
        """Return (batch, time, units)."""
        return (*sequences_shape[:2], self.units)

    def get_config(self):
        """Return the arguments of `__init__`."""
        names = ("cell", "units", "dilations", "residual", "dropout", "recurrent_dropout", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _dilated(layer, dilation, sequences, mask, training):
    """Return the outputs (batch, time, units) of a layer that goes on from its states of `dilation` steps ago."""
    if dilation == 1:
        return layer.run(sequences, mask=mask, training=training)[0]
    time = ops.shape(sequences)[1]
    mask = None if mask is None else _apart(ops.cast(mask, "int32"), dilation)
    outputs = layer.run(_apart(sequences, dilation), mask=mask, training=training)[0]
    rows, steps, units = ops.shape(outputs)
    outputs = ops.reshape(outputs, (rows // dilation, dilation, steps, units))
    outputs = ops.reshape(ops.transpose(outputs, (0, 2, 1, 3)), (rows // dilation, steps * dilation, units))
    return outputs[:, :time]


def _apart(x, dilation):
    """Return each `dilation`-th step of `x` (batch, time, ...) as a row: (batch·dilation, time/dilation, ...).

    The end is filled with zeros, where time is no multiple: no step before it sees them.
    """
    batch, time, *rest = ops.shape(x)
    missing = -time % dilation
    x = ops.pad(x, [[0, 0], [0, missing], *[[0, 0]] * len(rest)])
    steps = (time + missing) // dilation
    x = ops.reshape(x, (batch, steps, dilation, *rest))
    x = ops.transpose(x, (0, 2, 1, *range(3, len(x.shape))))
    return ops.reshape(x, (batch * dilation, steps, *rest))
