"""The attention wrapper around every cell: values, masks, gradients, steps, dropout, precision, saving, errors."""

import keras
import numpy as np
import pytest
from keras import ops

import zoo.cells
from tests.cells import harness
from tests.layers import attention_references
from zoo.errors import UserError
from zoo.layers import ATTENTIONS, LSTM, AttentionRecurrent, make_attention

BATCH, TIME, FEATURES, UNITS = harness.BATCH, harness.TIME, harness.FEATURES, harness.UNITS
MEMORY_TIME, WIDTH, SIZE, HEADS = 4, 6, 5, 2  # SIZE: of what is fed, where it is computed

MEMORY_MASK = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]], bool)

every_cell = pytest.mark.parametrize("cell", harness.NAMES)
every_form = pytest.mark.parametrize(
    ("units", "feeding"),
    [(SIZE, True), (None, True), (SIZE, False), (None, False)],
    ids=["fed", "context_fed", "unfed", "context_unfed"],
)
every_mask = pytest.mark.parametrize("mask", harness.MASKS)


def built(
    cell="lstm", attention="general", units=SIZE, feeding=True, dtype="float32", width=WIDTH, **arguments
):
    """A layer with random weights; further arguments are the cell's."""
    layer = AttentionRecurrent(
        zoo.cells.get(cell)(UNITS, dtype=dtype, **arguments),
        make_attention(attention, 4, HEADS, dtype=dtype),
        units=units,
        input_feeding=feeding,
        return_state=True,
        dtype=dtype,
    )
    layer.build((None, None, FEATURES), (None, None, width))
    harness.randomise(layer)
    return layer


def values_for(layer, states=True, width=WIDTH, dtype="float64"):
    """Dictionary name -> array of all that a run depends on, as the reference takes it."""
    generator = np.random.default_rng(8)
    first = [
        (name, tuple(zero.shape)) for name, zero in zip("abc", layer.get_initial_state(BATCH), strict=False)
    ]
    values = {"inputs": harness.inputs_for(), "memory": generator.normal(size=(BATCH, MEMORY_TIME, width))}
    values |= {f"state_{name}": generator.normal(size=shape) * states for name, shape in first}
    values = {name: value.astype(dtype) for name, value in values.items()}
    return values | weights_of(layer)


def weights_of(layer):
    weights = {f"cell/{name}": value for name, value in harness.weights_of(layer.cell).items()}
    weights |= {f"attention/{name}": value for name, value in harness.weights_of(layer.attention).items()}
    return weights | (
        {} if layer.units is None else {"output_kernel": harness.array(layer.output_kernel.value)}
    )


def reference(layer, cell, attention, values, mask=None, memory_mask=MEMORY_MASK):
    size = layer.fed_size
    arguments = {"size": size, "feeding": layer.input_feeding, "mask": mask, "memory_mask": memory_mask}
    outputs, weights, states = attention_references.decoder(cell, attention, values, heads=HEADS, **arguments)
    if mask is not None:
        seen = np.cumsum(mask, axis=1)[..., None] > 0
        outputs, weights = outputs * seen, weights * seen
    return [outputs, weights, *states]


def states_in(values):
    return [ops.convert_to_tensor(values[name]) for name in sorted(values) if name.startswith("state_")]


def ran(layer, values, mask=None, memory_mask=MEMORY_MASK, **arguments):
    """Outputs, attention's weights and last states of `run`."""
    masks = {"mask": mask, "memory_mask": memory_mask}
    masks = {name: None if value is None else ops.convert_to_tensor(value) for name, value in masks.items()}
    inputs, memory = (ops.convert_to_tensor(values[name]) for name in ("inputs", "memory"))
    arguments = {"initial_state": states_in(values) or None, **masks, **arguments}
    outputs, weights, states = layer.run(inputs, memory, **arguments)
    return [harness.array(x) for x in (outputs, weights, *states)]


# --- values


@every_form
@every_cell
def test_every_cell(cell, units, feeding):
    with harness.double():
        layer = built(cell, "general", units, feeding, "float64")
        values = values_for(layer)
        got = ran(layer, values)
    expected = reference(layer, cell, "general", values)
    assert np.abs(expected[0][:2]).min() > 0
    harness.assert_same(got, expected, 1e-11)


@every_form
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_every_attention(attention, units, feeding):
    width = UNITS if attention in ("dot", "scaled") else WIDTH
    with harness.double():
        layer = built("gru", attention, units, feeding, "float64", width)
        values = values_for(layer, width=width)
        got = ran(layer, values)
    harness.assert_same(got, reference(layer, "gru", attention, values), 1e-11)


@every_mask
@every_form
def test_masks(units, feeding, mask):
    """A masked step keeps the states and repeats the last output, zeros before the first real one."""
    mask = harness.MASKS[mask]
    with harness.double():
        layer = built("lstm", "additive", units, feeding, "float64")
        values = values_for(layer)
        got = ran(layer, values, mask)
        expected = reference(layer, "lstm", "additive", values, mask)
        harness.assert_same(got, expected, 1e-11)
        if mask is not None:
            junk = np.where(mask[..., None], values["inputs"], np.nan)
            harness.assert_same(ran(layer, values | {"inputs": junk}, mask), expected, 1e-11)


def test_states_of_the_cell_alone():
    """What is fed begins at zero, and so does all without an initial state."""
    layer = built()
    zeros = values_for(layer, states=False, dtype="float32")
    expected = ran(layer, zeros)
    assert not np.any(zeros["state_c"])
    inputs, memory, mask = (ops.convert_to_tensor(x) for x in (zeros["inputs"], zeros["memory"], MEMORY_MASK))
    for given in (None, states_in(zeros)[:-1], tuple(states_in(zeros))):
        answer = layer(inputs, memory, memory_mask=mask, initial_state=given)
        harness.assert_same([harness.array(x) for x in answer], [expected[0], *expected[2:]], 1e-6)


@every_form
def test_a_sequence_in_parts(units, feeding):
    """The last states of one part are the first of the next."""
    layer = built("peephole_lstm", "general", units, feeding)
    values = values_for(layer, dtype="float32")
    whole = ran(layer, values)
    first = ran(layer, values | {"inputs": values["inputs"][:, :2]})
    names = [name for name in values if name.startswith("state_")]
    rest = {"inputs": values["inputs"][:, 2:], **dict(zip(names, first[2:], strict=True))}
    second = ran(layer, values | rest)
    together = [np.concatenate([a, b], axis=1) for a, b in zip(first[:2], second[:2], strict=True)]
    harness.assert_same([*together, *second[2:]], whole, 1e-5)


def test_no_steps():
    layer = built()
    values = values_for(layer, dtype="float32")
    outputs, weights, *states = ran(layer, values | {"inputs": values["inputs"][:, :0]})
    assert (outputs.shape, weights.shape) == ((BATCH, 0, SIZE), (BATCH, 0, MEMORY_TIME))
    harness.assert_same(states, [harness.array(state) for state in states_in(values)], 0)


# --- step by step


@every_form
@every_cell
def test_step_is_the_sequence(cell, units, feeding):
    layer = built(cell, "additive", units, feeding)
    values = values_for(layer, dtype="float32")
    outputs, weights, *finals = ran(layer, values)
    memory, mask = ops.convert_to_tensor(values["memory"]), ops.convert_to_tensor(MEMORY_MASK)
    keys, states = layer.keys(memory), states_in(values)
    for t in range(TIME):
        output, share, states = layer.step(
            ops.convert_to_tensor(values["inputs"][:, t]), states, keys, memory, mask
        )
        harness.assert_same([harness.array(x) for x in (output, share)], [outputs[:, t], weights[:, t]], 1e-5)
    harness.assert_same([harness.array(state) for state in states], finals, 1e-5)


# --- gradients


@pytest.mark.parametrize(
    ("cell", "attention", "units", "feeding", "compiled"),
    [
        *((cell, "general", SIZE, True, False) for cell in harness.NAMES),
        *(("lstm", attention, SIZE, True, True) for attention in ("additive", "multi_head")),
        ("gru", "general", None, True, True),
        ("gru", "additive", SIZE, False, True),
    ],
)
def test_gradients(cell, attention, units, feeding, compiled):
    """Those of the references' naive loop, by complex steps; one row has no memory and one no steps."""
    mask = harness.MASKS["holes"] & [[True], [False], [True]]
    generator = np.random.default_rng(6)
    with harness.double():
        layer = built(cell, attention, units, feeding, "float64")
        values = values_for(layer)
        cotangents = [generator.normal(size=x.shape) for x in ran(layer, values, mask)]
        names = [name for name in values if "/" not in name and name != "output_kernel"]

        def functional(inputs, memory, *states):
            masks = {"mask": mask, "memory_mask": MEMORY_MASK}
            masks = {name: ops.convert_to_tensor(value) for name, value in masks.items()}
            outputs, weights, states = layer.run(inputs, memory, list(states), **masks)
            pairs = zip((outputs, weights, *states), cotangents, strict=True)
            return sum(ops.sum(x * ops.convert_to_tensor(d)) for x, d in pairs)

        found = harness._gradients(functional, layer, [values[name] for name in names], compiled)
        found = [harness.array(gradient) for gradient in found]
    weights = [path_of(layer, variable) for variable in layer.trainable_weights]
    gradients = dict(zip([*names, *weights], found, strict=True))
    assert sorted(gradients) == sorted(values)
    for name, value in values.items():
        direction = generator.normal(size=value.shape)
        moved = values | {name: value + 1e-30j * direction}
        results = reference(layer, cell, attention, moved, mask)
        expected = sum((x.imag * d).sum() for x, d in zip(results, cotangents, strict=True)) / 1e-30
        got = (gradients[name] * direction).sum()
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9, err_msg=name)


def path_of(layer, variable):
    """The name of a weight in the reference's dictionary."""
    for part in ("cell", "attention"):
        if any(variable is weight for weight in getattr(layer, part).weights):
            return f"{part}/{variable.name}"
    return variable.name


# --- dropout


@pytest.mark.parametrize("feeding", [True, False], ids=["fed", "unfed"])
@pytest.mark.parametrize("role", ["dropout", "recurrent_dropout"])
def test_one_mask_a_sequence(role, feeding):
    """All rows are one sequence: those with the same mask are equal at all steps, and there are many masks."""
    layer = built("lstm", "general", SIZE, feeding, seed=1, **{role: 0.5})
    still = built("lstm", "general", SIZE, feeding)
    still.set_weights(layer.trainable_variables)
    inputs = np.repeat(harness.inputs_for(1, 4, dtype="float32"), 300, axis=0)
    memory = np.repeat(
        np.random.default_rng(2).normal(size=(1, MEMORY_TIME, WIDTH)).astype("float32"), 300, axis=0
    )
    inputs, memory = map(ops.convert_to_tensor, (inputs, memory))
    outputs = harness.array(layer(inputs, memory, training=True)[0])
    columns = UNITS if role == "recurrent_dropout" else FEATURES + (SIZE if feeding else 0)
    kinds = len(np.unique(outputs.round(4), axis=0))
    # a mask for each step would give nearly as many kinds as there are rows; without input feeding, and with what
    # is fed still zero, some masks are the same
    assert 4 <= kinds <= 2**columns
    expected = harness.array(still(inputs, memory)[0])
    harness.assert_same(harness.array(layer(inputs, memory)[0]), expected, 1e-6)
    assert np.abs(outputs.mean(axis=0) - expected[0]).max() < 0.5


# --- in a model


@every_form
def test_saved_in_a_model(units, feeding, tmp_path):
    """A functional model of unknown batch and times, saved and loaded; the memory's own mask is found."""
    sequences, ids = keras.Input((None, FEATURES)), keras.Input((None,), dtype="int32")
    embedding = keras.layers.Embedding(6, WIDTH, mask_zero=True)
    layer = built("lstm", "additive", units, feeding)
    answer = layer(sequences, embedding(ids))
    model = keras.Model([sequences, ids], answer)
    assert [tuple(x.shape) for x in answer] == [
        (None, None, layer.output_size),
        *((None, *state.shape[1:]) for state in layer.get_initial_state(1)),
    ]
    rows = np.array([[1, 2, 3, 4], [5, 1, 0, 0], [0, 0, 0, 0]], "int32")
    inputs = harness.inputs_for(dtype="float32")
    got = [harness.array(x) for x in model([ops.convert_to_tensor(x) for x in (inputs, rows)])]
    values = values_for(layer, states=False)
    values |= {"inputs": inputs, "memory": harness.array(embedding(rows))}
    outputs, _, *states = reference(layer, "lstm", "additive", values, None, rows > 0)
    harness.assert_same(got, [outputs, *states], 1e-5)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    harness.assert_same([harness.array(x) for x in again.predict([inputs, rows], verbose=0)], got, 1e-6)
    for part in ("cell", "attention"):
        assert getattr(again.layers[-1], part).get_config() == getattr(layer, part).get_config()


def test_trains():
    """It learns to copy what lies in the memory."""
    keras.utils.set_random_seed(0)
    generator = np.random.default_rng(0)
    memory = np.eye(4, dtype="float32")[np.array([generator.permutation(4) for _ in range(64)])]
    places = np.tile(np.eye(4, dtype="float32"), (64, 1, 1))
    sequences, source = keras.Input((None, 4)), keras.Input((None, 8))
    decoder = AttentionRecurrent(zoo.cells.GRUCell(16), make_attention("general", 16), units=16)
    model = keras.Model([sequences, source], keras.layers.Dense(4, "softmax")(decoder(sequences, source)))
    model.compile(keras.optimizers.Adam(0.02), "categorical_crossentropy")
    values = [places, np.concatenate([memory, places], axis=-1)]
    losses = model.fit(values, memory, batch_size=64, epochs=40, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("feeding", [True, False], ids=["fed", "unfed"])
def test_mixed_precision(feeding):
    """Also where `run` and `step` are called outside of a call."""
    layer = built("lstm", "additive", SIZE, feeding, "mixed_bfloat16")
    values = values_for(layer, dtype="float32")
    inputs, memory, mask = (
        ops.convert_to_tensor(x) for x in (values["inputs"], values["memory"], MEMORY_MASK)
    )
    expected = reference(layer, "lstm", "additive", values)
    of_call = layer(inputs, memory, memory_mask=mask, initial_state=states_in(values))
    outputs, weights, states = layer.run(inputs, memory, states_in(values), memory_mask=mask)
    output, share, after = layer.step(inputs[:, 0], states_in(values), layer.keys(memory), memory, mask)
    answers = (*of_call, outputs, weights, *states, output, share, *after)
    assert {keras.backend.standardize_dtype(x.dtype) for x in answers} == {"bfloat16"}
    got = [harness.array(ops.cast(x, "float32")) for x in (outputs, weights, *states)]
    harness.assert_same(got, expected, 0.1)
    harness.assert_same(harness.array(ops.cast(of_call[0], "float32")), got[0], 0.02)
    harness.assert_same(harness.array(ops.cast(output, "float32")), got[0][:, 0], 0.02)


# --- errors


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AttentionRecurrent(LSTM(3), make_attention("dot", 3)), "cell must be a zoo.cells.Cell"),
        (lambda: AttentionRecurrent(zoo.cells.LSTMCell(3), "dot"), "attention must be an attention"),
        (
            lambda: AttentionRecurrent(zoo.cells.LSTMCell(3), make_attention("dot", 3), units=0),
            "units must be",
        ),
        (lambda: built().build((None, 3), (None, None, 3)), r"sequences must be .* not of shape \(None, 3\)"),
        (
            lambda: built().run(np.zeros((2, 4, 2)), np.zeros((2, 4, WIDTH)), [np.zeros((2, 3))]),
            r"initial_state must hold h \(3,\), c \(3,\), a \(5,\) after the batch axis, not \[\(3,\)\]",
        ),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(UserError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
