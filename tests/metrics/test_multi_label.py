"""The metrics of several labels a text equal scikit-learn's on random data, rare and missing labels among them."""

import numpy as np
import pytest
import sklearn.metrics

from zoo import UserError, metrics


def draw(seed, labels, count=83, dtype="float64"):
    generator = np.random.default_rng(seed)
    rates = generator.uniform(0.02, 0.6, labels)
    truth = generator.uniform(size=(count, labels)) < rates
    probabilities = np.clip(0.6 * truth + generator.uniform(-0.2, 0.6, truth.shape), 0, 1).astype(dtype)
    return probabilities, truth, probabilities >= 0.5


@pytest.mark.parametrize("labels", [1, 2, 5, 12])
@pytest.mark.parametrize("seed", range(4))
def test_equal_to_scikit_learn(seed, labels):
    probabilities, truth, decisions = draw(seed, labels)
    f1 = sklearn.metrics.f1_score
    if labels == 1:  # which scikit-learn takes for a column of classes
        np.testing.assert_allclose(metrics.label_f1(decisions, truth), [f1(truth[:, 0], decisions[:, 0])])
        return
    each = f1(truth, decisions, average=None, zero_division=np.nan)
    np.testing.assert_allclose(metrics.label_f1(decisions, truth), each, atol=1e-12)
    expected = {
        "micro_f1": f1(truth, decisions, average="micro"),
        "macro_f1": f1(truth, decisions, average="macro", zero_division=np.nan),
        "subset_accuracy": sklearn.metrics.accuracy_score(truth, decisions),
        "log_loss": np.mean(
            [sklearn.metrics.log_loss(truth[:, k], probabilities[:, k], labels=[0, 1]) for k in range(labels)]
        ),
    }
    found = metrics.multi_label_metrics(probabilities, truth, decisions)
    assert list(found) == [*expected, "calibration_error"]
    assert all(type(value) is float for value in found.values())
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-12)


def test_calibration_error_takes_every_decision_for_an_example():
    probabilities, truth, decisions = draw(0, 3)
    flat = probabilities.ravel()
    expected = metrics.calibration_error(np.stack([1 - flat, flat], axis=1), truth.ravel().astype(int))
    found = metrics.multi_label_metrics(probabilities, truth, decisions)["calibration_error"]
    assert found == pytest.approx(expected, abs=1e-12)


def test_labels_that_neither_occur_nor_are_answered_are_left_out():
    truth = np.array([[1, 0, 0], [1, 0, 1]])
    decisions = np.array([[1, 0, 0], [0, 0, 0]])
    np.testing.assert_allclose(metrics.label_f1(decisions, truth), [2 / 3, np.nan, 0])
    assert metrics.multi_label_macro_f1(decisions, truth) == pytest.approx(1 / 3)
    nothing = np.zeros((2, 2))
    assert metrics.multi_label_macro_f1(nothing, nothing) == metrics.micro_f1(nothing, nothing) == 0
    assert metrics.subset_accuracy(nothing, nothing) == 1


def test_certain_mistakes_cost_a_finite_log_loss():
    truth = np.array([[True, False]])
    for dtype, bits in (("float64", 52), ("float32", 23)):
        found = metrics.multi_label_log_loss(np.array([[0.0, 0.5]], dtype=dtype), truth)
        assert found == pytest.approx((bits + 1) * np.log(2) / 2, rel=1e-6)


@pytest.mark.parametrize(
    ("probabilities", "truth", "message"),
    [
        (np.zeros((2, 3)), np.zeros((2, 2)), r"shapes \(2, 3\) and \(2, 2\)"),
        (np.zeros(3), np.zeros(3), r"shapes \(3,\) and \(3,\)"),
        (np.zeros((0, 3)), np.zeros((0, 3)), "at least one text"),
        (np.array([[0.5], [1.5]]), np.zeros((2, 1)), "row 1 holds values that are not from 0 to 1"),
        (np.array([[0.5], [np.nan]]), np.zeros((2, 1)), "row 1 holds"),
        (np.zeros((1, 1)), np.array([[2]]), "truth: found other values than 0 and 1"),
    ],
)
def test_wrong_arguments(probabilities, truth, message):
    with pytest.raises(UserError, match=message):
        metrics.multi_label_log_loss(probabilities, truth)
    if "row" not in message:
        with pytest.raises(UserError, match=message):
            metrics.micro_f1(np.zeros(probabilities.shape), truth)
