import keras
import numpy as np
import pytest
from keras import ops

from zoo.errors import UserError
from zoo.models import ForecastEnsemble, LinearForecaster
from zoo.tasks import forecasting
from zoo.tasks.forecasting import NetworkLoss, Predictor, WeightedLoss, series_weights, step_weights

GENERATOR = np.random.default_rng(0)
VALUES, WEIGHTS = GENERATOR.normal(size=(5, 4)), GENERATOR.uniform(size=(5, 4))
TARGETS = np.stack([VALUES, WEIGHTS], axis=-1).astype("float32")


def huber(error):
    return np.where(np.abs(error) < 1, error**2 / 2, np.abs(error) - 0.5)


@pytest.mark.parametrize("members", [0, 3])
@pytest.mark.parametrize(("kind", "reference"), [("mae", np.abs), ("mse", np.square), ("huber", huber)])
def test_losses_of_points(kind, reference, members):
    found = GENERATOR.normal(size=(5, members, 4) if members else (5, 4)).astype("float32") * 2
    error = VALUES[:, None] - found if members else VALUES - found
    expected = reference(error) * (WEIGHTS[:, None] if members else WEIGHTS)
    loss = WeightedLoss(kind)(TARGETS, found)
    np.testing.assert_allclose(ops.convert_to_numpy(loss), expected.mean(), rtol=1e-5)


@pytest.mark.parametrize("members", [0, 2])
@pytest.mark.parametrize("quantiles", [(0.5,), (0.1, 0.5, 0.8)])
def test_losses_of_quantiles(quantiles, members):
    shape = (5, members, 4, len(quantiles)) if members else (5, 4, len(quantiles))
    found = GENERATOR.normal(size=shape).astype("float32")
    values, weights = (each[:, None] if members else each for each in (VALUES, WEIGHTS))
    error, q = values[..., None] - found, np.array(quantiles)
    expected = np.maximum(q * error, (q - 1) * error).sum(axis=-1) * weights
    loss = WeightedLoss("mae", quantiles)(TARGETS, found)
    np.testing.assert_allclose(ops.convert_to_numpy(loss), expected.mean(), rtol=1e-5)


def test_loss_that_a_network_returns():
    weights = np.array([1.0, 0, 2], "float32")
    losses = np.array([[1.0, 2], [5, 5], [3, 4]], "float32")
    loss = NetworkLoss()
    assert float(loss(weights, losses)) == pytest.approx(17 / 6)
    assert float(loss(weights, losses[:, 0])) == pytest.approx(7 / 3)


def test_unknown_loss():
    with pytest.raises(UserError, match="unknown loss 'mea': did you mean"):
        WeightedLoss("mea")


def test_weights_of_series():
    values = [np.array([1.0, 3, 2, 6]), np.array([10.0, np.nan, 20, 40]), np.full(5, 7.0), np.zeros(3)]
    units = np.array([2.0, 5, 1, 1])
    naive = np.array([(2 + 1 + 4) / 3, 20, 0, 0])
    level = np.array([3, 70 / 3, 7, 0])
    by_naive = np.array([2 / naive[0], 5 / naive[1], 0, 0])
    by_level = np.array([2 / 3, 15 / 70, 1 / 7, 0])
    relative = np.mean([naive[0] / 3, 20 * 3 / 70, 0, 0])
    expected = {
        "none": np.ones(4),
        "mase": by_naive,
        "smape": by_level,
        "owa": by_level / relative + by_naive,
    }
    for weighting, weights in expected.items():
        found = series_weights(weighting, values, units, 1)
        np.testing.assert_allclose(found, weights / weights.mean(), err_msg=weighting)
    two = series_weights("mase", values[:1] * 2, np.array([1.0, 3]), 2)
    np.testing.assert_allclose(two, [0.5, 1.5])
    np.testing.assert_array_equal(series_weights("mase", [np.ones(4)], np.ones(1), 1), [1])
    assert level[1] == pytest.approx(np.nanmean(values[1]))
    with pytest.raises(UserError, match="weighting"):
        series_weights("size", values, units, 1)


@pytest.mark.parametrize("quantiles", [None, (0.2, 0.5)])
def test_calls_do_not_depend_on_how_many_there_are(quantiles, monkeypatch):
    members = [LinearForecaster(6, 4, quantiles=quantiles, seed=seed, name=f"m{seed}") for seed in (1, 2)]
    network = ForecastEnsemble(members)
    network.build()
    inputs = {"values": GENERATOR.normal(size=(11, 6)).astype("float32")}
    inputs["observed"] = np.ones_like(inputs["values"])
    together = Predictor(network)(inputs, 3)
    monkeypatch.setattr(forecasting, "BATCH", 4)
    np.testing.assert_allclose(Predictor(network)(inputs, 3), together, atol=1e-6)
    parts = np.array([ops.convert_to_numpy(member(inputs))[:, :3] for member in members])
    expected = parts.mean(axis=0) if quantiles else parts.mean(axis=0)[..., None]
    np.testing.assert_allclose(together, expected, atol=1e-6)
    assert keras.backend.standardize_dtype(together.dtype) == "float32"


@pytest.mark.parametrize("quantiles", [None, (0.2, 0.5, 0.9)])
@pytest.mark.parametrize("members", [(), (2,)])
def test_steps_weigh_as_the_horizons_that_they_lie_in(quantiles, members):
    generator = np.random.default_rng(3)
    targets = np.stack([generator.normal(size=(5, 6)), np.ones((5, 6))], axis=-1).astype("float32")
    found = generator.normal(size=(5, *members, 6, *([3] if quantiles else []))).astype("float32")
    weights = step_weights((2, 3, 6), 6)
    np.testing.assert_allclose(weights, [2, 2, 1, 1 / 3, 1 / 3, 1 / 3])
    axis = 1 + len(members)
    each = [
        float(WeightedLoss("huber", quantiles)(targets[:, :most], found.take(range(most), axis=axis)))
        for most in (2, 3, 6)
    ]
    whole = float(WeightedLoss("huber", quantiles, weights)(targets, found))
    assert whole == pytest.approx(np.mean(each), rel=1e-5)


@pytest.mark.parametrize("horizons", [(), (0,), (7,), (1.5,), (True,)])
def test_horizons_that_are_not_forecast(horizons):
    with pytest.raises(UserError, match="give whole numbers from 1 to 6"):
        step_weights(horizons, 6)
