"""Every attention against its paper's equation: values, masks, gradients, precision, saving, errors."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.cells import harness
from tests.layers import attention_references
from zoo.errors import UserError
from zoo.layers import (
    ATTENTIONS,
    AdditiveAttention,
    MultiHeadAttention,
    MultiplicativeAttention,
    make_attention,
)

SIZE, WIDTH, TIME, UNITS, HEADS = 4, 6, 5, 6, 3
SAME_SIZE = ("dot", "scaled")  # they compare the query with the memory itself
MASKS = {"unmasked": None, **{name: harness.MASKS[name] for name in ("right", "holes", "empty")}}

every_attention = pytest.mark.parametrize("name", ATTENTIONS)
every_mask = pytest.mark.parametrize("mask", MASKS)


def built(name, dtype="float32", size=SIZE):
    layer = make_attention(name, UNITS, HEADS, dtype=dtype)
    layer.build((None, size_of(name, size)), (None, None, WIDTH))
    harness.randomise(layer)
    return layer


def size_of(name, size=SIZE):
    return WIDTH if name in SAME_SIZE else size


def data(name, queries=None, dtype="float64", batch=3, time=TIME):
    generator = np.random.default_rng(5)
    shape = (batch, size_of(name)) if queries is None else (batch, queries, size_of(name))
    return generator.normal(size=shape).astype(dtype), generator.normal(size=(batch, time, WIDTH)).astype(
        dtype
    )


def called(layer, query, memory, mask=None):
    mask = None if mask is None else ops.convert_to_tensor(mask)
    query, memory = map(ops.convert_to_tensor, (query, memory))
    return [harness.array(x) for x in layer(query, memory, mask=mask, return_weights=True)]


def test_every_attention_has_a_reference():
    assert list(ATTENTIONS) == list(attention_references.REFERENCES)


@pytest.mark.parametrize("queries", [None, 1, 3])
@every_mask
@every_attention
def test_the_papers_equation(name, mask, queries):
    """Context and weights in float64, for one query and for many."""
    query, memory = data(name, queries)
    with harness.double():
        layer = built(name, "float64")
        got = called(layer, query, memory, MASKS[mask])
        weights = harness.weights_of(layer)
    expected = attention_references.attend(name, query, memory, weights, MASKS[mask], HEADS)
    harness.assert_same(got, expected, 1e-12)
    assert got[0].shape[-1] == layer.width(WIDTH)


@every_mask
@every_attention
def test_weights_are_shares_of_the_real_steps(name, mask):
    query, memory = data(name, 3, "float32")
    mask = MASKS[mask]
    layer = built(name)
    context, weights = called(layer, query, memory, mask)
    real = np.ones((3, TIME), bool) if mask is None else mask
    np.testing.assert_allclose(weights.sum(-1), np.broadcast_to(real.any(1)[:, None], (3, 3)), rtol=1e-6)
    assert not weights[~np.broadcast_to(real[:, None], weights.shape)].any()
    assert not context[~real.any(1)].any()
    junk = np.where(real[..., None], memory, 1e3).astype("float32")
    harness.assert_same(called(layer, query, junk, mask), (context, weights), 1e-6)


@every_attention
def test_keys_are_made_once(name):
    """`attend` with `project`'s keys is the layer; a decoder asks again and again."""
    query, memory = data(name, 3, "float32")
    layer, mask = built(name), MASKS["holes"]
    expected = called(layer, query, memory, mask)
    memory, mask = ops.convert_to_tensor(memory), ops.convert_to_tensor(mask)
    keys = layer.project(memory)
    assert len(keys.shape) == 3
    for k in range(3):
        answer = layer.attend(ops.convert_to_tensor(query[:, k]), keys, memory, mask)
        harness.assert_same([harness.array(x) for x in answer], [x[:, k] for x in expected], 1e-5)


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
@every_attention
def test_gradients(name, compiled):
    """Those of a reference by complex steps, a row without a real step included."""
    query, memory = data(name, 2)
    mask = MASKS["empty"] | MASKS["holes"] & [[False], [True], [True]]
    generator = np.random.default_rng(6)
    with harness.double():
        layer = built(name, "float64")
        cotangents = [generator.normal(size=x.shape) for x in called(layer, query, memory, mask)]
        values = {"query": query, "memory": memory, **harness.weights_of(layer)}

        def functional(query, memory):
            answer = layer(query, memory, mask=ops.convert_to_tensor(mask), return_weights=True)
            return sum(ops.sum(x * ops.convert_to_tensor(d)) for x, d in zip(answer, cotangents, strict=True))

        gradients = harness._gradients(functional, layer, (query, memory), compiled)
        gradients = dict(zip(values, map(harness.array, gradients), strict=True))

    def reference(values):
        answer = attention_references.attend(name, values["query"], values["memory"], values, mask, HEADS)
        return sum((x * d).sum() for x, d in zip(answer, cotangents, strict=True))

    assert_gradients(gradients, reference, values)


def assert_gradients(gradients, reference, values, tolerance=1e-10):
    """Each gradient's product with a random direction is the reference's slope in that direction."""
    generator = np.random.default_rng(7)
    for name, value in values.items():
        direction = generator.normal(size=value.shape)
        expected = reference({**values, name: value + 1e-30j * direction}).imag / 1e-30
        got = (gradients[name] * direction).sum()
        np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance, err_msg=name)


@every_attention
def test_memory_of_a_single_step(name):
    """Its weight is one, and Keras does not warn of a softmax over one step."""
    query, memory = data(name, 2, "float32", time=1)
    context, weights = called(built(name), query, memory)
    np.testing.assert_array_equal(weights, 1)
    assert np.isfinite(context).all()
    context, weights = called(built(name), query, memory, np.array([[True], [False], [True]]))
    np.testing.assert_array_equal(weights[:, 0, 0], [1, 0, 1])


@every_attention
def test_large_scores(name):
    query, memory = data(name, None, "float32")
    for answer in called(built(name), 1e3 * query, 1e2 * memory, MASKS["holes"]):
        assert np.isfinite(answer).all()


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "bfloat16"])
@every_attention
def test_lower_precision(name, dtype):
    query, memory = data(name, 2, "float32")
    layer = built(name, dtype)
    context, weights = layer(
        *map(ops.convert_to_tensor, (query, memory)),
        mask=ops.convert_to_tensor(MASKS["empty"]),
        return_weights=True,
    )
    assert {keras.backend.standardize_dtype(x.dtype) for x in (context, weights)} == {"bfloat16"}
    exact = {
        key: ops.convert_to_numpy(ops.cast(value.value, "float32")) for key, value in named(layer).items()
    }
    expected = attention_references.attend(name, query, memory, exact, MASKS["empty"], HEADS)
    got = [harness.array(ops.cast(x, "float32")) for x in (context, weights)]
    harness.assert_same(got, expected, 0.1)


def named(layer):
    return {variable.name: variable for variable in layer.trainable_weights}


@every_attention
def test_saved_in_a_model(name, tmp_path):
    """A functional model of unknown batch and time, saved and loaded; the config comes back as it was."""
    query = keras.Input((None, size_of(name)))
    memory, mask = keras.Input((None, WIDTH)), keras.Input((None,), dtype="bool")
    outputs = built(name)(query, memory, mask=mask, return_weights=True)
    model = keras.Model([query, memory, mask], list(outputs))
    assert [len(shape) for shape in model.output_shape] == [3, 3]
    values = [*data(name, 2, "float32"), MASKS["empty"]]
    expected = [harness.array(x) for x in model([ops.convert_to_tensor(value) for value in values])]
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    got = [harness.array(x) for x in again([ops.convert_to_tensor(value) for value in values])]
    harness.assert_same(got, expected, 1e-6)
    assert again.layers[-1].get_config() == model.layers[-1].get_config()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: make_attention("bahdanau", 3), "unknown attention 'bahdanau'"),
        (lambda: MultiplicativeAttention("cosine"), "unknown attention score 'cosine'"),
        (lambda: MultiplicativeAttention("concat"), "concat.* must be a positive integer, not None"),
        (lambda: MultiplicativeAttention("dot", 3), "no use for units=3"),
        (lambda: AdditiveAttention(0), "units must be a positive integer, not 0"),
        (lambda: AdditiveAttention(True), "units must be a positive integer, not True"),
        (lambda: MultiHeadAttention(6, 4), "heads=4 do not divide units=6"),
        (lambda: MultiplicativeAttention("dot").build((2, 3), (2, 5, 4)), "of one size, not 3 and 4"),
        (lambda: AdditiveAttention(3).build((2, 3), (2, 4)), r"not \(2, 3\) and \(2, 4\)"),
        (lambda: AdditiveAttention(3).build((2, None), (2, 5, 4)), "of known size"),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(UserError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
