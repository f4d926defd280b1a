"""Answers in every format: blocks joined are what one block would be, and what is read back is what was said."""

import csv
import io
import json
from dataclasses import dataclass

import pytest

from applications.core.answers import FORMATS, Answered
from applications.core.sources import read_table
from zoo.errors import UserError


@dataclass
class Answer:
    label: str
    probability: float

    def to_dict(self):
        return {"label": self.label, "probability": self.probability, "probabilities": {"good": 0.25}}


ROWS = [
    Answered("a, b", Answer("good", 0.125), {"id": "7", "at": "x\ty"}),
    Answered("", Answer("bad", 2 / 3), {"id": "", "at": "Ünd"}),
    Answered('one\r"two"\nthree', Answer("bad", 1.0), {"id": "9", "at": ""}),
]


def written(suffix, rows=ROWS, size=None):
    """What a format writes of rows, `size` of them at a time."""
    size = size or len(rows)
    blocks = [rows[start : start + size] for start in range(0, len(rows), size)]
    form = FORMATS[suffix]
    return "".join(form.block(block, number == 0) for number, block in enumerate(blocks)) + form.end


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("size", [1, 2])
def test_blocks_join_to_the_whole(suffix, size):
    assert written(suffix, size=size) == written(suffix)


def test_a_line_holds_what_is_kept_the_answer_and_the_text():
    assert written(".txt") == (
        '7\tx y\tgood\t0.1250\ta, b\n\tÜnd\tbad\t0.6667\t\n9\t\tbad\t1.0000\tone "two" three\n'
    )


def test_a_table_is_read_back():
    rows = list(csv.DictReader(io.StringIO(written(".csv"), newline="")))
    assert [[row["id"], row["at"], row["text"], row["label"]] for row in rows] == [
        ["7", "x\ty", "a, b", "good"],
        ["", "Ünd", "", "bad"],
        ["9", "", 'one\r"two"\nthree', "bad"],
    ]
    assert list(rows[0]) == ["id", "at", "text", "label", "probability"]
    assert float(rows[1]["probability"]) == 2 / 3
    assert "\r\n" not in written(".csv")


def test_a_carriage_return_in_a_table_is_read_back_by_us(tmp_path):
    (tmp_path / "out.csv").write_text(written(".csv"), newline="")
    assert [row["text"] for _, row in read_table(tmp_path / "out.csv", ["text"])] == [r.text for r in ROWS]


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_json_is_read_back(suffix):
    text = written(suffix, size=2)
    found = json.loads(text) if suffix == ".json" else [json.loads(line) for line in text.split("\n")[:-1]]
    assert found[0] == {
        "id": "7",
        "at": "x\ty",
        "text": "a, b",
        "label": "good",
        "probability": 0.125,
        "probabilities": {"good": 0.25},
    }
    assert [row["text"] for row in found] == [row.text for row in ROWS]
    assert list(found[0]) == ["id", "at", "text", "label", "probability", "probabilities"]


def test_without_the_texts():
    rows = [Answered(None, row.answer, {}) for row in ROWS[:1]]
    assert written(".csv", rows) == "label,probability\ngood,0.125\n"
    assert written(".txt", rows) == "good\t0.1250\n"
    assert json.loads(written(".json", rows)) == [rows[0].answer.to_dict()]


@pytest.mark.parametrize("name", ["text", "label", "probabilities"])
def test_a_kept_column_under_a_name_of_ours(name):
    with pytest.raises(UserError, match=f"--id-column: the answers have a column '{name}' of their own"):
        written(".json", [Answered("a", ROWS[0].answer, {name: "1"})])


def test_a_kept_column_named_as_the_text_where_there_is_none():
    assert written(".csv", [Answered(None, ROWS[0].answer, {"text": "1"})]).startswith("text,label,")
