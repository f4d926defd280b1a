"""Train a translator by a recipe, or a preset further: the last step before the report."""

import os
import platform
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from applications.core import backend, recipes
from applications.translation import cleaning, data
from applications.translation import report as reports
from applications.translation.data import Pairs
from applications.translation.recipes import FINETUNING, RECIPES, Finetuning, Recipe
from zoo.errors import UserError, check_range
from zoo.preprocessing import TranslationPreprocessor
from zoo.tasks import Translator

_CLEANING = ("max_words", "max_ratio", "duplicates")
_TEXT = ("vocabulary_size", "model_type", "max_length")
_FIT = tuple(field.name for field in fields(Finetuning) if field.name not in _CLEANING)
_NETWORK = tuple(
    field.name for field in fields(Recipe) if field.name not in ("examples", *_CLEANING, *_TEXT, *_FIT)
)


def train(
    recipe: Recipe,
    source: str,
    out: str | os.PathLike,
    *,
    validation: str | None = None,
    source_column: str = "source",
    target_column: str = "target",
    source_language: str | None = None,
    target_language: str | None = None,
    seed: int = 0,
    report: bool = True,
    progress: bool = True,
) -> Path:
    """Train a network from scratch and return the folder of its preset, `out/preset`.

    The validation data choose the best epoch; the metrics in `metadata.json` are those of what they chose.

    Args:
        recipe: every number of the training.
        source: the data, as `applications.translation.data.load` reads it. A split `test` is never read.
        out: the run folder. A run that was killed goes on when started again with the same arguments.
        validation: a source that chooses the best epoch; by default the split `validation` of `source`, or a
            fiftieth of it.
        source_column: name of the column of the sentences.
        target_column: name of the column of their translations.
        source_language: what is translated from, such as `"de"`, where the data do not say or could say both.
        target_language: what is translated into.
        seed: of everything that is drawn.
        report: whether to write `out/report/`: the validation split's numbers, examples and pictures.
        progress: whether to show a line for each epoch on standard error.

    Raises:
        SourceError: the data cannot be read.
        UserError: the recipe does not fit the data; `out` holds another run.
        DivergedError: the loss is no longer finite.
    """
    if recipe.examples is not None:
        check_range("examples", recipe.examples, 1)
    values = recipes.to_dict(recipe)
    columns = _columns(source_column, target_column, source_language, target_language)
    training, held, cleaned = _load(source, validation, columns, values, seed)
    if recipe.examples is not None and recipe.examples < len(training):
        drawn = np.random.default_rng(seed).choice(len(training), recipe.examples, replace=False)
        training = training.take(np.sort(drawn))
    preprocessor = TranslationPreprocessor.train(
        [*training.sources, *training.targets], **{name: values[name] for name in _TEXT}, seed=seed
    )
    task = Translator(
        preprocessor=preprocessor,
        source_language=training.source_language,
        target_language=training.target_language,
        seed=seed,
        **{name: values[name] for name in _NETWORK},
    )
    facts = {"recipe": _name(recipe), "recipe_values": values}
    return _fit(task, training, held, cleaned, out, facts, values, seed, report, progress)


def finetune(
    preset: str | os.PathLike,
    source: str,
    out: str | os.PathLike,
    *,
    validation: str | None = None,
    source_column: str = "source",
    target_column: str = "target",
    source_language: str | None = None,
    target_language: str | None = None,
    seed: int = 0,
    report: bool = True,
    progress: bool = True,
    **numbers: Any,
) -> Path:
    """Train a preset further and return the folder of the new preset, `out/preset`.

    Its subwords and its languages stay what they are. Arguments and errors are those of `train`; `numbers` are fields
    of `applications.translation.recipes.Finetuning`.
    """
    values = recipes.to_dict(replace(FINETUNING, **numbers))
    task = Translator.from_preset(preset)
    columns = _columns(
        source_column,
        target_column,
        source_language or task.source_language,
        target_language or task.target_language,
    )
    training, held, cleaned = _load(source, validation, columns, values, seed)
    facts = {"recipe": "finetune", "recipe_values": {"preset": str(preset), **values}}
    return _fit(task, training, held, cleaned, out, facts, values, seed, report, progress)


def _load(source, validation, columns, values, seed) -> tuple[Pairs, Pairs, cleaning.Report]:
    """Return clean training pairs, what they are chosen by, and what cleaning did."""
    training, held = data.load_training(source, validation=validation, **columns, seed=seed)
    training, cleaned = cleaning.clean(training, **{name: values[name] for name in _CLEANING})
    return training, held, cleaned


def _columns(source_column, target_column, source_language, target_language):
    return {
        "source_column": source_column,
        "target_column": target_column,
        "source_language": source_language,
        "target_language": target_language,
    }


def _fit(task, training, held, cleaned, out, facts, values, seed, with_report, progress) -> Path:
    """Leave out what is too long, fit, save the preset, write the report."""
    out = Path(out)
    training, long = _short(training, task.preprocessor)
    if progress:
        for line in [*cleaned.lines(), *long]:
            print(line, file=sys.stderr, flush=True)
    history = task.fit(
        training.sources,
        training.targets,
        validation_data=(held.sources, held.references),
        tokenize=reports.tokenization(held),
        seed=seed,
        out=out,
        settings=facts,
        progress=progress,
        **{name: values[name] for name in _FIT},
    )
    seconds = history.rows[-1]["seconds"]
    if with_report:
        written = reports.write(task, held, out / "report", train=training, history=history.rows)
    metrics = written["metrics"] if with_report else reports.evaluate(task, held)
    return task.save_to_preset(  # at last: a run folder with a preset is a finished run
        out / "preset",
        metadata={
            **facts,
            "data": training.source,
            "seed": seed,
            "splits": {"train": len(training), "validation": len(held)},
            "validation": metrics,
            "best_epoch": history.best_epoch,
            "seconds": round(seconds, 1),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "versions": backend.versions(),
        },
    )


def _short(training: Pairs, preprocessor: TranslationPreprocessor) -> tuple[Pairs, list[str]]:
    """Return the pairs of which no side has too many ids, and a line that says how many were left out."""
    most = preprocessor.max_length
    lengths = [
        np.array([len(ids) for ids in preprocessor(texts)]) for texts in (training.sources, training.targets)
    ]
    fits = np.maximum(*lengths) <= most
    if not fits.any():
        raise UserError(
            f"{training.source}: every pair has a side of more than max_length={most} ids; raise it"
        )
    count = int(np.sum(~fits))
    return training.take(np.flatnonzero(fits)), [
        f"dropped {count:,}: a side has more than {most} ids"
    ] if count else []


def _name(recipe: Recipe) -> str:
    """Return the name of a recipe, or `"custom"` where a number of it was changed."""
    return next((name for name, known in RECIPES.items() if known == recipe), "custom")
