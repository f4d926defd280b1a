"""Dilated layers against the papers' recurrence, taken step by step in NumPy."""

import keras
import numpy as np
import pytest

from tests.cells.references import REFERENCES
from zoo.errors import UserError
from zoo.layers import DilatedStack, RecurrentStack

INPUTS = np.random.default_rng(0).normal(size=(3, 11, 4)).astype("float32")
MASK = np.array(
    [
        [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
        [0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1],
        [1, 0, 1, 1, 0, 0, 1, 1, 0, 1, 0],
    ],
    bool,
)


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def make(cell="lstm", dilations=((1, 2), (3, 20)), **options):
    stack = DilatedStack(cell, 5, dilations, seed=1, **options)
    stack.build((None, None, 4))
    rng = np.random.default_rng(1)
    stack.set_weights([rng.normal(size=w.shape, scale=0.6).astype("float32") for w in stack.weights])
    return stack


def by_hand(stack, x, mask=None):
    """Each sequence of steps that are a dilation apart, run on its own."""
    layers = iter(stack.layers)
    for number, block in enumerate(stack.dilations):
        seen = x
        for dilation in block:
            weights = {w.name: numpy(w).astype("float64") for w in next(layers).weights}
            outputs = np.zeros((*x.shape[:2], 5))
            for first in range(min(dilation, x.shape[1])):
                part = slice(first, None, dilation)
                run = REFERENCES[stack.cell]
                outputs[:, part] = run(x[:, part], weights, mask=None if mask is None else mask[:, part])[0]
            x = outputs
        x = x + seen if stack.residual and number else x
    return x


@pytest.mark.parametrize("cell", ["lstm", "gru", "peephole_lstm", "min_gru"])
@pytest.mark.parametrize("mask", [None, MASK], ids=["unmasked", "masked"])
def test_outputs_are_those_of_each_sequence_alone(cell, mask):
    stack = make(cell)
    outputs = numpy(stack(INPUTS, mask=None if mask is None else keras.ops.array(mask)))
    np.testing.assert_allclose(outputs, by_hand(stack, INPUTS.astype("float64"), mask), atol=2e-5)


def test_dilations_of_one_without_residual_are_a_plain_stack():
    stack = make(dilations=((1,), (1,)), residual=False)
    plain = RecurrentStack("lstm", (5, 5), return_sequences=True)
    plain.build((None, None, 4))
    plain.set_weights(stack.get_weights())
    np.testing.assert_allclose(numpy(stack(INPUTS)), numpy(plain(INPUTS)), atol=1e-6)
    np.testing.assert_allclose(numpy(stack(INPUTS)), by_hand(stack, INPUTS.astype("float64")), atol=2e-5)


def test_later_steps_change_nothing_before_them():
    stack = make()
    whole = numpy(stack(INPUTS))
    np.testing.assert_allclose(numpy(stack(INPUTS[:, :7])), whole[:, :7], atol=1e-6)
    assert numpy(stack(INPUTS[:, :1])).shape == (3, 1, 5)


def test_dropout_is_for_training_alone():
    stack = make(dropout=0.4, recurrent_dropout=0.4)
    plain = make()
    np.testing.assert_array_equal(numpy(stack(INPUTS)), numpy(plain(INPUTS)))
    assert np.abs(numpy(stack(INPUTS, training=True)) - numpy(plain(INPUTS))).max() > 1e-3


def test_a_model_of_unknown_sizes_learns():
    inputs = keras.Input((None, 1))
    outputs = keras.layers.Dense(1)(DilatedStack("gru", 6, ((1, 3), (2,)), seed=1)(inputs))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.Adam(0.02), "mse")
    x = np.random.default_rng(0).normal(size=(16, 10, 1)).astype("float32")
    y = np.concatenate([np.zeros((16, 3, 1), "float32"), x[:, :-3]], axis=1)
    losses = model.fit(x, y, epochs=30, batch_size=16, verbose=0).history["loss"]
    assert losses[-1] < 0.6 * losses[0]
    assert model.predict(x[:3, :7], verbose=0).shape == (3, 7, 1)


def test_config_round_trip():
    stack = make(dilations=[[1], [2, 4]], residual=False, dropout=0.1)
    again = DilatedStack.from_config(stack.get_config())
    assert again.get_config() == stack.get_config()
    assert again.dilations == ((1,), (2, 4))
    assert stack.compute_output_shape((2, None, 4)) == (2, None, 5)
    assert len({w.path for w in stack.weights}) == len(stack.weights) == 9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": "lsmt"}, "did you mean 'lstm'"),
        ({"dilations": ()}, "dilations must be blocks of positive integers"),
        ({"dilations": ((1, 2), ())}, "dilations must be blocks of positive integers"),
        ({"dilations": ((1, 0),)}, "dilations must be blocks of positive integers"),
        ({"dropout": 1}, "dropout: got 1"),
        ({"cell": "min_gru", "recurrent_dropout": 0.2}, "recurrent_dropout"),
    ],
)
def test_errors_name_the_argument(options, message):
    with pytest.raises(UserError, match=message):
        DilatedStack(**options)
