"""Tables of results: the order, the rounding, and text that stays in its cell."""

import csv

import pytest

from applications.core import results
from zoo import UserError

ROWS = [
    {"model": "ours", "accuracy": 0.86543, "count": 1821},
    {"model": "a | b\n*c*", "accuracy": 0.5, "seconds": float("nan")},
]


def test_markdown():
    assert results.markdown(ROWS, digits=3) == (
        "| model | accuracy | count | seconds |\n"
        "| --- | ---: | ---: | ---: |\n"
        "| ours | 0.865 | 1,821 |  |\n"
        "| a \\| b \\*c\\* | 0.500 |  |  |\n"
    )


def test_the_order_is_the_one_named():
    assert results.markdown(ROWS[:1], ["count", "model"]).splitlines()[2] == "| 1,821 | ours |"


def test_booleans_and_text_are_no_numbers():
    assert results.markdown([{"best": True, "note": "1"}]).splitlines()[1:] == [
        "| --- | --- |",
        "| True | 1 |",
    ]


def test_csv_comes_back(tmp_path):
    path = results.write(ROWS, tmp_path / "table.csv", digits=2)
    with path.open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [
            ["model", "accuracy", "count", "seconds"],
            ["ours", "0.87", "1821", ""],
            ["a | b\n*c*", "0.50", "", ""],
        ]


def test_write_markdown(tmp_path):
    path = results.write(ROWS, tmp_path / "table.md", ["model"])
    assert path.read_text("utf-8") == results.markdown(ROWS, ["model"])


def test_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"table\.xls: no table format '\.xls'"):
        results.write(ROWS, tmp_path / "table.xls")
    assert list(tmp_path.iterdir()) == []
