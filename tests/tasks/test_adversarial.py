import keras
import numpy as np
import pytest

from zoo.losses import GroupedCrossentropy
from zoo.models import RecurrentClassifier
from zoo.tasks.adversarial import Adversary

IDS = np.array([[2, 3, 4, 5], [6, 7, 0, 0]], "int32")
TARGETS = np.array([[1, 0], [0, 1]], "float32")
LOSS = GroupedCrossentropy()


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


class Linear:
    """Stands for a classifier whose logits are linear in the sum of the embeddings."""

    def __init__(self):
        generator = np.random.default_rng(0)
        self.table = generator.normal(size=(9, 3)).astype("float32")
        self.weights = generator.normal(size=(3, 2)).astype("float32")

    def embed(self, ids, training=False):
        return keras.ops.take(self.table, ids, axis=0)

    def from_embeddings(self, embedded, mask, training=False):
        mask = keras.ops.cast(mask, "float32")[:, :, None]
        return keras.ops.matmul(keras.ops.sum(embedded * mask, axis=1), self.weights)


def test_the_step_is_the_worst_one_of_its_length():
    network = Linear()
    found = float(array(Adversary(0.1).loss(network, LOSS, IDS, TARGETS, None, None)))
    total = 0.0
    for row, length in ((0, 4), (1, 2)):
        embedded = network.table[IDS[row, :length]]
        way = network.weights[:, 1 - row] - network.weights[:, row]  # towards the other label, at every step
        step = 0.1 * np.linalg.norm(embedded) * way / (np.linalg.norm(way) * np.sqrt(length))
        logits = (embedded + step).sum(0) @ network.weights
        total += np.log(np.exp(logits).sum()) - logits[row]
    np.testing.assert_allclose(found, total / 2, rtol=1e-5)


def test_a_virtual_step_moves_the_answer_and_needs_no_label():
    network = Linear()
    generator = keras.random.SeedGenerator(1)
    logits = array(network.from_embeddings(network.embed(IDS), IDS != 0))
    answers = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    entropy = -(answers * np.log(answers)).sum(1).mean()
    losses = [
        float(array(Adversary(virtual=size).loss(network, LOSS, IDS, 0 * TARGETS, None, generator)))
        for size in (1e-3, 0.1, 0.3)
    ]
    np.testing.assert_allclose(losses[0], entropy, rtol=1e-3)
    assert losses[0] < losses[1] < losses[2]


@pytest.mark.parametrize("options", [{"adversarial": 0.2}, {"virtual": 0.2}])
def test_a_network_that_learns_with_an_adversary_withstands_it(options):
    def learn(adversary):
        keras.utils.set_random_seed(1)
        network = RecurrentClassifier(9, 2, units=8, embedding_dim=6, seed=1, head_dropout=0.1)
        network.adversary = adversary
        network.compile(keras.optimizers.Adam(0.02), LOSS)
        ids = np.random.default_rng(0).integers(2, 9, size=(64, 5)).astype("int32")
        wrong = np.random.default_rng(1).random(64) < 0.2  # or every network would be sure of every answer
        targets = np.eye(2, dtype="float32")[((ids == 4).any(1) ^ wrong).astype(int)]
        network.fit(ids, targets, epochs=15, batch_size=16, verbose=0, shuffle=False)
        network.adversary = None
        clean = network.evaluate(ids, targets, batch_size=64, verbose=0)
        worst = Adversary(0.2).loss(network, LOSS, keras.ops.convert_to_tensor(ids), targets, None, None)
        return clean, float(array(worst))

    clean, worst = learn(Adversary(**options))
    assert clean < 0.5
    assert worst < 0.95 * learn(None)[1]
