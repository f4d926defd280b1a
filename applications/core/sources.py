"""The grammar of SOURCE, and by one name everything that reads data."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from applications.core.datasets import TextDataset, require_classes, split_validation
from applications.core.files import (
    KINDS,
    SourceError,
    bare_suffix,
    read_csv,
    read_folder,
    read_lines,
    read_table,
)
from applications.core.splits import find_split, no_split, select_split, split_name
from applications.core.tfds import read_tfds, tfds_languages, tfds_splits
from zoo.errors import unknown

__all__ = [
    "KINDS",
    "Source",
    "SourceError",
    "TextDataset",
    "bare_suffix",
    "find_split",
    "no_split",
    "parse",
    "read_csv",
    "read_folder",
    "read_lines",
    "read_table",
    "read_tfds",
    "require_classes",
    "select_split",
    "split_name",
    "split_validation",
    "tfds_languages",
    "tfds_splits",
]


@dataclass(frozen=True)
class Source:
    """Where data comes from: `kind` is "builtin", "tfds", "path", "files" or a corpus; `value` is what follows.

    Of `builtin` that is the name of a sample, "" where an application has a single one.
    """

    kind: str
    value: str

    def __str__(self) -> str:
        if self.kind in ("path", "files"):
            return self.value
        return f"{self.kind}:{self.value}" if self.value else self.kind


def parse(source: str, corpora: Sequence[str] = (), samples: Sequence[str] = ()) -> Source:
    """Read a SOURCE: `builtin[:NAME]`, `tfds:NAME[/CONFIG]`, `CORPUS:PATH`, `FILE,FILE`, or a path of file or folder.

    Args:
        source: what the user gave; a `~` at the start of a path is the home folder.
        corpora: the names that an application knows as CORPUS.
        samples: the names of its samples, where it has several; `builtin` alone is the first.

    Raises:
        SourceError: empty, an unknown corpus or sample, or a path where nothing is; the nearest names are suggested.
    """
    kind, colon, value = source.partition(":")
    if source == "builtin" or (colon and kind == "builtin" and samples):
        name = value if colon else next(iter(samples), "")
        if name not in (samples or ("",)):
            raise SourceError(f"{source}: {unknown('sample', name, samples)}")
        return Source("builtin", name)
    if colon and kind in ("tfds", *corpora):
        if not value:
            raise SourceError(
                f"{source}: nothing follows the colon; give {kind}:{'NAME' if kind == 'tfds' else 'PATH'}"
            )
        if kind == "tfds":
            return Source(kind, value)
        return Source(kind, str(_existing(value)))
    if colon and re.fullmatch(r"[A-Za-z]\w+", kind) and not Path(source).exists():
        raise SourceError(str(unknown("corpus", kind, ("tfds", *corpora))))
    both = [name.strip() for name in source.split(",")]
    if len(both) == 2 and any(map(_is_there, both)) and not _is_there(source):
        return Source("files", ",".join(str(_existing(name)) for name in both))
    return Source("path", str(_existing(source)))


def _is_there(value: str) -> bool:
    try:
        return bool(value) and Path(value).expanduser().exists()
    except (OSError, ValueError, RuntimeError):
        return False


def _existing(value: str) -> Path:
    if not value.strip():
        raise SourceError("data: got an empty name; give a file, a folder, tfds:NAME or builtin")
    path = Path(value)
    try:
        path = path.expanduser()
        if path.exists():
            return path
        beside = [entry.name for entry in path.parent.iterdir()]
    except (OSError, ValueError, RuntimeError):
        beside = []
    near = [str(path.parent / name) for name in get_close_matches(path.name, beside, n=1)]
    near += get_close_matches(value, ["builtin"], n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise SourceError(f"{value!r}: no such file or folder: {hint}Give a file, a folder, tfds:NAME or builtin")
