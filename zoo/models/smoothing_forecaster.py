"""Exponential smoothing of every series, and a recurrent network for what it leaves."""

import keras
from keras import ops

from zoo.errors import UserError, check_inputs, check_range
from zoo.layers import DilatedStack
from zoo.losses import QuantileLoss, check_quantiles

BLOCK = 32  # steps that are smoothed at once where no season limits them


@keras.saving.register_keras_serializable(package="zoo")
class SmoothingForecaster(keras.Model):
    """ES-RNN (Smyl, 2020, International Journal of Forecasting 36(1), sections 3 and 4), for positive series.

        l_t     = α y_t / s_t + (1 - α) l_{t-1}         level; before the first value y_1 / s_1
        s_{t+m} = γ y_t / l_t + (1 - γ) s_t             seasonal factor; m is the period
        x_t     = log(y_{t-i} / (l_t s_{t-i}))          i = input_size - 1, ..., 0
        o_t     = V tanh(W stack(x)_t + b) + d          a `DilatedStack`
        y_{t+j} ~ exp(o_{t,j}) l_t s_{t+j}              j = 1, ..., horizon; s is the newest of its place in the season

    α, γ and the first m factors belong to each series and are learned together with the network. With several periods
    s_t is the product of one factor of each, and a factor u with its own γ follows
    u_{t+m} = γ y_t u_t / (l_t s_t) + (1 - γ) u_t. A value that is missing keeps level and factors, and is 0 in x. Of
    several quantiles, the first is o, and each of the others lies a softplus further out.

    Called with a dictionary of series, it returns for each, (batch,), the loss of the forecasts from all steps at which
    the last input_size steps lie within the series: the pinball loss of o against log(y_{t+j} / (l_t s_{t+j})) of all
    observed y, weighted so that the mean over the batch is the mean over all of these; and, times `level_penalty`, the
    mean square of the second differences of log l_t.

    - `values` (batch, time): all series end at the last step, and a shorter one begins later; what is not above 0 is
      missing;
    - `observed` (batch, time): one where there is a value, zero where it is missing or before the series began;
    - `series` (batch,): the number of the series from 1 on, 0 for one that was not there in training;
    - `phase` (batch,), optional: the place in the season of the first step of `values`, or its number since a step at
      which all seasons began; where it is left out, the first observed value is at place 0;
    - `seasonal` (batch, sum of periods), optional: factors, by place, of the series that were not in training.

    A series that was not in training has the medians of what was learned: see `parameters_of_new`.

    Args:
        horizon: number of steps to forecast.
        period: number of steps of a season, or a tuple of several; 0 or 1: none.
        input_size: how many of the last steps the network sees.
        series: number of series in training.
        cell: name of a cell of the catalogue.
        units: size of each layer.
        dilations: of the layers: a tuple for each block.
        quantiles: levels of the quantiles to forecast, rising; None: the median alone.
        level_penalty: how much a level that turns costs; the paper has 50 to 100 for monthly and quarterly series.
        noise: standard deviation of what is added to x while training.
        dropout: share of the features to drop between two layers, the same ones at all steps of a series.
        seed: of noise, dropout and all starting weights but the cells', which follow `keras.utils.set_random_seed`.

    Raises:
        UserError: an unknown cell, or a number out of range.
    """

    def __init__(
        self,
        horizon,
        *,
        period,
        input_size,
        series,
        cell="lstm",
        units=40,
        dilations=((1, 4), (24, 168)),
        quantiles=None,
        level_penalty=50.0,
        noise=0.0,
        dropout=0.0,
        seed=None,
        **kwargs,
    ):
        config = {
            name: value for name, value in locals().items() if name not in ("self", "kwargs", "__class__")
        }
        name = type(self).__name__
        for key in ("horizon", "input_size", "units", "series"):
            if not isinstance(config[key], int) or config[key] < 1:
                raise UserError(f"{name}: {key} must be a positive integer, not {config[key]!r}")
        config["period"] = periods = list(period) if isinstance(period, (list, tuple)) else [period]
        if any(not isinstance(each, int) or each < 0 for each in periods):
            raise UserError(f"{name}: period must be an integer of at least 0, or several, not {period!r}")
        config["dilations"] = [list(block) for block in dilations]
        if quantiles is not None:
            config["quantiles"] = check_quantiles(name, quantiles)
        check_range("level_penalty", level_penalty, 0)
        check_range("noise", noise, 0)
        # a name that does not count up: a preset's weights are found by their paths
        super().__init__(**{"name": "smoothing_forecaster", **kwargs})
        self.config = config
        self.periods = [each for each in periods if each > 1]
        levels = [0.5] if quantiles is None else quantiles
        self.pinball = QuantileLoss(levels)
        seeds = [None if seed is None else seed + number for number in range(1, 4)]
        self.noise = keras.layers.GaussianNoise(noise, seed=seeds[0], name="noise")
        self.stack = DilatedStack(cell, units, dilations, dropout=dropout, seed=seed, name="stack")
        self.adapter, self.head = (
            keras.layers.Dense(
                size,
                activation=activation,
                kernel_initializer=keras.initializers.GlorotUniform(seed=own),
                name=name,
            )
            for size, activation, own, name in (
                (units, "tanh", seeds[1], "adapter"),
                (horizon * len(levels), None, seeds[2], "head"),
            )
        )

    def build(self, inputs_shape=None):
        """Make the weights; they are the same for inputs of any shape."""
        config, units = self.config, self.config["units"]
        tables = {"rates": 1 + len(self.periods)}  # logits of α and of each γ
        if self.periods:
            tables["seasons"] = sum(
                self.periods
            )  # logarithms of the first factors, by place, period after period
        self.tables = [
            self.add_weight(shape=(config["series"], width), initializer="zeros", name=name)
            for name, width in tables.items()
        ]
        self.stack.build((None, None, config["input_size"]))
        self.adapter.build((None, None, units))
        self.head.build((None, None, units))
        self.built = True

    # === losses and forecasts ===

    def call(self, inputs, training=False):
        """Return the weighted losses (batch,) of series: see the class."""
        config = self.config
        y, on, level, factors = self.smooth(inputs)
        o, carried = self._outputs(y, on, level, factors, training)
        size, ahead = config["input_size"], config["horizon"]
        both = ops.stack([ops.log(y), on], axis=-1)
        both = _windows(ops.pad(both[:, 1:], [[0, 0], [0, ahead], [0, 0]]), ahead)
        begun = ops.cast(ops.cumsum(on, axis=1) > 0, on.dtype)
        whole = ops.cast(ops.cumsum(begun, axis=1) >= size, on.dtype)
        counted = both[..., 1] * whole[..., None]
        wanted = both[..., 0] - ops.log(level)[..., None] - carried
        loss = ops.sum(self.pinball.call(wanted, o) * counted, axis=(1, 2))
        loss = loss * ops.cast(ops.shape(loss)[0], loss.dtype) / ops.maximum(ops.sum(counted), 1)
        change = ops.log(level[:, 1:]) - ops.log(level[:, :-1])
        turns = ops.square(change[:, 1:] - change[:, :-1]) * begun[:, :-2]
        penalty = ops.sum(turns, axis=1) / ops.maximum(ops.sum(begun[:, :-2], axis=1), 1)
        return loss + config["level_penalty"] * penalty

    def forecast(self, inputs):
        """Return what follows the last step of series: (batch, horizon), or (batch, horizon, quantiles)."""
        y, on, level, factors = self.smooth(inputs)
        o, carried = self._outputs(y, on, level, factors)
        y = ops.exp(o[:, -1] + ops.log(level[:, -1:, None]) + carried[:, -1, :, None])
        return y[..., 0] if self.config["quantiles"] is None else y

    def _outputs(self, y, on, level, factors, training=False):
        """Return o (batch, time, horizon, quantiles), and log s_{t+j} as known at t, (batch, time, horizon)."""
        config = self.config
        size, ahead, time = config["input_size"], config["horizon"], ops.shape(y)[1]
        logs = [ops.log(factor) for factor in factors]
        seen = ops.log(y) - sum(each[:, :time] for each in logs)
        both = ops.pad(ops.stack([seen, on], axis=-1), [[0, 0], [size - 1, 0], [0, 0]])
        both = _windows(both, size)
        x = (both[..., 0] - ops.log(level)[..., None]) * both[..., 1]
        h = self.stack(self.noise(x, training=training), mask=ops.cumsum(on, axis=1) > 0, training=training)
        o = self.head(self.adapter(h))
        o = ops.reshape(o, (*ops.shape(o)[:2], ahead, len(self.pinball.quantiles)))
        further = o[..., :1] + ops.cumsum(ops.softplus(o[..., 1:]), axis=-1)
        carried = ops.zeros_like(o[..., 0])
        for period, each in zip(self.periods, logs, strict=True):
            places = min(period, ahead)
            newest = _windows(each[:, 1 : time + places], places)
            carried = carried + ops.take(newest, [step % places for step in range(ahead)], axis=2)
        return ops.concatenate([o[..., :1], further], axis=-1), carried

    # === smoothing ===

    def parameters_of_new(self):
        """Return the smoothing of a series that was not in training: the medians over those that were.

        Returns:
            `rates` (1 + periods,), α and each γ, and where there is a period `seasonal` (sum of periods,), the first
            factors by place.
        """
        rates, *seasons = self._medians()
        found = {"rates": ops.sigmoid(rates)}
        return {**found, "seasonal": ops.exp(seasons[0])} if seasons else found

    def _medians(self):
        return [ops.median(ops.convert_to_tensor(table), axis=0) for table in self.tables]

    def _of_series(self, inputs):
        """Return the logits of α and each γ, (batch, 1 + periods), and the first factors, (batch, sum of periods)."""
        series = ops.cast(inputs["series"], "int32")
        learned, rows = series[:, None] > 0, ops.maximum(series - 1, 0)
        rates, *seasons = (
            ops.where(learned, ops.take(table, rows, axis=0), ops.stop_gradient(median))
            for table, median in zip(self.tables, self._medians(), strict=True)
        )
        if not seasons:
            return rates, None
        factors = ops.exp(seasons[0])
        if inputs.get("seasonal") is not None:
            factors = ops.where(learned, factors, ops.convert_to_tensor(inputs["seasonal"]))
        return rates, factors

    def smooth(self, inputs):
        """Return levels and seasonal factors of series.

        A season's factors depend on each other only from one season to the next, and the level is linear given these:
        so the steps of a season are smoothed at once, and the seasons one after the other.

        Returns:
            The values y, one where there is none, and flags of where there are, both (batch, time); the levels l_t,
            (batch, time); and for each period m its factors s_t, (batch, time + m).
        """
        check_inputs(type(self).__name__, inputs, ("values", "observed", "series"))
        values, observed = (ops.convert_to_tensor(inputs[key]) for key in ("values", "observed"))
        on = ops.logical_and(observed > 0, values > 0)
        y = ops.where(on, values, ops.ones_like(values))
        first = ops.cast(ops.argmax(ops.cast(on, "int32"), axis=1), "int32")[:, None]
        on = ops.cast(on, y.dtype)
        rates, table = self._of_series(inputs)
        phase = -first if inputs.get("phase") is None else ops.cast(inputs["phase"], "int32")[:, None]
        begin, level, starts = 0, ops.take_along_axis(y, first, axis=1), []
        for period in self.periods:
            own = table[:, begin : begin + period]
            start = ops.take_along_axis(own, (phase + ops.arange(period, dtype="int32")) % period, axis=1)
            level = level / ops.take_along_axis(start, first % period, axis=1)
            starts.append(start)
            begin += period

        block = min([*self.periods, BLOCK])
        gamma, alpha = ops.sigmoid(rates[:, 1:]), ops.sigmoid(rates[:, :1])
        log_kept = ops.log_sigmoid(-rates[:, :1])  # of 1 - α
        earlier = ops.cast(ops.tri(block), y.dtype)

        def season(carry, now):
            before, *queues = carry
            y, on = now[0], now[1]
            factors = [queue[:, :block] for queue in queues]
            product = ops.ones_like(y)
            for factor in factors:
                product = product * factor
            count = ops.cumsum(on, axis=1)
            between = ops.maximum(
                count[:, :, None] - count[:, None], 0
            )  # values after one step, up to another
            weights = ops.exp(between * log_kept[:, None]) * earlier
            level = ops.sum(weights * (alpha * on * y / product)[:, None], axis=2)
            level = level + ops.exp(count * log_kept) * before[:, -1:]
            surplus = on * (y / (level * product) - 1)
            queues = [
                ops.concatenate([queue[:, block:], factor * (1 + gamma[:, n : n + 1] * surplus)], axis=1)
                for n, (queue, factor) in enumerate(zip(queues, factors, strict=True))
            ]
            return (level, *queues), (level, *queues)  # and gives what it carries

        time = ops.shape(y)[1]
        carry = (ops.repeat(level, block, axis=1), *starts)
        # both in one tensor: on TensorFlow a scan of an unknown number of steps takes no more (Keras 3.15)
        both = ops.stack([_in_blocks(y, block), _in_blocks(on, block)], axis=1)
        _, (level, *queues) = ops.scan(season, carry, both)
        factors = [
            ops.concatenate([start, _in_line(queue[..., -block:])], axis=1)[:, : time + period]
            for start, queue, period in zip(starts, queues, self.periods, strict=True)
        ]
        return y, on, _in_line(level)[:, :time], factors

    # === config ===

    def get_config(self):
        """Return the arguments of `__init__`."""
        return {"name": self.name, **self.config}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Return the network that `get_config` tells of."""
        return cls(**config)


def _windows(x, size):
    """Return the windows of `size` steps of `x` (batch, time, ...): (batch, time - size + 1, size, ...)."""
    starts = ops.arange(ops.shape(x)[1] - size + 1)
    return ops.take(x, starts[:, None] + ops.arange(size)[None], axis=1)


def _in_blocks(x, block):
    """Return `x` (batch, time) as (blocks, batch, block), its end filled with zeros."""
    batch, time = ops.shape(x)
    missing = -time % block
    x = ops.reshape(ops.pad(x, [[0, 0], [0, missing]]), (batch, (time + missing) // block, block))
    return ops.transpose(x, (1, 0, 2))


def _in_line(x):
    """Return (blocks, batch, block) as (batch, blocks·block)."""
    blocks, batch, block = ops.shape(x)
    return ops.reshape(ops.transpose(x, (1, 0, 2)), (batch, blocks * block))
