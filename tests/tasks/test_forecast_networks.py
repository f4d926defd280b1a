import keras
import numpy as np
import pytest
from keras import ops

from zoo.errors import UserError
from zoo.models import ForecastEnsemble
from zoo.tasks.forecast_networks import (
    NETWORKS,
    SCHEMAS,
    arguments_of,
    build_network,
    check_options,
    give_seasons,
    grown,
    members_of,
    network_arguments,
)

SMALL = {
    "direct": {"units": 4, "embedding_dim": 2},
    "linear": {"individual": True},
    "autoregressive": {"units": 3, "layers": 1},
    "smoothing": {"units": 3, "dilations": ((1, 2),)},
}


def arguments(model, series=3, **more):
    sizes = {"horizon": 4, "look_back": 12, "periods": [6], "past": 0, "known": 0, "static": 0}
    return network_arguments(model, {**SMALL[model], "seed": 1, **more}, series=series, **sizes)


@pytest.mark.parametrize("model", NETWORKS)
def test_schema_knows_all_arguments(model):
    assert set(SCHEMAS[model]) == arguments_of(model)


def test_defaults_depend_on_the_data():
    assert arguments("direct")["segment"] == 3
    assert arguments("direct", segment=6)["segment"] == 6
    assert arguments("autoregressive")["lags"] == [1, 6]
    assert arguments("smoothing")["input_size"] == 6
    counts = {
        ("direct", 3): 3,
        ("direct", 1): 0,
        ("autoregressive", 2): 2,
        ("smoothing", 1): 1,
        ("linear", 1): 1,
    }
    for (model, series), expected in counts.items():
        assert arguments(model, series)["series"] == expected
    options = {"seed": 1, "series": False}
    sizes = {"horizon": 4, "look_back": 12, "periods": [1], "series": 3}
    assert network_arguments("direct", options, **sizes)["series"] == 0
    assert network_arguments("linear", {}, **sizes)["series"] == 0
    assert network_arguments("smoothing", options, **sizes)["series"] == 3
    assert network_arguments("smoothing", options, **sizes)["input_size"] == 4
    assert network_arguments("autoregressive", {}, **sizes)["lags"] == [1]


@pytest.mark.parametrize(
    ("model", "options", "fault"),
    [
        ("drect", {}, "unknown model 'drect': did you mean 'direct'"),
        (
            "direct",
            {"likelihood": "gaussian"},
            "'likelihood' is no option of the model 'direct'; it has cell",
        ),
        ("direct", {"past": 3}, "'past' is no option"),
        ("direct", {"series": 3}, "series: got 3; give True or False"),
    ],
)
def test_options_that_are_refused(model, options, fault):
    with pytest.raises(UserError, match=fault):
        check_options(model, options)


def test_members_differ():
    network = build_network("linear", arguments("linear"), 2)
    assert isinstance(network, ForecastEnsemble)
    one, two = (ops.convert_to_numpy(member.weights[0]) for member in members_of(network))
    assert np.abs(one - two).max() > 0.01
    single = build_network("linear", arguments("linear"))
    assert members_of(single) == [single]
    np.testing.assert_array_equal(ops.convert_to_numpy(single.weights[0]), one)


@pytest.mark.parametrize("model", NETWORKS)
def test_new_series_begin_with_the_median(model):
    old, new = (build_network(model, arguments(model, series)) for series in (3, 5))
    generator = np.random.default_rng(0)
    for variable in old.weights:
        variable.assign(generator.normal(size=variable.shape))
    grown(old, new, 2)
    changed = 0
    for source, target in zip(old.weights, new.weights, strict=True):
        a, b = ops.convert_to_numpy(source), ops.convert_to_numpy(target)
        if a.shape == b.shape:
            np.testing.assert_array_equal(a, b)
        elif model == "linear":  # the outputs of all series stand beside each other
            changed += 1
            a, b = a.reshape(*a.shape[:-1], 3, 4), b.reshape(*b.shape[:-1], 5, 4)
            np.testing.assert_array_equal(b[..., :3, :], a)
            for place in (3, 4):
                np.testing.assert_allclose(b[..., place, :], np.median(a, axis=-2), rtol=1e-6)
        else:
            changed += 1
            np.testing.assert_array_equal(b[: len(a)], a)
            np.testing.assert_allclose(b[len(a) :], np.tile(np.median(a, axis=0), (2, 1)), rtol=1e-6)
    assert changed == {"direct": 1, "linear": 4, "autoregressive": 1, "smoothing": 2}[model]


def test_seasons_are_given():
    network = build_network("smoothing", arguments("smoothing"), 2)
    factors = np.linspace(0.5, 1.5, 12).reshape(2, 6)
    give_seasons(network, np.array([3, 1]), factors)
    for member in members_of(network):
        table = ops.convert_to_numpy(member.tables[1])
        np.testing.assert_allclose(np.exp(table), [factors[1], np.ones(6), factors[0]], rtol=1e-6)
    assert keras.ops.shape(members_of(network)[0].tables[0]) == (3, 2)
