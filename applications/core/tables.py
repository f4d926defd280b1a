"""Tables of results as Markdown and CSV: named columns in an order, numbers rounded."""

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.errors import UserError

Row = Mapping[str, Any]
Digits = int | Mapping[str, int]
"""Decimals of numbers that are not whole, of all columns or by column (others: 4)."""


def columns_of(rows: Sequence[Row]) -> list[str]:
    """Return the columns of all rows, in the order of their first appearance."""
    return list(dict.fromkeys(name for row in rows for name in row))


def markdown(rows: Sequence[Row], columns: Sequence[str] | None = None, digits: Digits = 4) -> str:
    """Return a Markdown table, numbers on the right; what a row lacks is an empty cell.

    Args:
        rows: column -> value.
        columns: which ones, in which order; by default those of `columns_of`.
        digits: see `Digits`; zeros are kept.
    """
    columns = columns_of(rows) if columns is None else columns
    numeric = [all(_is_number(row.get(name, 0)) for row in rows) for name in columns]
    lines = [
        [_cell(name) for name in columns],
        ["---:" if right else "---" for right in numeric],
        *([_cell(_text(row.get(name), _digits(digits, name), ",")) for name in columns] for row in rows),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def comma_separated(rows: Sequence[Row], columns: Sequence[str] | None = None, digits: Digits = 6) -> str:
    """Return the same table as CSV (RFC 4180, but lines end in a line feed)."""
    columns = columns_of(rows) if columns is None else columns
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_text(row.get(name), _digits(digits, name)) for name in columns] for row in rows)
    return text.getvalue()


def write(
    rows: Sequence[Row], path: str | Path, columns: Sequence[str] | None = None, digits: Digits = 4
) -> Path:
    """Write `rows` to `path`, as Markdown or CSV by its suffix, and return it.

    Raises:
        UserError: another suffix than .md or .csv.
    """
    path = Path(path)
    formats = {".md": markdown, ".csv": comma_separated}
    if path.suffix not in formats:
        raise UserError(f"{path}: no table format {path.suffix!r}; end it in .md or .csv")
    path.write_text(formats[path.suffix](rows, columns, digits), encoding="utf-8")
    return path


def _digits(digits: Digits, name: str) -> int:
    return digits if isinstance(digits, int) else digits.get(name, 4)


def _text(value: Any, digits: int, thousands: str = "") -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float):
        return f"{value:{thousands}.{digits}f}"
    return f"{value:{thousands}}" if _is_number(value) else str(value)


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _cell(text: str) -> str:
    """Return text that stays in its cell and on its line, and is no markup."""
    text = re.sub(r"[\\|`*<\[]|(?<!\w)_|_(?!\w)", r"\\\g<0>", text)
    return " ".join(text.split())
