"""Why a classifier answers as it does for a text: the explanation itself, plain numbers."""

from dataclasses import dataclass
from typing import Any

from zoo.tasks import Prediction


@dataclass(frozen=True)
class Word:
    """What is said of one word; numbers are log-odds in nats.

    Attributes:
        text: the word in the canonical text.
        pieces: the pieces that the network read for it.
        integrated_gradients: what it adds; those of all words sum to the explained difference.
        occlusion: the log-odds of the text less those of the text without this word.
        attention: its share of the attention pooling's weights; None where the network has none.
    """

    text: str
    pieces: tuple[str, ...]
    integrated_gradients: float
    occlusion: float
    attention: float | None


@dataclass(frozen=True)
class Explanation:
    """Why a text has its answer. Explained are the log-odds log(p / (1 - p)) of one label against all others.

    Attributes:
        text: the raw text.
        prediction: the answer for the pieces that are explained.
        label: the label that is explained.
        log_odds: of `label` for these pieces, in nats.
        baseline: name of the baseline, see `zoo.inspect.baselines`.
        baseline_log_odds: of `label` for the baseline.
        words: in the order of the text.
        steps: points of the path that integrated gradients were taken at.
        residual: the sum of the words' integrated gradients less `difference`.
        converged: whether the residual is at most 1% of that difference, or 0.001 where that is more.
        gates: name of a layer and direction -> name of a gate -> its mean over the units, for each piece.
        pieces: how many pieces the whole text has; the first ones are explained.
    """

    text: str
    prediction: Prediction
    label: str
    log_odds: float
    baseline: str
    baseline_log_odds: float
    words: tuple[Word, ...]
    steps: int
    residual: float
    converged: bool
    gates: dict[str, dict[str, tuple[float, ...]]]
    pieces: int

    @property
    def probability(self) -> float:
        """The probability of the label that is explained."""
        return self.prediction.probabilities[self.label]

    @property
    def difference(self) -> float:
        """What the words' integrated gradients are to sum to: the log-odds less those of the baseline."""
        return self.log_odds - self.baseline_log_odds

    @property
    def explained_pieces(self) -> int:
        """How many pieces the words have; where `pieces` is more, the text was cut."""
        return sum(len(word.pieces) for word in self.words)

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as JSON can hold it."""
        return {
            "text": self.text,
            "pieces": self.pieces,
            "explained_pieces": self.explained_pieces,
            **self.prediction.to_dict(),
            "explained_label": self.label,
            "log_odds": self.log_odds,
            "baseline": self.baseline,
            "baseline_log_odds": self.baseline_log_odds,
            "difference": self.difference,
            "sum_of_integrated_gradients": self.difference + self.residual,
            "residual": self.residual,
            "converged": self.converged,
            "steps": self.steps,
            "words": [{**vars(word), "pieces": list(word.pieces)} for word in self.words],
            "gates": {
                layer: {name: list(means) for name, means in gates.items()}
                for layer, gates in self.gates.items()
            },
        }
