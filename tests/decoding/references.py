"""Searches in NumPy and float64, one sentence at a time, each hypothesis a tuple of tokens without `end`."""

from itertools import product

import numpy as np


def log_softmax(logits):
    logits = logits - logits.max()
    return logits - np.log(np.exp(logits).sum())


def total(follow, tokens, end):
    """log P of the tokens and `end`; `follow(tokens)` is (log-probabilities of the next, attention paid to it)."""
    return sum(follow(tokens[:i])[0][token] for i, token in enumerate((*tokens, end)))


def score(follow, tokens, end, length_penalty=1.0, coverage_penalty=0.0):
    """Wu et al. (2016), section 7, equation 14; attention is over real positions alone."""
    length = len(tokens) + 1
    found = total(follow, tokens, end) / ((5 + length) / 6) ** length_penalty
    if coverage_penalty:
        attention = sum(follow(tokens[:i])[1] for i in range(length))
        found += coverage_penalty * np.log(np.minimum(attention, 1)).sum()
    return found


def greedy(follow, end, limit, banned=()):
    tokens = ()
    while len(tokens) < limit:
        following = follow(tokens)[0].copy()
        following[list(banned)] = -np.inf
        if following.argmax() == end:
            break
        tokens += (int(following.argmax()),)
    return tokens


def sample(follow, end, limit, temperature, draws, banned=()):
    tokens = ()
    while len(tokens) < limit:
        logits = follow(tokens)[0] / temperature
        logits[list(banned)] = -np.inf
        up_to = np.exp(log_softmax(logits)).cumsum()
        token = int(np.searchsorted(up_to, draws[len(tokens)], side="right"))
        if token == end:
            break
        tokens += (token,)
    return tokens


def beam_alone(follow, beam, end, limit, banned=()):
    """What the beam finds, without the greedy hypothesis, in the order in which it is found."""
    going, found = [((), 0.0)], []
    while going and len(found) < beam:
        following = []
        for tokens, log_p in going:
            for token, more in enumerate(follow(tokens)[0]):
                if token == end or (len(tokens) < limit and token not in banned):
                    following.append((log_p + more, tokens, token))
        following = sorted(following, key=lambda each: -each[0])[: 2 * beam]
        found += [tokens for _, tokens, token in following[:beam] if token == end]
        going = [((*tokens, token), log_p) for log_p, tokens, token in following if token != end][:beam]
    return found


def ranked(follow, hypotheses, end, **penalties):
    """The hypotheses as (tokens, log P, score), each once, the best first."""
    rows = [(h, total(follow, h, end), score(follow, h, end, **penalties)) for h in dict.fromkeys(hypotheses)]
    return sorted(rows, key=lambda row: -row[2])


def beam(follow, beam, end, limit, banned=(), **penalties):
    found = [*beam_alone(follow, beam, end, limit, banned), greedy(follow, end, limit, banned)]
    return ranked(follow, found, end, **penalties)


def exhaustive(follow, words, end, limit, **penalties):
    """Every sequence of `words` up to the limit."""
    every = [tokens for length in range(limit + 1) for tokens in product(words, repeat=length)]
    return ranked(follow, every, end, **penalties)
