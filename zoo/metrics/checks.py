"""What every metric of a classifier asks of its arguments."""

import numpy as np

from zoo.errors import UserError


def check_scores(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both as arrays: `(n, k)` finite numbers, a column for each class, and `(n,)` classes from 0.

    Raises:
        UserError: a wrong shape, no example, fewer than two classes, a score that is not finite, a label that
            is no integer or has no column.
    """
    scores, labels = np.asarray(scores), np.asarray(labels)
    if scores.ndim != 2 or labels.shape != scores.shape[:1]:
        raise UserError(
            f"scores and labels have the shapes {scores.shape} and {labels.shape}: give (n, classes) and (n,)"
        )
    count, classes = scores.shape
    if count == 0 or classes < 2:
        raise UserError(
            f"{count} examples of {classes} classes: give at least one example and two classes to measure"
        )
    if not np.isfinite(scores).all():
        raise UserError(f"scores: row {_first(~np.isfinite(scores).all(axis=1))} is not finite")
    if not np.issubdtype(labels.dtype, np.integer):
        raise UserError(f"labels are of dtype {labels.dtype}: give the number of each class, from 0")
    outside = (labels < 0) | (labels >= classes)
    if outside.any():
        row = _first(outside)
        raise UserError(f"labels: row {row} is class {labels[row]}; the classes are 0 to {classes - 1}")
    return scores, labels


def check_probabilities(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what `check_scores` does, of probabilities: none below 0, rows that sum to 1 within 0.001.

    Raises:
        UserError: as in `check_scores`, or a row holds no probabilities.
    """
    probabilities, labels = check_scores(probabilities, labels)
    total = probabilities.sum(axis=1, dtype="float64")
    wrong = (probabilities < 0).any(axis=1) | (np.abs(total - 1) > 1e-3)
    if wrong.any():
        row = _first(wrong)
        raise UserError(
            f"probabilities: row {row} sums to {total[row]:.4g} with a smallest value of "
            f"{probabilities[row].min():.4g}; give values from 0 that sum to 1"
        )
    return probabilities, labels


def _first(mask: np.ndarray) -> int:
    return int(np.argmax(mask))
