"""A linear forecaster: the baseline that recurrent ones must beat."""

import keras
from keras import ops

from zoo.cells.cell import linear
from zoo.errors import UserError
from zoo.models.direct_forecaster import DirectForecaster


@keras.saving.register_keras_serializable(package="zoo")
class LinearForecaster(DirectForecaster):
    """Trend and remainder, a linear map each (Zeng et al., 2023, AAAI, arXiv 2205.13504, section 4, DLinear).

        t = moving average of x, whose ends are repeated
        y = W_r (x − t) + b_r + W_t t + b_t

    With `kernel=1` and `normalization="last"`, t is x: the NLinear of the same paper.

    Args:
        look_back: number of steps of a window.
        horizon: number of steps to forecast.
        kernel: number of steps of the moving average, odd.
        individual: give each series maps of its own. A series that was not there in training (number 0) has
            their mean.
        normalization: one of `zoo.layers.NORMALIZATIONS`.
        quantiles: levels of the quantiles to forecast, rising; None: a single forecast.
        series: number of series, for `individual`.
        seed: of the starting weights.

    Raises:
        UserError: an unknown normalization, `individual` without a number of series, or a number out of range.
    """

    def __init__(
        self,
        look_back,
        horizon,
        *,
        kernel=25,
        individual=False,
        normalization="none",
        quantiles=None,
        series=0,
        seed=None,
        **kwargs,
    ):
        # a name that does not count up: a preset's weights are found by their paths
        super().__init__(locals(), **{"name": "linear_forecaster", **kwargs})
        self._check(self.config, 1, "kernel")
        if kernel % 2 == 0:
            raise UserError(f"LinearForecaster: kernel must be odd, not {kernel}: try {kernel + 1}")
        if individual and not series:
            raise UserError("LinearForecaster: individual=True needs series: give their number")
        self.maps = series if individual else 1

    def build(self, inputs_shape=None):
        """Make the weights; they are the same for inputs of any shape."""
        self.remainder_map, self.trend_map = self._map("remainder", 0), self._map("trend", 1)
        self.built = True

    def _map(self, name, number):
        """Return a kernel and a bias."""
        look_back, seed = self.config["look_back"], self.config["seed"]
        outputs = self.maps * self.config["horizon"] * self.outputs_per_step
        limit = look_back**-0.5
        uniform = keras.initializers.RandomUniform(
            -limit, limit, seed=None if seed is None else seed + number
        )
        return (
            self.add_weight(name=f"{name}_kernel", shape=(look_back, outputs), initializer=uniform),
            self.add_weight(name=f"{name}_bias", shape=(outputs,), initializer="zeros"),
        )

    def _forecast(self, window, inputs, steps, training):
        """Return what follows normalised windows (batch, look_back): (batch, steps, outputs_per_step)."""
        trend = self.trend(window)
        (kernel_r, bias_r), (kernel_t, bias_t) = self.remainder_map, self.trend_map
        y = linear(window - trend, kernel_r) + bias_r + linear(trend, kernel_t) + bias_t
        if self.maps > 1:
            y = ops.reshape(y, (-1, self.maps, y.shape[-1] // self.maps))
            own = ops.one_hot(inputs["series"] - 1, self.maps, dtype=y.dtype)  # zeros where the number is 0
            new = ops.cast(inputs["series"] == 0, y.dtype)[:, None] / self.maps
            y = ops.sum(y * (own + new)[..., None], axis=1)
        return ops.reshape(y, (-1, self.config["horizon"], self.outputs_per_step))[:, :steps]

    def trend(self, window):
        """Return the moving average (batch, time) of windows (batch, time)."""
        kernel = self.config["kernel"]
        first, last = (ops.repeat(end, kernel // 2, axis=1) for end in (window[:, :1], window[:, -1:]))
        padded = ops.concatenate([first, window, last], axis=1)[..., None]
        return ops.average_pool(padded, kernel, strides=1, data_format="channels_last")[..., 0]
