"""Forecasts of all steps at once by a network that reads and writes whole segments."""

import keras
from keras import ops

from zoo.cells import Cell, GatedCell, GRUCell
from zoo.cells.cell import linear
from zoo.errors import UserError, check_range
from zoo.layers import RecurrentStack
from zoo.models.direct_forecaster import DirectForecaster

AFFINE = (Cell.project, GRUCell.project)  # W x + b and no more, so that W may meet the parts of a sum apart


@keras.saving.register_keras_serializable(package="zoo")
class SegmentForecaster(DirectForecaster):
    """Recurrence over segments instead of steps (Lin et al., 2023, SegRNN, arXiv 2308.11200).

        x_j = ReLU(W s_j + b)                              s_j: segment j of the window
        h_j = cell(x_j, h_{j-1})                           j = 1, ..., n
        q_i = cell([p_i; c] + K k_i + S v, h_n)            i = 1, ..., m, each one step from the same states
        y_i = V q_i + d                                    segment i of the forecast
        y = y + U z + e                                    where it is linear too; z: the window

    p_i is the embedding of a place in the horizon, c that of the series, k_i the known covariates of a segment, v the
    static ones. The segments y_i do not wait for one another ("parallel multi-step forecasting"), and the cell of
    encoder and decoder is one and the same. Past covariates, and known ones of the window, are part of s_j. The linear
    map stands beside the network, as in LSTNet (Lai et al., 2018, SIGIR, arXiv 1703.07015, section 3.6); of
    several quantiles it moves all alike.

    A window that the segments do not fill is padded at its beginning, as unobserved.

    Args:
        look_back: number of steps of a window.
        horizon: number of steps to forecast.
        segment: number of steps of a segment, at most `look_back`.
        stride: number of steps between the beginnings of two segments of the window, at most `segment`; None: those of
            a segment, so that none overlap.
        cell: name of a cell of the catalogue.
        units: size of each recurrent layer.
        layers: number of recurrent layers.
        normalization: one of `zoo.layers.NORMALIZATIONS`.
        dropout: share of q_i to drop.
        linear: whether there is such a map, U and e. They begin as zero.
        quantiles: levels of the quantiles to forecast, rising; None: a single forecast.
        past: number of covariates that are known up to now.
        known: number of covariates that are known ahead.
        static: number of covariates of a series.
        series: number of series that have an embedding; 0: none, and p_i takes all of the decoder's input.
        embedding_dim: size of c; None: half of `units`.
        missing: whether values can be missing: s_j then tells which are observed, and the segments before the first
            observed value are left out.
        seed: of dropout and embeddings.

    Raises:
        UserError: an unknown cell or normalization, or a number out of range.
    """

    def __init__(
        self,
        look_back,
        horizon,
        *,
        segment=48,
        stride=None,
        cell="gru",
        units=512,
        layers=1,
        normalization="last",
        dropout=0.5,
        linear=False,
        quantiles=None,
        past=0,
        known=0,
        static=0,
        series=0,
        embedding_dim=None,
        missing=False,
        seed=None,
        **kwargs,
    ):
        # a name that does not count up: a preset's weights are found by their paths
        super().__init__(locals(), **{"name": "segment_forecaster", **kwargs})
        config = self.config
        self._check(config, 1, "segment", "units", "layers")
        check_range("segment", segment, 1, most=look_back)
        self.stride = segment
        if stride is not None:
            self._check(config, 1, "stride")
            check_range("stride", stride, 1, most=segment)
            self.stride = stride
        check_range("dropout", dropout, 0, below=1)
        self.series_units = 0
        if series:
            self.series_units = units // 2 if embedding_dim is None else embedding_dim
            self._check({"embedding_dim": self.series_units}, 1, "embedding_dim")
            check_range("embedding_dim", self.series_units, 1, below=units)
        elif embedding_dim is not None:
            raise UserError(
                f"{type(self).__name__}: embedding_dim={embedding_dim!r} needs series: give their number"
            )
        self.projection = keras.layers.Dense(units, activation="relu", name="projection")
        self.encoder = RecurrentStack(cell, (units,) * layers, seed=seed, name="encoder")
        self.known_projection = self.static_projection = None
        if known:
            self.known_projection = keras.layers.Dense(units, use_bias=False, name="known_projection")
        if static:
            self.static_projection = keras.layers.Dense(units, use_bias=False, name="static_projection")
        self.dropout = None
        if dropout:
            self.dropout = keras.layers.Dropout(
                dropout, seed=None if seed is None else seed + 1, name="dropout"
            )
        self.head = keras.layers.Dense(segment * self.outputs_per_step, name="head")

    def build(self, inputs_shape=None):
        """Make the weights; they are the same for inputs of any shape."""
        config, units = self.config, self.config["units"]
        features = 1 + bool(config["missing"]) + config["past"] + config["known"]
        self.projection.build((None, None, config["segment"] * features))
        self.encoder.build((None, None, units))
        if self.known_projection is not None:
            self.known_projection.build((None, None, config["segment"] * config["known"]))
        if self.static_projection is not None:
            self.static_projection.build((None, config["static"]))
        self.head.build((None, None, units))
        self.positions = self.add_weight(
            name="position_embedding",
            shape=(self.segments_of(config["horizon"]), units - self.series_units),
            initializer=self._normal(2),
        )
        if config["linear"]:
            shape = (config["look_back"], config["horizon"])
            self.bypass = [
                self.add_weight(name="linear_kernel", shape=shape, initializer="zeros"),
                self.add_weight(name="linear_bias", shape=shape[1:], initializer="zeros"),
            ]
        if config["series"]:
            self.series_table = self.add_weight(
                name="series_embedding",
                shape=(config["series"] + 1, self.series_units),
                initializer=self._first_zero(self._normal(3)),
            )
        self.built = True

    def _normal(self, number):
        seed = self.config["seed"]
        return keras.initializers.RandomNormal(stddev=1.0, seed=None if seed is None else seed + number)

    @staticmethod
    def _first_zero(initializer):
        """Return an initializer whose first row is zero: an unknown series begins as the mean of the known ones."""
        return lambda shape, dtype: ops.pad(initializer((shape[0] - 1, shape[1]), dtype), [[1, 0], [0, 0]])

    def segments_of(self, steps) -> int:
        """Return how many segments hold this many steps of a forecast."""
        return -(-steps // self.config["segment"])

    def _forecast(self, window, inputs, steps, training):
        """Return what follows normalised windows (batch, look_back): (batch, steps, outputs_per_step)."""
        count = self.segments_of(steps)
        states = self.encode(window, inputs, training)
        q = self.decode(inputs, states, count)
        if self.dropout is not None:
            q = self.dropout(q, training=training)
        y = ops.reshape(self.head(q), (-1, count * self.config["segment"], self.outputs_per_step))[:, :steps]
        if self.config["linear"]:
            kernel, bias = self.bypass
            straight = linear(window, kernel[:, :steps]) + bias[:steps]
            middle = [place == self.outputs_per_step // 2 for place in range(self.outputs_per_step)]
            y = y + straight[..., None] * ops.cast(middle, y.dtype)
        return y

    def encode(self, window, inputs, training=False):
        """Return the last states of each layer, h_n, a dictionary of lists of tensors (batch, ...)."""
        config = self.config
        observed = inputs["observed"][..., None]
        features, mask = [window[..., None]], None
        if config["missing"]:
            features.append(ops.cast(observed, window.dtype))
            seen = ops.any(self._cut(ops.cast(observed, "bool")), axis=-1)
            mask = ops.cumsum(ops.cast(seen, "int32"), axis=1) > 0
        if config["past"]:
            features.append(inputs["past"])
        if config["known"]:
            features.append(inputs["known"][:, : config["look_back"]])
        segments = self._cut(ops.concatenate(features, axis=-1))
        return self.encoder.run(self.projection(segments), mask=mask, training=training)[1]

    def decode(self, inputs, states, count):
        """Return q (batch, count, units) of the first `count` segments of the horizon."""
        config = self.config
        # parts of the cell's input, (batch or 1, count or 1, units)
        parts = [ops.pad(self.positions[:count], [[0, 0], [0, self.series_units]])[None]]
        if config["series"]:
            c = ops.take(self.series_table, inputs["series"], axis=0)
            parts.append(ops.pad(c, [[0, 0], [config["units"] - self.series_units, 0]])[:, None])
        if config["static"]:
            parts.append(self.static_projection(inputs["static"])[:, None])
        if config["known"]:
            steps = count * config["segment"]
            known = inputs["known"][:, config["look_back"] : config["look_back"] + steps]
            beyond = max(steps - config["horizon"], 0)
            known = ops.pad(known, [[0, 0], [0, beyond], [0, 0]])
            known = ops.reshape(known, (-1, count, config["segment"] * config["known"]))
            parts.append(self.known_projection(known))
        cells = [layer.cell for (layer,) in self.encoder.layers]
        if (
            type(cells[0]).project in AFFINE
        ):  # a part that is the same for all rows, or segments, is projected once
            x = cells[0].project(parts[0]) + sum(linear(part, cells[0].kernel) for part in parts[1:])
        else:
            x = cells[0].project(sum(parts))
        states = list(states.values())
        batch = ops.shape(states[0][0])[0]
        x = ops.reshape(ops.broadcast_to(x, (batch, count, x.shape[-1])), (-1, x.shape[-1]))
        q = _branched(cells[0], x, states[0], count)
        for cell, first in zip(cells[1:], states[1:], strict=True):
            q = _branched(cell, cell.project(q), first, count)
        return ops.reshape(q, (-1, count, q.shape[-1]))

    def _cut(self, sequences):
        """Return the segments (batch, n, segment * features) of sequences (batch, look_back, features)."""
        segment, stride, time = self.config["segment"], self.stride, self.config["look_back"]
        after = -(-(time - segment) // stride)  # segments after the first one
        padding = segment + after * stride - time
        places = [start * stride + step for start in range(after + 1) for step in range(segment)]
        padded = ops.pad(sequences, [[0, 0], [padding, 0], [0, 0]])
        return ops.reshape(ops.take(padded, places, axis=1), (-1, after + 1, segment * sequences.shape[-1]))


def _branched(cell, x, states, count):
    """Return the outputs (batch * count, units) of `count` steps that all begin with the same states.

    Args:
        cell: a `zoo.cells.Cell`.
        x: projected inputs (batch * count, ...).
        states: those of each row of the batch, (batch, ...) each.
        count: how many steps leave from each row.
    """

    def spread(tensor):
        return ops.repeat(tensor, count, axis=0)

    first = [spread(state) for state in states]
    if isinstance(cell, GatedCell):  # the recurrent product is the same for all of a row
        new = cell.updated(x, spread(cell.recurrent(*states)), *first)
    else:
        new = cell.step(x, *first)
    return cell.output(x, *new)
