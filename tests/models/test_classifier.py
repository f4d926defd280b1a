import keras
import numpy as np
import pytest

from zoo.cells import CATALOGUE
from zoo.errors import UserError
from zoo.models import RecurrentClassifier

IDS = np.array([[2, 3, 4, 5, 0, 0], [6, 7, 0, 0, 0, 0]], "int32")


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention", "mean+max"])
def test_padding_changes_nothing(pooling):
    network = RecurrentClassifier(9, 3, units=4, layers=2, embedding_dim=5, pooling=pooling, seed=1)
    padded = network.predict_on_batch(IDS)
    alone = network.predict_on_batch(IDS[1:, :2])
    assert padded.shape == (2, 3)
    np.testing.assert_allclose(padded[1:], alone, atol=1e-6)


@pytest.mark.parametrize("cell", sorted(CATALOGUE))
def test_every_cell_learns(cell):
    network = RecurrentClassifier(9, 2, cell=cell, units=8, embedding_dim=8, head_dropout=0.1, seed=1)
    network.compile(keras.optimizers.Adam(0.05), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    rng = np.random.default_rng(0)
    ids = rng.integers(3, 9, size=(32, 6)).astype("int32")
    labels = (ids == 4).any(1).astype("int32")
    losses = network.fit(ids, labels, epochs=25, batch_size=32, verbose=0).history["loss"]
    assert losses[-1] < 0.75 * losses[0]


def test_options_reach_the_layers():
    network = RecurrentClassifier(
        9,
        2,
        units=4,
        bidirectional=False,
        embedding_dim=5,
        embedding_trainable=False,
        head_units=6,
        word_dropout=0.2,
    )
    assert not network.get_layer("embedding").trainable
    assert network.get_layer("hidden").units == 6
    assert network.get_layer("word_dropout").rate == 0.2
    assert network.get_layer("stack").units == (4,)


def test_config_and_variable_paths_are_stable():
    network = RecurrentClassifier(9, 2, units=4, layers=2, embedding_dim=5, seed=1)
    again = RecurrentClassifier.from_config(network.get_config())
    assert [v.path for v in again.weights] == [v.path for v in network.weights]
    assert len({v.path for v in network.weights}) == len(network.weights)
    assert "stack/backward_1/cell/recurrent_kernel" in {v.path for v in network.weights}


def test_errors_name_the_argument():
    with pytest.raises(UserError, match="unknown pooling 'maxi'"):
        RecurrentClassifier(9, 2, pooling="mean+maxi")
    with pytest.raises(UserError, match="layers"):
        RecurrentClassifier(9, 2, layers=0)
