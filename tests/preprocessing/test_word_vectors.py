"""Word vectors from text files, and the fault of every file that is none."""

import gzip
import lzma

import numpy as np
import pytest

from zoo.errors import UserError
from zoo.preprocessing import TextPreprocessor, piece_vectors, read_word_vectors

GLOVE = "the 1 2 3\nfilm 0.5 -1e-2 4\n. . . 7 8 9\nthe 0 0 0\nn't 1 1 1\n"


@pytest.mark.parametrize("header", ["", "5 3\n"])
@pytest.mark.parametrize(("suffix", "pack"), [("", bytes), (".gz", gzip.compress), (".xz", lzma.compress)])
def test_read(tmp_path, header, suffix, pack):
    file = tmp_path / f"vectors.txt{suffix}"
    file.write_bytes(pack((header + GLOVE).encode()))
    vectors = read_word_vectors(file)
    assert list(vectors) == ["the", "film", ". . .", "n't"]
    np.testing.assert_array_equal(vectors["the"], np.array([1, 2, 3], np.float32))
    np.testing.assert_array_equal(vectors["film"], np.array([0.5, -0.01, 4], np.float32))
    assert vectors["the"].dtype == np.float32
    assert list(read_word_vectors(file, {"film", "absent"})) == ["film"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no word vectors"),
        ("2 3\n", "holds no word vectors"),
        ("a 1 2\nb 1\n", r"v\.txt:2: found 1 numbers, expected 2"),
        ("a 1 2\n\n", r"v\.txt:2: found 0 numbers, expected 2"),
        ("a\n", r"v\.txt:1: found 0 numbers"),
        ("a 1 2\nb 1 x\n", r"v\.txt:2: could not convert string to float: 'x'; every word must"),
        ("a 1 2\nb 1 nan\n", r"v\.txt:2: the vector of 'b' is not finite"),
        ("a 1 1e99\n", r"v\.txt:1: the vector of 'a' is not finite"),
        ("3 2\na 1 2\nb 1 2\n", "promises 3 words, found 2"),
        ("9 0\na 1\n", r"v\.txt:2: found 0 numbers"),
    ],
)
def test_faults(tmp_path, text, message):
    file = tmp_path / "v.txt"
    file.write_text(text)
    with pytest.raises(UserError, match=message):
        read_word_vectors(file)


def test_not_text(tmp_path):
    file = tmp_path / "v.bin"
    file.write_bytes(b"3 2\na \x80\x3f\xff")
    with pytest.raises(UserError, match=r"v\.bin:2: not UTF-8"):
        read_word_vectors(file)


def test_piece_vectors(tmp_path):
    texts = ["the film doesn't work", "the film works", "a film of the year"] * 5
    made = TextPreprocessor.train(texts, vocabulary_size=60, model_type="bpe")
    file = tmp_path / "v.txt"
    file.write_text(GLOVE)
    matrix, covered = piece_vectors(made, file)
    pieces = made.pieces()
    assert matrix.shape == (made.vocabulary_size, 3)
    assert "▁film" in pieces
    np.testing.assert_array_equal(matrix[pieces.index("▁film")], np.array([0.5, -0.01, 4], np.float32))
    assert {pieces[row] for row in np.flatnonzero(covered)} <= {"▁the", "▁film", "▁n't"}
    np.testing.assert_array_equal(matrix[~covered], 0)
    file.write_text("zzz 1 2\n")
    with pytest.raises(UserError, match="holds none of the"):
        piece_vectors(made, file)
