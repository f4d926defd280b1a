from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from keras import ops

from zoo.cells import CATALOGUE, Cell
from zoo.errors import UserError
from zoo.inspect import trace, trace_stack
from zoo.layers import LAYERS, LSTM, Recurrent, RecurrentStack

INPUTS = np.random.default_rng(0).normal(size=(3, 5, 4)).astype("float32")
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 1, 0, 1, 1]], bool)
NAMED = {  # cell -> what it passes through `gate`, and through `act`
    "simple_rnn": ({}, {"candidate"}),
    "lstm": ({"input", "forget", "output"}, {"candidate", "memory"}),
    "peephole_lstm": ({"input", "forget", "output"}, {"candidate", "memory"}),
    "cifg_lstm": ({"forget", "output"}, {"candidate", "memory"}),
    "gru": ({"update", "reset"}, {"candidate"}),
    "gru_reset_before": ({"update", "reset"}, {"candidate"}),
    "min_gru": ({"update"}, {"candidate"}),
}


def numpy(tensor):
    return ops.convert_to_numpy(tensor)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def randomised(layer, inputs=INPUTS):
    """Build a layer, and give it weights of which none is zero."""
    layer.build(inputs.shape)
    generator = np.random.default_rng(1)
    layer.set_weights([generator.normal(0, 0.5, w.shape) for w in layer.get_weights()])
    return layer


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_a_trace_is_the_layer(name, masked, backwards):
    layer = randomised(
        LAYERS[name](3, return_sequences=True, return_state=True, go_backwards=backwards, loop="plain")
    )
    outputs, *states = layer(INPUTS, mask=ops.array(MASK) if masked else None)
    traced = trace(layer, INPUTS, mask=MASK if masked else None)
    in_order = numpy(outputs)[:, ::-1] if backwards else numpy(outputs)
    np.testing.assert_allclose(traced.outputs, in_order, atol=1e-6)
    for state, (key, values) in zip(states, traced.states.items(), strict=True):
        np.testing.assert_allclose(values[:, 0 if backwards else -1], numpy(state), atol=1e-6, err_msg=key)
    assert set(traced.states) == set(layer.cell.states)
    assert (set(traced.gates), set(traced.activations)) == tuple(map(set, NAMED[name]))
    for values in (*traced.gates.values(), *traced.activations.values()):
        assert values.shape == (3, 5, 3)
        np.testing.assert_array_equal(np.isnan(values).any(-1), ~MASK if masked else False)


@pytest.mark.parametrize("backwards", [False, True])
def test_the_gates_of_an_lstm_are_those_of_its_equations(backwards):
    layer = randomised(LSTM(3, go_backwards=backwards))
    traced = trace(layer, INPUTS)
    kernel, recurrent, bias = (w.astype("float64") for w in layer.get_weights())
    h = c = np.zeros((3, 3))
    for t in range(4, -1, -1) if backwards else range(5):
        i, f, g, o = np.split(INPUTS[:, t] @ kernel + h @ recurrent + bias, 4, axis=-1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        c = f * c + i * g
        h = o * np.tanh(c)
        expected = {"input": i, "forget": f, "output": o}
        for name, values in expected.items():
            np.testing.assert_allclose(traced.gates[name][:, t], values, atol=1e-6)
        np.testing.assert_allclose(traced.activations["candidate"][:, t], g, atol=1e-6)
        np.testing.assert_allclose(traced.activations["memory"][:, t], np.tanh(c), atol=1e-6)
        np.testing.assert_allclose(traced.states["c"][:, t], c, atol=1e-6)
        np.testing.assert_allclose(traced.outputs[:, t], h, atol=1e-6)


def test_it_begins_with_given_states():
    layer = randomised(LSTM(3))
    whole = trace(layer, INPUTS)
    rest = trace(layer, INPUTS[:, 2:], initial_state=[ops.array(whole.states[name][:, 1]) for name in "hc"])
    np.testing.assert_allclose(rest.gates["forget"], whole.gates["forget"][:, 2:], atol=1e-6)


def test_what_stands_at_masked_steps_has_no_influence():
    layer, spoilt = randomised(LSTM(3)), np.where(MASK[..., None], INPUTS, np.nan)
    traced, other = trace(layer, INPUTS, mask=MASK), trace(layer, spoilt, mask=MASK)
    np.testing.assert_array_equal(other.outputs, traced.outputs)
    np.testing.assert_array_equal(other.gates["input"], traced.gates["input"])


def test_nothing_is_left_on_the_cell_also_after_a_fault():
    faulty = False

    def activation(x):
        if faulty:
            raise RuntimeError("a fault within a step")
        return ops.tanh(x)

    layer = randomised(LSTM(3, activation=activation, loop="plain"))
    before = dict(vars(layer.cell))
    traced = trace(layer, INPUTS)
    faulty = True
    with pytest.raises(RuntimeError, match="within a step"):
        trace(layer, INPUTS)
    faulty = False
    assert vars(layer.cell).keys() == before.keys()
    assert all(vars(layer.cell)[name] is value for name, value in before.items())
    np.testing.assert_allclose(numpy(layer(INPUTS)), traced.outputs[:, -1], atol=1e-6)


def test_threads_do_not_disturb_each_other():
    layer = randomised(LSTM(3))
    inputs = [INPUTS * scale for scale in (1, -1, 0.5, 2)]
    alone = [trace(layer, one).gates["forget"] for one in inputs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda one: trace(layer, one).gates["forget"], inputs * 3))
    for found, expected in zip(together, alone * 3, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("sequences", [True, False])
def test_a_stack_is_traced_layer_by_layer(sequences):
    stack = RecurrentStack("gru", (3, 3), bidirectional=True, residual=True, return_sequences=sequences)
    randomised(stack)
    layers = [list(level) for level in stack.layers]
    found = trace_stack(stack, INPUTS, mask=ops.array(MASK))
    assert list(found) == ["forward_0", "backward_0", "forward_1", "backward_1"]
    assert [list(level) for level in stack.layers] == layers
    lower = np.concatenate([found["forward_0"].outputs, found["backward_0"].outputs], axis=-1)
    if not sequences:
        outputs = np.concatenate(
            [found["forward_1"].outputs[:, -1], found["backward_1"].outputs[:, 0]], axis=-1
        )
    else:
        outputs = np.concatenate([found["forward_1"].outputs, found["backward_1"].outputs], axis=-1) + lower
    np.testing.assert_allclose(numpy(stack(INPUTS, mask=ops.array(MASK))), outputs, atol=1e-6)
    again = trace(layers[1][1], lower, mask=MASK)
    np.testing.assert_allclose(found["backward_1"].gates["reset"], again.gates["reset"], atol=1e-6)


class TwiceCell(Cell):
    """A cell with two values of one name."""

    def step(self, x, h, drop=None):
        return (self.act("candidate", x) * self.act("candidate", h),)


@pytest.mark.parametrize(
    ("layer", "inputs", "said"),
    [
        (lambda: keras.layers.LSTM(3), INPUTS, "must be a zoo.layers.Recurrent"),
        (lambda: LSTM(3), INPUTS[:, :0], "not of shape (3, 0, 4)"),
        (lambda: LSTM(3), INPUTS[0], "not of shape (5, 4)"),
        (lambda: Recurrent(TwiceCell(3)), INPUTS, "two values of a step called 'candidate'"),
    ],
)
def test_refusals(layer, inputs, said):
    with pytest.raises(UserError) as error:
        trace(layer(), inputs)
    assert said in str(error.value)
