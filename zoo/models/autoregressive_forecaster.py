"""A recurrent network that tells the distribution of a series' next value, from which paths are drawn."""

import keras
from keras import ops

from zoo.errors import UserError, check_inputs, check_range, unknown
from zoo.layers import RecurrentStack
from zoo.losses import LIKELIHOODS
from zoo.models.direct_forecaster import COVARIATES


@keras.saving.register_keras_serializable(package="zoo")
class AutoregressiveForecaster(keras.Model):
    """DeepAR (Salinas, Flunkert, Gasthaus & Januschowski, 2020, International Journal of Forecasting 36(3), section 3).

        ν   = mean |y| over the observed steps of the window; of counts 1 + that      (equation 7)
        h_t = stack([y_{t-k} / ν for each lag k; past_{t-1}; known_t; static; E series; log ν], h_{t-1})
        θ_t = the likelihood's parameters from W h_t + b, times ν                     (section 3.3)
        y_t ~ p(y | θ_t)

    A lagged value that is missing, or before the window, is 0, with a flag beside it. Past covariates are 0 from the
    second step of the horizon on, for what they will be is not known.

    Called with a dictionary of windows, each of a single series, it returns for each, (batch,), the negative
    log-likelihood in nats of the observed targets, weighted so that the mean over the batch is the mean over all
    observed steps:

    - `values` (batch, look_back), and `observed`, the same shape: one where there is a value, zero where it is missing;
    - `past` (batch, look_back, past): covariates known up to now;
    - `known` (batch, look_back + horizon, known): covariates known ahead, such as the calendar;
    - `static` (batch, static): covariates of the series;
    - `series` (batch,): the number of the series from 1 on, 0 for one that was not there in training;
    - `targets` (batch, horizon), and `targets_observed`, the same shape; `sample` needs neither.

    Args:
        look_back: number of steps of a window.
        horizon: number of steps to forecast.
        cell: name of a cell of the catalogue.
        units: size of each recurrent layer.
        layers: number of recurrent layers.
        likelihood: one of `zoo.losses.LIKELIHOODS`.
        lags: how many steps ago the values are that a step sees.
        dropout: share of the features to drop between layers and before the likelihood, the same ones at all steps.
        past: number of covariates that are known up to now.
        known: number of covariates that are known ahead.
        static: number of covariates of a series.
        series: number of series that have an embedding; 0: none.
        embedding_dim: size of a series' embedding.
        conditioning_loss: whether the values of the window count too, each given those before it.
        seed: of dropout, and of all starting weights but the cells', which follow `keras.utils.set_random_seed`.

    Raises:
        UserError: an unknown cell or likelihood, or a number out of range.
    """

    def __init__(
        self,
        look_back,
        horizon,
        *,
        cell="lstm",
        units=64,
        layers=2,
        likelihood="student_t",
        lags=(1,),
        dropout=0.1,
        past=0,
        known=0,
        static=0,
        series=0,
        embedding_dim=8,
        conditioning_loss=False,
        seed=None,
        **kwargs,
    ):
        config = {
            name: value for name, value in locals().items() if name not in ("self", "kwargs", "__class__")
        }
        name = type(self).__name__
        for least, keys in (
            (1, ("look_back", "horizon", "units", "layers", "embedding_dim")),
            (0, COVARIATES),
        ):
            for key in keys:
                if not isinstance(config[key], int) or config[key] < least:
                    raise UserError(
                        f"{name}: {key} must be an integer of at least {least}, not {config[key]!r}"
                    )
        config["lags"] = lags = list(lags)
        if not lags or any(not isinstance(lag, int) or not 0 < lag <= look_back for lag in lags):
            raise UserError(
                f"{name}: lags must be integers from 1 to look_back={look_back}, not {lags}; give (1,), say"
            )
        if likelihood not in LIKELIHOODS:
            raise unknown("likelihood", likelihood, LIKELIHOODS)
        check_range("dropout", dropout, 0, below=1)
        # a name that does not count up: a preset's weights are found by their paths
        super().__init__(**{"name": "autoregressive_forecaster", **kwargs})
        self.config = config
        self.likelihood = LIKELIHOODS[likelihood]
        seeds = [None if seed is None else seed + number for number in range(1, 4)]
        self.embedding = None
        if series:
            uniform = keras.initializers.RandomUniform(seed=seeds[0])
            self.embedding = keras.layers.Embedding(series + 1, embedding_dim, uniform, name="embedding")
        self.stack = RecurrentStack(
            cell, (units,) * layers, dropout=dropout, return_sequences=True, seed=seed, name="stack"
        )
        self.dropout = keras.layers.SpatialDropout1D(dropout, seed=seeds[1], name="dropout")
        self.head = keras.layers.Dense(
            len(self.likelihood.parameters),
            kernel_initializer=keras.initializers.GlorotUniform(seed=seeds[2]),
            name="head",
        )

    def build(self, inputs_shape=None):
        """Make the weights; they are the same for inputs of any shape."""
        config = self.config
        width = 2 * len(config["lags"]) + config["past"] + config["known"] + config["static"] + 1
        if self.embedding is not None:
            self.embedding.build((None,))
            width += config["embedding_dim"]
        self.stack.build((None, None, width))
        self.head.build((None, None, config["units"]))
        self.built = True

    # === the likelihood of given targets ===

    def call(self, inputs, training=False):
        """Return the weighted losses (batch,) of `inputs`: see `step_nll`."""
        nll, counted = self.step_nll(inputs, training)
        count = ops.cast(ops.shape(nll)[0], nll.dtype)
        return ops.sum(nll, axis=1) * count / ops.maximum(ops.sum(counted), 1)

    def step_nll(self, inputs, training=False):
        """Return the negative log-likelihoods, zero where nothing was observed, and what was observed.

        Both are (batch, horizon), or (batch, look_back + horizon) with `conditioning_loss`; each value is told from
        those before it.
        """
        inputs = self._checked(inputs, "targets", "targets_observed")
        scale = self.scale(inputs)
        values = ops.concatenate([inputs["values"], inputs["targets"]], axis=1)
        observed = ops.concatenate([inputs["observed"], inputs["targets_observed"]], axis=1)
        values = ops.where(observed > 0, values, ops.zeros_like(values))
        features = self._features(inputs, scale)
        x = ops.concatenate([self._lagged(values / scale, observed), features], axis=-1)
        h = self.dropout(self.stack(x, training=training), training=training)
        first = 0 if self.config["conditioning_loss"] else self.config["look_back"]
        values, observed = values[:, first:], observed[:, first:]
        return -self.likelihood.log_prob(values, *self._theta(h[:, first:], scale)) * observed, observed

    def scale(self, inputs):
        """Return ν of the windows, (batch, 1): 1 where there is nothing but zeros, or nothing at all."""
        values, observed = (ops.convert_to_tensor(inputs[key]) for key in ("values", "observed"))
        total = ops.sum(ops.abs(values) * observed, axis=1, keepdims=True)
        mean = total / ops.maximum(ops.sum(observed, axis=1, keepdims=True), 1)
        if self.config["likelihood"] == "negative_binomial":
            return mean + 1
        return ops.where(mean > 0, mean, ops.ones_like(mean))

    def _checked(self, inputs, *more):
        """Return the inputs as tensors; what this network needs of them, and `more`, is there."""
        covariates = [key for key in COVARIATES if self.config[key]]
        check_inputs(type(self).__name__, inputs, ["values", "observed", *more, *covariates])
        return {key: ops.convert_to_tensor(value) for key, value in inputs.items()}

    def _lagged(self, values, observed):
        """Return what each step sees of values and flags (batch, steps) before it: (batch, steps, 2·lags)."""
        both = ops.stack([values, observed], axis=-1)
        seen = [ops.pad(both[:, :-lag], [[0, 0], [lag, 0], [0, 0]]) for lag in self.config["lags"]]
        return ops.concatenate(seen, axis=-1)

    def _features(self, inputs, scale):
        """Return what each step sees beside values, (batch, look_back + horizon, features)."""
        config = self.config
        steps = config["look_back"] + config["horizon"]
        always = [ops.log(scale)]
        if config["static"]:
            always.append(inputs["static"])
        if self.embedding is not None:
            always.append(self.embedding(inputs["series"]))
        features = [ops.repeat(ops.concatenate(always, axis=-1)[:, None], steps, axis=1)]
        if config["known"]:
            features.append(inputs["known"])
        if config["past"]:
            features.append(ops.pad(inputs["past"], [[0, 0], [1, config["horizon"] - 1], [0, 0]]))
        return ops.concatenate(features, axis=-1)

    def _theta(self, h, scale):
        """Return θ from outputs of the stack (..., units) and what broadcasts with (...)."""
        return self.likelihood.rescale(self.likelihood.constrain(self.head(h)), scale)

    # === paths ===

    def sample(self, inputs, paths, seed, horizon=None):
        """Draw what may follow each window, step by step: a value drawn is what the next steps see.

        Args:
            inputs: the dictionary that the class tells of.
            paths: how many to draw for each window.
            seed: an integer from 0 to below 2³¹, or a scalar int32 tensor of it: the same one draws the same paths.
            horizon: how many steps, at most those the network was made for; None: all.

        Returns:
            (batch, paths, horizon), in the scale of the values.
        """
        config = self.config
        look_back = config["look_back"]
        horizon = config["horizon"] if horizon is None else horizon
        check_range("horizon", horizon, 1, most=config["horizon"])
        check_range("paths", paths, 1)
        inputs = self._checked(inputs)
        scale, observed = self.scale(inputs), inputs["observed"]
        features = self._features(inputs, scale)
        lagged = self._lagged(inputs["values"] / scale, observed)
        _, last = self.stack.run(ops.concatenate([lagged, features[:, :look_back]], axis=-1))
        ahead = ops.transpose(features[:, look_back:], (1, 0, 2))

        def for_each_path(x):
            x = ops.broadcast_to(x[:, None], (ops.shape(x)[0], paths, *x.shape[1:]))
            return ops.reshape(x, (-1, *x.shape[2:]))

        longest = max(config["lags"])
        history = ops.stack([inputs["values"] / scale, observed], axis=-1)[:, look_back - longest :]
        states = [[for_each_path(state) for state in last[layer.name]] for (layer,) in self.stack.layers]
        scale, history = for_each_path(scale)[:, 0], for_each_path(history)
        rows = ops.shape(scale)[0]
        keys = keras.random.randint((horizon, 2), 0, 2**31 - 1, dtype="int32", seed=_Keys([seed, 0]))

        def body(t, states, history, drawn):
            seen = [history[:, longest - lag] for lag in config["lags"]]
            x = ops.concatenate([*seen, for_each_path(ahead[t])], axis=-1)
            new = []
            for (layer,), state in zip(self.stack.layers, states, strict=True):
                x, state = layer.step(x, state)
                new.append(list(state))
            value = ops.reshape(self.likelihood.sample(self._theta(x, scale), _Keys(keys[t])), (rows,))
            now = ops.stack([value / scale, ops.ones_like(value)], axis=-1)
            history = ops.concatenate([history[:, 1:], now[:, None]], axis=1)
            return t + 1, new, history, ops.slice_update(drawn, (t, 0), value[None])

        t, drawn = ops.zeros((), dtype="int32"), ops.zeros((horizon, rows), dtype=scale.dtype)
        *_, drawn = ops.while_loop(lambda t, *_: t < horizon, body, (t, states, history, drawn))
        return ops.transpose(ops.reshape(drawn, (horizon, -1, paths)), (1, 2, 0))

    # === config ===

    def get_config(self):
        """Return the arguments of `__init__`."""
        return {"name": self.name, **self.config}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Return the network that `get_config` tells of."""
        return cls(**config)


class _Keys(keras.random.SeedGenerator):
    """Seeds from a given pair of numbers: Keras's generator counts in a variable, which JAX forbids within a loop."""

    def __init__(self, pair):  # without that of Keras, which makes the variable
        self.pair = pair
        self.count = 0

    def next(self, ordered=True):
        """Return the next seed, (2,)."""
        del ordered
        self.count += 1
        dtype = "uint32" if keras.backend.backend() == "jax" else "int32"
        first, second = (ops.cast(self.pair[part], dtype) for part in range(2))
        return ops.stack([first, second + self.count])
