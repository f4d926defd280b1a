import keras
import numpy as np
import pytest

from zoo import UserError
from zoo.loops.backend import native
from zoo.losses import QuantileLoss

RNG = np.random.default_rng(0)
QUANTILES = (0.1, 0.5, 0.9)
Y = RNG.normal(size=(4, 6)).astype("float32")
FORECASTS = RNG.normal(size=(4, 6, 3)).astype("float32")
HOLED = Y.copy()
HOLED[0, 2] = HOLED[3, :] = np.nan
SEEN = ~np.isnan(HOLED)


def reference(y, forecasts):
    """The loss of each step, one quantile at a time."""
    total = np.zeros(y.shape)
    for place, q in enumerate(QUANTILES):
        error = y.astype("float64") - forecasts[..., place]
        total += np.where(error > 0, q * error, (q - 1) * error)
    return total


def value(loss):
    return float(keras.ops.convert_to_numpy(loss))


def test_sum_of_the_pinball_losses():
    loss = QuantileLoss(QUANTILES)
    np.testing.assert_allclose(value(loss(Y, FORECASTS)), reference(Y, FORECASTS).mean(), rtol=1e-5)
    by_step = keras.ops.convert_to_numpy(QuantileLoss(QUANTILES, reduction=None)(Y, FORECASTS))
    np.testing.assert_allclose(by_step, reference(Y, FORECASTS), rtol=1e-5, atol=1e-6)


def test_what_is_missing_does_not_count():
    expected = reference(Y, FORECASTS)[SEEN].sum() / Y.size
    found = QuantileLoss(QUANTILES)(HOLED, FORECASTS, sample_weight=SEEN.astype("float32"))
    np.testing.assert_allclose(value(found), expected, rtol=1e-5)
    np.testing.assert_allclose(value(QuantileLoss(QUANTILES)(HOLED, FORECASTS)), expected, rtol=1e-5)
    weighted = QuantileLoss(QUANTILES, reduction="mean_with_sample_weight")
    found = weighted(HOLED, FORECASTS, sample_weight=SEEN.astype("float32"))
    np.testing.assert_allclose(value(found), reference(Y, FORECASTS)[SEEN].mean(), rtol=1e-5)


def test_gradients_are_finite_and_those_of_the_equation():
    loss = QuantileLoss(QUANTILES, reduction="sum")
    forecasts = keras.ops.convert_to_tensor(FORECASTS)
    pull = native.pullback(lambda each: [loss(HOLED, each)], [forecasts])
    [found] = pull([keras.ops.ones(())])
    q = np.array(QUANTILES)
    expected = np.where(HOLED[..., None] > FORECASTS, -q, 1 - q) * SEEN[..., None]
    np.testing.assert_allclose(keras.ops.convert_to_numpy(found), expected, atol=1e-6)


def test_the_least_loss_is_at_the_quantile():
    y = np.linspace(0, 1, 101, dtype="float32")[:, None]
    candidates = np.linspace(0, 1, 21)
    losses = [value(QuantileLoss([0.8])(y, np.full((101, 1, 1), c, "float32"))) for c in candidates]
    assert candidates[np.argmin(losses)] == pytest.approx(0.8)


def test_config():
    loss = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(QuantileLoss(QUANTILES)))
    assert isinstance(loss, QuantileLoss)
    assert loss.quantiles == list(QUANTILES)


@pytest.mark.parametrize("quantiles", [[], [0.5, 1.0], [float("nan")]])
def test_wrong_quantiles(quantiles):
    with pytest.raises(UserError, match="give at least one number between 0 and 1"):
        QuantileLoss(quantiles)
