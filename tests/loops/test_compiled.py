"""The compiled loop: widths and rows that fill registers or not, every operation, threads, when it steps aside."""

from importlib import import_module

import keras
import numpy as np
import pytest
from keras import ops

import zoo.cells
import zoo.loops
from tests.cells import harness
from zoo.cells import GatedCell
from zoo.cells.cell import linear
from zoo.loops import memory, program
from zoo.loops.compiled import machine

compiled = import_module("zoo.loops.compiled")  # the name in zoo.loops is the loop

CELLS = ("lstm", "peephole_lstm", "gru", "simple_rnn")
SIZES = [(1, 16), (2, 1), (7, 37), (8, 32), (13, 70), (19, 33)]  # batch, units


def both(name, batch, units, dtype, mask=None, time=6, **arguments):
    """Values and gradients of the compiled and of the plain loop, each a list of arrays."""
    found = []
    for loop in ("compiled", "plain"):
        settings = {"return_sequences": True, "return_state": True, "dtype": dtype}
        layer = harness.build(
            name, features=5, units=units, scale=0.8 / units**0.5, loop=loop, **settings, **arguments
        )
        inputs, states = (
            harness.inputs_for(batch, time, 5, dtype=dtype),
            harness.states_for(layer, batch, dtype=dtype),
        )
        outputs, finals = harness.run(layer, inputs, states, mask)
        cotangents = [c.astype(dtype) for c in harness.cotangents_for(layer, batch, time)]
        gradients = harness.gradients(layer, inputs, states, mask, cotangents)
        found.append(([outputs, *finals], gradients))
    return found


def assert_equal(found, values, gradients):
    (ours, d_ours), (plain, d_plain) = found
    harness.assert_same(ours, plain, values)
    for key, gradient in d_plain.items():
        scale = max(1.0, np.abs(gradient).max())
        np.testing.assert_allclose(d_ours[key] / scale, gradient / scale, rtol=0, atol=gradients, err_msg=key)


quick_backends = pytest.mark.backend("tensorflow", "torch")  # JAX, uncompiled, takes ten seconds for each


@pytest.mark.parametrize(
    "threads", [pytest.param(1, marks=quick_backends), 2, pytest.param(3, marks=quick_backends)]
)
@pytest.mark.parametrize(("batch", "units"), SIZES)
def test_sizes(monkeypatch, batch, units, threads):
    """Full vectors and the rest, full blocks of rows and the rest, one thread and several: as the plain loop."""
    monkeypatch.setattr(compiled, "_SMALL", 0)
    monkeypatch.setattr(compiled, "_threads", lambda: threads)
    name = CELLS[(batch + threads) % len(CELLS)]
    mask = np.random.default_rng(7).random((batch, 6)) < 0.7 if threads > 1 else None
    with harness.double():
        assert_equal(both(name, batch, units, "float64", mask), 1e-13, 1e-12)
    assert_equal(both(name, batch, units, "float32", mask), 1e-6, 1e-5)


@pytest.mark.parametrize(
    "activation", ["relu", "relu6", "hard_tanh", "hard_sigmoid", "silu", "softsign", "linear"]
)
def test_activations(activation):
    """Every activation that is made of known operations, as gate and as candidate; values and gradients."""
    with harness.double():
        layer = harness.build("lstm", activation=activation)
        assert "compiled" in zoo.loops.names_for(layer.cell)
        found = both("lstm", 5, 18, "float64", activation=activation)
        # PyTorch has a sixth in float32
        assert_equal(found, *((1e-6, 1e-6) if activation == "hard_sigmoid" else (1e-12, 1e-11)))


class EveryOperationCell(GatedCell):
    """The operations that no activation holds."""

    def update(self, x, u, h):
        a = ops.sqrt(ops.square(x) + 1.0) / (ops.absolute(u) + 2.0)
        a = ops.where(x > u, a, 0.5 * a) + ops.where(x < 0.1, u, -h) * ops.where(x >= h, x, u)
        a = a + ops.where(u <= h, 0.3, h * x)
        return ops.maximum(-a, ops.minimum(ops.exp(-u) * h, 3.0 / (2.0 - ops.tanh(x)))) - 0.1 * ops.abs(h)


def test_every_operation_has_a_test():
    """What the tests here trace is all that the table holds."""
    traced = set()
    cells = [EveryOperationCell(4)]
    names = ["tanh", "relu", "relu6", "hard_tanh", "hard_sigmoid", "silu", "softsign"]
    cells += [zoo.cells.LSTMCell(4, activation=name) for name in names]
    for cell in cells:
        cell.build((None, 3))
        traced |= {name for name, _, _ in program.trace(cell).steps}
    assert set(program.OPERATIONS) - traced <= {"Divide"}  # TrueDivide by the name of `ops.divide`
    found = []  # in float32: on PyTorch, Keras computes the maximum of float64 in it
    for loop in ("compiled", "plain"):
        layer = zoo.layers.Recurrent(
            EveryOperationCell(19), loop=loop, return_sequences=True, return_state=True
        )
        layer.build((None, None, 5))
        harness.randomise(layer, scale=0.2)
        inputs, states = (
            harness.inputs_for(4, 6, 5, dtype="float32"),
            harness.states_for(layer, 4, dtype="float32"),
        )
        outputs, finals = harness.run(layer, inputs, states)
        cotangents = [c.astype("float32") for c in harness.cotangents_for(layer, 4, 6)]
        found.append(([outputs, *finals], harness.gradients(layer, inputs, states, None, cotangents)))
    assert_equal(found, 1e-6, 1e-5)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 3e-7), ("float64", 3e-15)])
@pytest.mark.parametrize("function", ["tanh", "sigmoid", "exponential"])
def test_functions(function, dtype, tolerance):
    """The relative error over the whole range, near zero too; NaN stays NaN, infinity its limit."""
    x = np.concatenate([np.linspace(-30, 30, 4001), np.geomspace(1e-7, 1, 500), -np.geomspace(1e-7, 1, 500)])
    x = x.astype(dtype)
    with harness.double():
        layer = harness.build(
            "simple_rnn", features=1, units=1, loop="compiled", dtype=dtype, activation=function
        )
        layer.set_weights([np.ones((1, 1)), np.zeros((1, 1)), np.zeros(1)])
        wide = harness.build(
            "simple_rnn", features=1, units=16, loop="compiled", dtype=dtype, activation=function
        )
        wide.set_weights([np.ones((1, 16)), np.zeros((16, 16)), np.zeros(16)])
        exact = {"tanh": np.tanh, "sigmoid": lambda x: 1 / (1 + np.exp(-x)), "exponential": np.exp}[function](
            x.astype("float64")
        )
        # in float64 a cell has tanh by a sigmoid, which loses digits near zero
        smallest = 1e-15 if (function, dtype) == ("tanh", "float64") else 0
        for one in (layer, wide):
            found = harness.array(one(ops.convert_to_tensor(x[:, None, None])))
            np.testing.assert_allclose(
                found, np.broadcast_to(exact[:, None], found.shape), rtol=tolerance, atol=smallest
            )
            strange = harness.array(
                one(ops.convert_to_tensor(np.array([[[np.nan]], [[np.inf]], [[-np.inf]]], dtype)))
            )
            assert np.isnan(strange[0]).all()
            if function != "exponential":
                limits = {"tanh": [1, -1], "sigmoid": [1, 0]}[function]
                np.testing.assert_allclose(strange[1:, 0], limits, atol=1e-30)


def test_programs():
    """LSTM kin add what comes from inputs and states; a GRU does not, and has a bias of its own."""
    traced = {}
    for name in ("lstm", "peephole_lstm", "gru"):
        layer = harness.build(name)
        traced[name] = program.trace(layer.cell)
    assert [traced[name].additive for name in traced] == [True, True, False]
    assert [traced[name].offset for name in traced] == [False, False, True]
    assert [len(traced[name].weights) for name in traced] == [0, 3, 0]
    assert traced["lstm"].results != traced["peephole_lstm"].results


class OwnProductCell(GatedCell):
    """A product that is not `h @ U`."""

    def recurrent(self, h):
        return linear(ops.roll(h, 1, axis=-1), self.recurrent_kernel)

    def update(self, x, u, h):
        return ops.tanh(x + u)


class UnknownOperationCell(GatedCell):
    """An operation that the table does not hold."""

    def update(self, x, u, h):
        return ops.erf(x + u)


class TwoBlocksCell(GatedCell):
    """A state that is wider than the old one is no state."""

    gates = ("a", "b")

    def update(self, x, u, h):
        return x + u


@pytest.mark.parametrize(
    ("cell", "loops"),
    [(OwnProductCell, ["gated", "plain"]), (UnknownOperationCell, ["plain"]), (TwoBlocksCell, ["plain"])],
)
def test_steps_aside_for_cells_it_does_not_know(cell, loops):
    built = cell(4)
    built.build((None, 3))
    assert not compiled.compiles(built)
    assert zoo.loops.names_for(built) == loops


def test_steps_aside_without_llvmlite_and_in_low_precision(monkeypatch):
    half = zoo.cells.LSTMCell(4, dtype="mixed_bfloat16")
    half.build((None, 3))
    assert not compiled.compiles(half)
    full = zoo.cells.LSTMCell(4)
    full.build((None, 3))
    assert compiled.compiles(full)
    monkeypatch.setattr(compiled, "find_spec", lambda name: None)
    assert not compiled.compiles(full)


@pytest.mark.backend("tensorflow")
def test_a_graph_that_may_be_saved_does_not_call_out():
    """It is taken for training only: a graph with a call into this process could not be exported."""
    import tensorflow as tf

    layer = harness.build("peephole_lstm")

    def operations(training):
        function = tf.function(lambda x: layer(x, training=training), autograph=False)
        graph = function.get_concrete_function(tf.TensorSpec((None, None, harness.FEATURES))).graph
        return {op.type for op in graph.get_operations()}

    assert "PyFunc" in operations(True)
    assert "PyFunc" not in operations(False)


@pytest.mark.backend("tensorflow")
def test_steps_aside_inside_xla():
    import tensorflow as tf

    layer = harness.build("lstm")
    inputs = tf.constant(harness.inputs_for(dtype="float32"))
    found = tf.function(lambda x: layer(x, training=True), jit_compile=True, autograph=False)(inputs)
    np.testing.assert_allclose(found, layer(inputs), atol=1e-6)


def test_fit_with_batches_of_other_sizes():
    """A whole training, with a mask and a smaller last batch: the weights equal those of the plain loop."""
    ids = np.random.default_rng(3).integers(0, 9, size=(21, 11))
    ids[5:, 7:] = 0
    targets = (ids[:, 0] % 2).astype("float32")
    weights = []
    for loop in ("compiled", "plain"):
        keras.utils.set_random_seed(5)
        model = keras.Sequential(
            [
                keras.Input((None,), dtype="int32"),
                keras.layers.Embedding(9, 6, mask_zero=True),
                zoo.layers.PeepholeLSTM(18, loop=loop, return_sequences=True),
                zoo.layers.GRU(7, loop=loop),
                keras.layers.Dense(1, activation="sigmoid"),
            ]
        )
        model.compile("adam", "binary_crossentropy")
        model.fit(ids, targets, batch_size=8, epochs=2, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for ours, plain in zip(*weights, strict=True):
        np.testing.assert_allclose(ours, plain, atol=2e-5)


def test_packed_panels():
    """Every column of the matrix stands in its panel, in order, and the rest is zero."""
    matrix = np.arange(3 * 70, dtype="float32").reshape(3, 70)
    panels = machine.packed(matrix)
    assert panels.ctypes.data % machine.BYTES == 0
    columns = panels.transpose(1, 0, 2).reshape(3, -1)
    np.testing.assert_array_equal(columns[:, :70], matrix)
    assert not columns[:, 70:].any()


def test_memory_that_nobody_holds_is_given_back():
    def is_kept(address):
        return any(block.ctypes.data <= address < block.ctypes.data + block.size for block in memory._blocks)

    held, free = (memory.empty((300, count), "float32") for count in (100, 1000))
    addresses = [array.ctypes.data for array in (held, free)]
    assert all(map(is_kept, addresses))
    del free
    memory.give_back()
    assert list(map(is_kept, addresses)) == [True, False]
    del held
    memory.give_back()
    assert not any(map(is_kept, addresses))


def test_memory_is_used_again_when_nobody_holds_it():
    first = memory.empty((300, 100), "float32")
    address = first.ctypes.data
    assert address % memory.ALIGNMENT == 0
    view = first[10:]
    del first
    other = memory.empty((300, 100), "float32")
    assert abs(other.ctypes.data - address) >= other.nbytes  # the view still lies there
    del view
    again = memory.empty((300, 100), "float32")
    assert again.ctypes.data == address
