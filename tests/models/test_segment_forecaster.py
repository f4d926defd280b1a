"""Forecasts against a computation in NumPy and float64, written from the paper's equations."""

import keras
import numpy as np
import pytest

from tests.cells import references
from tests.models.saving import copies
from zoo.errors import UserError
from zoo.models import SegmentForecaster

LOOK_BACK, HORIZON, ROWS = 11, 8, 4
SIZES = {"past": 2, "known": 3, "static": 2, "series": 3}
RNG = np.random.default_rng(0)
INPUTS = {
    "values": RNG.normal(size=(ROWS, LOOK_BACK)).astype("float32"),
    "observed": np.ones((ROWS, LOOK_BACK), "float32"),
    "past": RNG.normal(size=(ROWS, LOOK_BACK, 2)).astype("float32"),
    "known": RNG.normal(size=(ROWS, LOOK_BACK + HORIZON, 3)).astype("float32"),
    "static": RNG.normal(size=(ROWS, 2)).astype("float32"),
    "series": np.array([2, 0, 3, 1], "int32"),
}
OBSERVED = np.array(
    [
        [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
        [0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 1],
        [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ],
    "float32",
)
GAPS = {**INPUTS, "observed": OBSERVED, "values": INPUTS["values"] * OBSERVED}
NETWORKS = {
    "the usual one": {},
    "lstm": {"cell": "lstm", "layers": 2, "series": 3, "normalization": "standard"},
    "min_gru": {"cell": "min_gru", "layers": 3, "stride": 2, "normalization": "none", "quantiles": [0.5]},
    "peephole_lstm": {
        "cell": "peephole_lstm",
        "missing": True,
        "known": 3,
        "quantiles": (0.1, 0.4, 0.6, 0.9),
    },
    "gru_reset_before": {"cell": "gru_reset_before", "past": 2, "series": 3, "embedding_dim": 1},
    "everything": {
        **SIZES,
        "missing": True,
        "stride": 3,
        "quantiles": (0.1, 0.5, 0.9),
        "normalization": "scale",
    },
    "linear beside it": {"linear": True, "normalization": "standard"},
    "linear beside quantiles": {"linear": True, "quantiles": (0.2, 0.5), "missing": True},
    "one segment": {"segment": 11, "missing": True, "static": 2},
}


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def make(seed=1, **options):
    """A small network, none of whose weights is zero."""
    options = {"segment": 3, "units": 6, "dropout": 0.0, **options}
    network = SegmentForecaster(LOOK_BACK, HORIZON, seed=seed, **options)
    network.build()
    rng = np.random.default_rng(seed)
    network.set_weights([rng.normal(size=w.shape, scale=0.6).astype("float32") for w in network.weights])
    return network


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    return make(**NETWORKS[request.param])


def statistics(kind, x):
    """Location and scale of the observed values x."""
    if kind == "none" or not len(x):
        return 0, 1
    if kind == "last":
        return x[-1], 1
    return (x.mean(), x.std()) if kind == "standard" else (0, np.abs(x).mean())


def by_hand(network, inputs, row):
    """Forecast of one row, (horizon,) or (horizon, quantiles)."""
    config = network.config
    weights = {w.path.partition("/")[2]: array(w).astype("float64") for w in network.weights}
    inputs = {key: each[row].astype("float64") for key, each in inputs.items()}
    run, segment, units = references.REFERENCES[config["cell"]], config["segment"], config["units"]
    observed = inputs["observed"] > 0
    location, scale = statistics(config["normalization"], inputs["values"][observed])
    window = np.where(observed, (inputs["values"] - location) / scale, 0)

    # the encoder
    columns = [window[:, None]]
    columns += [inputs["observed"][:, None]] if config["missing"] else []
    columns += [inputs["past"]] if config["past"] else []
    columns += [inputs["known"][:LOOK_BACK]] if config["known"] else []
    features, stride = np.concatenate(columns, axis=1), config["stride"] or segment
    while (len(features) - segment) % stride:
        features = np.concatenate([np.zeros((1, features.shape[1])), features])
        observed = np.concatenate([[False], observed])
    starts = range(0, len(features) - segment + 1, stride)
    s = np.stack([features[start : start + segment].ravel() for start in starts])
    mask = None
    if config["missing"]:
        mask = np.array([observed[: start + segment].any() for start in starts])[None]
    x = np.maximum(s @ weights["projection/kernel"] + weights["projection/bias"], 0)[None]
    states = []
    for layer in range(config["layers"]):
        x, last = run(x, under(weights, f"encoder/forward_{layer}/cell/"), None, mask)
        states.append(last)

    # the decoder: each segment of the horizon by a run of its own
    raw = []
    for number in range(-(-HORIZON // segment)):
        e = weights["position_embedding"][number]
        if config["series"]:
            e = np.concatenate([e, weights["series_embedding"][int(inputs["series"])]])
        assert len(e) == units
        if config["static"]:
            e = e + inputs["static"] @ weights["static_projection/kernel"]
        if config["known"]:
            k = inputs["known"][LOOK_BACK:][number * segment : (number + 1) * segment].ravel()
            e = e + k @ weights["known_projection/kernel"][: len(k)]
        q = e[None, None]
        for layer in range(config["layers"]):
            q = run(q, under(weights, f"encoder/forward_{layer}/cell/"), states[layer])[0]
        raw.append(q[0, 0] @ weights["head/kernel"] + weights["head/bias"])
    raw = np.concatenate(raw).reshape(-1, len(config["quantiles"] or [0]))[:HORIZON]
    if config["linear"]:
        straight = window @ weights["linear_kernel"] + weights["linear_bias"]
        raw[:, raw.shape[1] // 2] += straight
    return (ordered(raw) if config["quantiles"] else raw[:, 0]) * scale + location


def under(weights, beginning):
    return {path.removeprefix(beginning): w for path, w in weights.items() if path.startswith(beginning)}


def ordered(raw):
    """The middle quantile is free; each other one lies a softplus further out than the one before."""
    middle, gaps, found = raw.shape[1] // 2, np.log1p(np.exp(raw)), raw.copy()
    for place in range(middle + 1, raw.shape[1]):
        found[:, place] = found[:, place - 1] + gaps[:, place]
    for place in reversed(range(middle)):
        found[:, place] = found[:, place + 1] - gaps[:, place]
    return found


@pytest.mark.parametrize("inputs", [INPUTS, GAPS], ids=["whole", "gaps"])
def test_forecasts_are_those_of_a_computation_by_hand(network, inputs):
    found = array(network(inputs))
    assert np.isfinite(found).all()
    for row in range(ROWS):
        np.testing.assert_allclose(found[row], by_hand(network, inputs, row), rtol=5e-4, atol=5e-5)
    if network.config["quantiles"]:
        assert (np.diff(found, axis=-1) > 0).all()


@pytest.mark.parametrize("horizon", [1, 3, 4])
def test_a_shorter_horizon_is_the_beginning_of_the_whole(network, horizon):
    whole = array(network(INPUTS))[:, :horizon]
    np.testing.assert_allclose(array(network(INPUTS, horizon=horizon)), whole, rtol=1e-5, atol=1e-6)


def test_what_was_before_the_first_observation_changes_nothing():
    """A series that began within the window: the segments before are as if they were not there."""
    network = make(missing=True)
    shorter = SegmentForecaster(6, HORIZON, segment=3, units=6, missing=True)
    shorter.build()
    shorter.set_weights(network.get_weights())
    values, observed = (GAPS[key][1:2] for key in ("values", "observed"))
    short = {"values": values[:, -6:], "observed": observed[:, -6:]}
    np.testing.assert_allclose(
        array(network({"values": values, "observed": observed})), array(shorter(short)), rtol=1e-5
    )


def test_it_says_the_same_in_batches_of_any_size(network):
    found = network.predict(GAPS, batch_size=3, verbose=0)
    np.testing.assert_allclose(found, array(network(GAPS)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["the usual one", "everything"])
def test_it_learns(name):
    keras.utils.set_random_seed(1)
    network = SegmentForecaster(LOOK_BACK, HORIZON, segment=3, units=12, dropout=0.1, **NETWORKS[name])
    time = np.arange(LOOK_BACK + HORIZON) + RNG.uniform(0, 8, size=(16, 1))
    waves = (np.sin(2 * np.pi * time / 8) + 5).astype("float32")
    inputs = {key: np.repeat(each, 4, axis=0) for key, each in INPUTS.items()}
    inputs["values"] = waves[:, :LOOK_BACK]
    targets = waves[:, LOOK_BACK:]
    if network.config["quantiles"]:
        targets = np.repeat(targets[..., None], len(network.config["quantiles"]), axis=-1)
    network.compile(keras.optimizers.Adam(0.02), loss="mae")
    losses = network.fit(inputs, targets, epochs=20, batch_size=8, verbose=0).history["loss"]
    assert losses[-1] < 0.6 * losses[0]
    gaps = {key: np.repeat(each, 4, axis=0) for key, each in GAPS.items()}
    network.fit(gaps, targets, batch_size=8, verbose=0)
    assert all(np.isfinite(array(weight)).all() for weight in network.weights)


def test_dropout_is_for_training_alone():
    plain, first, same, other = make(), make(dropout=0.5), make(dropout=0.5), make(seed=2, dropout=0.5)
    other.set_weights(first.get_weights())
    np.testing.assert_array_equal(array(first(INPUTS)), array(plain(INPUTS)))
    forecasts = [array(each(INPUTS, training=True)) for each in (first, same, other)]
    np.testing.assert_array_equal(forecasts[0], forecasts[1])
    assert np.abs(forecasts[0] - forecasts[2]).max() > 1e-3
    assert np.abs(forecasts[0] - array(plain(INPUTS))).max() > 1e-3


def test_an_unknown_series_begins_in_the_middle_of_the_known_ones():
    network = SegmentForecaster(LOOK_BACK, HORIZON, segment=3, units=400, series=50, seed=3)
    network.build()
    table, positions = array(network.series_table), array(network.positions)
    assert table.shape == (51, 200)
    assert not table[0].any()
    assert abs(table[1:].std() - 1) < 0.05
    assert positions.shape == (3, 200)
    assert np.abs(positions - table[1:4]).max() > 0.1


def test_saved_and_loaded_it_says_the_same(network, tmp_path):
    for copy in copies(network, tmp_path):
        np.testing.assert_array_equal(array(copy(GAPS)), array(network(GAPS)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": "lsmt"}, "did you mean 'lstm'"),
        ({"normalization": "lats"}, "did you mean 'last'"),
        ({"horizon": 0}, "horizon must be an integer of at least 1, not 0"),
        ({"past": -1}, "past must be an integer of at least 0, not -1"),
        ({"units": 2.5}, "units must be an integer of at least 1, not 2.5"),
        ({"segment": 12}, "segment: got 12; give a number of at least 1, at most 11"),
        ({"stride": 4}, "stride: got 4; give a number of at least 1, at most 3"),
        ({"stride": 0}, "stride must be an integer of at least 1, not 0"),
        ({"dropout": 1}, "dropout: got 1; give a number of at least 0, below 1"),
        ({"series": 2, "embedding_dim": 4}, "embedding_dim: got 4; give a number of at least 1, below 4"),
        ({"embedding_dim": 2}, "embedding_dim=2 needs series"),
        ({"quantiles": (0.5, 0.1)}, r"quantiles must rise between 0 and 1, not \[0.5, 0.1\]"),
        ({"quantiles": (0.5, 1)}, "quantiles must rise"),
        ({"quantiles": ()}, "quantiles must rise"),
    ],
)
def test_errors_name_the_argument(options, message):
    with pytest.raises(UserError, match=message):
        SegmentForecaster(**{"look_back": 11, "horizon": 8, "segment": 3, "units": 4, **options})


@pytest.mark.parametrize(
    ("inputs", "horizon", "message"),
    [
        (INPUTS, 9, "horizon=9: the network was made for 8 at most"),
        (INPUTS, 0, "horizon must be an integer of at least 1, not 0"),
        ({"values": INPUTS["values"], "known": INPUTS["known"]}, None, "the inputs lack observed, static"),
        ({**INPUTS, "values": INPUTS["values"][:, 1:]}, None, "values hold 10 steps: give look_back=11"),
    ],
)
def test_errors_name_the_input(inputs, horizon, message):
    with pytest.raises(UserError, match=message):
        make(known=3, static=2)(inputs, horizon=horizon)
