"""What a forecaster does with its network: calls of it, losses, weights of series."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.errors import UserError, unknown
from zoo.losses import QuantileLoss
from zoo.models import ForecastEnsemble
from zoo.tasks.compiling import compiled
from zoo.tasks.forecast_networks import members_of
from zoo.tasks.windows import Column

BATCH = 256  # windows that the network is given at a time
ROWS = 16_384  # paths that are drawn at a time


# --- calls of the network ------------------------------------------------------------------------------------


class Predictor:
    """Calls a forecasting network on windows, batch by batch, compiled once for a horizon.

    Args:
        network: a forecaster of `zoo.models`, or a `ForecastEnsemble` of them; weights of now count.
    """

    def __init__(self, network: keras.Model):
        self.network = network
        self.draws = hasattr(members_of(network)[0], "sample")
        self.smooths = hasattr(members_of(network)[0], "forecast")
        self.quantiles = network.config.get("quantiles")
        self._functions: dict[Any, Callable] = {}

    def __call__(self, inputs: Mapping[str, Column | np.ndarray], horizon: int) -> np.ndarray:
        """Return forecasts (count, horizon, quantiles), or (count, horizon, 1) of a network without quantiles.

        Args:
            inputs: columns, as `Windows.inputs` returns them.
            horizon: steps, at most those the network was made for.
        """
        found = [self._function(horizon, batch)(batch)[:rows] for batch, rows in _batches(inputs, BATCH)]
        found = np.concatenate([ops.convert_to_numpy(each) for each in found])
        if isinstance(self.network, ForecastEnsemble):
            found = found.mean(axis=1)
        return found if self.quantiles else found[..., None]

    def paths_quantiles(
        self,
        inputs: Mapping[str, Column | np.ndarray],
        horizon: int,
        probabilities: Sequence[float],
        paths: int,
        seed: int,
    ) -> np.ndarray:
        """Return quantiles (count, horizon, probabilities) of `paths` paths that are drawn for each window."""
        found = []
        for number, (batch, rows) in enumerate(_batches(inputs, max(ROWS // paths, 1))):
            own = np.int32((seed + 7919 * number) % (2**30))
            drawn = ops.convert_to_numpy(self._function((horizon, paths), batch)(batch, own))[:rows]
            found.append(np.moveaxis(np.quantile(drawn, probabilities, axis=1), 0, -1).astype("float32"))
        return np.concatenate(found)

    def _function(self, how, batch):
        """Return what computes forecasts of a batch: of a horizon, or by (horizon, paths)."""
        key = (how, tuple(batch))
        if key not in self._functions:
            tensors = {
                name: keras.KerasTensor((None, *array.shape[1:]), array.dtype.name)
                for name, array in batch.items()
            }
            drawn = [keras.KerasTensor((), "int32")] if isinstance(how, tuple) else []
            self._functions[key] = compiled(self.network, self._computing(how), tensors, *drawn)
        return self._functions[key]

    def _computing(self, how):
        network = self.network
        if isinstance(how, tuple):
            return lambda inputs, seed: network.sample(inputs, how[1], seed, how[0])
        if self.smooths:  # the task's scale is the logarithm
            steps, axis = range(how), 1 + isinstance(network, ForecastEnsemble)
            return lambda inputs: ops.log(ops.take(network.forecast(inputs), list(steps), axis=axis))
        return lambda inputs: network.call(inputs, training=False, horizon=how)


def _batches(inputs, size):
    """Yield the rows of columns, `size` at a time, as arrays, and how many they are; for JAX in few shapes."""
    count = len(inputs["values"])
    for first in range(0, count, size):
        batch = {name: column[first : first + size] for name, column in inputs.items()}
        rows = min(size, count - first)
        if keras.backend.backend() == "jax":
            more = min(1 << (rows - 1).bit_length(), size) - rows
            batch = {
                name: np.concatenate([each, each[:1].repeat(more, axis=0)]) for name, each in batch.items()
            }
        yield batch, rows


# --- losses --------------------------------------------------------------------------------------------------

POINT_LOSSES: dict[str, Callable] = {
    "mae": ops.abs,
    "mse": ops.square,
    "huber": lambda error: ops.where(ops.abs(error) < 1, ops.square(error) / 2, ops.abs(error) - 0.5),
}
"""Losses of an error in the scale that the network learns in; Huber's (1964) bends at 1."""


class WeightedLoss(keras.losses.Loss):
    """Loss of forecasts (batch, horizon), or (batch, horizon, quantiles), behind the batch a further axis of members.

    The targets (batch, horizon, 2) hold the values, and weights that the losses are multiplied by.

    Args:
        kind: one of `POINT_LOSSES`, for forecasts without quantiles.
        quantiles: levels of the quantiles, whose loss is the pinball loss; None: there are none.
        steps: (horizon,) what each step weighs; None: all alike.

    Raises:
        UserError: an unknown loss.
    """

    def __init__(
        self,
        kind: str = "mae",
        quantiles: Sequence[float] | None = None,
        steps: np.ndarray | None = None,
    ):
        super().__init__(name="weighted_loss")
        if kind not in POINT_LOSSES:
            raise unknown("loss", kind, POINT_LOSSES)
        self.kind = kind
        self.pinball = None if quantiles is None else QuantileLoss(quantiles)
        self.steps = steps

    def call(self, y_true, y_pred):
        """Return the weighted loss of each step."""
        members = ops.ndim(y_pred) - 2 - (self.pinball is not None)
        value, weight = (y_true[:, None, :, part] if members else y_true[..., part] for part in (0, 1))
        if self.steps is not None:
            weight = weight * ops.convert_to_tensor(self.steps, weight.dtype)
        if self.pinball is not None:
            return self.pinball.call(value, y_pred) * weight
        return POINT_LOSSES[self.kind](value - y_pred) * weight


class NetworkLoss(keras.losses.Loss):
    """What a network returns, its own loss (batch,) or (batch, members), times weights (batch,)."""

    def __init__(self):
        super().__init__(name="network_loss")

    def call(self, y_true, y_pred):
        """Return the weighted losses."""
        return ops.reshape(ops.cast(y_true, y_pred.dtype), (-1, *[1] * (ops.ndim(y_pred) - 1))) * y_pred


def step_weights(horizons: Sequence[int], most: int) -> np.ndarray:
    """Return what each of `most` steps weighs, (most,), if the mean of losses over these horizons is to fall.

    A step counts in each horizon that it lies in, by the share that it has there; the mean weight is 1.

    Args:
        horizons: the first so many steps, from 1 to `most`.
        most: steps that are forecast.

    Raises:
        UserError: no horizon, or one out of range.
    """
    horizons = list(horizons)
    if not horizons or any(type(each) is not int or not 1 <= each <= most for each in horizons):
        raise UserError(
            f"horizons: got {horizons}; give whole numbers from 1 to {most}, the steps that are forecast"
        )
    weights = np.zeros(most)
    for each in horizons:
        weights[:each] += most / each / len(horizons)
    return weights


WEIGHTINGS = ("none", "mase", "smape", "owa")


def series_weights(
    weighting: str, values: Sequence[np.ndarray], units: np.ndarray, period: int
) -> np.ndarray:
    """Return what the loss of each series weighs, (series,), 1 in the mean, so that a metric falls with the loss.

        mase    unit / naive                          naive: mean |y_t − y_{t−m}|
        smape   unit / level                          level: mean |y|
        owa     unit / level / mean(naive / level) + unit / naive

    An absolute error in units of the network's scale, so weighted, is its share of MASE or sMAPE; of OWA where Naive 2
    errs in proportion to the naive forecast. A series that has no such error, or level, weighs 0.

    Args:
        weighting: one of `WEIGHTINGS`.
        values: for each series its training part, (time,); NaN is missing.
        units: (series,) what 1 in the network's scale is in the unit of the values.
        period: m.

    Raises:
        UserError: an unknown weighting.
    """
    if weighting not in WEIGHTINGS:
        raise unknown("weighting", weighting, WEIGHTINGS)
    if weighting == "none":
        return np.ones(len(values))
    naive = np.array([_mean(np.abs(y[period:] - y[:-period])) for y in values])
    level = np.array([_mean(np.abs(y)) for y in values])
    by_naive, by_level = _share(units, naive), _share(units, level)
    relative = np.mean(_share(naive, level)) or 1.0
    weights = {"mase": by_naive, "smape": by_level, "owa": by_level / relative + by_naive}[weighting]
    return weights / weights.mean() if weights.any() else np.ones(len(values))


def _mean(numbers):
    numbers = numbers[~np.isnan(numbers)]
    return numbers.mean() if len(numbers) else 0.0


def _share(numbers, of):
    """Return the quotients, 0 where there is none."""
    return np.where(of > 0, numbers / np.where(of > 0, of, 1), 0.0)
