"""Pre-trained word vectors from word2vec and GloVe text files."""

from collections.abc import Container
from pathlib import Path

import numpy as np

from zoo.errors import UserError
from zoo.preprocessing.lines import read_lines
from zoo.preprocessing.text import TextPreprocessor


def read_word_vectors(path: str | Path, vocabulary: Container[str] | None = None) -> dict[str, np.ndarray]:
    """Read a text file of word vectors, line by line.

    Each line holds a word and its numbers, separated by single spaces; word2vec's text format begins with a
    line of two whole numbers (words, dimensions), GloVe's has no such line. The name may end in `.gz` or
    `.xz`. A word may hold spaces. Of a word that occurs twice the first vector counts.

    Args:
        path: the file.
        vocabulary: the words wanted; None keeps all (a large file needs much memory).

    Returns:
        word -> float32 array (dimensions,).

    Raises:
        UserError: `file:line` with what was found there: another number of numbers, something that is not a
            finite number, fewer words than the first line promises, an empty file.
    """
    vectors: dict[str, np.ndarray] = {}
    dimensions = promised = None
    words = 0
    for number, line in read_lines(path):
        line = line.rstrip(" \r\n")
        if number == 1:
            first = line.split(" ")
            if len(first) == 2 and all(part.isdecimal() for part in first):
                promised, dimensions = map(int, first)
                continue
        if dimensions is None:
            dimensions = line.count(" ")
        word, *numbers = line.rsplit(" ", dimensions)
        if not dimensions or not word or len(numbers) != dimensions:
            raise UserError(
                f"{path}:{number}: found {len(numbers)} numbers, expected {dimensions or 'some'}; "
                "is this word2vec or GloVe text?"
            )
        words += 1
        if word in vectors or (vocabulary is not None and word not in vocabulary):
            continue
        try:
            with np.errstate(over="ignore"):  # infinite: refused below
                vector = np.array(numbers, np.float32)
        except ValueError as fault:
            raise UserError(
                f"{path}:{number}: {fault}; every word must be followed by {dimensions} numbers"
            ) from None
        if not np.isfinite(vector).all():
            raise UserError(f"{path}:{number}: the vector of {word!r} is not finite; leave it out")
        vectors[word] = vector
    if not words:
        raise UserError(f"{path}: holds no word vectors; give a word2vec or GloVe text file")
    if promised is not None and words != promised:
        raise UserError(f"{path}: the first line promises {promised} words, found {words}; fetch it again")
    return vectors


def piece_vectors(preprocessor: TextPreprocessor, path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the vectors of the pieces that are whole words.

    A piece that begins a word ("▁film") takes that word's vector; inner pieces, padding and unknown have
    none.

    Args:
        preprocessor: whose pieces to look up.
        path: a word2vec or GloVe text file (see `read_word_vectors`).

    Returns:
        A row for each id: the vectors, float32 (count, dimensions), zeros where there is none, and where there is one,
        booleans (count,).

    Raises:
        UserError: a fault of the file, or no piece is covered.
    """
    pieces = enumerate(preprocessor.pieces())
    words = {piece[1:]: index for index, piece in pieces if piece.startswith("▁") and len(piece) > 1}
    vectors = read_word_vectors(path, words)
    if not vectors:
        raise UserError(f"{path}: holds none of the {len(words)} words wanted; is it another language?")
    matrix = np.zeros((preprocessor.vocabulary_size, len(next(iter(vectors.values())))), np.float32)
    covered = np.zeros(preprocessor.vocabulary_size, bool)
    for word, vector in vectors.items():
        matrix[words[word]] = vector
        covered[words[word]] = True
    return matrix, covered
