"""A small recurrent decoder with attention, compiled as a task compiles it, and the same in NumPy."""

import keras
import numpy as np
from keras import ops

from tests.decoding.references import log_softmax
from zoo.decoding import tile
from zoo.tasks.compiling import compiled

VOCABULARY, UNITS, START, END, BANNED = 7, 4, 1, 2, (0, 1)


class Toy(keras.Model):
    """h' = tanh(E[token] + h R + context); logits = h' O. The attention is softmax(memory h) over real positions."""

    def __init__(self, vocabulary=VOCABULARY, scale=1.5, seed=0):
        super().__init__()
        rng = np.random.default_rng(seed)
        shapes = (vocabulary, UNITS), (UNITS, UNITS), (UNITS, vocabulary)
        self.arrays = [rng.normal(size=shape, scale=scale) for shape in shapes]
        for name, value in zip("ERO", self.arrays, strict=True):
            setattr(self, name, self.add_weight(shape=value.shape, name=name))
        self.set_weights(self.arrays)

    def decoder(self, memory, mask, lanes):
        """The step function over the lanes of each sentence, and the state that it begins with."""
        memory, mask = tile((memory, mask), lanes)

        def step(tokens, state):
            (h,), steps = state["h"], state["steps"]
            h = ops.tanh(ops.take(self.E, tokens, axis=0) + ops.matmul(h[:, 0], self.R) + memory[:, 0])
            energies = ops.where(mask, ops.sum(memory * h[:, None], axis=-1), -1e9)
            return ops.matmul(h, self.O), {"h": (h[:, None],), "steps": steps + 1}, ops.softmax(energies)

        zeros = ops.zeros_like(memory[:, :1])
        return step, {"h": (zeros,), "steps": ops.zeros_like(memory[:, 0, 0])}

    def follow(self, memory, mask):
        """The function for `references` of one sentence, (time, units) and (time,)."""
        E, R, O = self.arrays

        def follow(tokens):
            h = np.zeros(UNITS)
            for token in (START, *tokens):
                h = np.tanh(E[token] + h @ R + memory[0])
            energies = np.exp(memory[mask] @ h)
            return log_softmax(h @ O), energies / energies.sum()

        return follow


def batch_of(count, most, seed=1):
    """Sentences of 1 to 4 positions, the first one's limit 0: memory, mask and limits."""
    rng = np.random.default_rng(seed)
    memory = rng.normal(size=(count, 4, UNITS)).astype("float32")
    mask = np.arange(4) < rng.integers(1, 5, size=(count, 1))
    limits = rng.integers(1, most + 1, size=count).astype("int32")
    limits[0] = 0
    return memory, mask, limits


def search(toy, function, sentences, lanes=1, draws=(), **options):
    """Call a search of `zoo.decoding` compiled, every axis free; return arrays."""

    def traced(memory, mask, limits, *draws):
        more = {"draws": draws[0]} if draws else {}
        decoder = toy.decoder(memory, mask, lanes)
        fixed = {"start": START, "end": END, "limits": limits, "source_mask": mask}
        return function(*decoder, ops.shape(memory)[0], **fixed, **options, **more)

    arrays = (*sentences, draws) if len(draws) else sentences
    shapes = (None, None, UNITS), (None, None), (None,), (None, None)
    inputs = [keras.KerasTensor(shape, x.dtype.name) for shape, x in zip(shapes, arrays, strict=False)]
    return keras.tree.map_structure(ops.convert_to_numpy, compiled(toy, traced, *inputs)(*arrays))


def rows(hypotheses, sentence):
    """What was found for one sentence as (tokens, log P, score); the rest must be as it is documented."""
    found = []
    for ids, length, log_p, score in zip(*(each[sentence] for each in hypotheses), strict=True):
        assert not ids[length:].any()
        if score > -np.inf:
            found.append((tuple(map(int, ids[:length])), log_p, score))
        else:
            assert (length, log_p) == (0, -np.inf)
    return found


def assert_found(hypotheses, sentence, expected):
    """The same tokens, log P and scores, in the same order; fewer only where no more are expected."""
    found = rows(hypotheses, sentence)
    expected = expected[: hypotheses.scores.shape[1]]
    assert [each[0] for each in found] == [each[0] for each in expected]
    np.testing.assert_allclose([e[1:] for e in found], [e[1:] for e in expected], rtol=1e-4, atol=1e-4)
