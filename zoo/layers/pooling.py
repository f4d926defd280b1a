"""Pooling over time that knows what a mask is: (batch, time, units) -> (batch, units)."""

import keras
from keras import ops

_LEAST = -1e4  # below whatever a layer puts out; half precision holds it


class _Pooling(keras.layers.Layer):
    """Base: a pooling is what it says of a summary, and a summary of all steps is merged from those of parts.

    So a sequence can come in parts, in any order: `finished(merged(summary(part), summary(next part)))` is the
    pooling of both together. The summary of masked steps alone changes nothing. A pooling writes

    - `summary(sequences, mask)` -> tuple of tensors (batch, ...), with a float mask (batch, time, 1) that is one
      at real steps;
    - `merged(one, other)` -> the summary of the steps of both;
    - `finished(summary)` -> the pooling, (batch, units); zeros where no step is real.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, sequences, mask=None):
        if mask is None:
            mask = ops.ones(ops.shape(sequences)[:2], dtype="bool")
        return self.finished(self.summary(sequences, ops.cast(mask, sequences.dtype)[..., None]))

    def compute_mask(self, sequences, mask=None):
        return None

    def compute_output_shape(self, sequences_shape):
        return (sequences_shape[0], *sequences_shape[2:])


@keras.saving.register_keras_serializable(package="zoo")
class MeanPooling(_Pooling):
    """Mean over the real steps, (batch, time, units) -> (batch, units); zeros where there is none."""

    def summary(self, sequences, mask):
        """Return the sum of the real steps and their number."""
        return ops.sum(sequences * mask, axis=1), ops.sum(mask, axis=1)

    def merged(self, one, other):
        """Return the summary of the steps of both summaries."""
        return tuple(a + b for a, b in zip(one, other, strict=True))

    def finished(self, summary):
        """Return the mean."""
        total, count = summary
        return total / ops.maximum(count, 1)


@keras.saving.register_keras_serializable(package="zoo")
class MaxPooling(_Pooling):
    """Maximum over the real steps, (batch, time, units) -> (batch, units); zeros where there is none."""

    def summary(self, sequences, mask):
        """Return the highest of the real steps and their number."""
        least = ops.full_like(sequences, _LEAST)
        return ops.max(ops.where(mask > 0, sequences, least), axis=1), ops.sum(mask, axis=1)

    def merged(self, one, other):
        """Return the summary of the steps of both summaries."""
        return ops.maximum(one[0], other[0]), one[1] + other[1]

    def finished(self, summary):
        """Return the maximum."""
        highest, count = summary
        return ops.where(count > 0, highest, ops.zeros_like(highest))


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
        _, shares = self._shares(sequences, mask)
        return shares / ops.maximum(ops.sum(shares, axis=1, keepdims=True), 1)

    def summary(self, sequences, mask):
        """Return the highest score, and the sums of e^(score - highest) without and with the steps as factors."""
        highest, shares = self._shares(sequences, mask)
        return highest[:, 0], ops.sum(shares, axis=1), ops.sum(sequences * shares, axis=1)

    def merged(self, one, other):
        """Return the summary of the steps of both summaries: a softmax that goes on (Milakov & Gimelshein, 2018)."""
        highest = ops.maximum(one[0], other[0])
        one_scale, other_scale = ops.exp(one[0] - highest), ops.exp(other[0] - highest)
        sums = (one_scale * a + other_scale * b for a, b in zip(one[1:], other[1:], strict=True))
        return highest, *sums

    def finished(self, summary):
        """Return the weighted mean."""
        _, total, weighted = summary
        return weighted / ops.maximum(total, 1)

    def _shares(self, sequences, mask):
        """Return the highest score (batch, 1, 1) and e^(score - highest) at the real steps, (batch, time, 1)."""
        scores = self.score(self.hidden(sequences))
        scores = ops.where(mask > 0, scores, ops.full_like(scores, _LEAST))
        # a softmax by hand: that of Keras warns where there is a single step
        highest = ops.max(scores, axis=1, keepdims=True)
        return highest, ops.exp(scores - highest) * mask

    def get_config(self):
        """Return the arguments of `__init__`."""
        return {**super().get_config(), "units": self.units}


POOLINGS = {"mean": MeanPooling, "max": MaxPooling, "attention": AttentionPooling}
