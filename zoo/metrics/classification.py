"""Accuracy, F1, area under the ROC curve and log-loss, as scikit-learn defines them."""

import math

import numpy as np

from zoo.metrics.calibration import calibration_error
from zoo.metrics.checks import check_probabilities, check_scores


def accuracy(scores: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of rows whose highest score (the first of equal ones) is that of their label.

    Args:
        scores: `(n, k)` finite numbers, such as probabilities.
        labels: `(n,)` integers from 0 to k - 1.

    Raises:
        UserError: an argument is not as said above.
    """
    scores, labels = check_scores(scores, labels)
    return float(np.mean(scores.argmax(axis=1) == labels))


def macro_f1(scores: np.ndarray, labels: np.ndarray) -> float:
    """Return the unweighted mean of the classes' F1 = 2TP / (2TP + FP + FN).

    The mean is over the classes that occur among the labels or the predictions: for others F1 is 0/0.
    Arguments and errors are those of `accuracy`.
    """
    scores, labels = check_scores(scores, labels)
    classes = scores.shape[1]
    predicted = scores.argmax(axis=1)
    hits = np.bincount(labels[predicted == labels], minlength=classes)
    named = np.bincount(labels, minlength=classes) + np.bincount(predicted, minlength=classes)
    occurs = named > 0
    return float(np.mean(2 * hits[occurs] / named[occurs]))


def roc_auc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Return the area under the ROC curve; for more than two classes the mean of each against the rest.

    It is the chance that an example of a class scores higher in that class's column than one of another
    class, equal scores counting half (Hanley & McNeil, 1982). A class that no example has, or that all have,
    has no area and is left out of the mean. Arguments and errors are those of `accuracy`.

    Returns:
        From 0 to 1, or nan if all examples are of one class.
    """
    scores, labels = check_scores(scores, labels)
    if len(np.unique(labels)) == 1:
        return math.nan
    columns = [1] if scores.shape[1] == 2 else np.unique(labels)
    return float(np.mean([_area(scores[:, column], labels == column) for column in columns]))


def _area(scores: np.ndarray, positive: np.ndarray) -> float:
    """The Mann-Whitney statistic from mean ranks, over the number of pairs."""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    ours = int(positive.sum())
    others = len(positive) - ours
    return (ranks[positive].sum() - ours * (ours + 1) / 2) / (ours * others)


def log_loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean of -log(probability of the label) in nats.

    A probability is taken to be at least the epsilon of its dtype, so that a certain mistake costs 36 nats
    in float64 and 16 in float32. Arguments and errors are those of `zoo.metrics.reliability`.
    """
    probabilities, labels = check_probabilities(probabilities, labels)
    smallest = (
        np.finfo(probabilities.dtype).eps if np.issubdtype(probabilities.dtype, np.floating) else 2.0**-52
    )
    chosen = probabilities[np.arange(len(labels)), labels].astype("float64")
    return float(-np.mean(np.log(np.clip(chosen, smallest, 1 - smallest))))


def classification_metrics(
    probabilities: np.ndarray, labels: np.ndarray, answers: np.ndarray | None = None
) -> dict[str, float]:
    """Return all metrics of a classifier: accuracy, macro_f1, roc_auc, log_loss, calibration_error.

    `roc_auc` is left out if all examples are of one class, so that every value is a finite number.

    Args:
        probabilities: `(n, k)`, rows that sum to 1.
        labels: `(n,)` integers from 0 to k - 1.
        answers: `(n,)` integers, the classes that were answered, which accuracy and macro_f1 are of; by default
            the most probable ones, of which calibration_error always is.

    Raises:
        UserError: an argument is not as said above.
    """
    scores = probabilities if answers is None else np.eye(np.shape(probabilities)[1])[answers]
    metrics = {
        "accuracy": accuracy(scores, labels),
        "macro_f1": macro_f1(scores, labels),
        "roc_auc": roc_auc(probabilities, labels),
        "log_loss": log_loss(probabilities, labels),
        "calibration_error": calibration_error(probabilities, labels),
    }
    return {name: value for name, value in metrics.items() if not math.isnan(value)}
