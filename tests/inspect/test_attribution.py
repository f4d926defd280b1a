import keras
import numpy as np
import pytest
from keras import ops

from zoo.inspect import Score, integrated_gradients

GENERATOR = np.random.default_rng(0)
EMBEDDED = GENERATOR.normal(size=(4, 3)).astype("float32")
BASELINE = GENERATOR.normal(size=(4, 3)).astype("float32")


@pytest.fixture(scope="module")
def linear():
    """A network that is linear in its input (4, 3), and its weights in that shape."""
    network = keras.Sequential([keras.Input((4, 3)), keras.layers.Flatten(), keras.layers.Dense(1)])
    return network, network.get_weights()[0].reshape(4, 3).astype("float64")


def score(linear, function=lambda z: z):
    return Score(linear[0], lambda x: function(linear[0](x)[:, 0]), 3)


def test_a_linear_network_is_explained_exactly(linear):
    found = integrated_gradients(score(linear), EMBEDDED, BASELINE)
    exact = (linear[1] * (EMBEDDED.astype("float64") - BASELINE)).sum(axis=-1)
    np.testing.assert_allclose(found.attributions, exact, rtol=1e-5, atol=1e-6)
    assert (found.steps, found.converged) == (32, True)
    np.testing.assert_allclose(found.value - found.baseline_value, exact.sum(), rtol=1e-5)
    assert abs(found.residual) < 1e-5


def test_squares_are_explained_exactly(linear):
    squares = Score(linear[0], lambda x: ops.sum(x * x, axis=(1, 2)), 3)
    found = integrated_gradients(squares, EMBEDDED, BASELINE, steps=2)
    exact = (EMBEDDED.astype("float64") ** 2 - BASELINE.astype("float64") ** 2).sum(axis=-1)
    np.testing.assert_allclose(found.attributions, exact, rtol=1e-5, atol=1e-6)
    assert found.steps == 2


def test_a_steep_place_of_the_path_is_found(linear):
    """f = 5σ(s (z - m)): nearly all of the difference lies within 1/500 of the path, between two points of 32."""
    _, weights = linear
    shares = (weights * (EMBEDDED.astype("float64") - BASELINE)).sum(axis=-1)
    values = score(linear).values(np.stack([BASELINE, EMBEDDED]))
    middle, steepness = values[0] + 0.37 * (values[1] - values[0]), 4000 / abs(values[1] - values[0])
    steep = score(linear, lambda z: 5 * ops.sigmoid(steepness * (z - middle)))
    once = integrated_gradients(steep, EMBEDDED, BASELINE, most_steps=32)
    assert not once.converged
    assert abs(once.residual) > 1
    found = integrated_gradients(steep, EMBEDDED, BASELINE)
    assert found.converged
    assert abs(found.residual) <= 0.05
    assert 32 < found.steps <= 200
    exact = np.sign(values[1] - values[0]) * 5 * shares / shares.sum()
    np.testing.assert_allclose(found.attributions, exact, rtol=0.02)


def test_what_no_step_resolves_is_said(linear):
    values = score(linear).values(np.stack([BASELINE, EMBEDDED]))
    middle = values[0] + 0.37 * (values[1] - values[0])
    jump = score(linear, lambda z: ops.sigmoid(1e6 * (z - middle)) + 0 * z)
    found = integrated_gradients(jump, EMBEDDED, BASELINE)
    assert not found.converged
    assert abs(found.residual) > found.tolerance
    assert found.steps <= 512
    assert np.isfinite(found.attributions).all()


def test_a_difference_of_nothing(linear):
    found = integrated_gradients(score(linear), EMBEDDED, EMBEDDED)
    np.testing.assert_array_equal(found.attributions, 0)
    assert (found.converged, found.tolerance) == (True, 0.001)


def test_batches_change_nothing(linear):
    rows = GENERATOR.normal(size=(150, 4, 3)).astype("float32")
    one = score(linear, ops.tanh)
    exact = np.tanh(ops.convert_to_numpy(linear[0](rows))[:, 0])
    np.testing.assert_allclose(one.values(rows), exact, atol=1e-6)
    slopes = one.slopes(rows, EMBEDDED)
    assert slopes.shape == (150, 4)
    expected = (1 - exact[:, None].astype("float64") ** 2) * (linear[1] * EMBEDDED).sum(axis=-1)
    np.testing.assert_allclose(slopes, expected, atol=1e-5)


def test_weights_that_change_count(linear):
    network = keras.models.clone_model(linear[0])
    one = Score(network, lambda x: network(x)[:, 0], 3)
    before = one.values(EMBEDDED[None])
    network.set_weights([2 * weight for weight in network.get_weights()])
    np.testing.assert_allclose(one.values(EMBEDDED[None]), 2 * before, rtol=1e-5)
