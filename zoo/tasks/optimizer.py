"""The optimiser of all tasks: AdamW with a schedule, and rates that differ from layer to layer."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from zoo.errors import UserError, check_range

Rate = tuple[str, float, int]
"""Where a variable's path must begin, the factor of its learning rate, and the step at which it begins to learn."""


@keras.saving.register_keras_serializable(package="zoo")
class LayerwiseAdamW(keras.optimizers.AdamW):
    """AdamW whose learning rate differs from layer to layer, and is zero until a layer is thawed.

    Args:
        rates: the first whose beginning a variable's path has counts; a variable without one learns at the full
            rate from the start.
        **kwargs: those of `keras.optimizers.AdamW`.
    """

    def __init__(self, rates: Sequence[Rate], **kwargs: Any):
        super().__init__(**kwargs)
        self.rates = [tuple(rate) for rate in rates]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update a variable, as Keras calls it."""
        super().update_step(gradient, variable, learning_rate * self._factor(variable))

    def _apply_weight_decay(self, variables: Sequence[Any]) -> None:
        for variable in variables:
            if self.weight_decay and self._use_weight_decay(variable):
                share = self.weight_decay * ops.cast(self._get_current_learning_rate(), variable.dtype)
                variable.assign(variable * (1 - share * self._factor(variable)))

    def _factor(self, variable: Any) -> Any:
        # TensorFlow hands over its own variables, which have no path
        path = self._trainable_variables[self._get_variable_index(variable)].path
        for beginning, factor, start in self.rates:
            if path.startswith(beginning):
                thawed = ops.cast(self.iterations >= start, variable.dtype)
                return factor * thawed if start else factor
        return 1.0

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__`."""
        return {**super().get_config(), "rates": [list(rate) for rate in self.rates]}


@keras.saving.register_keras_serializable(package="zoo")
class WarmCosine(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises linearly from zero and falls by half a cosine (Loshchilov & Hutter, 2017).

    It is Keras's `CosineDecay` in arithmetic alone: for the branches of that one JAX compiles again whenever it is
    asked for its value.

    Args:
        highest: the rate after the rise.
        rising: steps of the rise; 0: none.
        falling: steps of the fall.
        lowest: share of the highest rate that it falls to.
    """

    def __init__(self, highest: float, rising: int, falling: int, lowest: float):
        super().__init__()
        self.highest, self.rising, self.falling, self.lowest = highest, rising, falling, lowest

    def __call__(self, step: Any) -> Any:
        """Return the rate at a step, a number or tensor."""
        step = ops.cast(step, "float32")
        risen = ops.minimum(step / max(self.rising, 1), 1.0) if self.rising else 1.0
        fallen = ops.clip((step - self.rising) / self.falling, 0.0, 1.0)
        share = (1 - self.lowest) * 0.5 * (1 + ops.cos(math.pi * fallen)) + self.lowest
        return self.highest * risen * share

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__`."""
        return {name: getattr(self, name) for name in ("highest", "rising", "falling", "lowest")}


def make_optimizer(
    learning_rate: float,
    schedule: str,
    warmup: float,
    steps: int,
    weight_decay: float = 0.0,
    clipnorm: float | None = 1.0,
    averaging: float = 0.0,
    rates: Sequence[Rate] = (),
) -> keras.optimizers.Optimizer:
    """Return AdamW (Loshchilov & Hutter, 2019); embeddings and biases do not decay.

    Args:
        learning_rate: at its highest.
        schedule: `"cosine"`, falling to a hundredth, or `"constant"`.
        warmup: share of all steps in which the learning rate rises from zero.
        steps: how many there will be.
        weight_decay: share of a weight that is taken off at each step, times the learning rate.
        clipnorm: the largest norm of all gradients together.
        averaging: momentum of an exponential moving average of the weights; 0: none.
        rates: for layers that learn more slowly or later, see `LayerwiseAdamW`.

    Raises:
        UserError: an unknown schedule, or a number out of range.
    """
    check_range("learning_rate", learning_rate, 0)
    check_range("warmup", warmup, 0, most=1)
    check_range("weight_decay", weight_decay, 0)
    check_range("averaging", averaging, 0, below=1)
    if clipnorm is not None:
        check_range("clipnorm", clipnorm, 0)
    options = {
        "learning_rate": _learning_rate(learning_rate, schedule, warmup, steps),
        "weight_decay": weight_decay,
        "global_clipnorm": clipnorm,
        "use_ema": bool(averaging),
        "ema_momentum": averaging or 0.99,
    }
    optimizer = LayerwiseAdamW(rates, **options) if rates else keras.optimizers.AdamW(**options)
    optimizer.exclude_from_weight_decay(var_names=["bias", "embeddings"])
    return optimizer


def layer_rates(
    layers: Sequence[Sequence[str]], discriminative: float, unfreezing: float, steps: int
) -> list[Rate]:
    """Return the rates of a network's layers (Howard & Ruder, 2018, arXiv 1801.06146, sections 3.2 and 3.3).

    Args:
        layers: for each layer below the head, the topmost first, the beginnings of its variables' paths.
        discriminative: each layer learns so many times more slowly than the one above it; 1: all alike.
        unfreezing: epochs after which the next layer below begins to learn; 0: all at once.
        steps: of an epoch.

    Raises:
        UserError: a number out of range.
    """
    check_range("discriminative", discriminative, 1)
    check_range("gradual_unfreezing", unfreezing, 0)
    if discriminative == 1 and not unfreezing:
        return []
    return [
        (beginning, discriminative**-depth, round(depth * unfreezing * steps))
        for depth, beginnings in enumerate(layers, 1)
        for beginning in beginnings
    ]


def _learning_rate(highest, schedule, warmup, steps):
    """Return a learning rate for Keras: a number, or a schedule over `steps`."""
    if schedule not in ("cosine", "constant"):
        raise UserError(f"schedule: got {schedule!r}; give 'cosine' or 'constant'")
    rising = int(warmup * steps)
    if schedule == "constant" and not rising:
        return highest
    return WarmCosine(highest, rising, max(steps - rising, 1), 1.0 if schedule == "constant" else 0.01)
