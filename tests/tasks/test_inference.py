"""The compiled call: the answers of the network, whatever the shapes, the weights of now, the threads."""

from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest

from zoo.cells import CATALOGUE
from zoo.errors import UserError
from zoo.models import RecurrentClassifier
from zoo.tasks import SentimentClassifier, inference
from zoo.tasks.batches import Batches, pad
from zoo.tasks.fitting import fit
from zoo.tasks.inference import Caller

GENERATOR = np.random.default_rng(0)
SEQUENCES = [GENERATOR.integers(1, 50, length) for length in (1, 3, 8, 9, 17, 31, 32, 33, 40, 3, 70)]


def build(cell="lstm", **changes):
    keras.utils.set_random_seed(1)
    return RecurrentClassifier(
        50, 3, cell=cell, **{"units": 6, "embedding_dim": 5, "dropout": 0.5, **changes}
    )


def expected(network):
    """The outputs as Keras's own `predict` gives them, with more padding."""
    return network.predict_on_batch(pad(SEQUENCES, least=75))


@pytest.mark.parametrize("cell", sorted(CATALOGUE))
def test_one_and_many_equal_the_network_whatever_the_padding(cell):
    network = build(cell, pooling="mean+max+attention")
    caller, wanted = Caller(network), expected(network)
    np.testing.assert_allclose(caller.run(SEQUENCES, batch_size=6), wanted, atol=1e-6)
    for place in (0, 4, 6):
        np.testing.assert_allclose(caller([SEQUENCES[place]])[0], wanted[place], atol=1e-6)


def test_new_weights_count():
    network = build()
    caller = Caller(network)
    caller.warm()
    before = caller.run(SEQUENCES)
    network.set_weights([2 * weights for weights in network.get_weights()])
    after = caller.run(SEQUENCES)
    assert np.abs(after - before).max() > 1e-3
    np.testing.assert_allclose(after, expected(network), atol=1e-6)
    network.get_layer("embedding").trainable = False
    network.compile("sgd", "mse")
    fit(network, Batches(SEQUENCES, np.ones((11, 3)), batch_size=4), epochs=2, progress=False)
    assert np.abs(caller.run(SEQUENCES) - after).max() > 1e-3
    np.testing.assert_allclose(caller.run(SEQUENCES), expected(network), atol=1e-6)


def test_answers_within_a_fit_are_those_of_its_weights():
    network, seen = build(), []
    caller = Caller(network)

    class Ask(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(caller(SEQUENCES[:1])[0])

    network.compile(keras.optimizers.SGD(0.5), "mse")
    batches = Batches(SEQUENCES, np.ones((11, 3)), batch_size=4)
    fit(network, batches, epochs=2, progress=False, callbacks=[Ask()])
    assert len({tuple(answer) for answer in seen}) == 6
    np.testing.assert_allclose(seen[-1], expected(network)[0], atol=1e-6)


def test_memory_is_given_back_after_many_steps_however_few_the_sequences(monkeypatch):
    given = []
    monkeypatch.setattr(inference.memory, "give_back", lambda: given.append(True))
    steps = sum(map(len, SEQUENCES))
    caller = Caller(build())
    for much, times in ((steps + 1, 0), (steps, 1)):
        monkeypatch.setattr(inference, "_MUCH", much)
        caller.run(SEQUENCES)
        assert len(given) == times


def test_threads_get_their_own_answers():
    network = build()
    caller, wanted = Caller(network), expected(network)

    def ask(number):
        return [caller([SEQUENCES[(number + k) % 11]])[0] for k in range(22)]

    with ThreadPoolExecutor(4) as pool:
        for number, answers in enumerate(pool.map(ask, range(8))):
            rows = [wanted[(number + k) % 11] for k in range(22)]
            np.testing.assert_allclose(answers, rows, atol=1e-6)


def test_few_shapes_are_compiled(monkeypatch):
    network = build()
    caller, shapes = Caller(network), set()
    which = caller._which
    monkeypatch.setattr(caller, "_which", lambda inputs: shapes.add(inputs.shape) or which(inputs))
    for sequence in SEQUENCES:
        caller([sequence])
    if keras.backend.backend() == "jax":
        assert shapes == {(1, 32), (1, 64), (1, 128)}
        shapes.clear()
        caller.run(SEQUENCES, batch_size=6)
        assert shapes == {(8, 80), (8, 16)}
    else:
        assert shapes == {(1, len(sequence)) for sequence in SEQUENCES}


def test_a_task_keeps_its_call_and_takes_another_for_another_network(tmp_path):
    task = SentimentClassifier(units=4, embedding_dim=4, vocabulary_size=100)
    with pytest.raises(UserError, match="nothing yet"):
        task.warm()
    texts, labels = ["a good film", "a bad film"] * 4, ["good", "bad"] * 4
    task.fit(texts, labels, epochs=1, progress=False)
    task.warm()
    caller = task._caller()
    task.fit(texts, labels, epochs=1, progress=False)
    assert task._caller() is caller
    loaded = SentimentClassifier.from_preset(task.save_to_preset(tmp_path / "preset"))
    assert loaded._called is not None  # warm
    np.testing.assert_allclose(loaded.predict_proba(texts), task.predict_proba(texts), atol=1e-6)
    with pytest.warns(UserWarning, match="the last layer is new"):
        task.fit(texts, ["so", "la", "ti", "do"] * 2, epochs=1, progress=False)
    assert task.predict_proba(texts).shape == (8, 4)
    assert task._caller() is not caller
