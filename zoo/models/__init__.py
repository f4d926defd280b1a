"""Networks without a task: tensors in, tensors out."""

from zoo.models.classifier import RecurrentClassifier
from zoo.models.language_model import RecurrentLanguageModel

__all__ = ["RecurrentClassifier", "RecurrentLanguageModel"]
