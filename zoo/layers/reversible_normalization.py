"""Normalisation of a window of a series, undone on what is forecast from it."""

import keras
from keras import ops

from zoo.errors import unknown

NORMALIZATIONS = ("none", "last", "standard", "scale")
FLOOR = 1e-4  # of a standard deviation, as a share of the mean absolute value


@keras.saving.register_keras_serializable(package="zoo")
class ReversibleNormalization(keras.layers.Layer):
    """Give every window a location and a scale of its own, and take both back in the forecast.

        z_t = (x_t − a) / b,  x_t = b z_t + a

        none      a = 0,                       b = 1
        last      a = the last observed x_t,   b = 1                     (Zeng et al., 2023, AAAI, NLinear)
        standard  a = mean x_t,                b² = mean (x_t − a)² + ε²  (Kim et al., 2022, ICLR, equations 1-3)
        scale     a = 0,                       b = mean abs(x_t)         (Salinas et al., 2020, section 3.3)

    Means are over the observed steps. ε is 0.0001 of mean abs(x_t), so that a window that does not change is forecast
    to stay nearly as it is. A window of zeros, or without an observation, has a = 0 and b = 1. There are no weights:
    the affine map that Kim et al. learn beside it is left out.

    Args:
        kind: one of `NORMALIZATIONS`.

    Raises:
        UserError: no such kind.
    """

    def __init__(self, kind="standard", **kwargs):
        super().__init__(**kwargs)
        if kind not in NORMALIZATIONS:
            raise unknown("normalization", kind, NORMALIZATIONS)
        self.kind = kind

    def call(self, values, observed):
        """Return the normalised window, zero where nothing was observed, its location and its scale.

        Args:
            values: (batch, time).
            observed: (batch, time), one where there is a value and zero where it is missing.

        Returns:
            Tensors (batch, time), (batch, 1) and (batch, 1).
        """
        location, scale = self.statistics(values, observed)
        return _where(observed, self.normalize(values, location, scale)), location, scale

    def statistics(self, values, observed):
        """Return the location and the scale, each (batch, 1), of windows; the arguments are those of `call`."""
        values = _where(observed, values)
        zero = ops.zeros_like(values[:, :1])
        one = zero + 1
        if self.kind == "none":
            return zero, one
        if self.kind == "last":
            count = ops.cumsum(ops.cast(observed, "int32"), axis=1)
            last = ops.logical_and(count == count[:, -1:], ops.cast(observed, "bool"))
            return ops.sum(_where(last, values), axis=1, keepdims=True), one

        steps = ops.maximum(ops.sum(ops.cast(observed, values.dtype), axis=1, keepdims=True), 1)

        def mean(x):
            return ops.sum(x, axis=1, keepdims=True) / steps

        size = mean(ops.abs(values))
        empty = size == 0
        size = ops.where(empty, one, size)
        if self.kind == "scale":
            return zero, size
        location = mean(values)
        # as shares of their size, whose squares stay in range
        deviations = _where(observed, (values - location) / size)
        return location, ops.where(empty, one, size * ops.sqrt(mean(ops.square(deviations)) + FLOOR**2))

    def normalize(self, values, location, scale):
        """Return z (batch, time) of values (batch, time), in the window or after it."""
        return ops.divide(ops.subtract(values, location), scale)

    def restore(self, x, location, scale):
        """Return the values that z, (batch, time) or (batch, time, any), stands for."""
        shape = (-1, *(1 for _ in x.shape[1:]))
        x, location, scale = map(ops.convert_to_tensor, (x, location, scale))
        # not ops.add, which on TensorFlow takes (batch, 1) for a bias where time is the batch's size (Keras 3.15)
        return x * ops.reshape(scale, shape) + ops.reshape(location, shape)

    def get_config(self):
        """Return the arguments of `__init__`."""
        return {**super().get_config(), "kind": self.kind}


def _where(observed, values):
    """Return the values, zero where nothing was observed."""
    return ops.where(ops.cast(observed, "bool"), values, ops.zeros_like(values))
