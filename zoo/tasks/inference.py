"""A network's answers without Keras's `predict`: a call of our own, kept and compiled once for each shape."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from zoo.tasks.batches import pad

_SHORT = 32  # steps, with padding, of one short sequence where every shape is compiled
_FEW = 16  # and of the shortest of many


class Caller:
    """Calls a network, outside of training, without the overhead of `predict`; threads may share it.

    TensorFlow traces one graph for all shapes, PyTorch compiles nothing. JAX compiles for each shape, so it
    gets few: powers of two of sequences, and a time that is a power of two for one sequence (32 at least), or
    that has four widths for each doubling (16 at least) for many. Up to 512 steps these are 5 shapes for one
    sequence, and 21 for full batches. What is added is padding, which is masked and changes no answer.

    Weights that `fit` or `set_weights` changes later count from the next call on.

    Args:
        network: maps padded sequences (batch, time, ...) to one tensor (batch, ...); 0 is padding, and masked.
    """

    def __init__(self, network: keras.Model):
        backend = keras.backend.backend()
        self.network = network
        self._call = _CALLS[backend](network)
        self._few_shapes = backend == "jax"

    def warm(self) -> None:
        """Compile what a short sequence needs."""
        tensor = self.network.inputs[0]
        self([np.ones((1, *tensor.shape[2:]), tensor.dtype)])

    def __call__(self, sequences: Sequence[np.ndarray]) -> np.ndarray:
        """Return the outputs (count, ...) for a few sequences (time, ...) at once."""
        count = len(sequences)
        if not self._few_shapes:
            return keras.ops.convert_to_numpy(self._call(pad(sequences)))
        one = count == 1
        padded = pad(sequences, 1 if one else 4, _SHORT if one else _FEW)
        full = np.zeros((1 << (count - 1).bit_length(), *padded.shape[1:]), padded.dtype)
        full[:count] = padded
        return np.asarray(self._call(full))[:count]

    def run(
        self,
        sequences: Sequence[np.ndarray],
        batch_size: int = 64,
        progress: Callable[[int], None] | None = None,
    ) -> np.ndarray:
        """Return the outputs (count, ...) for sequences (time, ...), in their order.

        Args:
            sequences: at least one, of any lengths.
            batch_size: sequences at a time: those of about the same length together.
            progress: called after every batch with the number of sequences that are done.
        """
        order = np.argsort([-len(sequence) for sequence in sequences], kind="stable")
        outputs, done = None, 0
        for rows in np.split(order, range(batch_size, len(order), batch_size)):
            answer = self([sequences[row] for row in rows])
            if outputs is None:
                outputs = np.empty((len(order), *answer.shape[1:]), answer.dtype)
            outputs[rows] = answer
            done += len(rows)
            if progress:
                progress(done)
        return outputs


def _tensorflow(network: keras.Model) -> Callable[[np.ndarray], Any]:
    import tensorflow as tf

    tensor = network.inputs[0]
    signature = [tf.TensorSpec((None, None, *tensor.shape[2:]), tensor.dtype)]
    return tf.function(lambda inputs: network(inputs, training=False), input_signature=signature)


def _jax(network: keras.Model) -> Callable[[np.ndarray], Any]:
    import jax

    @jax.jit
    def compiled(trainable, other, inputs):
        return network.stateless_call(trainable, other, inputs, training=False)[0]

    def call(inputs):
        network.jax_state_sync()  # within `fit`, Keras keeps the weights elsewhere
        variables = network.trainable_variables, network.non_trainable_variables
        return compiled(*([variable.value for variable in each] for each in variables), inputs)

    return call


def _torch(network: keras.Model) -> Callable[[np.ndarray], Any]:
    import torch

    @torch.no_grad()
    def call(inputs):  # `network.call`: what Keras does around it, it does for every layer
        return network.call(keras.ops.convert_to_tensor(inputs), training=False)

    return call


_CALLS = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
