"""Every cell on every loop that it can use: values and gradients against the NumPy reference, in float64."""

import functools
import gc
import weakref

import keras
import numpy as np
import pytest

import zoo.cells
import zoo.loops
from tests.cells import harness, references
from zoo.cells.cell import Cell, GatedCell, LinearCell
from zoo.errors import UserError

every_loop = pytest.mark.parametrize(("name", "loop"), harness.NAMES_AND_LOOPS)
every_fast_loop = pytest.mark.parametrize(("name", "loop"), harness.NAMES_AND_FAST_LOOPS)
every_mask = pytest.mark.parametrize("mask", harness.MASKS)

# What a user may leave in padding.
JUNK = {"huge": 1e30, "nan": float("nan"), "infinite": float("inf")}


def build(name, loop, **arguments):
    settings = {"dtype": "float64", "return_sequences": True, "return_state": True}
    return harness.build(name, loop=loop, **(settings | arguments))


@functools.cache
def reference_gradients(name, mask):
    """Inputs, states and exact gradients of the reference, shared by the loops of a cell."""
    with harness.double():
        layer = build(name, "plain")
        weights = harness.weights_of(layer)
        inputs, states = harness.inputs_for(), harness.states_for(layer)
        cotangents = harness.cotangents_for(layer)
    values = {"inputs": inputs, **{f"state_{k}": state for k, state in enumerate(states)}, **weights}
    exact = references.gradients(
        references.REFERENCES[name], values, list(weights), harness.MASKS[mask], cotangents
    )
    return inputs, states, cotangents, exact


def test_every_cell_has_the_plain_loop_and_its_kind_a_fast_one():
    for name, cell_class in zoo.cells.CATALOGUE.items():
        loops = harness.loops_of(name)
        assert loops[0] == "plain" or "plain" in loops
        if issubclass(cell_class, LinearCell):
            assert "scan" in loops
        if issubclass(cell_class, GatedCell):
            assert "gated" in loops
        if harness.BACKEND == "torch":
            assert ("fused" in loops) == (name in ("lstm", "gru", "simple_rnn"))
        if cell_class.__base__ is Cell:
            assert list(loops) == ["plain"]


@every_mask
@every_loop
def test_values(name, loop, mask):
    """Outputs and final states equal the reference, with and without initial state, in both directions."""
    with harness.double():
        for go_backwards, stateful_start in ((False, False), (False, True), (True, True)):
            layer = build(name, loop, go_backwards=go_backwards)
            inputs = harness.inputs_for()
            states = harness.states_for(layer) if stateful_start else None
            expected, finals = harness.reference(
                name, inputs, harness.weights_of(layer), states, harness.MASKS[mask], go_backwards
            )
            outputs, got = harness.run(layer, inputs, states, harness.MASKS[mask])
            harness.assert_same((outputs, *got), (expected, *finals), 1e-12, f"backwards {go_backwards}")


@every_loop
@pytest.mark.parametrize(("batch", "time"), [(3, 1), (1, 5), (1, 1), (3, 0), (2, 33)])
def test_sizes(name, loop, batch, time):
    """One step, one row, many steps, and no step at all: then the states stay and the last output is zero."""
    with harness.double():
        layer = build(name, loop)
        last = build(name, loop, return_sequences=False)
        inputs, states = harness.inputs_for(batch, time), harness.states_for(layer, batch)
        mask = np.random.default_rng(5).random((batch, time)) < 0.6
        for given in (None, mask):
            expected, finals = harness.reference(name, inputs, harness.weights_of(layer), states, given)
            outputs, got = harness.run(layer, inputs, states, given)
            harness.assert_same((outputs, *got), (expected, *finals), 1e-12, "sequence")
            expected = expected[:, -1] if time else np.zeros((batch, harness.UNITS))
            output, got = harness.run(last, inputs, states, given)
            harness.assert_same((output, *got), (expected, *finals), 1e-12, "last")


@every_mask
@every_loop
def test_gradients(name, loop, mask):
    """Gradients of inputs, initial states and every weight equal those of the reference (a complex step)."""
    inputs, states, cotangents, exact = reference_gradients(name, mask)
    with harness.double():
        layer = build(name, loop)
        found = harness.gradients(layer, inputs, states, harness.MASKS[mask], cotangents, compiled=True)
    assert found.keys() == exact.keys()
    for key, gradient in exact.items():
        np.testing.assert_allclose(found[key], gradient, rtol=1e-8, atol=1e-8, err_msg=key)
    if mask != "unmasked":
        assert not found["inputs"][~harness.MASKS[mask]].any()


@every_loop
@pytest.mark.parametrize("mask", ["unmasked", "holes"])
def test_gradients_backwards_and_without_initial_state(name, loop, mask):
    """The same for `go_backwards`, the last output alone, and a start from zeros, without compilation."""
    with harness.double():
        layer = build(name, loop, go_backwards=True, return_sequences=False)
        inputs, weights = harness.inputs_for(), harness.weights_of(layer)
        given = harness.MASKS[mask]
        cotangents = harness.cotangents_for(layer)
        last = np.zeros_like(cotangents[0])
        last[:, -1] = cotangents[0][:, -1]
        exact = references.gradients(
            references.REFERENCES[name],
            {"inputs": inputs[:, ::-1], **weights},
            list(weights),
            None if given is None else given[:, ::-1],
            (last, *cotangents[1:]),
        )
        exact["inputs"] = exact["inputs"][:, ::-1]
        found = harness.gradients(layer, inputs, None, given, (last[:, -1], *cotangents[1:]))
    for key, gradient in exact.items():
        np.testing.assert_allclose(found[key], gradient, rtol=1e-8, atol=1e-8, err_msg=key)


@every_fast_loop
def test_fast_loop_equals_plain_loop(name, loop):
    """Values and gradients on a longer sequence."""
    with harness.double():
        found = {}
        for which in ("plain", loop):
            layer = build(name, which, features=4, units=4)
            inputs, states = harness.inputs_for(2, 40, 4), harness.states_for(layer, 2)
            mask = np.random.default_rng(6).random((2, 40)) < 0.7
            cotangents = harness.cotangents_for(layer, 2, 40)
            outputs, finals = harness.run(layer, inputs, states, mask)
            gradients = harness.gradients(layer, inputs, states, mask, cotangents)
            found[which] = (outputs, *finals, *gradients.values())
    harness.assert_same(found[loop], found["plain"], 1e-11)


@every_loop
@pytest.mark.parametrize("junk", JUNK)
def test_mask_hides_junk(name, loop, junk):
    """What stands in masked inputs reaches neither a value nor a gradient."""
    mask = harness.MASKS["holes"]
    inputs, states, cotangents, exact = reference_gradients(name, "holes")
    inputs = np.where(mask[..., None], inputs, JUNK[junk])
    with harness.double():
        layer = build(name, loop)
        expected, finals = harness.reference(
            name, harness.inputs_for(), harness.weights_of(layer), states, mask
        )
        outputs, got = harness.run(layer, inputs, states, mask)
        harness.assert_same((outputs, *got), (expected, *finals), 1e-12)
        found = harness.gradients(layer, inputs, states, mask, cotangents)
    for key, gradient in exact.items():
        np.testing.assert_allclose(found[key], gradient, rtol=1e-8, atol=1e-8, err_msg=key)


@every_loop
@pytest.mark.parametrize("side", ["right", "left"])
def test_mask_equals_unpadded(name, loop, side):
    """A padded row gives the last output and states of the same row alone without padding."""
    mask = harness.MASKS[side]
    with harness.double():
        layer = build(name, loop, return_sequences=False)
        inputs, states = harness.inputs_for(), harness.states_for(layer)
        output, finals = harness.run(layer, inputs, states, mask)
        for row in range(harness.BATCH):
            alone, ends = harness.run(
                layer, inputs[row : row + 1, mask[row]], [state[row : row + 1] for state in states]
            )
            harness.assert_same(
                (output[row : row + 1], *(state[row : row + 1] for state in finals)), (alone, *ends), 1e-12
            )


@every_loop
def test_mask_of_other_types(name, loop):
    """A mask of integers or floats means what the same mask of booleans means."""
    with harness.double():
        layer = build(name, loop)
        inputs, mask = harness.inputs_for(), harness.MASKS["holes"]
        expected, finals = harness.run(layer, inputs, None, mask)
        for dtype in ("int32", "float32"):
            outputs, got = harness.run(layer, inputs, None, mask.astype(dtype))
            harness.assert_same((outputs, *got), (expected, *finals), 0)


@every_loop
def test_without_bias(name, loop):
    with harness.double():
        layer = build(name, loop, use_bias=False)
        inputs = harness.inputs_for()
        for mask in (None, harness.MASKS["right"]):
            expected, finals = harness.reference(name, inputs, harness.weights_of(layer), None, mask)
            outputs, got = harness.run(layer, inputs, None, mask)
            harness.assert_same((outputs, *got), (expected, *finals), 1e-12)


@every_loop
def test_chained_halves_equal_the_whole(name, loop):
    """Final states out, initial states in."""
    with harness.double():
        layer = build(name, loop)
        inputs, mask = harness.inputs_for(time=6), np.ones((3, 6), bool)
        mask[1, 4:] = mask[2, 2:] = False
        whole, ends = harness.run(layer, inputs, None, mask)
        first, between = harness.run(layer, inputs[:, :3], None, mask[:, :3])
        second, finals = harness.run(layer, inputs[:, 3:], between, mask[:, 3:])
        harness.assert_same((first, *finals), (whole[:, :3], *ends), 1e-12)
        real = mask[:, 3:]
        harness.assert_same(second[real], whole[:, 3:][real], 1e-12)


@pytest.mark.backend("tensorflow", "jax")
@every_loop
def test_compiled_by_xla(name, loop):
    """`jit_compile=True` gives the eager values, masked too, and its gradients are finite."""
    layer = harness.build(name, loop=loop, return_sequences=True)
    inputs = harness.inputs_for(dtype="float32")
    mask = harness.MASKS["holes"]
    eager = harness.array(layer(inputs, mask=keras.ops.convert_to_tensor(mask)))
    if harness.BACKEND == "jax":
        import jax

        compiled = jax.jit(lambda x, m: layer(x, mask=m))(inputs, mask)
    else:
        import tensorflow as tf

        @tf.function(jit_compile=True, autograph=False)
        def compile_and_differentiate(x, m):
            with tf.GradientTape() as tape:
                outputs = layer(x, mask=m)
                loss = tf.reduce_sum(outputs**2)
            return outputs, tape.gradient(loss, layer.trainable_weights[0].value)

        if loop == "compiled":  # XLA's graphs can not call out
            with pytest.raises(UserError, match=r"compiled.*choose from auto"):
                compile_and_differentiate(tf.constant(inputs), tf.constant(mask))
            return
        compiled, gradient = compile_and_differentiate(tf.constant(inputs), tf.constant(mask))
        assert np.isfinite(gradient).all()
        assert np.abs(gradient).max() > 0
    harness.assert_same(harness.array(compiled), eager, 1e-6)


@pytest.mark.parametrize("name", harness.NAMES)
def test_unknown_loop(name):
    with pytest.raises(UserError, match="'gatedd'"):
        harness.layer_class(name)(3, loop="gatedd")


@pytest.mark.parametrize(
    ("name", "loop"),
    [("gru_reset_before", "gated"), ("lstm", "scan"), ("min_gru", "fused"), ("peephole_lstm", "fused")],
)
def test_loop_that_the_cell_cannot_use(name, loop):
    with pytest.raises(UserError, match=f"{loop}.*plain"):
        harness.build(name, loop=loop)(harness.inputs_for(dtype="float32"))


@pytest.mark.backend("torch")
@pytest.mark.parametrize("name", ["lstm", "gru", "simple_rnn"])
def test_fused_kernels_are_for_their_own_equations_only(name):
    """Another activation is another equation: `fused` is not offered, and `auto` gives the plain values."""
    layer = harness.build(name, activation="softsign", return_sequences=True)
    assert "fused" not in zoo.loops.names_for(layer.cell)
    plain = harness.build(name, activation="softsign", return_sequences=True, loop="plain")
    inputs = harness.inputs_for(dtype="float32")
    harness.assert_same(harness.array(layer(inputs)), harness.array(plain(inputs)), 1e-6)


@pytest.mark.backend("torch")
def test_a_gradient_of_our_own_leaves_nothing_for_the_garbage_collector():
    """Tensors in cycles stay until Python looks for cycles: gigabytes, on long sequences."""
    import torch

    from zoo.loops.torch import custom_gradient

    def square():
        x, factor = torch.full((3,), 3.0, requires_grad=True), torch.tensor(2.0)
        function = custom_gradient(
            lambda values: ([values[0] ** 2], [values[0]]),
            lambda saved, cotangents: [factor * saved[0] * cotangents[0]],
        )
        (y,) = function([x])
        y.sum().backward()
        assert x.grad.tolist() == [6, 6, 6]
        return [weakref.ref(tensor) for tensor in (x, y, factor)]

    gc.collect()
    gc.disable()
    try:
        assert [reference() for reference in square()] == [None] * 3
    finally:
        gc.enable()
