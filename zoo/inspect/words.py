"""Words: the pieces of a text that stand together."""

from collections.abc import Sequence

import numpy as np

from zoo.preprocessing import TextPreprocessor, canonical


def word_spans(pieces: Sequence[str]) -> list[tuple[int, int]]:
    """Return (start, end) of each word: one begins with the first piece, and with every piece that "▁" begins."""
    starts = [place for place, piece in enumerate(pieces) if place == 0 or piece.startswith("▁")]
    return list(zip(starts, [*starts[1:], len(pieces)], strict=True))


def word_texts(text: str, ids: np.ndarray, preprocessor: TextPreprocessor) -> list[str]:
    """Return the words of a text, for each span of its pieces the part of the canonical text that it stands for.

    Args:
        text: the raw text.
        ids: its ids (time,), or the first ones of them.
        preprocessor: what made them.
    """
    known = preprocessor.pieces()
    whole = canonical(text, preprocessor.lowercase).split()
    found = []
    for number, (start, end) in enumerate(word_spans([known[index] for index in ids])):
        if preprocessor.unknown_id in ids[start:end] and number < len(whole):
            found.append(whole[number])  # the id of the unknown does not say what it stands for
        else:
            found.append(preprocessor.detokenize(ids[start:end]))
    return found
