"""Cross-entropy of labels that a text may have each for itself."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class MultiLabelCrossentropy(keras.losses.Loss):
    """Mean over the labels of each one's cross-entropy between presence y and the logit z, in nats.

        loss = 1/k Σ_j [w1_j·y_j·softplus(−z_j) + w0_j·(1 − y_j)·softplus(z_j)]

    `y_true` is 1 where a label is present, 0 where it is absent (batch, labels); `y_pred` are logits (batch,
    labels), whose logistic functions are the probabilities.

    Args:
        label_smoothing: share of each y that is put half-way between 0 and 1.
        weights: for each label the weights [w0, w1] of its absence and its presence; None: all 1.
    """

    def __init__(self, label_smoothing=0.0, weights=None, name="multi_label_crossentropy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.label_smoothing = label_smoothing
        self.weights = weights

    def call(self, y_true, y_pred):
        """Return the loss of each row, (batch,)."""
        y = ops.cast(y_true, y_pred.dtype)
        y = (1 - self.label_smoothing) * y + self.label_smoothing / 2
        present, absent = y * ops.softplus(-y_pred), (1 - y) * ops.softplus(y_pred)
        if self.weights is not None:
            weights = ops.convert_to_tensor(self.weights, dtype=y_pred.dtype)
            present, absent = weights[:, 1] * present, weights[:, 0] * absent
        return ops.mean(present + absent, axis=-1)

    def get_config(self):
        """Return the arguments of `__init__`."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing, "weights": self.weights}
