"""Raw data to arrays and back: what is trained on data and saved with the model."""

from zoo.preprocessing.text import TextPreprocessor, canonical
from zoo.preprocessing.word_vectors import piece_vectors, read_word_vectors

__all__ = ["TextPreprocessor", "canonical", "piece_vectors", "read_word_vectors"]
