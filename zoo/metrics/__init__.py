"""Metrics on arrays, in NumPy alone: what a task measures of itself, and what scikit-learn does not have."""

from zoo.metrics.calibration import Reliability, calibration_error, reliability
from zoo.metrics.classification import accuracy, classification_metrics, log_loss, macro_f1, roc_auc
from zoo.metrics.multi_label import (
    label_f1,
    micro_f1,
    multi_label_log_loss,
    multi_label_macro_f1,
    multi_label_metrics,
    multi_label_reliability,
    subset_accuracy,
)

__all__ = [
    "Reliability",
    "accuracy",
    "calibration_error",
    "classification_metrics",
    "label_f1",
    "log_loss",
    "macro_f1",
    "micro_f1",
    "multi_label_log_loss",
    "multi_label_macro_f1",
    "multi_label_metrics",
    "multi_label_reliability",
    "reliability",
    "roc_auc",
    "subset_accuracy",
]
