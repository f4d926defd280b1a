"""Whether a classifier that says 0.9 is right nine times in ten (Guo, Pleiss, Sun & Weinberger, 2017)."""

from dataclasses import dataclass

import numpy as np

from zoo.errors import UserError
from zoo.metrics.checks import check_probabilities


@dataclass(frozen=True)
class Reliability:
    """Examples put into bins of equal width by their confidence, the probability of the predicted class.

    Attributes:
        edges: `(bins + 1,)` from 0 to 1; bin m holds the confidences in (edges[m], edges[m + 1]].
        counts: `(bins,)` how many examples are in each bin.
        confidence: `(bins,)` their mean confidence, nan in an empty bin.
        accuracy: `(bins,)` the share of them that is classified correctly, nan in an empty bin.
    """

    edges: np.ndarray
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error (equation 3 of the paper): the mean gap over all examples."""
        filled = self.counts > 0
        gaps = np.abs(self.accuracy[filled] - self.confidence[filled])
        return float(np.average(gaps, weights=self.counts[filled]))


def reliability(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> Reliability:
    """Return the bins behind a reliability diagram, of the most probable class (the first of equal ones).

    Args:
        probabilities: `(n, k)`, rows that sum to 1.
        labels: `(n,)` integers from 0 to k - 1.
        bins: 15 in the paper.

    Raises:
        UserError: an argument is not as said above.
    """
    probabilities, labels = check_probabilities(probabilities, labels)
    if bins < 1:
        raise UserError(f"bins is {bins}: give at least 1")
    confidence = probabilities.max(axis=1).astype("float64")
    correct = probabilities.argmax(axis=1) == labels
    edges = np.linspace(0, 1, bins + 1)
    place = np.searchsorted(edges[1:-1], confidence, side="left")
    counts = np.bincount(place, minlength=bins)
    size = np.where(counts > 0, counts, np.nan)
    return Reliability(
        edges=edges,
        counts=counts,
        confidence=np.bincount(place, confidence, minlength=bins) / size,
        accuracy=np.bincount(place, correct, minlength=bins) / size,
    )


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """Return the expected calibration error of the predicted class over bins of equal width, from 0 to 1.

    With m over the bins, n the number of examples and n_m those in bin m:

        ECE = Σ_m n_m / n · |accuracy_m − confidence_m|

    Arguments and errors are those of `reliability`.
    """
    return reliability(probabilities, labels, bins).error
