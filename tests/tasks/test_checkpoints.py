"""Checkpoints: whole or not there at all, and nobody else's files touched."""

import numpy as np
import pytest

from zoo.tasks import checkpoints as module
from zoo.tasks.checkpoints import CheckpointError, Checkpoints, write_atomically


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_latest_comes_back_and_two_are_kept(tmp_path):
    with Checkpoints(tmp_path) as store:
        assert store.latest() is None
        for number in range(4):
            store.save({"number": number, "score": 0.1 + 0.2}, {"a": np.arange(number), "b": np.float16(1.5)})
        found = store.latest()
    assert found.state == {"number": 3, "score": 0.1 + 0.2}
    np.testing.assert_array_equal(found.arrays["a"], [0, 1, 2])
    assert found.arrays["b"].dtype == "float16"
    assert names(tmp_path) == [".lock", "checkpoint-000003", "checkpoint-000004"]


def test_what_is_not_ours_stays(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "checkpoint-000001").mkdir()
    (tmp_path / "checkpoint-000001" / "photo.jpg").write_text("mine")
    with Checkpoints(tmp_path) as store:
        for number in range(4):
            store.save({"number": number}, {})
        assert store.latest().state == {"number": 3}
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert (tmp_path / "checkpoint-000001" / "photo.jpg").exists()


@pytest.mark.parametrize("fault", ["truncated", "altered", "no state", "no arrays", "empty"])
def test_a_damaged_one_gives_way_to_the_one_before(tmp_path, fault):
    with Checkpoints(tmp_path) as store:
        store.save({"number": 1}, {"a": np.arange(9)})
        path = store.save({"number": 2}, {"a": np.arange(9)})
        arrays = path / "arrays.npz"
        if fault == "truncated":
            arrays.write_bytes(arrays.read_bytes()[:-20])
        elif fault == "altered":
            arrays.write_bytes(arrays.read_bytes().replace(b"\x03", b"\x04"))
        elif fault == "empty":
            (path / "state.json").write_text("")
        else:
            (path / ("state.json" if fault == "no state" else "arrays.npz")).unlink()
        assert store.latest().state == {"number": 1}
        assert not path.exists()


def test_damaged_ones_alone_are_an_error(tmp_path):
    with Checkpoints(tmp_path) as store:
        path = store.save({}, {"a": np.arange(9)})
        (path / "arrays.npz").write_bytes(b"")
        with pytest.raises(CheckpointError, match="checkpoint-000001: damaged"):
            store.latest()
        assert path.exists()


@pytest.mark.parametrize("call", [1, 2])
def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch, call):
    with Checkpoints(tmp_path) as store:
        store.save({"number": 1}, {"a": np.arange(9)})
        before = names(tmp_path)
        calls = []

        def fail(file):
            calls.append(file)
            if len(calls) == call:
                raise OSError(28, "No space left on device")

        monkeypatch.setattr(module, "_sync", fail)
        with pytest.raises(CheckpointError, match="No space left"):
            store.save({"number": 2}, {"a": np.arange(9)})
        assert names(tmp_path) == before
        assert store.latest().state == {"number": 1}


def test_one_run_at_a_time(tmp_path):
    with Checkpoints(tmp_path), pytest.raises(CheckpointError, match="another run"), Checkpoints(tmp_path):
        pass
    with Checkpoints(tmp_path):
        pass


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "checkpoints").write_text("")
    with pytest.raises(CheckpointError, match="in the way"), Checkpoints(tmp_path / "checkpoints"):
        pass


def test_write_atomically(tmp_path):
    path = tmp_path / "table.csv"
    write_atomically(path, "a\n")
    write_atomically(path, "b\n")
    assert path.read_text() == "b\n"
    assert names(tmp_path) == ["table.csv"]
