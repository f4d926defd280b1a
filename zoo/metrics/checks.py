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


def check_decisions(decisions: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both as `(n, k)` booleans, or raise UserError as `label_f1` says."""
    decisions, truth = np.asarray(decisions), np.asarray(truth)
    if decisions.ndim != 2 or decisions.shape != truth.shape or not decisions.size:
        raise UserError(
            f"decisions and truth have the shapes {decisions.shape} and {truth.shape}: give (n, labels) of both, "
            "with at least one text and label"
        )
    for name, found in (("decisions", decisions), ("truth", truth)):
        if found.dtype != bool and not np.isin(found, (0, 1)).all():
            raise UserError(f"{name}: found other values than 0 and 1: give which labels a text has")
    return decisions.astype(bool), truth.astype(bool)


def check_presences(probabilities: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return `(n, k)` probabilities and booleans, or raise UserError as `multi_label_log_loss` says."""
    probabilities = np.asarray(probabilities)
    if probabilities.dtype.kind != "f":
        probabilities = probabilities.astype("float64")
    _, truth = check_decisions(np.zeros(probabilities.shape, dtype=bool), truth)
    outside = ~((probabilities >= 0) & (probabilities <= 1)).all(axis=1)
    if outside.any():
        raise UserError(f"probabilities: row {_first(outside)} holds values that are not from 0 to 1")
    return probabilities, truth


def _first(mask: np.ndarray) -> int:
    return int(np.argmax(mask))
