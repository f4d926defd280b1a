"""Raw text to ids of subword pieces, and back."""

import html
import io
import math
import re
import textwrap
import threading
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import sentencepiece

from zoo.errors import UserError, unknown
from zoo.presets import schema

ASSET = "tokenizer.model"
_TRUNCATIONS = ("head", "tail", "both")
_SCHEMA = {
    "kind": schema.Choice(["text"]),
    "lowercase": schema.Boolean(),
    "max_length": schema.Integer(1, 1_000_000),
    "truncation": schema.Optional(schema.Choice(_TRUNCATIONS), default="head"),
    "vocabulary_size": schema.Integer(3, 1_000_000),
}
_CHARACTERS_PER_ID = 32  # of a text, so many characters for each id wanted are read: pieces have at most 16
_MAX_TEXTS = 1_000_000
_SEEDING = threading.Lock()  # SentencePiece has one seed for the whole process

_VANISH = "\u00ad\u200c\u200d\u2060\ufe0e\ufe0f\ufeff"  # soft hyphen, joiners, variation selectors, BOM
_CHARACTERS = (
    dict.fromkeys(map(ord, _VANISH))
    | dict.fromkeys([*range(32), *range(127, 160), *range(0xD800, 0xE000), ord("\\"), 0x200B], " ")
    | dict.fromkeys(map(ord, "‘’‚‛′`´"), "'")
    | dict.fromkeys(map(ord, "“”„‟«»"), '"')
    | {ord("–"): "--", ord("—"): "--", ord("―"): "--", ord("⁄"): "/", ord("−"): "-", ord("‐"): "-"}
)
_ACCENT = re.compile("(?<=[a-z])[\u0300-\u036f]+")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]\w{1,30});")
_W = r"[^\s!-/:-@\[-`{-¿×÷\u2010-\u2bff\u3000-\u303f\U0001f000-\U0001faff]"
_NOT, _CLITIC = rf"(?i:n't)(?!{_W})", rf"(?i:s|re|ve|ll|d|m|em|til|\d\ds?)(?!{_W})"
_BRACKETS = ("lrb", "rrb", "lsb", "rsb", "lcb", "rcb")
_RULES = [  # (a sign without which the rule is skipped, pattern, replacement)
    ("<", r"</?(?i:a|b|br|center|div|em|font|hr|i|li|ol|p|span|strong|u|ul)\b[^<>]{0,500}>", " "),
    *(("-", f"-(?i:{name})-", f" {sign} ") for name, sign in zip(_BRACKETS, "()[]{}", strict=True)),
    ("-", r"--+", " -- "),
    (".", r"\.(?:\s*\.)+", " ... "),
    ("'", r"''", ' " '),
]
_RULES = [(sign, re.compile(pattern), replacement) for sign, pattern, replacement in _RULES]
_TOKEN = re.compile(
    rf"(?i:can)(?=(?i:not)(?:{_NOT}|(?!{_W})))"  # can|not
    rf"|{_W}++(?!['.])"  # film: the quick way for most words
    rf"|{_W}+(?={_NOT})|{_NOT}"  # does|n't
    rf"|'{_CLITIC}"  # it|'s
    rf"|{_W}+(?:(?:'(?!{_CLITIC})|(?<!{_W}{_W})\.|\.(?=\d)){_W}+)*"  # o'clock, u.s, 1.5
    r"|\.\.\.|--|\S"
)


def canonical(text: str, lowercase: bool = True) -> str:
    """Return `text` cleaned and split the way the Penn Treebank splits it; idempotent.

    What a user types ("It's a film that doesn't work (really)!") and the same sentence as a treebank writes
    it ("it 's a film that does n't work -lrb- really -rrb- !") come out the same string. The rules, in order:

    1. HTML entities become their characters; tags of running text (`<br />`, `<i>`) become a space.
    2. Control characters, NUL, lone surrogates and backslashes become a space; soft hyphens vanish.
    3. Unicode form NFKC; every quotation mark becomes ' or ", every long dash --.
    4. With `lowercase`: lower case, and accents on Latin letters are dropped (as the uncased BERT models do).
    5. Brackets for -LRB-, -RRB- and the like; `` and '' become "; ". ." and "...." become "...".
    6. Tokens with one space between: words, n't, 's 're 've 'll 'd 'm, "..." and "--", an abbreviation or a
       number with its inner points, and every other sign alone, hyphens too. "cannot" is "can not".
    """
    if "&" in text:
        text = _ENTITY.sub(lambda match: html.unescape(match[0]), text)
    text = text.translate(_CHARACTERS)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_CHARACTERS)
    if lowercase:
        text = text.lower()
        if not text.isascii():
            text = _ACCENT.sub("", unicodedata.normalize("NFKD", text))
            text = unicodedata.normalize("NFKC", text)
    for sign, pattern, replacement in _RULES:
        if sign in text:
            text = pattern.sub(replacement, text)
    return " ".join(_TOKEN.findall(text))


class TextPreprocessor:
    """SentencePiece subwords: raw texts to arrays of ids.

    Id 0 is padding, id 1 stands for what no piece covers. A text that is empty after cleaning becomes the
    single unknown id, so that no sequence is ever empty.

    Args:
        model: a SentencePiece model as bytes, as `train` makes it.
        lowercase: whether texts are lower-cased (see `canonical`).
        max_length: longer texts are cut to so many ids; what lies far from them is not even read.
        truncation: which ids of a longer text stay: `"head"`, the first ones, `"tail"`, the last ones, or
            `"both"`, half of them from either end (Sun et al., 2019, arXiv 1905.05583).

    Attributes:
        vocabulary_size: the number of ids, padding and unknown included.

    Raises:
        UserError: `model` is not a SentencePiece model of this kind, `max_length` is below 1, or `truncation`
            is unknown.
    """

    pad_id = 0
    unknown_id = 1

    def __init__(
        self, model: bytes, *, lowercase: bool = True, max_length: int = 512, truncation: str = "head"
    ):
        if isinstance(max_length, bool) or not isinstance(max_length, int) or max_length < 1:
            raise UserError(f"max_length: got {max_length!r}; give a whole number of at least 1")
        if truncation not in _TRUNCATIONS:
            raise unknown("truncation", truncation, _TRUNCATIONS)
        self.model = bytes(model)
        self.lowercase = lowercase
        self.max_length = max_length
        self.truncation = truncation
        self._pieces = load_pieces(self.model)
        self.vocabulary_size = self._pieces.vocab_size()

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        *,
        vocabulary_size: int = 8000,
        model_type: str = "unigram",
        lowercase: bool = True,
        max_length: int = 512,
        truncation: str = "head",
        seed: int = 0,
    ) -> "TextPreprocessor":
        """Learn the pieces from raw texts; the same texts and arguments give the same bytes.

        Args:
            texts: raw texts; empty ones are left out. Of more than a million, a million are drawn by `seed`.
            vocabulary_size: how many ids; fewer are made when the texts do not hold so many pieces.
            model_type: `"unigram"` (Kudo, 2018) or `"bpe"` (Sennrich et al., 2016).
            lowercase: as in the constructor.
            max_length: as in the constructor.
            truncation: as in the constructor.
            seed: for the draw.

        Raises:
            UserError: no text at all, or fewer ids than there are different characters.
        """
        if truncation not in _TRUNCATIONS:
            raise unknown("truncation", truncation, _TRUNCATIONS)
        cleaned = [text for text in (canonical(text, lowercase) for text in texts) if text]
        model = train_pieces(cleaned, vocabulary_size, model_type, seed)
        return cls(model, lowercase=lowercase, max_length=max_length, truncation=truncation)

    def __call__(
        self,
        texts: Sequence[str],
        *,
        sample: np.random.Generator | None = None,
        alpha: float = 0.1,
        whole: bool = False,
    ) -> list[np.ndarray]:
        """Return the ids of every text.

        Args:
            texts: raw texts.
            sample: draws another segmentation each time (subword regularisation, Kudo, 2018; BPE dropout,
                Provilkov et al., 2020), reproducible from the generator's state. None: the best segmentation.
            alpha: how freely to draw: for unigram a smaller number is freer, for BPE it is the share of
                merges left out.
            whole: whether long texts stay whole instead of being cut to `max_length` ids.

        Returns:
            For each text an int32 array (length,), 1 <= length, and length <= max_length unless `whole`.
        """
        if isinstance(texts, str):
            raise UserError("texts: got one string; give a list of texts")
        cleaned = [canonical(text if whole else self._read(text), self.lowercase) for text in texts]
        encoded = encode(self._pieces, cleaned, sample, alpha)
        return [
            np.array((ids if whole else self._cut(ids)) or [self.unknown_id], np.int32) for ids in encoded
        ]

    def _read(self, text: str) -> str:
        """Return what can matter of a text that will be cut."""
        limit = _CHARACTERS_PER_ID * self.max_length
        text = text.strip()
        if len(text) <= limit:
            return text
        head, tail = self._ends(limit)
        return f"{text[:head]} {text[len(text) - tail :]}"

    def _cut(self, ids: list[int]) -> list[int]:
        """Return the ids that stay, in their order."""
        if len(ids) <= self.max_length:
            return ids
        head, tail = self._ends(self.max_length)
        return ids[:head] + ids[len(ids) - tail :]

    def _ends(self, count: int) -> tuple[int, int]:
        """Return how many of `count` come from the beginning and from the end of what is cut."""
        head = {"head": count, "tail": 0, "both": count - count // 2}[self.truncation]
        return head, count - head

    def pad(self, sequences: Sequence[np.ndarray], length: int | None = None) -> np.ndarray:
        """Return sequences as one array, padded on the right with `pad_id`.

        Args:
            sequences: arrays of ids, (time,) each.
            length: number of columns; longer sequences are cut. None: the longest sequence's.

        Returns:
            int32, (batch, time).
        """
        length = max(map(len, sequences), default=0) if length is None else length
        padded = np.full((len(sequences), length), self.pad_id, np.int32)
        for row, sequence in zip(padded, sequences, strict=True):
            row[: len(sequence)] = sequence[:length]
        return padded

    def pieces(self) -> list[str]:
        """Return every id's piece, in order; "▁" stands for the space before a word."""
        return [self._pieces.id_to_piece(index) for index in range(self.vocabulary_size)]

    def detokenize(self, ids: Iterable[int]) -> str:
        """Return the canonical text of ids, (time,): padding left out, the unknown id as "⁇".

        Raises:
            UserError: an id outside the vocabulary.
        """
        ids = [int(index) for index in ids]
        for index in ids:
            if not 0 <= index < self.vocabulary_size:
                raise UserError(f"ids: found {index}; they go from 0 to {self.vocabulary_size - 1}")
        return self._pieces.decode([index for index in ids if index != self.pad_id]).strip()

    def to_preset(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """Return what a preset keeps: the dictionary of `preprocessor.json`, and the assets by file name."""
        config = {
            "kind": "text",
            "lowercase": self.lowercase,
            "max_length": self.max_length,
            "truncation": self.truncation,
            "vocabulary_size": self.vocabulary_size,
        }
        return config, {ASSET: self.model}

    @classmethod
    def from_preset(cls, config: dict[str, Any], assets: Mapping[str, bytes]) -> "TextPreprocessor":
        """Make the preprocessor that `to_preset` described; neither argument is trusted.

        Raises:
            UserError: a wrong key or value, a missing asset, a damaged model, or another vocabulary size.
        """
        config = schema.check(config, _SCHEMA, "preprocessor.json")
        settings = {name: config[name] for name in ("lowercase", "max_length", "truncation")}
        made = cls(saved_pieces(assets), **settings)
        check_size(config, made.vocabulary_size)
        return made


def _lines(texts: Iterable[str]) -> Iterator[str]:
    """Yield pieces of text that the trainer takes: it passes over what is longer than 4,192 bytes."""
    for text in texts:
        if len(text) <= 1000:
            yield text
        else:
            yield from textwrap.wrap(text, 1000, break_on_hyphens=False)


def encode(
    pieces: sentencepiece.SentencePieceProcessor,
    texts: Sequence[str],
    sample: np.random.Generator | None = None,
    alpha: float = 0.1,
) -> list[list[int]]:
    """Return the ids of clean texts; `sample` and `alpha` are those of `TextPreprocessor`."""
    if sample is None:
        return pieces.encode(texts, num_threads=1)
    seed = int(sample.integers(2**32))
    with _SEEDING:
        sentencepiece.set_random_generator_seed(seed)
        return pieces.encode(texts, enable_sampling=True, nbest_size=-1, alpha=alpha, num_threads=1)


def load_pieces(model: bytes, controls: int = 0) -> sentencepiece.SentencePieceProcessor:
    """Return the SentencePiece model that is in these bytes, checked: id 0 is padding, id 1 stands for the unknown.

    Args:
        model: untrusted bytes.
        controls: how many more ids, from 2 on, are signs that no text holds, such as the end of a sentence.

    Raises:
        UserError: the bytes are damaged, or a model of another kind.
    """
    fault = "damaged"
    try:
        if not model:
            raise RuntimeError("SentencePiece takes no bytes for no model, and only logs it")
        pieces = sentencepiece.SentencePieceProcessor(model_proto=model)
        ids = range(pieces.vocab_size())
        for index in ids:  # a piece, or the sign for the unknown, that is not UTF-8 fails here and not in use
            pieces.decode([index]), pieces.id_to_piece(index)
        kinds = [(pieces.is_control(index), pieces.is_unknown(index)) for index in ids]
        wanted = [(True, False), (False, True), *[(True, False)] * controls]
        if not all(math.isfinite(pieces.get_score(index)) for index in ids):
            fault = "damaged (a score is not finite)"
        elif (
            kinds[: len(wanted)] == wanted
            and not any(map(any, kinds[len(wanted) :]))
            and len(ids) > len(wanted)
        ):
            return pieces
        else:
            signs = ", ".join(f"id {2 + number} a sign" for number in range(controls))
            special = "id 0 must be padding, id 1 unknown, " + (f"{signs}, " if signs else "")
            fault = f"of another kind ({special}and no other id special)"
    except (RuntimeError, UnicodeDecodeError):
        pass
    raise UserError(f"{ASSET}: the SentencePiece model is {fault}; fetch the preset again")


def saved_pieces(assets: Mapping[str, bytes]) -> bytes:
    """Return the SentencePiece model among a preset's assets.

    Raises:
        UserError: it is not there.
    """
    if ASSET not in assets:
        raise UserError(f"assets/{ASSET}: missing; fetch the preset again")
    return assets[ASSET]


def check_size(config: Mapping[str, Any], found: int) -> None:
    """Raise UserError unless a preset's model has as many pieces, `found`, as its dictionary says."""
    if found != config["vocabulary_size"]:
        raise UserError(
            f"preprocessor.json: vocabulary_size: found {config['vocabulary_size']}, but assets/{ASSET} "
            f"has {found} pieces; fetch the preset again"
        )


def train_pieces(
    texts: Sequence[str], vocabulary_size: int, model_type: str, seed: int, controls: int = 0
) -> bytes:
    """Return a SentencePiece model learned from clean texts; the same texts and arguments give the same bytes.

    Args:
        texts: as they are to be cut; none is empty. Of more than a million, a million are drawn by `seed`.
        vocabulary_size: how many ids; fewer are made when the texts do not hold so many pieces.
        model_type: `"unigram"` (Kudo, 2018) or `"bpe"` (Sennrich et al., 2016).
        seed: for the draw.
        controls: 0, or 2: id 2 is then the start of a sentence, id 3 its end.

    Raises:
        UserError: no text at all, an unknown model type, or fewer ids than there are different characters.
    """
    if model_type not in ("unigram", "bpe"):
        raise unknown("model_type", model_type, ("unigram", "bpe"))
    if not texts:
        raise UserError("texts: found no text to learn a vocabulary from; give texts that are not empty")
    if len(texts) > _MAX_TEXTS:
        drawn = np.random.default_rng(seed).choice(len(texts), _MAX_TEXTS, replace=False)
        texts = [texts[index] for index in np.sort(drawn)]
    characters = len(set().union(*texts) - {" "}) + 3 + controls  # the space's own piece, padding, unknown
    if vocabulary_size < characters:
        raise UserError(f"vocabulary_size: got {vocabulary_size}; these texts need at least {characters}")
    writer = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_lines(texts),
            model_writer=writer,
            vocab_size=vocabulary_size,
            hard_vocab_limit=False,
            model_type=model_type,
            character_coverage=1.0,
            normalization_rule_name="identity",
            pad_id=0,
            unk_id=1,
            bos_id=2 if controls else -1,
            eos_id=3 if controls else -1,
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:  # it leaves out texts with a sign of its own, U+2585
        reason = str(error).strip().splitlines()[-1]
        raise UserError(
            f"texts: SentencePiece learned nothing from them ({reason}); give other texts"
        ) from error
    return writer.getvalue()
