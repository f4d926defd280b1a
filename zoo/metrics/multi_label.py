"""Metrics of a classifier that may give a text several labels or none, as scikit-learn defines them."""

import numpy as np

from zoo.metrics.calibration import Reliability, reliability
from zoo.metrics.checks import check_decisions, check_presences


def label_f1(decisions: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return F1 = 2TP / (2TP + FP + FN) of each label, `(k,)`; nan for one that neither occurs nor is answered.

    Args:
        decisions: `(n, k)` booleans: which labels each text was given.
        truth: `(n, k)` booleans: which it has.

    Raises:
        UserError: the shapes differ, or there is nothing to measure.
    """
    decisions, truth = check_decisions(decisions, truth)
    hits, named = (decisions & truth).sum(axis=0), decisions.sum(axis=0) + truth.sum(axis=0)
    return np.divide(2.0 * hits, named, out=np.full(len(hits), np.nan), where=named > 0)


def multi_label_macro_f1(decisions: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean of the labels' F1; those that neither occur nor are answered are left out.

    It is 0 where that is all of them. Arguments and errors are those of `label_f1`.
    """
    found = label_f1(decisions, truth)
    return float(np.nanmean(found)) if not np.isnan(found).all() else 0.0


def micro_f1(decisions: np.ndarray, truth: np.ndarray) -> float:
    """Return F1 of all labels' decisions together, 0 where nothing occurs and nothing is answered.

    Arguments and errors are those of `label_f1`.
    """
    decisions, truth = check_decisions(decisions, truth)
    return float(2 * (decisions & truth).sum() / max(decisions.sum() + truth.sum(), 1))


def subset_accuracy(decisions: np.ndarray, truth: np.ndarray) -> float:
    """Return the share of texts whose labels are all right, and none too many.

    Arguments and errors are those of `label_f1`.
    """
    decisions, truth = check_decisions(decisions, truth)
    return float((decisions == truth).all(axis=1).mean())


def multi_label_log_loss(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean over texts and labels of -log(probability of what is so), in nats.

    A probability is taken to be at least the epsilon of its dtype, as in `log_loss`.

    Args:
        probabilities: `(n, k)`, of each label's presence.
        truth: `(n, k)` booleans.

    Raises:
        UserError: the shapes differ, there is nothing to measure, or a number is no probability.
    """
    probabilities, truth = check_presences(probabilities, truth)
    smallest = np.finfo(probabilities.dtype).eps
    chosen = np.where(truth, probabilities, 1 - probabilities).astype("float64")
    return float(-np.mean(np.log(np.clip(chosen, smallest, 1 - smallest))))


def multi_label_reliability(probabilities: np.ndarray, truth: np.ndarray, bins: int = 15) -> Reliability:
    """Return the bins of `reliability`, where each label of each text is an example of two classes.

    Arguments and errors are those of `multi_label_log_loss`.
    """
    probabilities, truth = check_presences(probabilities, truth)
    present = probabilities.ravel().astype("float64")
    return reliability(np.stack([1 - present, present], axis=1), truth.ravel().astype("int64"), bins)


def multi_label_metrics(
    probabilities: np.ndarray, truth: np.ndarray, decisions: np.ndarray
) -> dict[str, float]:
    """Return micro_f1, macro_f1, subset_accuracy, log_loss and calibration_error.

    Args:
        probabilities: `(n, k)`, of each label's presence.
        truth: `(n, k)` booleans: which labels each text has.
        decisions: `(n, k)` booleans: which it was given.

    Raises:
        UserError: an argument is not as said above.
    """
    return {
        "micro_f1": micro_f1(decisions, truth),
        "macro_f1": multi_label_macro_f1(decisions, truth),
        "subset_accuracy": subset_accuracy(decisions, truth),
        "log_loss": multi_label_log_loss(probabilities, truth),
        "calibration_error": multi_label_reliability(probabilities, truth).error,
    }
