"""The numbers of a classifier on a dataset, baselines beside them, pictures, and where it is most wrong."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from applications.core import outputs, plots, tables
from applications.core.datasets import TextDataset
from applications.sentiment import baselines as others
from zoo.metrics import classification_metrics

WORST = 20  # mistakes that are shown
SHOWN = 400  # characters of each


class Task(Protocol):
    """What is measured: `zoo.tasks.SentimentClassifier` is one."""

    labels: Sequence[str]

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """Return `(count, labels)` probabilities."""

    def evaluate(self, texts: Sequence[str], labels: Sequence[str]) -> dict[str, float]:
        """Return `zoo.metrics.classification_metrics`."""


def evaluate(task: Task, dataset: TextDataset) -> dict[str, float]:
    """Return accuracy, macro_f1, roc_auc, log_loss and calibration_error of a classifier.

    Raises:
        UserError: the dataset has no labels, or one that the classifier does not know.
    """
    others.class_numbers(dataset, task.labels)
    return task.evaluate(dataset.texts, dataset.labels)


def write(
    task: Task,
    dataset: TextDataset,
    folder: str | Path,
    *,
    train: TextDataset | None = None,
    validation: TextDataset | None = None,
    history: Sequence[Mapping[str, Any]] | None = None,
    baselines: bool = True,
) -> dict[str, Any]:
    """Write a report into `folder`, which is made: report.md, report.json, models.csv and pictures.

    Args:
        task: what is measured.
        dataset: what it is measured on.
        folder: files of an earlier report there are replaced.
        train: what the baselines are fitted to; without it there are none.
        validation: what the baselines' numbers are chosen on, never `dataset`; by default a part of `train`.
        history: a row an epoch (see `applications.core.plots.training_curves`), for the training curves.
        baselines: False leaves them out.

    Returns:
        What report.json holds: data, split, count, `models` (a row each: model, metrics), `confusion` (rows:
        true label), `worst` (the most confident mistakes).

    Raises:
        UserError: a dataset without labels, or with one that the classifier does not know.
    """
    folder = Path(folder)
    labels = list(task.labels)
    truth = others.class_numbers(dataset, labels)
    probabilities = np.asarray(task.predict_proba(dataset.texts))
    models = [{"model": type(task).__name__, **classification_metrics(probabilities, truth)}]
    if baselines and train is not None:
        models += others.measure(train, dataset, labels, validation=validation)
    predicted = probabilities.argmax(axis=1)
    confusion = np.zeros((len(labels), len(labels)), dtype=int)
    np.add.at(confusion, (truth, predicted), 1)
    worst = _worst(dataset.texts, labels, truth, probabilities)
    report = {
        "data": dataset.source,
        "split": dataset.split,
        "count": len(dataset),
        "labels": labels,
        "models": models,
        "confusion": confusion.tolist(),
        "worst": worst,
    }
    folder.mkdir(parents=True, exist_ok=True)
    plots.confusion_matrix(confusion, labels, folder / "confusion_matrix.png")
    plots.reliability_diagram(probabilities, truth, folder / "reliability.png")
    if history:
        plots.training_curves(history, folder / "training_curves.png")
    if len(models) > 1:
        accuracies = {row["model"]: row["accuracy"] for row in models}
        first = models[0]["model"]
        plots.bars(accuracies, folder / "accuracy.png", title="accuracy", form="{:.1%}", highlight=first)
    tables.write(_table(models), folder / "models.csv", digits=6)
    _write(folder / "report.json", outputs.to_json(report))
    _write(folder / "report.md", _page(report, bool(history)))
    return report


def _worst(
    texts: Sequence[str], labels: Sequence[str], truth: np.ndarray, probabilities: np.ndarray
) -> list[dict[str, Any]]:
    """Return the mistakes with the most probable wrong label, the surest first."""
    predicted = probabilities.argmax(axis=1)
    sure = probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != truth)
    order = wrong[np.argsort(-sure[wrong], kind="stable")][:WORST]
    return [
        {
            "number": int(row) + 1,
            "label": labels[truth[row]],
            "predicted": labels[predicted[row]],
            "probability": float(sure[row]),
            "text": texts[row] if len(texts[row]) <= SHOWN else f"{texts[row][:SHOWN]}…",
        }
        for row in order
    ]


def _table(models: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows with the chosen numbers in words."""
    return [
        {**row, **({"chosen": ", ".join(f"{name} = {value:g}" for name, value in row["chosen"].items())}
                   if "chosen" in row else {})}
        for row in models
    ]  # fmt: skip


def _page(report: Mapping[str, Any], curves: bool) -> str:
    """Return the report as Markdown."""
    models, count = report["models"], report["count"]
    accuracy = models[0]["accuracy"]
    error = (accuracy * (1 - accuracy) / count) ** 0.5
    split = f", split `{report['split']}`" if report["split"] else ""
    parts = [
        f"# {models[0]['model']} on `{report['data']}`{split}",
        f"{count:,} examples. The standard error of the first accuracy is {100 * error:.1f} points: "
        "a smaller difference says little.",
        tables.markdown(_table(models), digits={"seconds": 1}),
    ]
    if len(models) > 1:
        parts.append(
            "The baselines were fitted to the training split's texts, and `chosen` was chosen without the data "
            "measured here. `seconds` is the wall time of choosing, fitting and measuring.\n\n"
            "![accuracy](accuracy.png)\n"
        )
    parts += [
        "## Confusion\n\n![confusion matrix](confusion_matrix.png)\n",
        "## Calibration\n\n![reliability diagram](reliability.png)\n",
    ]
    if curves:
        parts.append("## Training\n\n![training curves](training_curves.png)\n")
    if report["worst"]:
        parts.append(f"## The most confident mistakes\n\n{tables.markdown(report['worst'], digits=3)}")
    else:
        parts.append("## The most confident mistakes\n\nNone.\n")
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _write(path: Path, text: str) -> None:
    """Write in UTF-8; a lone surrogate, which UTF-8 has no form for, is written as its escape."""
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
