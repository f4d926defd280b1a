"""Publishing: the float16 file is what is measured, the card says what is known, nothing is half-written."""

import json
import shutil
import sys
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from applications.core import publish as publishing
from applications.core.cards import About, portable
from applications.core.publish import publish
from zoo import UserError, presets

WEIGHT = np.linspace(0.1, 1, 1000).astype("float32")  # hardly a value of it is one of float16


@dataclass(frozen=True)
class Recipe:
    units: int = 8
    layers: tuple[int, ...] = (4, 4)
    rate: float = 0.1
    vectors: str | None = None
    deep: bool = False


@dataclass(frozen=True)
class Finetuning:
    epochs: int = 3
    learning_rate: float = 0.1
    calibrate: bool = True


class FakeTask:
    def __init__(self, weight, **config):
        self.weight, self.config = weight, config

    def save_to_preset(self, folder, *, metadata=None, card=None, dtype="float32"):
        return presets.write(
            folder,
            config={"task": "FakeTask", "network": {}, **self.config},
            preprocessor={},
            weights={"weight": self.weight},
            card=card or "# saved\n",
            metadata={"application": "fake", **(metadata or {})},
            dtype=dtype,
        )


def from_preset(folder):
    return FakeTask(presets.read(folder).weights({"weight": WEIGHT.shape})["weight"])


@pytest.fixture(autouse=True)
def fake(monkeypatch):
    """An application and its task, in the places where publishing looks for them."""
    asked = []

    def load(source, split, text_column="text", label_column="label", label_separator=None):
        asked.append((source, split, text_column, label_separator))
        return ["text"] * 1821

    modules = {
        "applications.fake": {},
        "applications.fake.options": {
            "COLUMNS": {"text_column": "text", "label_column": "label", "label_separator": None}
        },
        "applications.fake.data": {"load": load},
        "applications.fake.report": {
            "evaluate": lambda task, dataset: {"mean": float(task.weight.mean()), "count": len(dataset)}
        },
        "applications.fake.recipes": {
            "RECIPES": {"tiny": Recipe(units=2), "base": Recipe()},
            "PRETRAINING": {"tiny": Recipe(units=2)},
            "FINETUNING": Finetuning(),
        },
        "applications.fake.card": {
            "about": lambda training: About(
                summary="Does nothing.",
                data="Made up.",
                licence="None.",
                use="Tests.",
                limits="All.",
                example="\nzoo.load('{name}')\n",
            )
        },
        "zoo.tasks": {"from_preset": from_preset},
    }
    for name, content in modules.items():
        module = ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
    return SimpleNamespace(asked=asked)


TRAINED = {
    "recipe": "base",
    "recipe_values": {"units": 8, "layers": [4, 4], "rate": 0.1, "vectors": None, "deep": False},
    "data": "sst:/home/me/sst",
    "seed": 3,
    "splits": {"train": 6920, "validation": 872},
    "validation": {"mean": 0.5},
    "best_epoch": 2,
    "seconds": 3725.4,
    "machine": "x86_64, 2 cores",
    "versions": {"zoo": "0.1.0", "keras": "3.15.1", "backend": "torch"},
}


@pytest.fixture
def run(tmp_path):
    FakeTask(WEIGHT).save_to_preset(tmp_path / "run" / "preset", metadata=TRAINED)
    return tmp_path / "run"


def again(run, **changes):
    """Write the run's preset anew with other metadata."""
    shutil.rmtree(run / "preset")
    said = {**TRAINED, **changes}
    FakeTask(WEIGHT).save_to_preset(run / "preset", metadata={k: v for k, v in said.items() if v is not None})


def test_what_is_measured_is_what_is_shipped(run, fake, tmp_path):
    folder = publish(run, "fake_sst_en", tmp_path / "shipped")
    assert folder == tmp_path / "shipped" / "fake_sst_en"
    assert fake.asked == [("sst:/home/me/sst", "test", "text", None)]
    found = presets.read(folder)
    assert found.metadata["dtype"] == "float16"
    rounded = WEIGHT.astype("float16").astype("float32")
    np.testing.assert_array_equal(found.weights({"weight": WEIGHT.shape})["weight"], rounded)
    assert found.metadata["metrics"] == {"mean": float(rounded.mean()), "count": 1821}
    assert found.metadata["metrics"]["mean"] != float(WEIGHT.mean())
    assert found.metadata["description"] == "Does nothing."
    assert found.metadata["application"] == "fake"
    assert {key: found.metadata[key] for key in TRAINED} == {**TRAINED, "data": "sst:PATH"}


def test_no_path_of_this_machine_is_shipped(run, tmp_path):
    (run / "logs").mkdir()
    (run / "logs" / "run.json").write_text(json.dumps({"validation": "/home/me/held.csv"}))
    values = {"unlabelled": "imdb:/home/me/imdb", "teachers": "nb-svm,/home/me/one,/home/me/two", "units": 8}
    before = {
        "recipe": "tiny", "recipe_values": {"units": 2}, "data": "imdb:/home/me/imdb", "seed": 1, "seconds": 1.0,
        "splits": {"train": 5}, "validation": {"perplexity": 2.0}, "machine": "x86_64, 2 cores",
    }  # fmt: skip
    again(run, recipe_values=values, pretraining=before)
    folder = publish(run, "fake_sst_en", tmp_path / "shipped")
    said = presets.read(folder).metadata
    assert said["recipe_values"] == {"unlabelled": "imdb:PATH", "teachers": "nb-svm,one,two", "units": 8}
    assert said["pretraining"]["data"] == "imdb:PATH"
    for path in folder.iterdir():
        assert b"/home" not in path.read_bytes(), path.name
        assert str(tmp_path).encode() not in path.read_bytes(), path.name


def test_card(run, tmp_path):
    card = presets.read(publish(run, "fake_sst_en", tmp_path / "shipped")).card
    mean = float(WEIGHT.astype("float16").astype("float32").mean())
    for said in (
        "# fake_sst_en\n\nDoes nothing.\n",
        "```python\nzoo.load('fake_sst_en')\n```",
        f"| mean | {mean:.4f} | 0.5000 |",
        "split `test` (1,821 examples)",
        "```\nzoo evaluate fake_sst_en --data sst:PATH --split test\n```",
        "```\nzoo train fake --recipe base --data sst:PATH --seed 3 --out DIR\n```",
        "| examples | 6,920 train, 872 validation |",
        "| wall time | 1 h 2 min 5 s |",
        "| parameters | 1,000 |",
        "| machine | x86_64, 2 cores |",
        "| versions | zoo 0.1.0, keras 3.15.1, backend torch |",
        "| layers | 4, 4 |",
        "## Data\n\nMade up.\n\n**Licence.** None.\n",
        "## Intended use\n\nTests.\n",
        "## Limits\n\nAll.\n",
    ):
        assert said in card
    assert "trainings compared" not in card


def test_the_card_tells_the_trials(run, tmp_path):
    again(run, trials=12, best_epoch=None)
    card = presets.read(publish(run, "fake_sst_en", tmp_path / "shipped")).card
    assert "| trainings compared | 12 |" in card
    card = presets.read(publish(run, "fake_sst_more", tmp_path / "shipped", trials=13)).card
    assert "| trainings compared | 13 |" in card
    assert "best epoch" not in card


def test_a_recipe_is_known_by_its_numbers(run, fake, tmp_path):
    """Whatever changed them to what they are."""
    again(run, recipe="custom")
    assert presets.read(publish(run, "fake_sst_en", tmp_path / "shipped")).metadata["recipe"] == "base"
    again(run, recipe="custom", recipe_values={**TRAINED["recipe_values"], "units": 3})
    assert presets.read(publish(run, "fake_sst_more", tmp_path / "shipped")).metadata["recipe"] == "custom"


def test_the_command_tells_what_was_changed_in_a_recipe(run, fake, tmp_path):
    again(
        run,
        recipe="custom",
        recipe_values={"units": 3, "layers": [1, 2], "rate": 0.1, "vectors": None, "deep": True},
    )
    (run / "logs").mkdir()
    arguments = {"validation": "own dev.csv", "text_column": "review", "label_column": "label", "seed": 3}
    arguments["label_separator"] = "; "
    (run / "logs" / "run.json").write_text(json.dumps(arguments))
    card = presets.read(publish(run, "fake_sst_en", tmp_path / "shipped")).card
    assert (
        "zoo train fake --recipe tiny --set units=3 --set layers=1,2 --set deep=true --data sst:PATH --seed 3"
        " --validation 'own dev.csv' --text-column review --label-separator '; ' --out DIR\n"
    ) in card
    assert fake.asked == [("sst:/home/me/sst", "test", "review", "; ")]


def test_a_preset_says_how_its_data_are_read(run, fake, tmp_path):
    """As begun from Python: there is no record of a command."""
    shutil.rmtree(run / "preset")
    FakeTask(WEIGHT, label_separator="+").save_to_preset(run / "preset", metadata=TRAINED)
    card = presets.read(publish(run, "fake_sst_en", tmp_path / "shipped")).card
    assert "--seed 3 --label-separator + --out DIR\n" in card
    assert fake.asked == [("sst:/home/me/sst", "test", "text", "+")]


def test_what_makes_the_numbers_comparable_is_told(run, tmp_path, monkeypatch):
    report = sys.modules["applications.fake.report"]
    about = {"bleu_signature": "nrefs:1", "references": 2}
    monkeypatch.setattr(report, "about", lambda task, dataset: about, raising=False)
    found = presets.read(publish(run, "fake_sst_en", tmp_path / "shipped"))
    assert found.metadata["measured"] == about
    assert "0.5000 |\n" in found.card
    assert "\n\n- bleu signature: `nrefs:1`\n- references: `2`\n\n```\nzoo evaluate" in found.card


def test_data_that_may_not_be_published_are_not_even_read(run, fake, tmp_path, monkeypatch):
    def refuse(training):
        raise UserError(f"{training['data']} by {training['text_column']}: not for publishing")

    monkeypatch.setattr(sys.modules["applications.fake.card"], "about", refuse)
    with pytest.raises(UserError, match="sst:PATH by text: not for publishing"):
        publish(run, "fake_sst_en", tmp_path / "shipped")
    assert fake.asked == []


def test_the_command_of_finetuning(run, tmp_path):
    values = {"preset": "/home/me/mine", "epochs": 3, "learning_rate": 0.001, "calibrate": False}
    again(run, recipe="finetune", recipe_values=values, data="tfds:imdb_reviews")
    card = presets.read(publish(run, "fake_imdb", tmp_path / "shipped")).card
    assert (
        "zoo finetune mine --set learning_rate=0.001 --set calibrate=false --data tfds:imdb_reviews --seed 3 "
        "--out DIR\n" in card
    )


@pytest.mark.parametrize(
    "name", ["sentiment", "Sentiment_sst", "fake_sst-en", "_fake_sst", "fake__sst", "../fake_sst", ""]
)
def test_wrong_names(name, run, tmp_path):
    with pytest.raises(UserError, match="make it <task>_<data>"):
        publish(run, name, tmp_path / "shipped")


@pytest.mark.parametrize("missing", ["recipe", "data", "seed", "machine", "validation"])
def test_a_preset_that_does_not_say_how_it_was_trained(missing, run, tmp_path):
    again(run, **{missing: None})
    with pytest.raises(UserError, match=rf"metadata\.json: the key '{missing}' is missing"):
        publish(run, "fake_sst_en", tmp_path / "shipped")


def test_no_run(tmp_path):
    with pytest.raises(UserError, match="has no preset/"):
        publish(tmp_path, "fake_sst_en", tmp_path / "shipped")


def test_a_broken_record(run, tmp_path):
    (run / "logs").mkdir()
    (run / "logs" / "run.json").write_text("{")
    with pytest.raises(UserError, match=r"run\.json: cannot be read"):
        publish(run, "fake_sst_en", tmp_path / "shipped")


def test_an_existing_preset_is_left_alone(run, tmp_path):
    (tmp_path / "shipped" / "fake_sst_en").mkdir(parents=True)
    with pytest.raises(UserError, match="fake_sst_en exists"):
        publish(run, "fake_sst_en", tmp_path / "shipped")
    assert list((tmp_path / "shipped" / "fake_sst_en").iterdir()) == []


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [("MEGABYTES", 0.001, "has 0.0 MB"), ("ALL_MEGABYTES", 0.008, "would have 0 MB")],
)
def test_too_large(limit, value, message, run, tmp_path, monkeypatch):
    publish(run, "fake_sst_en", tmp_path / "shipped")
    monkeypatch.setattr(publishing, limit, value)
    with pytest.raises(UserError, match=message):
        publish(run, "fake_sst_other", tmp_path / "shipped")
    assert [path.name for path in (tmp_path / "shipped").iterdir()] == ["fake_sst_en"]


def test_nothing_is_left_if_measuring_fails(run, tmp_path, monkeypatch):
    def fail(task, dataset):
        raise UserError("own.csv: has no labels")

    monkeypatch.setattr(sys.modules["applications.fake.report"], "evaluate", fail)
    with pytest.raises(UserError, match="has no labels"):
        publish(run, "fake_sst_en", tmp_path / "shipped")
    assert not (tmp_path / "shipped").exists()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("sst:/home/me/sst", "sst:PATH"),
        ("sst:../shared/data/sst", "sst:../shared/data/sst"),
        ("sst:~/sst", "sst:PATH"),
        ("tfds:imdb_reviews", "tfds:imdb_reviews"),
        ("tfds:glue/sst2", "tfds:glue/sst2"),
        ("/home/me/own.csv", "own.csv"),
        ("/home/me/folder/", "folder"),
        ("own.csv", "own.csv"),
        ("builtin", "builtin"),
        ("C:\\Users\\me\\own.csv", "own.csv"),
        ("sst:C:\\Users\\me\\sst", "sst:PATH"),
    ],
)
def test_portable(source, expected):
    assert portable(source) == expected
