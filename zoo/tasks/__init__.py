"""Tasks: a network with its preprocessing, which takes raw input and gives answers."""

import os

from zoo import presets
from zoo.errors import unknown
from zoo.tasks.labels import Labels
from zoo.tasks.language_model import LanguageModel
from zoo.tasks.prediction import Prediction
from zoo.tasks.sentiment_classifier import SentimentClassifier
from zoo.tasks.task import Task
from zoo.tasks.translation import Alignment, Translation
from zoo.tasks.translator import Translator

TASKS: dict[str, type[Task]] = {
    "LanguageModel": LanguageModel,
    "SentimentClassifier": SentimentClassifier,
    "Translator": Translator,
}
"""What the names in a preset's `config.json` stand for."""

__all__ = [
    "TASKS",
    "Alignment",
    "Labels",
    "LanguageModel",
    "Prediction",
    "SentimentClassifier",
    "Task",
    "Translation",
    "Translator",
    "from_preset",
]


def from_preset(preset: str | os.PathLike) -> Task:
    """Return the task of a preset, whichever it is.

    Args:
        preset: a shipped name (`zoo.list_presets()`), a preset folder, or a run folder.

    Raises:
        PresetError: there is no such preset, or something is wrong with it.
    """
    found = presets.read(presets.resolve(preset))
    name = found.config.get("task")
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    return TASKS[name].from_read(found)
