import keras
import numpy as np
import pytest

from zoo.losses import MultiLabelCrossentropy

RANDOM = np.random.default_rng(0)
LOGITS = (3 * RANDOM.normal(size=(6, 4))).astype("float32")
TRUTH = (RANDOM.uniform(size=(6, 4)) < 0.4).astype("float32")
P = 1 / (1 + np.exp(-LOGITS.astype("float64")))


def value(loss, truth=TRUTH, logits=LOGITS):
    return float(keras.ops.convert_to_numpy(loss(truth, logits)))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_equal_to_keras(smoothing):
    expected = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=smoothing)
    np.testing.assert_allclose(value(MultiLabelCrossentropy(smoothing)), value(expected), rtol=1e-5)


def test_weights_of_absence_and_presence():
    weights = [[1, 2], [0.5, 1], [3, 1], [1, 1]]
    absent, present = np.transpose(weights)
    expected = -(present * TRUTH * np.log(P) + absent * (1 - TRUTH) * np.log(1 - P)).mean()
    np.testing.assert_allclose(value(MultiLabelCrossentropy(weights=weights)), expected, rtol=1e-5)


def test_far_logits_stay_finite():
    logits = np.array([[200.0, -200.0]], dtype="float32")
    truth = np.array([[0.0, 1.0]], dtype="float32")
    assert value(MultiLabelCrossentropy(), truth, logits) == pytest.approx(200)


def test_config():
    config = MultiLabelCrossentropy(0.1, [[1, 2], [1, 3]]).get_config()
    assert MultiLabelCrossentropy.from_config(config).get_config() == config
