"""What is chosen on validation data once a network has learned: a temperature, and thresholds of answers."""

from collections.abc import Callable

import numpy as np

from zoo.errors import unknown

TEMPERATURES = (0.05, 20.0)
"""The lowest and the highest temperature that is looked for."""

_HALVINGS = 60  # of the range of log T: to the last digit of a float


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature T that makes softmax(logits / T) most probable (Guo, Pleiss, Sun & Weinberger, 2017).

    The log-loss is convex in β = 1/T. Its slope, with z the logits and y the label,

        Σ_rows (E_softmax(βz)[z] − z_y)

    rises with β; T is found where it is zero, or at an end of `TEMPERATURES`. If no label has a higher logit than
    that of the example's own, the log-loss falls for ever as T does: such data cannot tell T, and it is 1.

    Args:
        logits: (count, classes), at least one row.
        labels: (count,) integers, the class of each row.
    """
    logits = np.asarray(logits, dtype="float64")
    above = logits - np.take_along_axis(logits, np.asarray(labels)[:, None], axis=1)  # z − z_y
    if (above <= 0).all():
        return 1.0
    highest = above.max(axis=1, keepdims=True)

    def slope(temperature):
        exponentials = np.exp((above - highest) / temperature)
        return (exponentials * above).sum(axis=1) @ (1 / exponentials.sum(axis=1))

    low, high = np.log(TEMPERATURES)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(np.exp(middle)) > 0 else (low, middle)
    return float(np.exp((low + high) / 2))


def _accuracy(hits, answered, positive, count):
    return (count - answered - positive + 2 * hits) / count


def _f1(hits, answered, positive, count):
    return 2 * hits / np.maximum(answered + positive, 1)


def _macro_f1(hits, answered, positive, count):
    others = count - answered - positive + hits
    return (_f1(hits, answered, positive, count) + _f1(others, count - answered, count - positive, count)) / 2


METRICS: dict[str, Callable[..., np.ndarray]] = {
    "accuracy": _accuracy,
    "f1": _f1,
    "macro_f1": _macro_f1,
}
"""What a threshold may be the best by: of true positives, of answered, of positive examples and of all, the value."""


def best_threshold(probabilities: np.ndarray, truth: np.ndarray, metric: str) -> float:
    """Return the probability from which on saying yes has the best `metric`; of equals the nearest to 0.5.

    Looked at are 0.5 and the middle between each two neighbouring probabilities.

    Args:
        probabilities: (count,), from 0 to 1.
        truth: (count,) booleans.
        metric: a name of `METRICS`.

    Raises:
        UserError: an unknown metric.
    """
    if metric not in METRICS:
        raise unknown("metric", metric, METRICS)
    order = np.argsort(probabilities, kind="stable")
    ranked = np.asarray(probabilities, dtype="float64")[order]
    below = np.concatenate([[0], np.cumsum(np.asarray(truth, dtype=bool)[order])])  # positive among the first
    edges = np.unique([0.0, *ranked, 1.0])
    candidates = np.append((edges[1:] + edges[:-1]) / 2, 0.5)
    passed = np.searchsorted(ranked, candidates, side="left")
    values = METRICS[metric](below[-1] - below[passed], len(ranked) - passed, below[-1], len(ranked))
    best = candidates[values >= values.max() - 1e-12]  # sums of equal fractions may differ in the last digit
    return float(min(best, key=lambda threshold: (abs(threshold - 0.5), threshold)))
