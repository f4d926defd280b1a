"""Metrics on arrays, in NumPy alone: what a task measures of itself, and what scikit-learn does not have."""

from zoo.metrics.calibration import Reliability, calibration_error, reliability
from zoo.metrics.classification import accuracy, classification_metrics, log_loss, macro_f1, roc_auc
from zoo.metrics.forecasting import (
    coverage,
    crps_quantiles,
    interval_width,
    mae,
    mase,
    mse,
    msis,
    naive2,
    owa,
    pinball,
    seasonality_test,
    smape,
)
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
    "coverage",
    "crps_quantiles",
    "interval_width",
    "label_f1",
    "log_loss",
    "macro_f1",
    "mae",
    "mase",
    "micro_f1",
    "mse",
    "msis",
    "multi_label_log_loss",
    "multi_label_macro_f1",
    "multi_label_metrics",
    "multi_label_reliability",
    "naive2",
    "owa",
    "pinball",
    "reliability",
    "roc_auc",
    "seasonality_test",
    "smape",
    "subset_accuracy",
]
