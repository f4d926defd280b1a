"""The data of the sentiment application: files, TFDS names, SST and IMDb, and a built-in sample."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType

import numpy as np

from applications.core import sources
from applications.core.sources import SourceError, TextDataset
from applications.sentiment import sample
from zoo.errors import unknown
from zoo.preprocessing.text import canonical

NAMES = {"0": "negative", "1": "positive", "neg": "negative", "pos": "positive"}
"""What the corpora write, and the label that it means."""

DEGREES = ("very negative", "negative", "neutral", "positive", "very positive")
"""The labels of SST-5, and what the treebank's numbers 0 to 4 mean."""

_SPLITS = {
    "builtin": ("train", "validation", "test"),
    "sst": ("train", "validation", "test"),
    "sst5": ("train", "validation", "test"),
    "imdb": ("train", "test", "unsupervised"),
}
CORPORA = ("sst", "sst5", "imdb")
"""The names that this application knows as CORPUS in `CORPUS:PATH`."""


def load(
    source: str,
    split: str | None = None,
    text_column: str = "text",
    label_column: str = "label",
    require_labels: bool = True,
    label_separator: str | None = None,
) -> TextDataset:
    """Load texts and labels.

    `builtin`, `sst:PATH` and `imdb:PATH` have the labels "negative" and "positive"; so has a TFDS name whose
    classes are "neg" and "pos". `sst5:PATH` has `DEGREES`. Anything else keeps the labels that stand in it, as
    text. Lists of labels in JSON lines give a text any number of labels.

    Args:
        source: see `applications.core.sources.parse`; the corpora are `CORPORA`.
        split: `train`, `validation` (or `dev`), `test`; for TFDS anything that TFDS takes. A plain file is
            used whole without it; with it, the rows are taken whose column `split` says so. For a folder it
            names the sub-folder that holds the sub-folders of the labels.
        text_column: name of the column (for TFDS the feature) of the text.
        label_column: name of the column of the label.
        require_labels: whether a source without labels is a fault; if it is not, `labels` is None there.
        label_separator: what stands between the labels of a text, which then may have any number; an empty
            column is none.

    Raises:
        SourceError: any fault of the source (see `sources`), an unknown or missing split, an empty label, a list
            of labels for some texts alone.
    """
    where = sources.parse(source, CORPORA)
    if where.kind != "tfds":
        split = sources.split_name(split)
    if where.kind in _SPLITS:
        if split not in _SPLITS[where.kind]:
            raise sources.no_split(where, split, _SPLITS[where.kind])
        rows = _READERS[where.kind](where.value, split)
    elif where.kind == "tfds":
        optional = [label_column]
        examples = sources.read_tfds(where.value, split, [text_column, *optional * require_labels], optional)
        rows = ((str(where), row[text_column], _name(row.get(label_column))) for row in examples)
    elif Path(where.value).is_dir():
        rows = _folder(Path(where.value), split)
    else:
        rows = _table(where.value, split, text_column, label_column, require_labels)
    texts, labels = [], []
    for place, text, label in rows:
        label = _split(label, label_separator)
        if require_labels and label in (None, ""):
            raise SourceError(f"{place}: no label; give every text one")
        if len({type(label), *map(type, labels[:1])} - {NoneType}) > 1:
            raise SourceError(
                f"{place}: found {label!r} after {labels[0]!r}; give all texts lists of labels, or none"
            )
        texts.append(text)
        labels.append(label)
    if not texts:
        raise SourceError(f"{where}: holds no texts")
    order = DEGREES if where.kind == "sst5" else ()
    return TextDataset(texts, None if None in labels or "" in labels else labels, str(where), split, order)


def load_training(
    source: str,
    text_column: str = "text",
    label_column: str = "label",
    *,
    label_separator: str | None = None,
    fraction: float = 0.1,
    seed: int = 0,
) -> tuple[TextDataset, TextDataset]:
    """Load what a model is trained on and what it is chosen by.

    A source with the splits `train` and `validation` gives these two. Of any other, `fraction` of the
    training part (of a plain file or folder: of all) is held back, label by label. A test split is never
    touched.

    Raises:
        SourceError: as `load`, or fewer than two labels.
    """
    where = sources.parse(source, CORPORA)
    names = splits(where)
    columns = {"text_column": text_column, "label_column": label_column, "label_separator": label_separator}
    training = load(source, "train" if names else None, **columns)
    sources.require_classes(training)
    if "validation" in names:
        return training, load(source, "validation", **columns)
    return sources.split_validation(training, fraction, seed)


def load_texts(source: str, text_column: str = "text") -> list[str]:
    """Load the texts that a language model may learn from; labels are not looked at.

    Of a source with splits these are `train` and, if it has it, `unsupervised`; never validation or test.

    Raises:
        SourceError: as `load`.
    """
    where = sources.parse(source, CORPORA)
    names = [name for name in splits(where) if name in ("train", "unsupervised")] or [None]
    return [text for split in names for text in load(source, split, text_column, require_labels=False).texts]


def splits(where: sources.Source) -> Sequence[str]:
    """Return the names of the splits that a source has; none of a file or a folder."""
    return sources.tfds_splits(where.value) if where.kind == "tfds" else _SPLITS.get(where.kind, ())


@dataclass(frozen=True)
class Phrases:
    """Every phrase of the treebank once, by its canonical text, with all judgements of it.

    Attributes:
        texts: canonical texts.
        votes: (count, 5) integers: how often the phrase was judged 0 (very negative) to 4 (very positive).
        sentences: (count,) boolean: which phrases are whole sentences.
    """

    texts: list[str]
    votes: np.ndarray
    sentences: np.ndarray

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def labels(self) -> np.ndarray:
        """The most frequent judgement of each phrase, (count,) integers 0 to 4; of equals the nearer to 2."""
        return np.argmax(self.votes * 16 - np.abs(np.arange(5) - 2), axis=1)


def load_phrases(path: str | Path, split: str = "train") -> Phrases:
    """Load the labelled phrases of SST: every node of every tree of a split.

    Args:
        path: a folder with `trees.train.txt`, `trees/train.txt` or `train.txt`, plain, .gz or .xz.
        split: `train`, `validation` or `test`.

    Raises:
        SourceError: no such file, or a line that is not a tree.
    """
    split = sources.split_name(split)
    file = sources.find_split(Path(path), split, _TREES)
    if file is None:
        raise SourceError(f"{path}: holds no trees of the split {split!r}; trees.{split}.txt is looked for")
    rows: dict[str, int] = {}
    votes: list[list[int]] = []
    sentences: set[int] = set()
    for number, line in sources.read_lines(file):
        row = -1
        for label, words in _nodes(f"{file}:{number}", line):
            text = canonical(" ".join(words))
            row = rows.setdefault(text, len(rows)) if text else -1
            if row == len(votes):
                votes.append([0] * 5)
            if row >= 0:
                votes[row][label] += 1
        if row >= 0:  # the root comes last
            sentences.add(row)
    if not rows:
        raise SourceError(f"{file}: holds no trees")
    whole = np.isin(np.arange(len(rows)), list(sentences))
    return Phrases(list(rows), np.array(votes), whole)


def _name(label: str | None) -> str | None:
    return NAMES[label] if label in ("neg", "pos") else label


def _split(label: str | list[str] | None, separator: str | None) -> str | tuple[str, ...] | None:
    """Return a label, or the different labels where there may be several."""
    if label is None or (isinstance(label, str) and separator is None):
        return label
    names = [name.strip() for name in (label if isinstance(label, list) else label.split(separator))]
    return tuple(dict.fromkeys(name for name in names if name))


# Each reader below yields (place for messages, text, label, labels or None).
_Rows = Iterator[tuple[str, str, str | list[str] | None]]


def _builtin(_: str, split: str) -> _Rows:
    begin, end = {"train": (0, 40), "validation": (40, 50), "test": (50, 60)}[split]
    for positive, negative in list(zip(sample.POSITIVE, sample.NEGATIVE, strict=True))[begin:end]:
        yield "builtin", positive, "positive"
        yield "builtin", negative, "negative"


def _table(path: str, split: str | None, text_column: str, label_column: str, require_labels: bool) -> _Rows:
    columns = [text_column, *([label_column] if require_labels else []), *(["split"] if split else [])]
    rows = sources.read_table(path, columns, [label_column], [label_column])
    for number, row in sources.select_split(path, rows, split) if split else rows:
        label = row.get(label_column)
        yield f"{path}:{number}", row[text_column], label.strip() if isinstance(label, str) else label


def _folder(path: Path, split: str | None) -> _Rows:
    folders = [entry.name for entry in path.iterdir() if entry.is_dir()]
    if split:
        name = next((name for name in folders if sources.split_name(name) == split), None)
        if name is None:
            raise SourceError(f"{path}: {unknown('split', split, folders)}")
        path = path / name
    elif {"train", "test"} & set(folders):
        raise SourceError(
            f"{path}: has the splits {', '.join(sorted(folders))}: name one, such as --split test"
        )
    for file, text, label in sources.read_folder(path):
        yield str(file), text, label


_STSA = ("stsa.binary.{0}", "stsa.binary.{0}.txt")
_STSA_FINE = ("stsa.fine.{0}", "stsa.fine.{0}.txt")
_TREES = ("trees.{0}.txt", "trees/{0}.txt", "{0}.txt")
_GLUE = ("{0}.tsv",)


def _sst(path: str, split: str) -> _Rows:
    """Read SST-2 from the files of Kim (2014, `stsa.binary.*`), from the trees, or from those of GLUE."""
    folder = Path(path)
    if not folder.is_dir():
        raise SourceError(f"sst:{path}: is a file; give the folder that holds the files of the corpus")
    if file := sources.find_split(folder, split, _STSA):
        for place, label, text in _numbered(file, "01"):
            yield place, text, NAMES[label]
    elif file := sources.find_split(folder, split, _TREES):
        for place, label, text in _roots(file):
            if label != 2:
                yield place, text, "positive" if label > 2 else "negative"
    elif file := sources.find_split(folder, split, _GLUE):
        for number, row in sources.read_table(file, ["sentence"], ["label"]):
            label = row.get("label")  # GLUE keeps the labels of its test split to itself
            if label not in (None, "0", "1"):
                raise SourceError(f"{file}:{number}: found the label {label!r}; expected 0 or 1")
            yield f"{file}:{number}", row["sentence"], NAMES.get(label)
    else:
        raise SourceError(
            f"sst:{path}: holds no split {split!r}: looked for stsa.binary.*, trees.*.txt and GLUE's *.tsv; "
            "give the folder that holds them"
        )


def _sst5(path: str, split: str) -> _Rows:
    """Read SST-5 from the files of Kim (2014, `stsa.fine.*`), or from the trees."""
    folder = Path(path)
    if not folder.is_dir():
        raise SourceError(f"sst5:{path}: is a file; give the folder that holds the files of the corpus")
    if file := sources.find_split(folder, split, _STSA_FINE):
        rows = _numbered(file, "01234")
    elif file := sources.find_split(folder, split, _TREES):
        rows = _roots(file)
    else:
        raise SourceError(
            f"sst5:{path}: holds no split {split!r}: looked for stsa.fine.* and trees.*.txt; give the folder that "
            "holds them"
        )
    for place, label, text in rows:
        yield place, text, DEGREES[int(label)]


def _numbered(file: Path, labels: str) -> Iterator[tuple[str, str, str]]:
    """Yield (place, label, sentence) for lines such as "1 it works"; a label is one of the characters `labels`."""
    for number, line in sources.read_lines(file):
        label, _, text = line.partition(" ")
        if label not in tuple(labels) or not text:
            expected = f"{', '.join(labels[:-1])} or {labels[-1]}"
            raise SourceError(
                f"{file}:{number}: found {line[:40]!r}; expected {expected}, a space and a sentence"
            )
        yield f"{file}:{number}", label, text


def _roots(file: Path) -> Iterator[tuple[str, int, str]]:
    """Yield (place, label, sentence) for the root of every tree."""
    for number, line in sources.read_lines(file):
        for label, words in list(_nodes(f"{file}:{number}", line))[-1:]:  # the root comes last
            yield f"{file}:{number}", label, " ".join(words)


def _imdb(path: str, split: str) -> _Rows:
    """Read the Large Movie Review Dataset from its folders, or from a file per split."""
    folder = Path(path)
    if not folder.is_dir():
        raise SourceError(f"imdb:{path}: is a file; give the folder that holds the corpus")
    if file := sources.find_split(folder, split, _GLUE):
        fields = 2 if split == "unsupervised" else 4  # id, text; label, rating, id, text
        for number, line in sources.read_lines(file):
            row = line.split("\t")
            if len(row) != fields or (fields == 4 and row[0] not in ("0", "1")):
                raise SourceError(
                    f"{file}:{number}: found {line[:40]!r}; expected {fields} fields with tabs between"
                )
            yield f"{file}:{number}", row[-1], NAMES[row[0]] if fields == 4 else None
        return
    root = folder / "aclImdb" if (folder / "aclImdb").is_dir() else folder
    part, names = ("train", ("unsup",)) if split == "unsupervised" else (split, ("neg", "pos"))
    for name in names:
        if not (root / part / name).is_dir():
            raise SourceError(
                f"imdb:{path}: holds no split {split!r}: looked for {split}.tsv and {part}/{name}/"
            )
        for file in sorted((root / part / name).glob("*.txt")):
            text = "".join(line for _, line in sources.read_lines(file))
            yield str(file), text, NAMES.get(name)


_READERS = {"builtin": _builtin, "sst": _sst, "sst5": _sst5, "imdb": _imdb}


def _nodes(place: str, line: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (label, words) for every node of a tree such as "(3 (2 It) (4 works))", the root last."""
    fault = SourceError(f"{place}: found {line[:40]!r}; expected one tree in brackets, labelled 0 to 4")
    words: list[str] = []
    open_nodes: list[tuple[int, int]] = []  # label, place of the first word
    closed = 0
    for bracket, label, close, word in re.findall(r"(\()([0-4])\s|(\))|([^\s()]+)|\S", line):
        if bracket and not (closed and not open_nodes):
            open_nodes.append((int(label), len(words)))
        elif close and open_nodes and open_nodes[-1][1] < len(words):
            label, begin = open_nodes.pop()
            closed += 1
            yield label, words[begin:]
        elif word and open_nodes:
            words.append(word)
        else:
            raise fault
    if open_nodes or (line.strip() and not closed):
        raise fault
