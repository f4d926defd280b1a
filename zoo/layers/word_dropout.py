"""Dropout of whole words (Iyyer et al., 2015, ACL; Gal & Ghahramani, 2016, arXiv 1512.05287)."""

import keras
from keras import ops

from zoo.errors import UserError


@keras.saving.register_keras_serializable(package="zoo")
class WordDropout(keras.layers.Layer):
    """Replace ids at random by the id of the unknown word, in training only.

    Input and output: integers (batch, time). Padding (id 0) stays.

    Args:
        rate: share of the ids to replace, at least 0 and below 1.
        unknown_id: what stands in their place.
        seed: of the random numbers.
    """

    def __init__(self, rate, unknown_id=1, seed=None, **kwargs):
        super().__init__(dtype="int32", **kwargs)
        if not 0 <= rate < 1:
            raise UserError(f"WordDropout: rate must be at least 0 and below 1, not {rate!r}")
        self.rate = rate
        self.unknown_id = unknown_id
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    def call(self, ids, training=False):
        """Return `ids`, some of them replaced while training."""
        if not training or not self.rate:
            return ids
        dropped = keras.random.uniform(ops.shape(ids), seed=self.seed_generator, dtype="float32") < self.rate
        return ops.where(ops.logical_and(dropped, ids != 0), ops.full_like(ids, self.unknown_id), ids)

    def compute_output_shape(self, input_shape):
        """Return the shape of the input."""
        return input_shape

    def get_config(self):
        """Return the arguments of `__init__`."""
        config = super().get_config()
        del config["dtype"]
        return {**config, "rate": self.rate, "unknown_id": self.unknown_id, "seed": self.seed}
