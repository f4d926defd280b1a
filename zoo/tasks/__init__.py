"""Tasks: a network with its preprocessing, which takes raw input and gives answers."""

import os
from typing import Any

from zoo import presets
from zoo.errors import unknown
from zoo.tasks.forecaster import Forecaster
from zoo.tasks.labels import Labels
from zoo.tasks.language_model import LanguageModel
from zoo.tasks.panel import Panel, read_frame
from zoo.tasks.prediction import Prediction
from zoo.tasks.sentiment_classifier import SentimentClassifier
from zoo.tasks.task import Task
from zoo.tasks.translation import Alignment, Translation
from zoo.tasks.translator import Translator

TASKS: dict[str, type[Task]] = {
    "Forecaster": Forecaster,
    "LanguageModel": LanguageModel,
    "SentimentClassifier": SentimentClassifier,
    "Translator": Translator,
}
"""What the names in a preset's `config.json` stand for."""

__all__ = [
    "TASKS",
    "Alignment",
    "Forecaster",
    "Labels",
    "LanguageModel",
    "Panel",
    "Prediction",
    "RecurrentRegressor",
    "SentimentClassifier",
    "Task",
    "Translation",
    "Translator",
    "from_preset",
    "read_frame",
]


def __getattr__(name: str) -> Any:
    if name != "RecurrentRegressor":  # the one that needs scikit-learn
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    from zoo.tasks.recurrent_regressor import RecurrentRegressor

    return RecurrentRegressor


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
