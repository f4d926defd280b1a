"""A table before a forecaster that may have learned from another one: which columns are read, which series are left."""

from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from zoo.tasks import Forecaster, Panel

ROLES = ("time", "value", "series")


def columns_of(task: "Forecaster", frame: "pd.DataFrame", given: Mapping[str, Any]) -> dict[str, Any]:
    """Return how `zoo.tasks.read_frame` is to read a table: by what is given.

    What is not given is as the forecaster has learned it, if the table has such a column; else it is found by its name.
    """
    from zoo.tasks.panel import columns_in

    found = columns_in(frame, task.preprocessor.columns)
    return {role: found[role] if given.get(role) is None else given[role] for role in ROLES}


def reader_of(
    task: "Forecaster", frame: "pd.DataFrame", given: Mapping[str, Any], where: str
) -> tuple["Forecaster", "Panel"]:
    """Return the forecaster as one that reads this table, and the series that it finds there.

    Args:
        task: it stays as it is; the network is shared.
        frame: the table.
        given: the columns that were named: `time`, `value`, `series`.
        where: what messages begin with.

    Raises:
        UserError: the table is not taken.
    """
    from zoo.tasks.panel import read_alike

    told = {**task.preprocessor.columns, **columns_of(task, frame, given)}
    other, other.preprocessor = copy(task), copy(task.preprocessor)
    other.preprocessor.columns = told
    return other, read_alike(frame, task.preprocessor.frequency, **told, where=where)


def long_enough(
    frame: "pd.DataFrame", panel: "Panel", steps: int, look_back: int, where: str
) -> tuple["pd.DataFrame", "Panel"]:
    """Return the table and its series without those that know too little before their last `steps` values.

    Raises:
        UserError: none is left.
    """
    from zoo.tasks.windows import LEAST

    known = [values[: max(len(values) - steps, 0)][-look_back:] for values in panel.values]
    left = [np.isfinite(values).sum() >= LEAST for values in known]
    if all(left):
        return frame, panel
    if not any(left):
        raise UserError(
            f"{where}: no series has {steps + LEAST} values, so many as a forecast of the last {steps} asks for: give "
            "longer ones, or fewer steps"
        )
    short = [label for label, enough in zip(panel.labels, left, strict=True) if not enough]
    names = [name for name, enough in zip(panel.names, left, strict=True) if enough]
    if panel.layout.kind == "wide":
        return frame.drop(columns=short), panel.select(names)
    return frame[~frame[panel.layout.series].isin(short)], panel.select(names)
