"""Forecasts against a computation in NumPy and float64, written from the paper's equations."""

import keras
import numpy as np
import pytest

from tests.models.saving import copies
from zoo.errors import UserError
from zoo.models import LinearForecaster

RNG = np.random.default_rng(0)
INPUTS = {
    "values": RNG.normal(size=(4, 12)).astype("float32"),
    "observed": np.ones((4, 12), "float32"),
    "series": np.array([2, 0, 3, 2], "int32"),
}
NETWORKS = {
    "the usual one": {},
    "wide": {"kernel": 25, "normalization": "standard"},
    "nlinear": {"kernel": 1, "normalization": "last"},
    "individual": {"individual": True, "series": 3},
    "quantiles": {"quantiles": (0.1, 0.5, 0.9), "normalization": "last"},
    "individual quantiles": {"individual": True, "series": 3, "quantiles": [0.2, 0.8]},
}


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def make(seed=1, **options):
    """A small network, none of whose weights is zero."""
    network = LinearForecaster(12, 5, seed=seed, **{"kernel": 5, **options})
    network.build()
    rng = np.random.default_rng(seed)
    network.set_weights([rng.normal(size=w.shape, scale=0.6).astype("float32") for w in network.weights])
    return network


def ordered(raw):
    """Quantiles of raw numbers (..., count): the middle one, and softplus steps away from it."""
    middle, gaps = raw.shape[-1] // 2, np.log1p(np.exp(raw))
    return np.stack(
        [
            raw[..., middle]
            + gaps[..., middle + 1 : place + 1].sum(axis=-1)
            - gaps[..., place:middle].sum(axis=-1)
            for place in range(raw.shape[-1])
        ],
        axis=-1,
    )


def by_hand(network, window, series):
    """Forecast (horizon, outputs) of one window (look_back,), before the quantiles are ordered."""
    config, half = network.config, network.config["kernel"] // 2
    values = {w.name: array(w).astype("float64") for w in network.weights}
    shape = (config["series"] if config["individual"] else 1, config["horizon"], network.outputs_per_step)
    steps = range(-half, len(window) + half)
    padded = [window[min(max(step, 0), len(window) - 1)] for step in steps]
    trend = np.array([np.mean(padded[step : step + config["kernel"]]) for step in range(len(window))])
    y = 0
    for name, x in (("remainder", window - trend), ("trend", trend)):
        y = y + np.tensordot(x, values[f"{name}_kernel"].reshape(len(x), *shape), 1)
        y = y + values[f"{name}_bias"].reshape(shape)
    if not config["individual"]:
        return y[0]
    return y.mean(axis=0) if series == 0 else y[series - 1]


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    return make(**NETWORKS[request.param])


def test_forecasts_are_those_of_a_computation_by_hand(network):
    found = array(network(INPUTS))
    for row, values in enumerate(INPUTS["values"].astype("float64")):
        kind = network.config["normalization"]
        location = {"none": 0, "last": values[-1], "standard": values.mean()}[kind]
        scale = values.std() if kind == "standard" else 1
        raw = by_hand(network, (values - location) / scale, INPUTS["series"][row])
        expected = ordered(raw) if network.config["quantiles"] else raw[:, 0]
        np.testing.assert_allclose(found[row], expected * scale + location, rtol=1e-4, atol=1e-4)


def test_a_shorter_horizon_is_the_beginning_of_the_whole(network):
    np.testing.assert_allclose(array(network(INPUTS, horizon=2)), array(network(INPUTS))[:, :2], rtol=1e-6)


@pytest.mark.parametrize("name", ["the usual one", "individual quantiles"])
def test_it_learns(name):
    network = make(**NETWORKS[name])
    before = array(network(INPUTS))
    targets = np.broadcast_to(
        np.reshape(INPUTS["values"][:, -1], (-1, *(1,) * (before.ndim - 1))), before.shape
    )
    network.compile(keras.optimizers.Adam(0.05), loss="mse")
    network.fit(INPUTS, targets, epochs=8, batch_size=3, verbose=0)
    assert np.mean((array(network(INPUTS)) - targets) ** 2) < 0.5 * np.mean((before - targets) ** 2)


def test_saved_and_loaded_it_says_the_same(network, tmp_path):
    assert len(network.weights) == 4
    for copy in copies(network, tmp_path):
        np.testing.assert_array_equal(array(copy(INPUTS)), array(network(INPUTS)))


def test_it_begins_by_its_seed():
    first, same, other = (LinearForecaster(12, 5, seed=seed) for seed in (1, 1, 2))
    forecasts = [array(each(INPUTS)) for each in (first, same, other)]
    np.testing.assert_array_equal(forecasts[0], forecasts[1])
    assert np.abs(forecasts[0] - forecasts[2]).max() > 1e-3
    kernels = [array(w) for w in first.weights if "kernel" in w.name]
    assert np.abs(kernels[0] - kernels[1]).max() > 1e-3
    assert max(np.abs(kernel).max() for kernel in kernels) <= 12**-0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel": 4}, "kernel must be odd, not 4: try 5"),
        ({"kernel": 0}, "kernel must be an integer of at least 1, not 0"),
        ({"individual": True}, "individual=True needs series"),
        ({"normalization": "standrad"}, "did you mean 'standard'"),
        ({"look_back": True}, "look_back must be an integer of at least 1, not True"),
    ],
)
def test_errors_name_the_argument(options, message):
    with pytest.raises(UserError, match=message):
        LinearForecaster(**{"look_back": 12, "horizon": 5, **options})
