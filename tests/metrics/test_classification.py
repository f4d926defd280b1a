"""The metrics equal scikit-learn's on random data with ties, and say what they cannot measure."""

import math
import warnings

import numpy as np
import pytest
import sklearn.metrics

from zoo import UserError, metrics


def draw(seed: int, classes: int, count: int = 97, dtype: str = "float64") -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities that are multiples of 1/8, so that many are equal, and labels of every class."""
    generator = np.random.default_rng(seed)
    probabilities = generator.multinomial(8, generator.dirichlet(np.ones(classes)), size=count) / 8
    labels = generator.permutation(np.arange(count) % classes)
    return probabilities.astype(dtype), labels


CASES = [(seed, classes) for seed in range(5) for classes in (2, 3, 7)]


@pytest.mark.parametrize(("seed", "classes"), CASES)
def test_equal_to_scikit_learn(seed, classes):
    probabilities, labels = draw(seed, classes)
    predicted = probabilities.argmax(axis=1)
    scores = probabilities[:, 1] if classes == 2 else probabilities
    expected = {
        "accuracy": sklearn.metrics.accuracy_score(labels, predicted),
        "macro_f1": sklearn.metrics.f1_score(labels, predicted, average="macro"),
        "roc_auc": sklearn.metrics.roc_auc_score(labels, scores, multi_class="ovr"),
        "log_loss": sklearn.metrics.log_loss(labels, probabilities),
    }
    for name, value in expected.items():
        assert getattr(metrics, name)(probabilities, labels) == pytest.approx(value, abs=1e-12), name
    found = metrics.classification_metrics(probabilities, labels)
    assert list(found) == [*expected, "calibration_error"]
    assert all(type(value) is float for value in found.values())
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-12)


def test_log_loss_takes_the_epsilon_of_the_dtype_as_scikit_learn_does():
    probabilities, labels = draw(0, 2, dtype="float32")
    assert (probabilities[np.arange(len(labels)), labels] == 0).any()
    expected = sklearn.metrics.log_loss(labels, probabilities)
    assert metrics.log_loss(probabilities, labels) == pytest.approx(expected, rel=1e-6)
    assert metrics.log_loss(np.array([[1, 0], [1, 0]]), np.array([0, 1])) == pytest.approx(
        52 * math.log(2) / 2
    )


def test_macro_f1_leaves_out_classes_that_do_not_occur():
    probabilities = np.eye(5)[[0, 1, 1, 3]]
    labels = np.array([0, 1, 3, 3])
    expected = sklearn.metrics.f1_score(labels, [0, 1, 1, 3], average="macro")
    assert metrics.macro_f1(probabilities, labels) == pytest.approx(expected, abs=1e-12)
    assert metrics.macro_f1(probabilities, labels) == pytest.approx((1 + 2 / 3 + 2 / 3) / 3)


def test_roc_auc_leaves_out_classes_that_do_not_occur():
    probabilities = np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.5, 0.4, 0.1]])
    labels = np.array([0, 1, 1])
    each = [sklearn.metrics.roc_auc_score(labels == column, probabilities[:, column]) for column in (0, 1)]
    assert metrics.roc_auc(probabilities, labels) == pytest.approx(np.mean(each))


def test_roc_auc_of_a_single_class_is_undefined():
    probabilities = np.array([[0.6, 0.4], [0.3, 0.7]])
    labels = np.array([1, 1])
    assert math.isnan(metrics.roc_auc(probabilities, labels))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sklearn.exceptions.UndefinedMetricWarning)
        assert math.isnan(sklearn.metrics.roc_auc_score(labels, probabilities[:, 1]))
    assert list(metrics.classification_metrics(probabilities, labels)) == [
        "accuracy", "macro_f1", "log_loss", "calibration_error",
    ]  # fmt: skip


def test_roc_auc_of_many_pairs_is_exact():
    scores = np.linspace(0, 1, 200_000)
    labels = (np.arange(200_000) >= 100_000).astype(int)
    assert metrics.roc_auc(np.stack([1 - scores, scores], axis=1), labels) == 1.0
    assert metrics.roc_auc(np.full((200_000, 2), 0.5), labels) == 0.5


def test_scores_need_not_be_probabilities():
    scores, labels = np.array([[-3.0, 2.0], [5.0, -1.0], [0.0, 1.0]]), np.array([1, 0, 0])
    assert metrics.accuracy(scores, labels) == pytest.approx(2 / 3)
    assert metrics.roc_auc(scores, labels) == 1.0
    with pytest.raises(UserError, match="row 0 sums to -1"):
        metrics.log_loss(scores, labels)


HALF = np.full((2, 2), 0.5)
WRONG = {
    "shape": (np.ones(3), np.array([0, 1, 1]), r"shapes \(3,\) and \(3,\)"),
    "count": (HALF, np.array([0]), r"shapes \(2, 2\) and \(1,\)"),
    "empty": (np.ones((0, 2)), np.ones(0, int), "0 examples of 2 classes"),
    "one class": (np.ones((2, 1)), np.array([0, 0]), "2 examples of 1 classes"),
    "nan": (np.array([[0.5, 0.5], [np.nan, 0.5]]), np.array([0, 1]), "row 1 is not finite"),
    "float labels": (HALF, np.array([0.0, 1.0]), "dtype float64"),
    "names": (HALF, np.array(["a", "b"]), "dtype <U1"),
    "too high": (HALF, np.array([0, 2]), "row 1 is class 2; the classes are 0 to 1"),
    "negative": (HALF, np.array([-1, 0]), "row 0 is class -1"),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "roc_auc", "log_loss", "calibration_error"])
def test_wrong_arguments(metric, case):
    scores, labels, message = WRONG[case]
    with pytest.raises(UserError, match=message):
        getattr(metrics, metric)(scores, labels)
