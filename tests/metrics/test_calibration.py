"""The calibration error against the paper's definition, written once more as a loop, and by hand."""

import numpy as np
import pytest

from zoo import UserError, metrics


def reference(probabilities, labels, bins):
    """Guo et al. (2017), equations 2 and 3, one example at a time."""
    inside = [[] for _ in range(bins)]
    for row, label in zip(probabilities, labels, strict=True):
        confidence = max(row)
        for number in range(bins):
            if number / bins < confidence <= (number + 1) / bins:
                inside[number].append((confidence, float(np.argmax(row) == label)))
    error = 0.0
    for members in filter(None, inside):
        confidence, correct = np.mean(members, axis=0)
        error += len(members) / len(labels) * abs(correct - confidence)
    return error


@pytest.mark.parametrize("bins", [1, 2, 10, 15])
@pytest.mark.parametrize("classes", [2, 5])
def test_equal_to_the_definition(classes, bins):
    generator = np.random.default_rng(classes * bins)
    probabilities = generator.dirichlet(np.ones(classes), size=300)
    labels = generator.integers(classes, size=300)
    expected = reference(probabilities, labels, bins)
    assert metrics.calibration_error(probabilities, labels, bins) == pytest.approx(expected, abs=1e-12)


def test_by_hand():
    probabilities = np.array([[0.8, 0.2], [0.8, 0.2], [0.3, 0.7], [0.0, 1.0]])
    labels = np.array([0, 1, 1, 1])
    table = metrics.reliability(probabilities, labels, bins=5)
    np.testing.assert_array_equal(table.counts, [0, 0, 0, 3, 1])  # 0.8 is in (0.6, 0.8]
    np.testing.assert_allclose(table.confidence, [np.nan, np.nan, np.nan, 2.3 / 3, 1])
    np.testing.assert_allclose(table.accuracy, [np.nan, np.nan, np.nan, 2 / 3, 1])
    np.testing.assert_allclose(table.edges, [0, 0.2, 0.4, 0.6, 0.8, 1])
    assert table.error == pytest.approx(0.1 * 3 / 4)


def test_a_calibrated_classifier_has_a_small_error_and_a_boastful_one_a_large():
    generator = np.random.default_rng(0)
    positive = generator.uniform(size=20_000)
    labels = (generator.uniform(size=20_000) < positive).astype(int)
    assert metrics.calibration_error(np.stack([1 - positive, positive], axis=1), labels) < 0.02
    certain = np.eye(2)[(positive > 0.5).astype(int)]
    assert metrics.calibration_error(certain, labels) == pytest.approx(0.25, abs=0.02)


def test_wrong_arguments():
    with pytest.raises(UserError, match=r"row 0 sums to 1\.1"):
        metrics.calibration_error(np.array([[0.6, 0.5]]), np.array([0]))
    with pytest.raises(UserError, match=r"smallest value of -0\.1"):
        metrics.calibration_error(np.array([[1.1, -0.1]]), np.array([0]))
    with pytest.raises(UserError, match="bins is 0"):
        metrics.reliability(np.array([[0.6, 0.4]]), np.array([0]), bins=0)
