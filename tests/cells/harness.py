"""What the tests of cells, loops and layers share: the one list, data, and the way to values and gradients.

Everything goes in and comes out as NumPy arrays, whatever the backend is. `double` must be around all work in
float64: JAX has none before it is switched on.
"""

import contextlib

import keras
import numpy as np

import zoo.cells
import zoo.layers
import zoo.loops
from tests.cells.references import REFERENCES

BACKEND = keras.backend.backend()
BATCH, TIME, FEATURES, UNITS = 3, 5, 2, 3

NAMES = sorted(zoo.cells.CATALOGUE)

# The masks that every masked check goes through, each (BATCH, TIME); "empty" has rows without a real step.
MASKS = {
    "unmasked": None,
    "right": [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 0, 0, 0, 0]],
    "left": [[1, 1, 1, 1, 1], [0, 0, 1, 1, 1], [0, 0, 0, 0, 1]],
    "holes": [[1, 0, 1, 0, 1], [0, 1, 0, 0, 1], [1, 0, 0, 1, 0]],
    "empty": [[0, 0, 0, 0, 0], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0]],
}
MASKS = {name: None if mask is None else np.array(mask, bool) for name, mask in MASKS.items()}


@contextlib.contextmanager
def double():
    """The context in which float64 exists. JAX compiles nothing there: that takes longer than it saves."""
    if BACKEND != "jax":
        yield
        return
    import jax

    with jax.enable_x64(True), jax.disable_jit():
        yield


def layer_class(name):
    """The named layer of a cell: `PeepholeLSTMCell` -> `zoo.layers.PeepholeLSTM`."""
    return getattr(zoo.layers, zoo.cells.CATALOGUE[name].__name__.removesuffix("Cell"))


def loops_of(name, dtype="float32"):
    """The names of the loops that a cell can use here."""
    cell = zoo.cells.CATALOGUE[name](UNITS, dtype=dtype)
    cell.build((None, FEATURES))
    return zoo.loops.names_for(cell)


NAMES_AND_LOOPS = [(name, loop) for name in NAMES for loop in loops_of(name)]
NAMES_AND_FAST_LOOPS = [(name, loop) for name, loop in NAMES_AND_LOOPS if loop != "plain"]


def build(name, seed=0, features=FEATURES, units=UNITS, scale=0.7, **arguments):
    """A named layer with random weights (zeros in a fresh bias would hide faults)."""
    layer = layer_class(name)(units, **arguments)
    layer.build((None, None, features))
    randomise(layer, seed, scale)
    return layer


def randomise(layer, seed=0, scale=0.7):
    generator = np.random.default_rng(seed)
    for variable in layer.trainable_weights:
        variable.assign(generator.normal(size=variable.shape, scale=scale))


def weights_of(layer):
    """Dictionary name -> array of the cell's weights."""
    return {variable.name: array(variable.value) for variable in layer.trainable_weights}


def inputs_for(batch=BATCH, time=TIME, features=FEATURES, seed=1, dtype="float64"):
    return np.random.default_rng(seed).normal(size=(batch, time, features)).astype(dtype)


def states_for(layer, batch=BATCH, seed=2, dtype="float64"):
    generator = np.random.default_rng(seed)
    return tuple(generator.normal(size=(batch, layer.units)).astype(dtype) for _ in layer.cell.states)


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def run(layer, inputs, states=None, mask=None, **arguments):
    """Outputs and tuple of final states of a layer that returns sequences and states."""
    outputs, *finals = layer(
        keras.ops.convert_to_tensor(inputs),
        initial_state=None if states is None else [keras.ops.convert_to_tensor(state) for state in states],
        mask=None if mask is None else keras.ops.convert_to_tensor(mask),
        **arguments,
    )
    return array(outputs), tuple(array(state) for state in finals)


def cotangents_for(layer, batch=BATCH, time=TIME, seed=3):
    """Random weights of the outputs and final states: their weighted sum is what is differentiated."""
    generator = np.random.default_rng(seed)
    finals = tuple(generator.normal(size=(batch, layer.units)) for _ in layer.cell.states)
    return (generator.normal(size=(batch, time, layer.units)), *finals)


def gradients(layer, inputs, states, mask, cotangents, compiled=False):
    """Gradients of the weighted sum with respect to the inputs, the initial states and every weight.

    Args:
        compiled: go through `tf.function` or `jax.jit` (no meaning on PyTorch).

    Returns:
        dictionary ``inputs``, ``state_0``, ..., and the weights by name -> array.
    """
    states = () if states is None else states
    names = ["inputs", *(f"state_{k}" for k in range(len(states))), *weights_of(layer)]
    mask = None if mask is None else keras.ops.convert_to_tensor(mask)

    def functional(inputs, *states):
        results = layer(inputs, initial_state=list(states) or None, mask=mask)
        weighted = (
            result * keras.ops.convert_to_tensor(weight, dtype=result.dtype)
            for result, weight in zip(results, cotangents, strict=True)
        )
        return sum(keras.ops.sum(part) for part in weighted)

    found = _gradients(functional, layer, (inputs, *states), compiled)
    return {name: array(gradient) for name, gradient in zip(names, found, strict=True)}


def _gradients(functional, layer, values, compiled):
    if BACKEND == "torch":
        import torch

        values = [torch.tensor(value, requires_grad=True) for value in values]
        variables = [variable.value for variable in layer.trainable_weights]
        found = torch.autograd.grad(functional(*values), [*values, *variables], allow_unused=True)
        return [
            torch.zeros_like(value) if gradient is None else gradient
            for gradient, value in zip(found, [*values, *variables], strict=True)
        ]
    if BACKEND == "jax":
        import jax

        def pure(values, weights):
            mapping = list(zip(layer.trainable_variables, weights, strict=True))
            with keras.StatelessScope(mapping):
                return functional(*values)

        gradient = jax.grad(pure, argnums=(0, 1))
        weights = [variable.value for variable in layer.trainable_variables]
        values = [jax.numpy.asarray(value) for value in values]
        if compiled:
            with jax.disable_jit(False):
                of_values, of_weights = jax.jit(gradient)(values, weights)
        else:
            of_values, of_weights = gradient(values, weights)
        return [*of_values, *of_weights]
    import tensorflow as tf

    def differentiate(*values):
        with tf.GradientTape() as tape:
            tape.watch(values)
            value = functional(*values)
        variables = [variable.value for variable in layer.trainable_weights]
        return tape.gradient(value, [*values, *variables], unconnected_gradients=tf.UnconnectedGradients.ZERO)

    values = [tf.constant(value) for value in values]
    return (tf.function(differentiate, autograph=False) if compiled else differentiate)(*values)


def assert_same(got, expected, tolerance, what=""):
    """Every array of two tuples (or one array each) equal to a tolerance, absolute and relative."""
    got, expected = (x if isinstance(x, (tuple, list)) else (x,) for x in (got, expected))
    assert len(got) == len(expected), f"{what}: {len(got)} results, expected {len(expected)}"
    for k, (one, other) in enumerate(zip(got, expected, strict=True)):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance, err_msg=f"{what} result {k}")


def reference(name, inputs, weights, states=None, mask=None, go_backwards=False):
    """The reference of a cell; backwards as in Keras: time reversed, outputs in the order of processing."""
    if go_backwards:
        inputs, mask = inputs[:, ::-1], None if mask is None else mask[:, ::-1]
    return REFERENCES[name](inputs, weights, states, mask)
