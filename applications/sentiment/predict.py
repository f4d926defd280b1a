"""The answers of `zoo predict` for this application: what gives them, how they are written and drawn."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from applications.core import answers, plots
from applications.core.answers import Answered

if TYPE_CHECKING:
    from zoo.tasks import SentimentClassifier

FORMATS = answers.FORMATS
PICTURES = (".png", ".svg", ".pdf")


def check(texts: Sequence[str], count: int, *, drawn: bool) -> None:
    """Check what can be told before the task is loaded: any texts can be classified, and drawn."""


def answering(task: "SentimentClassifier") -> "SentimentClassifier":
    """Return what answers texts, an `applications.core.stream.Task`: the classifier itself."""
    return task


def draw(task: "SentimentClassifier", block: Sequence[Answered], count: int, path: Path) -> None:
    """Draw the probabilities of the first block of answers, and how many of all `count` texts are missing."""
    texts = [row.text for row in block] + [""] * (count - len(block))
    plots.predictions(texts, [row.answer for row in block], path)
