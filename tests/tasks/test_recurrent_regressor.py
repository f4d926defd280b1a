"""The estimator against NumPy, against scikit-learn's own checks, and beside others of its shape."""

import copy
import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from tests.cells.references import REFERENCES
from zoo import tasks
from zoo.cells import CATALOGUE
from zoo.errors import UserError
from zoo.tasks.fitting import DivergedError
from zoo.tasks.recurrent_regressor import EXPECTED_FAILED_CHECKS, RecurrentRegressor

STACKED = {"cell": "lstm", "layers": 2, "dropout": 0.3, "n_channels": 2}


def tiny(**options):
    return RecurrentRegressor(
        **{"units": 3, "epochs": 5, "batch_size": 32, "learning_rate": 0.03, "random_state": 7, **options}
    )


@pytest.fixture(scope="module")
def data():
    """Windows of 6 lags of a noisy wave, and the 2 values that follow."""
    generator = np.random.default_rng(0)
    series = 50 + 8 * np.sin(np.arange(80) / 3) + generator.normal(size=80)
    windows = np.lib.stride_tricks.sliding_window_view(series, 8)
    return windows[:, :6], windows[:, 6:]


# --- scikit-learn's checks -----------------------------------------------------------------------------


@parametrize_with_checks(
    [tiny(random_state=None, epochs=4, batch_size=16)],
    expected_failed_checks=lambda _: EXPECTED_FAILED_CHECKS,
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_public_name_is_the_estimator():
    assert tasks.RecurrentRegressor is RecurrentRegressor
    with pytest.raises(AttributeError, match="no attribute 'Regressor'"):
        _ = tasks.Regressor


# --- values --------------------------------------------------------------------------------------------


def reference(estimator, X):
    """Return the predictions in float64, from the equations of the class and the arrays that it holds."""
    channels = estimator.n_channels
    steps = (X.reshape(len(X), -1, channels) - estimator.x_mean_) / estimator.x_scale_
    weights = [array.astype("float64") for array in estimator.weights_]
    A = weights.pop() if estimator.linear else np.zeros((X.shape[1], weights[-1].shape[0]))
    b, W = weights.pop(), weights.pop()
    names = ["kernel", "recurrent_kernel", "bias"]
    if "recurrent_initializer" in CATALOGUE[estimator.cell].unused:
        names.remove("recurrent_kernel")
    h = steps
    for _ in range(estimator.layers):
        layer, weights = dict(zip(names, weights, strict=False)), weights[len(names) :]
        h = REFERENCES[estimator.cell](h, layer)[0]
    assert not weights
    y = h[:, -1] @ W + steps.reshape(len(X), -1) @ A + b
    return y * estimator.y_scale_ + estimator.y_mean_


@pytest.mark.parametrize(
    "options",
    [
        STACKED,
        {"cell": "min_gru", "linear": False, "n_channels": 3, "loss": "huber", "weight_decay": 0.1},
    ],
    ids=["lstm", "min_gru"],
)
def test_predictions_equal_numpy(data, options):
    X, y = data
    estimator = tiny(epochs=2, **options).fit(X, y)
    assert estimator.predict(X).shape == y.shape
    np.testing.assert_allclose(estimator.predict(X), reference(estimator, X), rtol=2e-6)


def test_moments_are_of_each_channel_and_weighted(data):
    X, y = data
    weights = np.arange(len(X)) % 3
    estimator = tiny(epochs=1, **STACKED).fit(X, y, weights)
    repeated, follows = X.repeat(weights, axis=0), y.repeat(weights, axis=0)
    for number in range(2):
        channel = repeated[:, number::2]
        np.testing.assert_allclose(estimator.x_mean_[number], channel.mean())
        np.testing.assert_allclose(estimator.x_scale_[number], channel.std())
    np.testing.assert_allclose(estimator.y_mean_, follows.mean(axis=0))
    np.testing.assert_allclose(estimator.y_scale_, follows.std(axis=0))


def test_scale_of_the_data_changes_nothing_but_the_scale(data):
    X, y = data
    plain, scaled = tiny(epochs=2).fit(X, y), tiny(epochs=2).fit(1e6 * X - 7, 1e-3 * y + 9)
    np.testing.assert_allclose(scaled.predict(1e6 * X - 7), 1e-3 * plain.predict(X) + 9, rtol=1e-5)


def test_loss_is_of_the_standardised_outputs_and_weighted(data):
    X, y = data
    weights = np.arange(len(X)) % 4
    estimator = tiny(epochs=2, learning_rate=0).fit(X, y, weights)
    errors = np.square((estimator.predict(X) - y) / estimator.y_scale_).mean(axis=1)
    np.testing.assert_allclose(estimator.history_["loss"], np.average(errors, weights=weights), rtol=1e-5)


def test_constant_columns_are_learned_as_they_are(data):
    X, y = data
    estimator = tiny(epochs=1).fit(np.full_like(X, 5), np.full_like(y, 3))
    assert [*estimator.x_scale_, *estimator.y_scale_] == [1, 1, 1]
    np.testing.assert_allclose(estimator.predict(np.full_like(X, 5)), 3, atol=0.2)


def test_rows_without_weight_do_not_count(data):
    X, y = data
    rest = tiny(batch_size=64).fit(X[:32], y[:32])
    weights = np.r_[np.full(32, 2.0), np.zeros(len(X) - 32)]
    weighted = tiny(batch_size=128).fit(X, y, weights)  # one batch, as above
    np.testing.assert_allclose(weighted.predict(X), rest.predict(X), rtol=1e-4)


@pytest.mark.parametrize("linear", [True, False])
def test_it_learns(data, linear):
    X, y = data
    estimator = tiny(epochs=30, units=8, linear=linear, batch_size=16).fit(X[:60], y[:60])
    assert estimator.history_["loss"][-1] < estimator.history_["loss"][0] / 2
    assert estimator.score(X[60:], y[60:]) > 0.7  # noise leaves at most 0.97


# --- validation ----------------------------------------------------------------------------------------


def test_last_rows_choose_the_epoch(data):
    X, y = data
    y = y.copy()
    y[-12:] = y.mean() * 2 - y[-12:]  # what is learned from the others is wrong there, the longer the more
    estimator = tiny(epochs=20, batch_size=8, validation_fraction=12 / len(X), patience=3).fit(X, y)
    scores = estimator.history_["val_loss"]
    assert estimator.best_epoch_ == np.argmin(scores) + 1 == len(scores) - 3 < 17
    errors = (estimator.predict(X[-12:]) - y[-12:]) / estimator.y_scale_
    np.testing.assert_allclose(np.square(errors).mean(), min(scores), rtol=1e-4)
    np.testing.assert_allclose(estimator.y_mean_, y[:-12].mean(axis=0))


def test_last_epoch_counts_without_validation(data):
    estimator = tiny(epochs=2).fit(*data)
    assert estimator.best_epoch_ == 2
    assert list(estimator.history_) == ["loss"]


# --- state ---------------------------------------------------------------------------------------------


def test_estimators_of_one_shape_share_nothing_but_the_code(data):
    X, y = data
    first = tiny(**STACKED).fit(X, y)
    expected = first.predict(X)
    other = tiny(**STACKED, random_state=8).fit(X, y)
    assert np.abs(other.predict(X) - expected).max() > 1e-3
    np.testing.assert_array_equal(first.predict(X), expected)
    np.testing.assert_array_equal(clone(first).fit(X, y).predict(X), expected)
    np.testing.assert_array_equal(copy.deepcopy(first).predict(X), expected)


def test_threads_take_turns(data):
    X, y = data
    alone = [tiny(epochs=2, random_state=seed).fit(X, y).predict(X) for seed in range(3)]
    with ThreadPoolExecutor(3) as threads:
        together = threads.map(lambda seed: tiny(epochs=2, random_state=seed).fit(X, y).predict(X), range(3))
        np.testing.assert_array_equal(list(together), alone)


def test_random_numbers_of_others_are_left_alone(data):
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    tiny(epochs=1).fit(*data)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002


def test_state_is_arrays_and_plain_values(data):
    def kinds(value):
        if isinstance(value, dict | list | tuple):
            items = value.values() if isinstance(value, dict) else value
            return set().union(*map(kinds, items))
        return {type(value)}

    found = kinds(tiny(epochs=1).fit(*data).__getstate__())
    assert found <= {str, int, float, bool, type(None), np.ndarray}


def test_answer_does_not_depend_on_the_rows_beside_it(data):
    X, y = data
    estimator = tiny(epochs=1).fit(X, y)
    many = np.tile(X, (5, 1))  # more than a block
    np.testing.assert_array_equal(estimator.predict(many)[-len(X) :], estimator.predict(X))


def test_search_in_a_pipeline(data):
    X, y = data
    pipeline = make_pipeline(FunctionTransformer(np.log), tiny(epochs=1))
    search = GridSearchCV(
        pipeline, {"recurrentregressor__batch_size": np.array([16, 32])}, cv=TimeSeriesSplit(2)
    )
    assert search.fit(X, y).predict(X).shape == y.shape


# --- refusals ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"units": 0}, "units: got 0; give a whole number of at least 1"),
        ({"epochs": 2.5}, r"epochs: got 2\.5; give a whole number"),
        ({"n_channels": 4}, "n_channels: 4 does not divide the 6 columns of X"),
        ({"cell": "grru"}, "unknown cell 'grru': did you mean 'gru'"),
        ({"loss": "rmse"}, "unknown loss 'rmse': did you mean 'mse'"),
        ({"dropout": 1}, "dropout: got 1; give a number of at least 0, below 1"),
        ({"learning_rate": -1}, "learning_rate: got -1"),
        ({"weight_decay": -1}, "weight_decay: got -1"),
        ({"validation_fraction": 1}, "validation_fraction: got 1"),
        ({"patience": 0}, "patience: got 0; give a whole number"),
        ({"patience": 2}, "patience: got 2 where no row is left to validate by"),
    ],
)
def test_arguments_out_of_range_are_refused(data, options, message):
    with pytest.raises(UserError, match=message):
        tiny(**options).fit(*data)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(3), r"shape \(3,\); give one weight for each of 73 rows"),
        (np.r_[-1, np.ones(72)], "negative or not finite"),
        (np.r_[np.nan, np.ones(72)], "negative or not finite"),
        (np.zeros(73), "are zero; give some rows a weight above zero"),
        (np.r_[np.ones(60), np.zeros(13)], "those to validate by, are zero"),
    ],
)
def test_weights_that_mean_nothing_are_refused(data, weights, message):
    with pytest.raises(UserError, match=message):
        tiny(validation_fraction=0.1).fit(*data, weights)


def test_loss_that_diverges_is_told(data):
    with pytest.raises(DivergedError, match=r"learning_rate: with 1e\+37 .* in epoch \d; give a lower one"):
        tiny(learning_rate=1e37).fit(*data)


def test_prediction_before_fit_is_refused(data):
    with pytest.raises(NotFittedError):
        tiny().predict(data[0])
