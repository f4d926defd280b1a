"""Every number of a training."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Recipe:
    """A network and how it learns; the names are those of `Translator` and its `fit`, and of `cleaning.clean`.

    Attributes:
        examples: learn from so many pairs, drawn by the seed, instead of from all: for quick trials.
        max_words: pairs with a longer side are left out of training.
        max_ratio: so are those of which a side is so many times as long as the other.
        duplicates: so are pairs that stood before.
        model_type: kind of subwords, `"bpe"` or `"unigram"`.
        max_length: the most ids of a sentence; pairs with a longer side are left out of training.
        attention: `"none"`, or a name of `zoo.layers.ATTENTIONS`.
        monitor: what chooses the best epoch; None: `"val_bleu"`.
    """

    examples: int | None = None
    max_words: int = 100
    max_ratio: float = 4.0
    duplicates: bool = True
    vocabulary_size: int = 8000
    model_type: Literal["bpe", "unigram"] = "bpe"
    max_length: int = 100
    cell: str = "gru"
    units: int = 256
    encoder_layers: int = 1
    decoder_layers: int = 2
    bidirectional: bool = True
    residual: bool = False
    embedding_dim: int = 256
    attention: Literal["none", "additive", "dot", "general", "concat", "scaled", "multi_head"] = "additive"
    attention_units: int | None = None
    heads: int = 4
    input_feeding: bool = True
    input_dropout: float = 0.2
    dropout: float = 0.2
    output_dropout: float = 0.2
    recurrent_dropout: float = 0.0
    label_smoothing: float = 0.1
    epochs: int = 10
    batch_size: int = 256
    batch_tokens: int | None = 2000
    learning_rate: float = 1e-3
    schedule: str = "cosine"
    warmup: float = 0.05
    weight_decay: float = 0.0
    clipnorm: float = 1.0
    average: int = 3
    subword_sampling: float = 0.0
    validation_beam: int = 1
    monitor: str | None = None
    patience: int | None = None


RECIPES: dict[str, Recipe] = {
    # a minute on any data: to see that all works
    "tiny": Recipe(
        vocabulary_size=500,
        units=48,
        embedding_dim=32,
        decoder_layers=1,
        input_dropout=0.1,
        dropout=0.1,
        output_dropout=0.1,
        epochs=20,
        batch_tokens=400,
        learning_rate=1e-2,
        average=3,
    ),
    # some 100,000 pairs or more, from scratch
    "base": Recipe(),
    # Multi30k: 29,000 captions of pictures, lower-cased and tokenised
    "multi30k": Recipe(
        vocabulary_size=5000,
        embedding_dim=192,
        input_dropout=0.35,
        dropout=0.35,
        output_dropout=0.35,
        epochs=24,
        batch_tokens=3000,
        learning_rate=2e-3,
        average=5,
    ),
    # Tatoeba: 159,228 pairs of short everyday sentences
    "tatoeba": Recipe(
        max_length=50,
        embedding_dim=192,
        epochs=12,
        batch_tokens=4000,
        learning_rate=2e-3,
    ),
}


@dataclass(frozen=True)
class Finetuning:
    """How a preset learns further; the names are those of `Recipe`."""

    max_words: int = 100
    max_ratio: float = 4.0
    duplicates: bool = True
    epochs: int = 5
    batch_size: int = 256
    batch_tokens: int | None = 2000
    learning_rate: float = 3e-4
    schedule: str = "cosine"
    warmup: float = 0.05
    weight_decay: float = 0.0
    clipnorm: float = 1.0
    average: int = 1
    subword_sampling: float = 0.0
    validation_beam: int = 1
    monitor: str | None = None
    patience: int | None = None


FINETUNING = Finetuning()
