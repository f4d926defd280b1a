import keras
import numpy as np
import pytest

from zoo.errors import UserError
from zoo.models import RecurrentClassifier, RecurrentLanguageModel

IDS = np.array([[2, 3, 4, 5, 6], [6, 7, 8, 0, 0]], "int32")


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def make(**options):
    network = RecurrentLanguageModel(9, units=4, embedding_dim=5, seed=1, **options)
    network.build()
    return network


@pytest.mark.parametrize("bidirectional", [False, True])
def test_likelihoods_are_those_of_a_computation_by_hand(bidirectional):
    network = make(bidirectional=bidirectional)
    network.bias.assign(np.linspace(-1, 1, 9))
    x = network.embedding(IDS)
    outputs = array(network.stack(x, mask=IDS != 0)).astype("float64")
    table, bias = array(network.embedding.embeddings), array(network.bias)
    found, counted = map(array, network.token_nll(IDS))
    for row, length in ((0, 5), (1, 3)):
        for way, projection in enumerate(network.projections):
            weights, offset = (array(weight) for weight in projection.weights)
            for step in range(length - 1):
                known, wanted = (step + 1, step) if way else (step, step + 1)
                context = outputs[row, known, way * 4 : way * 4 + 4] @ weights + offset
                logits = table @ context + bias
                nll = np.log(np.exp(logits).sum()) - logits[IDS[row, wanted]]
                np.testing.assert_allclose(found[row, way * 5 + known], nll, rtol=1e-4)
    counts = 6 * (1 + bidirectional)
    assert counted.sum() == counts == np.count_nonzero(found)
    np.testing.assert_allclose(array(network(IDS)).mean(), found.sum() / counts, rtol=1e-5)


def test_a_word_does_not_see_itself():
    """Another word at one place changes what both directions say of all others, and of it only by the table's row."""
    network = make()
    other = IDS.copy()
    other[0, 2] = 8
    outputs = [array(network.stack(network.embedding(ids), mask=ids != 0)) for ids in (IDS, other)]
    np.testing.assert_array_equal(outputs[0][0, :2, :4], outputs[1][0, :2, :4])  # forward: before it
    np.testing.assert_array_equal(outputs[0][0, 3:, 4:], outputs[1][0, 3:, 4:])  # backward: behind it
    assert np.abs(outputs[0][0, 2:, :4] - outputs[1][0, 2:, :4]).min() > 0


def test_it_learns_a_rule_from_samples():
    keras.utils.set_random_seed(1)
    network = RecurrentLanguageModel(9, units=8, embedding_dim=8, samples=6, seed=1)
    network.build()
    network.compile(keras.optimizers.Adam(0.03), loss=lambda _, nll: nll)
    starts = np.random.default_rng(0).integers(0, 4, size=64)
    ids = np.array([[2 + (start + step) % 4 for step in range(8)] for start in starts], "int32")
    before = array(network.token_nll(ids)[0]).mean()
    network.fit(ids, np.zeros(64), epochs=60, batch_size=32, verbose=0)
    assert array(network.token_nll(ids)[0]).mean() < 0.1 * before


def test_a_region_reaches_further():
    network = make(bidirectional=False, region=2, samples=9)
    ids = keras.ops.convert_to_tensor(np.array([[2, 3, 4, 5, 6, 7]], "int32"))
    places = {tuple(array(network._places((1, 6), 1, True))[0] - np.arange(6)) for _ in range(20)}
    assert {each for place in places for each in place} == {1, 2}
    np.testing.assert_array_equal(array(network._places((1, 6), 1, False))[0], [1, 3, 3, 5, 5, 7])
    nll, counted = map(array, network.token_nll(ids))
    np.testing.assert_array_equal(counted, [[1, 1, 1, 1, 1, 0]])
    assert nll[0, 5] == 0
    np.testing.assert_array_equal(array(network._places((1, 3), -1, False))[0], [-1, -1, 1])


def test_weights_fit_a_classifier_of_the_same_numbers():
    network = make()
    classifier = RecurrentClassifier(9, 2, units=4, embedding_dim=5)
    shapes = {v.path.partition("/")[2]: v.shape for v in network.weights}
    shared = [v for v in classifier.weights if v.path in shapes]
    assert len(shared) == 7
    assert all(shapes[v.path] == v.shape for v in shared)


def test_errors_name_the_argument():
    with pytest.raises(UserError, match="layers=2 with bidirectional=True"):
        RecurrentLanguageModel(9, layers=2)
    with pytest.raises(UserError, match="units must be a positive integer"):
        RecurrentLanguageModel(9, units=0)
    again = RecurrentLanguageModel.from_config(make().get_config())
    assert again.config == make().config
