"""The scan alone: long sequences, broadcast factors, extreme factors, unknown length, memory and work."""

import contextlib

import keras
import numpy as np
import pytest
from keras import ops

import zoo.layers
from tests.cells import harness
from zoo.cells import LinearCell
from zoo.errors import UserError
from zoo.loops.backend import native
from zoo.loops.scan import BLOCK

BATCH, UNITS = 2, 2
WIDTHS = {"a": UNITS, "b": UNITS, "factor": 1, "matrix": UNITS**2, "leak": 1}
FEATURES = sum(WIDTHS.values())
LENGTHS = (1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 1, 3 * BLOCK, 1000)

tensorflow_only = pytest.mark.backend("tensorflow")


class GivenCell(LinearCell):
    """The inputs are coefficients: h' = a∘h + b, M' = factor M + matrix, c' = decay∘c + leak.

    The factor is one number for a matrix, the decay a weight, and the leak one number for a vector.
    """

    states = ("h", "M", "c")

    @property
    def state_shapes(self):
        return (self.units,), (self.units, self.units), (self.units,)

    def build(self, input_shape):
        self.decay = self.add_weight(name="decay", shape=(self.units,), initializer="ones")
        self.built = True

    def project(self, inputs):
        return inputs

    def coefficients(self, x):
        a, b, factor, matrix, leak = ops.split(x, np.cumsum(list(WIDTHS.values()))[:-1].tolist(), axis=-1)
        matrix = ops.reshape(matrix, (*ops.shape(x)[:-1], self.units, self.units))
        return (a, factor[..., None], ops.convert_to_tensor(self.decay)), (b, matrix, leak)


def given_layer(dtype="float64", loop="scan", decay=(0.9, -0.8)):
    cell = GivenCell(UNITS, dtype=dtype)
    layer = zoo.layers.Recurrent(cell, loop=loop, dtype=dtype, return_sequences=True, return_state=True)
    layer.build((None, None, FEATURES))
    cell.decay.assign(decay)
    return layer


def recurrence(a, b, first, mask):
    """States of s' = a*s + b after each step, (batch, time, ...), by a loop over the real steps."""
    after, state = np.zeros(b.shape, b.dtype), first
    for t in range(b.shape[1]):
        real = mask[:, t].reshape(-1, *[1] * (first.ndim - 1))
        after[:, t] = state = np.where(real, a[:, t] * state + b[:, t], state)
    return after


def recurrence_gradients(a, b, first, mask, d_after, d_final):
    """Gradients of a, b and first: g_t = d_t + a_{t+1} g_{t+1}, d_a = g * s_{t-1}, d_b = g; zero where masked."""
    before = np.concatenate([first[:, None], recurrence(a, b, first, mask)[:, :-1]], axis=1)
    real = mask.reshape(*mask.shape, *[1] * (first.ndim - 1))
    factor = np.where(real, a, np.ones_like(a))
    g, d_b = d_final, np.zeros_like(b)
    for t in reversed(range(b.shape[1])):
        d_b[:, t] = g = g + d_after[:, t]
        g = factor[:, t] * g
    d_b = d_b * real
    return d_b * before, d_b, g


def parts_of(inputs, decay=(0.9, -0.8)):
    """(a, b) of each state of `GivenCell`, each (batch, time, ...)."""
    a, b, factor, matrix, leak = np.split(inputs, np.cumsum(list(WIDTHS.values()))[:-1], axis=-1)
    matrix = matrix.reshape(*matrix.shape[:2], UNITS, UNITS)
    decay, leak = np.broadcast_arrays(decay, leak)
    return (a, b), (factor[..., None], matrix), (decay, leak)


def data(time, masked, seed=0):
    """Inputs, first states, mask and weights of the output and final states."""
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(BATCH, time, FEATURES))
    inputs[..., :UNITS] = generator.uniform(-1, 1.04, size=(BATCH, time, UNITS))  # some grow, some fall
    inputs[generator.random((BATCH, time)) < 0.05, :UNITS] = 0  # and some forget all
    inputs[..., 2 * UNITS] = generator.uniform(-1.02, 1.02, size=(BATCH, time))
    shapes = [(BATCH, UNITS), (BATCH, UNITS, UNITS), (BATCH, UNITS)]
    states = [generator.normal(size=shape) for shape in shapes]
    mask = generator.random((BATCH, time)) < 0.7 if masked else None
    return inputs, states, mask, [generator.normal(size=shape) for shape in [(BATCH, time, UNITS), *shapes]]


def double_compiled():
    """Double precision, compiled: on JAX a thousand steps one by one would take long."""
    if harness.BACKEND != "jax":
        return contextlib.nullcontext()
    import jax

    return jax.enable_x64(True)


@pytest.mark.parametrize("masked", [False, True], ids=["unmasked", "masked"])
@pytest.mark.parametrize("time", LENGTHS)
def test_values_and_gradients(time, masked):
    """Fewer steps than a block, some blocks, many; coefficients as full as the states, or broadcast."""
    inputs, states, mask, cotangents = data(time, masked)
    real = np.ones((BATCH, time), bool) if mask is None else mask
    with double_compiled():
        layer = given_layer()
        outputs, finals = harness.run(layer, inputs, states, mask)
        found = harness.gradients(layer, inputs, states, mask, cotangents, compiled=True)
    seen = np.cumsum(real, axis=1)[..., None] > 0
    gradients = []
    for k, ((a, b), first) in enumerate(zip(parts_of(inputs), states, strict=True)):
        after = recurrence(a, b, first, real)
        harness.assert_same(finals[k], after[:, -1], 1e-12, f"final state {k}")
        d_after = cotangents[0] * seen if k == 0 else np.zeros_like(b)
        gradients.append(recurrence_gradients(a, b, first, real, d_after, cotangents[k + 1]))
        harness.assert_same(found[f"state_{k}"], gradients[k][2], 1e-9, f"gradient of state {k}")
        if k == 0:
            harness.assert_same(outputs, after * seen, 1e-12, "outputs")
    (d_a, d_b, _), (d_factor, d_matrix, _), (d_decay, d_leak, _) = gradients
    d_factor, d_matrix = d_factor.sum((-2, -1))[..., None], d_matrix.reshape(BATCH, time, -1)
    d_leak = d_leak.sum(-1, keepdims=True)
    d_inputs = np.concatenate([d_a, d_b, d_factor, d_matrix, d_leak], axis=-1)
    harness.assert_same(found["inputs"], d_inputs, 1e-9, "gradient of inputs")
    harness.assert_same(found["decay"], d_decay.sum((0, 1)), 1e-9, "gradient of decay")


def test_forgetting():
    """Where a is zero, the state is b to the last bit, whatever came before."""
    inputs, states, _, _ = data(100, masked=False)
    forgets = np.arange(100) % 7 == 3
    inputs[:, forgets, :UNITS] = 0
    outputs, _ = harness.run(given_layer("float32"), inputs.astype("float32"), [s * 1e6 for s in states])
    np.testing.assert_array_equal(
        outputs[:, forgets], inputs[:, forgets, UNITS : 2 * UNITS].astype("float32")
    )


@pytest.mark.parametrize("factor", [1.5, -1.5])
def test_blowing_up(factor):
    """States that grow out of float32 are infinite where those of a loop are, with their sign, and never NaN."""
    inputs, states, _, _ = (data(400, masked=False)[k] for k in range(4))
    inputs = inputs.astype("float32")
    inputs[..., :UNITS] = factor
    first = states[0].astype("float32")
    with np.errstate(over="ignore"):
        expected = recurrence(
            inputs[..., :UNITS], inputs[..., UNITS : 2 * UNITS], first, np.ones((BATCH, 400), bool)
        )
    outputs, _ = harness.run(given_layer("float32"), inputs, states)
    assert np.isinf(expected[:, -1]).all()
    np.testing.assert_allclose(outputs, expected, rtol=1e-4)


def test_model_of_unknown_length():
    """`keras.Input((None, features))`: one model for all lengths."""
    inputs = keras.Input((None, FEATURES))
    model = keras.Model(inputs, given_layer("float32")(inputs))
    plain = given_layer("float32", loop="plain")
    for time in (1, 2 * BLOCK, 2 * BLOCK + 1):
        x = data(time, masked=False)[0].astype("float32")
        expected = [harness.array(y) for y in plain(x)]
        harness.assert_same(model.predict(x, verbose=0), expected, 1e-5, f"{time} steps")


@tensorflow_only
@pytest.mark.parametrize("jit_compile", [False, True], ids=["graph", "xla"])
def test_gradients_at_unknown_length(jit_compile):
    """One `tf.function` for all lengths and batch sizes, with mask: its gradients are those of the plain loop."""
    import tensorflow as tf

    def function_of(layer, jit_compile):
        spec = tf.TensorSpec((None, None, FEATURES), "float64"), tf.TensorSpec((None, None), "bool")

        @tf.function(input_signature=spec, jit_compile=jit_compile, autograph=False)
        def function(x, mask):
            with tf.GradientTape() as tape:
                tape.watch(x)
                results = layer(x, mask=mask)
                loss = sum(tf.reduce_sum(y**2) for y in results)
            return *results, *tape.gradient(loss, [x, layer.cell.decay.value])

        return function

    fast, plain = function_of(given_layer(), jit_compile), function_of(given_layer(loop="plain"), False)
    assert fast.get_concrete_function().structured_outputs[0].shape.as_list() == [None, None, UNITS]
    for time in (1, BLOCK + 1) if jit_compile else LENGTHS[:-1]:
        x, _, mask, _ = data(time, masked=True)
        x, mask = tf.constant(x), tf.constant(mask)
        results, expected = fast(x, mask), plain(x, mask)
        harness.assert_same(
            [y.numpy() for y in results], [y.numpy() for y in expected], 1e-9, f"{time} steps"
        )


def test_second_derivatives():
    """They are right, or refused."""

    def second_derivative(loop):
        layer, x = given_layer(loop=loop), data(40, masked=False)[0]
        if harness.BACKEND == "torch":
            import torch

            x = torch.tensor(x, requires_grad=True)
            (gradient,) = torch.autograd.grad((layer(x)[0] ** 2).sum(), x, create_graph=True)
            return torch.autograd.grad((gradient**2).sum(), x)[0]
        if harness.BACKEND == "jax":
            import jax

            gradient = jax.grad(lambda x: (layer(x)[0] ** 2).sum())
            return jax.jit(jax.grad(lambda x: (gradient(x) ** 2).sum()))(x)
        import tensorflow as tf

        x = tf.constant(x)
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                loss = tf.reduce_sum(layer(x)[0] ** 2)
            loss = tf.reduce_sum(inner.gradient(loss, x) ** 2)
        return outer.gradient(loss, x)

    with double_compiled():
        expected = harness.array(second_derivative("plain"))
        if harness.BACKEND == "torch":
            with pytest.raises(UserError, match="loop='plain'"):
                second_derivative("scan")
        else:
            harness.assert_same(harness.array(second_derivative("scan")), expected, 1e-9)


def test_only_factors_and_states_are_kept(monkeypatch):
    """What waits for the backward pass: for each state the factors, the states, and the first one."""
    kept = []

    def custom_gradient(forward, backward):
        def watched(values):
            outputs, saved = forward(values)
            kept.append([tuple(s.shape) for s in saved])
            return outputs, saved

        return original(watched, backward)

    original = native.custom_gradient
    monkeypatch.setattr(native, "custom_gradient", custom_gradient)
    time = 3 * BLOCK + 1
    inputs, states, _, cotangents = data(time, masked=False)
    with double_compiled():
        harness.gradients(given_layer(), inputs, states, None, cotangents, compiled=True)
    vector, matrix = (BATCH, UNITS), (BATCH, UNITS, UNITS)
    assert kept == [
        [(time, *vector), vector, (time, *vector)],
        [(time, BATCH, 1, 1), matrix, (time, *matrix)],
        [(time, 1, UNITS), vector, (time, *vector)],
    ]


@pytest.mark.backend("jax")
def test_memory_grows_with_time():
    """Eight times the steps take at most eight and a half times the memory, as XLA plans it."""
    import jax

    layer = zoo.layers.MinGRU(32, return_sequences=True)
    layer.build((None, None, 16))

    def planned(time):
        gradient = jax.jit(jax.grad(lambda x: (layer(x) ** 2).sum()))
        compiled = gradient.lower(np.zeros((4, time, 16), "float32")).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    assert planned(8 * 1000) <= 8.5 * planned(1000)


@pytest.mark.backend("torch")
def test_work_grows_with_time():
    """Eight times the steps: at most eight and a half times the numbers are computed, there and back."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    class Count(TorchDispatchMode):
        numbers = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            self.numbers += result.numel() if isinstance(result, torch.Tensor) else 0
            return result

    def computed(time):
        layer = zoo.layers.MinGRU(4, return_sequences=True)
        x = torch.zeros((2, time, 3), requires_grad=True)
        with Count() as count:
            (layer(x) ** 2).sum().backward()
        return count.numbers

    assert computed(8 * 1000) <= 8.5 * computed(1000)
