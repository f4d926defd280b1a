"""Sentences of two languages to ids of joint subword pieces, and back."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from zoo.errors import UserError
from zoo.preprocessing.text import ASSET, check_size, encode, load_pieces, saved_pieces, train_pieces
from zoo.presets import schema

_CONTROLS = 2
_SCHEMA = {
    "kind": schema.Choice(["translation"]),
    "max_length": schema.Integer(4, 1_000_000),
    "vocabulary_size": schema.Integer(5, 1_000_000),
}
_VANISH = "\u00ad\u200b\u2060\ufeff"  # soft hyphen, zero-width space, word joiner, BOM
_PIECE_SPACE = 0x2581  # ▁: how SentencePiece writes the space
_SPACES = [*range(32), *range(127, 160), *range(0xD800, 0xE000), _PIECE_SPACE]
_CHARACTERS = dict.fromkeys(map(ord, _VANISH)) | dict.fromkeys(_SPACES, " ")
_SENTENCE_END = re.compile(  # a closing quotation mark (German has “ and «) or bracket may follow the sign
    r"""(?:(?<=[.!?…])|(?<=[.!?…]["'»«”“’‘)\]]))\s+(?=[^\s\d,;.!?a-zà-öø-ÿ])|(?<=[。！？])"""
)
_ABBREVIATION = re.compile(  # what stands before a full stop that ends no sentence; "I" is a word in English
    r"""(?<![^\s("'„“”‘’«»\[])
    (?: \d{1,2} | (?!I\.)[^\W\d_] | (?:[^\W\d_]{1,2}\.)+[^\W\d_]{1,3}
      | Mr | Mrs | Ms | Mx | Dr | Drs | Prof | St | Ste | Sr | Jr | Gen | Col | Capt | Lt | Sgt | Rev | Gov | Sen
      | Mt | vs | Vol | Fig | Hr | Hrn | Fr | Frl | Nr | Bd | Abb | Tel | bzw | ca | vgl | evtl | ggf | inkl | sog
      | Sra | Srta | Dra | Mme | Mlle | Mgr )\.$""",
    re.VERBOSE,
)
_BREAKS = ("；;:：—–", ",，、", None)  # where a sentence that is too long is cut: the best place first


def clean(text: str) -> str:
    """Return `text` in Unicode's form NFC, control characters and runs of white space as one space each."""
    return " ".join(unicodedata.normalize("NFC", text.translate(_CHARACTERS)).split())


def _sentences(text: str) -> list[str]:
    found, start = [], 0
    for gap in _SENTENCE_END.finditer(text):
        if not _ABBREVIATION.search(text, max(start, gap.start() - 20), gap.start()):
            found.append(text[start : gap.start()])
            start = gap.end()
    return [sentence for sentence in (*found, text[start:]) if sentence]


class TranslationPreprocessor:
    """SentencePiece subwords that two languages share: sentences to arrays of ids.

    Id 0 is padding, 1 what no piece covers, 2 starts a translation, 3 ends a sentence. No text becomes one of
    them: `<s>`, `</s>` and `<unk>` that a user types are ordinary characters.

    Args:
        model: a SentencePiece model as bytes, as `train` makes it.
        max_length: the most ids of a sentence, its end included; `parts` cuts longer ones.

    Raises:
        UserError: `model` is not a SentencePiece model of this kind, or `max_length` is below 4.
    """

    pad_id, unknown_id, start_id, end_id = range(4)

    def __init__(self, model: bytes, *, max_length: int = 100):
        if isinstance(max_length, bool) or not isinstance(max_length, int) or max_length < 4:
            raise UserError(f"max_length: got {max_length!r}; give a whole number of at least 4")
        self.model = bytes(model)
        self.max_length = max_length
        self._pieces = load_pieces(self.model, _CONTROLS)

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        *,
        vocabulary_size: int = 8000,
        model_type: str = "bpe",
        max_length: int = 100,
        seed: int = 0,
    ) -> "TranslationPreprocessor":
        """Learn the pieces from sentences of both languages together; the same arguments give the same bytes.

        Args:
            texts: sentences; empty ones are left out. Of more than a million, a million are drawn by `seed`.
            vocabulary_size: how many ids; fewer are made when the texts do not hold so many pieces.
            model_type: `"bpe"` (Sennrich et al., 2016) or `"unigram"` (Kudo, 2018).
            max_length: as in the constructor.
            seed: for the draw.

        Raises:
            UserError: no text at all, or fewer ids than there are different characters.
        """
        cleaned = [text for text in map(clean, texts) if text]
        model = train_pieces(cleaned, vocabulary_size, model_type, seed, _CONTROLS)
        return cls(model, max_length=max_length)

    @property
    def vocabulary_size(self) -> int:
        """The number of ids."""
        return self._pieces.vocab_size()

    def __call__(
        self, texts: Sequence[str], *, sample: np.random.Generator | None = None, alpha: float = 0.1
    ) -> list[np.ndarray]:
        """Return for each text its ids with the end behind them, int32 (length,), however long it is.

        Args:
            texts: raw texts.
            sample: draws another segmentation each time, None: the best one; see `TextPreprocessor`.
            alpha: how freely: for BPE the share of merges left out (Provilkov et al., 2020).
        """
        if isinstance(texts, str):
            raise UserError("texts: got one string; give a list of texts")
        encoded = encode(self._pieces, [clean(text) for text in texts], sample, alpha)
        return [np.array([*ids, self.end_id], np.int32) for ids in encoded]

    def targets(
        self, texts: Sequence[str], *, sample: np.random.Generator | None = None, alpha: float = 0.1
    ) -> list[np.ndarray]:
        """Return for each text its ids between start and end, int32 (length,); the arguments are those of a call."""
        encoded = self(texts, sample=sample, alpha=alpha)
        return [np.concatenate([[self.start_id], ids]).astype(np.int32) for ids in encoded]

    def parts(self, text: str) -> list[str]:
        """Return the sentences of a text, each short enough for `max_length` ids; none of a blank text.

        A sentence ends with its sign before a space and something that may begin one, but not with a common
        abbreviation ("Dr.", "z.B."), a letter ("J.") or a number of one or two digits ("3. Oktober"). One that is too
        long is cut behind a semicolon, colon or dash, else behind a comma, else between words; a word that is too
        long, between letters.
        """
        found: list[str] = []
        for sentence in _sentences(clean(text)):
            found += self._short(sentence, 0)
        return found

    def detokenize(self, ids: Iterable[int]) -> str:
        """Return the text of ids, (time,): what is no piece is left out, the unknown id is "⁇".

        Raises:
            UserError: an id outside the vocabulary.
        """
        ids = [int(index) for index in ids]
        for index in ids:
            if not 0 <= index < self.vocabulary_size:
                raise UserError(f"ids: found {index}; they go from 0 to {self.vocabulary_size - 1}")
        signs = (self.pad_id, self.start_id, self.end_id)
        return self._pieces.decode([index for index in ids if index not in signs]).strip()

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """Return the piece of each id, (time,); "▁" stands for the space before a word, "</s>" for the end."""
        return [self._pieces.id_to_piece(int(index)) for index in ids]

    def to_preset(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """Return what a preset keeps: the dictionary of `preprocessor.json`, and the assets by file name."""
        config = {
            "kind": "translation",
            "max_length": self.max_length,
            "vocabulary_size": self.vocabulary_size,
        }
        return config, {ASSET: self.model}

    @classmethod
    def from_preset(cls, config: dict[str, Any], assets: Mapping[str, bytes]) -> "TranslationPreprocessor":
        """Make the preprocessor that `to_preset` described; neither argument is trusted.

        Raises:
            UserError: a wrong key or value, a missing asset, a damaged model, or another vocabulary size.
        """
        config = schema.check(config, _SCHEMA, "preprocessor.json")
        made = cls(saved_pieces(assets), max_length=config["max_length"])
        check_size(config, made.vocabulary_size)
        return made

    def _fits(self, text: str) -> bool:
        return len(self._pieces.encode(text)) < self.max_length

    def _short(self, sentence: str, level: int) -> list[str]:
        """Return a sentence in parts that fit, cut at the signs of `level` or, where that is not enough, later ones."""
        if self._fits(sentence):
            return [sentence]
        if level == len(_BREAKS):
            middle = len(sentence) // 2
            halves = (sentence[:middle].strip(), sentence[middle:].strip())
            return [part for half in halves for part in self._short(half, level)]
        signs = _BREAKS[level]
        units = sentence.split() if signs is None else re.split(rf"(?<=[{signs}])\s*", sentence)
        found, now = [], ""
        for unit in filter(None, units):
            longer = f"{now} {unit}".strip()
            if now and not self._fits(longer):
                found.append(now)
                longer = unit
            now = longer
        return [part for unit in [*found, now] for part in self._short(unit, level + 1)]
