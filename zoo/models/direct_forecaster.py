"""Forecasts of all steps at once: what such networks share."""

from abc import abstractmethod

import keras
from keras import ops

from zoo.errors import UserError, check_inputs
from zoo.layers import ReversibleNormalization
from zoo.losses import check_quantiles

COVARIATES = ("past", "known", "static", "series")


class DirectForecaster(keras.Model):
    """Base: a network says what follows a normalised window; the rest is the same for all.

    Called with a dictionary of windows, each of a single series, it returns the forecasts (batch, horizon), or
    (batch, horizon, quantiles), in the scale of the values:

    - `values` (batch, look_back), and `observed`, the same shape: one where there is a value, zero where it is missing;
    - `past` (batch, look_back, past): covariates known up to now;
    - `known` (batch, look_back + horizon, known): covariates known ahead, such as the calendar;
    - `static` (batch, static): covariates of the series;
    - `series` (batch,): the number of the series from 1 on, 0 for one that was not there in training.

    Those whose size is 0 are not needed. Quantiles never cross: the middle one is free, and each of the others lies
    a softplus further out than its neighbour.

    Args:
        config: the arguments of the network, by name.
        kwargs: further arguments of a Keras model.

    Raises:
        UserError: a number out of range, or an unknown normalization.
    """

    def __init__(self, config, **kwargs):
        config = {key: value for key, value in config.items() if key not in ("self", "kwargs", "__class__")}
        self._check(config, 1, "look_back", "horizon")
        self._check(config, 0, *(key for key in COVARIATES if key in config))
        quantiles = config["quantiles"]
        if quantiles is not None:
            config["quantiles"] = check_quantiles(type(self).__name__, quantiles)
        super().__init__(**kwargs)
        self.config = config
        self.normalization = ReversibleNormalization(config["normalization"], name="normalization")

    @classmethod
    def _check(cls, config, least, *keys):
        """Raise `UserError` unless the arguments `keys` are integers from `least` on."""
        for key in keys:
            value = config[key]
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise UserError(
                    f"{cls.__name__}: {key} must be an integer of at least {least}, not {value!r}"
                )

    @property
    def outputs_per_step(self) -> int:
        """How many numbers are forecast for a step."""
        return len(self.config["quantiles"] or (None,))

    def call(self, inputs, training=False, horizon=None):
        """Return the forecasts of `inputs`.

        Args:
            inputs: the dictionary that the class tells of.
            training: whether dropout is on.
            horizon: how many steps, at most those the network was made for; None: all.
        """
        name, most = type(self).__name__, self.config["horizon"]
        steps = most if horizon is None else horizon
        self._check({"horizon": steps}, 1, "horizon")
        if steps > most:
            raise UserError(f"{name}: horizon={steps}: the network was made for {most} at most: give no more")
        check_inputs(
            name, inputs, ["values", "observed", *(key for key in COVARIATES if self.config.get(key))]
        )
        time = inputs["values"].shape[1]
        if time not in (None, self.config["look_back"]):
            raise UserError(f"{name}: values hold {time} steps: give look_back={self.config['look_back']}")
        window, location, scale = self.normalization(inputs["values"], inputs["observed"])
        raw = self._forecast(window, inputs, steps, training)
        if self.config["quantiles"] is None:
            return self.normalization.restore(raw[..., 0], location, scale)
        return self.normalization.restore(_ordered(raw), location, scale)

    @abstractmethod
    def _forecast(self, window, inputs, steps, training):
        """Return what follows normalised windows (batch, look_back): (batch, steps, outputs_per_step)."""

    def get_config(self):
        """Return the arguments of `__init__`."""
        return {"name": self.name, **self.config}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Return the network that `get_config` tells of."""
        return cls(**config)


def _ordered(raw):
    """Return rising quantiles (..., quantiles) of raw numbers of the same shape."""
    middle = raw.shape[-1] // 2
    parts = [raw[..., middle : middle + 1]]
    gaps = ops.softplus(raw)
    if middle:
        below = ops.flip(ops.cumsum(ops.flip(gaps[..., :middle], axis=-1), axis=-1), axis=-1)
        parts.insert(0, parts[0] - below)
    if middle + 1 < raw.shape[-1]:
        parts.append(raw[..., middle : middle + 1] + ops.cumsum(gaps[..., middle + 1 :], axis=-1))
    return ops.concatenate(parts, axis=-1)
