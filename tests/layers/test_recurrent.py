"""Every named layer through Keras's protocol: states, wrappers, dropout, precision, saving, errors."""

import itertools
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

import zoo.layers
from tests.cells import harness
from tests.cells.references import REFERENCES
from zoo.errors import UserError

every_cell = pytest.mark.parametrize("name", harness.NAMES)

# Our cells that Keras has too, with the arguments that make its layer the same function.
KERAS = {
    "simple_rnn": (keras.layers.SimpleRNN, {}),
    "lstm": (keras.layers.LSTM, {}),
    "gru": (keras.layers.GRU, {"reset_after": True}),
    "gru_reset_before": (keras.layers.GRU, {"reset_after": False}),
}
every_keras_cell = pytest.mark.parametrize("name", KERAS)

# Cells that refuse `recurrent_dropout`: name -> reason.
NO_RECURRENT_DROPOUT = {"min_gru": "it has no recurrent product"}
every_dropping_cell = pytest.mark.parametrize(
    "name", [name for name in harness.NAMES if name not in NO_RECURRENT_DROPOUT]
)
backwards = pytest.mark.parametrize("go_backwards", [False, True], ids=["forwards", "backwards"])


def float32_inputs(*sizes, **keywords):
    return harness.inputs_for(*sizes, dtype="float32", **keywords)


def tensors(arrays):
    return [ops.convert_to_tensor(array) for array in arrays]


def expected_of(name, layer, inputs, states=None, mask=None, go_backwards=False):
    """Outputs and states of the reference, in float64 from the layer's weights as they are."""
    weights = {key: value.astype("float64") for key, value in harness.weights_of(layer).items()}
    return harness.reference(name, inputs.astype("float64"), weights, states, mask, go_backwards)


# --- beside Keras


@backwards
@every_keras_cell
def test_weights_from_keras(name, go_backwards):
    """`set_weights(keras.layers.X(...).get_weights())` gives Keras's outputs and states."""
    keras_class, arguments = KERAS[name]
    settings = {"return_sequences": True, "return_state": True, "go_backwards": go_backwards}
    theirs = keras_class(4, **arguments, **settings)
    ours = harness.layer_class(name)(4, **settings)
    inputs = float32_inputs()
    for layer in (theirs, ours):
        layer.build(inputs.shape)
    harness.randomise(theirs)
    ours.set_weights(theirs.get_weights())
    states = tuple(np.random.default_rng(4).normal(size=(3, 4)).astype("float32") for _ in ours.cell.states)
    for given in (None, states):
        expected, finals = harness.run(theirs, inputs, given)
        outputs, got = harness.run(ours, inputs, given)
        harness.assert_same((outputs, *got), (expected, *finals), 1e-6)


@every_keras_cell
def test_weights_to_keras(name):
    """Fresh weights of ours have Keras's order and shapes; other activations are the same function too."""
    keras_class, arguments = KERAS[name]
    chosen = {"activation": "softsign"}
    if name != "simple_rnn":
        chosen["recurrent_activation"] = "hard_sigmoid"
    theirs, ours = keras_class(4, **arguments, **chosen), harness.layer_class(name)(4, **chosen)
    inputs = float32_inputs()
    for layer in (theirs, ours):
        layer.build(inputs.shape)
    theirs.set_weights(ours.get_weights())
    assert [v.name for v in theirs.trainable_weights] == [v.name for v in ours.trainable_weights]
    harness.assert_same(harness.array(ours(inputs)), harness.array(theirs(inputs)), 1e-6)


@every_keras_cell
@pytest.mark.parametrize("return_sequences", [False, True], ids=["last", "sequences"])
def test_bidirectional_beside_keras(name, return_sequences):
    keras_class, arguments = KERAS[name]
    theirs = keras.layers.Bidirectional(keras_class(4, return_sequences=return_sequences, **arguments))
    ours = keras.layers.Bidirectional(harness.layer_class(name)(4, return_sequences=return_sequences))
    inputs = float32_inputs()
    for layer in (theirs, ours):
        layer.build(inputs.shape)
    harness.randomise(theirs)
    ours.set_weights(theirs.get_weights())
    harness.assert_same(harness.array(ours(inputs)), harness.array(theirs(inputs)), 1e-6)


# --- the protocol


@every_cell
def test_what_is_returned(name):
    """The four answers agree, and symbolic tensors and `compute_output_shape` have their shapes."""
    inputs = float32_inputs()
    whole = harness.build(name, return_sequences=True, return_state=True)
    outputs, finals = harness.run(whole, inputs)
    expected = {(True, True): (outputs, *finals), (False, True): (outputs[:, -1], *finals)}
    for sequences, state in itertools.product([False, True], repeat=2):
        layer = harness.layer_class(name)(
            harness.UNITS, return_sequences=sequences, return_state=state, seed=1
        )
        layer.build(inputs.shape)
        layer.set_weights(whole.get_weights())
        got = layer(inputs)
        answer = expected[sequences, True][: None if state else 1]
        harness.assert_same([harness.array(x) for x in (got if state else [got])], list(answer), 1e-6)
        symbolic = layer(keras.Input((None, harness.FEATURES)))
        shapes = layer.compute_output_shape((None, None, harness.FEATURES))
        for tensor, shape, value in zip(
            symbolic if state else [symbolic], shapes if state else [shapes], answer, strict=True
        ):
            assert tuple(tensor.shape) == tuple(shape)
            assert len(shape) == value.ndim
            assert shape[-1] == value.shape[-1]


@every_cell
def test_initial_state_in_any_form(name):
    """A list, a tuple, a single tensor, NumPy arrays and symbolic tensors are all taken."""
    layer = harness.build(name, return_sequences=True, return_state=True)
    inputs, states = float32_inputs(), harness.states_for(layer, dtype="float32")
    expected, finals = harness.run(layer, inputs, states)
    forms = [list(states), tuple(states), tensors(states)]
    if len(states) == 1:
        forms.append(states[0])
    for form in forms:
        outputs, *got = layer(inputs, initial_state=form)
        harness.assert_same(
            [harness.array(outputs), *map(harness.array, got)], [expected, *finals], 1e-6, type(form).__name__
        )
    sequence = keras.Input((None, harness.FEATURES))
    given = [keras.Input((harness.UNITS,)) for _ in states]
    model = keras.Model([sequence, *given], layer(sequence, initial_state=given))
    got = [harness.array(x) for x in model([inputs, *states])]
    harness.assert_same(got, [expected, *finals], 1e-6, "symbolic")


@every_cell
def test_recurrent_around_the_cell(name):
    """`Recurrent(cell)` is what the named layer is."""
    layer = harness.build(name, return_sequences=True)
    plain = zoo.layers.Recurrent(type(layer.cell)(harness.UNITS), return_sequences=True)
    inputs = float32_inputs()
    plain.build(inputs.shape)
    plain.set_weights(layer.get_weights())
    harness.assert_same(harness.array(plain(inputs)), harness.array(layer(inputs)), 0)
    again = zoo.layers.Recurrent.from_config(plain.get_config())
    assert type(again.cell) is type(layer.cell)
    assert again.get_config() == plain.get_config()


@every_cell
def test_config_round_trip(name):
    layer = harness.layer_class(name)(
        5,
        use_bias=False,
        kernel_initializer="ones",
        dropout=0.25,
        seed=7,
        return_sequences=True,
        return_state=True,
        go_backwards=True,
        loop="plain",
        dtype="mixed_bfloat16",
        name="mine",
    )
    config = layer.get_config()
    again = type(layer).from_config(config)
    assert again.get_config() == config
    for key in ("name", "units", "return_sequences", "return_state", "go_backwards", "stateful", "loop"):
        assert getattr(again, key) == getattr(layer, key)
    assert (again.cell.use_bias, again.cell.dropout, again.cell.seed) == (False, 0.25, 7)
    assert again.dtype_policy.name == again.cell.dtype_policy.name == "mixed_bfloat16"
    revived = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(revived) is type(layer)
    assert revived.get_config() == config


@every_cell
def test_step_is_the_sequence(name):
    """Streaming: one step at a time with `layer.step` equals the layer on the whole."""
    layer = harness.build(name, return_sequences=True, return_state=True)
    inputs = float32_inputs()
    expected, finals = harness.run(layer, inputs)
    states = layer.get_initial_state(harness.BATCH)
    for t in range(harness.TIME):
        output, states = layer.step(inputs[:, t], states)
        harness.assert_same(harness.array(output), expected[:, t], 1e-6)
    harness.assert_same([harness.array(state) for state in states], list(finals), 1e-6)


@every_cell
def test_mask_goes_on_after_sequences(name):
    """A mask reaches the next layer after `return_sequences`, and ends with the last output."""
    ids = np.array([[1, 2, 3, 0, 0], [4, 5, 0, 0, 0], [1, 2, 3, 4, 5]])
    mask, embedding = ids > 0, keras.layers.Embedding(6, harness.FEATURES, mask_zero=True)
    first = harness.build(name, return_sequences=True)
    second = harness.build(name, seed=8, features=harness.UNITS)
    between = first(embedding(ids))
    np.testing.assert_array_equal(harness.array(between._keras_mask), mask)
    got = second(between)
    assert getattr(got, "_keras_mask", None) is None
    hidden, _ = expected_of(name, first, harness.array(embedding(ids)), None, mask)
    expected, _ = expected_of(name, second, hidden, None, mask)
    harness.assert_same(harness.array(got), expected[:, -1], 1e-6)


@every_cell
def test_functional_model_of_unknown_time(name):
    """One stacked model with masks from an embedding runs at every length, on TensorFlow in one graph."""
    ids = keras.Input((None,), dtype="int32")
    embedding = keras.layers.Embedding(6, harness.FEATURES, mask_zero=True)
    first, second = harness.build(name, return_sequences=True), harness.build(name, 8, features=harness.UNITS)
    model = keras.Model(ids, second(first(embedding(ids))))
    assert model.output_shape == (None, harness.UNITS)

    def call(batch):
        return model(batch)

    if harness.BACKEND == "tensorflow":
        import tensorflow as tf

        call = tf.function(model, input_signature=[tf.TensorSpec((None, None), tf.int32)], autograph=False)
    for batch, time in ((3, 7), (2, 4)):
        rows = np.random.default_rng(time).integers(1, 6, size=(batch, time)).astype("int32")
        rows[1, 2:] = 0
        hidden, _ = expected_of(name, first, harness.array(embedding(rows)), None, rows > 0)
        expected, _ = expected_of(name, second, hidden, None, rows > 0)
        harness.assert_same(harness.array(call(ops.convert_to_tensor(rows))), expected[:, -1], 1e-5)


# --- state between batches


@every_cell
def test_stateful_calls(name):
    """Calls go on where the last one ended; `reset_states` begins anew; a given state comes first."""
    whole = harness.build(name, return_sequences=True)
    layer = harness.layer_class(name)(harness.UNITS, return_sequences=True, stateful=True)
    inputs = float32_inputs(time=6)
    layer.build((harness.BATCH, None, harness.FEATURES))
    for ours, theirs in zip(layer.trainable_weights, whole.trainable_weights, strict=True):
        ours.assign(theirs)
    expected = harness.array(whole(inputs))
    for _ in range(2):
        got = [harness.array(layer(inputs[:, part])) for part in (slice(0, 2), slice(2, 3), slice(3, 6))]
        harness.assert_same(np.concatenate(got, axis=1), expected, 1e-6)
        layer.reset_states()
    layer(inputs)
    given = harness.states_for(layer, dtype="float32")
    expected = harness.array(whole(inputs, initial_state=tensors(given)))
    harness.assert_same(harness.array(layer(inputs, initial_state=tensors(given))), expected, 1e-6)


@every_cell
def test_stateful_with_mask(name):
    """A row that has ended keeps its state to the next batch."""
    layer = harness.layer_class(name)(harness.UNITS, return_sequences=True, return_state=True, stateful=True)
    layer.build((harness.BATCH, None, harness.FEATURES))
    harness.randomise(layer)
    first, second = float32_inputs(), float32_inputs(seed=9)
    masks = harness.MASKS["right"], harness.MASKS["empty"]
    harness.run(layer, first, None, masks[0])
    _, got = harness.run(layer, second, None, masks[1])
    whole = np.concatenate([first, second], axis=1)
    _, finals = expected_of(name, layer, whole, None, np.concatenate(masks, axis=1))
    harness.assert_same(got, finals, 1e-6)


@every_cell
def test_stateful_in_fit_and_predict(name):
    """States go from batch to batch in `fit`, from there into `predict`, on JAX too (PITFALLS J3)."""
    layer = harness.layer_class(name)(harness.UNITS, stateful=True)
    tensor = keras.Input(batch_shape=(3, 2, harness.FEATURES))
    model = keras.Sequential([tensor, layer, keras.layers.Dense(1)])
    harness.randomise(layer)
    inputs = float32_inputs(12, 2)
    model.compile(keras.optimizers.SGD(0.0), "mse")
    arguments = {"batch_size": 3, "verbose": 0}
    model.fit(inputs[:6], np.ones((6, 1)), shuffle=False, **arguments)
    got = model.predict(inputs[6:], **arguments)
    chained = inputs.reshape(4, 3, 2, harness.FEATURES).swapaxes(0, 1).reshape(3, 8, harness.FEATURES)
    outputs, finals = expected_of(name, layer, chained)
    kernel, bias = (harness.array(weight.value) for weight in model.layers[-1].weights)
    expected = np.concatenate([outputs[:, 5], outputs[:, 7]]) @ kernel + bias
    harness.assert_same(got, expected, 1e-5, "predict after fit")
    got = harness.array(layer(inputs[:3]))
    expected, _ = expected_of(name, layer, inputs[:3], finals)
    harness.assert_same(got, expected[:, -1], 1e-5, "call after predict")
    layer.reset_states()
    expected, _ = expected_of(name, layer, inputs[:3])
    harness.assert_same(harness.array(layer(inputs[:3])), expected[:, -1], 1e-5, "after reset_states")


@every_cell
def test_stateful_layer_trains(name):
    """PITFALLS P2: on PyTorch Keras's stateful LSTM and GRU cannot be trained."""
    layer = harness.layer_class(name)(harness.UNITS, stateful=True)
    tensor = keras.Input(batch_shape=(3, 4, harness.FEATURES))
    model = keras.Sequential([tensor, layer, keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.05), "mse")
    inputs = float32_inputs(6, 4)
    losses = model.fit(inputs, inputs[:, 0, :1], batch_size=3, epochs=8, shuffle=False, verbose=0)
    assert losses.history["loss"][-1] < losses.history["loss"][0]


@every_cell
def test_stateful_without_batch_size(name):
    with pytest.raises(UserError, match="batch"):
        harness.layer_class(name)(3, stateful=True)(keras.Input((None, 2)))


@every_cell
def test_stateful_with_another_batch_size(name):
    layer = harness.layer_class(name)(3, stateful=True)
    layer(float32_inputs(3))
    with pytest.raises(UserError, match="batch"):
        layer(float32_inputs(2))


# --- wrappers


@pytest.mark.parametrize("mask", harness.MASKS)
@every_cell
def test_bidirectional(name, mask):
    """Forward and backward outputs of the reference, side by side, with one meaning of the mask."""
    layer = keras.layers.Bidirectional(harness.layer_class(name)(harness.UNITS, return_sequences=True))
    last = keras.layers.Bidirectional(harness.layer_class(name)(harness.UNITS))
    inputs, mask = float32_inputs(), harness.MASKS[mask]
    for each in (layer, last):
        each.build(inputs.shape)
        harness.randomise(each)
    tensor = None if mask is None else ops.convert_to_tensor(mask)
    forward, _ = expected_of(name, layer.forward_layer, inputs, None, mask)
    backward, _ = expected_of(name, layer.backward_layer, inputs, None, mask, go_backwards=True)
    expected = np.concatenate([forward, backward[:, ::-1]], axis=-1)
    harness.assert_same(harness.array(layer(inputs, mask=tensor)), expected, 1e-5)
    expected = np.concatenate([forward[:, -1], backward[:, -1]], axis=-1)
    harness.assert_same(harness.array(last(inputs, mask=tensor)), expected, 1e-5)


@every_cell
def test_bidirectional_with_states(name):
    layer = keras.layers.Bidirectional(
        harness.layer_class(name)(harness.UNITS, return_sequences=True, return_state=True), merge_mode="sum"
    )
    inputs = float32_inputs()
    layer.build(inputs.shape)
    harness.randomise(layer)
    count = len(layer.forward_layer.cell.states)
    generator = np.random.default_rng(4)
    states = [generator.normal(size=(3, harness.UNITS)).astype("float32") for _ in range(2 * count)]
    outputs, *finals = layer(inputs, initial_state=tensors(states))
    forward, ends = expected_of(name, layer.forward_layer, inputs, tuple(states[:count]))
    backward, starts = expected_of(name, layer.backward_layer, inputs, tuple(states[count:]), None, True)
    harness.assert_same(harness.array(outputs), forward + backward[:, ::-1], 1e-5)
    harness.assert_same([harness.array(state) for state in finals], [*ends, *starts], 1e-5)


@every_cell
def test_bidirectional_keeps_the_settings(name):
    """A layer is rebuilt from its config inside the wrapper: nothing may be lost on the way."""
    layer = harness.layer_class(name)(3, loop="plain", dropout=0.5, return_sequences=True, seed=3)
    wrapped = keras.layers.Bidirectional(layer)
    for side in (wrapped.forward_layer, wrapped.backward_layer):
        assert type(side) is type(layer)
        assert (side.loop, side.cell.dropout, side.return_sequences) == ("plain", 0.5, True)
    assert wrapped.backward_layer.go_backwards
    again = keras.layers.Bidirectional.from_config(wrapped.get_config())
    assert again.get_config() == wrapped.get_config()


@every_cell
def test_time_distributed(name):
    layer = harness.build(name)
    inputs = np.random.default_rng(1).normal(size=(2, 4, 5, harness.FEATURES)).astype("float32")
    got = harness.array(keras.layers.TimeDistributed(layer)(inputs))
    expected = [expected_of(name, layer, inputs[:, k])[0][:, -1] for k in range(4)]
    harness.assert_same(got, np.stack(expected, axis=1), 1e-6)


# --- dropout


RATE = 0.4
ROWS = 64
KEPT = np.array(list(itertools.product([0, 1], repeat=2)))  # of two columns


def find_masks(name, layer, role, outputs, inputs):
    """Which of the four dropout masks each row's outputs come from: an index for each row.

    All rows are the same sequence, so a row can differ from another by its mask alone. That every row
    equals one of the four at all its steps is what says that a sequence has one mask.
    """
    weights = {key: value.astype("float64") for key, value in harness.weights_of(layer).items()}
    scaled = KEPT / (1 - RATE)
    candidates = [
        REFERENCES[name](inputs[:1] * kept, weights)[0]
        if role == "dropout"
        else REFERENCES[name](
            inputs[:1], weights | {"recurrent_kernel": weights["recurrent_kernel"] * kept[:, None]}
        )[0]
        for kept in scaled
    ]
    distances = np.abs(outputs[:, None] - np.stack(candidates, axis=1)).max(axis=(2, 3))
    assert distances.min(axis=1).max() < 1e-5, "a row is not the result of one mask at all its steps"
    return distances.argmin(axis=1)


@pytest.mark.parametrize("role", ["dropout", "recurrent_dropout"])
@every_cell
def test_one_mask_a_sequence(name, role):
    """One mask a sequence, another in each row and call, of the right scale and share, off at inference."""
    if role == "recurrent_dropout" and name in NO_RECURRENT_DROPOUT:
        with pytest.raises(UserError, match=role):
            harness.layer_class(name)(2, recurrent_dropout=RATE)
        return
    inputs = np.repeat(float32_inputs(1), ROWS, axis=0)
    keras.utils.set_random_seed(1)  # chance would miss the share by a tenth now and then
    for loop in harness.loops_of(name):
        if loop == "fused" and role == "recurrent_dropout":
            continue  # PyTorch's kernels do not have it
        layer = harness.build(
            name, units=2, return_sequences=True, seed=5, scale=1.0, loop=loop, **{role: RATE}
        )
        calls = [harness.array(layer(inputs, training=True)) for _ in range(2)]
        found = [find_masks(name, layer, role, outputs, inputs) for outputs in calls]
        assert set(found[0]) == {0, 1, 2, 3}
        assert (found[0] != found[1]).any()
        share = KEPT[np.concatenate(found)].mean()
        assert abs(share - (1 - RATE)) < 0.1
        expected, _ = expected_of(name, layer, inputs)
        for arguments in ({}, {"training": False}):
            harness.assert_same(harness.array(layer(inputs, **arguments)), expected, 1e-5)


@every_cell
def test_seed_repeats_the_masks(name):
    inputs, found = float32_inputs(8), []
    for seed in (5, 5, 6):
        layer = harness.layer_class(name)(harness.UNITS, dropout=0.5, seed=seed)
        layer.build(inputs.shape)
        harness.randomise(layer)
        found.append(harness.array(layer(inputs, training=True)))
    harness.assert_same(found[0], found[1], 0)
    assert np.abs(found[0] - found[2]).max() > 1e-3


@every_cell
def test_dropout_in_training(name):
    """In a compiled training step the masks are fresh, the loss falls, and padding stays hidden."""
    drop = {"dropout": 0.3} | ({} if name in NO_RECURRENT_DROPOUT else {"recurrent_dropout": 0.3})
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(8, 6, mask_zero=True),
            keras.layers.Bidirectional(harness.layer_class(name)(6, return_sequences=True, **drop)),
            harness.layer_class(name)(6, **drop),
            keras.layers.Dense(1),
        ]
    )
    ids = np.random.default_rng(3).integers(1, 8, size=(16, 5)).astype("int32")
    ids[:8, 3:] = 0
    targets = (ids[:, :1] > 4).astype("float32")
    optimizer = keras.optimizers.Adam(0.0)
    model.compile(optimizer, "mse")
    still = [float(model.train_on_batch(ids, targets)) for _ in range(3)]
    assert len(set(still)) == 3, "the masks are not fresh in every call"
    before = model.predict(ids, verbose=0)
    harness.assert_same(model.predict(ids, verbose=0), before, 0)
    optimizer.learning_rate = 0.05
    for _ in range(60):
        model.train_on_batch(ids, targets)
    after = model.predict(ids, verbose=0)
    assert ((after - targets) ** 2).mean() < 0.7 * ((before - targets) ** 2).mean()


# --- precision


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16", "bfloat16", "float16"])
@every_cell
def test_low_precision(name, dtype):
    """Both policies and both plain types build (PITFALLS A6), come near the reference, and have gradients."""
    compute = dtype.removeprefix("mixed_")
    for loop in ["auto", *harness.loops_of(name, dtype)]:
        layer = harness.layer_class(name)(
            harness.UNITS, dtype=dtype, loop=loop, return_sequences=True, return_state=True
        )
        inputs, mask = float32_inputs(), harness.MASKS["holes"]
        outputs, *finals = layer(inputs, mask=ops.convert_to_tensor(mask))
        stored = "float32" if dtype.startswith("mixed") else dtype
        assert {keras.backend.standardize_dtype(v.dtype) for v in layer.trainable_weights} == {stored}
        for tensor in (outputs, *finals):
            assert keras.backend.standardize_dtype(tensor.dtype) == compute
        expected, ends = expected_of(name, layer, inputs, None, mask)
        got = [harness.array(x).astype("float64") for x in (outputs, *finals)]
        harness.assert_same(got, [expected, *ends], 0.03)
        cotangents = harness.cotangents_for(layer)
        gradients = harness.gradients(layer, inputs, None, mask, cotangents)
        reference = harness.build(name, loop="plain", return_sequences=True, return_state=True)
        for ours, theirs in zip(reference.trainable_weights, layer.trainable_weights, strict=True):
            ours.assign(ops.cast(theirs.value, "float32"))
        exact = harness.gradients(reference, inputs, None, mask, cotangents)
        for key, gradient in exact.items():
            error = np.abs(gradients[key].astype("float64") - gradient).max()
            assert error < 0.25 * np.abs(gradient).max(), key


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_with_dropout_and_state(policy):
    """The masks of dropout and the carried states have the type that is computed in."""
    for name in harness.NAMES:
        layer = harness.layer_class(name)(3, dtype=policy, dropout=0.5, stateful=True, return_sequences=True)
        for _ in range(2):
            outputs = layer(float32_inputs(), training=True)
        assert keras.backend.standardize_dtype(outputs.dtype) == policy.removeprefix("mixed_")
        assert np.isfinite(harness.array(outputs).astype("float32")).all()


# --- saving


LOAD = """
import sys, keras, numpy as np
import zoo.layers
inputs = np.load(sys.argv[2])
model = keras.saving.load_model(sys.argv[1])
np.savez(sys.argv[3], **{key: keras.ops.convert_to_numpy(value) for key, value in model(inputs).items()})
"""


@pytest.fixture(scope="module")
def every_layer_in_one(tmp_path_factory):
    """A model of all layers, each alone and in Bidirectional: its inputs, outputs, and file."""
    folder = tmp_path_factory.mktemp("saved")
    inputs = float32_inputs()
    tensor = keras.Input((None, harness.FEATURES))
    masked = keras.layers.Masking(99.0)(tensor)
    inputs[1, 3:] = 99.0
    outputs = {}
    for name in harness.NAMES:
        outputs[name] = harness.layer_class(name)(harness.UNITS)(masked)
        outputs[name + "_both_ways"] = keras.layers.Bidirectional(
            harness.layer_class(name)(harness.UNITS, return_sequences=True, dropout=0.1)
        )(masked)
        recurrent = zoo.layers.Recurrent(zoo.cells.CATALOGUE[name](harness.UNITS), return_sequences=True)
        outputs[name + "_cell"] = recurrent(masked)
    model = keras.Model(tensor, outputs)
    harness.randomise(model)
    file = folder / "model.keras"
    model.save(file)
    results = {key: harness.array(value) for key, value in model(inputs).items()}
    return model, inputs, results, file


@pytest.fixture(scope="module")
def loaded_elsewhere(every_layer_in_one):
    """What a fresh process that imports `zoo.layers` gets from the file."""
    _, inputs, _, file = every_layer_in_one
    np.save(file.with_name("inputs.npy"), inputs)
    names = [str(file), str(file.with_name("inputs.npy")), str(file.with_name("outputs.npz"))]
    environment = {**os.environ, "KERAS_BACKEND": harness.BACKEND, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *names], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(names[2]) as outputs:
        return dict(outputs)


@every_cell
def test_keras_file_in_a_fresh_process(name, every_layer_in_one, loaded_elsewhere):
    _, _, expected, _ = every_layer_in_one
    for key in (name, name + "_both_ways", name + "_cell"):
        harness.assert_same(loaded_elsewhere[key], expected[key], 1e-6)


@every_cell
def test_weights_file(name, tmp_path):
    layer, other = harness.build(name), harness.build(name, seed=9)
    models = [keras.Sequential([keras.Input((None, harness.FEATURES)), each]) for each in (layer, other)]
    models[0].save_weights(tmp_path / "a.weights.h5")
    models[1].load_weights(tmp_path / "a.weights.h5")
    for one, two in zip(layer.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.fixture(scope="module")
def exported(every_layer_in_one):
    """The same model as a SavedModel of TensorFlow, and what it answers at another length."""
    import tensorflow as tf

    model, _, _, file = every_layer_in_one
    folder = file.with_name("exported")
    model.export(folder, format="tf_saved_model", verbose=False)
    inputs = float32_inputs(2, 7, seed=11)
    inputs[0, 5:] = 99.0
    loaded = tf.saved_model.load(str(folder))  # its variables live as long as it does
    answer = loaded.serve(inputs)
    return {key: value.numpy() for key, value in answer.items()}, model(inputs)


@pytest.mark.backend("tensorflow")
@every_cell
def test_saved_model(name, exported):
    got, expected = exported
    for key in (name, name + "_both_ways", name + "_cell"):
        harness.assert_same(got[key], harness.array(expected[key]), 1e-6)


# --- errors


@every_cell
@pytest.mark.parametrize("units", [0, -1, 2.5, "a"])
def test_wrong_units(name, units):
    with pytest.raises(UserError, match=f"units.*{units!r}"):
        harness.layer_class(name)(units)


@every_cell
def test_wrong_activation(name):
    with pytest.raises(UserError, match="activation 'tahn'"):
        harness.layer_class(name)(3, activation="tahn")


@every_cell
def test_unknown_argument(name):
    with pytest.raises((TypeError, ValueError), match="return_sequence"):
        harness.layer_class(name)(3, return_sequence=True)


@every_cell
def test_wrong_initial_state(name):
    layer = harness.build(name)
    count = len(layer.cell.states)
    with pytest.raises(UserError, match=f"initial_state must hold {count}"):
        layer(float32_inputs(), initial_state=[np.zeros((3, 3), "float32")] * (count + 1))
    with pytest.raises(UserError, match=r"initial state h.*\(3, 4\)"):
        layer(float32_inputs(), initial_state=[np.zeros((3, 4), "float32")] * count)
    with pytest.raises(UserError, match=r"initial_state|states"):
        layer.step(float32_inputs()[:, 0], [np.zeros((3, 3), "float32")] * (count + 1))


@every_cell
@pytest.mark.parametrize("shape", [(3, 6), (4, 5), (3,), (3, 5, 1)])
def test_wrong_mask(name, shape):
    with pytest.raises(UserError, match="mask must be"):
        harness.build(name)(float32_inputs(), mask=ops.ones(shape, "bool"))


@every_cell
@pytest.mark.parametrize("shape", [(3, 2), (3,)])
def test_inputs_of_wrong_rank(name, shape):
    with pytest.raises(UserError, match="batch, time, inputs"):
        harness.layer_class(name)(3)(np.ones(shape, "float32"))


def test_recurrent_around_something_else():
    for cell in (None, "lstm", keras.layers.LSTMCell(3)):
        with pytest.raises(UserError, match="cell must be"):
            zoo.layers.Recurrent(cell)
