"""The whole pipeline on the built-in sample: recipe, run folder, preset, report; no network."""

import csv
import json

import numpy as np
import pytest

from applications.core import recipes
from applications.sentiment import data
from applications.sentiment.recipes import RECIPES
from applications.sentiment.train import finetune, train
from zoo import presets
from zoo.errors import UserError
from zoo.tasks import SentimentClassifier


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "tiny"
    train(RECIPES["tiny"], "builtin", out, progress=False, seed=1)
    return out


def test_the_loss_falls_and_the_run_is_whole(run):
    with open(run / "logs" / "history.csv", encoding="utf-8", newline="") as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert len(losses) == RECIPES["tiny"].epochs
    assert losses[-1] < losses[0]
    assert {path.name for path in run.iterdir()} == {"preset", "checkpoints", "logs", "report"}


def test_saved_and_loaded_it_answers_the_same(run):
    task = SentimentClassifier.from_preset(run)
    test = data.load("builtin", "test")
    metrics = task.evaluate(test.texts, test.labels)
    again = SentimentClassifier.from_preset(run / "preset")
    np.testing.assert_array_equal(task.predict_proba(test.texts), again.predict_proba(test.texts))
    assert metrics["accuracy"] > 0.5


def test_the_report_and_the_metadata_have_the_numbers(run):
    report = json.loads((run / "report" / "report.json").read_text(encoding="utf-8"))
    metadata = presets.read(run / "preset").metadata
    assert "NB-SVM" in (run / "report" / "report.md").read_text(encoding="utf-8")
    assert report
    assert metadata["recipe"] == "tiny"
    assert metadata["recipe_values"] == recipes.to_dict(RECIPES["tiny"])
    assert metadata["splits"] == {"train": 80, "validation": 20}
    assert 0 <= metadata["validation"]["accuracy"] <= 1
    assert metadata["seed"] == 1


def test_finetune_with_the_same_and_with_other_labels(run, tmp_path):
    own = tmp_path / "own.csv"
    rows = [f"{'good' if row % 2 else 'bad'} film number {row},{row % 2}" for row in range(40)]
    own.write_text("text,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    with pytest.warns(UserWarning, match="the last layer is new"):
        folder = finetune(run, str(own), tmp_path / "mine", progress=False, report=False, epochs=2)
    assert SentimentClassifier.from_preset(folder).labels == ["0", "1"]
    folder = finetune(run, "builtin", tmp_path / "same", progress=False, report=False, epochs=1)
    assert SentimentClassifier.from_preset(folder).labels == ["negative", "positive"]


def test_phrases_need_the_treebank(tmp_path):
    with pytest.raises(UserError, match="phrases"):
        train(RECIPES["sst2"], "builtin", tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


def test_phrases_train_five_degrees(tmp_path):
    folder = tmp_path / "sst"
    folder.mkdir()
    good, bad = "(4 (2 a) (4 (3 good) (2 film)))\n", "(0 (2 a) (0 (1 bad) (2 film)))\n"
    for split in ("train", "dev"):
        (folder / f"trees.{split}.txt").write_text((good + bad) * 10, encoding="utf-8")
    recipe = recipes.override(
        RECIPES["sst2"], ["epochs=1", "units=4", "embedding_dim=4", "vocabulary_size=40"]
    )
    preset = train(recipe, f"sst:{folder}", tmp_path / "out", progress=False, report=False)
    task = SentimentClassifier.from_preset(preset)
    assert task.groups == [[0, 1], [3, 4]]
    assert task.network.output_shape == (None, 5)
