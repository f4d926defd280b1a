"""Embeddings of n-grams of ids, hashed into buckets."""

import keras
from keras import ops

from zoo.errors import UserError

_FACTOR = 4093  # a prime; with at most 2**18 buckets no product leaves 32 bits
_MOST_BUCKETS = 2**18


@keras.saving.register_keras_serializable(package="zoo")
class NgramEmbedding(keras.layers.Layer):
    """What the n-grams that end at each id say, as a vector to be added to the id's own embedding.

    y_t = W·Σ_{n=2..N} G[hash(id_{t-n+1}, ..., id_t)]

    The buckets G are those of fastText (Joulin et al., 2017, EACL, section 2.2), the regions under a recurrence
    those of Johnson & Zhang (2016, ICML, oh-LSTM). W begins with zeros: the network begins as the one without.

    Input: ids (batch, time). Output: (batch, time, features). Ids before the first one are 0.

    Args:
        features: size of the output.
        largest: N, at least 2.
        buckets: how many vectors all n-grams share, at most 262,144.
        units: size of such a vector.

    Raises:
        UserError: a number out of range.
    """

    def __init__(self, features, largest=2, buckets=50_000, units=16, **kwargs):
        super().__init__(**kwargs)
        if largest < 2 or not 1 <= buckets <= _MOST_BUCKETS:
            raise UserError(
                f"NgramEmbedding: largest={largest}, buckets={buckets}: give 2 or more, and 1 to {_MOST_BUCKETS}"
            )
        self.features = features
        self.largest = largest
        self.buckets = buckets
        self.units = units
        self.table = keras.layers.Embedding(buckets, units, name="table")
        self.projection = keras.layers.Dense(
            features, use_bias=False, kernel_initializer="zeros", name="projection"
        )

    def build(self, ids_shape):
        """Make the weights."""
        self.table.build(ids_shape)
        self.projection.build((*ids_shape, self.units))

    def call(self, ids, before=None):
        """Return the vectors (batch, time, features) of ids (batch, time).

        Args:
            ids: integers.
            before: the ids before the first one, (batch, N - 1), where `ids` go on with a longer text.
        """
        ids = ops.cast(ids, "int32")
        if before is None:
            before = ops.zeros((ops.shape(ids)[0], self.largest - 1), dtype="int32")
        known = ops.concatenate([ops.cast(before, "int32"), ids], axis=1)
        number, total = ids % self.buckets, 0.0
        for back in range(1, self.largest):
            earlier = known[:, self.largest - 1 - back : -back]
            number = (number * _FACTOR + earlier + 1) % self.buckets
            total = total + self.table(number)
        return self.projection(total)

    def compute_output_shape(self, ids_shape):
        """Return (batch, time, features)."""
        return (*ids_shape, self.features)

    def get_config(self):
        """Return the arguments of `__init__`."""
        names = ("features", "largest", "buckets", "units")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
