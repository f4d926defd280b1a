"""Files of texts: CSV, TSV, JSONL, lines, each compressed or not; folders with a sub-folder per label."""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

from zoo.errors import UserError
from zoo.preprocessing import lines

KINDS = (".csv", ".tsv", ".jsonl")
"""How the name of a table ends; .gz or .xz may stand behind."""


class SourceError(UserError):
    """A fault in data: the message begins with the file and line, or the source, and ends with the remedy."""


def bare_suffix(path: Path) -> str:
    """Return how a name ends, in small letters; of a compressed file, what stands before .gz or .xz."""
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix in (".gz", ".xz") else suffix


def read_lines(path: str | Path) -> Iterator[tuple[int, str]]:
    """Yield `(line number, line without its line end)` of a text file, plain, .gz or .xz, streaming.

    Raises:
        SourceError: no such file, or it is not UTF-8 text (see `zoo.preprocessing.lines`).
    """
    for number, line in lines.read_lines(path, SourceError):
        yield number, line.rstrip("\r\n")


def read_table(
    path: str | Path, columns: Sequence[str], optional: Sequence[str] = (), lists: Sequence[str] = ()
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield `(line number, {column: value})` for every row of a CSV, TSV or JSONL file, streaming.

    CSV: commas; fields in quotation marks may hold commas, doubled quotation marks and line breaks. TSV: a
    field wholly in quotation marks is unquoted, any other is taken as it stands. Both begin with a line of
    names. JSONL: one object a line; numbers and booleans become text. Blank lines are passed over. The file
    is UTF-8, with or without byte order mark, and may be compressed (.gz, .xz).

    Args:
        path: the file; its name says the kind.
        columns: names of the columns to read.
        optional: names of columns to read if they are there; where they are not, the key is missing.
        lists: names of columns that may hold lists in JSONL; these come as lists of text.

    Raises:
        SourceError: no such file or kind, not text, not UTF-8, damaged, empty, no rows, a column missing or
            named twice, a row with more or fewer fields than the first line.
    """
    path = Path(path)
    if path.is_dir():
        raise SourceError(f"{path}: is a folder; a file is wanted")
    jsonl_rows = partial(_jsonl_rows, lists=lists)
    reader = {".csv": _csv_rows, ".tsv": _tsv_rows, ".jsonl": jsonl_rows}.get(bare_suffix(path))
    if reader is None:
        kinds = ", ".join(KINDS)
        raise SourceError(f"{path}: unknown kind of file; its name must end in {kinds} (.gz and .xz too)")
    yield from reader(path, list(dict.fromkeys(columns)), [name for name in optional if name not in columns])


def read_csv(path: Path, separator: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Yield `(line number, fields)` of the rows of a CSV file, streaming; those of a blank line are none.

    Raises:
        SourceError: no such file, not text in UTF-8, or quotation marks that do not match.
    """
    csv.field_size_limit(max(csv.field_size_limit(), lines.MAX_LINE))
    text = (line for _, line in lines.read_lines(path, SourceError))
    reader = csv.reader(text, delimiter=separator, strict=True)
    while True:
        start = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as fault:
            raise SourceError(
                f"{path}:{start}: not valid CSV ({fault}): put a field that holds a separator, a line break or a "
                "quotation mark in quotation marks, and double those inside it"
            ) from None
        yield start, row


def _csv_rows(path: Path, columns: Sequence[str], optional: Sequence[str]) -> Iterator:
    remedy = "put a field that holds a comma or a line break in quotation marks"
    return _select(path, read_csv(path), columns, optional, remedy)


def _tsv_rows(path: Path, columns: Sequence[str], optional: Sequence[str]) -> Iterator:
    def fields(line: str) -> list[str]:
        return [unquote(field) for field in line.split("\t")] if line else []

    def unquote(field: str) -> str:
        return field[1:-1].replace('""', '"') if re.fullmatch('"(?:[^"]|"")*"', field) else field

    rows = ((number, fields(line)) for number, line in read_lines(path))
    return _select(path, rows, columns, optional, "a field of a TSV file cannot hold a tab or a line break")


def _select(
    path: Path,
    rows: Iterator[tuple[int, list[str]]],
    columns: Sequence[str],
    optional: Sequence[str],
    remedy: str,
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the named columns of rows, the first of which holds the names."""
    rows = ((number, row) for number, row in rows if row)  # a blank line; `""` is an empty text
    number, header = next(rows, (0, None))
    if header is None:
        raise SourceError(f"{path}: is empty; give a table whose first line names the columns")
    header = [name.strip() for name in header]
    wanted = [*columns, *(name for name in optional if name in header)]
    for name in wanted:
        if name not in header:
            raise missing_column(f"{path}:{number}", name, header)
        if header.count(name) > 1:
            raise SourceError(f"{path}:{number}: the column {name!r} occurs twice; rename one")
    places = {name: header.index(name) for name in wanted}
    empty = True
    for number, row in rows:
        if len(row) != len(header):
            raise SourceError(
                f"{path}:{number}: found {len(row)} fields where the first line has {len(header)}: {remedy}"
            )
        yield number, {name: row[place] for name, place in places.items()}
        empty = False
    if empty:
        raise SourceError(f"{path}: has no rows after the line of names; add some")


def _jsonl_rows(
    path: Path, columns: Sequence[str], optional: Sequence[str], lists: Sequence[str]
) -> Iterator:
    empty = True
    for number, line in read_lines(path):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as fault:
            raise SourceError(f"{path}:{number}: not JSON ({fault}); give one object a line") from None
        if not isinstance(row, dict):
            raise SourceError(f"{path}:{number}: found no JSON object; give one a line")
        values = {}
        for name in [*columns, *(name for name in optional if name in row)]:
            if name not in row:
                raise missing_column(f"{path}:{number}", name, row)
            several = name in lists and isinstance(row[name], list)
            items = row[name] if several else [row[name]]
            if not all(isinstance(item, str | int | float) for item in items):
                found = json.dumps(row[name])[:60]
                raise SourceError(f"{path}:{number}: {name}: found {found}; give text or a number")
            items = [item if isinstance(item, str) else json.dumps(item) for item in items]
            values[name] = items if several else items[0]
        yield number, values
        empty = False
    if empty:
        raise SourceError(f"{path}: is empty; give one JSON object a line")


def missing_column(where: str, name: str, found: Iterable[str]) -> SourceError:
    """Return the error for a column that is not among those found; the nearest is suggested."""
    found = [str(key)[:40] for key in found]
    near = get_close_matches(name, found, n=1)
    names = ", ".join(map(repr, found[:20])) + (", ..." if len(found) > 20 else "")
    hint = f"did you mean {near[0]!r}? " if near else ""
    return SourceError(f"{where}: no column {name!r}: {hint}Found {names}: name one of these instead")


def read_folder(path: str | Path) -> Iterator[tuple[Path, str, str]]:
    """Yield `(file, text, label)` for a folder with one sub-folder per label of .txt files, sorted by name.

    Raises:
        SourceError: no such folder, no sub-folders, a sub-folder without .txt files, a file that is not text.
    """
    path = Path(path)
    if not path.is_dir():
        raise SourceError(f"{path}: no such folder")
    wanted = "give a folder with one sub-folder per label, each of .txt files"
    folders = sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not folders:
        raise SourceError(f"{path}: has no sub-folders; {wanted}")
    for folder in folders:
        files = sorted(file for file in folder.iterdir() if file.suffix.lower() == ".txt")
        if not files:
            raise SourceError(f"{folder}: holds no .txt files; {wanted}")
        for file in files:
            yield file, "".join(line for _, line in lines.read_lines(file, SourceError)).strip(), folder.name
