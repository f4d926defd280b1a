"""Functions of tensors that use a network's weights, as functions of arrays: compiled where the backend compiles."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import keras

from zoo.loops import private


def compiled(network: keras.Model, function: Callable, *inputs: Any, long: bool = False) -> Callable:
    """Return `function` of tensors as a function of arrays that is compiled where the backend compiles.

    Args:
        network: the one whose weights the function uses; those of now count, whenever it is called.
        function: from tensors to tensors; both may be nested. It draws nothing and remembers nothing, and no
            branch or loop of Python in it depends on what a tensor holds.
        long: whether it is for long sequences, for which leaving the framework pays: see `zoo.loops.private`.
        inputs: a `KerasTensor` for each tensor of the arguments; the axes that differ between calls are None.
    """

    def traced(*tensors):
        with private() if long else nullcontext():
            return function(*tensors)

    return _COMPILED[keras.backend.backend()](network, traced, inputs)


def _tensorflow(network, function, inputs):
    import tensorflow as tf

    signature = keras.tree.map_structure(lambda tensor: tf.TensorSpec(tensor.shape, tensor.dtype), inputs)
    return tf.function(function, input_signature=signature, autograph=False)


def _jax(network, function, inputs):
    import jax

    variables = network.weights

    @jax.jit
    def pure(values, *arrays):
        with keras.StatelessScope(zip(variables, values, strict=True), initialize_variables=False):
            return function(*arrays)

    def call(*arrays):
        network.jax_state_sync()  # within `fit`, Keras keeps the weights elsewhere
        return pure([variable.value for variable in variables], *arrays)

    return call


def _torch(network, function, inputs):
    import torch

    @torch.no_grad()
    def call(*arrays):
        return function(*keras.tree.map_structure(keras.ops.convert_to_tensor, arrays))

    return call


_COMPILED = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
