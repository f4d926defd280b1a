"""Temperatures and thresholds against a search of everything."""

import numpy as np
import pytest
import sklearn.metrics

from zoo.errors import UserError
from zoo.tasks.calibration import METRICS, TEMPERATURES, best_threshold, fit_temperature


def overconfident(classes, sharpness, seed=0, count=4000):
    """Logits `sharpness` times those by which the labels were drawn."""
    generator = np.random.default_rng(seed)
    logits = 1.5 * generator.normal(size=(count, classes))
    labels = (logits + generator.gumbel(size=logits.shape)).argmax(axis=1)
    return sharpness * logits, labels


def log_loss(logits, labels, temperature):
    scaled = logits / temperature
    scaled = scaled - scaled.max(axis=1, keepdims=True)
    return np.mean(np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(labels)), labels])


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("sharpness", [0.3, 1.0, 3.0, 8.0])
def test_the_temperature_is_that_of_a_grid_and_of_the_labels(classes, sharpness):
    logits, labels = overconfident(classes, sharpness)
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(sharpness, rel=0.1)
    grid = found * np.linspace(0.9, 1.1, 401)
    best = grid[np.argmin([log_loss(logits, labels, temperature) for temperature in grid])]
    assert found == pytest.approx(best, rel=1e-3)
    shifted = logits + np.random.default_rng(1).normal(size=(len(logits), 1)) * 500
    assert fit_temperature(shifted, labels) == pytest.approx(found, rel=1e-6)


def test_data_without_a_mistake_tell_no_temperature():
    logits = np.array([[2.0, 1.0], [-1.0, 3.0], [0.0, 0.0]])
    assert fit_temperature(logits, np.array([0, 1, 1])) == 1.0


def test_the_temperature_stays_within_its_bounds():
    logits = np.array([[5.0, 0.0], [0.0, 5.0]])
    assert fit_temperature(logits, np.array([1, 0])) == pytest.approx(TEMPERATURES[1])
    nearly = 1e-3 * np.array([[1.0, 0.0]] * 99 + [[0.0, 1e-9]])
    assert fit_temperature(nearly, np.zeros(100, int)) == pytest.approx(TEMPERATURES[0])


SCORES = {
    "accuracy": sklearn.metrics.accuracy_score,
    "f1": lambda truth, said: sklearn.metrics.f1_score(truth, said, zero_division=0),
    "macro_f1": lambda truth, said: sklearn.metrics.f1_score(truth, said, average="macro", zero_division=0),
}


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("seed", range(5))
def test_the_threshold_is_the_best_there_is_and_the_nearest_to_a_half(metric, seed):
    generator = np.random.default_rng(seed)
    truth = generator.uniform(size=60) < 0.3
    probabilities = np.round(np.clip(0.25 * truth + generator.uniform(0, 0.6, 60), 0, 1), 2)  # many are equal
    found = best_threshold(probabilities, truth, metric)
    grid = np.arange(201) / 200  # the probabilities, and one between each two of them
    values = np.array([SCORES[metric](truth, probabilities >= threshold) for threshold in grid])
    ours = SCORES[metric](truth, probabilities >= found)
    assert ours == pytest.approx(values.max(), abs=1e-12)
    if SCORES[metric](truth, probabilities >= 0.5) >= values.max() - 1e-12:
        assert found == 0.5
    # no threshold between it and 0.5 that says yes to others is as good
    nearer = (np.abs(grid - 0.5) < abs(found - 0.5)) & (values >= values.max() - 1e-12)
    same = [((probabilities >= threshold) == (probabilities >= found)).all() for threshold in grid[nearer]]
    assert all(same)
    order = generator.permutation(60)
    assert best_threshold(probabilities[order], truth[order], metric) == found


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_thresholds_of_hopeless_data(metric, value):
    for truth in (np.zeros(4, bool), np.ones(4, bool), np.array([True, False, True, False])):
        assert 0 <= best_threshold(np.full(4, value), truth, metric) <= 1
    assert best_threshold(np.full(4, 0.6), np.zeros(4, bool), "accuracy") > 0.6
    assert best_threshold(np.full(4, 0.4), np.ones(4, bool), "f1") <= 0.4


def test_an_unknown_metric():
    with pytest.raises(UserError, match="unknown metric 'f2': did you mean 'f1'"):
        best_threshold(np.ones(2), np.ones(2, bool), "f2")
