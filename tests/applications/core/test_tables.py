"""Tables: the order, the rounding, and text that stays in its cell."""

import csv

import pytest

from applications.core import tables
from zoo import UserError

ROWS = [
    {"model": "ours", "accuracy": 0.86543, "count": 1821},
    {"model": "a | b\n*c* _d_ e_f", "accuracy": 0.5, "seconds": float("nan")},
]


def test_markdown():
    assert tables.markdown(ROWS, digits=3) == (
        "| model | accuracy | count | seconds |\n"
        "| --- | ---: | ---: | ---: |\n"
        "| ours | 0.865 | 1,821 |  |\n"
        "| a \\| b \\*c\\* \\_d\\_ e_f | 0.500 |  |  |\n"
    )


def test_digits_of_one_column():
    row = {"seconds": 1.25, "accuracy": 0.5}
    assert tables.markdown([row], digits={"seconds": 1}).splitlines()[2] == "| 1.2 | 0.5000 |"


def test_the_order_is_the_one_named():
    assert tables.markdown(ROWS[:1], ["count", "model"]).splitlines()[2] == "| 1,821 | ours |"


def test_booleans_and_text_are_no_numbers():
    assert tables.markdown([{"best": True, "note": "1"}]).splitlines()[1:] == [
        "| --- | --- |",
        "| True | 1 |",
    ]


def test_csv_comes_back(tmp_path):
    path = tables.write(ROWS, tmp_path / "table.csv", digits=2)
    with path.open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [
            ["model", "accuracy", "count", "seconds"],
            ["ours", "0.87", "1821", ""],
            ["a | b\n*c* _d_ e_f", "0.50", "", ""],
        ]


def test_write_markdown(tmp_path):
    path = tables.write(ROWS, tmp_path / "table.md", ["model"])
    assert path.read_text("utf-8") == tables.markdown(ROWS, ["model"])


def test_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"table\.xls: no table format '\.xls'"):
        tables.write(ROWS, tmp_path / "table.xls")
    assert list(tmp_path.iterdir()) == []
