"""A language model on the built-in sample, and a classifier that starts from it; no network."""

import subprocess
import sys

import pytest

from applications.cli import main
from applications.sentiment import data
from zoo import presets
from zoo.tasks import LanguageModel, SentimentClassifier


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "lm"
    with pytest.raises(SystemExit) as stopped:
        main([*"pretrain sentiment --recipe tiny --data builtin --quiet --seed 1 --out".split(), str(out)])
    assert not stopped.value.code
    return out


def zoo(*arguments):
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    return stopped.value.code


def test_the_run_is_whole_and_tells_its_perplexity(run):
    metadata = presets.read(run / "preset").metadata
    assert metadata["recipe"] == "tiny"
    assert metadata["splits"] == {"train": 70, "held": 10}
    assert 1 < metadata["validation"]["perplexity"] < 1000
    assert isinstance(LanguageModel.from_preset(run), LanguageModel)


def test_a_classifier_starts_from_the_run(run, tmp_path):
    arguments = ["--recipe", "tiny", "--data", "builtin", "--no-report", "--quiet"]
    sets = ["--set", f"pretrained={run}", "--set", "epochs=2", "--set", "gradual_unfreezing=1"]
    assert not zoo("train", "sentiment", *arguments, *sets, "--out", tmp_path / "run")
    task = SentimentClassifier.from_preset(tmp_path / "run")
    assert task.preprocessor.model == LanguageModel.from_preset(run).preprocessor.model
    assert task.network.config["units"] == 16


def test_texts_of_a_corpus_are_those_of_its_training_parts(tmp_path):
    for split, label in (("train", "1"), ("test", "0")):
        (tmp_path / f"{split}.tsv").write_text(f"{label}\t9\t1\ta {split} review\n")
    (tmp_path / "unsup.tsv").write_text("1\tone without a label\n")
    assert data.load_texts(f"imdb:{tmp_path}") == ["a train review", "one without a label"]
    (tmp_path / "own.csv").write_text("text,label\nthis,x\nthat,\n")
    assert data.load_texts(str(tmp_path / "own.csv")) == ["this", "that"]
    assert len(data.load_texts("builtin")) == 80


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--recipe", "tinny", "--data", "builtin"], "unknown recipe 'tinny': did you mean 'tiny'"),
        (["--recipe", "tiny", "--data", "nowhere.csv"], "'nowhere.csv': no such file"),
        (["--recipe", "tiny", "--data", "builtin", "--set", "held_texts=80"], "80 texts, of which"),
        (["--recipe", "tiny", "--data", "builtin", "--set", "held_texts=-1"], "held_texts: got -1"),
        (["--recipe", "tiny", "--data", "builtin", "--set", "examples=0"], "examples: got 0"),
        (["--recipe", "tiny", "--data", "builtin", "--set", "units=0"], "units must be a positive integer"),
        (["--recipe", "tiny", "--data", "builtin", "--set", "layers=2"], "layers=2 with bidirectional=True"),
    ],
)
def test_mistakes_are_told_in_one_line(arguments, fault, tmp_path, capsys):
    assert zoo("pretrain", "sentiment", *arguments, "--out", tmp_path / "run") == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("zoo: error: ")
    assert fault in lines[-1]
    assert not (tmp_path / "run").exists()


def test_a_preset_of_another_task_is_refused(run, tmp_path, capsys):
    assert zoo("predict", run, "a text") == 2
    assert "LanguageModel" in capsys.readouterr().err
    out = ["--out", tmp_path / "run"]
    wrong = ["--set", "pretrained=sentiment_sst2_en"]
    assert zoo("train", "sentiment", "--recipe", "tiny", "--data", "builtin", *wrong, *out) == 2
    assert "it holds a 'SentimentClassifier'" in capsys.readouterr().err


def test_the_script_runs(tmp_path):
    found = subprocess.run(
        [sys.executable, "scripts/pretrain.py", "--help"], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0
    assert "language model" in found.stdout
