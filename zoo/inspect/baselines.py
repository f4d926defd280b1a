"""Texts that say nothing, as embeddings: what integrated gradients start from."""

from collections.abc import Iterator

import numpy as np
from keras import ops

from zoo.inspect.attribution import Score
from zoo.models import RecurrentClassifier

_AVERAGED = 10_000  # pieces
_DRAWN = 64  # random texts, of which the most undecided ones are taken
_TAKEN = ((64, 2), (1000, 1))  # so many, of so many most frequent pieces


def baselines(
    network: RecurrentClassifier, score: Score, time: int, undecided: float = 0.0
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield baselines, name and embeddings (time, features), the one to try first before the others.

    - `average`: the average piece in every place. It is the mean of the embeddings, the k-th most frequent piece
      with weight 1/k (Zipf's law; SentencePiece numbers the pieces in that order).
    - `random`: texts of the most frequent pieces, drawn by the same weights: two of 64 pieces, which are hardly more
      than signs and function words, and one of 1,000. They are those of 64 such texts for which the network is the
      most undecided (Izzo, Lipani, Okhrati & Medda, 2020, arXiv 2006.04896). The same ones are drawn each time.

    The average is without accident. But a recurrence that is fed the same for hundreds of steps can tip over at the
    slightest change, and then no sum over a path from there converges; a text that varies keeps it moving. What
    words add is then counted from the pieces that happen to stand in their places. Zero embeddings, the usual
    choice for texts, are not among them: a baseline should have a score near zero (Sundararajan, Taly & Yan, 2017,
    section 3), and a recurrence that is fed zeros ends far from where it began.

    Args:
        network: its id 0 is padding, 1 the unknown piece; the others are pieces.
        score: of the embeddings.
        time: how many places.
        undecided: the score of a text that is for no label.
    """
    ids = np.arange(2, min(network.config["vocabulary_size"], _AVERAGED + 2), dtype="int32")
    pieces = ops.convert_to_numpy(network.embed(ops.convert_to_tensor(ids[:, None])))[:, 0]
    weights = 1 / np.arange(1, len(ids) + 1)
    yield "average", np.tile((weights @ pieces / weights.sum()).astype("float32"), (time, 1))
    for common, taken in _TAKEN:
        shares = weights[:common] / weights[:common].sum()
        texts = np.random.default_rng(0).choice(len(shares), (_DRAWN, time), p=shares)
        for best in np.abs(score.values(pieces[texts]) - undecided).argsort()[:taken]:
            yield "random", pieces[texts[best]]
