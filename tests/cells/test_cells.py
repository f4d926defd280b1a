"""Every cell of the catalogue through every check of one step."""

import inspect

import keras
import numpy as np
import pytest

import zoo.cells
from tests.cells import harness
from tests.cells.references import REFERENCES
from zoo.cells.cell import Cell, GatedCell, LinearCell
from zoo.errors import UserError

# Shapes of the weights besides `kernel` (features, blocks * units), as INTERFACES and Keras have them.
BLOCKS = {
    "simple_rnn": 1,
    "lstm": 4,
    "peephole_lstm": 4,
    "cifg_lstm": 3,
    "gru": 3,
    "gru_reset_before": 3,
    "min_gru": 2,
}

# The cells with a forget gate, and the place of its block.
FORGET_BLOCK = {"lstm": 1, "peephole_lstm": 1, "cifg_lstm": 0}

# Arguments that a cell refuses, since they have no meaning in its equation: name -> argument -> reason.
UNUSED = {
    "simple_rnn": {"recurrent_activation": "it has no gate", "unit_forget_bias": "it has no forget gate"},
    "gru": {"unit_forget_bias": "it has no forget gate"},
    "gru_reset_before": {"unit_forget_bias": "it has no forget gate"},
    "min_gru": {
        "unit_forget_bias": "it has no forget gate",
        "recurrent_dropout": "it has no recurrent product",
        "recurrent_initializer": "it has no recurrent product",
        "recurrent_regularizer": "it has no recurrent product",
        "recurrent_constraint": "it has no recurrent product",
    },
}
OTHER_VALUES = {
    "recurrent_activation": "hard_sigmoid",
    "unit_forget_bias": False,
    "recurrent_dropout": 0.5,
    "recurrent_initializer": "zeros",
    "recurrent_regularizer": "l2",
    "recurrent_constraint": "max_norm",
}
every_cell = pytest.mark.parametrize("name", harness.NAMES)


def make(name, *arguments, **keywords):
    return zoo.cells.CATALOGUE[name](*arguments, **keywords)


def test_catalogue_and_references_agree():
    assert set(zoo.cells.CATALOGUE) == set(REFERENCES) == set(BLOCKS)


@every_cell
def test_get_finds_the_cell(name):
    assert zoo.cells.get(name) is zoo.cells.CATALOGUE[name]


def test_get_suggests_the_nearest_name():
    with pytest.raises(UserError, match=r"'lsmt'.*did you mean.*'lstm'"):
        zoo.cells.get("lsmt")


@every_cell
def test_equation(name):
    """One step of the cell and of the layer equals one step of the reference."""
    with harness.double():
        layer = harness.build(name, dtype="float64")
        inputs, states = harness.inputs_for(time=1), harness.states_for(layer)
        expected, finals = harness.reference(name, inputs, harness.weights_of(layer), states)
        output, new = layer.cell(
            keras.ops.convert_to_tensor(inputs[:, 0]), [keras.ops.convert_to_tensor(s) for s in states]
        )
        harness.assert_same(harness.array(output), expected[:, 0], 1e-12, "output")
        harness.assert_same([harness.array(state) for state in new], list(finals), 1e-12, "states")


@every_cell
def test_equation_without_bias(name):
    with harness.double():
        layer = harness.build(name, dtype="float64", use_bias=False, return_sequences=True, return_state=True)
        assert "bias" not in harness.weights_of(layer)
        inputs = harness.inputs_for()
        expected = harness.reference(name, inputs, harness.weights_of(layer))
        got = harness.run(layer, inputs)
        harness.assert_same((got[0], *got[1]), (expected[0], *expected[1]), 1e-12)


@every_cell
def test_weight_names_and_shapes(name):
    features, units, blocks = harness.FEATURES, harness.UNITS, BLOCKS[name]
    expected = {"kernel": (features, blocks * units), "bias": (blocks * units,)}
    if not issubclass(zoo.cells.CATALOGUE[name], LinearCell):
        expected["recurrent_kernel"] = (units, blocks * units)
    if name == "gru":
        expected["bias"] = (2, blocks * units)
    if name == "peephole_lstm":
        expected |= {"peephole_" + gate: (units,) for gate in ("input", "forget", "output")}
    layer = harness.build(name)
    assert {weight: array.shape for weight, array in harness.weights_of(layer).items()} == expected


@every_cell
def test_initial_bias_is_zero_but_for_the_forget_gate(name):
    layer = harness.layer_class(name)(harness.UNITS)
    layer.build((None, None, harness.FEATURES))
    bias = harness.array(layer.cell.bias.value)
    expected = np.zeros_like(bias)
    if name in FORGET_BLOCK:
        expected[FORGET_BLOCK[name] * harness.UNITS : (FORGET_BLOCK[name] + 1) * harness.UNITS] = 1
    np.testing.assert_array_equal(bias, expected)


@pytest.mark.parametrize("name", sorted(FORGET_BLOCK))
def test_unit_forget_bias_can_be_off(name):
    layer = harness.layer_class(name)(harness.UNITS, unit_forget_bias=False)
    layer.build((None, None, harness.FEATURES))
    assert not harness.array(layer.cell.bias.value).any()


@every_cell
def test_initial_weights_are_as_asked(name):
    """The orthogonal start is orthogonal, and other initialisers are obeyed."""
    cell = make(name, 4, kernel_initializer="ones", bias_initializer="ones")
    cell.build((None, 3))
    np.testing.assert_array_equal(harness.array(cell.kernel.value), np.ones((3, BLOCKS[name] * 4)))
    np.testing.assert_array_equal(harness.array(cell.bias.value), np.ones(cell.bias_shape))
    if not isinstance(cell, LinearCell):
        U = harness.array(cell.recurrent_kernel.value)
        np.testing.assert_allclose(U @ U.T, np.eye(4), atol=1e-5)


@every_cell
def test_is_of_one_kind_and_final(name):
    cell_class = zoo.cells.CATALOGUE[name]
    assert cell_class.__base__ in (Cell, GatedCell, LinearCell)
    with pytest.raises(TypeError, match="finished"):
        type("Another", (cell_class,), {})


@every_cell
def test_states_and_initial_state(name):
    cell = make(name, 4)
    assert cell.state_shapes == ((4,),) * len(cell.states)
    assert cell.state_size == [4] * len(cell.states)
    assert cell.output_size == 4
    for state in cell.get_initial_state(batch_size=2):
        np.testing.assert_array_equal(harness.array(state), np.zeros((2, 4)))


@every_cell
def test_in_keras_rnn(name):
    """`keras.layers.RNN(cell)` gives the layer's results (unmasked: PITFALLS tells why not with a mask)."""
    layer = harness.build(name, return_sequences=True, return_state=True)
    inputs = harness.inputs_for(dtype="float32")
    states = harness.states_for(layer, dtype="float32")
    rnn = keras.layers.RNN(make(name, harness.UNITS), return_sequences=True, return_state=True)
    rnn.build(inputs.shape)
    rnn.set_weights(layer.get_weights())
    for given in (None, states):
        got, expected = harness.run(rnn, inputs, given), harness.run(layer, inputs, given)
        harness.assert_same((got[0], *got[1]), (expected[0], *expected[1]), 1e-6)


@every_cell
def test_keras_rnn_around_our_cell_can_be_saved(name):
    model = keras.Sequential([keras.Input((None, 2)), keras.layers.RNN(make(name, 3))])
    clone = keras.Sequential.from_config(model.get_config())
    clone.set_weights(model.get_weights())
    inputs = harness.inputs_for(dtype="float32")
    harness.assert_same(harness.array(clone(inputs)), harness.array(model(inputs)), 0)


@every_cell
def test_config_round_trip(name):
    cell = make(name, 4, use_bias=False, kernel_regularizer="l2", dropout=0.25, seed=7, dtype="float64")
    config = cell.get_config()
    again = type(cell).from_config(config)
    assert again.get_config() == config
    assert (again.units, again.use_bias, again.dropout, again.seed) == (4, False, 0.25, 7)
    assert again.kernel_regularizer.get_config() == keras.regularizers.L2().get_config()
    assert again.dtype_policy.name == "float64"
    revived = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(cell))
    assert type(revived) is type(cell)
    assert revived.get_config() == config


@every_cell
def test_config_holds_every_argument(name):
    config = make(name, 4).get_config()
    arguments = set(inspect.signature(Cell.__init__).parameters) - {"self", "kwargs"}
    assert arguments - set(UNUSED.get(name, {})) <= set(config)


@every_cell
def test_other_activations(name):
    """An activation is a name or a callable and acts on the candidate; the gates keep theirs."""
    by_name = harness.build(name, activation="softsign", return_sequences=True)
    by_callable = harness.build(name, activation=lambda x: x / (1 + keras.ops.abs(x)), return_sequences=True)
    inputs = harness.inputs_for(dtype="float32")
    got = harness.array(by_name(inputs))
    harness.assert_same(got, harness.array(by_callable(inputs)), 1e-6)
    assert np.abs(got - harness.array(harness.build(name, return_sequences=True)(inputs))).max() > 1e-3


@every_cell
def test_regularizers_reach_the_layer(name):
    layer = harness.build(name, kernel_regularizer=keras.regularizers.L2(0.5))
    kernel = harness.weights_of(layer)["kernel"]
    assert len(layer.losses) == 1
    np.testing.assert_allclose(harness.array(layer.losses[0]), 0.5 * (kernel**2).sum(), rtol=1e-5)


@every_cell
@pytest.mark.parametrize("units", [0, -1, 2.5, "a", None, True])
def test_wrong_units(name, units):
    with pytest.raises(UserError, match=f"units.*{units!r}"):
        make(name, units)


@every_cell
def test_wrong_activation(name):
    with pytest.raises(UserError, match="activation 'tahn'"):
        make(name, 3, activation="tahn")


@every_cell
@pytest.mark.parametrize("argument", ["dropout", "recurrent_dropout"])
@pytest.mark.parametrize("share", [-0.1, 1.0, 1.5, float("nan"), "a", None])
def test_wrong_dropout(name, argument, share):
    with pytest.raises(UserError, match=argument):
        make(name, 3, **{argument: share})


@every_cell
def test_unknown_argument(name):
    with pytest.raises((TypeError, ValueError), match="unitz"):
        make(name, 3, unitz=4)


@pytest.mark.parametrize(("name", "argument"), [(name, a) for name in sorted(UNUSED) for a in UNUSED[name]])
def test_argument_without_meaning(name, argument):
    with pytest.raises(UserError, match=argument):
        make(name, 3, **{argument: OTHER_VALUES[argument]})


@every_cell
def test_dropout_in_a_bare_cell_is_refused(name):
    """A cell does not know where a sequence begins: PITFALLS A3 and J4 tell what Keras makes of it."""
    cell = make(name, 3, dropout=0.5)
    inputs, states = np.ones((2, 2), "float32"), cell.get_initial_state(batch_size=2)
    cell(inputs, states)
    with pytest.raises(UserError, match="dropout"):
        cell(inputs, states, training=True)


@every_cell
def test_inputs_of_unknown_size(name):
    with pytest.raises(UserError, match="last axis"):
        make(name, 3).build((None, None))


def test_min_gru_candidate_is_positive_and_continuous():
    """g(x) = x + 0.5 for x >= 0 and sigmoid(x) below (Feng et al. 2024), by numbers worked out by hand."""
    layer = harness.layer_class("min_gru")(1, kernel_initializer="ones", bias_initializer="zeros")
    got = [float(harness.array(layer(np.full((1, 1, 1), x, "float32")))[0, 0]) for x in (0.0, 1.0, -1.0)]
    gate = {x: 1 / (1 + np.exp(-x)) for x in (0.0, 1.0, -1.0)}
    np.testing.assert_allclose(got, [0.5 * 0.5, gate[1.0] * 1.5, gate[-1.0] ** 2], rtol=1e-6)
