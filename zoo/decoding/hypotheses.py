"""What a search finds, how it is ranked, and what a search asks the network in each step."""

from typing import Any, NamedTuple

from keras import ops, tree

from zoo.errors import UserError

NEVER = float("-inf")
_SEEN = 1e-10  # the least attention that a source position counts with: its logarithm stays finite


class Hypotheses(NamedTuple):
    """Sequences for each sentence of a batch, the best first.

    - `ids`: int32 (batch, n, most); 0 from `end` on, which is left out.
    - `lengths`: int32 (batch, n), without `end`.
    - `log_probabilities`: log P of all tokens and `end`, in nats, float32 (batch, n).
    - `scores`: what they are ranked by, float32 (batch, n); -inf where a search found fewer than n.
    """

    ids: Any
    lengths: Any
    log_probabilities: Any
    scores: Any


def tile(nest: Any, lanes: int) -> Any:
    """Return a nest of tensors (batch, ...) as (batch * lanes, ...): the lanes of one sentence stand together."""
    return tree.map_structure(lambda x: ops.repeat(x, lanes, axis=0), nest)


def best_tokens(logits, count, banned):
    """Return the `count` highest logits of each row and their tokens, (rows, count + banned), -inf for banned ones.

    Only the vocabulary's end is cut off if it is smaller than that. Banned ones may stand anywhere among them.
    """
    values, tokens = ops.top_k(logits, min(count + len(banned), logits.shape[-1]))
    tokens = ops.cast(tokens, "int32")
    for token in banned:
        values = ops.where(tokens == token, NEVER, values)
    return values, tokens


class Network:
    """The caller's step function, and the score of the hypotheses that it makes.

    What must follow a hypothesis from lane to lane is one list of tensors (rows, ...), `kept`: the flat state and,
    with a coverage penalty, how much attention each source position had so far; padding counts as fully seen.

    Args:
        step: see `zoo.decoding.beam`.
        state: a nest of tensors (rows, ...).
        lanes: lanes for each sentence.
        length_penalty: a in the score log P / ((5 + length)/6)^a + b * Σ_j log min(Σ_i w_ij, 1), where the length
            counts `end` and w_ij is what step i attended to source position j (Wu et al., 2016, section 7).
        coverage_penalty: b in that score.
        source_mask: boolean (batch, source time), true at real positions.

    Raises:
        UserError: there is a coverage penalty and no source mask.
    """

    def __init__(self, step, state, lanes, length_penalty, coverage_penalty, source_mask):
        self._step = step
        self._structure = state
        self._length_penalty = length_penalty
        self._coverage_penalty = coverage_penalty
        self._covers = not isinstance(coverage_penalty, int | float) or coverage_penalty != 0
        self.kept = tree.flatten(state)
        if self._covers:
            if source_mask is None:
                raise UserError("source_mask: got None; a coverage_penalty needs to know the real positions")
            self.kept.append(1 - ops.cast(tile(source_mask, lanes), "float32"))

    def __call__(self, tokens, kept):
        """Return the logits (rows, vocabulary) that follow `tokens` (rows,), and what is kept after them."""
        state = tree.pack_sequence_as(self._structure, kept[:-1] if self._covers else kept)
        logits, state, attention = self._step(tokens, state)
        new = tree.flatten(state)
        if self._covers:
            if attention is None:
                raise UserError(
                    "coverage_penalty: the network attends to nothing; leave it 0, or use one with attention"
                )
            new.append(kept[-1] + ops.cast(attention, "float32"))
        return ops.cast(logits, "float32"), new

    def normed(self, log_probabilities, length):
        """Return the part of the score that no coverage is in, an upper bound of it."""
        return log_probabilities / ((5 + ops.cast(length, "float32")) / 6) ** self._length_penalty

    def score(self, log_probabilities, length, kept):
        """Return the scores of hypotheses of `length`, a number or a tensor, `end` counted, all in one shape."""
        scores = self.normed(log_probabilities, length)
        if self._covers:
            coverage = ops.sum(ops.log(ops.clip(kept[-1], _SEEN, 1)), axis=-1)
            scores = scores + self._coverage_penalty * ops.reshape(coverage, ops.shape(scores))
        return scores
