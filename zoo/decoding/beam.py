"""Beam search: the best few beginnings go on side by side, and a greedy hypothesis beside them."""

from collections.abc import Callable, Sequence
from typing import Any

from keras import ops

from zoo.decoding.hypotheses import NEVER, Hypotheses, Network, best_tokens
from zoo.decoding.single import greedy
from zoo.errors import check_range


def lanes(beam: int) -> int:
    """Return how many rows of `state` a search needs for each sentence: the beam, and one for the greedy hypothesis.

    A beam of 1 is that hypothesis.
    """
    return beam + 1 if beam > 1 else 1


def beam(
    step: Callable,
    state: Any,
    batch: int,
    beam: int,
    start: int,
    end: int,
    limits: Any,
    most: int,
    *,
    length_penalty: float = 1.0,
    coverage_penalty: float = 0.0,
    n_best: int = 1,
    banned: Sequence[int] = (),
    source_mask: Any = None,
) -> Hypotheses:
    """Search for the sequences of the highest score.

    In each step, the `2 * beam` likeliest continuations of a sentence's lanes are looked at: those among the first
    `beam` that end are found, and the first `beam` that do not end go on. A sentence is finished once `beam` of them
    are found ("first come, first served": Kasai et al., 2022, arXiv 2204.05424), or when none that goes on can still
    be among the `n_best`. The greedy hypothesis has a lane of its own: it is always among those that are ranked.

    Args:
        step: `step(tokens, state) -> logits, state, attention`: tokens int32 (rows,), a state as below, logits
            (rows, vocabulary), the attention paid to the source (rows, source time) or None. There are
            `lanes(beam)` rows for each sentence, side by side; only `state` is reordered, so what else `step`
            knows of a sentence is the same in all of its rows: see `tile`.
        state: a nest of tensors (rows, ...); all lanes of a sentence begin alike.
        batch: how many sentences; a scalar tensor will do on TensorFlow.
        beam: how many beginnings go on; 1 is `greedy`.
        start: the token before the first.
        end: the token that ends a sequence.
        limits: the most tokens for each sentence, int32 (batch,). After them only `end` may follow, at the
            probability that the network gives it.
        most: at least the highest limit; a scalar tensor will do on TensorFlow.
        length_penalty: a in the score log P / ((5 + length)/6)^a + b * Σ_j log min(Σ_i w_ij, 1), where the length
            counts `end` and w_ij is what step i attended to source position j (Wu et al., 2016, section 7); from 0 on.
        coverage_penalty: b in that score, from 0 on; it ranks what is found, not what goes on.
        n_best: how many hypotheses to return, at most `beam`.
        banned: tokens that never occur. The probabilities of the others are as the network gives them.
        source_mask: boolean (batch, source time), true at real positions; needed with a coverage penalty.

    Returns:
        The `n_best` hypotheses of each sentence.

    Raises:
        UserError: `n_best` is above `beam`, or the coverage penalty lacks what it needs.
    """
    check_range("beam", beam, 1)
    check_range("n_best", n_best, 1, most=beam)
    ranking = {
        "length_penalty": length_penalty,
        "coverage_penalty": coverage_penalty,
        "source_mask": source_mask,
    }
    if beam == 1:
        return greedy(step, state, batch, start, end, limits, most, banned=banned, **ranking)
    network = Network(step, state, lanes(beam), **ranking)
    return _Search(network, batch, beam, start, end, limits, most, n_best, banned).run()


class _Search:
    """One search. The greedy lane is the last of a sentence's lanes; a lane that is out has the log P -inf.

    Step t writes row t of three tables (most + 1, batch, lanes): `links`, the token of each lane and the lane it
    came from, as token * lanes + lane; `totals` and `scores`, log P and score of what ended in the lane before.
    """

    def __init__(self, network, batch, beam, start, end, limits, most, n_best, banned):
        self.network, self.batch, self.beam, self.lanes = network, batch, beam, beam + 1
        self.start, self.end, self.most, self.n_best, self.banned = start, end, most, n_best, banned
        self.limits = ops.cast(limits, "int32")[:, None]
        self.numbers = ops.arange(beam, dtype="int32")  # of the beam's lanes
        self.first = ops.arange(batch, dtype="int32")[:, None] * self.lanes  # row of each sentence

    def run(self):
        """Search until no lane goes on; then read what was found from its end."""
        none = ops.zeros((self.batch, 1), dtype="int32")
        nil = ops.zeros((self.batch, self.lanes), dtype="float32")
        table = ops.zeros((self.most + 1, self.batch, self.lanes), dtype="float32")
        carry = {
            "t": ops.zeros((), dtype="int32"),
            "tokens": ops.reshape(ops.cast(nil, "int32") + self.start, (-1,)),
            "log_p": nil + ops.array([0.0, *[NEVER] * (self.beam - 1), 0.0], dtype="float32"),
            "twin": none,  # the lane of the beam that holds the greedy hypothesis too, `beam` where none does
            "count": none,  # of what the beam found
            "best": nil[:, : self.n_best] + NEVER,  # scores of what was found
            "tables": (ops.cast(table, "int32"), table, table + NEVER),
            "kept": self.network.kept,
        }
        [carry] = ops.while_loop(self._goes_on, lambda carry: [self._step(**carry)], [carry])
        return self._read(*carry["tables"])

    def _goes_on(self, carry):
        return ops.logical_and(carry["t"] <= self.most, ops.any(carry["log_p"] > NEVER))

    def _step(self, t, tokens, log_p, twin, count, best, tables, kept):
        logits, kept = self.network(tokens, kept)
        ended, values, tokens = self._continue(logits, log_p, t)
        found, value, token, lane = self._choose(values[:, :-1], tokens[:, :-1])
        count = count + ops.sum(ops.cast(found, "int32"), axis=1, keepdims=True)
        value = ops.where(count < self.beam, value, NEVER)

        greedy_value = ops.max(values[:, -1], axis=-1, keepdims=True)
        greedy_token = _take(tokens[:, -1], ops.argmax(values[:, -1], axis=-1)[:, None])
        ends = greedy_token == self.end
        twice = ops.any(ops.logical_and(found, self.numbers == twin), axis=1, keepdims=True)
        new = ops.logical_and(ends, ops.logical_and(greedy_value > NEVER, ops.logical_not(twice)))
        greedy_value = ops.where(ends, NEVER, greedy_value)
        same = ops.logical_and(lane == twin, token == greedy_token)
        twin = ops.min(ops.where(same, self.numbers, self.beam), axis=1, keepdims=True)

        scores = self.network.score(ended, t + 1, kept)
        scores = ops.where(ops.concatenate([found, new], axis=1), scores, NEVER)
        best, _ = ops.top_k(ops.concatenate([best, scores], axis=1), self.n_best)

        token = ops.concatenate([token, greedy_token], axis=1)
        lane = ops.concatenate([lane, ops.full_like(twin, self.beam)], axis=1)
        rows = ops.reshape(self.first + lane, (-1,))
        wrote = (token * self.lanes + lane, ended, scores)
        return {
            "t": t + 1,
            "tokens": ops.reshape(token, (-1,)),
            "log_p": ops.concatenate([self._hopeful(value, best), self._hopeful(greedy_value, best)], axis=1),
            "twin": twin,
            "count": count,
            "best": best,
            "tables": tuple(
                ops.slice_update(table, (t, 0, 0), row[None])
                for table, row in zip(tables, wrote, strict=True)
            ),
            "kept": [ops.take(each, rows, axis=0) for each in kept],
        }

    def _continue(self, logits, log_p, t):
        """Return log P of each lane if it ends now, (batch, lanes); log P and token of its best continuations.

        A lane gives at most `beam` continuations that go on and one that ends.
        """
        values, tokens = best_tokens(logits, self.beam + 1, self.banned)
        before = ops.reshape(log_p, (-1, 1)) - ops.logsumexp(logits, axis=-1, keepdims=True)
        shape = (-1, self.lanes, values.shape[-1])
        values, tokens = ops.reshape(values + before, shape), ops.reshape(tokens, shape)
        ended = ops.reshape(logits[:, self.end, None] + before, (-1, self.lanes))
        only = ops.where(ops.arange(shape[-1]) == 0, ended[..., None], NEVER)
        full = (t >= self.limits)[..., None]
        return ended, ops.where(full, only, values), ops.where(full, self.end, tokens)

    def _choose(self, values, tokens):
        """Return which lanes of the beam are found to end, and log P, token and lane before of those that go on."""
        width = values.shape[-1]
        values, places = ops.top_k(ops.reshape(values, (-1, self.beam * width)), 2 * self.beam)
        tokens = _take(ops.reshape(tokens, (-1, self.beam * width)), places)
        lanes = ops.cast(places, "int32") // width
        ends = tokens == self.end
        first = ops.logical_and(ends, values > NEVER)[:, : self.beam]
        found = ops.logical_and(first[:, None], lanes[:, None, : self.beam] == self.numbers[:, None])
        values, places = ops.top_k(ops.where(ends, NEVER, values), self.beam)
        return ops.any(found, axis=2), values, _take(tokens, places), _take(lanes, places)

    def _hopeful(self, log_p, best):
        """Return `log_p`, -inf where none of a sentence's can come to be among its best, however it goes on."""
        bound = self.network.normed(ops.max(log_p, axis=1, keepdims=True), self.limits + 1)
        return ops.where(bound > best[:, -1:], log_p, NEVER)

    def _read(self, links, totals, scores):
        """Return the best of what the tables hold, its tokens read from the last to the first."""

        def flat(table):
            return ops.reshape(ops.transpose(table, (1, 0, 2)), (self.batch, (self.most + 1) * self.lanes))

        scores, places = ops.top_k(flat(scores), self.n_best)
        there = scores > NEVER
        lengths = ops.where(there, ops.cast(places, "int32") // self.lanes, 0)
        spots = ops.arange(self.most, dtype="int32")

        def body(t, lane, ids):
            t = t - 1
            link, on = _take(links[t], lane), t < lengths
            here = ops.logical_and(on[..., None], spots == t)
            ids = ops.where(here, (link // self.lanes)[..., None], ids)
            return t, ops.where(on, link % self.lanes, lane), ids

        ids = ops.zeros((self.batch, self.n_best, self.most), dtype="int32")
        carry = (ops.max(lengths), ops.cast(places, "int32") % self.lanes, ids)
        *_, ids = ops.while_loop(lambda t, *_: t > 0, body, carry)
        totals = ops.where(there, _take(flat(totals), places), NEVER)
        return Hypotheses(ids, lengths, totals, scores)


def _take(table, places):
    """Return the entries (batch, n) of `table` (batch, m) at `places` (batch, n)."""
    return ops.take_along_axis(table, places, axis=1)
