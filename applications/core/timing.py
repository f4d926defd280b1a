"""How fast a task answers: one text at a time, many, and a whole file."""

import json
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from applications.core import backend, catalogue, stream
from applications.core.answers import FORMATS, Format
from zoo import presets
from zoo.errors import UserError, unknown


def speed(
    task: Any, texts: Sequence[str], *, repeats: int = 200, rounds: int = 5, form: Format = FORMATS[".csv"]
) -> dict[str, float]:
    """Return the time for one text and the rate for many, everything compiled before.

    Args:
        task: with `predict(texts)`, such as `zoo.tasks.SentimentClassifier`.
        texts: raw texts.
        repeats: texts that are asked about one by one, those at the beginning.
        rounds: how often all texts are predicted.
        form: how the answers of `streaming` are written.

    Returns:
        `latency_ms`, the median of the single texts, `latency_ms_90`, the time that nine of ten stay under,
        `texts_per_second`, the median of the rounds, and `streamed_texts_per_second`, that of `streaming`.
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
        "streamed_texts_per_second": streaming(task, texts, rounds=rounds, form=form),
    }


def streaming(task: Any, texts: Sequence[str], *, rounds: int = 5, form: Format = FORMATS[".csv"]) -> float:
    """Return the texts a second from a JSONL file to a CSV file, as `zoo predict --input` answers them.

    Reading, cleaning, tokenising, the network and writing count; what is compiled at the first time does too,
    unless the task has answered texts like these before.

    Args:
        task: as for `speed`.
        texts: raw texts.
        rounds: how often it is measured; the median is returned.
        form: how the answers are written.
    """
    rates = []
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "texts.jsonl")
        with open(source, "w", encoding="utf-8") as file:
            file.writelines(json.dumps({"text": text}) + "\n" for text in texts)
        for number in range(rounds):
            began = time.perf_counter()
            with stream.writing_file(Path(folder, f"{number}.csv"), form) as put:
                for block in stream.predict(task, stream.read_rows(source, "text")):
                    put(block)
            rates.append(len(texts) / (time.perf_counter() - began))
    return statistics.median(rates)


def measure(
    preset: str,
    source: str,
    split: str | None = None,
    texts: int | None = None,
    rounds: int = 5,
    how: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the `speed` of a preset on the texts of a source, with the versions it depends on.

    Args:
        preset: a shipped name, a preset folder or a run folder.
        source: where the texts come from, as for `zoo evaluate --data`.
        split: of the source.
        texts: how many of its texts, at even distances from one another; None: all.
        rounds: how often they are predicted.
        how: how the answers are found, such as `{"beam": 1}`: options of the application's `ANSWERING`.

    Raises:
        UserError: no such preset, source or option, or a number below 1.
    """
    for name, value in (("--texts", texts), ("--rounds", rounds)):
        if value is not None and value < 1:
            raise UserError(f"{name}: got {value}; give a whole number of at least 1")
    saved = presets.read(presets.resolve(preset))
    application = saved.metadata["application"]
    options = catalogue.application(application)
    for name in how or ():
        if name not in options.ANSWERING:
            raise unknown("option", name, options.ANSWERING)
    data, part = (import_module(f"applications.{application}.{name}") for name in ("data", "predict"))
    columns = {name: saved.config[name] for name in options.COLUMNS if name in saved.config}
    found = data.load(source, split, **columns).texts
    if texts is not None and texts < len(found):
        found = [found[number * len(found) // texts] for number in range(texts)]
    with backend.starting():
        task = part.answering(
            import_module("zoo.tasks").from_preset(saved.folder), **{**options.ANSWERING, **(how or {})}
        )
    measured = speed(task, found, rounds=rounds, form=part.FORMATS[".csv"])
    return {**measured, "count": len(found), **(how or {}), **backend.versions()}


def read_option(text: str) -> tuple[str, Any]:
    """Return name and value of NAME=VALUE, the value as JSON has it.

    Raises:
        ValueError: it is written otherwise.
    """
    name, _, value = text.partition("=")
    return name, json.loads(value)


def _seconds(task: Any, texts: Sequence[str]) -> float:
    began = time.perf_counter()
    task.predict(texts)
    return time.perf_counter() - began
