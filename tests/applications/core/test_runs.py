"""Run folders: begun, gone on with, finished, refused, and left as they were where nothing came of it."""

import json

import pytest

from applications.core import runs
from zoo.errors import UserError

ARGUMENTS = {"data": "own.csv", "seed": 0, "sizes": (1, 2), "validation": None}


def begin(out, **others):
    with runs.begin(out, {**ARGUMENTS, **others}):
        (out / "checkpoints").mkdir(exist_ok=True)
        (out / "checkpoints" / "state").write_text("...")


def interrupt(out, files):
    """Begin a run that is interrupted after it has made some files."""
    with runs.begin(out, ARGUMENTS):
        (out / "checkpoints").mkdir()
        for name in files:
            (out / "checkpoints" / name).write_text("...")
        raise KeyboardInterrupt


def test_a_run_is_recorded_and_found_again(tmp_path):
    out = tmp_path / "deep" / "run"
    assert not runs.is_finished(out, ARGUMENTS)
    assert not out.exists()
    begin(out)
    assert json.loads((out / "logs" / "run.json").read_text()) == {**ARGUMENTS, "sizes": [1, 2]}
    assert not runs.is_finished(out, ARGUMENTS)
    begin(out)
    (out / "preset").mkdir()
    assert runs.is_finished(out, ARGUMENTS)


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"seed": 1}, "holds a run with seed 0, not 1"),
        ({"sizes": (1,)}, r"holds a run with sizes \[1, 2\], not \[1\]"),
        ({"epochs": 3}, "holds a run with epochs None, not 3"),
        ({"validation": "x.csv"}, "holds a run with validation None, not 'x.csv'"),
    ],
)
def test_a_run_of_other_arguments_is_refused(tmp_path, others, said):
    begin(tmp_path / "run")
    with pytest.raises(UserError, match=said):
        begin(tmp_path / "run", **others)


@pytest.mark.parametrize("record", ["", "[]", "{", "3", "\udc80"])
def test_a_damaged_record_is_refused(tmp_path, record):
    begin(tmp_path / "run")
    (tmp_path / "run" / "logs" / "run.json").write_text(record, errors="surrogateescape")
    with pytest.raises(UserError, match="choose another --out"):
        begin(tmp_path / "run")


def test_a_run_that_made_nothing_leaves_nothing(tmp_path):
    (tmp_path / "empty").mkdir()
    for out in (tmp_path / "deep" / "er" / "run", tmp_path / "empty"):
        with pytest.raises(KeyboardInterrupt):
            interrupt(out, [])
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]
    assert not any((tmp_path / "empty").iterdir())


def test_a_run_that_made_something_keeps_it(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        interrupt(tmp_path / "run", ["state"])
    assert (tmp_path / "run" / "logs" / "run.json").exists()
    assert (tmp_path / "run" / "checkpoints" / "state").exists()
