"""Every number of a training."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """A network and how it learns; the names are those of `SentimentClassifier` and its `fit`.

    Attributes:
        phrases: learn from every labelled phrase of the treebank, in five degrees from very negative to very
            positive, instead of from its sentences in two; for `sst:` alone.
        model_type: kind of subwords, `"unigram"` or `"bpe"`.
    """

    phrases: bool = False
    vocabulary_size: int = 8000
    model_type: str = "unigram"
    max_length: int = 512
    cell: str = "lstm"
    units: int = 128
    layers: int = 1
    bidirectional: bool = True
    residual: bool = False
    embedding_dim: int = 128
    pooling: str = "mean+max"
    head_units: int = 0
    word_dropout: float = 0.0
    embedding_dropout: float = 0.3
    input_dropout: float = 0.0
    dropout: float = 0.3
    recurrent_dropout: float = 0.0
    head_dropout: float = 0.4
    word_vectors: str | None = None
    embedding_trainable: bool = True
    epochs: int = 4
    batch_size: int = 64
    learning_rate: float = 2e-3
    schedule: str = "cosine"
    warmup: float = 0.05
    weight_decay: float = 0.0
    clipnorm: float = 1.0
    averaging: float = 0.998
    label_smoothing: float = 0.0
    subword_sampling: float = 0.0
    monitor: str = "val_accuracy"
    patience: int | None = None


@dataclass(frozen=True)
class Pretraining:
    """A language model and how it learns; the names are those of `LanguageModel` and its `fit`.

    Attributes:
        held_texts: how many texts are held back to tell the perplexity.
    """

    held_texts: int = 500
    vocabulary_size: int = 16_000
    vocabulary_texts: int = 20_000
    window: int = 256
    cell: str = "lstm"
    units: int = 256
    layers: int = 1
    bidirectional: bool = True
    embedding_dim: int = 160
    input_dropout: float = 0.0
    output_dropout: float = 0.0
    samples: int = 1024
    epochs: int = 2
    batch_size: int = 64
    learning_rate: float = 2e-3
    schedule: str = "cosine"
    warmup: float = 0.02
    weight_decay: float = 0.0
    clipnorm: float = 1.0
    averaging: float = 0.0


PRETRAINING: dict[str, Pretraining] = {
    # seconds on any data: to see that all works
    "tiny": Pretraining(
        held_texts=10,
        vocabulary_size=1000,
        units=16,
        embedding_dim=16,
        window=64,
        batch_size=16,
        learning_rate=1e-2,
    ),
    # reviews without labels, 20 million ids: two passes take about an hour on two cores
    "reviews": Pretraining(),
}

RECIPES: dict[str, Recipe] = {
    # seconds on any data: to see that all works
    "tiny": Recipe(
        epochs=12,
        vocabulary_size=1000,
        units=16,
        embedding_dim=16,
        averaging=0.0,
        learning_rate=1e-2,
        batch_size=16,
        max_length=128,
    ),
    # whole reviews or sentences with labels, from scratch
    "base": Recipe(epochs=6),
    # SST-2 with the treebank's own phrases: the shipped preset sentiment_sst2_en
    "sst2": Recipe(phrases=True, epochs=3, batch_size=128),
}

# What `finetune` begins from where nothing else is said.
FINETUNE = {"epochs": 3, "batch_size": 32, "learning_rate": 5e-4}
