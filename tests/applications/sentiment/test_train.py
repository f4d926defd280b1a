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


def test_the_validation_data_choose_temperature_and_threshold(tmp_path):
    settings = ["epochs=8", "threshold=f1", "class_weight=negative:1,positive:1.5"]
    recipe = recipes.override(RECIPES["tiny"], settings)
    preset = train(recipe, "builtin", tmp_path / "out", progress=False, seed=1)
    task = SentimentClassifier.from_preset(preset)
    assert task.meaning.temperature != 1
    assert len(task.meaning.thresholds) == 1
    held = data.load("builtin", "validation")
    found = presets.read(preset).metadata["validation"]
    assert found == pytest.approx(task.evaluate(held.texts, held.labels), abs=1e-6)
    report = json.loads((tmp_path / "out/report/report.json").read_text(encoding="utf-8"))
    assert report["calibration"]["temperature"] == pytest.approx(task.meaning.temperature)
    assert report["calibration"]["log_loss"] < report["calibration"]["log_loss_before"]
    assert report["per_label"][1]["threshold"] == task.meaning.thresholds[0]
    page = (tmp_path / "out/report/report.md").read_text(encoding="utf-8")
    assert "takes the calibration error from" in page
    assert "'positive' is answered from a probability of" in page
    plain = recipes.override(RECIPES["tiny"], ["epochs=1", "calibrate=false"])
    preset = train(plain, "builtin", tmp_path / "plain", progress=False, report=False)
    assert set(presets.read(preset).config) == {"format", "task", "labels", "groups", "network"}


def test_several_labels_a_text(tmp_path):
    rows = ["good film,good", "bad film,bad", "good and bad,good+bad", "a film,"] * 12
    own = tmp_path / "own.csv"
    own.write_text("text,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    settings = ["epochs=10", "threshold=f1", "class_weight=balanced", "batch_size=8"]
    recipe = recipes.override(RECIPES["tiny"], settings)
    out = tmp_path / "out"
    preset = train(recipe, str(own), out, label_separator="+", progress=False)
    task = SentimentClassifier.from_preset(preset)
    assert task.labels == ["bad", "good"]
    answers = task.predict(["good film", "good and bad", "a film"])
    assert [answer.labels for answer in answers] == [("good",), ("bad", "good"), ()]
    report = json.loads((out / "report/report.json").read_text(encoding="utf-8"))
    assert [row["model"] for row in report["models"]] == [
        "SentimentClassifier", "TF-IDF + logistic regression", "NB-SVM",
    ]  # fmt: skip
    assert all(row["micro_f1"] > 0.9 for row in report["models"])
    assert not (out / "report/confusion_matrix.png").exists()
    again = finetune(
        out, str(own), tmp_path / "mine", label_separator="+", progress=False, report=False, epochs=1,
        class_weight="bad:2", threshold="accuracy", calibrate=False,
    )  # fmt: skip
    assert SentimentClassifier.from_preset(again).meaning.temperature == 1
    assert len(SentimentClassifier.from_preset(again).meaning.thresholds) == 2
    values = presets.read(again).metadata["recipe_values"]
    assert (values["class_weight"], values["threshold"], values["calibrate"]) == ("bad:2", "accuracy", False)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("class_weight=negative", "class_weight: found 'negative'; give balanced, or negative:1,positive:2"),
        ("class_weight=negative:x", "class_weight: found 'negative:x'"),
        ("class_weight=negtive:2", "class_weight: unknown label 'negtive': did you mean 'negative'"),
        ("threshold=f1", "threshold: the model has 5 labels"),
    ],
)
def test_what_cannot_be_chosen_is_told_before_the_training(setting, message, tmp_path):
    (tmp_path / "sst").mkdir()
    rows = "".join(f"{degree} it is {degree}\n" for degree in (0, 1, 2, 3, 4)) * 3
    for split in ("train", "dev"):
        (tmp_path / "sst" / f"stsa.fine.{split}.txt").write_text(rows, encoding="utf-8")
    source = f"sst5:{tmp_path / 'sst'}" if "threshold" in setting else "builtin"
    recipe = recipes.override(RECIPES["tiny"], [setting, "epochs=1", "vocabulary_size=40"])
    with pytest.raises(UserError, match=message):
        train(recipe, source, tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


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
    assert task.by_class().labels == list(data.DEGREES)
    assert task.network.output_shape == (None, 5)


@pytest.mark.parametrize("phrases", [True, False])
def test_five_degrees(tmp_path, phrases):
    folder = tmp_path / "sst"
    folder.mkdir()
    trees = "".join(f"({degree} (2 it) ({degree} is{degree}))\n" for degree in (3, 1, 0, 4, 2)) * 6
    for split in ("train", "dev"):
        (folder / f"trees.{split}.txt").write_text(trees, encoding="utf-8")
    settings = [
        f"phrases={phrases}",
        "epochs=12",
        "vocabulary_size=40",
        "class_weight=balanced",
        "batch_size=4",
    ]
    recipe = recipes.override(RECIPES["tiny"], settings)
    preset = train(recipe, f"sst5:{folder}", tmp_path / "out", progress=False)
    task = SentimentClassifier.from_preset(preset)
    assert task.labels == list(data.DEGREES)
    assert task.groups is None
    assert task.network.output_shape == (None, 5)
    assert task.predict(["it is4"])[0].label == "very positive"
    report = json.loads((tmp_path / "out/report/report.json").read_text(encoding="utf-8"))
    assert report["labels"] == list(data.DEGREES)
    assert np.trace(report["confusion"]) / 30 == pytest.approx(report["models"][0]["accuracy"])
    assert all(row["accuracy"] > 0.9 for row in report["models"][1:])
