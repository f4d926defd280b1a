"""Medians, ratios and their spread, of numbers that were measured in rounds."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

Rounds = Sequence[float]
"""One number for each round, in the order of the rounds."""


@dataclass(frozen=True)
class Spread:
    """A number with the quartiles of the same number over the rounds."""

    value: float
    low: float
    high: float


def quartiles(rounds: Rounds) -> tuple[float, float]:
    """Return the first and the third quartile; of one number, that number twice."""
    if len(rounds) < 2:
        return rounds[0], rounds[0]
    first, _, third = statistics.quantiles(rounds, n=4, method="inclusive")
    return first, third


def median(rounds: Rounds) -> Spread:
    """Return the median with its quartiles."""
    return Spread(statistics.median(rounds), *quartiles(rounds))


def ratio(pairs: Sequence[tuple[Rounds, Rounds]], scales: Sequence[float] | None = None) -> Spread:
    """Return the geometric mean, over `pairs`, of the ratio of the medians.

    Its quartiles are those of the rounds: in each round the geometric mean of the ratios of that round.

    Args:
        pairs: numerators and denominators, a pair for each shape, all of as many rounds.
        scales: for each pair what its ratio is multiplied with; ones by default.
    """
    scales = scales or [1.0] * len(pairs)
    medians = [
        k * statistics.median(a) / statistics.median(b) for k, (a, b) in zip(scales, pairs, strict=True)
    ]
    turns = zip(*(zip(a, b, strict=True) for a, b in pairs), strict=True)
    rounds = [
        statistics.geometric_mean([k * a / b for k, (a, b) in zip(scales, turn, strict=True)])
        for turn in turns
    ]
    return Spread(statistics.geometric_mean(medians), *quartiles(rounds))
