"""How fast a task answers: one text at a time, and many."""

import statistics
import time
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from applications.core import backend
from zoo import presets


def speed(task: Any, texts: Sequence[str], *, repeats: int = 200, rounds: int = 5) -> dict[str, float]:
    """Return the time for one text and the rate for many, everything compiled before.

    Args:
        task: with `predict(texts)`, such as `zoo.tasks.SentimentClassifier`.
        texts: raw texts.
        repeats: texts that are asked about one by one, those at the beginning.
        rounds: how often all texts are predicted.

    Returns:
        `latency_ms`, the median of the single texts, `latency_ms_90`, the time that nine of ten stay under, and
        `texts_per_second`, the median of the rounds.
    """
    single = [_seconds(task, [text]) for text in (*texts[:repeats], *texts[:repeats])][
        -min(repeats, len(texts)) :
    ]
    task.predict(texts)
    rates = [len(texts) / _seconds(task, texts) for _ in range(rounds)]
    return {
        "latency_ms": 1000 * statistics.median(single),
        "latency_ms_90": 1000 * sorted(single)[int(0.9 * len(single))],
        "texts_per_second": statistics.median(rates),
    }


def measure(preset: str, source: str, split: str | None = None) -> dict[str, Any]:
    """Return the `speed` of a preset on the texts of a source, with the versions it depends on.

    Raises:
        UserError: no such preset or source.
    """
    folder = presets.resolve(preset)
    application = presets.read(folder).metadata["application"]
    texts = import_module(f"applications.{application}.data").load(source, split).texts
    with backend.starting():
        task = import_module("zoo.tasks").from_preset(folder)
    return {**speed(task, texts), "count": len(texts), **backend.versions()}


def _seconds(task: Any, texts: Sequence[str]) -> float:
    began = time.perf_counter()
    task.predict(texts)
    return time.perf_counter() - began
