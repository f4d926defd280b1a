"""Train a sentiment classifier by a recipe, or a preset further: the last step before the report."""

import os
import platform
from dataclasses import fields
from pathlib import Path
from typing import Any

from applications.core import backend, recipes, sources
from applications.core.datasets import TextDataset
from applications.sentiment import data
from applications.sentiment import report as reports
from applications.sentiment.recipes import FINETUNE, RECIPES, Recipe
from zoo.errors import UserError
from zoo.preprocessing import TextPreprocessor
from zoo.tasks import SentimentClassifier

# The treebank's degrees, 0 to 4, that make up the labels: a neutral phrase counts for neither.
_PHRASE_GROUPS = {"negative": [0, 1], "positive": [3, 4]}

_TEXT = ("vocabulary_size", "model_type", "max_length")
_NETWORK = (
    "cell",
    "units",
    "layers",
    "bidirectional",
    "residual",
    "embedding_dim",
    "pooling",
    "head_units",
    "word_dropout",
    "embedding_dropout",
    "input_dropout",
    "dropout",
    "recurrent_dropout",
    "head_dropout",
    "word_vectors",
    "embedding_trainable",
)
_FIT = tuple(field.name for field in fields(Recipe) if field.name not in ("phrases", *_TEXT, *_NETWORK))


def train(
    recipe: Recipe,
    source: str,
    out: str | os.PathLike,
    *,
    validation: str | None = None,
    text_column: str = "text",
    label_column: str = "label",
    seed: int = 0,
    report: bool = True,
    progress: bool = True,
) -> Path:
    """Train a network from scratch and return the folder of its preset, `out/preset`.

    Args:
        recipe: every number of the training.
        source: the data, as `applications.sentiment.data.load` reads it. A split `test` is never read.
        out: the run folder. A run that was killed goes on when started again with the same arguments.
        validation: a source that chooses the best epoch; by default the split `validation` of `source`, or a
            tenth of it.
        text_column: name of the column of the texts.
        label_column: name of the column of the labels.
        seed: of everything that is drawn.
        report: whether to write `out/report/`: the validation split's numbers with baselines, and pictures.
        progress: whether to show a line for each epoch on standard error.

    Raises:
        SourceError: the data cannot be read.
        UserError: the recipe does not fit the data; `out` holds another run.
        DivergedError: the loss is no longer finite.
    """
    training, held = _load(source, validation, text_column, label_column, seed)
    values = recipes.to_dict(recipe)
    texts, targets, groups = training.texts, training.labels, None
    sentences = training.texts
    if recipe.phrases:
        where = sources.parse(source, data.CORPORA)
        if where.kind != "sst":
            raise UserError(f"recipe: phrases=true reads the treebank, sst:PATH, not {source}")
        phrases = data.load_phrases(where.value)
        texts = phrases.texts
        sentences = [text for text, whole in zip(texts, phrases.sentences, strict=True) if whole]
        targets = (phrases.votes / phrases.votes.sum(axis=1, keepdims=True)).astype("float32")
        groups = [_PHRASE_GROUPS[label] for label in training.label_names]
    preprocessor = TextPreprocessor.train(sentences, **{name: values[name] for name in _TEXT}, seed=seed)
    task = SentimentClassifier(
        labels=training.label_names,
        groups=groups,
        preprocessor=preprocessor,
        seed=seed,
        **{name: values[name] for name in _NETWORK},
    )
    facts = {"recipe": _name(recipe), "recipe_values": values}
    return _fit(
        task,
        texts,
        targets,
        training,
        held,
        out,
        facts,
        {name: values[name] for name in _FIT},
        seed,
        report,
        progress,
    )


def finetune(
    preset: str | os.PathLike,
    source: str,
    out: str | os.PathLike,
    *,
    validation: str | None = None,
    text_column: str = "text",
    label_column: str = "label",
    seed: int = 0,
    report: bool = True,
    progress: bool = True,
    **numbers: Any,
) -> Path:
    """Train a preset further and return the folder of the new preset, `out/preset`.

    If the labels of the data are others than the preset's, the network's last layer is replaced, and a warning
    says so. Arguments and errors are those of `train`; `numbers` are arguments of `SentimentClassifier.fit`.
    """
    training, held = _load(source, validation, text_column, label_column, seed)
    task = SentimentClassifier.from_preset(preset)
    facts = {"recipe": "finetune", "recipe_values": {"preset": str(preset), **FINETUNE, **numbers}}
    return _fit(
        task,
        training.texts,
        training.labels,
        training,
        held,
        out,
        facts,
        {**FINETUNE, **numbers},
        seed,
        report,
        progress,
    )


def _load(source, validation, text_column, label_column, seed) -> tuple[TextDataset, TextDataset]:
    """Return training and validation data."""
    if validation is None:
        return data.load_training(source, text_column, label_column, seed=seed)
    where = sources.parse(source, data.CORPORA)
    split = None if where.kind == "path" else "train"
    training = data.load(source, split, text_column, label_column)
    sources.require_classes(training)
    split = None if sources.parse(validation, data.CORPORA).kind == "path" else "validation"
    return training, data.load(validation, split, text_column, label_column)


def _fit(task, texts, targets, training, held, out, facts, numbers, seed, with_report, progress) -> Path:
    """Fit, save the preset, write the report."""
    out = Path(out)
    history = task.fit(
        texts,
        targets,
        validation_data=(held.texts, held.labels),
        seed=seed,
        out=out,
        settings=facts,
        progress=progress,
        **numbers,
    )
    metrics = task.evaluate(held.texts, held.labels)
    seconds = history.rows[-1]["seconds"]
    if with_report:
        reports.write(task, held, out / "report", train=training, history=history.rows)
    return task.save_to_preset(  # at last: a run folder with a preset is a finished run
        out / "preset",
        metadata={
            **facts,
            "data": training.source,
            "seed": seed,
            "splits": {"train": len(texts), "validation": len(held)},
            "validation": metrics,
            "best_epoch": history.best_epoch,
            "seconds": round(seconds, 1),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "versions": backend.versions(),
        },
    )


def _name(recipe: Recipe) -> str:
    """Return the name of a recipe, or `"custom"` where a number of it was changed."""
    return next((name for name, known in RECIPES.items() if known == recipe), "custom")
