"""The answers of `predict` as text, CSV, TSV, JSON lines or JSON, written a block at a time."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Protocol

from applications.core import outputs
from zoo.errors import UserError


class Answer(Protocol):
    """What a task predicts for one input."""

    def to_dict(self) -> dict[str, Any]:
        """Return the answer for JSON; what is text or a number in it becomes a column of a table."""


@dataclass(frozen=True)
class Answered:
    """A text with its answer.

    Attributes:
        text: the text; None: it is left out of what is written.
        answer: what a task predicts for it.
        kept: column -> value, written before the text.

    Raises:
        UserError: the answer or the text stands in a column of the same name as one that is kept.
    """

    text: str | None
    answer: Answer
    kept: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        return self._with(self.answer.to_dict())

    def columns(self) -> dict[str, str | int | float]:
        """Return the part that fits into a table."""
        return self._with(self._plain_answer())

    def to_line(self) -> str:
        """Return what is kept, the answer's values and the text, with tabs between and a line end."""
        last = [] if self.text is None else [self.text]
        values = [*self.kept.values(), *self._plain_answer().values(), *last]
        return "\t".join(map(_plain, values)) + "\n"

    def _plain_answer(self):
        answer = self.answer.to_dict()
        return {name: value for name, value in answer.items() if isinstance(value, str | int | float)}

    def _with(self, answer):
        own = answer if self.text is None else {"text": self.text, **answer}
        for name in self.kept:
            if name in own:
                raise UserError(
                    f"--id-column: the answers have a column {name!r} of their own: rename it in the input"
                )
        return {**self.kept, **own}


@dataclass(frozen=True)
class Format:
    """How answers become text.

    Attributes:
        block: from some answers, and whether they are the first ones, to their text.
        end: what stands behind the last block.
    """

    block: Callable[[Sequence[Answered], bool], str]
    end: str = ""


def _lines(rows: Sequence[Answered], first: bool) -> str:
    return "".join(row.to_line() for row in rows)


def _json_lines(rows: Sequence[Answered], first: bool) -> str:
    return "".join(json.dumps(row.to_dict(), ensure_ascii=False) + "\n" for row in rows)


def _json(rows: Sequence[Answered], first: bool) -> str:
    """Return a part of a JSON list, without the end of the list and the line end before it."""
    items = outputs.to_json([row.to_dict() for row in rows]).removeprefix("[\n").removesuffix("\n]\n")
    return ("[\n" if first else ",\n") + items


def _table(delimiter: str) -> Callable[[Sequence[Answered], bool], str]:
    def block(rows, first):
        columns, lines = [row.columns() for row in rows], []
        file = SimpleNamespace(write=lines.append)
        # before Python 3.13, a carriage return is quoted only where it is a part of the line end
        writer = csv.DictWriter(file, columns[0], delimiter=delimiter, lineterminator="\r\n")
        if first:
            writer.writeheader()
        writer.writerows(columns)
        return "".join(line.removesuffix("\r\n") + "\n" for line in lines)

    return block


FORMATS = {
    ".txt": Format(_lines),
    ".csv": Format(_table(",")),
    ".tsv": Format(_table("\t")),
    ".jsonl": Format(_json_lines),
    ".json": Format(_json, end="\n]\n"),
}
"""Suffix -> how answers are written: a line each with tabs between, a table with a header, or JSON with all."""


def _plain(value: str | int | float) -> str:
    return f"{value:.4f}" if isinstance(value, float) else outputs.to_line(str(value))
