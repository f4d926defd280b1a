"""Train a sentiment classifier by a recipe, or a preset further: the last step before the report."""

import os
import platform
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from applications.core import backend, recipes, sources
from applications.core.datasets import TextDataset
from applications.sentiment import data
from applications.sentiment import report as reports
from applications.sentiment.recipes import FINETUNING, RECIPES, Recipe
from applications.sentiment.self_training import Teachers, load_unlabelled, soft_labels
from zoo import presets
from zoo.errors import UserError, check_range
from zoo.preprocessing import TextPreprocessor
from zoo.tasks import Labels, LanguageModel, SentimentClassifier
from zoo.tasks.labels import ClassWeight

# What the treebank's degrees, 0 to 4, are to each corpus: of two labels, a neutral phrase counts for neither.
_PHRASE_LABELS = {
    "sst": Labels(["negative", "positive"], groups=[[0, 1], [3, 4]], class_names=data.DEGREES),
    "sst5": Labels(data.DEGREES),
}

_TEXT = ("vocabulary_size", "model_type", "max_length", "truncation")
_NETWORK = (
    "cell",
    "units",
    "layers",
    "bidirectional",
    "residual",
    "embedding_dim",
    "ngrams",
    "ngram_buckets",
    "ngram_units",
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
_ENCODER = ("cell", "units", "bidirectional", "embedding_dim")  # which a pre-trained encoder settles
_BEFORE = ("recipe", "recipe_values", "data", "seed", "splits", "validation", "seconds", "machine")
_HERE = (
    "phrases",
    "examples",
    "pretrained",
    "unlabelled",
    "unlabelled_sentences",
    "unlabelled_examples",
    "teachers",
)  # what this file does
_FIT = tuple(field.name for field in fields(Recipe) if field.name not in (*_HERE, *_TEXT, *_NETWORK))


def train(
    recipe: Recipe,
    source: str,
    out: str | os.PathLike,
    *,
    validation: str | None = None,
    text_column: str = "text",
    label_column: str = "label",
    label_separator: str | None = None,
    seed: int = 0,
    report: bool = True,
    progress: bool = True,
) -> Path:
    """Train a network from scratch and return the folder of its preset, `out/preset`.

    The validation data choose the best epoch, and then the temperature and the thresholds that the recipe asks for;
    the metrics in `metadata.json` are those of what they chose.

    Args:
        recipe: every number of the training.
        source: the data, as `applications.sentiment.data.load` reads it. A split `test` is never read.
        out: the run folder. A run that was killed goes on when started again with the same arguments.
        validation: a source that chooses the best epoch; by default the split `validation` of `source`, or a
            tenth of it.
        text_column: name of the column of the texts.
        label_column: name of the column of the labels.
        label_separator: what stands between the labels of a text, where it may have any number.
        seed: of everything that is drawn.
        report: whether to write `out/report/`: the validation split's numbers with baselines, and pictures.
        progress: whether to show a line for each epoch on standard error.

    Raises:
        SourceError: the data cannot be read.
        UserError: the recipe does not fit the data; `out` holds another run.
        DivergedError: the loss is no longer finite.
    """
    for name in ("examples", "unlabelled_examples"):
        if getattr(recipe, name) is not None:
            check_range(name, getattr(recipe, name), 1)
    columns = {"text_column": text_column, "label_column": label_column, "label_separator": label_separator}
    training, held = _load(source, validation, columns, seed)
    values = recipes.to_dict(recipe)
    texts, targets, sentences = training.texts, training.labels, training.texts
    labels = Labels(training.label_names, multi_label=training.multi_label)
    if recipe.phrases:
        where = sources.parse(source, data.CORPORA)
        if where.kind not in _PHRASE_LABELS:
            raise UserError(f"recipe: phrases=true reads the treebank, sst:PATH or sst5:PATH, not {source}")
        labels = _PHRASE_LABELS[where.kind]
        phrases = data.load_phrases(where.value)
        texts = phrases.texts
        sentences = [text for text, whole in zip(texts, phrases.sentences, strict=True) if whole]
        targets = (phrases.votes / phrases.votes.sum(axis=1, keepdims=True)).astype("float32")
    if rows := _drawn(len(texts), recipe.examples, seed):
        texts, targets = [texts[row] for row in rows], _rows(targets, rows)
    network, before = {name: values[name] for name in _NETWORK}, None
    if recipe.pretrained:
        encoder = LanguageModel.from_preset(recipe.pretrained)
        before = presets.read(presets.resolve(recipe.pretrained)).metadata
        network |= {name: encoder.network.config[name] for name in _ENCODER}
        values |= network | {"vocabulary_size": encoder.preprocessor.vocabulary_size}
        start = {"encoder": encoder, "max_length": recipe.max_length, "truncation": recipe.truncation}
    else:
        texts_of_pieces = {name: values[name] for name in _TEXT}
        start = {"preprocessor": TextPreprocessor.train(sentences, **texts_of_pieces, seed=seed)}
    task = SentimentClassifier(labels=labels, seed=seed, **start, **network)
    unlabelled = _unlabelled(recipe, text_column, seed)
    if recipe.teachers:
        teachers = Teachers(recipe.teachers, labels, training, held, seed)
        learned = soft_labels(teachers, unlabelled, Path(out) / "soft_labels.npz")
        texts = [*texts, *unlabelled]
        targets, unlabelled = np.concatenate([labels.targets(targets), learned]), []
    facts = {"recipe": _name(recipe), "recipe_values": values}
    if before is not None:
        facts["pretraining"] = {name: before[name] for name in _BEFORE if name in before}
    return _fit(
        task,
        texts,
        targets,
        training,
        held,
        out,
        facts,
        {**{name: values[name] for name in _FIT}, "unlabelled": unlabelled},
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
    label_separator: str | None = None,
    seed: int = 0,
    report: bool = True,
    progress: bool = True,
    **numbers: Any,
) -> Path:
    """Train a preset further and return the folder of the new preset, `out/preset`.

    If the labels of the data are others than the preset's, the network's last layer is replaced, and a warning
    says so. Arguments and errors are those of `train`; `numbers` are fields of
    `applications.sentiment.recipes.Finetuning`.
    """
    values = recipes.to_dict(replace(FINETUNING, **numbers))
    columns = {"text_column": text_column, "label_column": label_column, "label_separator": label_separator}
    training, held = _load(source, validation, columns, seed)
    task = SentimentClassifier.from_preset(preset)
    facts = {"recipe": "finetune", "recipe_values": {"preset": str(preset), **values}}
    return _fit(
        task,
        training.texts,
        training.labels,
        training,
        held,
        out,
        facts,
        values,
        seed,
        report,
        progress,
    )


def _load(source, validation, columns, seed) -> tuple[TextDataset, TextDataset]:
    """Return training and validation data."""
    if validation is None:
        return data.load_training(source, **columns, seed=seed)
    where = sources.parse(source, data.CORPORA)
    split = None if where.kind == "path" else "train"
    training = data.load(source, split, **columns)
    sources.require_classes(training)
    split = None if sources.parse(validation, data.CORPORA).kind == "path" else "validation"
    return training, data.load(validation, split, **columns)


def _fit(task, texts, targets, training, held, out, facts, numbers, seed, with_report, progress) -> Path:
    """Fit, choose temperature and thresholds, save the preset, write the report."""
    out = Path(out)
    numbers = {**numbers, "class_weight": _class_weight(numbers)}
    calibrate, threshold = numbers.pop("calibrate"), numbers.pop("threshold")
    if threshold is not None:  # what cannot be is told before the training
        meaning = task.meaning if task.meaning.covers(training.labels) else Labels.found(training.labels)
        meaning.check_thresholds(threshold)
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
    if calibrate:
        task.calibrate(held.texts, held.labels)
    if threshold is not None:
        task.find_thresholds(held.texts, held.labels, metric=threshold)
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


def _class_weight(numbers) -> ClassWeight:
    """Return the `class_weight` among `numbers` as `fit` takes it: "negative:1,positive:2" is a dictionary."""
    text = numbers.get("class_weight")
    if text is None or text == "balanced":
        return text
    pairs = [item.rpartition(":")[::2] for item in text.split(",")]
    try:
        return {label.strip(): float(weight) for label, weight in pairs}
    except ValueError:
        raise UserError(f"class_weight: found {text!r}; give balanced, or negative:1,positive:2") from None


def _unlabelled(recipe, text_column, seed) -> list[str]:
    """Return the texts without labels that a recipe asks for."""
    if not recipe.unlabelled:
        if recipe.teachers:
            raise UserError("recipe: teachers label unlabelled texts; name some, unlabelled=imdb:PATH")
        return []
    texts = load_unlabelled(recipe.unlabelled, text_column, recipe.unlabelled_sentences)
    rows = _drawn(len(texts), recipe.unlabelled_examples, seed)
    return [texts[row] for row in rows] if rows else texts


def _drawn(count, wanted, seed) -> list[int]:
    """Return `wanted` row numbers of `count`, in their order; none where that is all of them."""
    if wanted is None or wanted >= count:
        return []
    return np.sort(np.random.default_rng(seed).choice(count, wanted, replace=False)).tolist()


def _rows(targets, rows):
    return targets[rows] if isinstance(targets, np.ndarray) else [targets[row] for row in rows]


def _name(recipe: Recipe) -> str:
    """Return the name of a recipe, or `"custom"` where a number of it was changed."""
    return next((name for name, known in RECIPES.items() if known == recipe), "custom")
