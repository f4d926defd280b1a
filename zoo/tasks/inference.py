"""A network's answers without Keras's `predict`: a call of our own, kept and compiled once for each shape."""

from collections.abc import Callable, Sequence
from functools import cached_property

import keras
import numpy as np

from zoo.loops import memory
from zoo.models import RecurrentClassifier
from zoo.tasks.batches import pad
from zoo.tasks.chunks import CHUNK, ChunkedCaller
from zoo.tasks.compiling import compiled

_SHORT = 32  # steps, with padding, of one short sequence where every shape is compiled
_LONG = 128  # steps from which on the compiled loop is the faster one (on 2 cores, 256 units)
_FEW = 16  # and of the shortest of many
_MUCH = 100_000  # steps of all sequences together after which memory that is not in use is given back


class Caller:
    """Calls a network, outside of training, without the overhead of `predict`; threads may share it.

    TensorFlow traces one graph for all shapes, PyTorch compiles nothing. JAX compiles for each shape, so it
    gets few: powers of two of sequences, and a time that is a power of two for one sequence (32 at least), or
    that has four widths for each doubling (16 at least) for many. Up to 512 steps these are 5 shapes for one
    sequence, and 21 for full batches. What is added is padding, which is masked and changes no answer.

    A `RecurrentClassifier` takes sequences of more than `CHUNK` steps in chunks: however long they are, memory is
    bounded. Another network computes them at once.

    Weights that `fit` or `set_weights` changes later count from the next call on.

    Args:
        network: maps padded sequences (batch, time, ...) to one tensor (batch, ...); 0 is padding, and masked.
    """

    def __init__(self, network: keras.Model):
        self.network = network
        # `network.call`: what Keras does around it, it does for every layer
        self._call, self._long = (
            compiled(network, lambda ids: network.call(ids, training=False), network.inputs[0], long=long)
            for long in (False, True)
        )
        self._few_shapes = keras.backend.backend() == "jax"

    def warm(self) -> None:
        """Compile what a short sequence needs."""
        tensor = self.network.inputs[0]
        self([np.ones((1, *tensor.shape[2:]), tensor.dtype)])

    def __call__(self, sequences: Sequence[np.ndarray]) -> np.ndarray:
        """Return the outputs (count, ...) for a few sequences (time, ...) at once."""
        count = len(sequences)
        if not self._few_shapes:
            padded = pad(sequences)
            return keras.ops.convert_to_numpy(self._which(padded)(padded))
        one = count == 1
        padded = pad(sequences, 1 if one else 4, _SHORT if one else _FEW)
        full = np.zeros((1 << (count - 1).bit_length(), *padded.shape[1:]), padded.dtype)
        full[:count] = padded
        return np.asarray(self._which(full)(full))[:count]

    def _which(self, padded):
        """Return what computes these sequences faster."""
        return self._long if padded.shape[1] >= _LONG else self._call

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
        outputs, done = None, 0
        for rows, call in self._batches([len(sequence) for sequence in sequences], batch_size):
            answer = call([sequences[row] for row in rows])
            if outputs is None:
                outputs = np.empty((len(sequences), *answer.shape[1:]), answer.dtype)
            outputs[rows] = answer
            done += len(rows)
            if progress:
                progress(done)
        if sum(map(len, sequences)) >= _MUCH:
            memory.give_back()
        return outputs

    def _batches(self, lengths, batch_size):
        """Yield the rows of each batch, the longest sequences first, and what to call with them."""
        order = np.argsort([-length for length in lengths], kind="stable")
        longer = sum(length > CHUNK for length in lengths) * isinstance(self.network, RecurrentClassifier)
        first = 0
        while first < len(order):
            call, count = self, batch_size
            if first < longer:
                call = self._chunked
                count = min(call.batch(lengths[order[first]], batch_size), longer - first)
            yield order[first : first + count], call
            first += count

    @cached_property
    def _chunked(self):
        return ChunkedCaller(self.network, self._few_shapes)
