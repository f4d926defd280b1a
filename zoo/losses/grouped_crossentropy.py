"""Cross-entropy of labels that are groups of the classes a network tells apart."""

import keras
from keras import ops


def grouped_logits(logits, groups):
    """Return logits of labels from logits of classes.

    A label's probability is the sum of those of its classes, over the sum of those of all labels: logits of
    labels are log-sum-exps of those of classes. Classes of no group, such as a neutral one, fall out.

    Args:
        logits: (..., classes).
        groups: for each label the list of its classes.

    Returns:
        (..., labels).
    """
    return ops.stack([ops.logsumexp(ops.take(logits, group, axis=-1), axis=-1) for group in groups], axis=-1)


@keras.saving.register_keras_serializable(package="zoo")
class GroupedCrossentropy(keras.losses.Loss):
    """Cross-entropy between distributions and logits, in nats.

    `y_true` is a distribution over all classes (batch, classes), or, where `groups` are given and it has as
    many columns as there are groups, one over the labels (batch, labels); `y_pred` are logits (batch, classes).

    Args:
        groups: for each label the list of its classes, or None.
        label_smoothing: share of each distribution that is spread evenly.
    """

    def __init__(self, groups=None, label_smoothing=0.0, name="grouped_crossentropy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.groups = groups
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        """Return the loss of each row, (batch,)."""
        if self.groups and y_true.shape[-1] == len(self.groups):
            y_pred = grouped_logits(y_pred, self.groups)
        y_true = ops.cast(y_true, y_pred.dtype)
        y_true = (1 - self.label_smoothing) * y_true + self.label_smoothing / y_true.shape[-1]
        return -ops.sum(y_true * ops.log_softmax(y_pred, axis=-1), axis=-1)

    def get_config(self):
        """Return the arguments of `__init__`."""
        return {**super().get_config(), "groups": self.groups, "label_smoothing": self.label_smoothing}
