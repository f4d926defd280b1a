"""Integrated gradients: how much each place of a sequence adds to a number that a network computes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.loops.backend import native
from zoo.tasks.compiling import compiled

STEPS = 32  # points of the path, to begin with
MOST_STEPS = 512
TOLERANCE = 0.01  # share of the difference that the attributions' sum may miss ...
LEAST = 0.001  # ... or so much, where that is more

_NODES = 0.5 + np.array([-0.5, 0.5]) / np.sqrt(3)  # of Gauss's rule with two points; both weigh a half
_NARROWEST = 2.0**-12  # part of the path: what a narrower one holds is a step that float32 cannot resolve
_AT_ONCE = 32  # parts that are halved in a round
_MOST_PLACES = 2**15  # of all sequences that are run or differentiated together: some hundred MB at most


@dataclass(frozen=True)
class PathIntegral:
    """Integrated gradients of a function of embeddings.

    Attributes:
        attributions: (time,), float64: what each place adds to the difference `value - baseline_value`.
        value: the function at the embeddings.
        baseline_value: the function at the baseline.
        steps: how many points of the path were used.
        residual: the sum of `attributions` less the difference.
        tolerance: how much of a residual is allowed.
    """

    attributions: np.ndarray
    value: float
    baseline_value: float
    steps: int
    residual: float
    tolerance: float

    @property
    def converged(self) -> bool:
        """Whether the residual is within the tolerance."""
        return abs(self.residual) <= self.tolerance


class Score:
    """A number for each sequence of embeddings, and its gradient, computed from arrays a batch at a time.

    Args:
        network: the one whose weights `function` uses.
        function: maps tensors (count, time, features) to numbers (count,), each row by itself.
        features: size of the last axis.
    """

    def __init__(self, network: keras.Model, function: Callable[[Any], Any], features: int):
        def slopes(sequences, direction):
            ones = ops.ones_like(sequences[:, 0, 0])
            (gradients,) = native.pullback(lambda x: [function(x)], [sequences])([ones])
            return ops.sum(gradients * direction, axis=-1)

        sequences = keras.KerasTensor((None, None, features), "float32")
        direction = keras.KerasTensor((None, features), "float32")
        self._values = compiled(network, function, sequences)
        self._slopes = compiled(network, slopes, sequences, direction)

    def values(self, rows: np.ndarray) -> np.ndarray:
        """Return the numbers (count,) of `rows` (count, time, features), in float64."""
        return in_batches(self._values, rows)

    def slopes(self, rows: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """Return what each place adds to the slope in a direction (time, features), (count, time) float64."""
        return in_batches(lambda batch: self._slopes(batch, direction), rows)


def in_batches(function: Callable[[np.ndarray], Any], rows: np.ndarray) -> np.ndarray:
    """Return `function`, from arrays (count, time, ...) to tensors (count, ...), of all rows, in float64.

    On JAX, which compiles for each shape, all batches have the same: the last row fills the last one.
    """
    size = max(1, min(2 * _AT_ONCE, _MOST_PLACES // rows.shape[1]))
    found = []
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        count = len(batch)
        if keras.backend.backend() == "jax":
            batch = np.concatenate([batch, np.repeat(batch[-1:], size - count, axis=0)])
        found.append(ops.convert_to_numpy(function(batch))[:count])
    return np.concatenate(found).astype("float64")


def integrated_gradients(
    score: Score,
    embedded: np.ndarray,
    baseline: np.ndarray,
    *,
    steps: int = STEPS,
    most_steps: int = MOST_STEPS,
    tolerance: float = TOLERANCE,
) -> PathIntegral:
    """Return the integrated gradients from a baseline to embeddings (Sundararajan, Taly & Yan, 2017, ICML).

        a_t = Σ_j (e_tj − b_tj) ∫₀¹ ∂f(b + α(e − b))/∂e_tj dα

    They are complete: Σ_t a_t = f(e) − f(b). The same holds on each part of the path, so it is known where the
    integral is not exact enough yet: the path is cut into equal parts, each with Gauss's rule of two points, and
    those that miss their own difference the most are halved, until all parts together miss at most `tolerance` of
    the whole difference, or 0.001 where that is more. (A recurrence of hundreds of steps can change so fast at
    some place of the path that equal steps would pass over it.)

    Args:
        score: f.
        embedded: e, (time, features).
        baseline: b, (time, features).
        steps: points to begin with, two for each part.
        most_steps: points that are not exceeded, unless `steps` does.
        tolerance: share of the difference that the sum may miss.
    """
    baseline = np.asarray(baseline, dtype="float32")
    way = np.asarray(embedded, dtype="float32") - baseline

    def points(places):
        return baseline + places.astype("float32")[:, None, None] * way

    def attributed(low, high):
        places = low[:, None] + (high - low)[:, None] * _NODES
        slopes = score.slopes(points(places.ravel()), way).reshape(len(low), len(_NODES), -1)
        return slopes.mean(axis=1) * (high - low)[:, None]

    edges = np.linspace(0, 1, max(1, steps // 2) + 1)
    values = score.values(points(edges))
    allowed = max(tolerance * abs(values[-1] - values[0]), LEAST)
    parts = np.stack([edges[:-1], edges[1:], values[:-1], values[1:]])
    added = attributed(edges[:-1], edges[1:])
    used = added.shape[0] * len(_NODES)
    while True:
        low, high, begin, end = parts
        missed = np.abs(added.sum(axis=1) - (end - begin))
        narrow = high - low <= _NARROWEST
        most = min(_AT_ONCE, np.count_nonzero(~narrow), (most_steps - used) // (2 * len(_NODES)))
        if missed.sum() <= allowed or missed[narrow].sum() > allowed or most < 1:
            break
        worst = np.argsort(np.where(narrow, 1.0, -missed))[:most]
        left = missed.sum() - missed[worst].cumsum()
        worst = worst[: 1 + np.count_nonzero(left > allowed / 2)]
        middle = (low[worst] + high[worst]) / 2
        between = score.values(points(middle))
        halves = np.concatenate(
            [
                [low[worst], middle, begin[worst], between],
                [middle, high[worst], between, end[worst]],
            ],
            axis=1,
        )
        parts = np.concatenate([np.delete(parts, worst, axis=1), halves], axis=1)
        added = np.concatenate([np.delete(added, worst, axis=0), attributed(halves[0], halves[1])])
        used += halves.shape[1] * len(_NODES)
    return PathIntegral(
        attributions=added.sum(axis=0),
        value=float(values[-1]),
        baseline_value=float(values[0]),
        steps=used,
        residual=float(added.sum() - (values[-1] - values[0])),
        tolerance=float(allowed),
    )
