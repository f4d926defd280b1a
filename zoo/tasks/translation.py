"""A translator's answers."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Translation:
    """One translation of a text.

    Attributes:
        text: the translation.
        score: what translations are ranked by: the log-probability, in a measure that long ones do not lose by.
        log_probability: of the translation, in nats, its end included.
    """

    text: str
    score: float
    log_probability: float

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as JSON can hold it."""
        return asdict(self)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Alignment:
    """What the decoder looked at while it wrote a translation.

    Attributes:
        source: the pieces of the source; "▁" begins a word, the last one is the end, "</s>".
        target: the pieces of the translation, the same way.
        weights: the attention, (target, source); the row of a piece is what was looked at to write it. Rows sum to 1.
        text: the translation.
    """

    source: list[str]
    target: list[str]
    weights: np.ndarray
    text: str

    def to_dict(self) -> dict[str, Any]:
        """Return the alignment as JSON can hold it."""
        return {**vars(self), "weights": np.round(self.weights, 6).tolist()}
