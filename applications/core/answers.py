"""The texts that `predict` is asked about, and its answers as text, CSV, TSV, JSON lines or JSON."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from applications.core import outputs
from applications.core.sources import SourceError, read_lines, read_table


class Answer(Protocol):
    """What a task predicts for one input."""

    def to_dict(self) -> dict[str, Any]:
        """Return the answer for JSON; what is text or a number in it becomes a column of a table."""


def read_texts(path: Path, column: str) -> list[str]:
    """Return the texts of a file, in order: a .txt file has one a line, an empty line is an empty text.

    Args:
        path: a .txt, CSV, TSV or JSONL file, plain, .gz or .xz.
        column: the column of a table that holds the text.

    Raises:
        SourceError: any fault of the file; it holds no text; a table without the column.
    """
    plain = path.with_suffix("") if path.suffix.lower() in (".gz", ".xz") else path
    if plain.suffix.lower() != ".txt":
        return [row[column] for _, row in read_table(path, [column])]
    if texts := [line for _, line in read_lines(path)]:
        return texts
    raise SourceError(f"{path}: is empty; give one text a line")


def to_lines(texts: Sequence[str], answers: Sequence[Answer]) -> str:
    """Return a line for each answer: its values and the text, with tabs between."""
    return "".join(
        "\t".join(map(_plain, [*_columns(answer).values(), text])) + "\n"
        for text, answer in zip(texts, answers, strict=True)
    )


def to_jsonl(texts: Sequence[str], answers: Sequence[Answer]) -> str:
    """Return a line of JSON for each answer, the text in it."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in _rows(texts, answers))


def to_json(texts: Sequence[str], answers: Sequence[Answer]) -> str:
    """Return a JSON list of the answers, the text in each."""
    return outputs.to_json(_rows(texts, answers))


def to_csv(texts: Sequence[str], answers: Sequence[Answer], delimiter: str = ",") -> str:
    """Return a table with a header: the text and the values of each answer."""
    buffer = io.StringIO()
    rows = [{"text": text, **_columns(answer)} for text, answer in zip(texts, answers, strict=True)]
    writer = csv.DictWriter(buffer, rows[0], delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def to_tsv(texts: Sequence[str], answers: Sequence[Answer]) -> str:
    """Return `to_csv` with tabs."""
    return to_csv(texts, answers, "\t")


FORMATS = {".txt": to_lines, ".csv": to_csv, ".tsv": to_tsv, ".jsonl": to_jsonl, ".json": to_json}


def _rows(texts: Sequence[str], answers: Sequence[Answer]) -> list[dict[str, Any]]:
    return [{"text": text, **answer.to_dict()} for text, answer in zip(texts, answers, strict=True)]


def _columns(answer: Answer) -> dict[str, str | int | float]:
    """Return the part of an answer that fits into a table."""
    return {name: value for name, value in answer.to_dict().items() if isinstance(value, str | int | float)}


def _plain(value: str | int | float) -> str:
    return f"{value:.4f}" if isinstance(value, float) else outputs.to_line(str(value))
