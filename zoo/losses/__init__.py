"""Losses that Keras does not have."""

from zoo.losses.grouped_crossentropy import GroupedCrossentropy, grouped_logits

__all__ = ["GroupedCrossentropy", "grouped_logits"]
