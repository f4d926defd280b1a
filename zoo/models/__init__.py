"""Networks without a task: tensors in, tensors out."""

from zoo.models.classifier import RecurrentClassifier
from zoo.models.language_model import RecurrentLanguageModel
from zoo.models.sequence_to_sequence import RecurrentSequenceToSequence

__all__ = ["RecurrentClassifier", "RecurrentLanguageModel", "RecurrentSequenceToSequence"]
