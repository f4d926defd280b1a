"""Metrics on arrays, in NumPy alone: what a task measures of itself, and what scikit-learn does not have."""

from zoo.metrics.calibration import Reliability, calibration_error, reliability
from zoo.metrics.classification import accuracy, classification_metrics, log_loss, macro_f1, roc_auc

__all__ = [
    "Reliability",
    "accuracy",
    "calibration_error",
    "classification_metrics",
    "log_loss",
    "macro_f1",
    "reliability",
    "roc_auc",
]
