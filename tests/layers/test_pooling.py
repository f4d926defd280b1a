import keras
import numpy as np
import pytest

from zoo.layers import POOLINGS, AttentionPooling, MaxPooling, MeanPooling

SEQUENCES = np.random.default_rng(0).normal(size=(3, 4, 2)).astype("float32") - 2
MASK = np.array([[1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0]], bool)


def pooled(layer, mask=MASK, sequences=SEQUENCES):
    return keras.ops.convert_to_numpy(layer(sequences, mask=None if mask is None else keras.ops.array(mask)))


def test_mean_of_the_real_steps():
    expected = [SEQUENCES[0, :2].mean(0), SEQUENCES[1, [1, 3]].mean(0), np.zeros(2)]
    np.testing.assert_allclose(pooled(MeanPooling()), expected, rtol=1e-5)
    np.testing.assert_allclose(pooled(MeanPooling(), None), SEQUENCES.mean(1), rtol=1e-5)


def test_maximum_of_the_real_steps():
    expected = [SEQUENCES[0, :2].max(0), SEQUENCES[1, [1, 3]].max(0), np.zeros(2)]
    np.testing.assert_allclose(pooled(MaxPooling()), expected, rtol=1e-5)
    np.testing.assert_allclose(pooled(MaxPooling(), None), SEQUENCES.max(1), rtol=1e-5)


def test_attention_is_the_papers_equation():
    layer = AttentionPooling(units=3)
    layer(SEQUENCES)
    kernel, bias, vector = (keras.ops.convert_to_numpy(weight) for weight in layer.weights)
    scores = np.exp(np.tanh(SEQUENCES @ kernel + bias) @ vector) * MASK[..., None]
    expected = (SEQUENCES * scores).sum(1)[:2] / scores.sum(1)[:2]
    np.testing.assert_allclose(pooled(layer)[:2], expected, rtol=1e-4)
    np.testing.assert_array_equal(pooled(layer)[2], 0)


@pytest.mark.parametrize("name", POOLINGS)
def test_what_is_masked_has_no_influence(name):
    layer = POOLINGS[name]()
    junk = np.where(MASK[..., None], SEQUENCES, 1e3).astype("float32")
    np.testing.assert_allclose(pooled(layer), pooled(layer, sequences=junk), rtol=1e-6)


@pytest.mark.parametrize("name", POOLINGS)
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_parts_in_any_order_make_the_whole(name, order):
    layer = POOLINGS[name]()
    generator = np.random.default_rng(1)
    sequences = 9 * generator.normal(size=(4, 7, 2)).astype("float32")
    mask = generator.random((4, 7)) < 0.6
    mask[:, 2:5] &= np.array([True, False, True, False])[:, None]  # a part without a real step
    mask[3] = False
    whole = pooled(layer, mask, sequences)
    mask = keras.ops.array(mask[..., None].astype("float32"))
    parts = [slice(0, 2), slice(2, 5), slice(5, 7)]
    summaries = [layer.summary(keras.ops.array(sequences[:, part]), mask[:, part]) for part in parts]
    first, second, third = (summaries[place] for place in order)
    together = layer.finished(layer.merged(layer.merged(first, second), third))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(together), whole, rtol=1e-5, atol=1e-6)
    assert np.abs(whole[:3]).min() > 0


@pytest.mark.parametrize("name", POOLINGS)
def test_config_and_shape(name):
    layer = POOLINGS[name].from_config(POOLINGS[name]().get_config())
    assert layer.compute_output_shape((None, None, 7)) == (None, 7)
    assert pooled(layer).shape == (3, 2)
