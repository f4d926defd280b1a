"""Tables in files: separators, numbers, the lines of the rows, and every fault of a file."""

import gzip
import lzma

import numpy as np
import pytest

from applications.core.sources import SourceError
from applications.forecasting import reader


def write(path, content):
    content = content.encode() if isinstance(content, str) else content
    path.write_bytes({".xz": lzma.compress, ".gz": gzip.compress}.get(path.suffix, bytes)(content))
    return path


def cells(frame):
    return {name: frame[name].tolist() for name in frame}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "date,y,note\n2024-01-01,1.5,\n2024-01-02,,x\n"),
        ("a.csv", '\ufeff"date", y ,note\r\n"2024-01-01",1.5,\r\n2024-01-02,NA,x'),
        ("a.csv", "date;y;note\n2024-01-01;1,5;\n2024-01-02;;x\n"),
        ("a.csv.gz", "date\ty\tnote\n2024-01-01\t1.5\t\n2024-01-02\tnull\tx\n"),
        ("A.TSV", "date\ty\tnote\n2024-01-01\t1,5\t\n2024-01-02\tNone\tx\n"),
        ("a.csv", '"a;b\t",y\nx,1\n'),
        (
            "a.jsonl.xz",
            '{"date": "2024-01-01", "y": 1.5, "note": null}\n{"note": "x", "date": "2024-01-02", "y": null}',
        ),
    ],
)
def test_kinds(tmp_path, name, content):
    frame = reader.read_file(write(tmp_path / name, content))
    if "a;b" in content:
        assert list(frame) == ["a;b", "y"]
        return
    assert list(frame) == ["date", "y", "note"]
    assert frame["date"].tolist() == ["2024-01-01", "2024-01-02"]
    np.testing.assert_array_equal(frame["y"], [1.5, np.nan])
    assert frame["note"].isna().tolist() == [True, False]
    assert frame["note"].iloc[1] == "x"


def test_rows_are_named_by_their_lines(tmp_path):
    frame = reader.read_file(write(tmp_path / "a.csv", '\nt,y,text\n1,2,"a\nb"\n\n3,4,c\n'))
    assert (frame.index.name, frame.index.tolist()) == ("line", [3, 6])
    assert cells(frame) == {"t": [1.0, 3.0], "y": [2.0, 4.0], "text": ["a\nb", "c"]}
    frame = reader.read_file(write(tmp_path / "a.jsonl", '\n{"y": 1}\n\n{"y": 2}\n'))
    assert (frame.index.name, frame.index.tolist(), cells(frame)) == ("line", [2, 4], {"y": [1, 2]})
    frame = reader.to_frame({"y": ["1"]}, "tfds:x")
    assert (frame.index.name, frame.index.tolist()) == ("row", [1])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["1", "-2.5", "+.5", "3.", "1e3", "2E-1"], [1, -2.5, 0.5, 3, 1000, 0.2]),
        (["1.234", "2.500"], [1.234, 2.5]),  # a point is a decimal point
        (["1,234.5", "1,234", "12"], [1234.5, 1234, 12]),
        (["1,5", "1,234", "1.234"], [1.5, 1.234, 1234]),
        (["1.234.567", "8"], [1234567, 8]),
        (["1.234.567,8"], [1234567.8]),
        (["0,125", "1,250"], [0.125, 1.25]),
        (["1,234,567"], [1234567]),
        (["1,5", "2.5", "3.25"], ["1,5", 2.5, 3.25]),  # more have a point; `read_frame` refuses the rest
        (["12", "-", "3"], [12, "-", 3]),
        (["1 234", "5", "1_000", "0x1", "5%", "true"], ["1 234", 5, "1_000", "0x1", "5%", "true"]),
        (["inf", "-Infinity", "1e999"], [np.inf, -np.inf, np.inf]),
        (["", "x", "NA"], [None, "x", "NA"]),  # a country, say
        (["nan", "N/A", ""], [np.nan] * 3),
        (["31.12.2024", "1.1.2025"], ["31.12.2024", "1.1.2025"]),
    ],
)
def test_numbers(given, expected):
    found = reader.to_frame({"y": given}, "x")["y"].tolist()
    for one, other in zip(found, expected, strict=True):
        missing = other is None or other != other
        assert (
            one != one if missing else (one, type(one)) == (other, str if isinstance(other, str) else float)
        )


def test_text_stays_text():
    columns = {"id": ["001", "002", ""], "Series": ["1.5", "2", "NA"], "y": ["001", "2", "3"]}
    frame = reader.to_frame(columns, "x", ("series", "id"))
    assert frame["id"].tolist()[:2] == ["001", "002"]
    assert frame["id"].isna().tolist() == [False, False, True]
    assert frame["Series"].tolist() == ["1.5", "2", "NA"]
    assert frame["y"].tolist() == [1, 2, 3]


def test_column_without_a_name(tmp_path):
    assert list(reader.read_file(write(tmp_path / "a.csv", ",y\n1,2\n"))) == ["index", "y"]


PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "a.csv: is empty; give a table whose first line names the columns"),
        ("a.csv", "\n \n", "a.csv: is empty; give a table"),
        ("a.jsonl", "\n", "a.jsonl: is empty; give one JSON object a line"),
        ("a.csv", "t,y\n", "a.csv: has no rows after the line of names; add some"),
        (
            "a.csv",
            "t,y\n1,2\n3\n",
            "a.csv:3: found 1 fields where the first line has 2: put a field that holds",
        ),
        ("a.csv", "t,y\n2024-01-01,1,5\n", "a.csv:2: found 3 fields where the first line has 2: put"),
        ("a.csv", "t,y,y\n1,2,3\n", "a.csv:1: the column 'y' occurs twice; rename one"),
        ("a.csv", ",t,\n1,2,3\n", "a.csv:1: column 3 has no name; give it one, or take it out"),
        ("a.csv", ",index\n1,2\n", "a.csv:1: the column 'index' occurs twice; rename one"),
        ("a.csv", "t,ü\n1,2\n".encode("latin-1"), "a.csv:1: not UTF-8 (0xfc is byte 3 of the line): save"),
        ("a.csv", "t,y\n1,2\n".encode("utf-16"), "a.csv: is UTF-16: save it as UTF-8"),
        ("a.csv", "t,y\n1,2\0\n", "a.csv:2: a NUL byte at byte 4 of the line"),
        ("a.csv", PNG, "a.csv:1: not UTF-8 (0x89 is byte 1 of the line)"),
        ("a.csv", gzip.compress(b"t,y\n"), "a.csv: is gzip-compressed: end its name in .gz, or unpack it"),
        ("a.csv", 't,y\n1,"2\n', "a.csv:2: not valid CSV (unexpected end of data): put a field"),
        ("a.csv", 't,y\n1,"2"3\n', "a.csv:2: not valid CSV"),
        ("a.csv", 'y\n"1,234"\n', "a.csv:2: column 'y': '1,234' may be 1234 or 1.234; write numbers with a"),
        ("a.xlsx", "PK", "a.xlsx: unknown kind of file; its name must end in .csv, .tsv, .jsonl"),
        ("a.jsonl", '{"t": 1}\n{"t": \n', "a.jsonl:2: not JSON ("),
        ("a.jsonl", "[1]\n", "a.jsonl:1: found no JSON object; give one a line"),
        ("a.jsonl", '{"t": [1]}\n', "a.jsonl:1: t: found [1]; give text or a number"),
        ("a.jsonl", '{"t": 1, "t": 2}\n', "a.jsonl:1: 't' occurs twice; rename one"),
        (
            "a.jsonl",
            '{"t": 1, "y": 2}\n{"t": 1}\n',
            "a.jsonl:2: this line has no 'y', the first has: name the same",
        ),
        (
            "a.jsonl",
            '{"t": 1}\n{"t": 1, "y": 2}\n',
            "a.jsonl:2: the first line has no 'y', this one has: name the",
        ),
    ],
)
def test_faults(tmp_path, name, content, message):
    path = write(tmp_path / name, content)
    if name == "a.csv" and content[:2] == b"\x1f\x8b":
        path.write_bytes(content)
    with pytest.raises(SourceError) as fault:
        reader.read_file(path)
    assert str(fault.value).startswith(f"{tmp_path}/{message}")
    assert "\n" not in str(fault.value)


def test_a_folder_is_no_table(tmp_path):
    with pytest.raises(SourceError, match="is a folder; a file is wanted"):
        reader.read_file(tmp_path)


def test_a_large_field(tmp_path):
    large = "x" * 5_000_000
    frame = reader.read_file(write(tmp_path / "a.csv", f"t,y,note\n1,2,{large}\n"))
    assert frame["note"].tolist() == [large]
