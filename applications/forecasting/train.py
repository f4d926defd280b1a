"""Train a forecaster by a recipe, or a preset further: the last step before the report."""

import os
import platform
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from applications.core import backend, recipes
from applications.forecasting import building, data, reading
from applications.forecasting import report as reports
from applications.forecasting.data import Table
from applications.forecasting.recipes import FINETUNING, RECIPES, Finetuning, Recipe
from zoo.errors import check_range
from zoo.tasks import Forecaster, Panel, read_frame
from zoo.tasks.panel import read_alike


def train(
    recipe: Recipe,
    source: str,
    out: str | os.PathLike,
    *,
    validation: str | None = None,
    time: str | None = None,
    value: str | None = None,
    series: str | None = None,
    frequency: str | None = None,
    seed: int = 0,
    report: bool = True,
    progress: bool = True,
) -> Path:
    """Train a network from scratch and return the folder of its preset, `out/preset`.

    The last values of each series choose the best epoch and calibrate the intervals; the metrics in `metadata.json` are
    those on these values.

    Args:
        recipe: every number of the training.
        source: the data, as `applications.forecasting.data.load` reads it. A split `test` is never read.
        out: the run folder. A run that was killed goes on when started again with the same arguments.
        validation: refused: see `applications.forecasting.data.load_training`.
        time: column of the times; found by name where it is not given, as are the next two.
        value: column of the values.
        series: column of the series' names.
        frequency: pandas' name of the step; found by the times where it is not given.
        seed: of everything that is drawn.
        report: whether to write `out/report/`: the numbers on the last values, naive forecasts beside them, pictures.
        progress: whether to show a line for each epoch on standard error.

    Raises:
        SourceError: the data cannot be read.
        UserError: the recipe does not fit the data; `out` holds another run.
        DivergedError: the loss is no longer finite.
    """
    for name in ("horizon", "windows"):
        if getattr(recipe, name) is not None:
            check_range(name, getattr(recipe, name), 1)
    columns = {"time": time, "value": value, "series": series, "frequency": frequency}
    covariates = building.covariates_of(recipe)
    _, table = data.load_training(source, validation=validation, **columns, **covariates)
    panel = read_frame(table.frame, **table.columns, **covariates, where=table.source)
    horizon = recipe.horizon or building.horizon_of(table, panel)
    task = building.build(recipe, horizon, table.period)
    facts = {"recipe": _name(recipe), "recipe_values": recipes.to_dict(recipe)}
    learned = {**covariates, "missing": recipe.missing}
    return _fit(task, table, panel, recipe, out, facts, learned, seed, report, progress)


def finetune(
    preset: str | os.PathLike,
    source: str,
    out: str | os.PathLike,
    *,
    validation: str | None = None,
    time: str | None = None,
    value: str | None = None,
    series: str | None = None,
    frequency: str | None = None,
    seed: int = 0,
    report: bool = True,
    progress: bool = True,
    **numbers: Any,
) -> Path:
    """Train a preset further and return the folder of the new preset, `out/preset`.

    Its horizon, its covariates and its frequency stay what they are; series that it knows keep their scales, new ones
    get their own. Arguments and errors are those of `train`; `numbers` are fields of
    `applications.forecasting.recipes.Finetuning`.
    """
    chosen = replace(FINETUNING, **numbers)
    task = Forecaster.from_preset(preset)
    kept = task.preprocessor.columns
    learned = {**building.covariates_of(kept), "missing": kept["missing"]}
    columns = {"time": time, "value": value, "series": series}
    _, table = data.load_training(
        source,
        validation=validation,
        **columns,
        frequency=frequency or task.preprocessor.frequency,
        **building.covariates_of(kept),
    )
    columns = reading.columns_of(task, table.frame, {**table.columns, **_given(columns)})
    table = replace(table, columns={**table.columns, **columns})
    panel = read_alike(table.frame, **table.columns, **learned, where=table.source)
    if panel.frequency is not None:
        table = replace(table, columns={**table.columns, "frequency": panel.frequency})
    facts = {
        "recipe": "finetune",
        "recipe_values": {"preset": str(preset), **recipes.to_dict(chosen)},
    }
    return _fit(task, table, panel, chosen, out, facts, learned, seed, report, progress)


def _given(columns: Mapping[str, str | None]) -> dict[str, str]:
    return {role: name for role, name in columns.items() if name is not None}


def _fit(
    task: Forecaster,
    table: Table,
    panel: Panel,
    numbers: Recipe | Finetuning,
    out: str | os.PathLike,
    facts: dict[str, Any],
    learned: dict[str, Any],
    seed: int,
    with_report: bool,
    progress: bool,
) -> Path:
    """Fit, save the preset, write the report."""
    out = Path(out)
    history = building.fit(
        task, table, panel, numbers, **learned, seed=seed, out=out, settings=facts, progress=progress
    )
    seconds = history.rows[-1]["seconds"]
    held = replace(
        table,
        steps=numbers.validation_steps or table.steps,
        stride=numbers.validation_stride or table.stride,
    )
    levels = reports.LEVELS if task.preprocessor.calibration is not None else ()
    if with_report:
        written = reports.write(task, held, out / "report", history=history.rows, levels=levels)
    metrics = written["metrics"] if with_report else reports.evaluate(task, held, levels=levels)
    return task.save_to_preset(  # at last: a run folder with a preset is a finished run
        out / "preset",
        metadata={
            **facts,
            "data": table.source,
            "seed": seed,
            "splits": {"series": len(panel), "values": _observed(panel)},
            "validation": metrics,
            "best_epoch": history.best_epoch,
            "seconds": round(seconds, 1),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "versions": backend.versions(),
        },
    )


def _observed(panel: Panel) -> int:
    return int(sum(np.isfinite(values).sum() for values in panel.values))


def _name(recipe: Recipe) -> str:
    """Return the name of a recipe, or `"custom"` where a number of it was changed."""
    return next((name for name, known in RECIPES.items() if known == recipe), "custom")
