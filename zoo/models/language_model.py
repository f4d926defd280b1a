"""A recurrent language model of sequences of ids, in one direction or in both."""

import keras
from keras import ops

from zoo.errors import UserError
from zoo.layers import RecurrentStack
from zoo.losses import draw_log_uniform, sampled_softmax_nll, softmax_nll


@keras.saving.register_keras_serializable(package="zoo")
class RecurrentLanguageModel(keras.Model):
    """Predict ids from those before them and, where bidirectional, again from those after them.

    The two directions share nothing but embeddings and softmax (Peters et al., 2018, arXiv 1802.05365, section
    3.1), and the softmax's rows are the embeddings (Press & Wolf, 2017; Inan et al., 2017). The layers
    `embedding` and `stack` are those of a `RecurrentClassifier` of the same numbers, which can start from them.

    With a `region` of 1 the next id is predicted. With a larger one it is an id drawn from the next `region` ones,
    each as likely: what is learned is which words a text goes on with, in any order, as in the two-view embeddings of
    Johnson & Zhang (2016, ICML, section 3.1).

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
        region: among how many following ids the predicted one lies.
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
        region=1,
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
        for name in ("layers", "units", "embedding_dim", "vocabulary_size", "region", "samples"):
            if not isinstance(config[name], int) or config[name] < 1:
                raise UserError(
                    f"RecurrentLanguageModel: {name} must be a positive integer, not {config[name]!r}"
                )
        # a name that does not count up: a preset's weights are found by their paths
        super().__init__(**{"name": "recurrent_language_model", **kwargs})
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
        nll, counted = self.token_nll(ids, training)
        count = ops.cast(ops.shape(ids)[0], nll.dtype)
        return ops.sum(nll, axis=1) * count / ops.maximum(ops.sum(counted), 1)

    def token_nll(self, ids, training=False):
        """Return the negative log-likelihoods of what is predicted at every step, and which of them count.

        Both are (batch, time·directions); zeros where there is nothing to predict. Outside of training, the step
        decides which id of the region it is, and no dice.
        """
        batch, steps = ops.shape(ids)
        mask = ids != 0
        x = self.input_dropout(self.embedding(ids), training=training)
        x = self.stack(x, mask=mask, training=training)
        x = self.output_dropout(x, training=training)
        size, features = self.config["vocabulary_size"], self.config["embedding_dim"]
        sampled = None
        if training:
            sampled = draw_log_uniform(min(self.config["samples"], size), size, self.generator)
        table = ops.convert_to_tensor(self.embedding.embeddings)
        bias = ops.convert_to_tensor(self.bias)
        units, found, counted = self.config["units"], [], []
        for number, projection in enumerate(self.projections):
            contexts = projection(x[:, :, number * units : (number + 1) * units])
            places = self._places((batch, steps), -1 if number else 1, training)
            within = ops.logical_and(places >= 0, places < steps)
            places = ops.clip(places, 0, steps - 1)
            targets = ops.take_along_axis(ids, places, axis=1)
            counts = ops.logical_and(ops.logical_and(mask, within), targets != 0)
            contexts, targets = ops.reshape(contexts, (-1, features)), ops.reshape(targets, (-1,))
            if training:
                nll = sampled_softmax_nll(contexts, targets, table, bias, sampled)
            else:
                nll = softmax_nll(contexts, targets, table, bias)
            counts = ops.cast(counts, nll.dtype)
            found.append(ops.reshape(nll, (batch, steps)) * counts)
            counted.append(counts)
        return ops.concatenate(found, axis=1), ops.concatenate(counted, axis=1)

    def _places(self, shape, way, training):
        """Return where the ids stand that are predicted at each step, (batch, time); some lie outside."""
        steps = ops.arange(shape[1], dtype="int32")
        region = self.config["region"]
        if training and region > 1:
            ahead = keras.random.randint(shape, 1, region + 1, seed=self.generator)
        else:
            ahead = ops.broadcast_to(1 + steps % region, shape)
        return steps + way * ahead

    def get_config(self):
        """Return the arguments of `__init__`."""
        return {"name": self.name, **self.config}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Return the network that `get_config` tells of."""
        return cls(**config)
