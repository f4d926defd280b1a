"""From the built-in sample to a preset and a report, and further from there."""

import csv
import json
from dataclasses import replace

import pytest

from applications.translation import data
from applications.translation.recipes import RECIPES
from applications.translation.train import finetune, train
from zoo.errors import UserError
from zoo.tasks import Translator

TINY = replace(RECIPES["tiny"], vocabulary_size=120, units=24, epochs=4)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "mine"
    assert train(TINY, "builtin", out, seed=1, progress=False) == out / "preset"
    return out


def history(run):
    with open(run / "logs" / "history.csv", encoding="utf-8", newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def test_it_learns_and_the_report_has_its_numbers(run):
    rows = history(run)
    assert rows[-1]["loss"] < 0.9 * rows[0]["loss"]
    metadata = json.loads((run / "preset" / "metadata.json").read_text("utf-8"))
    report = json.loads((run / "report" / "report.json").read_text("utf-8"))
    assert metadata["validation"] == pytest.approx(report["metrics"])
    assert metadata["best_epoch"] == max(rows, key=lambda row: row["val_bleu"])["epoch"]
    assert (metadata["recipe"], metadata["recipe_values"]["units"]) == ("custom", 24)
    assert metadata["splits"] == {"train": 108, "validation": 18}


def test_the_preset_says_what_was_measured(run):
    task = Translator.from_preset(run)
    assert (task.source_language, task.target_language) == ("de", "en")
    held = data.load("builtin", "validation")
    written = (run / "report" / "translations.txt").read_text("utf-8").splitlines()
    assert task.translate(held.sources) == written


def test_a_preset_learns_further(run, tmp_path):
    finetune(run, "builtin", tmp_path / "more", epochs=2, learning_rate=1e-2, report=False, progress=False)
    assert history(tmp_path / "more")[0]["loss"] < 0.9 * history(run)[0]["loss"]  # it goes on from there
    assert not (tmp_path / "more" / "report").exists()


def test_pairs_that_are_all_too_long_are_told(tmp_path):
    with pytest.raises(UserError, match="every pair has a side of more than max_length=4 ids; raise it"):
        train(replace(TINY, max_length=4), "builtin", tmp_path / "none", progress=False)
    assert not (tmp_path / "none").exists()
