"""Losses and forecasts against a computation in NumPy and float64, step by step, from the paper's equations."""

import keras
import numpy as np
import pytest

from tests.cells.references import REFERENCES
from tests.models.saving import copies
from zoo.errors import UserError
from zoo.models import SmoothingForecaster
from zoo.tasks.compiling import compiled

TIME, BATCH, SERIES = 19, 4, 5
NETWORKS = {
    "a season": {"period": 4},
    "no season": {"period": 0, "cell": "gru", "horizon": 2},
    "two seasons, quantiles": {"period": (3, 7), "quantiles": (0.1, 0.5, 0.9), "cell": "peephole_lstm"},
    "a season longer than the horizon": {"period": 7, "cell": "min_gru", "horizon": 3, "quantiles": (0.4,)},
}


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def make(seed=1, **options):
    """A small network, none of whose weights is zero."""
    options = {
        "horizon": 6,
        "input_size": 5,
        "series": SERIES,
        "units": 4,
        "dilations": ((1, 2), (3,)),
        **options,
    }
    network = SmoothingForecaster(seed=seed, **options)
    network.build()
    rng = np.random.default_rng(seed)
    network.set_weights([rng.normal(size=w.shape, scale=0.4).astype("float32") for w in network.weights])
    return network


def panel(time=TIME, seed=2):
    """A whole series; one with gaps; one that began later and was not in training; one without a value."""
    rng = np.random.default_rng(seed)
    observed = np.ones((BATCH, time))
    observed[1, [0, 4, 9, 10, 15, time - 1]] = 0
    observed[2, :8] = 0
    observed[3] = 0
    values = np.exp(rng.normal(4, 0.5, size=(BATCH, time))) * observed
    return {
        "values": values.astype("float32"),
        "observed": observed.astype("float32"),
        "series": np.array([2, SERIES, 0, 1], "int32"),
    }


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softplus(x):
    return np.log1p(np.exp(x))


def by_hand(network, inputs, row):
    """Sum and count of a series' pinball losses, its penalty, its forecast, and its levels."""
    config = network.config
    weights = {w.path.partition("/")[2]: array(w).astype("float64") for w in network.weights}
    y, on = inputs["values"][row].astype("float64"), inputs["observed"][row] > 0
    time, horizon, size = len(y), config["horizon"], config["input_size"]
    periods = [period for period in config["period"] if period > 1]
    number = inputs["series"][row]
    start = int(np.argmax(on))

    def of_series(table):
        return weights[table][number - 1] if number else np.median(weights[table], axis=0)

    alpha, *gammas = sigmoid(of_series("rates"))
    logs = of_series("seasons") if periods else np.zeros(0)
    firsts = np.split(np.exp(logs), np.cumsum(periods)[:-1]) if periods else []
    if "seasonal" in inputs and not number:
        firsts = np.split(inputs["seasonal"][row].astype("float64"), np.cumsum(periods)[:-1])
    phase = inputs["phase"][row] if "phase" in inputs else -start
    factors = [[first[(phase + t) % m] for t in range(m)] for first, m in zip(firsts, periods, strict=True)]

    def product(t):
        return np.prod([factor[t] for factor in factors])

    # level and seasonal factors
    held = np.prod([factor[start % m] for factor, m in zip(factors, periods, strict=True)])
    level, levels = (y[start] if on.any() else 1.0) / held, []
    for t in range(time):
        if on[t]:
            level = alpha * y[t] / product(t) + (1 - alpha) * level
        s = product(t)
        for factor, gamma in zip(factors, gammas, strict=True):
            rest = s / factor[t]
            factor.append(gamma * y[t] / (level * rest) + (1 - gamma) * factor[t] if on[t] else factor[t])
        levels.append(level)

    # what the network sees, and says
    x = np.zeros((time, size))
    for t in range(time):
        for place in range(size):
            then = t - size + 1 + place
            if then >= 0 and on[then]:
                x[t, place] = np.log(y[then] / (product(then) * levels[t]))
    begun = np.cumsum(on) > 0
    x, layer = x[None], 0
    for number, block in enumerate(config["dilations"]):
        seen = x
        for dilation in block:
            beginning = f"stack/layer_{layer}/cell/"
            own = {
                path.removeprefix(beginning): w for path, w in weights.items() if path.startswith(beginning)
            }
            outputs = np.zeros((1, time, config["units"]))
            for first in range(dilation):
                part = slice(first, None, dilation)
                outputs[:, part] = REFERENCES[config["cell"]](x[:, part], own, mask=begun[None, part])[0]
            x, layer = outputs, layer + 1
        x = x + seen if number else x
    h = np.tanh(x[0] @ weights["adapter/kernel"] + weights["adapter/bias"])
    quantiles = config["quantiles"] or [0.5]
    o = (h @ weights["head/kernel"] + weights["head/bias"]).reshape(time, horizon, len(quantiles))
    o = np.cumsum(np.concatenate([o[..., :1], softplus(o[..., 1:])], axis=-1), axis=-1)

    def carried(t, j):
        """The newest factors, at t, for step t + j."""
        newest = [factor[t + 1 + (j - 1) % m] for factor, m in zip(factors, periods, strict=True)]
        return np.prod(newest) * levels[t]

    total, count = 0.0, 0
    for t in range(start + size - 1, time):
        for j in range(1, horizon + 1):
            if t + j < time and on[t + j]:
                errors = np.log(y[t + j] / carried(t, j)) - o[t, j - 1]
                total += sum(max(q * e, (q - 1) * e) for q, e in zip(quantiles, errors, strict=True))
                count += 1
    turns = np.diff(np.log(levels), n=2)[begun[:-2]] ** 2
    penalty = turns.mean() if len(turns) else 0.0
    forecast = [np.exp(o[-1, j - 1]) * carried(time - 1, j) for j in range(1, horizon + 1)]
    return total, count, penalty, np.array(forecast), np.array(levels)


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    return make(**NETWORKS[request.param])


@pytest.mark.parametrize("given", [False, True], ids=["learned", "given"])
def test_losses_and_forecasts_are_those_of_a_computation_by_hand(network, given):
    inputs = panel()
    if given:
        inputs["phase"] = np.array([1, 5, 30, 0], "int32")
        if network.periods:
            rng = np.random.default_rng(3)
            shape = (BATCH, sum(network.periods))
            inputs["seasonal"] = rng.uniform(0.5, 2, size=shape).astype("float32")
    losses, forecasts = array(network(inputs)), array(network.forecast(inputs))
    levels = array(network.smooth(inputs)[2])
    expected = [by_hand(network, inputs, row) for row in range(BATCH)]
    steps = sum(count for _, count, *_ in expected)
    assert steps > 50
    for row, (total, _, penalty, forecast, level) in enumerate(expected):
        np.testing.assert_allclose(levels[row], level, rtol=1e-4)
        np.testing.assert_allclose(losses[row], total * BATCH / steps + 50 * penalty, rtol=5e-4, atol=1e-6)
        forecast = forecast[:, 0] if network.config["quantiles"] is None else forecast
        np.testing.assert_allclose(forecasts[row], forecast, rtol=1e-3)


def test_quantiles_do_not_cross():
    forecasts = array(make(**NETWORKS["two seasons, quantiles"]).forecast(panel()))
    assert (np.diff(forecasts, axis=-1) > 0).all()


def test_what_is_before_a_series_changes_nothing(network):
    inputs = panel()
    longer = {**inputs, **{key: np.pad(inputs[key], [[0, 0], [9, 0]]) for key in ("values", "observed")}}
    rows = slice(0, 3)  # the last one has no value, and so no place in a season
    found, expected = network.forecast(longer), network.forecast(inputs)
    np.testing.assert_allclose(array(found)[rows], array(expected)[rows], rtol=1e-4)
    np.testing.assert_allclose(array(network(longer)), array(network(inputs)), rtol=1e-4)


def test_values_that_are_not_positive_are_missing():
    network, inputs = make(period=4), panel()
    wrong = {**inputs, "values": inputs["values"].copy(), "observed": inputs["observed"].copy()}
    wrong["values"][1, [4, 9]] = [-3, 0]
    wrong["observed"][1, [4, 9]] = 1
    np.testing.assert_array_equal(array(network(wrong)), array(network(inputs)))


@pytest.mark.parametrize("period", [0, 40, (24, 50)])
def test_long_series_are_smoothed_block_by_block(period):
    network, inputs = make(period=period), panel(100)
    levels = array(network.smooth(inputs)[2])
    for row in range(BATCH):
        np.testing.assert_allclose(levels[row], by_hand(network, inputs, row)[-1], rtol=1e-4)


def test_extreme_rates_and_short_series_stay_finite():
    network = make(period=4)
    rates, seasons, *others = network.get_weights()
    rates[:] = [[60, -60], [-60, 60], [0, 0], [200, 200], [-200, -200]]
    network.set_weights([rates, seasons, *others])
    network.compile("sgd", loss=lambda _, loss: loss)
    inputs = {**panel(), "series": np.array([1, 2, 4, 5], "int32")}
    network.fit(inputs, np.zeros(BATCH), batch_size=3, verbose=0)
    for time in (TIME, 2, 1):
        some = {key: value[:, -time:] if value.ndim > 1 else value for key, value in inputs.items()}
        assert np.isfinite(array(network(some))).all()
        assert np.isfinite(array(network.forecast(some))).all()
    assert all(np.isfinite(weight).all() for weight in network.get_weights())


def test_it_learns_the_season_of_each_series():
    rng = np.random.default_rng(0)
    shapes = rng.uniform(0.6, 1.6, size=(SERIES, 4))
    places = np.arange(28)
    y = 20 * shapes[:, places % 4] * np.exp(0.01 * places) * np.exp(rng.normal(size=(SERIES, 28), scale=0.01))
    inputs = {"values": y[:, :24].astype("float32"), "observed": np.ones((SERIES, 24), "float32")}
    inputs["series"] = np.arange(1, SERIES + 1, dtype="int32")
    network = SmoothingForecaster(
        4,
        period=4,
        input_size=4,
        series=SERIES,
        units=4,
        dilations=((1,), (2,)),
        noise=0.001,
        dropout=0.05,
        seed=1,
    )
    network.compile(keras.optimizers.Adam(0.05), loss=lambda _, loss: loss)
    losses = network.fit(inputs, np.zeros(SERIES), epochs=50, batch_size=SERIES, verbose=0).history["loss"]
    assert losses[-1] < 0.3 * losses[0]
    errors = np.abs(np.log(array(network.forecast(inputs)) / y[:, 24:]))
    assert errors.mean() < 0.15


def test_a_compiled_function_takes_series_of_any_length():
    network = make(period=(3, 7))
    signature = {"values": keras.KerasTensor((None, None)), "observed": keras.KerasTensor((None, None))}
    signature["series"] = keras.KerasTensor((None,), "int32")
    forecast = compiled(network, network.forecast, signature)
    for time in (TIME, 8):
        inputs = {key: each[:, -time:] if each.ndim > 1 else each for key, each in panel().items()}
        np.testing.assert_allclose(array(forecast(inputs)), array(network.forecast(inputs)), rtol=1e-4)


def test_a_new_series_has_the_medians():
    network = make(period=(3, 7))
    found = {name: array(value) for name, value in network.parameters_of_new().items()}
    rates, seasons = network.get_weights()[:2]
    np.testing.assert_allclose(found["rates"], np.median(sigmoid(rates), axis=0), rtol=1e-5)
    np.testing.assert_allclose(found["seasonal"], np.median(np.exp(seasons), axis=0), rtol=1e-5)
    assert set(make(period=1).parameters_of_new()) == {"rates"}


def test_noise_and_dropout_are_for_training_alone():
    plain, noisy, dropped = make(period=4), make(period=4, noise=0.3), make(period=4, dropout=0.5)
    inputs = panel()
    for other in (noisy, dropped):
        np.testing.assert_array_equal(array(plain(inputs)), array(other(inputs)))
        assert np.abs(array(plain(inputs)) - array(other(inputs, training=True))).max() > 1e-4


@pytest.mark.parametrize("name", ["no season", "two seasons, quantiles"])
def test_saved_and_loaded_it_says_the_same(name, tmp_path):
    network = make(**NETWORKS[name])
    for copy in copies(network, tmp_path):
        np.testing.assert_array_equal(array(copy.forecast(panel())), array(network.forecast(panel())))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": "lsmt"}, "did you mean 'lstm'"),
        ({"horizon": 0}, "horizon must be a positive integer, not 0"),
        ({"series": 0}, "series must be a positive integer, not 0"),
        ({"period": -1}, "period must be an integer of at least 0"),
        ({"quantiles": (0.5, 0.1)}, "quantiles must rise between 0 and 1"),
        ({"quantiles": (0.5, 1.0)}, "quantiles must rise between 0 and 1"),
        ({"quantiles": ()}, r"quantiles must rise between 0 and 1, not \[\]: give"),
        ({"level_penalty": -1}, "level_penalty: got -1"),
        ({"noise": -1}, "noise: got -1"),
        ({"dilations": ()}, "dilations must be blocks"),
    ],
)
def test_errors_name_the_argument(options, message):
    with pytest.raises(UserError, match=message):
        SmoothingForecaster(**{"horizon": 3, "period": 4, "input_size": 5, "series": 2, **options})


def test_what_the_inputs_lack_is_named():
    inputs = {name: value for name, value in panel().items() if name != "series"}
    with pytest.raises(UserError, match="the inputs lack series: give values, observed, series"):
        make(period=4).forecast(inputs)
