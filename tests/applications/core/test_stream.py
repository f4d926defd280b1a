"""The stream of answers: in order, flat in memory, whole or not at all."""

import gzip
import json
import lzma
import os
import tracemalloc
from dataclasses import dataclass

import pytest

from applications.core import stream
from applications.core.answers import FORMATS
from applications.core.sources import SourceError


@dataclass
class Answer:
    length: int

    def to_dict(self):
        return {"length": self.length}


class Measure:
    """Answers with the length of each text, and keeps how many it was asked about at a time."""

    def __init__(self):
        self.asked = []

    def predict(self, texts, *, progress=None):
        self.asked.append(len(texts))
        if progress:
            progress(len(texts) // 2)
            progress(len(texts))
        return [Answer(len(text)) for text in texts]


def answer(path, out, task=None, kept=(), **options):
    """Answer a file into a file."""
    with stream.writing_file(out, FORMATS[out.suffix]) as put:
        for block in stream.predict(task or Measure(), stream.read_rows(path, "text", kept), **options):
            put(block)


# --- reading ----------------------------------------------------------------------------------------------

TEXTS = ["one", "", "  two\t", "thréé"]


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz"])
def test_every_line_of_a_text_file_is_a_text(tmp_path, suffix):
    path = tmp_path / f"in.txt{suffix}"
    opener = {"": open, ".gz": gzip.open, ".xz": lzma.open}[suffix]
    with opener(path, "wt", encoding="utf-8", newline="") as file:
        file.write("one\n\r\n  two\t\nthréé")
    assert [text for text, _ in stream.read_rows(path, "text")] == TEXTS


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("in.csv", 'id,text\n1,one\n\n2,\n3,"  two\t"\n4,thréé\n'),
        ("in.tsv", 'id\ttext\n1\tone\n2\t\n3\t"  two\t"\n4\tthréé\n'.replace("two\t", "two")),
        ("in.jsonl", "".join(json.dumps({"text": t, "id": n}) + "\n\n" for n, t in enumerate(TEXTS, 1))),
    ],
)
def test_every_row_of_a_table_is_a_text(tmp_path, name, content):
    (tmp_path / name).write_text(content, "utf-8")
    rows = list(stream.read_rows(tmp_path / name, "text", ["id"]))
    assert [text for text, _ in rows] == [t.rstrip("\t") if name == "in.tsv" else t for t in TEXTS]
    assert [kept for _, kept in rows] == [{"id": str(number)} for number in range(1, 5)]
    assert [kept for _, kept in stream.read_rows(tmp_path / name, "text")] == [{}] * 4


def test_a_text_file_has_no_columns_to_keep(tmp_path):
    (tmp_path / "in.txt").write_text("one\n")
    with pytest.raises(SourceError, match=r"in\.txt: has no columns: leave out --id-column"):
        list(stream.read_rows(tmp_path / "in.txt", "text", ["id"]))


def test_a_column_to_keep_that_is_not_there(tmp_path):
    (tmp_path / "in.csv").write_text("idd,text\n1,one\n")
    with pytest.raises(SourceError, match=r"in\.csv:1: no column 'id': did you mean 'idd'\?"):
        list(stream.read_rows(tmp_path / "in.csv", "text", ["id"]))


# --- blocks -----------------------------------------------------------------------------------------------


def test_blocks_are_bounded_by_texts_and_by_characters(monkeypatch):
    monkeypatch.setattr(stream, "TEXTS", 3)
    monkeypatch.setattr(stream, "CHARACTERS", 10)
    rows = [("x" * length, {}) for length in (1, 1, 1, 1, 6, 3, 1, 25, 4, 6, 0, 11)]
    found = [[len(text) for text, _ in block] for block in stream.blocks(rows)]
    assert found == [[1, 1, 1], [1, 6, 3], [1], [25], [4, 6, 0], [11]]
    assert list(stream.blocks([])) == []


def test_progress_counts_over_all_blocks(monkeypatch):
    monkeypatch.setattr(stream, "TEXTS", 4)
    task, done = Measure(), []
    rows = [(str(number), {}) for number in range(10)]
    found = [len(block) for block in stream.predict(task, rows, progress=done.append)]
    assert task.asked == found == [4, 4, 2]
    assert done == [2, 4, 6, 8, 9, 10]


# --- from file to file ------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_answers_are_in_order_over_many_blocks(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(stream, "TEXTS", 7)
    path, out = tmp_path / "in.csv", tmp_path / f"out{suffix}"
    path.write_text("name,text\n" + "".join(f"n{number},{'x' * (number % 40)}\n" for number in range(100)))
    answer(path, out, kept=["name"], with_text=False)
    wanted = [(f"n{number}", number % 40) for number in range(100)]
    if suffix == ".json":
        found = [(row["name"], row["length"]) for row in json.loads(out.read_text())]
    elif suffix == ".jsonl":
        found = [tuple(json.loads(line).values()) for line in out.read_text().splitlines()]
    else:
        lines = [line.replace(",", "\t").split("\t") for line in out.read_text().splitlines()]
        if suffix != ".txt":
            assert lines.pop(0) == ["name", "length"]
        found = [(name, int(length)) for name, length in lines]
    assert found == wanted


def test_an_answer_too_few_is_a_fault_of_the_task(tmp_path):
    (tmp_path / "in.txt").write_text("a\nb\n")
    task = Measure()
    task.predict = lambda texts, **_: [Answer(1)]
    with pytest.raises(ValueError, match="shorter"):
        answer(tmp_path / "in.txt", tmp_path / "out.csv", task)
    assert os.listdir(tmp_path) == ["in.txt"]


class Fails:
    """Answers one block, and then not."""

    def __init__(self, fault):
        self.fault, self.blocks = fault, 0

    def predict(self, texts, *, progress=None):
        self.blocks += 1
        if self.blocks > 1:
            raise self.fault
        return [Answer(0) for _ in texts]


@pytest.mark.parametrize(
    "fault", [OSError(28, "No space left on device"), KeyboardInterrupt(), SystemExit(1)]
)
@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_nothing_is_left_half_written(tmp_path, monkeypatch, suffix, fault):
    monkeypatch.setattr(stream, "TEXTS", 2)
    (tmp_path / "in.txt").write_text("a\nb\nc\n")
    with pytest.raises(type(fault)):
        answer(tmp_path / "in.txt", tmp_path / f"out{suffix}", Fails(fault))
    assert os.listdir(tmp_path) == ["in.txt"]


def test_a_faulty_row_far_behind_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "TEXTS", 2)
    (tmp_path / "in.csv").write_text("id,text\n1,a\n2,b\n3,c\n4\n")
    with pytest.raises(SourceError, match=r"in\.csv:5: found 1 fields where the first line has 2"):
        answer(tmp_path / "in.csv", tmp_path / "out.csv")
    assert os.listdir(tmp_path) == ["in.csv"]


def test_a_list_is_closed_only_when_all_went_well(monkeypatch):
    def write(task):
        with stream.writing(pieces.append, FORMATS[".json"]) as put:
            for block in stream.predict(task, [("a", {}), ("b", {})], with_text=False):
                put(block)

    monkeypatch.setattr(stream, "TEXTS", 1)
    pieces = []
    with pytest.raises(KeyboardInterrupt):
        write(Fails(KeyboardInterrupt()))
    assert "".join(pieces) == '[\n  {\n    "length": 0\n  }'
    pieces.clear()
    write(Measure())
    assert json.loads("".join(pieces)) == [{"length": 1}, {"length": 1}]


# --- memory -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_memory_does_not_grow_with_the_file(tmp_path, monkeypatch, suffix):
    """Twenty times the rows, no more memory: that of one block."""
    monkeypatch.setattr(stream, "TEXTS", 128)

    def peak(count):
        path, out = tmp_path / f"{count}.csv", tmp_path / f"{count}_out{suffix}"
        with open(path, "w") as file:
            file.write("id,text\n")
            file.writelines(f"{number:06},text number {number % 1000:03}\n" for number in range(count))
        tracemalloc.start()
        try:
            answer(path, out, kept=["id"])
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few, many = peak(1_000), peak(20_000)
    assert many < 1.2 * few < 1_000_000  # eight bytes a row would be half as much again


def test_memory_does_not_grow_with_long_texts(tmp_path, monkeypatch):
    """A file of 60 MB in texts of 100,000 characters: the block is bounded by its characters."""
    path = tmp_path / "in.txt"
    with open(path, "w") as file:
        file.writelines("x" * 100_000 + "\n" for _ in range(600))
    tracemalloc.start()
    try:
        answer(path, tmp_path / "out.jsonl", with_text=False)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 4 * stream.CHARACTERS
