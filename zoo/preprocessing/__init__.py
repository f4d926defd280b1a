"""Raw data to arrays and back: what is trained on data and saved with the model."""

from zoo.preprocessing.series import SeriesPreprocessor
from zoo.preprocessing.text import TextPreprocessor, canonical
from zoo.preprocessing.translation import TranslationPreprocessor
from zoo.preprocessing.word_vectors import piece_vectors, read_word_vectors

__all__ = [
    "SeriesPreprocessor",
    "TextPreprocessor",
    "TranslationPreprocessor",
    "canonical",
    "piece_vectors",
    "read_word_vectors",
]
