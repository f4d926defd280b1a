"""Long sequences in chunks: the answers of the whole sequence, and arrays that do not grow with it."""

import keras
import numpy as np
import pytest

from zoo.cells import CATALOGUE
from zoo.models import RecurrentClassifier
from zoo.tasks import SentimentClassifier
from zoo.tasks.batches import pad
from zoo.tasks.chunks import CHUNK as CHUNK_STEPS
from zoo.tasks.chunks import ChunkedCaller
from zoo.tasks.inference import Caller

GENERATOR = np.random.default_rng(0)
CHUNK = 8
# at the borders, beside them, and shorter than a chunk
SEQUENCES = [GENERATOR.integers(1, 50, length) for length in (23, 24, 22, 9, 16, 3, 17, 8)]
FEW_SHAPES = keras.backend.backend() == "jax"
LENGTHS = (5, 513, 512, 40, 1025, 200, 1024, 600)


def build(**changes):
    keras.utils.set_random_seed(1)
    options = {
        "units": 6,
        "embedding_dim": 5,
        "dropout": 0.5,
        "word_dropout": 0.1,
        "head_dropout": 0.5,
        **changes,
    }
    network = RecurrentClassifier(50, 3, **options)
    generator = np.random.default_rng(2)
    for variable in network.trainable_variables:  # large ones: what is far away counts
        if variable.path.endswith("embeddings"):
            variable.assign(generator.normal(size=variable.shape))
        elif len(variable.shape) == 2:
            variable.assign(1.5 * keras.initializers.Orthogonal(seed=3)(variable.shape))
    return network


def probabilities(logits):
    return keras.ops.convert_to_numpy(keras.ops.softmax(logits))


def compare(network, few_shapes=FEW_SHAPES, tolerance=1e-5):
    chunked = ChunkedCaller(network, few_shapes, CHUNK)
    cut = [sequence[:CHUNK] for sequence in SEQUENCES]
    wanted, cut = np.split(probabilities(network.predict_on_batch(pad([*SEQUENCES, *cut]))), 2)
    assert np.abs(cut - wanted).max() > 5e-3  # what follows the first chunk counts
    np.testing.assert_allclose(probabilities(chunked(SEQUENCES)), wanted, atol=tolerance)
    return chunked, wanted


@pytest.mark.parametrize("cell", sorted(CATALOGUE))
def test_every_cell(cell):
    compare(build(cell=cell, pooling="mean+max+attention"))


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("pooling", ["last", "mean+max+attention"])
def test_layers_and_directions(pooling, bidirectional, layers):
    compare(build(cell="gru", layers=layers, bidirectional=bidirectional, pooling=pooling))


def test_the_ids_before_a_chunk_are_in_its_ngrams():
    compare(build(ngrams=3, layers=2, pooling="mean+max"))


def test_three_layers_in_both_directions():
    compare(build(layers=3, pooling="last"))


def test_residual_layers_a_hidden_layer_and_few_shapes():
    network = build(units=5, layers=3, bidirectional=False, residual=True, pooling="mean+max", head_units=4)
    chunked, wanted = compare(network, few_shapes=True)
    for row, sequence in enumerate(SEQUENCES):
        np.testing.assert_allclose(probabilities(chunked([sequence]))[0], wanted[row], atol=1e-5)


def test_half_precision():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = build(layers=2, pooling="mean+max+attention")
    finally:
        keras.config.set_dtype_policy(policy)
    compare(network, tolerance=3e-3)


def test_weights_of_now_count():
    network = build(pooling="attention")
    chunked, before = compare(network)
    network.set_weights([0.7 * weights for weights in network.get_weights()])
    wanted = probabilities(network.predict_on_batch(pad(SEQUENCES)))
    assert np.abs(wanted - before).max() > 1e-2
    np.testing.assert_allclose(probabilities(chunked(SEQUENCES)), wanted, atol=1e-5)


def test_no_array_grows_with_the_length(monkeypatch):
    network, largest = build(pooling="mean+max+attention"), {}
    chunked = ChunkedCaller(network, True)

    def spied(call, length):
        def spy(*arrays):
            sizes = [array.size for array in keras.tree.flatten(arrays)]
            largest[length] = max([largest.get(length, 0), *sizes])
            return call(*arrays)

        return spy

    calls = chunked._walks
    for length in (2_000, 20_000):
        spies = [(walk, spied(call, length)) for walk, call in calls]
        monkeypatch.setattr(chunked, "_walks", spies)
        assert np.isfinite(chunked([GENERATOR.integers(1, 50, length)])).all()
    assert largest == {2_000: CHUNK_STEPS, 20_000: CHUNK_STEPS}


def test_batches_hold_fewer_of_longer_sequences():
    chunked = ChunkedCaller(build(), False)
    assert [chunked.batch(length, 64) for length in (600, 2**14, 2**15, 2**20, 2**21)] == [64, 64, 32, 1, 1]


def test_a_caller_takes_the_long_ones_in_chunks_and_the_short_ones_as_ever(monkeypatch):
    network = build(pooling="mean+max")
    caller, asked = Caller(network), []
    long = [np.tile(sequence, 100)[:length] for sequence, length in zip(SEQUENCES, LENGTHS, strict=True)]
    wanted = probabilities(network.predict_on_batch(pad(long)))
    which = caller._which
    monkeypatch.setattr(caller, "_which", lambda ids: asked.append(ids.shape[1]) or which(ids))
    done = []
    np.testing.assert_allclose(probabilities(caller.run(long, 2, done.append)), wanted, atol=1e-5)
    assert asked == [512, 40]
    assert [which(np.ones((1, steps))) is caller._long for steps in (127, 128)] == [False, True]
    assert done == [2, 4, 6, 8]


def test_a_task_reads_texts_whole_unless_told():
    task = SentimentClassifier(
        units=4, embedding_dim=4, vocabulary_size=60, max_length=6, truncation="tail", pooling="attention"
    )
    films, labels = ["a good film", "a bad film"] * 4, ["good", "bad"] * 4
    long = ["good " * 600 + "bad " * 9, "bad " * 600 + "good " * 9]
    validation = long, ["good", "bad"]  # which is asked for within `fit`
    task.fit(films, labels, validation_data=validation, epochs=3, learning_rate=0.1, progress=False)
    assert task.preprocessor.truncation == "tail"
    whole, cut = task.predict_proba(long), task.predict_proba(long, whole=False)
    ids = task.preprocessor(long, whole=True)
    assert min(map(len, ids)) > CHUNK_STEPS
    wanted = probabilities(task.network.predict_on_batch(pad(ids)))
    np.testing.assert_allclose(whole, wanted, atol=1e-5)
    np.testing.assert_allclose(cut, task.predict_proba(["bad " * 9, "good " * 9], whole=False), atol=1e-6)
    assert np.abs(whole - cut).min() > 1e-3
    for rows, options in ((whole, {}), (cut, {"whole": False})):
        found = [list(one.probabilities.values()) for one in task.predict(long, **options)]
        np.testing.assert_allclose(found, rows, atol=1e-6)
        loss = -np.log([rows[0, 1], rows[1, 0]]).mean()  # the labels are bad, good
        np.testing.assert_allclose(task.evaluate(*validation, **options)["log_loss"], loss, rtol=1e-5)
