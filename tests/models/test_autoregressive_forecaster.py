"""Likelihoods and paths against a computation in NumPy and float64, written from the paper's equations."""

import keras
import numpy as np
import pytest
from scipy import stats

from tests.cells.references import REFERENCES
from tests.models.saving import copies
from zoo.errors import UserError
from zoo.models import AutoregressiveForecaster
from zoo.tasks.compiling import compiled

LOOK_BACK, HORIZON, BATCH = 6, 4, 3
NETWORKS = {
    "the usual one": {},
    "gru, one layer, all covariates": {
        "cell": "gru",
        "layers": 1,
        "lags": (1, 3, 6),
        "likelihood": "gaussian",
        "past": 2,
        "known": 1,
        "static": 2,
        "series": 4,
        "embedding_dim": 3,
    },
    "peephole_lstm, counts": {
        "cell": "peephole_lstm",
        "likelihood": "negative_binomial",
        "known": 2,
        "conditioning_loss": True,
    },
    "min_gru, lags": {"cell": "min_gru", "lags": (2,), "series": 4, "past": 1, "conditioning_loss": True},
}


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def make(seed=1, scale=0.5, **options):
    """A small network, none of whose weights is zero."""
    network = AutoregressiveForecaster(LOOK_BACK, HORIZON, **{"units": 4, "seed": seed, **options})
    network.build()
    rng = np.random.default_rng(seed)
    network.set_weights([rng.normal(size=w.shape, scale=scale).astype("float32") for w in network.weights])
    return network


def windows(network, batch=BATCH, seed=2):
    """Windows of everything that the network sees; the last one has no value, the second one gaps."""
    config, rng = network.config, np.random.default_rng(seed)
    observed, targets_observed = np.ones((batch, LOOK_BACK)), np.ones((batch, HORIZON))
    observed[1, [0, 3]] = targets_observed[1, [1, 3]] = 0
    observed[2] = 0
    inputs = {
        "values": np.round(rng.gamma(2, 20, size=(batch, LOOK_BACK))) * observed,
        "observed": observed,
        "targets": np.where(targets_observed > 0, np.round(rng.gamma(2, 20, size=(batch, HORIZON))), np.nan),
        "targets_observed": targets_observed,
    }
    for key, shape in {
        "past": (batch, LOOK_BACK),
        "known": (batch, LOOK_BACK + HORIZON),
        "static": (batch,),
    }.items():
        if config[key]:
            inputs[key] = rng.normal(size=(*shape, config[key]))
    inputs = {key: value.astype("float32") for key, value in inputs.items()}
    if config["series"]:
        inputs["series"] = np.arange(batch, dtype="int32")
    return inputs


def softplus(x):
    return np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)


def distribution(likelihood, raw, scale):
    """The distribution of raw parameters (..., n), of values of this scale."""
    r = np.moveaxis(raw, -1, 0)
    if likelihood == "gaussian":
        return stats.norm(r[0] * scale, (softplus(r[1]) + 1e-4) * scale)
    if likelihood == "student_t":
        return stats.t(2 + 1e-4 + softplus(r[0]), r[1] * scale, (softplus(r[2]) + 1e-4) * scale)
    mean, dispersion = (softplus(r[0]) + 1e-4) * scale, (softplus(r[1]) + 1e-4) / np.sqrt(scale)
    return stats.nbinom(1 / dispersion, 1 / (1 + dispersion * mean))


def by_hand(network, inputs, targets, targets_observed, row):
    """The scale and the distributions of all steps of one window, given its targets."""
    config = network.config
    weights = {w.path.partition("/")[2]: array(w).astype("float64") for w in network.weights}
    values, observed = inputs["values"][row].astype("float64"), inputs["observed"][row]
    scale = np.abs(values[observed > 0]).mean() if observed.any() else 0.0
    scale = scale + 1 if config["likelihood"] == "negative_binomial" else scale or 1.0
    scaled = np.concatenate([values, np.where(targets_observed > 0, targets, 0)]) / scale
    flags = np.concatenate([observed, targets_observed])
    steps = []
    for t in range(LOOK_BACK + HORIZON):
        seen = []
        for lag in config["lags"]:
            seen += [scaled[t - lag], flags[t - lag]] if t >= lag else [0, 0]
        seen.append(np.log(scale))
        seen += [*inputs["static"][row]] if config["static"] else []
        seen += [*weights["embedding/embeddings"][inputs["series"][row]]] if config["series"] else []
        seen += [*inputs["known"][row, t]] if config["known"] else []
        if config["past"]:
            seen += [*inputs["past"][row, t - 1]] if 1 <= t <= LOOK_BACK else [0] * config["past"]
        steps.append(seen)
    x = np.array(steps, "float64")[None]
    for layer in range(config["layers"]):
        beginning = f"stack/forward_{layer}/cell/"
        own = {path.removeprefix(beginning): w for path, w in weights.items() if path.startswith(beginning)}
        x = REFERENCES[config["cell"]](x, own)[0]
    return scale, distribution(
        config["likelihood"], x[0] @ weights["head/kernel"] + weights["head/bias"], scale
    )


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    return make(**NETWORKS[request.param])


def test_likelihoods_are_those_of_a_computation_by_hand(network):
    inputs = windows(network)
    found, counted = map(array, network.step_nll(inputs))
    first = 0 if network.config["conditioning_loss"] else LOOK_BACK
    flags = np.concatenate([inputs["observed"], inputs["targets_observed"]], axis=1)[:, first:]
    np.testing.assert_array_equal(counted, flags)
    for row in range(BATCH):
        targets = np.nan_to_num(inputs["targets"][row]).astype("float64")
        _, expected = by_hand(network, inputs, targets, inputs["targets_observed"][row], row)
        values = np.concatenate([inputs["values"][row], targets])
        log = expected.logpmf if network.config["likelihood"] == "negative_binomial" else expected.logpdf
        nll = np.where(flags[row] > 0, -log(values)[first:], 0)
        np.testing.assert_allclose(found[row], nll, rtol=2e-4, atol=2e-5)
    losses = array(network(inputs))
    assert losses.shape == (BATCH,)
    np.testing.assert_allclose(losses.mean(), found.sum() / counted.sum(), rtol=1e-5)
    np.testing.assert_allclose(losses / losses.sum(), found.sum(axis=1) / found.sum(), rtol=1e-5, atol=1e-7)


def test_a_path_goes_on_from_what_it_drew():
    """With a narrow distribution each value drawn is the mean, given the values that were drawn before it."""
    options = {"past": 1, "known": 2, "static": 1, "series": 3, "lags": (1, 2, 5), "likelihood": "gaussian"}
    network = make(cell="peephole_lstm", layers=2, **options)
    network.head.bias.assign([0.3, -30.0])
    network.head.kernel.assign(array(network.head.kernel) * [1, 0])
    inputs = windows(network)
    paths = array(network.sample(inputs, 2, 5))
    assert paths.shape == (BATCH, 2, HORIZON)
    for row in range(BATCH):
        for path in paths[row]:
            scale, expected = by_hand(network, inputs, path, np.ones(HORIZON), row)
            np.testing.assert_allclose(path, expected.mean()[LOOK_BACK:], rtol=2e-4, atol=6e-4 * scale)


@pytest.mark.parametrize("likelihood", ["gaussian", "student_t", "negative_binomial"])
def test_paths_have_the_distribution(likelihood):
    network = make(scale=0.0, likelihood=likelihood)
    raw = np.array(
        {"gaussian": [1, 0.5], "student_t": [2, -1, 0.5], "negative_binomial": [0.2, -1]}[likelihood]
    )
    network.head.bias.assign(raw)
    inputs = windows(network)
    paths = array(network.sample(inputs, 800, 3))
    assert len({tuple(path) for path in paths[0]}) > 500
    for row in range(BATCH):
        expected = distribution(likelihood, raw, array(network.scale(inputs))[row, 0])
        for step in range(HORIZON):
            drawn = np.sort(paths[row, :, step])
            share = np.searchsorted(drawn, drawn, side="right") / len(drawn)
            assert np.abs(share - expected.cdf(drawn)).max() < 0.07  # Kolmogorov's bound at 0.1%
    for step in range(1, HORIZON):  # no draw is that of another step
        assert abs(np.corrcoef(paths[0, :, 0], paths[0, :, step])[0, 1]) < 0.15


def test_a_seed_draws_the_same_paths():
    network = make(likelihood="negative_binomial")
    inputs = windows(network)
    first, same, other = (array(network.sample(inputs, 5, seed)) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, same)
    assert (first != other).mean() > 0.5
    assert np.isfinite(first).all()
    assert array(network.sample(inputs, 5, 7, horizon=2)).shape == (BATCH, 5, 2)


@pytest.mark.parametrize("likelihood", ["student_t", "negative_binomial"])
def test_a_compiled_function_draws_the_same_for_any_batch(likelihood):
    network = make(likelihood=likelihood, series=3, dropout=0.2)
    inputs = windows(network)
    inputs = {key: inputs[key] for key in ("values", "observed", "series")}
    signature = {
        "values": keras.KerasTensor((None, LOOK_BACK)),
        "observed": keras.KerasTensor((None, LOOK_BACK)),
        "series": keras.KerasTensor((None,), "int32"),
    }
    draw = compiled(
        network,
        lambda inputs, seed: network.sample(inputs, 2, seed),
        signature,
        keras.KerasTensor((), "int32"),
    )
    for count in (3, 1):
        some = {key: value[:count] for key, value in inputs.items()}
        found = array(draw(some, np.array(9, "int32")))
        np.testing.assert_allclose(found, array(network.sample(some, 2, 9)), rtol=1e-4)


def test_it_learns_a_wave():
    keras.utils.set_random_seed(1)
    network = make(dropout=0.05, units=8, layers=1, lags=(1, 2), cell="gru")
    network.compile(keras.optimizers.Adam(0.02), loss=lambda _, loss: loss)
    rng = np.random.default_rng(0)
    t = np.arange(LOOK_BACK + HORIZON) + rng.uniform(0, 8, size=(128, 1))
    y = (10 + 5 * np.sin(t * np.pi / 4) + rng.normal(size=t.shape, scale=0.1)).astype("float32")
    inputs = {"values": y[:, :LOOK_BACK], "targets": y[:, LOOK_BACK:]}
    inputs["observed"], inputs["targets_observed"] = (np.ones_like(each) for each in inputs.values())
    before = array(network(inputs)).mean()
    network.fit(inputs, np.zeros(128), epochs=20, batch_size=32, verbose=0)
    assert array(network(inputs)).mean() < before - 1


def test_dropout_is_for_training_alone():
    plain, dropped = make(dropout=0.0), make(dropout=0.5)
    inputs = windows(plain)
    np.testing.assert_array_equal(array(plain(inputs)), array(dropped(inputs)))
    assert np.abs(array(plain(inputs)) - array(dropped(inputs, training=True))).max() > 1e-3


def test_saved_and_loaded_it_says_the_same(tmp_path):
    network = make(**NETWORKS["gru, one layer, all covariates"])
    inputs = windows(network)
    for copy in copies(network, tmp_path):
        np.testing.assert_array_equal(array(copy(inputs)), array(network(inputs)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": "lsmt"}, "did you mean 'lstm'"),
        ({"likelihood": "gausian"}, "did you mean 'gaussian'"),
        ({"units": 0}, "units must be an integer of at least 1, not 0"),
        ({"known": -1}, "known must be an integer of at least 0, not -1"),
        ({"lags": ()}, "lags must be integers from 1 to look_back=6"),
        ({"lags": (1, 7)}, "lags must be integers from 1 to look_back=6"),
        ({"dropout": 1}, "dropout: got 1"),
    ],
)
def test_errors_name_the_argument(options, message):
    with pytest.raises(UserError, match=message):
        AutoregressiveForecaster(LOOK_BACK, HORIZON, **options)


def test_more_than_it_was_made_for_is_refused():
    network = make()
    for options, name in (
        ({"horizon": HORIZON + 1}, "horizon"),
        ({"horizon": 0}, "horizon"),
        ({"paths": 0}, "paths"),
    ):
        with pytest.raises(UserError, match=name):
            network.sample(windows(network), **{"paths": 1, "seed": 1, **options})


def test_what_the_inputs_lack_is_named():
    network = make(known=2)
    inputs = windows(network)
    del inputs["known"]
    with pytest.raises(
        UserError, match="AutoregressiveForecaster: the inputs lack known: give values, observed"
    ):
        network.sample(inputs, 1, 1)
    with pytest.raises(UserError, match="the inputs lack targets_observed, known: give"):
        network({name: value for name, value in inputs.items() if name != "targets_observed"})
