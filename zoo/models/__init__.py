"""Networks without a task: tensors in, tensors out."""

from zoo.models.classifier import RecurrentClassifier

__all__ = ["RecurrentClassifier"]
