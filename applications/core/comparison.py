"""Finished runs side by side: what differs in their recipes, and what the validation data say of each."""

import json
import math
import statistics
from collections.abc import Sequence
from typing import Any

from applications.core import tables
from zoo import presets
from zoo.errors import UserError


def compare(runs: Sequence[str]) -> list[dict[str, Any]]:
    """Return a row for each recipe among finished runs; runs that differ in their seed alone share a row.

    Args:
        runs: run folders, or presets.

    Returns:
        In the order of the runs: `runs`, their names; `seeds`; the settings that are not the same in all runs;
        for each validation metric that all runs have its mean, and for several seeds `<metric>_sd`, the sample
        standard deviation; `seconds`, the mean wall time.

    Raises:
        UserError: fewer than two runs, or one that says nothing of its training.
    """
    if len(runs) < 2:
        raise UserError("compare: give two runs or more")
    told = [_told(run) for run in runs]
    names = list(dict.fromkeys(name for one in told for name in one["settings"]))
    differing = [name for name in names if len({json.dumps(one["settings"].get(name)) for one in told}) > 1]
    metrics = [name for name in told[0]["validation"] if all(name in one["validation"] for one in told)]
    groups: dict[str, list[dict[str, Any]]] = {}
    for one in told:
        groups.setdefault(json.dumps(one["settings"], sort_keys=True), []).append(one)
    return [_row(group, differing, metrics) for group in groups.values()]


def to_lines(rows: Sequence[dict[str, Any]]) -> str:
    """Return the rows as a table with tabs between, its first line the names of the columns."""
    columns = tables.columns_of(rows)
    lines = [columns, *([_plain(row.get(name)) for name in columns] for row in rows)]
    return "".join("\t".join(line) + "\n" for line in lines)


def _told(run: str) -> dict[str, Any]:
    """Return name, seed, settings, validation metrics and seconds of a run."""
    metadata = presets.read(presets.resolve(run)).metadata
    try:
        settings = {"data": metadata["data"], **metadata["recipe_values"]}
        return {
            "run": str(run),
            "seed": metadata["seed"],
            "settings": settings,
            "validation": metadata["validation"],
            "seconds": metadata["seconds"],
        }
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{run}: its metadata.json does not say how it was trained ({error}): give runs of `zoo train`"
        ) from error


def _row(group: Sequence[dict[str, Any]], differing: Sequence[str], metrics: Sequence[str]) -> dict[str, Any]:
    row = {"runs": [one["run"] for one in group], "seeds": [one["seed"] for one in group]}
    row |= {name: group[0]["settings"].get(name) for name in differing}
    for name in metrics:
        values = [one["validation"][name] for one in group]
        row[name] = statistics.fmean(values)
        if len(values) > 1:
            row[f"{name}_sd"] = statistics.stdev(values)
    return {**row, "seconds": round(statistics.fmean(one["seconds"] for one in group), 1)}


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(_plain, value))
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.6g}"
    return "" if value is None else str(value)
