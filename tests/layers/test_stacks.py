import keras
import numpy as np
import pytest

from zoo.cells import CATALOGUE
from zoo.errors import UserError
from zoo.layers import LSTM, RecurrentStack

INPUTS = np.random.default_rng(0).normal(size=(3, 6, 4)).astype("float32")
MASK = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 0, 0]], bool)


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def test_two_levels_are_two_layers():
    stack = RecurrentStack("lstm", (5, 3), return_sequences=True)
    outputs = numpy(stack(INPUTS, mask=keras.ops.array(MASK)))
    first, second = LSTM(5, return_sequences=True), LSTM(3, return_sequences=True)
    for layer, (copied,) in zip((first, second), stack.layers, strict=True):
        layer.build((None, None, 4 if layer is first else 5))
        layer.set_weights(copied.get_weights())
    mask = keras.ops.array(MASK)
    np.testing.assert_allclose(outputs, numpy(second(first(INPUTS, mask=mask), mask=mask)), atol=1e-6)


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_both_directions_equal_keras_bidirectional(name):
    stack = RecurrentStack(name, (5,), bidirectional=True, return_sequences=True)
    outputs = numpy(stack(INPUTS))
    (forward, backward) = stack.layers[0]
    other = keras.layers.Bidirectional(type(forward).from_config(forward.get_config()))
    other.build(INPUTS.shape)
    other.set_weights([*forward.get_weights(), *backward.get_weights()])
    np.testing.assert_allclose(outputs, numpy(other(INPUTS)), atol=1e-6)


@pytest.mark.parametrize("sequences", [True, False])
def test_padding_changes_nothing(sequences):
    stack = RecurrentStack("gru", (5, 3), bidirectional=True, residual=True, return_sequences=sequences)
    padded = numpy(stack(INPUTS, mask=keras.ops.array(MASK)))
    for row, length in enumerate(MASK.sum(1)):
        alone = numpy(stack(INPUTS[row : row + 1, :length]))[0]
        np.testing.assert_allclose(padded[row, :length] if sequences else padded[row], alone, atol=1e-6)


@pytest.mark.parametrize("sequences", [True, False])
def test_a_run_goes_on_from_given_states(sequences):
    stack = RecurrentStack("lstm", (4, 4), residual=True, return_sequences=sequences)
    inputs = keras.ops.array(INPUTS)
    outputs = numpy(stack(inputs))
    whole, last = stack.run(inputs)
    np.testing.assert_array_equal(numpy(whole), outputs)
    assert {name: len(states) for name, states in last.items()} == {"forward_0": 2, "forward_1": 2}
    first, states = stack.run(inputs[:, :2])
    second, states = stack.run(inputs[:, 2:], states)
    expected = np.concatenate([numpy(first), numpy(second)], 1) if sequences else numpy(second)
    np.testing.assert_allclose(expected, numpy(whole), atol=1e-6)
    for name in last:
        for one, other in zip(last[name], states[name], strict=True):
            np.testing.assert_allclose(numpy(one), numpy(other), atol=1e-6)


def test_a_run_ends_where_a_direction_is_left_out():
    stack = RecurrentStack("gru", (4, 3), bidirectional=True, return_sequences=True)
    stack.build(INPUTS.shape)
    _, last = stack.run(INPUTS)
    zeros = {layer.name: layer.get_initial_state(3) for level in stack.layers for layer in level}
    backward = zeros.pop("backward_1")
    outputs, some = stack.run(INPUTS, zeros)
    assert outputs is None
    assert set(some) == {"forward_0", "backward_0", "forward_1"}
    np.testing.assert_allclose(numpy(some["forward_1"][0]), numpy(last["forward_1"][0]), atol=1e-6)
    assert stack.run(INPUTS, {"backward_1": backward}) == (None, {})


def test_residual_adds_the_input_where_widths_agree():
    plain = RecurrentStack("min_gru", (4, 3), return_sequences=True)
    plain.build(INPUTS.shape)
    residual = RecurrentStack("min_gru", (4, 3), residual=True, return_sequences=True)
    residual.build(INPUTS.shape)
    residual.set_weights(plain.get_weights())
    first, second = (layers[0] for layers in plain.layers)
    expected = second(first(INPUTS) + keras.ops.array(INPUTS))
    np.testing.assert_allclose(numpy(residual(INPUTS)), numpy(expected), atol=1e-6)


def test_dropout_between_levels_is_one_mask_a_sequence():
    stack = RecurrentStack("simple_rnn", (40, 2), dropout=0.5, return_sequences=True, seed=3)
    stack(INPUTS)
    ones = np.ones((2, 6, 40), "float32")
    dropped = numpy(stack.dropouts[0](ones, training=True))
    assert 0.2 < (dropped == 0).mean() < 0.8
    np.testing.assert_array_equal(dropped, np.broadcast_to(dropped[:, :1], dropped.shape))


def test_config_round_trip():
    stack = RecurrentStack(
        "lstm", [5, 3], bidirectional=True, dropout=0.1, residual=True, cell_options={"use_bias": False}
    )
    again = RecurrentStack.from_config(stack.get_config())
    assert again.get_config() == stack.get_config()
    assert stack.compute_output_shape((2, None, 4)) == (2, 6)
    again.build(INPUTS.shape)
    assert len(again.weights) == 2 * 2 * 2  # kernels alone


def test_errors_name_the_argument():
    with pytest.raises(UserError, match="units"):
        RecurrentStack("lstm", ())
    with pytest.raises(UserError, match="did you mean 'lstm'"):
        RecurrentStack("lsmt", (4,))
    with pytest.raises(UserError, match="recurrent_dropout"):
        RecurrentStack("min_gru", (4,), recurrent_dropout=0.2)
