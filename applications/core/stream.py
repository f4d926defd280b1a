"""Answers for more texts than memory holds, a block at a time and in order; or for each line as it is typed."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from applications.core import outputs
from applications.core.answers import Answer, Answered, Format
from applications.core.sources import SourceError, read_lines, read_table

Row = tuple[str, Mapping[str, str]]
"""A text, and what is copied into its answer: column -> value."""
Sink = Callable[[Sequence[Answered]], None]
"""Takes the answers, a block at a time."""

TEXTS = 2048
"""Texts of one block at most. A task sorts them by length, so that batches hold little padding."""
CHARACTERS = 4_000_000
"""Characters of one block at most, unless a single text has more."""
LEAVE = "exit"
"""The line that ends a conversation."""


class Task(Protocol):
    """What answers: a task of `zoo.tasks`, or what an application makes of one."""

    def predict(
        self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None
    ) -> Sequence[Answer]:
        """Return an answer for each text; call `progress` with the number of texts that are done."""


def read_rows(path: Path, column: str, kept: Sequence[str] = ()) -> Iterator[Row]:
    """Yield the texts of a file in order, streaming.

    A .txt file has one text a line, and an empty line is an empty text. Of a table, a row with an empty cell is
    an empty text; blank lines between rows are no rows.

    Args:
        path: a .txt, CSV, TSV or JSONL file, plain, .gz or .xz.
        column: the column of a table that holds the text.
        kept: columns that are copied into the answers.

    Raises:
        SourceError: any fault of the file; it holds no text; a table without one of the columns.
    """
    plain = path.with_suffix("") if path.suffix.lower() in (".gz", ".xz") else path
    if plain.suffix.lower() != ".txt":
        for _, row in read_table(path, [column, *kept]):
            yield row[column], {name: row[name] for name in kept}
        return
    if kept:
        raise SourceError(f"{path}: has no columns: leave out --id-column, or give a table")
    empty = True
    for _, line in read_lines(path):
        yield line, {}
        empty = False
    if empty:
        raise SourceError(f"{path}: is empty; give one text a line")


def blocks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Yield the rows in blocks of no more than `TEXTS` texts and `CHARACTERS` characters."""
    block, size = [], 0
    for row in rows:
        if block and (len(block) == TEXTS or size + len(row[0]) > CHARACTERS):
            yield block
            block, size = [], 0
        block.append(row)
        size += len(row[0])
    if block:
        yield block


def predict(
    task: Task,
    rows: Iterable[Row],
    *,
    with_text: bool = True,
    progress: Callable[[int], None] | None = None,
) -> Iterator[list[Answered]]:
    """Yield the answers in the order of the rows, a block at a time: no more than one is in memory.

    Args:
        task: what answers.
        rows: the texts, see `read_rows`.
        with_text: whether the answers carry their texts.
        progress: called as the work goes on with the number of texts that are done.
    """
    done = 0
    for block in blocks(rows):
        found = task.predict(
            [text for text, _ in block],
            progress=progress and (lambda count, before=done: progress(before + count)),
        )
        yield [
            Answered(text if with_text else None, answer, kept)
            for (text, kept), answer in zip(block, found, strict=True)
        ]
        done += len(block)


def typed(prompt: str = "") -> Iterator[str]:
    """Yield the lines of standard input as they come, until its end or `LEAVE`.

    Args:
        prompt: what is shown before each line where a person types.
    """
    sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")  # `converse` tells what is not UTF-8
    shown = prompt if sys.stdin.isatty() and sys.stdout.isatty() else ""
    while True:
        try:
            line = input(shown)
        except EOFError:
            return
        if line.strip() == LEAVE:
            return
        yield line


def converse(
    task: Task,
    lines: Iterable[str],
    form: Format,
    write: Callable[[str], None],
    note: Callable[[str], None],
    *,
    with_text: bool = True,
) -> None:
    """Answer each line before the next one is asked for; one that is no text gets a note and an empty line.

    Args:
        task: what answers.
        lines: the texts, such as those of `typed`.
        form: how the answers are written.
        write: takes them.
        note: takes the faults.
        with_text: whether the answers carry their texts.
    """
    for number, line in enumerate(lines, 1):
        if "\0" in line or any("\ud800" <= character <= "\udfff" for character in line):
            note(f"error: line {number}: a NUL byte, or not UTF-8: give text in UTF-8")
            write("\n")
            continue
        [block] = predict(task, [(line, {})], with_text=with_text)
        write(form.block(block, number == 1))


@contextmanager
def writing(write: Callable[[str], None], form: Format) -> Iterator[Sink]:
    """Yield what writes blocks of answers in a format; the format's end is written when all went well."""
    first = True

    def put(answers: Sequence[Answered]) -> None:
        nonlocal first
        write(form.block(answers, first))
        first = False

    yield put
    write(form.end)


@contextmanager
def writing_file(path: Path, form: Format) -> Iterator[Sink]:
    """The same for a new file in UTF-8: it is there, and on the disk, when all went well, and else not at all.

    A lone surrogate is written as its escape.

    Raises:
        UserError: as `outputs.check_new` does.
        OSError: the disk is full, say.
    """
    with outputs.new_file(path) as partial, open(partial, "xb") as file:
        with writing(lambda text: file.write(text.encode(errors="backslashreplace")), form) as put:
            yield put
        file.flush()
        os.fsync(file.fileno())
