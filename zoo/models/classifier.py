"""A recurrent classifier of sequences of ids."""

import keras
from keras import ops

from zoo.errors import UserError, unknown
from zoo.layers import POOLINGS, NgramEmbedding, RecurrentStack, WordDropout


@keras.saving.register_keras_serializable(package="zoo")
class RecurrentClassifier(keras.Model):
    """Embedding, recurrent stack, pooling over time, head: integer ids (batch, time) -> logits (batch, classes).

    Id 0 is padding, and masked everywhere.

    Args:
        vocabulary_size: number of ids, padding included.
        num_classes: number of logits.
        cell: name of a cell of the catalogue.
        units: size of each recurrent layer and direction.
        layers: number of recurrent layers.
        bidirectional: whether every layer runs both ways.
        residual: add a layer's input to its output where both have the same width.
        embedding_dim: size of an embedding.
        ngrams: the longest n-gram of ids that has a vector too, added to the embedding of its last id; 1: none.
        ngram_buckets: how many vectors all n-grams share.
        ngram_units: size of such a vector.
        embedding_trainable: False freezes the embeddings (pre-trained vectors, say).
        pooling: `"last"` (the last output, of both directions), or one or several of `"mean"`, `"max"` and
            `"attention"` joined by `+`, whose outputs are concatenated.
        head_units: size of a hidden layer (ReLU) before the logits; 0 for none.
        word_dropout: share of the ids that become the unknown word (id 1) while training.
        embedding_dropout: share of single embedding entries to drop.
        input_dropout: share of the embedding's features to drop, the same ones at all steps of a sequence.
        dropout: the same between recurrent layers.
        recurrent_dropout: of the cells.
        head_dropout: before every dense layer of the head.
        seed: of all dropout masks and starting weights that depend on it.

    Raises:
        UserError: unknown cell or pooling, or a number out of range.
    """

    def __init__(
        self,
        vocabulary_size,
        num_classes,
        *,
        cell="lstm",
        units=128,
        layers=1,
        bidirectional=True,
        residual=False,
        embedding_dim=128,
        ngrams=1,
        ngram_buckets=50_000,
        ngram_units=16,
        embedding_trainable=True,
        pooling="mean+max",
        head_units=0,
        word_dropout=0.0,
        embedding_dropout=0.0,
        input_dropout=0.0,
        dropout=0.0,
        recurrent_dropout=0.0,
        head_dropout=0.0,
        seed=None,
        **kwargs,
    ):
        config = {
            name: value for name, value in locals().items() if name not in ("self", "kwargs", "__class__")
        }
        names = pooling.split("+")
        for name in names:
            if name not in POOLINGS and names != ["last"]:
                raise unknown(
                    "pooling", name, ["last", *POOLINGS], f"choose 'last', or from {', '.join(POOLINGS)}."
                )
        for name in (
            "layers",
            "embedding_dim",
            "vocabulary_size",
            "num_classes",
            "ngrams",
            "ngram_buckets",
            "ngram_units",
        ):
            if not isinstance(config[name], int) or config[name] < 1:
                raise UserError(
                    f"RecurrentClassifier: {name} must be a positive integer, not {config[name]!r}"
                )

        # === layers ===
        seeds = [None if seed is None else seed + number for number in range(1, 5)]

        def optional(layer, rate, seed, name):
            return layer(rate, seed=seed, name=name) if rate else None  # a layer costs time, even an idle one

        droppers = {
            "word_dropout": optional(WordDropout, word_dropout, seeds[0], "word_dropout"),
            "embedding_dropout": optional(
                keras.layers.Dropout, embedding_dropout, seeds[1], "embedding_dropout"
            ),
            "input_dropout": optional(
                keras.layers.SpatialDropout1D, input_dropout, seeds[2], "input_dropout"
            ),
            "head_dropout": optional(keras.layers.Dropout, head_dropout, seeds[3], "head_dropout"),
            "hidden_dropout": optional(
                keras.layers.Dropout, head_dropout * bool(head_units), seeds[3], "hidden_dropout"
            ),
        }
        embedding = keras.layers.Embedding(
            vocabulary_size, embedding_dim, trainable=embedding_trainable, mask_zero=True, name="embedding"
        )
        phrases = None
        if ngrams > 1:
            phrases = NgramEmbedding(embedding_dim, ngrams, ngram_buckets, ngram_units, name="ngrams")
        stack = RecurrentStack(
            cell,
            (units,) * layers,
            bidirectional=bidirectional,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            residual=residual,
            return_sequences=names != ["last"],
            seed=seed,
            name="stack",
        )
        poolings = (
            {} if names == ["last"] else {name: POOLINGS[name](name=f"{name}_pooling") for name in names}
        )
        hidden = keras.layers.Dense(head_units, activation="relu", name="hidden") if head_units else None
        logits = keras.layers.Dense(num_classes, dtype="float32", name="logits")

        def dropped(name, x, **kwargs):
            return x if droppers[name] is None else droppers[name](x, **kwargs)

        def embed(ids, before=None, **kwargs):
            ids = dropped("word_dropout", ids, **kwargs)
            return embedding(ids) if phrases is None else embedding(ids) + phrases(ids, before=before)

        def head(pooled, **kwargs):
            x = dropped("head_dropout", pooled, **kwargs)
            if hidden is not None:
                x = dropped("hidden_dropout", hidden(x), **kwargs)
            return logits(x)

        def upper(embedded, mask, **kwargs):
            x = dropped("embedding_dropout", embedded, **kwargs)
            x = dropped("input_dropout", x, **kwargs)
            x = stack(x, mask=mask, **kwargs)
            if poolings:
                pooled = [pooling(x, mask=mask) for pooling in poolings.values()]
                x = ops.concatenate(pooled, axis=-1) if len(pooled) > 1 else pooled[0]
            return head(x, **kwargs)

        # === functional model ===
        ids = keras.Input((None,), dtype="int32", name="ids")
        super().__init__(inputs=ids, outputs=upper(embed(ids), ops.not_equal(ids, 0)), **kwargs)

        # === config ===
        self.config = config
        self.parts = {"embedding": embedding, "stack": stack, "poolings": poolings}
        self._embed, self._upper, self._head = embed, upper, head
        self.adversary = None  # what `compute_loss` adds, see `zoo.tasks.adversarial`
        self.noise = keras.random.SeedGenerator(None if seed is None else seed + 5)

    def embed(self, ids, training=False, before=None):
        """Return the embeddings (batch, time, features) of ids (batch, time).

        Args:
            ids: integers; 0 is padding.
            training: whether dropout is on.
            before: where `ids` go on with a longer text, the `ngrams` - 1 ids before them, (batch, ngrams - 1).
        """
        return self._embed(ids, before, training=training)

    def from_embeddings(self, embedded, mask, training=False):
        """Return the logits (batch, classes) of embeddings (batch, time, features), as `call` does of ids.

        Args:
            embedded: what `embed` returns, or something near it.
            mask: boolean (batch, time), true at real steps.
            training: whether dropout is on.
        """
        return self._upper(embedded, mask, training=training)

    def from_pooled(self, pooled):
        """Return the logits (batch, classes) of the poolings' outputs side by side, (batch, width)."""
        return self._head(pooled, training=False)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Return the loss of a batch, with that of the adversary while training if there is one."""
        found = super().compute_loss(x, y, y_pred, sample_weight, training=training)
        if training and self.adversary is not None:
            found = found + self.adversary.loss(self, self.loss, x, y, sample_weight, self.noise)
        return found

    def get_config(self):
        """Return the arguments of `__init__`."""
        return {"name": self.name, **self.config}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Return the network that `get_config` tells of."""
        return cls(**config)
