import keras
import numpy as np
import pytest

from zoo.errors import UserError
from zoo.layers import WordDropout

IDS = np.tile(np.array([[5, 6, 7, 0]], "int32"), (1000, 1))


def test_words_become_unknown_and_padding_stays():
    layer = WordDropout(0.3, unknown_id=1, seed=1)
    ids = keras.ops.convert_to_numpy(layer(IDS, training=True))
    assert (ids[:, 3] == 0).all()
    assert ((ids == IDS) | (ids == 1)).all()
    assert 0.25 < (ids[:, :3] == 1).mean() < 0.35
    again = keras.ops.convert_to_numpy(layer(IDS, training=True))
    assert (again != ids).any()


def test_nothing_happens_outside_training():
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(WordDropout(0.5)(IDS)), IDS)


def test_config_and_errors():
    layer = WordDropout.from_config(WordDropout(0.3, unknown_id=2, seed=4).get_config())
    assert (layer.rate, layer.unknown_id, layer.seed) == (0.3, 2, 4)
    with pytest.raises(UserError, match="rate"):
        WordDropout(1.0)
