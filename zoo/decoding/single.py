"""One hypothesis for each sentence: the likeliest token in each step, or one that is drawn."""

from collections.abc import Callable, Sequence
from typing import Any

from keras import ops

from zoo.decoding.hypotheses import NEVER, Hypotheses, Network, best_tokens

_BELOW_ONE = 1 - 2**-24  # the greatest float32 below 1


def greedy(
    step: Callable,
    state: Any,
    batch: int,
    start: int,
    end: int,
    limits: Any,
    most: int,
    *,
    length_penalty: float = 1.0,
    coverage_penalty: float = 0.0,
    banned: Sequence[int] = (),
    source_mask: Any = None,
) -> Hypotheses:
    """Take the likeliest token in each step. The arguments are those of `zoo.decoding.beam`; n is 1."""

    def choose(logits, t):
        del t
        values, tokens = best_tokens(logits, 1, banned)
        first = ops.argmax(values, axis=-1)[:, None]
        return ops.take_along_axis(tokens, first, axis=-1)[:, 0]

    network = Network(step, state, 1, length_penalty, coverage_penalty, source_mask)
    return _follow(choose, network, batch, start, end, limits, most)


def sample(
    step: Callable,
    state: Any,
    batch: int,
    start: int,
    end: int,
    limits: Any,
    most: int,
    temperature: float,
    draws: Any,
    *,
    length_penalty: float = 1.0,
    coverage_penalty: float = 0.0,
    banned: Sequence[int] = (),
    source_mask: Any = None,
) -> Hypotheses:
    """Draw each token from softmax(logits / temperature) over the tokens that are not banned.

    `temperature` is a positive number or scalar tensor: towards 0 it is greedy, above 1 bolder than the network.
    `draws` holds even random numbers from 0 to below 1, (most + 1, batch), one for each step and sentence: the same
    numbers draw the same tokens on every backend, and nothing random is left in a compiled graph. The other
    arguments are those of `zoo.decoding.beam`; n is 1. What is returned is the network's own log P, whatever the
    temperature.
    """

    def choose(logits, t):
        for token in banned:
            logits = ops.where(ops.arange(logits.shape[-1]) == token, NEVER, logits)
        probabilities = ops.softmax(logits / temperature)
        # the first sum above the draw, among possible tokens alone: rounding may lift a sum where nothing is added
        up_to = ops.where(probabilities > 0, ops.cumsum(probabilities, axis=-1), 0.0)
        drawn = ops.minimum(ops.cast(draws, "float32")[t], _BELOW_ONE) * ops.max(up_to, axis=-1)
        return ops.argmax(ops.cast(up_to > drawn[:, None], "int32"), axis=-1)

    network = Network(step, state, 1, length_penalty, coverage_penalty, source_mask)
    return _follow(choose, network, batch, start, end, limits, most)


def _follow(choose, network, batch, start, end, limits, most):
    """Go on with the tokens (batch,) that `choose(logits, step number)` returns until every sentence has ended."""
    limits = ops.cast(limits, "int32")
    places = ops.arange(most, dtype="int32")

    def running(t, tokens, on, *_):
        del tokens
        return ops.logical_and(t <= most, ops.any(on))

    def body(t, tokens, on, found, kept):
        ids, lengths, log_probabilities, scores = found
        logits, kept = network(tokens, kept)
        tokens = ops.where(t < limits, ops.cast(choose(logits, t), "int32"), end)
        chosen = ops.take_along_axis(logits, tokens[:, None], axis=-1)[:, 0]
        gained = log_probabilities + chosen - ops.logsumexp(logits, axis=-1)
        log_probabilities = ops.where(on, gained, log_probabilities)
        scores = ops.where(on, network.score(gained, t + 1, kept), scores)
        on = ops.logical_and(on, tokens != end)
        ids = ops.where(ops.logical_and(places == t, on[:, None]), tokens[:, None], ids)
        lengths = lengths + ops.cast(on, "int32")
        return t + 1, tokens, on, (ids, lengths, log_probabilities, scores), kept

    zeros, nil = ops.zeros((batch,), dtype="int32"), ops.zeros((batch,), dtype="float32")
    found = (ops.zeros((batch, most), dtype="int32"), zeros, nil, nil)
    t = ops.zeros((), dtype="int32")
    *_, found, _ = ops.while_loop(running, body, (t, zeros + start, zeros == 0, found, network.kept))
    return Hypotheses(*(each[:, None] for each in found))
