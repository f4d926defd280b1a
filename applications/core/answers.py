"""The answers of `predict` as text, CSV, TSV, JSON lines or JSON, written a block at a time."""

import csv
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Protocol

from applications.core import outputs
from zoo.errors import UserError

Plain = str | int | float
"""What fits into a cell of a table."""


class Answer(Protocol):
    """What an application answers for one text."""

    def to_dict(self) -> dict[str, Any]:
        """Return the answer for JSON; what is text or a number in it becomes a column of a table."""


@dataclass(frozen=True)
class Answered:
    """A text with its answer.

    Attributes:
        text: the text; None: it is left out of what is written.
        answer: what an application answers for it.
        kept: column -> value, written before the text.

    Raises:
        UserError: the answer or the text stands in a column of the same name as one that is kept.
    """

    text: str | None
    answer: Answer
    kept: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        return self.beside(self.answer.to_dict())

    def columns(self) -> list[dict[str, Plain]]:
        """Return the part that fits into a table: a row."""
        return [self.beside(self._plain_answer())]

    def lines(self) -> list[list[Plain]]:
        """Return the values of its line of plain text: what is kept, the answer's and the text."""
        last = [] if self.text is None else [self.text]
        return [[*self.kept.values(), *self._plain_answer().values(), *last]]

    def beside(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is kept, the text and `values`, which are of the answer."""
        own = {**values} if self.text is None else {"text": self.text, **values}
        for name in self.kept:
            if name in own:
                raise UserError(
                    f"--id-column: the answers have a column {name!r} of their own: rename it in the input"
                )
        return {**self.kept, **own}

    def _plain_answer(self):
        answer = self.answer.to_dict()
        return {name: value for name, value in answer.items() if isinstance(value, Plain)}


@dataclass(frozen=True)
class Format:
    """How answers become text.

    Attributes:
        block: from some answers, and whether they are the first ones, to their text.
        end: what stands behind the last block.
    """

    block: Callable[[Sequence[Answered], bool], str]
    end: str = ""


def formats(
    columns: Callable[[Answered], Sequence[Mapping[str, Plain]]] = Answered.columns,
    lines: Callable[[Answered], Iterable[Iterable[Plain]]] = Answered.lines,
) -> dict[str, Format]:
    """Return suffix -> how answers are written: lines with tabs, a table with a header, or JSON with all.

    Args:
        columns: from a text with its answer to its rows of a table.
        lines: the same to the values of its lines of plain text.
    """

    def plain(rows, first):
        return "".join("\t".join(map(_plain, line)) + "\n" for row in rows for line in lines(row))

    return {
        ".txt": Format(plain),
        ".csv": Format(_table(",", columns)),
        ".tsv": Format(_table("\t", columns)),
        ".jsonl": Format(_json_lines),
        ".json": Format(_json, end="\n]\n"),
    }


def _json_lines(rows: Sequence[Answered], first: bool) -> str:
    return "".join(json.dumps(row.to_dict(), ensure_ascii=False) + "\n" for row in rows)


def _json(rows: Sequence[Answered], first: bool) -> str:
    """Return a part of a JSON list, without the end of the list and the line end before it."""
    items = outputs.to_json([row.to_dict() for row in rows]).removeprefix("[\n").removesuffix("\n]\n")
    return ("[\n" if first else ",\n") + items


def _table(delimiter: str, columns: Callable[[Answered], Sequence[Mapping[str, Plain]]]) -> Callable:
    def block(rows, first):
        table, lines = [line for row in rows for line in columns(row)], []
        file = SimpleNamespace(write=lines.append)
        # before Python 3.13, a carriage return is quoted only where it is a part of the line end
        writer = csv.DictWriter(file, table[0], delimiter=delimiter, lineterminator="\r\n")
        if first:
            writer.writeheader()
        writer.writerows(table)
        return "".join(line.removesuffix("\r\n") + "\n" for line in lines)

    return block


FORMATS = formats()
"""The same for answers of one row, with the text at the end of a line."""


def _plain(value: Plain) -> str:
    return f"{value:.4f}" if isinstance(value, float) else outputs.to_line(str(value))
