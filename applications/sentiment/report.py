"""The numbers of a classifier on a dataset, baselines beside them, pictures, and where it is most wrong."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from applications.core import outputs, plots, tables
from applications.core.datasets import TextDataset
from applications.sentiment import baselines as others
from zoo.metrics import label_f1

if TYPE_CHECKING:
    from zoo.tasks import Labels

WORST = 20  # mistakes that are shown
SHOWN = 400  # characters of each
CONFUSED = 100  # labels up to which they are told apart one by one


class Task(Protocol):
    """What is measured: `zoo.tasks.SentimentClassifier` is one."""

    meaning: "Labels"

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """Return `(count, labels)` probabilities."""

    def evaluate(self, texts: Sequence[str], labels: Sequence[Any]) -> dict[str, float]:
        """Return `zoo.metrics.classification_metrics`, or `multi_label_metrics`."""

    def by_class(self) -> "Task":
        """Return the same one, answering with the classes that its labels sum up."""


def evaluate(task: Task, dataset: TextDataset) -> dict[str, float]:
    """Return `zoo.metrics.classification_metrics` of a classifier, or `multi_label_metrics`.

    A classifier whose labels sum up classes, such as degrees, is measured by its classes if the data have those.

    Raises:
        UserError: the dataset has no labels, or one that the classifier does not know.
    """
    task = _answering(task, dataset)
    others.truth(dataset, task.meaning)
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
        What report.json holds: data, split, count, `metrics` (those of `evaluate`), `models` (a row each: model,
        metrics), `per_label` (a row each: how often it occurs and is answered, F1), `confusion` (rows: true label;
        not of several labels a text, nor of very many), `calibration` (error with and without the temperature),
        `worst` (the most confident mistakes).

    Raises:
        UserError: a dataset without labels, or with one that the classifier does not know.
    """
    folder = Path(folder)
    task = _answering(task, dataset)
    meaning = task.meaning
    labels = list(meaning.names)
    truth = others.truth(dataset, meaning)
    probabilities = np.asarray(task.predict_proba(dataset.texts))
    answers = meaning.decide(probabilities)
    metrics = meaning.metrics(probabilities, truth)
    models = [{"model": type(task).__name__, **metrics}]
    if baselines and train is not None:
        models += others.measure(train, dataset, meaning, validation=validation)
    confusion = None
    if not meaning.multi_label and len(labels) <= CONFUSED:
        confusion = np.zeros((len(labels), len(labels)), dtype=int)
        np.add.at(confusion, (truth, answers), 1)
    report = {
        "data": dataset.source,
        "split": dataset.split,
        "count": len(dataset),
        "labels": labels,
        "metrics": metrics,
        "models": models,
        "per_label": _per_label(meaning, truth, answers),
        "confusion": None if confusion is None else confusion.tolist(),
        "calibration": _calibration(meaning, truth, probabilities),
        "worst": _worst(dataset.texts, meaning, truth, answers, probabilities),
    }
    folder.mkdir(parents=True, exist_ok=True)
    if confusion is not None:
        plots.confusion_matrix(confusion, labels, folder / "confusion_matrix.png")
    plots.reliability_diagram(*_choices(meaning, probabilities, truth), folder / "reliability.png")
    if history:
        plots.training_curves(history, folder / "training_curves.png")
    headline = meaning.headline
    if len(models) > 1:
        values = {row["model"]: row[headline] for row in models}
        title, first = headline.replace("_", " "), models[0]["model"]
        plots.bars(values, folder / f"{headline}.png", title=title, form="{:.1%}", highlight=first)
    tables.write(_table(models), folder / "models.csv", digits=6)
    _write(folder / "report.json", outputs.to_json(report))
    _write(folder / "report.md", _page(report, headline, bool(history)))
    return report


def _answering(task: Task, dataset: TextDataset) -> Task:
    """Return the classifier, or the same one by its classes where it is these that the data have."""
    if task.meaning.class_names is None or not dataset.labels or task.meaning.covers(dataset.labels):
        return task
    other = task.by_class()
    return other if other.meaning.covers(dataset.labels) else task


def _per_label(meaning: "Labels", truth: np.ndarray, answers: np.ndarray) -> list[dict[str, Any]]:
    """Return a row for each label: how often it occurs, how often it was answered, F1, and its threshold if any."""
    if not meaning.multi_label:
        truth, answers = (np.arange(len(meaning.names)) == each[:, None] for each in (truth, answers))
    scores = label_f1(answers, truth)
    rows = [
        {"label": name, "examples": int(truth[:, place].sum()), "answered": int(answers[:, place].sum()),
         "f1": float(scores[place])}
        for place, name in enumerate(meaning.names)
    ]  # fmt: skip
    if meaning.thresholds is not None:
        for row, threshold in zip(rows[-len(meaning.thresholds) :], meaning.thresholds, strict=True):
            row["threshold"] = threshold
    return rows


def _choices(
    meaning: "Labels", probabilities: np.ndarray, truth: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities that sum to 1 and the classes; of several labels each is a choice between two."""
    if not meaning.multi_label:
        return probabilities, truth
    present = probabilities.ravel()
    return np.stack([1 - present, present], axis=1), truth.ravel().astype(int)


def _calibration(meaning: "Labels", truth: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Return the temperature, and log-loss and calibration error with it and, as `..._before`, without it."""
    plain = meaning.forget()
    found = {"temperature": meaning.temperature}
    for ending, each in (("_before", meaning.uncalibrated(probabilities)), ("", probabilities)):
        metrics = plain.metrics(each, truth)
        found |= {f"{name}{ending}": metrics[name] for name in ("calibration_error", "log_loss")}
    return found


def _worst(
    texts: Sequence[str], meaning: "Labels", truth: np.ndarray, answers: np.ndarray, probabilities: np.ndarray
) -> list[dict[str, Any]]:
    """Return the mistakes that the model was surest of, the surest first; of several labels each text's surest."""
    if meaning.multi_label:
        sure = np.where(answers, probabilities, 1 - probabilities)
        sure = np.where(answers != truth, sure, -1.0).max(axis=1)
        wrong = np.flatnonzero((answers != truth).any(axis=1))
    else:
        sure = probabilities[np.arange(len(texts)), answers]
        wrong = np.flatnonzero(answers != truth)

    def words(answer):
        return ", ".join(np.array(meaning.names)[answer]) if meaning.multi_label else meaning.names[answer]

    order = wrong[np.argsort(-sure[wrong], kind="stable")][:WORST]
    return [
        {
            "number": int(row) + 1,
            "label": words(truth[row]),
            "predicted": words(answers[row]),
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


def _page(report: Mapping[str, Any], headline: str, curves: bool) -> str:
    """Return the report as Markdown."""
    models, count = report["models"], report["count"]
    share = "accuracy" if headline == "accuracy" else "subset_accuracy"
    error = (models[0][share] * (1 - models[0][share]) / count) ** 0.5
    split = f", split `{report['split']}`" if report["split"] else ""
    parts = [
        f"# {models[0]['model']} on `{report['data']}`{split}",
        f"{count:,} examples. The standard error of the first {share.replace('_', ' ')} is {100 * error:.1f} points: "
        "a smaller difference says little.",
        tables.markdown(_table(models), digits={"seconds": 1}),
    ]
    if len(models) > 1:
        parts.append(
            "The baselines were fitted to the training split's texts, and `chosen` was chosen without the data "
            "measured here. `seconds` is the wall time of choosing, fitting and measuring.\n\n"
            f"![{headline.replace('_', ' ')}]({headline}.png)\n"
        )
    if len(report["labels"]) > 2 or headline != "accuracy":
        parts.append(f"## Label by label\n\n{tables.markdown(report['per_label'])}")
    if report["confusion"] is not None:
        parts.append("## Confusion\n\n![confusion matrix](confusion_matrix.png)\n")
    parts.append(f"## Calibration\n\n{_words(report)}![reliability diagram](reliability.png)\n")
    if curves:
        parts.append("## Training\n\n![training curves](training_curves.png)\n")
    if report["worst"]:
        parts.append(f"## The most confident mistakes\n\n{tables.markdown(report['worst'], digits=3)}")
    else:
        parts.append("## The most confident mistakes\n\nNone.\n")
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _words(report: Mapping[str, Any]) -> str:
    """Return what was chosen on validation data, and what it changed, as a paragraph."""
    found = report["calibration"]
    thresholds = [row for row in report["per_label"] if "threshold" in row]
    said = []
    if found["temperature"] != 1:
        said.append(
            f"The temperature {found['temperature']:.3f} takes the calibration error from "
            f"{found['calibration_error_before']:.4f} to {found['calibration_error']:.4f}, the log-loss from "
            f"{found['log_loss_before']:.4f} to {found['log_loss']:.4f}."
        )
    if len(thresholds) == 1:
        label, threshold = thresholds[0]["label"], thresholds[0]["threshold"]
        said.append(f"{label!r} is answered from a probability of {threshold:.3f} on.")
    if said or thresholds:
        said.append("The validation data of the training chose this: measured on them it flatters.")
    return f"{' '.join(said)}\n\n" if said else ""


def _write(path: Path, text: str) -> None:
    """Write in UTF-8; a lone surrogate, which UTF-8 has no form for, is written as its escape."""
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
