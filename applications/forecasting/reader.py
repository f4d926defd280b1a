"""Tables of series in files: CSV, TSV and JSONL into frames whose rows are named by the lines of the file."""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from applications.core.sources import KINDS, SourceError, bare_suffix, read_csv, read_lines

if TYPE_CHECKING:
    import pandas as pd

EMPTY = ("", "na", "n/a", "nan", "null", "none")
"""What stands, in any case of letters, where a column of numbers has no value."""

INDEX = "index"
"""What the column is called whose name was left empty, as pandas writes an index."""

_NUMBER = r"[+-]?(?:(?:\d+|[1-9]\d{{0,2}}(?:{0}\d{{3}})+)(?:{1}\d*)?|{1}\d+)(?:e[+-]?\d+)?|[+-]?inf(?:inity)?"
_MARKS = {  # thousands, decimals
    mark: (re.compile(_NUMBER.format(re.escape(other), re.escape(mark)), re.ASCII | re.IGNORECASE), other)
    for mark, other in ((".", ","), (",", "."))
}


def read_file(path: str | Path, text: Collection[str] = ()) -> "pd.DataFrame":
    """Return a table whose index, `line`, holds the number of each row's line; `zoo.tasks.read_frame` judges the rest.

    | in the file | rule |
    |---|---|
    | what separates the fields | .tsv: tabs; .csv: told by the line of names: a tab, else a semicolon, else a comma |
    | quotation marks | fields in them may hold anything, also line breaks, and quotation marks doubled |
    | blank lines | passed over |
    | fewer or more fields than names, no rows, a name twice | refused |
    | a column without a name | the first is called `index`, as pandas writes one; another is refused |
    | numbers | see `to_frame`; what is no number in a column of numbers stays text |
    | JSONL | an object a line, all with the names of the first; numbers are numbers, text is text, null is empty |
    | not UTF-8 (with or without byte order mark), NUL bytes, a damaged .gz or .xz | refused |

    Args:
        path: a .csv, .tsv or .jsonl file, plain, .gz or .xz.
        text: columns that are text even where it looks like numbers: names of series.

    Raises:
        SourceError: no such file or kind, or what the table above calls refused.
    """
    path = Path(path)
    if path.is_dir():
        raise SourceError(f"{path}: is a folder; a file is wanted")
    if bare_suffix(path) not in KINDS:
        raise SourceError(
            f"{path}: unknown kind of file; its name must end in {', '.join(KINDS)} (.gz and .xz too)"
        )
    if bare_suffix(path) == ".jsonl":
        return _json_frame(path)
    rows = csv_rows(path)
    number, header = next(rows, (0, None))
    if header is None:
        raise SourceError(f"{path}: is empty; give a table whose first line names the columns")
    names = _names(f"{path}:{number}", header)
    numbers, cells = [], []
    for number, row in rows:
        if len(row) != len(names):
            raise SourceError(
                f"{path}:{number}: found {len(row)} fields where the first line has {len(names)}: put a field that "
                "holds a separator, be it a decimal comma, in quotation marks"
            )
        numbers.append(number)
        cells.append(row)
    if not cells:
        raise SourceError(f"{path}: has no rows after the line of names; add some")
    columns = dict(zip(names, map(list, zip(*cells, strict=True)), strict=True))
    return to_frame(columns, str(path), text, numbers)


def csv_rows(path: str | Path) -> Iterator[tuple[int, list[str]]]:
    """Yield `(line number, fields)` of a CSV or TSV file, streaming; blank lines are passed over.

    Raises:
        SourceError: no such file, not text in UTF-8, or quotation marks that do not match.
    """
    path = Path(path)
    first = next((line for _, line in read_lines(path) if line.strip()), "")
    bare = re.sub(r'"(?:[^"]|"")*"', "", first)
    separator = "\t" if bare_suffix(path) == ".tsv" else next((mark for mark in "\t;" if mark in bare), ",")
    for number, row in read_csv(path, separator):
        row = [field.strip() for field in row]
        if len(row) > 1 or any(row):
            yield number, row


def to_frame(
    columns: Mapping[str, Sequence[str]],
    where: str,
    text: Collection[str] = (),
    numbers: Sequence[int] | None = None,
) -> "pd.DataFrame":
    """Return a frame of columns of text, in which what is written as a number is one.

    `1234.5`, `1,234.5` and `1e3` have a decimal point; `1234,5` and `1.234,5` a decimal comma. A table has one of them:
    the one of which it has more numbers that can be read in no other way. Without any such number a point is a decimal
    point, and a comma, which may also be one of thousands, is refused.

    Args:
        columns: name -> cells.
        where: what messages begin with.
        text: columns that are left as they are.
        numbers: the line of each row; by default rows are counted from 1, and the index is called `row`.

    Raises:
        SourceError: a number such as `1,234` that nothing tells how to read.
    """
    import pandas as pd

    named = "row" if numbers is None else "line"
    index = range(1, 1 + len(next(iter(columns.values())))) if numbers is None else numbers
    pattern, other = _MARKS[_decimal_mark(columns, where, text, index)]

    def convert(name, cells):
        empty = [cell.lower() in EMPTY for cell in cells]
        is_text = _is_text(name, text)
        found = [not is_text and pattern.fullmatch(cell) is not None for cell in cells]
        if is_text or not (any(found) or all(empty)):
            return [cell or None for cell in cells]
        return [
            float("nan") if none else float(cell.replace(other, "").replace(",", ".")) if number else cell
            for cell, none, number in zip(cells, empty, found, strict=True)
        ]

    converted = {name: convert(name, cells) for name, cells in columns.items()}
    return pd.DataFrame(converted, index=pd.Index(index, name=named))


def _decimal_mark(columns, where, text, index) -> str:
    """Return "." or ",", whichever more numbers have that can be read in one way only."""
    (point, _), (comma, _) = _MARKS["."], _MARKS[","]
    found, unclear = {".": 0, ",": 0}, None
    for name, cells in columns.items():
        if _is_text(name, text):
            continue
        for place, cell in enumerate(cells):
            if "." in cell or "," in cell:
                fits = point.fullmatch(cell) is not None, comma.fullmatch(cell) is not None
                if fits[0] != fits[1]:
                    found["." if fits[0] else ","] += 1
                elif fits[0] and "," in cell and unclear is None:
                    unclear = name, place, cell
    if unclear and not any(found.values()):
        name, place, cell = unclear
        raise SourceError(
            f"{where}:{index[place]}: column {name!r}: {cell!r} may be {cell.replace(',', '')} or "
            f"{cell.replace(',', '.')}; write numbers with a decimal point, and nothing between thousands"
        )
    return "," if found[","] > found["."] else "."


def _is_text(name: str, text: Collection[str]) -> bool:
    return name in text or name.lower() in text


def _names(where: str, header: Sequence[str]) -> list[str]:
    """Return the names of the columns; the first that is empty is `INDEX`."""
    names = list(header)
    if "" in names:
        names[names.index("")] = INDEX
    for place, name in enumerate(names):
        if not name:
            raise SourceError(f"{where}: column {place + 1} has no name; give it one, or take it out")
        if name in names[:place]:
            raise SourceError(f"{where}: the column {name!r} occurs twice; rename one")
    return names


def _json_frame(path: Path) -> "pd.DataFrame":
    import pandas as pd

    numbers, rows = [], []
    for number, line in read_lines(path):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            row = json.loads(line, object_pairs_hook=lambda pairs, where=where: _object(where, pairs))
        except (ValueError, RecursionError) as fault:
            if isinstance(fault, SourceError):
                raise
            raise SourceError(f"{where}: not JSON ({fault}); give one object a line") from None
        if not isinstance(row, dict):
            raise SourceError(f"{where}: found no JSON object; give one a line")
        if rows and row.keys() != rows[0].keys():
            name = sorted(row.keys() ^ rows[0].keys())[0]
            few, many = ("this line", "the first") if name in rows[0] else ("the first line", "this one")
            raise SourceError(
                f"{where}: {few} has no {name!r}, {many} has: name the same in all, null where there is no value"
            )
        numbers.append(number)
        rows.append(row)
    if not rows:
        raise SourceError(f"{path}: is empty; give one JSON object a line")
    return pd.DataFrame(rows, index=pd.Index(numbers, name="line"))


def _object(where: str, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object as a dictionary, if it names nothing twice and holds no others."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise SourceError(f"{where}: {twice!r} occurs twice; rename one")
    for name, value in pairs:
        if isinstance(value, dict | list):
            raise SourceError(f"{where}: {name}: found {json.dumps(value)[:60]}; give text or a number")
    return found
