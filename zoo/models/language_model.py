"""A recurrent language model of sequences of ids, in one direction or in both."""

import keras
from keras import ops

from zoo.errors import UserError
from zoo.layers import RecurrentStack
from zoo.losses import draw_log_uniform, sampled_softmax_nll, softmax_nll


@keras.saving.register_keras_serializable(package="zoo")
class RecurrentLanguageModel(keras.Model):
    """Predict every id from those before it and, where bidirectional, again from those after it.

    The two directions share nothing but embeddings and softmax (Peters et al., 2018, arXiv 1802.05365, section
    3.1), and the softmax's rows are the embeddings (Press & Wolf, 2017; Inan et al., 2017). The layers
    `embedding` and `stack` are those of a `RecurrentClassifier` of the same numbers, which can start from them.

    Ids (batch, time) -> for each sequence, (batch,), the negative log-likelihood in nats of its ids, weighted so
    that the mean over the batch is the mean over all that was predicted: id 0 is padding, and left out. While
    training it is estimated from a sample of ids.

    Args:
        vocabulary_size: number of ids, padding included; sorted from frequent to rare.
        cell: name of a cell of the catalogue.
        units: size of each recurrent layer and direction.
        layers: number of recurrent layers; 1 where bidirectional, since the second would see what it predicts.
        bidirectional: whether to predict from both sides.
        embedding_dim: size of an embedding.
        input_dropout: share of the embedding's features to drop, the same ones at all steps of a sequence.
        output_dropout: share of the recurrence's output to drop, the same way.
        samples: how many ids are drawn for the estimate, the same ones for a whole batch.
        seed: of all that is drawn.

    Raises:
        UserError: an unknown cell, or a number out of range.
    """

    def __init__(
        self,
        vocabulary_size,
        *,
        cell="lstm",
        units=256,
        layers=1,
        bidirectional=True,
        embedding_dim=128,
        input_dropout=0.0,
        output_dropout=0.0,
        samples=1024,
        seed=None,
        **kwargs,
    ):
        config = {
            name: value for name, value in locals().items() if name not in ("self", "kwargs", "__class__")
        }
        if bidirectional and layers > 1:
            raise UserError(
                f"RecurrentLanguageModel: layers={layers} with bidirectional=True: the second layer would see the "
                "words that it predicts; give layers=1 or bidirectional=False"
            )
        for name in ("layers", "units", "embedding_dim", "vocabulary_size", "samples"):
            if not isinstance(config[name], int) or config[name] < 1:
                raise UserError(
                    f"RecurrentLanguageModel: {name} must be a positive integer, not {config[name]!r}"
                )
        super().__init__(**kwargs)
        self.config = config
        seeds = [None if seed is None else seed + number for number in range(1, 5)]
        self.embedding = keras.layers.Embedding(
            vocabulary_size, embedding_dim, mask_zero=True, name="embedding"
        )
        self.input_dropout = keras.layers.SpatialDropout1D(input_dropout, seed=seeds[0])
        self.stack = RecurrentStack(
            cell,
            (units,) * layers,
            bidirectional=bidirectional,
            dropout=output_dropout,
            return_sequences=True,
            seed=seed,
            name="stack",
        )
        self.output_dropout = keras.layers.SpatialDropout1D(output_dropout, seed=seeds[1])
        ways = ("forward", "backward") if bidirectional else ("forward",)
        self.projections = [keras.layers.Dense(embedding_dim, name=f"{way}_projection") for way in ways]
        self.generator = keras.random.SeedGenerator(seeds[2])

    def build(self, ids_shape=(None, None)):
        """Make the weights."""
        config = self.config
        self.embedding.build(ids_shape)
        self.stack.build((*ids_shape, config["embedding_dim"]))
        for projection in self.projections:
            projection.build((None, config["units"]))
        self.bias = self.add_weight(
            shape=(config["vocabulary_size"],), initializer="zeros", name="softmax_bias"
        )
        self.built = True

    def call(self, ids, training=False):
        """Return the weighted negative log-likelihoods of `ids` (batch, time), (batch,)."""
        nll = self.token_nll(ids, training)
        counts = ops.sum(ops.cast(ids[:, 1:] != 0, nll.dtype)) * len(self.projections)
        count = ops.cast(ops.shape(ids)[0], nll.dtype)
        return ops.sum(nll, axis=1) * count / ops.maximum(counts, 1)

    def token_nll(self, ids, training=False):
        """Return the negative log-likelihood of every id but the first (forward) and but the last (backward).

        (batch, (time - 1)·directions), zeros where there is padding.
        """
        batch, steps = ops.shape(ids)
        mask = ids != 0
        x = self.input_dropout(self.embedding(ids), training=training)
        x = self.stack(x, mask=mask, training=training)
        x = self.output_dropout(x, training=training)
        sampled = None
        if training:
            size = self.config["vocabulary_size"]
            sampled = draw_log_uniform(min(self.config["samples"], size), size, self.generator)
        both = ops.cast(ops.logical_and(mask[:, 1:], mask[:, :-1]), x.dtype)
        units, found = self.config["units"], []
        for number, projection in enumerate(self.projections):
            known, wanted = (slice(1, None), slice(None, -1)) if number else (slice(None, -1), slice(1, None))
            contexts = projection(x[:, known, number * units : (number + 1) * units])
            contexts = ops.reshape(contexts, (-1, self.config["embedding_dim"]))
            targets = ops.reshape(ids[:, wanted], (-1,))
            table = ops.convert_to_tensor(self.embedding.embeddings)
            bias = ops.convert_to_tensor(self.bias)
            if training:
                nll = sampled_softmax_nll(contexts, targets, table, bias, sampled)
            else:
                nll = softmax_nll(contexts, targets, table, bias)
            found.append(ops.reshape(nll, (batch, steps - 1)) * both)
        return ops.concatenate(found, axis=1) if len(found) > 1 else found[0]

    def get_config(self):
        """Return the arguments of `__init__`."""
        return {"name": self.name, **self.config}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Return the network that `get_config` tells of."""
        return cls(**config)
