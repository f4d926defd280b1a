"""The splits of a data set: what they are called, and where they stand in folders and tables."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from applications.core.files import SourceError
from zoo.errors import unknown

_ALIASES = {"dev": "validation", "valid": "validation", "val": "validation", "unsup": "unsupervised"}
_FILE_NAMES = {"validation": ("dev", "validation", "valid", "val"), "unsupervised": ("unsup", "unsupervised")}


def split_name(split: str | None) -> str | None:
    """Return what we call a split: "validation" for "dev", "valid" and "val"; any other as it is."""
    return _ALIASES.get(split, split)


def no_split(where: object, split: str | None, splits: Sequence[str]) -> SourceError:
    """Return the error for a split that is not named, or not among those that `where` has."""
    if split is None:
        return SourceError(
            f"{where}: has the splits {', '.join(splits)}: name one, such as --split {splits[-1]}"
        )
    return SourceError(f"{where}: {unknown('split', split, splits)}")


def find_split(folder: Path, split: str, patterns: Sequence[str]) -> Path | None:
    """Return the first file there is that a pattern, such as "{0}.tsv", and a name of the split give.

    It may be plain, .xz or .gz.
    """
    for pattern in patterns:
        for name in _FILE_NAMES.get(split, (split,)):
            for suffix in ("", ".xz", ".gz"):
                file = folder / (pattern.format(name) + suffix)
                if file.is_file():
                    return file
    return None


def select_split(
    path: str | Path, rows: Iterable[tuple[int, dict[str, Any]]], split: str
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows of a table (see `read_table`) whose column `split` names this one, by any of its names.

    Raises:
        SourceError: no row does.
    """
    found = set()
    for number, row in rows:
        found.add(row["split"])
        if split_name(row["split"]) == split:
            yield number, row
    if split not in map(split_name, found):
        raise SourceError(
            f"{path}: the column 'split' has no row {split!r}; it has {', '.join(sorted(found))}"
        )
