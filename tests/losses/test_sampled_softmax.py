import keras
import numpy as np
import pytest

from zoo.losses import draw_log_uniform, log_uniform, sampled_softmax_nll, softmax_nll

RNG = np.random.default_rng(0)
CONTEXTS = RNG.normal(size=(6, 4)).astype("float32")
TABLE = RNG.normal(size=(20, 4)).astype("float32")
BIAS = RNG.normal(size=20).astype("float32")
TARGETS = np.array([0, 3, 19, 5, 5, 1], "int32")


TENSORS = [keras.ops.convert_to_tensor(each) for each in (CONTEXTS, TARGETS, TABLE, BIAS)]


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def test_log_uniform_is_a_distribution_that_draws_follow():
    probabilities = np.exp(array(log_uniform(50)))
    np.testing.assert_allclose(probabilities.sum(), 1, rtol=1e-5)
    np.testing.assert_allclose(probabilities[3], np.log(5 / 4) / np.log(51), rtol=1e-4)
    drawn = array(draw_log_uniform(200_000, 50, keras.random.SeedGenerator(1)))
    assert drawn.min() == 0
    assert drawn.max() == 49
    shares = np.bincount(drawn, minlength=50) / len(drawn)
    np.testing.assert_allclose(shares, probabilities, atol=4e-3)


def test_nll_over_all_ids():
    logits = CONTEXTS.astype("float64") @ TABLE.T + BIAS
    expected = np.log(np.exp(logits).sum(1)) - logits[np.arange(6), TARGETS]
    np.testing.assert_allclose(array(softmax_nll(*TENSORS)), expected, rtol=1e-5)


@pytest.mark.parametrize("smoothing", [0.1, 0.9])
def test_smoothed_nll_is_the_cross_entropy_with_a_mixture(smoothing):
    logits = CONTEXTS.astype("float64") @ TABLE.T + BIAS
    wanted = (1 - smoothing) * np.eye(20)[TARGETS] + smoothing / 20
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    found = array(softmax_nll(*TENSORS, smoothing))
    np.testing.assert_allclose(found, -(wanted * log_p).sum(1), rtol=1e-5)


@pytest.mark.backend("tensorflow")
def test_gradients_are_those_of_the_equation():
    """d/d logits = p - wanted, (count, size); the rest is the chain rule of a matrix product."""
    import tensorflow as tf

    weights = np.linspace(1, 2, 6)
    variables = [tf.Variable(each) for each in (CONTEXTS, TABLE, BIAS)]
    for smoothing in (0.0, 0.1):
        with tf.GradientTape() as tape:
            nll = softmax_nll(variables[0], TENSORS[1], *variables[1:], smoothing)
            total = tf.reduce_sum(nll * weights.astype("float32"))
        found = [tf.convert_to_tensor(each) for each in tape.gradient(total, variables)]
        logits = CONTEXTS.astype("float64") @ TABLE.T + BIAS
        wanted = (1 - smoothing) * np.eye(20)[TARGETS] + smoothing / 20
        p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        of_logits = weights[:, None] * (p - wanted)
        expected = of_logits @ TABLE, of_logits.T @ CONTEXTS, of_logits.sum(0)
        for one, two in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)


def test_the_estimate_is_that_of_the_paper():
    """Equation by hand: logits less the log of the expected count, of the sample, without what is the target."""
    sampled = np.array([1, 4, 4, 7, 19, 3], "int32")
    chances = np.log((np.arange(20) + 2) / (np.arange(20) + 1)) / np.log(21)
    logits = CONTEXTS.astype("float64") @ TABLE.T + BIAS
    lowered = logits - np.log(chances * len(sampled))
    expected = []
    for row, target in enumerate(TARGETS):
        others = [lowered[row, each] for each in sampled if each != target]
        expected.append(np.log(np.exp([logits[row, target], *others]).sum()) - logits[row, target])
    found = array(sampled_softmax_nll(*TENSORS, keras.ops.convert_to_tensor(sampled)))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_the_estimate_comes_near_the_whole_with_many_samples():
    whole = array(softmax_nll(*TENSORS)).mean()
    sampled = draw_log_uniform(20_000, 20, keras.random.SeedGenerator(2))
    estimate = array(sampled_softmax_nll(*TENSORS, sampled)).mean()
    np.testing.assert_allclose(estimate, whole, rtol=0.02)
