"""Answers for long sequences in chunks: the same ones, and no tensor grows with the length."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from zoo.models import RecurrentClassifier
from zoo.models.chunked import logits, no_summaries, walks
from zoo.tasks.batches import pad
from zoo.tasks.compiling import compiled

CHUNK = 512
"""Steps of a chunk; what is not longer is computed at once."""
_IDS = 2**20  # of a batch, counted as if all were as long as the longest


class ChunkedCaller:
    """Calls a classifier on sequences of any lengths, several at a time; threads may share it.

    What grows with the length lies in NumPy's arrays, on the host: the ids, and for each chunk the states of every
    direction at its borders. Short sequences end before long ones, and cost nothing from there on.

    Args:
        network: the classifier.
        few_shapes: compile for whole chunks and powers of two of sequences alone.
        chunk: steps of a chunk.
    """

    def __init__(self, network: RecurrentClassifier, few_shapes: bool, chunk: int = CHUNK):
        layers = [layer for level in network.parts["stack"].layers for layer in level]
        self._few_shapes, self._chunk = few_shapes, chunk
        self._first = {layer.name: _arrays(layer.get_initial_state(1)) for layer in layers}
        self._side = {layer.name: int(layer.go_backwards) for layer in layers}  # where in a chunk it begins
        self._summaries = _arrays(compiled(network, lambda: no_summaries(network))())
        ids = keras.KerasTensor((None, None), "int32")
        self._walks = []
        for walk in walks(network):
            states = {name: self._first[name] for name in walk.directions}
            summaries = self._summaries if walk.pools else {}
            call = compiled(network, walk.step, ids, _any_batch(states), _any_batch(summaries), long=True)
            self._walks.append((walk, call))
        self._before = self._walks[0][0].before
        self._logits = compiled(network, lambda last: logits(network, last), _any_batch(self._summaries))

    def batch(self, longest: int, most: int) -> int:
        """Return how many sequences to call at a time, at most `most`, if the longest has so many steps."""
        return max(1, min(most, _IDS // longest))

    def __call__(self, sequences: Sequence[np.ndarray]) -> np.ndarray:
        """Return the logits (count, classes) of sequences of ids (time,)."""
        order = np.argsort([-len(sequence) for sequence in sequences], kind="stable")
        chunks = range(-(-len(sequences[order[0]]) // self._chunk))
        sequences = [np.pad(sequences[row], (self._before, 0)) for row in order]
        borders = {  # (border, sequence, ...): chunk 0 lies between the borders 0 and 1
            name: [np.repeat(_rows(state, len(order))[None], len(chunks) + 1, axis=0) for state in states]
            for name, states in self._first.items()
        }
        summaries = _map(lambda one: _rows(one, len(order)), self._summaries)
        for walk, call in self._walks:
            for number in reversed(chunks) if walk.backwards else chunks:
                self._step(walk, call, sequences, number, borders, summaries)
        answers = _arrays(self._logits(self._full(summaries)))
        unsorted = np.empty((len(order), *answers.shape[1:]), answers.dtype)
        unsorted[order] = answers[: len(order)]
        return unsorted

    def _step(self, walk, call, sequences, number, borders, summaries):
        """Let a walk take in a chunk; what comes of it is written into `borders` and `summaries`."""
        width = self._before + self._chunk
        parts = [sequence[number * self._chunk :][:width] for sequence in sequences]
        parts = [part for part in parts if len(part) > self._before]  # of the sequences that come so far
        ids = pad(parts, least=width if self._few_shapes else 1)
        count = len(ids)
        states = {
            name: [border[number + self._side[name], :count] for border in borders[name]]
            for name in walk.directions
        }
        pooled = _map(lambda one: one[:count], summaries if walk.pools else {})
        states, pooled = _arrays(call(*self._full((ids, states, pooled))))
        for name, last in states.items():
            for border, state in zip(borders[name], last, strict=True):
                border[number + 1 - self._side[name], :count] = state[:count]
        for kept, new in zip(keras.tree.flatten(summaries), keras.tree.flatten(pooled), strict=walk.pools):
            kept[:count] = new[:count]

    def _full(self, arrays):
        """Return arrays (count, ...) with rows of zeros behind, where few shapes are compiled."""
        if not self._few_shapes:
            return arrays
        count = len(keras.tree.flatten(arrays)[0])
        more = (1 << (count - 1).bit_length()) - count
        return _map(lambda one: np.pad(one, [(0, more), *[(0, 0)] * (one.ndim - 1)]), arrays)


_map = keras.tree.map_structure


def _arrays(tensors: Any) -> Any:
    """Return tensors, nested, as NumPy's arrays."""
    return _map(keras.ops.convert_to_numpy, tensors)


def _rows(array: np.ndarray, count: int) -> np.ndarray:
    """Return (1, ...) as (count, ...)."""
    return np.repeat(array, count, axis=0)


def _any_batch(arrays: Any) -> Any:
    """Return what `compiled` must know of arrays (batch, ...), nested, of which the batch differs."""
    return _map(lambda one: keras.KerasTensor((None, *one.shape[1:]), one.dtype.name), arrays)
