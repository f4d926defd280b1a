"""The optimiser of all tasks: AdamW with a schedule."""

import keras

from zoo.errors import UserError


def make_optimizer(
    learning_rate: float,
    schedule: str,
    warmup: float,
    steps: int,
    weight_decay: float = 0.0,
    clipnorm: float | None = 1.0,
    averaging: float = 0.0,
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

    Raises:
        UserError: an unknown schedule.
    """
    optimizer = keras.optimizers.AdamW(
        _learning_rate(learning_rate, schedule, warmup, steps),
        weight_decay=weight_decay,
        global_clipnorm=clipnorm,
        use_ema=bool(averaging),
        ema_momentum=averaging or 0.99,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "embeddings"])
    return optimizer


def _learning_rate(highest, schedule, warmup, steps):
    """Return a learning rate for Keras: a number, or a schedule over `steps`."""
    if schedule not in ("cosine", "constant"):
        raise UserError(f"schedule: got {schedule!r}; give 'cosine' or 'constant'")
    rising = int(warmup * steps)
    if schedule == "constant" and not rising:
        return highest
    return keras.optimizers.schedules.CosineDecay(
        0.0 if rising else highest,
        max(steps - rising, 1),
        alpha=1.0 if schedule == "constant" else 0.01,
        warmup_target=highest if rising else None,
        warmup_steps=rising,
    )
