"""Likelihoods against a computation in NumPy and float64, written from the papers' equations."""

import keras
import numpy as np
import pytest

from tests.cells import references
from tests.layers import attention_references
from tests.models.saving import copies
from zoo.errors import UserError
from zoo.models import RecurrentSequenceToSequence

SOURCE = np.array([[5, 6, 7, 4, 3], [8, 5, 3, 0, 0], [4, 3, 0, 0, 0]], "int32")
TARGET = np.array([[2, 7, 3, 0, 0], [2, 4, 8, 5, 3], [2, 6, 6, 3, 0]], "int32")
PAIRS = {"source": SOURCE, "target": TARGET}
NETWORKS = {
    "the usual one": {},
    "lstm": {"cell": "lstm", "attention": "general", "encoder_layers": 2, "residual": True},
    "peephole_lstm": {"cell": "peephole_lstm", "attention": "multi_head", "heads": 2, "decoder_layers": 3},
    "min_gru": {"cell": "min_gru", "attention": "concat", "attention_units": 3, "decoder_layers": 1},
    "nothing fed": {"input_feeding": False},
    "nothing fed to lstm": {
        "cell": "lstm",
        "input_feeding": False,
        "attention": "dot",
        "bidirectional": False,
    },
    "no attention": {"attention": "none", "encoder_layers": 2},
    "no attention, one way": {
        "cell": "lstm",
        "attention": "none",
        "bidirectional": False,
        "decoder_layers": 1,
    },
}


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def make(seed=1, **options):
    """A small network, none of whose weights is zero."""
    network = RecurrentSequenceToSequence(9, units=4, embedding_dim=5, seed=seed, **options)
    network.build()
    rng = np.random.default_rng(seed)
    network.set_weights([rng.normal(size=w.shape, scale=0.6).astype("float32") for w in network.weights])
    return network


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    return make(**NETWORKS[request.param])


def by_hand(network, source, target):
    """Contexts (steps, features) before the softmax, and attention, of one pair of ids without padding."""
    config = network.config
    values = {w.path.partition("/")[2]: array(w).astype("float64") for w in network.weights}
    run = references.REFERENCES[config["cell"]]

    def under(beginning):
        return {path.removeprefix(beginning): w for path, w in values.items() if path.startswith(beginning)}

    table = values["embedding/embeddings"]
    x = table[source][None]
    for layer in range(config["encoder_layers"]):
        outputs = [run(x, under(f"encoder/forward_{layer}/cell/"))[0]]
        if config["bidirectional"]:
            outputs.append(run(x[:, ::-1], under(f"encoder/backward_{layer}/cell/"))[0][:, ::-1])
        outputs = np.concatenate(outputs, axis=-1)
        x = outputs + x if config["residual"] and outputs.shape == x.shape else outputs
    memory, summary = x, x.mean(axis=1)
    states = [
        np.tanh(summary @ values[f"bridge_{number}/kernel"] + values[f"bridge_{number}/bias"])
        for number in range(len(network.bridge))
    ]
    count = len(network.bridge) // config["decoder_layers"]
    y = table[target][None]
    if config["attention"] == "none":
        context, weights = np.repeat(summary[:, None], len(target), axis=1), None
        h = run(np.concatenate([y, context], axis=-1), under("decoder_0/cell/"), tuple(states[:count]))[0]
    else:
        feeding = config["input_feeding"]
        width = 4 if config["attention"] == "multi_head" else memory.shape[-1]
        first = [*states[:count], np.zeros((1, width))] if feeding else states[:count]
        given = {"inputs": y, "memory": memory, **{f"state_{n}": each for n, each in enumerate(first)}}
        outputs, weights, _ = attention_references.decoder(
            config["cell"],
            config["attention"],
            {**under("decoder_0/"), **given},
            size=width,
            feeding=feeding,
            heads=config["heads"],
        )
        h, context, weights = outputs[..., :4], outputs[..., 4:], weights[0]
    for layer in range(1, config["decoder_layers"]):
        first = tuple(states[layer * count : (layer + 1) * count])
        h = run(np.concatenate([h, context], axis=-1), under(f"decoder_{layer}/cell/"), first)[0]
    seen = np.concatenate([h, context, y], axis=-1)
    return np.tanh(seen @ values["readout/kernel"] + values["readout/bias"])[0], weights


def log_softmax(network, contexts):
    logits = contexts @ array(network.embedding.embeddings).astype("float64").T + array(network.bias)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def test_likelihoods_are_those_of_a_computation_by_hand(network):
    """Padding is in none of it: it changes nothing."""
    found, counted = map(array, network.token_nll(PAIRS))
    contexts, weights = network.decode(SOURCE, TARGET[:, :-1])
    np.testing.assert_array_equal(counted, TARGET[:, 1:] != 0)
    assert not found[counted == 0].any()
    for row, (source, target) in enumerate(zip(SOURCE, TARGET, strict=True)):
        source, target = source[source != 0], target[target != 0]
        steps = len(target) - 1
        expected, attention = by_hand(network, source, target[:-1])
        np.testing.assert_allclose(array(contexts)[row, :steps], expected, rtol=2e-4, atol=1e-5)
        nll = -log_softmax(network, expected)[np.arange(steps), target[1:]]
        np.testing.assert_allclose(found[row, :steps], nll, rtol=2e-4)
        if attention is None:
            assert weights is None
            continue
        seen = array(weights)[row, :steps]
        np.testing.assert_allclose(seen[:, : len(source)], attention, rtol=2e-4, atol=1e-5)
        assert not seen[:, len(source) :].any()
    losses = array(network(PAIRS))
    np.testing.assert_allclose(losses.mean(), found.sum() / counted.sum(), rtol=1e-5)
    np.testing.assert_allclose(losses / losses.sum(), found.sum(axis=1) / found.sum(), rtol=1e-5)


def test_step_by_step_is_the_same_as_at_once(network):
    contexts, weights = network.decode(SOURCE, TARGET[:, :-1])
    fixed, states = network.begin(SOURCE)
    for step in range(4):
        real = TARGET[:, step] != 0
        logits, states, seen = network.step(TARGET[:, step], states, fixed)
        assert keras.backend.standardize_dtype(logits.dtype) == "float32"
        expected = log_softmax(network, array(contexts)[:, step])
        found = array(logits) - np.log(np.exp(array(logits)).sum(axis=-1, keepdims=True))
        np.testing.assert_allclose(found[real], expected[real], rtol=1e-4, atol=1e-5)
        if weights is None:
            assert seen is None
        else:
            np.testing.assert_allclose(array(seen)[real], array(weights)[real, step], rtol=1e-4, atol=1e-5)


def test_smoothing_is_for_training_alone():
    plain, smoothed = make(), make(label_smoothing=0.2)
    np.testing.assert_array_equal(array(plain(PAIRS)), array(smoothed(PAIRS)))
    found, counted = map(array, smoothed.token_nll(PAIRS, training=True))
    log_p = log_softmax(plain, array(plain.decode(SOURCE, TARGET[:, :-1])[0]))
    wanted = 0.8 * np.eye(9)[TARGET[:, 1:]] + 0.2 / 9
    np.testing.assert_allclose(found, -(wanted * log_p).sum(axis=-1) * counted, rtol=1e-4)


def test_dropout_takes_the_same_features_at_all_steps():
    rates = {"input_dropout": 0.4, "dropout": 0.4, "recurrent_dropout": 0.4}
    contexts = array(make(output_dropout=0.5).decode(SOURCE, TARGET[:, :-1], training=True)[0])
    whole = array(make().decode(SOURCE, TARGET[:, :-1])[0])
    for row in range(3):
        kept = contexts[row, 0] != 0
        np.testing.assert_allclose(contexts[row], 2 * whole[row] * kept, rtol=1e-5)
    assert len({tuple(kept) for kept in contexts[:, 0] != 0}) > 1  # each pair has its own
    first, same, other = (make(seed, **rates) for seed in (1, 1, 2))
    other.set_weights(first.get_weights())
    losses = [array(each(PAIRS, training=True)) for each in (first, same, other)]
    np.testing.assert_array_equal(losses[0], losses[1])
    assert np.abs(losses[0] - losses[2]).max() > 1e-3
    assert np.abs(array(first(PAIRS, training=True)) - losses[0]).max() > 1e-3  # the next draw
    np.testing.assert_array_equal(array(first(PAIRS)), array(make()(PAIRS)))  # none outside of training


def test_it_learns_to_copy_backwards():
    keras.utils.set_random_seed(1)
    options = {"cell": "min_gru", "attention": "none", "residual": True, "dropout": 0.01}
    network = RecurrentSequenceToSequence(9, units=16, embedding_dim=8, seed=1, **options)
    network.compile(keras.optimizers.Adam(0.02), loss=lambda _, loss: loss)
    rng = np.random.default_rng(0)
    words = rng.integers(4, 9, size=(128, 2)).astype("int32")
    start, end = (np.full((128, 1), sign, "int32") for sign in (2, 3))
    pairs = {
        "source": np.concatenate([words, end], 1),
        "target": np.concatenate([start, words[:, ::-1], end], 1),
    }
    before = array(network(pairs)).mean()  # what is not built is built by its first call
    network.fit(pairs, np.zeros(128), epochs=25, batch_size=32, verbose=0)
    assert array(network(pairs)).mean() < 0.3 * before


@pytest.mark.parametrize("options", [{}, {"attention": "none", "cell": "lstm", "label_smoothing": 0.1}])
def test_saved_and_loaded_it_says_the_same(options, tmp_path):
    network = make(dropout=0.1, **options)
    for copy in copies(network, tmp_path):
        np.testing.assert_array_equal(array(copy(PAIRS)), array(network(PAIRS)))


def test_it_works_in_half_precision():
    expected = array(make()(PAIRS))
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = make()
        losses = network(PAIRS), keras.ops.sum(network.token_nll(PAIRS)[0], axis=1) * 3 / 9
    finally:
        keras.config.set_dtype_policy("float32")
    for loss in losses:
        np.testing.assert_allclose(array(keras.ops.cast(loss, "float32")), expected, rtol=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": "lsmt"}, "did you mean 'lstm'"),
        ({"attention": "aditive"}, "did you mean 'additive'"),
        ({"units": 0}, "units must be a positive integer, not 0"),
        ({"decoder_layers": 1.5}, "decoder_layers must be a positive integer, not 1.5"),
        ({"attention": "multi_head", "heads": 3}, "heads=3 do not divide units=4"),
        ({"label_smoothing": 1}, "label_smoothing: got 1; give a number of at least 0, below 1"),
        ({"output_dropout": -0.1}, "output_dropout: got -0.1"),
    ],
)
def test_errors_name_the_argument(options, message):
    with pytest.raises(UserError, match=message):
        RecurrentSequenceToSequence(9, **{"units": 4, **options})


def test_as_many_layers_as_you_like_have_seeds():
    network = RecurrentSequenceToSequence(9, units=2, decoder_layers=64, dropout=0.1, seed=0)
    seeds = [layer.seed for layer in network.layer_dropouts]
    assert len(set(seeds)) == 63
