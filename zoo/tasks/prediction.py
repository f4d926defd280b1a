"""The answer of a classifier for one text."""

from dataclasses import dataclass
from typing import Any

SEPARATOR = ";"
"""What stands between the labels of one text where they are written as one text."""


@dataclass(frozen=True)
class Prediction:
    """The answer for one text.

    Attributes:
        label: the label that is answered; where a text may have several, the most probable one.
        probability: its probability, 0 to 1.
        probabilities: label -> probability; they sum to 1 unless a text may have several.
        labels: where a text may have several, those that are answered: any number, or none; else None.
    """

    label: str
    probability: float
    probabilities: dict[str, float]
    labels: tuple[str, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as JSON can hold it; several labels are one text with semicolons between."""
        if self.labels is not None:
            return {"labels": SEPARATOR.join(self.labels), "probabilities": self.probabilities}
        return {"label": self.label, "probability": self.probability, "probabilities": self.probabilities}

    def __str__(self) -> str:
        if self.labels is not None:
            found = (f"{label}  {self.probabilities[label]:.3f}" for label in self.labels)
            return "  ".join(found) or "(no label)"
        return f"{self.label}  {self.probability:.3f}"
