"""Files that a command writes: new, whole, and readable by others."""

import json

import pytest

from applications.core import outputs
from zoo.errors import UserError


def test_a_file_is_written_in_utf8(tmp_path):
    outputs.write(tmp_path / "a.txt", "ü\n\udc80")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xbc\n\\udc80"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_file_that_appears_meanwhile_is_kept(tmp_path):
    path = tmp_path / "a.txt"

    def write():
        with outputs.new_file(path) as partial:
            assert partial.suffix == ".txt"
            partial.write_text("mine")
            path.write_text("theirs")

    with pytest.raises(UserError, match="exists and is left as it is"):
        write()
    assert path.read_text() == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_folder_may_be_new_or_empty(tmp_path):
    outputs.check_folder(tmp_path)
    outputs.check_folder(tmp_path / "deep" / "er")
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UserError):
            outputs.check_folder(path)


def test_json_has_no_nan():
    value = {"a": float("nan"), "b": [1.5, float("inf"), "ü"], "c": (True, 2)}
    assert json.loads(outputs.to_json(value)) == {"a": None, "b": [1.5, None, "ü"], "c": [True, 2]}


def test_a_line_drives_no_terminal():
    assert outputs.to_line(" a\tb\r\nc\x1b[31m\u2028d\x00 é ") == "a b c [31m d  é"
