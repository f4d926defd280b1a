"""Forecasters made and taught by the numbers of a recipe: for a training, and for the baseline DLinear of a report."""

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from applications.forecasting.data import Table
from applications.forecasting.recipes import Finetuning, Recipe

if TYPE_CHECKING:
    from zoo.tasks import Forecaster, Panel
    from zoo.tasks.fitting import History

COVARIATES = ("past", "known", "static")
LEAST_HORIZON = 6

_FIT = tuple(field.name for field in fields(Finetuning) if field.name != "windows")
_OF_TABLE = ("horizon", "period", *COVARIATES, "missing")
_RENAMED = {"segment_stride": "stride"}
_OPTIONS = tuple(
    field.name
    for field in fields(Recipe)
    if field.name not in ("model", *_OF_TABLE, "windows", *_FIT, "dilations", "block_layers")
)


def horizon_of(table: Table, panel: "Panel") -> int:
    """Return how many steps to forecast where a recipe leaves it to the data.

    The longest horizon of the published tables of the data, if there are any; else two seasons, at least
    `LEAST_HORIZON` steps, and never more than a quarter of the longest series.
    """
    if table.horizons:
        return max(table.horizons)
    longest = max(len(values) for values in panel.values)
    return max(min(max(2 * (table.period or panel.period), LEAST_HORIZON), longest // 4), 1)


def build(recipe: Recipe, horizon: int, period: int | None = None) -> "Forecaster":
    """Return a forecaster without a network: its size follows from the data.

    Args:
        recipe: its numbers.
        horizon: the most steps to forecast.
        period: steps in a season, where the recipe does not tell.

    Raises:
        UserError: a number that the model does not have, or out of range.
    """
    from zoo.tasks import Forecaster

    options = {
        _RENAMED.get(name, name): value
        for name in _OPTIONS
        if (value := getattr(recipe, name)) not in (None, "auto")
    }
    if recipe.dilations is not None:
        size = recipe.block_layers
        options["dilations"] = [
            list(recipe.dilations[first : first + size]) for first in range(0, len(recipe.dilations), size)
        ]
    return Forecaster(
        recipe.model,
        horizon=horizon,
        period=period if recipe.period is None else list(recipe.period),
        **{name: list(value) if isinstance(value, tuple) else value for name, value in options.items()},
    )


def fit(
    task: "Forecaster", table: Table, panel: "Panel", numbers: Recipe | Finetuning, **options: Any
) -> "History":
    """Let a forecaster learn from a table.

    Args:
        task: what learns.
        table: what it learns from; its last `steps` values are for choosing, where `numbers` name no others.
        panel: its series.
        numbers: how.
        options: further arguments of `Forecaster.fit`: columns of covariates, seed, run folder, ...

    Raises:
        UserError: as `Forecaster.fit` does.
    """
    values = {name: getattr(numbers, name) for name in _FIT}
    if values["validation_steps"] is None:
        values["validation_steps"] = table.steps
    if numbers.windows is not None and task.model != "smoothing":
        count = sum(max(len(each) - (values["validation_steps"] or task.horizon), 0) for each in panel.values)
        values["stride"] = max(values["stride"], -(-count // numbers.windows))
    return task.fit(table.frame, **table.columns, **values, **options)


def covariates_of(numbers: Recipe | Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the columns of covariates by their role, of a recipe or of what a preprocessor remembers."""
    told = numbers if isinstance(numbers, Mapping) else vars(numbers)
    return {role: list(told[role]) for role in COVARIATES}
