import numpy as np
import pytest

from applications.sentiment import sample
from zoo.inspect.words import word_spans, word_texts
from zoo.preprocessing import TextPreprocessor, canonical

TEXTS = [
    "It's a film that doesn't work (really)!",
    "no 🎬 sign 日本 of ☃☃ snow... or “quotes” — & dashes",
    "unfathomably x",
    "🎬🎬 🎬",
    "...",
]


@pytest.fixture(scope="module")
def preprocessor():
    return TextPreprocessor.train([*sample.POSITIVE, *sample.NEGATIVE], vocabulary_size=120)


def test_a_word_begins_with_the_first_piece_and_with_each_sign_of_a_space():
    assert word_spans(["▁un", "real", "▁", ",", "▁film"]) == [(0, 2), (2, 4), (4, 5)]
    assert word_spans(["real", "▁film"]) == [(0, 1), (1, 2)]
    assert word_spans(["real"]) == [(0, 1)]


@pytest.mark.parametrize("text", TEXTS)
def test_words_are_those_of_the_canonical_text(preprocessor, text):
    (ids,) = preprocessor([text])
    assert word_texts(text, ids, preprocessor) == canonical(text).split()


def test_the_last_word_of_a_cut_text_is_what_was_read_of_it(preprocessor):
    (ids,) = preprocessor(["a wonderfully slow film"])
    pieces = [preprocessor.pieces()[index] for index in ids]
    start, end = word_spans(pieces)[1]
    assert end - start > 2
    assert word_texts("a wonderfully slow film", ids[: end - 1], preprocessor) == [
        "a",
        "".join(pieces[start : end - 1]).removeprefix("▁"),
    ]


def test_no_words(preprocessor):
    (ids,) = preprocessor([""])
    np.testing.assert_array_equal(ids, [preprocessor.unknown_id])
    assert word_texts("", ids, preprocessor) == ["⁇"]
