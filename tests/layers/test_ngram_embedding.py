import keras
import numpy as np
import pytest

from zoo.errors import UserError
from zoo.layers import NgramEmbedding

IDS = np.array([[5, 6, 7, 5, 6], [9, 5, 6, 0, 0]], "int32")


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def made(largest=3, buckets=1000):
    layer = NgramEmbedding(4, largest, buckets, 2)
    layer.build((None, None))
    layer.projection.kernel.assign(np.random.default_rng(0).normal(size=(2, 4)))
    return layer


def test_it_is_the_sum_over_hashed_ngrams():
    layer = made()
    table, weights = array(layer.table.embeddings), array(layer.projection.kernel)
    padded = np.pad(IDS, ((0, 0), (2, 0)))
    expected = np.zeros((2, 5, 4))
    for row in range(2):
        for step in range(5):
            number = int(IDS[row, step]) % 1000
            for back in (1, 2):
                number = (number * 4093 + int(padded[row, step + 2 - back]) + 1) % 1000
                expected[row, step] += table[number] @ weights
    np.testing.assert_allclose(array(layer(IDS)), expected, atol=1e-6)


def test_equal_ngrams_have_equal_vectors_and_order_counts():
    found = array(made(largest=2)(IDS))
    np.testing.assert_allclose(found[0, 1], found[0, 4])  # 5 6
    np.testing.assert_allclose(found[0, 1], found[1, 2])
    swapped = array(made(largest=2)(IDS[:1, ::-1].copy()))
    assert np.abs(swapped[0, 1] - found[0, 4]).max() > 1e-3


def test_it_goes_on_with_a_longer_text():
    layer = made()
    np.testing.assert_allclose(
        array(layer(IDS[:, 2:], before=IDS[:, :2])), array(layer(IDS))[:, 2:], atol=1e-6
    )


def test_it_begins_with_zeros_and_large_ids_do_not_overflow():
    layer = NgramEmbedding(4, 2, 2**18, 2)
    assert not array(layer(IDS)).any()
    layer.projection.kernel.assign(np.ones((2, 4)))
    number = (2**20 % 2**18 * 4093 + 2**20 - 1 + 1) % 2**18
    ids = np.array([[2**20 - 1, 2**20]], "int32")
    expected = array(layer.table.embeddings)[number].sum()
    np.testing.assert_allclose(array(layer(ids))[0, 1], expected, rtol=1e-5)


def test_errors():
    with pytest.raises(UserError, match="largest=1"):
        NgramEmbedding(4, 1)
    with pytest.raises(UserError, match="buckets=262145"):
        NgramEmbedding(4, 2, 2**18 + 1)
    assert NgramEmbedding.from_config(made().get_config()).buckets == 1000
