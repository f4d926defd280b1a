import json

import numpy as np
import pytest

from applications.cli import main
from applications.core import comparison
from zoo import presets
from zoo.errors import UserError


def preset(folder, seed, accuracy, seconds=10.0, **settings):
    metadata = {
        "application": "sentiment",
        "data": "builtin",
        "seed": seed,
        "recipe": "custom",
        "recipe_values": {"units": 8, "epochs": 3, **settings},
        "validation": {"accuracy": accuracy, "log_loss": 1 - accuracy},
        "seconds": seconds,
    }
    return str(
        presets.write(
            folder,
            config={"task": "SentimentClassifier", "network": {}},
            preprocessor={"kind": "text"},
            weights={"w": np.zeros(2, "float32")},
            card="# nothing\n",
            metadata=metadata,
        )
    )


@pytest.fixture
def runs(tmp_path):
    return [
        preset(tmp_path / "a1", 1, 0.80),
        preset(tmp_path / "a2", 2, 0.84, seconds=14.0),
        preset(tmp_path / "b1", 1, 0.70, adversarial=0.02),
    ]


def test_seeds_share_a_row_and_settings_that_differ_are_shown(runs):
    first, second = comparison.compare(runs)
    assert first["runs"] == runs[:2]
    assert first["seeds"] == [1, 2]
    assert first["adversarial"] is None
    assert "units" not in first
    np.testing.assert_allclose([first["accuracy"], first["accuracy_sd"]], [0.82, 0.04 / 2**0.5])
    assert first["seconds"] == 12
    assert (second["adversarial"], second["accuracy"], second["seeds"]) == (0.02, 0.70, [1])
    assert "accuracy_sd" not in second


def test_the_command_prints_and_writes(runs, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["compare", *runs, "--json", str(tmp_path / "rows.json")])
    assert not stopped.value.code
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert lines[0][:4] == ["runs", "seeds", "adversarial", "accuracy"]
    assert lines[1][1:4] == ["1,2", "", "0.82"]
    assert lines[2][2] == "0.02"
    assert json.loads((tmp_path / "rows.json").read_text(encoding="utf-8")) == comparison.compare(runs)


def test_errors(runs, tmp_path, capsys):
    with pytest.raises(UserError, match="two runs or more"):
        comparison.compare(runs[:1])
    with pytest.raises(SystemExit) as stopped:
        main(["compare", runs[0], str(tmp_path / "none")])
    assert stopped.value.code == 2
    assert "none" in capsys.readouterr().err
    bare = presets.write(
        tmp_path / "bare",
        config={"task": "SentimentClassifier", "network": {}},
        preprocessor={"kind": "text"},
        weights={"w": np.zeros(2, "float32")},
        card="# nothing\n",
    )
    with pytest.raises(UserError, match="does not say how it was trained"):
        comparison.compare([runs[0], str(bare)])
