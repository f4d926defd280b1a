"""Searches for translations of many sentences: compiled once for each kind, in batches of about one length."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from zoo import decoding
from zoo.loops import memory
from zoo.models import RecurrentSequenceToSequence
from zoo.tasks.batches import pad
from zoo.tasks.compiling import compiled

_MUCH = 100_000  # ids of all sentences together after which memory that is not in use is given back


@dataclass(frozen=True)
class Search:
    """How the best translation is looked for.

    Attributes:
        beam: hypotheses that are followed at a time; 1: greedily.
        length_penalty: 0 prefers short translations, 1 and more long ones (see `zoo.decoding.beam`).
        coverage_penalty: how much a source that was not looked at costs.
        n_best: how many hypotheses are wanted.
        temperature: draw from the model's distribution, made flatter above 1 and sharper below; None: search.
    """

    beam: int = 5
    length_penalty: float = 1.0
    coverage_penalty: float = 0.0
    n_best: int = 1
    temperature: float | None = None


class Searcher:
    """Searches with a network; threads may share it.

    TensorFlow traces one graph for all shapes and PyTorch none; JAX compiles for each shape, so it gets few: widths
    of a grid (see `zoo.tasks.batches.round_up`) and powers of two of sentences.

    Args:
        network: weights that change later count from the next call on.
        banned: ids that no translation holds.
        start: the id before a translation.
        end: the id behind it.
    """

    def __init__(self, network: RecurrentSequenceToSequence, banned: Sequence[int], start: int, end: int):
        self.network = network
        self.signs = {"start": start, "end": end, "banned": tuple(banned)}
        self._few_shapes = keras.backend.backend() == "jax"
        self._calls: dict[Search, Callable] = {}

    def __call__(
        self,
        sentences: Sequence[np.ndarray],
        search: Search,
        *,
        seed: int = 0,
        batch_size: int = 64,
        progress: Callable[[int], None] | None = None,
    ) -> list[list[tuple[np.ndarray, float, float]]]:
        """Return for each sentence, ids (time,), its hypotheses, the best first: ids, log-probability and score.

        Args:
            sentences: with the end's id behind each.
            search: what to look for.
            seed: of what is drawn.
            batch_size: sentences at a time.
            progress: called after every batch with the number of sentences that are done.
        """
        times = 1 if search.temperature is None else search.n_best  # what is drawn, is drawn apart
        found: list[list] = [[] for _ in sentences]
        order = np.argsort([-len(ids) for ids in sentences], kind="stable")
        size = max(batch_size // times, 1)
        for first in range(0, len(order), size):
            rows = np.repeat(order[first : first + size], times)
            seeds = [(seed, row, number % times) for number, row in enumerate(rows)]
            hypotheses = self._batch([sentences[row] for row in rows], search, seeds)
            for row, each in zip(rows, hypotheses, strict=True):
                found[row] += each
            if progress:
                progress(min(first + size, len(order)))
        if sum(map(len, sentences)) >= _MUCH:
            memory.give_back()
        return [sorted(each, key=lambda one: -one[2]) for each in found]

    def _batch(self, sentences, search, seeds):
        """Yield for each sentence its hypotheses: ids, log-probability and score."""
        source = self._padded(sentences)
        limits = 2 * np.count_nonzero(source, axis=1).astype("int32") + 10
        given = [source, limits]
        if search.temperature is not None:
            draws = np.zeros((2 * source.shape[1] + 11, len(source)), "float32")
            for column, each in zip(draws.T, seeds, strict=False):  # its own, whatever else is in the batch
                column[:] = np.random.default_rng(each).random(len(column), "float32")
            given.append(draws)
        answer = map(ops.convert_to_numpy, self._call(search)(*given))
        count = len(sentences)
        for ids, lengths, log_probabilities, scores in zip(*(part[:count] for part in answer), strict=True):
            yield [
                (one[:length], float(log_probability), float(score))
                for one, length, log_probability, score in zip(
                    ids, lengths, log_probabilities, scores, strict=True
                )
                if np.isfinite(score)
            ]

    def _padded(self, sentences):
        """Return sentences as one array; where shapes are few, with rows of padding at its end."""
        if not self._few_shapes:
            return pad(sentences)
        padded = pad(sentences, 4, 16)
        full = np.zeros((1 << (len(padded) - 1).bit_length(), padded.shape[1]), padded.dtype)
        full[: len(padded)] = padded
        return full

    def _call(self, search):
        """Return the compiled search: source (batch, time), limits (batch,) and draws to the hypotheses' arrays."""
        if search not in self._calls:

            def run(source, limits, draws=None):
                return self._search(search, source, limits, draws)

            tensors = [keras.KerasTensor((None, None), "int32"), keras.KerasTensor((None,), "int32")]
            if search.temperature is not None:
                tensors.append(keras.KerasTensor((None, None), "float32"))
            self._calls[search] = compiled(self.network, run, *tensors)
        return self._calls[search]

    def _search(self, search, source, limits, draws):
        network, batch = self.network, ops.shape(source)[0]
        lanes = 1 if draws is not None else decoding.lanes(search.beam)
        fixed, states = decoding.tile(network.begin(source), lanes)

        def step(tokens, states):
            return network.step(tokens, states, fixed)

        given = {
            **self.signs,
            "limits": limits,
            "most": 2 * ops.shape(source)[1] + 10,
            "length_penalty": search.length_penalty,
            "coverage_penalty": search.coverage_penalty,
            "source_mask": source != 0,
        }
        if draws is not None:
            return tuple(
                decoding.sample(step, states, batch, temperature=search.temperature, draws=draws, **given)
            )
        return tuple(decoding.beam(step, states, batch, search.beam, n_best=search.n_best, **given))
