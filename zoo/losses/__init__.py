"""Losses that Keras does not have."""

from zoo.losses.grouped_crossentropy import GroupedCrossentropy, grouped_logits
from zoo.losses.likelihoods import LIKELIHOODS, Gaussian, Likelihood, NegativeBinomial, StudentT
from zoo.losses.multi_label_crossentropy import MultiLabelCrossentropy
from zoo.losses.quantile import QuantileLoss, check_quantiles
from zoo.losses.sampled_softmax import draw_log_uniform, log_uniform, sampled_softmax_nll, softmax_nll

__all__ = [
    "LIKELIHOODS",
    "Gaussian",
    "GroupedCrossentropy",
    "Likelihood",
    "MultiLabelCrossentropy",
    "NegativeBinomial",
    "QuantileLoss",
    "StudentT",
    "check_quantiles",
    "draw_log_uniform",
    "grouped_logits",
    "log_uniform",
    "sampled_softmax_nll",
    "softmax_nll",
]
