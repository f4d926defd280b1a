import time
from contextlib import nullcontext
from types import ModuleType, SimpleNamespace

import pytest

from applications.core import backend, timing
from applications.core.answers import FORMATS
from applications.core.timing import measure, speed, streaming
from zoo import presets
from zoo.errors import UserError


class Answer:
    def to_dict(self):
        return {"label": "a"}


class Slow:
    """Takes two milliseconds a text, and much longer for the first one."""

    def __init__(self):
        self.asked = []

    def predict(self, texts, *, progress=None):
        time.sleep(0.002 * len(texts) + (0.2 if not self.asked else 0))
        self.asked += texts
        return [Answer() for _ in texts]


def test_the_first_calls_do_not_count():
    found = speed(Slow(), ["a"] * 10, repeats=5, rounds=2)
    assert 2 <= found["latency_ms"] <= found["latency_ms_90"] < 100
    assert 50 < found["texts_per_second"] <= 500
    assert 1 < found["streamed_texts_per_second"] <= 500


def test_streaming_counts_the_whole_way(monkeypatch):
    """Reading and writing cost time too: here twice as much as the answers."""
    read, task = timing.stream.read_rows, Slow()

    def slow_rows(path, column):
        for row in read(path, column):
            time.sleep(0.004)
            yield row

    monkeypatch.setattr(timing.stream, "read_rows", slow_rows)
    task.asked = ["before"]
    assert 1 < streaming(task, ["é", "", "\ud800", 'a "b"\n'] * 5, rounds=1) < 1 / 0.006
    assert task.asked[1:5] == ["é", "", "\ud800", 'a "b"\n']


@pytest.fixture
def preset(tmp_path, monkeypatch):
    """A preset of the sentiment application, its task in place of `zoo.tasks`, and no backend."""
    tasks = ModuleType("zoo.tasks")
    tasks.task = Slow()
    tasks.from_preset = lambda folder: tasks.task
    monkeypatch.setattr(timing, "import_module", lambda name: {"zoo.tasks": tasks}.get(name, PARTS))
    options = SimpleNamespace(ANSWERING={"beam": 5}, COLUMNS={"source_language": None, "column": "text"})
    monkeypatch.setattr(timing.catalogue, "application", lambda name: options)
    monkeypatch.setattr(backend, "starting", nullcontext)
    monkeypatch.setattr(backend, "versions", lambda: {"backend": "none"})
    monkeypatch.setattr(presets, "resolve", lambda preset: preset)
    saved = SimpleNamespace(metadata={"application": "any"}, config={"source_language": "de"}, folder="any")
    monkeypatch.setattr(presets, "read", lambda folder: saved)
    return tasks.task


def load(source, split, *, source_language):
    assert source_language == "de"  # as the preset says
    return SimpleNamespace(texts=[str(n) for n in range(10)])


def answering(task, *, beam):
    task.beam = beam
    return task


PARTS = SimpleNamespace(load=load, answering=answering, FORMATS=FORMATS)


def test_some_texts_of_all_parts_of_the_source(preset):
    found = measure("any", "any", texts=4, rounds=1)
    assert (found["count"], found["backend"]) == (4, "none")
    assert preset.asked[-4:] == ["0", "2", "5", "7"]
    assert measure("any", "any", texts=99, rounds=1)["count"] == 10
    assert measure("any", "any", rounds=1)["count"] == 10


def test_answers_are_found_as_told(preset):
    assert "beam" not in measure("any", "any", rounds=1)
    assert preset.beam == 5
    assert measure("any", "any", rounds=1, how=dict([timing.read_option("beam=1")]))["beam"] == 1
    assert preset.beam == 1
    with pytest.raises(UserError, match="unknown option 'beem': did you mean 'beam'"):
        measure("any", "any", how={"beem": 1})


@pytest.mark.parametrize("name", ["texts", "rounds"])
def test_numbers_below_one(name):
    with pytest.raises(UserError, match=f"--{name}: got 0; give a whole number of at least 1"):
        measure("any", "any", **{name: 0})
