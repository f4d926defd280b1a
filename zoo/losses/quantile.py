"""The loss of a network that forecasts quantiles."""

import keras
from keras import ops

from zoo.errors import UserError


@keras.saving.register_keras_serializable(package="zoo")
class QuantileLoss(keras.losses.Loss):
    """Sum over the quantiles of the pinball losses (Koenker & Bassett, 1978, Econometrica 46(1)).

        loss = Σ_q max(q·(y − f_q), (q − 1)·(y − f_q))

    `y_true` (batch, horizon) are the values; `y_pred` (batch, horizon, quantiles) is a forecast for each quantile. A
    value that is nan has no loss and no gradient, nor has one with a `sample_weight` (batch, horizon) of 0.

    Args:
        quantiles: the q of each column, between 0 and 1.

    Raises:
        UserError: there are no quantiles, or one is not between 0 and 1.
    """

    def __init__(self, quantiles, name="quantile_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        self.quantiles = [float(each) for each in quantiles]
        if not self.quantiles or not all(0 < each < 1 for each in self.quantiles):
            raise UserError(f"quantiles: got {self.quantiles}; give at least one number between 0 and 1")

    def call(self, y_true, y_pred):
        """Return the loss of each step, (batch, horizon)."""
        y = ops.cast(y_true, y_pred.dtype)[..., None]
        q = ops.convert_to_tensor(self.quantiles, dtype=y_pred.dtype)
        error = ops.where(ops.isnan(y), ops.zeros_like(y_pred), y - y_pred)
        return ops.sum(ops.maximum(q * error, (q - 1) * error), axis=-1)

    def get_config(self):
        """Return the arguments of `__init__`."""
        return {**super().get_config(), "quantiles": self.quantiles}


def check_quantiles(name, quantiles):
    """Return levels of quantiles as a list.

    Args:
        name: what the message begins with.
        quantiles: they must rise between 0 and 1.

    Raises:
        UserError: they do not, or there are none.
    """
    quantiles = list(quantiles)
    if not quantiles or any(low >= high for low, high in zip([0, *quantiles], [*quantiles, 1], strict=True)):
        raise UserError(
            f"{name}: quantiles must rise between 0 and 1, not {quantiles}: give (0.1, 0.5, 0.9), say"
        )
    return quantiles
