"""Every number of a training."""

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True)
class Recipe:
    """A network and how it learns; the names are those of `SentimentClassifier` and its `fit`.

    Attributes:
        phrases: learn from every labelled phrase of the treebank, in five degrees from very negative to very
            positive, instead of from its sentences; for `sst:` and `sst5:`.
        examples: learn from so many texts, drawn by the seed, instead of from all: for quick trials.
        pretrained: a language model to start from, the run or preset of a `zoo pretrain`; its pieces, cell, units
            and embeddings count.
        unlabelled: a source of texts without labels, of `imdb:PATH` the split `unsupervised`: for
            `virtual_adversarial`, or, with `teachers`, to learn from.
        unlabelled_sentences: cut them into sentences.
        unlabelled_examples: use so many of them, drawn by the seed, instead of all.
        teachers: runs or presets joined by commas, and `nb-svm` for the baseline, whose mean answers are the labels
            of the unlabelled texts: self-training.
        model_type: kind of subwords, `"unigram"` or `"bpe"`.
        truncation: which `max_length` ids of a longer text are learned from: `"head"`, `"tail"`, or `"both"`, half
            of them from either end.
        class_weight: `"balanced"`, so that rare labels weigh more, or weights of labels, "negative:1,positive:2".
        monitor: what chooses the best epoch; None: `"val_accuracy"`, of several labels a text `"val_micro_f1"`.
        calibrate: whether the validation data choose a temperature afterwards; it changes probabilities, no answer.
        threshold: by which metric the validation data choose from which probability on a label is answered: the
            second one of two, or each of several; None: the most probable one is, or from 0.5 on.
    """

    phrases: bool = False
    examples: int | None = None
    vocabulary_size: int = 8000
    model_type: str = "unigram"
    max_length: int = 512
    truncation: str = "head"
    cell: str = "lstm"
    units: int = 128
    layers: int = 1
    bidirectional: bool = True
    residual: bool = False
    embedding_dim: int = 128
    ngrams: int = 1
    ngram_buckets: int = 50_000
    ngram_units: int = 16
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
    pretrained: str | None = None
    discriminative: float = 1.0
    gradual_unfreezing: float = 0.0
    adversarial: float = 0.0
    virtual_adversarial: float = 0.0
    unlabelled: str | None = None
    unlabelled_sentences: bool = False
    unlabelled_examples: int | None = None
    teachers: str | None = None
    label_smoothing: float = 0.0
    subword_sampling: float = 0.0
    class_weight: str | None = None
    monitor: str | None = None
    patience: int | None = None
    calibrate: bool = True
    threshold: Literal["accuracy", "f1"] | None = None


@dataclass(frozen=True)
class Pretraining:
    """A language model and how it learns; the names are those of `LanguageModel` and its `fit`.

    Attributes:
        examples: learn from so many texts, drawn by the seed, instead of from all: for quick trials.
        held_texts: how many texts are held back to tell the perplexity.
    """

    examples: int | None = None
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
    region: int = 1
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

# what the recipes of whole reviews share: the sizes of the language model "reviews" that they start from
_REVIEWS = Recipe(
    vocabulary_size=16_000,
    max_length=400,
    truncation="both",
    units=256,
    embedding_dim=160,
    word_dropout=0.1,
    batch_size=32,
    learning_rate=1e-3,
)

_PHRASES = Recipe(phrases=True, epochs=3, batch_size=128)

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
    # whole reviews, from a language model of reviews: --set pretrained=DIR
    "imdb": replace(_REVIEWS, embedding_dropout=0.5, head_dropout=0.5, epochs=4),
    # the same, with many more reviews that others have labelled: --set teachers=RUN,nb-svm --set unlabelled=SOURCE
    "imdb_student": replace(_REVIEWS, ngrams=3, word_dropout=0.2, learning_rate=2e-3, epochs=2),
    # SST-2 with the treebank's own phrases
    "sst2": _PHRASES,
    # the same, with many more sentences that others have labelled: --set teachers=RUN,RUN --set unlabelled=SOURCE
    "sst2_student": replace(
        _PHRASES,
        units=192,
        ngrams=3,
        word_dropout=0.1,
        epochs=2,
        monitor="val_roc_auc",
        unlabelled_sentences=True,
        unlabelled_examples=300_000,
    ),
}


@dataclass(frozen=True)
class Finetuning:
    """How a preset learns further; the names are those of `Recipe`."""

    epochs: int = 3
    batch_size: int = 32
    learning_rate: float = 5e-4
    schedule: str = "cosine"
    warmup: float = 0.05
    weight_decay: float = 0.0
    clipnorm: float = 1.0
    averaging: float = 0.0
    discriminative: float = 1.0
    gradual_unfreezing: float = 0.0
    adversarial: float = 0.0
    virtual_adversarial: float = 0.0
    label_smoothing: float = 0.0
    subword_sampling: float = 0.0
    class_weight: str | None = None
    monitor: str | None = None
    patience: int | None = None
    calibrate: bool = True
    threshold: Literal["accuracy", "f1"] | None = None


FINETUNING = Finetuning()
