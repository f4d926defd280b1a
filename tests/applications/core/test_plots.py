"""Pictures: files are written, hold what they say, and no text breaks them (warnings are errors)."""

import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from matplotlib import image as matplotlib_image

from applications.core import plots
from zoo import UserError


@dataclass
class Answer:
    label: str
    probabilities: dict[str, float]
    labels: tuple[str, ...] | None = None


def answer(*values: float) -> Answer:
    probabilities = {f"label {number}": value for number, value in enumerate(values)}
    return Answer(max(probabilities, key=probabilities.get), probabilities)


def pixels(path) -> np.ndarray:
    return matplotlib_image.imread(path)[..., :3]


def share(path, colour: str) -> float:
    """Return the share of the picture that has exactly this colour."""
    wanted = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return float((np.abs(pixels(path) - wanted).max(axis=-1) < 1e-3).mean())


ODD = {
    "plain": "A wonderful little film.",
    "empty": "",
    "blank": " \n\t ",
    "long": "word " * 2_000_000,
    "one word": "W" * 1000,
    "formula": "cost $5_x^2 and $more{ \\frac",
    "emoji": "😀 ❤️ 👩‍👩‍👧 👍🏽 \U0001faf6",
    "arabic": "فيلم رائع جدا وأنصح الجميع بمشاهدته",
    "hebrew": "סרט נהדר, ממליץ בחום",
    "japanese": "これは素晴らしい映画です",
    "broken": "nul\x00 \ud800 \x1b[31m \u202e \ufffe",
    "marks": "a" + "\u0301" * 500,
}


@pytest.mark.parametrize("kind", ODD)
def test_predictions_of_any_text(kind, tmp_path):
    path = plots.predictions([ODD[kind]], [answer(0.25, 0.75)], tmp_path / "picture.png")
    assert pixels(path).shape[1] == 1200
    assert 70 < pixels(path).shape[0] < 250
    chosen, other = share(path, plots.COLOURS[1]), share(path, "#b4bcc6")
    assert chosen / other == pytest.approx(3, rel=0.05)  # the bars are as long as the probabilities
    border = np.concatenate([pixels(path)[:, :20], pixels(path)[:, -20:]], axis=1)
    assert border.min() == 1.0  # nothing is cut off


@pytest.mark.parametrize("labels", [(), ("label 1",), ("label 0", "label 1")])
def test_predictions_of_several_labels_colours_those_that_are_answered(labels, tmp_path):
    several = Answer("label 1", {"label 0": 0.6, "label 1": 0.9}, labels)
    path = plots.predictions(["text"], [several], tmp_path / "picture.png")
    for number in (0, 1):
        assert (share(path, plots.COLOURS[number]) > 0.01) == (f"label {number}" in labels)


def test_predictions_of_many_labels_draws_the_most_probable(tmp_path):
    values = np.array([1, 2, 3, 4, 5, 6, 7, 8]) / 36
    few = plots.predictions(["text"], [answer(*values[:5])], tmp_path / "few.png")
    many = plots.predictions(["text"], [answer(*values)], tmp_path / "many.png")
    assert pixels(few).shape == pixels(many).shape


def test_predictions_of_many_texts_draws_the_first(tmp_path):
    path = plots.predictions(["text"] * 5000, [answer(0.5, 0.5)] * 5000, tmp_path / "picture.png")
    assert pixels(path).shape[0] < 6000


def test_a_label_may_have_any_name(tmp_path):
    odd = Answer(
        "$x_1^", {"$x_1^": 0.5, "": 0.2, "a very long name of a label, longer than the picture" * 3: 0.3}
    )
    plots.predictions(["text"], [odd], tmp_path / "predictions.png")
    plots.confusion_matrix(np.eye(3, dtype=int), list(odd.probabilities), tmp_path / "matrix.png")
    plots.bars(odd.probabilities, tmp_path / "bars.png", title="$x_", highlight="$x_1^")


@pytest.mark.parametrize("classes", [2, 7, 25])
def test_confusion_matrix(classes, tmp_path):
    matrix = np.eye(classes, dtype=int) * 50
    matrix[0, 1] = 50
    matrix[1] = 0  # a class without examples
    path = plots.confusion_matrix(
        matrix, [f"class {number}" for number in range(classes)], tmp_path / "m.png"
    )
    full, none = share(path, "#08306b"), share(path, "#f7fbff")  # the ends of the colour map
    assert none > 0.01
    assert (full > 0.01) is (classes > 2)


def test_reliability_diagram(tmp_path):
    positive = np.array([0.9, 0.9, 0.2, 0.6])
    path = plots.reliability_diagram(
        np.stack([1 - positive, positive], 1), np.array([1, 1, 0, 0]), tmp_path / "r.png"
    )
    assert share(path, plots.COLOURS[1]) > 0.05


def test_training_curves(tmp_path):
    rows = [
        {"epoch": 1, "loss": 0.9, "val_accuracy": 0.5, "learning_rate": 0.1, "seconds": 3.0},
        {"epoch": 2, "loss": 0.5, "val_accuracy": "", "learning_rate": 0.1, "seconds": 6.0},
        {"epoch": 3, "loss": float("nan"), "val_accuracy": 0.7, "learning_rate": 0.1, "seconds": 9.0},
    ]
    path = plots.training_curves(rows, tmp_path / "curves.png")
    assert share(path, plots.COLOURS[1]) > 0.0005  # training
    assert share(path, plots.COLOURS[0]) > 0.0005  # validation
    plots.training_curves(rows[:1], tmp_path / "one.png")
    with pytest.raises(UserError, match="no losses"):
        plots.training_curves([{"epoch": 1, "seconds": 1.0}], tmp_path / "none.png")


def test_bars_are_as_long_as_their_numbers(tmp_path):
    path = plots.bars({"ours": 0.9, "theirs": 0.3}, tmp_path / "bars.png", title="accuracy", highlight="ours")
    assert share(path, plots.COLOURS[1]) / share(path, "#9aa5b1") == pytest.approx(3, rel=0.05)


@pytest.mark.parametrize("suffix", ["svg", "pdf", "PNG"])
def test_other_formats(suffix, tmp_path):
    assert plots.bars({"ours": 0.9}, tmp_path / f"bars.{suffix}").stat().st_size > 1000


def test_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"bars\.xyz: no picture format '\.xyz'"):
        plots.bars({"ours": 0.9}, tmp_path / "bars.xyz")
    assert list(tmp_path.iterdir()) == []


def test_matplotlib_is_imported_late_and_pyplot_never():
    code = (
        "import sys; from applications.core import plots; assert 'matplotlib' not in sys.modules;"
        "import tempfile; plots.bars({'a': 1.0}, tempfile.mkdtemp() + '/a.png');"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
