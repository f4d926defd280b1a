"""The data of the translation application: tables, parallel files, TFDS names, Multi30k, Tatoeba, a sample."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from applications.core import sources
from applications.core.sources import Source, SourceError
from applications.translation import sample
from zoo.errors import unknown

CORPORA = ("multi30k", "tatoeba")
"""The names that this application knows as CORPUS in `CORPUS:PATH`."""

MOST_HELD = 2000
"""The most sentences that are held back for validation."""

_SPLITS = ("train", "validation", "test")
_LANGUAGES = {"builtin": ("de", "en"), "tatoeba": ("de", "en"), "multi30k": ("en", "de", "fr", "cs")}
_NO_LANGUAGES = ("csv", "tsv", "txt", "src", "tgt", "trg", "tok", "ref", "raw", "out")  # suffixes of files


@dataclass(frozen=True)
class Pairs:
    """Sentences with their translations, or without (`references` is None).

    Attributes:
        sources: one sentence each.
        references: for each source its translations, at least one.
        source_language: such as "de"; None where nothing tells.
        target_language: the same.
        source: what the user named.
        split: its part.
    """

    sources: list[str]
    references: list[list[str]] | None
    source_language: str | None
    target_language: str | None
    source: str
    split: str | None = None

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def texts(self) -> list[str]:
        """What a model is asked about: the sources."""
        return self.sources

    @property
    def targets(self) -> list[str] | None:
        """The first translation of each source."""
        return None if self.references is None else [references[0] for references in self.references]

    def take(self, rows: Iterable[int], split: str | None = None) -> "Pairs":
        """Return the given rows in the given order, as another split if one is named."""
        rows = [int(row) for row in rows]
        references = None if self.references is None else [self.references[row] for row in rows]
        texts = [self.sources[row] for row in rows]
        return replace(self, sources=texts, references=references, split=split or self.split)

    def expanded(self) -> "Pairs":
        """Return one pair for each translation, as training wants them."""
        rows = [(text, target) for text, targets in self._rows() for target in targets]
        return replace(self, sources=[text for text, _ in rows], references=[[target] for _, target in rows])

    def grouped(self) -> "Pairs":
        """Return every source once, in the order of its first row, with all its different translations."""
        found: dict[str, dict[str, None]] = {}
        for text, targets in self._rows():
            found.setdefault(text, {}).update(dict.fromkeys(targets))
        return replace(self, sources=list(found), references=list(map(list, found.values())))

    def _rows(self) -> Iterator[tuple[str, list[str]]]:
        return zip(self.sources, self.references, strict=True)


def load(
    source: str,
    split: str | None = None,
    *,
    source_column: str = "source",
    target_column: str = "target",
    source_language: str | None = None,
    target_language: str | None = None,
    require_targets: bool = True,
    allow_empty: bool = False,
) -> Pairs:
    """Load sentences and their translations.

    `SOURCE_FILE,TARGET_FILE` are two text files, a sentence a line; lines that are blank in both are passed over.
    A table has a column for each side; a list in JSON lines gives a sentence several translations. `tatoeba:PATH`
    is German to English, several translations of a sentence being several references in validation and test;
    `multi30k:PATH` is the official lower-cased tokenised text, English to German. A TFDS name is either of
    translations (`tfds:ted_hrlr_translate/pt_to_en`) or has two features of text.

    That the two sides of a table or of two files are swapped cannot be told: the first one is taken as named.

    Args:
        source: see `applications.core.sources.parse`; the corpora are `CORPORA`.
        split: `train`, `validation` (or `dev`), `test`; for TFDS anything that TFDS takes. A table is used whole
            without it; with it, the rows are taken whose column `split` says so.
        source_column: name of the column (for TFDS the feature or the language) of what is translated.
        target_column: name of the column of the translation.
        source_language: what is translated from. It turns round a source that knows its languages, and names the
            language of any other; so does `target_language`. Of two files the suffixes name them.
        target_language: what is translated into.
        require_targets: whether a source without translations is a fault; if it is not, `references` is None there.
        allow_empty: whether an empty side is kept, for `applications.translation.cleaning`, and not a fault.

    Raises:
        SourceError: any fault of the source (see `sources`), an unknown or missing split, an unknown language, an
            empty sentence, two files of different length, no sentences at all.
    """
    where = sources.parse(source, CORPORA)
    if where.kind != "tfds":
        split = sources.split_name(split)
    if where.kind in _LANGUAGES and split not in _SPLITS:
        raise sources.no_split(where, split, _SPLITS)
    columns = (source_column, target_column)
    named = (source_language, target_language)
    known = _LANGUAGES.get(where.kind, ())
    if where.kind == "tfds" and (known := sources.tfds_languages(where.value)):
        named = tuple(map(_language_or_column, named, columns))
    languages = _direction(where, known, *named)
    if where.kind == "tfds" and known:
        columns = languages
    rows = _READERS[where.kind](where, split, columns, languages, require_targets)
    texts, references = [], []
    for (files, number), text, targets in rows:
        blank = [not text.strip(), not targets or not all(target.strip() for target in targets)]
        for side in range(1 + require_targets):
            if blank[side] and not allow_empty:
                raise SourceError(
                    f"{files[side]}:{number}: the {('source', 'target')[side]} is empty; give every sentence its "
                    "translation, or take the pair out"
                )
        texts.append(text)
        if require_targets:
            references.append(targets or [""])
        else:
            references.append(None if blank[1] else targets)
    if not texts:
        raise SourceError(f"{where}: holds no sentences")
    pairs = Pairs(texts, None if None in references else references, *languages, str(where), split)
    return pairs.grouped() if where.kind == "tatoeba" and split != "train" else pairs


def load_training(
    source: str,
    *,
    validation: str | None = None,
    fraction: float = 0.02,
    seed: int = 0,
    **options: Any,
) -> tuple[Pairs, Pairs]:
    """Load what a model is trained on, one pair for each translation, and what it is chosen by.

    A source with the splits `train` and `validation` gives these two. Of any other, `fraction` of the training
    part (of files, and of a table without a column `split`: of all) is held back, with all translations of what
    is held. A test split is never touched. Training pairs may have an empty side, which
    `applications.translation.cleaning` takes out; none is held back.

    Args:
        source: as for `load`.
        validation: another source to choose by, in the same direction: its split `validation`, or all of a file.
        fraction: share of the different sentences that is held back: at least one, at most `MOST_HELD`.
        seed: of the draw.
        options: columns and languages, as for `load`.

    Raises:
        SourceError: as `load`, `fraction` out of range, or too few sentences to hold some back.
    """
    names = splits(source)
    training = load(source, "train" if names else None, **options, allow_empty=True).expanded()
    if validation is None and "validation" not in names:
        return _hold_back(training, fraction, seed)
    held = source if validation is None else validation
    split = "validation" if "validation" in splits(held) else None
    return training, load(held, split, **{**options, **_languages_of(training)})


def splits(source: str) -> Sequence[str]:
    """Return the names of the splits that a source has; none of two files, or of a table without a column `split`."""
    where = sources.parse(source, CORPORA)
    if where.kind == "tfds":
        return sources.tfds_splits(where.value)
    if where.kind == "path":
        rows = sources.read_table(_table_file(where), [], ["split"])
        return sorted({sources.split_name(row["split"]) for _, row in rows if "split" in row})
    return _SPLITS if where.kind in _LANGUAGES else ()


def unseen(pairs: Pairs, training: Pairs | str, **options: Any) -> np.ndarray:
    """Tell which rows a model cannot have seen a side of in training.

    Of Tatoeba's test, 497 pairs have a German side that occurs in train; no English side does.

    Args:
        pairs: of any split.
        training: what the model was trained on, or the source whose split `train` that is.
        options: columns of the source, as for `load`.

    Returns:
        (count,) booleans: false where the source, or any of its references, is the same side of a training pair.

    Raises:
        SourceError: as `load`.
    """
    if isinstance(training, str):
        training = load(training, "train", **{**options, **_languages_of(pairs)}, allow_empty=True)
    texts, targets = set(training.sources), set(training.expanded().targets)
    rows = zip(pairs.sources, pairs.references or [()] * len(pairs), strict=True)
    return np.array([text not in texts and targets.isdisjoint(known) for text, known in rows], bool)


def _languages_of(pairs: Pairs) -> dict[str, str | None]:
    return {"source_language": pairs.source_language, "target_language": pairs.target_language}


def _hold_back(training: Pairs, fraction: float, seed: int) -> tuple[Pairs, Pairs]:
    """Split in two by source sentence, so that none is in both parts."""
    if not 0 < fraction < 1:
        raise SourceError(f"fraction: got {fraction}; give a number between 0 and 1")
    blank = {text for text, [target] in training._rows() if not text.strip() or not target.strip()}
    usable = [text for text in dict.fromkeys(training.sources) if text not in blank]
    if len(usable) < 2:
        raise SourceError(
            f"{training.source}: too few different sentences to hold some back; give at least two, or a validation "
            "source"
        )
    count = min(max(1, round(fraction * len(usable))), MOST_HELD, len(usable) - 1)
    drawn = np.random.default_rng(seed).choice(len(usable), count, replace=False)
    chosen = {usable[number] for number in drawn}
    kept = [row for row, text in enumerate(training.sources) if text not in chosen]
    held = [row for row, text in enumerate(training.sources) if text in chosen]
    return training.take(kept, "train"), training.take(held, "validation").grouped()


def _language_or_column(language: str | None, column: str) -> str | None:
    """Return the language that is named, by either option; a column's own name is no language."""
    return language or (None if column in ("source", "target") else column)


def _direction(
    where: Source, known: Sequence[str], source: str | None, target: str | None
) -> tuple[str | None, str | None]:
    """Return the language that is translated from and the one that is translated into, of those that are known."""
    if where.kind == "files":
        first, second = map(_file_language, where.value.split(","))
        if first and second and first != second and (source == second or target == first):
            turned = ",".join(reversed(where.value.split(",")))
            raise SourceError(f"{where}: the first file is the source; to turn them round give {turned}")
        return source or first, target or second
    if not known:
        return source, target
    for name in filter(None, (source, target)):
        if name not in known:
            raise SourceError(f"{where}: {unknown('language', name, known)}")
    source = source or next(name for name in known if name != target)
    target = target or next(name for name in known if name != source)
    if source == target:
        raise SourceError(
            f"{where}: source and target language are both {source!r}; give two of {', '.join(known)}"
        )
    return source, target


def _file_language(name: str) -> str | None:
    """Return the language that the suffix of a file names."""
    suffix = sources.bare_suffix(Path(name)).removeprefix(".")
    is_language = len(suffix) in (2, 3) and suffix.isalpha() and suffix not in _NO_LANGUAGES
    return suffix if is_language else None


# Each reader below yields ((files of source and target for messages, line), source, its translations or None).
_Rows = Iterator[tuple[tuple[tuple[object, object], int], str, list[str] | None]]


def _builtin(where: Source, split: str, _columns: Any, languages: tuple[str, str], _required: bool) -> _Rows:
    for number, (german, english) in enumerate(sample.pairs(split), 1):
        sides = {"de": german, "en": english}
        yield ((where, where), number), sides[languages[0]], [sides[languages[1]]]


def _tfds(
    where: Source, split: str | None, columns: tuple[str, str], _languages: Any, require_targets: bool
) -> _Rows:
    examples = sources.read_tfds(where.value, split, columns[: 1 + require_targets], columns[1:])
    for number, row in enumerate(examples, 1):
        target = row.get(columns[1])
        yield ((where, where), number), row[columns[0]], None if target is None else [target]


def _files(where: Source, split: str | None, *_: Any) -> _Rows:
    if split:
        raise SourceError(f"{where}: two files have no splits; name the files of the split {split!r}")
    return _parallel(*map(Path, where.value.split(",")))


def _parallel(first: Path, second: Path) -> _Rows:
    """Read two files that match line by line; lines that are blank in both are passed over."""
    left, right = ([line for _, line in sources.read_lines(file)] for file in (first, second))
    if len(left) != len(right):
        difference = _difference(first, second, left, right)
        raise SourceError(
            f"{first},{second}: {len(left):,} lines and {len(right):,} lines: {difference}; give two files that match "
            "line by line"
        )
    for number, (text, target) in enumerate(zip(left, right, strict=True), 1):
        if text.strip() or target.strip():
            yield ((first, second), number), text, [target]


def _difference(first: Path, second: Path, left: list[str], right: list[str]) -> str:
    """Say where two files of different length differ first: a line that is blank in one of them, or an end."""
    for number, (text, target) in enumerate(zip(left, right, strict=False), 1):
        if bool(text.strip()) != bool(target.strip()):
            empty, full = (second, first) if text.strip() else (first, second)
            return f"line {number} is empty in {empty} and not in {full}"
    short, long, lines = (first, second, right) if len(left) < len(right) else (second, first, left)
    end = min(len(left), len(right))
    return f"{short} ends where line {end + 1} of {long} is {lines[end][:40]!r}"


def _table(
    where: Source, split: str | None, columns: tuple[str, str], _languages: Any, require_targets: bool
) -> _Rows:
    path = _table_file(where)
    _check_header(path, columns[: 1 + require_targets])
    wanted = [*columns[: 1 + require_targets], *(["split"] if split else [])]
    rows = sources.read_table(path, wanted, columns[1:], columns[1:])
    for number, row in sources.select_split(path, rows, split) if split else rows:
        target = row.get(columns[1])
        targets = target if target is None or isinstance(target, list) else [target]
        yield ((path, path), number), row[columns[0]], targets


def _table_file(where: Source) -> Path:
    path = Path(where.value)
    if path.is_dir() or sources.bare_suffix(path) not in sources.KINDS:
        found = "is a folder" if path.is_dir() else "is no table"
        raise SourceError(
            f"{path}: {found}; give a table ({', '.join(sources.KINDS)}), or two files of one sentence a line with a "
            "comma between: SOURCE_FILE,TARGET_FILE"
        )
    return path


def _check_header(path: Path, columns: Sequence[str]) -> None:
    """Refuse a table that begins with a pair, or has a single column."""
    lines = ((number, line) for number, line in sources.read_lines(path) if line.strip())
    number, line = next(lines, (0, ""))
    if sources.bare_suffix(path) == ".jsonl" or not line:
        return  # told row by row, and when it is read
    separator, name = ("\t", "tab") if sources.bare_suffix(path) == ".tsv" else (",", "comma")
    fields = [field.strip().strip('"') for field in line.split(separator)]
    names = " and ".join(map(repr, columns))
    if len(fields) < len(columns):
        raise SourceError(
            f"{path}:{number}: found one column only; give two, {names}, with a {name} between, or two files: "
            "SOURCE_FILE,TARGET_FILE"
        )
    if len(fields) == 2 and not set(columns) & set(fields):
        found = " and ".join(repr(field[:40]) for field in fields)
        raise SourceError(
            f"{path}:{number}: found {found}, not the columns {names}: if this line is a pair, put one with the "
            "names of the columns above it; if it holds names, give them as source_column and target_column"
        )


def _multi30k(where: Source, split: str, _columns: Any, languages: tuple[str, str], _required: bool) -> _Rows:
    """Read the official text in lower case, normalised and tokenised, of task 1."""
    folder, part = _folder(where), {"validation": "val", "test": "test_2016_flickr"}.get(split, split)
    files = []
    for language in languages:
        name = f"{{0}}.lc.norm.tok.{language}"
        places = [f"{place}{name}" for place in ("tok/", "data/task1/tok/", "task1/tok/", "")]
        file = sources.find_split(folder, part, places)
        if file is None:
            raise SourceError(
                f"{where}: holds no split {split!r} in {language!r}: looked for tok/{name.format(part)}; give the "
                "folder that holds tok"
            )
        files.append(file)
    return _parallel(*files)


def _tatoeba(where: Source, split: str, _columns: Any, languages: tuple[str, str], _required: bool) -> _Rows:
    """Read English and German with a tab between, from a file for each split or from that of ManyThings."""
    folder = _folder(where)
    file = sources.find_split(folder, split, ("{0}.tsv",))
    whole = None if file else sources.find_split(folder, "deu", ("{0}.txt", "deu-eng/{0}.txt"))
    if not (file or whole):
        raise SourceError(
            f"{where}: holds no split {split!r}: looked for {split}.tsv and deu.txt; give the folder that holds them"
        )
    for number, line in sources.read_lines(file or whole):
        fields = line.split("\t")
        if not 2 <= len(fields) <= 2 + bool(whole):  # ManyThings says in a third one whose the sentences are
            raise SourceError(
                f"{file or whole}:{number}: found {line[:40]!r}; expected an English and a German sentence with a tab "
                "between"
            )
        if file or _tatoeba_split(fields[0]) == split:
            sides = dict(zip(("en", "de"), fields[:2], strict=True))
            yield ((file or whole,) * 2, number), sides[languages[0]], [sides[languages[1]]]


def _tatoeba_split(english: str) -> str:
    """Return the split of an English sentence: 94, 3 and 3 of 100 by the hash of its letters and digits."""
    key = "".join(filter(str.isalnum, english.lower()))
    place = int(hashlib.sha1(key.encode(), usedforsecurity=False).hexdigest(), 16) % 100
    return "test" if place < 3 else "validation" if place < 6 else "train"


def _folder(where: Source) -> Path:
    if not Path(where.value).is_dir():
        raise SourceError(f"{where}: is a file; give the folder that holds the files of the corpus")
    return Path(where.value)


_READERS = {
    "builtin": _builtin,
    "files": _files,
    "multi30k": _multi30k,
    "path": _table,
    "tatoeba": _tatoeba,
    "tfds": _tfds,
}
