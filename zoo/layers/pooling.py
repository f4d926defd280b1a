"""Pooling over time that knows what a mask is: (batch, time, units) -> (batch, units)."""

import keras
from keras import ops


class _Pooling(keras.layers.Layer):
    """Base: hands `pool` a float mask (batch, time, 1) with ones at real steps."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, sequences, mask=None):
        if mask is None:
            mask = ops.ones(ops.shape(sequences)[:2], dtype="bool")
        return self.pool(sequences, ops.cast(mask, sequences.dtype)[..., None])

    def compute_mask(self, sequences, mask=None):
        return None

    def compute_output_shape(self, sequences_shape):
        return (sequences_shape[0], *sequences_shape[2:])


@keras.saving.register_keras_serializable(package="zoo")
class MeanPooling(_Pooling):
    """Mean over the real steps, (batch, time, units) -> (batch, units); zeros where there is none."""

    def pool(self, sequences, mask):
        """Return the mean of `sequences` where `mask` (batch, time, 1) is one."""
        return ops.sum(sequences * mask, axis=1) / ops.maximum(ops.sum(mask, axis=1), 1)


@keras.saving.register_keras_serializable(package="zoo")
class MaxPooling(_Pooling):
    """Maximum over the real steps, (batch, time, units) -> (batch, units); zeros where there is none."""

    def pool(self, sequences, mask):
        """Return the maximum of `sequences` where `mask` (batch, time, 1) is one."""
        least = ops.full_like(sequences, -1e4)
        highest = ops.max(ops.where(mask > 0, sequences, least), axis=1)
        return ops.where(ops.sum(mask, axis=1) > 0, highest, ops.zeros_like(highest))


@keras.saving.register_keras_serializable(package="zoo")
class AttentionPooling(_Pooling):
    """Weighted mean over the real steps, the weights learned (Yang et al., 2016, NAACL, equations 5 to 7).

    u_t = tanh(W h_t + b),  α = softmax(u·v),  y = Σ_t α_t h_t

    (batch, time, units) -> (batch, units); zeros where no step is real.

    Args:
        units: size of u, a positive integer.
    """

    def __init__(self, units=64, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.hidden = keras.layers.Dense(units, activation="tanh", name="hidden")
        self.score = keras.layers.Dense(1, use_bias=False, name="score")

    def build(self, sequences_shape):
        """Make the weights for sequences (batch, time, units)."""
        self.hidden.build(sequences_shape)
        self.score.build((*sequences_shape[:-1], self.units))

    def weights_over_time(self, sequences, mask):
        """Return α (batch, time, 1) for `sequences` where `mask` (batch, time, 1) is one."""
        scores = self.score(self.hidden(sequences))
        scores = ops.where(mask > 0, scores, ops.full_like(scores, -1e4))
        # a softmax by hand: that of Keras warns where there is a single step
        share = ops.exp(scores - ops.max(scores, axis=1, keepdims=True)) * mask
        return share / ops.maximum(ops.sum(share, axis=1, keepdims=True), 1)

    def pool(self, sequences, mask):
        """Return the weighted mean of `sequences` where `mask` (batch, time, 1) is one."""
        return ops.sum(sequences * self.weights_over_time(sequences, mask), axis=1)

    def get_config(self):
        """Return the arguments of `__init__`."""
        return {**super().get_config(), "units": self.units}


POOLINGS = {"mean": MeanPooling, "max": MaxPooling, "attention": AttentionPooling}
