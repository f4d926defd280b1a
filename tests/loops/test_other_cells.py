"""Cells of shapes that the catalogue does not hold yet: what the loops promise to every cell file to come.

Keras has three faults here. On JAX it takes the first state for the last output (J1) and broadcasts the mask
wrongly against states of higher rank, silently where the batch is as long as the state (J2); its symbolic
shapes of matrix states are wrong (A5).
"""

import keras
import numpy as np
import pytest
from keras import ops

import zoo.layers
import zoo.loops
from tests.cells import harness
from tests.cells.references import over_time, sigmoid
from zoo.cells import Cell, GatedCell, LinearCell
from zoo.cells.cell import keep, linear


class MatrixCell(Cell):
    """M' = f M + k v^T, n' = n + |k|; output M' q / (1 + |n'|): states of two ranks, neither the output."""

    states = ("M", "n")
    gates = ("key", "value", "query", "forget")

    @property
    def state_shapes(self):
        return (self.units, self.units), (self.units,)

    def step(self, x, M, n, drop=keep):
        k, v, _, f = self.split(x)
        M = self.gate("forget", f)[:, :, None] * M + k[:, :, None] * v[:, None, :]
        return M, n + ops.abs(k)

    def output(self, x, M, n):
        q = self.split(x)[2]
        return ops.sum(M * q[..., None, :], axis=-1) / (1 + ops.abs(n))


class LinearMatrixCell(LinearCell):
    """The same as a linear cell, where the factor of M broadcasts."""

    states = ("M", "n")
    gates = ("key", "value", "query", "forget")
    state_shapes = MatrixCell.state_shapes
    output = MatrixCell.output

    def coefficients(self, x):
        k, v, _, f = self.split(x)
        outer = k[..., :, None] * v[..., None, :]
        return (self.gate("forget", f)[..., None], ops.ones_like(k)), (outer, ops.abs(k))


class ShownMemoryCell(GatedCell):
    """A gated cell with a diagonal recurrent weight and an output larger than its states."""

    states = ("h", "c")
    gates = ("forget", "candidate")

    @property
    def output_size(self):
        return 2 * self.units

    def build(self, input_shape):
        super().build(input_shape)
        self.diagonal = self.add_weight(name="diagonal", shape=(2 * self.units,), initializer="zeros")

    def recurrent(self, h, c):
        return ops.concatenate([h, h], axis=-1) * self.diagonal + linear(c, self.recurrent_kernel)

    def update(self, x, u, h, c):
        f, g = self.split(x + u)
        c = self.gate("forget", f) * c + g
        return self.gate("shown", c), c

    def output(self, x, h, c):
        return ops.concatenate([h, c], axis=-1) * x


def zeros(inputs, *shapes):
    return tuple(np.zeros((len(inputs), *shape)) for shape in shapes)


def shown_over_time(step, output, inputs, states, mask):
    """`over_time` for a cell whose output is not its first state: the output is carried as one."""

    def carry(x, _, *states):
        new = step(x, *states)
        return output(x, *new), *new

    shape = output(inputs[:, 0], *states).shape
    flat = tuple(state.reshape(len(inputs), -1) for state in states)

    def flat_carry(x, last, *states):
        new = carry(x, last, *(s.reshape(-1, *old.shape[1:]) for s, old in zip(states, given, strict=True)))
        return tuple(s.reshape(len(s), -1) for s in new)

    given = states
    outputs, (_, *finals) = over_time(flat_carry, inputs, (np.zeros(shape), *flat), mask)
    return outputs, tuple(s.reshape(old.shape) for s, old in zip(finals, given, strict=True))


def matrix_reference(inputs, weights, states, mask):
    W, b, units = weights["kernel"], weights["bias"], weights["kernel"].shape[1] // 4

    def step(x, M, n):
        k, v, _, f = np.split(x @ W + b, 4, axis=-1)
        return sigmoid(f)[:, :, None] * M + np.einsum("bi,bj->bij", k, v), n + np.abs(k)

    def output(x, M, n):
        q = np.split(x @ W + b, 4, axis=-1)[2]
        return np.einsum("bij,bj->bi", M, q) / (1 + np.abs(n))

    return shown_over_time(step, output, inputs, states or zeros(inputs, (units, units), (units,)), mask)


def shown_memory_reference(inputs, weights, states, mask):
    W, U, d, b = (weights[name] for name in ("kernel", "recurrent_kernel", "diagonal", "bias"))

    def step(x, h, c):
        f, g = np.split(x @ W + b + np.concatenate([h, h], -1) * d + c @ U, 2, axis=-1)
        c = sigmoid(f) * c + g
        return sigmoid(c), c

    def output(x, h, c):
        return np.concatenate([h, c], -1) * (x @ W + b)

    return shown_over_time(step, output, inputs, states or zeros(inputs, (len(U),), (len(U),)), mask)


CELLS = {
    "matrix": (MatrixCell, matrix_reference),
    "linear_matrix": (LinearMatrixCell, matrix_reference),
    "shown_memory": (ShownMemoryCell, shown_memory_reference),
}
LOOPS = {
    "matrix": (Cell, []),
    "linear_matrix": (LinearCell, ["scan"]),
    "shown_memory": (GatedCell, ["gated"]),
}
CASES = [(name, loop) for name, (_, fast) in LOOPS.items() for loop in [*fast, "plain"]]
every_case = pytest.mark.parametrize(("name", "loop"), CASES)


def build(name, loop, dtype="float64", **arguments):
    layer = zoo.layers.Recurrent(
        CELLS[name][0](harness.UNITS, dtype=dtype),
        loop=loop,
        dtype=dtype,
        **{"return_sequences": True, "return_state": True, **arguments},
    )
    layer.build((None, None, harness.FEATURES))
    harness.randomise(layer)
    return layer


def states_of(layer):
    generator = np.random.default_rng(2)
    return tuple(generator.normal(size=(harness.BATCH, *shape)) for shape in layer.cell.state_shapes)


@pytest.mark.parametrize("name", CELLS)
def test_kinds_and_loops(name):
    kind, fast = LOOPS[name]
    assert issubclass(CELLS[name][0], kind)
    assert zoo.loops.names_for(build(name, "plain", "float32").cell) == [*fast, "plain"]


@pytest.mark.parametrize("mask", harness.MASKS)
@every_case
def test_values(name, loop, mask):
    """Outputs and states equal the reference: batch, units and state sizes are all 3 here, as in J2."""
    assert harness.BATCH == harness.UNITS
    with harness.double():
        for go_backwards, given in ((False, False), (False, True), (True, True)):
            layer = build(name, loop, go_backwards=go_backwards)
            inputs, real = harness.inputs_for(), harness.MASKS[mask]
            states = states_of(layer) if given else None
            outputs, finals = harness.run(layer, inputs, states, real)
            if go_backwards:
                inputs, real = inputs[:, ::-1], None if real is None else real[:, ::-1]
            expected, ends = CELLS[name][1](inputs, harness.weights_of(layer), states, real)
            harness.assert_same((outputs, *finals), (expected, *ends), 1e-12, f"backwards {go_backwards}")


@pytest.mark.parametrize("mask", ["unmasked", "holes"])
@pytest.mark.parametrize(("name", "loop"), [(name, loop) for name, loop in CASES if loop != "plain"])
def test_gradients_of_fast_loops(name, loop, mask):
    with harness.double():
        found = {}
        for which in (loop, "plain"):
            layer = build(name, which)
            inputs, states = harness.inputs_for(), states_of(layer)
            outputs, finals = harness.run(layer, inputs, states)
            generator = np.random.default_rng(3)
            cotangents = tuple(generator.normal(size=result.shape) for result in (outputs, *finals))
            found[which] = harness.gradients(
                layer, inputs, states, harness.MASKS[mask], cotangents, compiled=True
            )
    for key, gradient in found["plain"].items():
        np.testing.assert_allclose(found[loop][key], gradient, rtol=1e-11, atol=1e-11, err_msg=key)


@every_case
def test_symbolic_shapes(name, loop):
    layer = build(name, loop, "float32")
    inputs = harness.inputs_for(dtype="float32")
    for symbol, value in zip(layer(keras.Input((None, harness.FEATURES))), layer(inputs), strict=True):
        assert symbol.shape[0] is None
        assert symbol.shape[-1] == value.shape[-1]
        assert len(symbol.shape) == len(value.shape)


@every_case
def test_no_steps_and_streaming(name, loop):
    with harness.double():
        layer = build(name, loop, return_sequences=False)
        inputs, states = harness.inputs_for(), states_of(layer)
        output, finals = harness.run(layer, inputs[:, :0], states)
        harness.assert_same(finals, states, 0)
        assert output.shape == (harness.BATCH, layer.cell.output_size)
        assert not output.any()
        expected, ends = harness.run(layer, inputs, states)
        steps = [ops.convert_to_tensor(state) for state in states]
        for t in range(harness.TIME):
            output, steps = layer.step(ops.convert_to_tensor(inputs[:, t]), steps)
        harness.assert_same([harness.array(x) for x in (output, *steps)], [expected, *ends], 1e-12)
