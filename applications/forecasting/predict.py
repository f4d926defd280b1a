"""The answers of `zoo predict` for this application: a table of forecasts, how it is read, written and drawn."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from applications.core import backend, outputs
from applications.core.answers import Format
from applications.forecasting import pictures, reader, reading
from zoo.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from zoo.tasks import Forecaster, Panel

PICTURES = pictures.SUFFIXES


@dataclass(frozen=True, eq=False)
class Series:
    """What is to be forecast, as it stands in a file.

    Attributes:
        path: the file.
        frame: its table.
        columns: which columns were named: `time`, `value`, `series`; None: not named.
        frequency: pandas' name of the step, or None.
    """

    path: Path
    frame: "pd.DataFrame"
    columns: dict[str, str | None]
    frequency: str | None = None


@dataclass(frozen=True, eq=False)
class Answer:
    """Forecasts of series.

    Attributes:
        panel: the series.
        frame: their forecasts, in the layout of their own table.
        levels: of the intervals.
    """

    panel: "Panel"
    frame: "pd.DataFrame"
    levels: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.panel)

    def arrays(self) -> np.ndarray:
        """Return the forecast and the bounds of each series, (series, horizon, columns)."""
        width = 1 + 2 * len(self.levels)
        if self.panel.layout.kind == "long":
            return self.frame.iloc[:, -width:].to_numpy("float64").reshape(len(self), -1, width)
        numbers = self.frame.iloc[:, -width * len(self) :].to_numpy("float64")
        return numbers.reshape(-1, len(self), width).swapaxes(0, 1)


def read(path: Path, preset: Mapping[str, Any], **columns: str | None) -> Series:
    """Return the table of a file, before the task is loaded.

    Args:
        path: CSV, TSV or JSONL, see `reader.read_file`.
        preset: what the preset says of its preprocessing.
        columns: `time`, `value`, `series` and `frequency`, where they were named.

    Raises:
        SourceError: what is wrong with the file.
    """
    with backend.starting():  # Keras comes with the tasks
        from zoo.tasks.panel import SERIES_NAMES
    frequency = columns.pop("frequency")
    named = columns["series"] or preset.get("columns", {}).get("series")
    frame = reader.read_file(path, SERIES_NAMES if named is None else (*SERIES_NAMES, named))
    return Series(path, frame, columns, frequency)


def answer(
    task: "Forecaster",
    series: Series,
    *,
    horizon: int | None = None,
    levels: Sequence[float] = (0.8, 0.95),
    seed: int = 0,
) -> Answer:
    """Return forecasts of all series of a table.

    Args:
        task: what forecasts.
        series: the table.
        horizon: steps; None: all that were trained.
        levels: shares of values that the intervals are to hold.
        seed: of paths that are drawn.

    Raises:
        UserError: the table is not taken, or the task cannot answer.
    """
    from zoo.tasks.calendar import alike

    where, learned = str(series.path), task.preprocessor.frequency
    if series.frequency is not None and not alike(series.frequency, learned):
        raise UserError(
            f"--frequency: got {series.frequency!r}, and the preset has learned from {learned or 'plain numbers'}: "
            "leave it out, or train on data of this frequency"
        )
    told, panel = reading.reader_of(task, series.frame, series.columns, where)
    frame = told.forecast(horizon, levels, frame=series.frame, seed=seed)
    return Answer(panel, frame, tuple(levels))


def draw(task: "Forecaster", block: Sequence[Answer], count: int, path: Path) -> None:
    """Draw the forecasts of the first series, behind what is known of each: twice the horizon."""
    from zoo.tasks.calendar import continue_times

    [found] = block
    panel, arrays = found.panel, found.arrays()
    horizon = arrays.shape[1]
    shown = [
        pictures.Shown(
            title=name,
            past_times=times[-2 * horizon :],
            past=values[-2 * horizon :],
            times=continue_times(times, panel.frequency, horizon),
            forecast=numbers[:, 0],
            intervals={
                level: (numbers[:, 1 + 2 * place], numbers[:, 2 + 2 * place])
                for place, level in enumerate(found.levels)
            },
        )
        for name, times, values, numbers in zip(
            panel.names[: pictures.SERIES], panel.times, panel.values, arrays, strict=False
        )
    ]
    pictures.forecasts(shown, path, more=count - len(shown))


def _separated(mark: str) -> Callable[[Answer], str]:
    return lambda found: found.frame.to_csv(sep=mark, index=False, float_format="%.8g", lineterminator="\n")


def _rows(found: Answer) -> list[dict[str, Any]]:
    """Return an object for each row; times as text, ISO 8601."""

    def plain(value: Any) -> Any:
        if isinstance(value, np.generic):
            return value.item()
        return value.isoformat() if hasattr(value, "isoformat") else value

    names = list(map(str, found.frame.columns))
    return [dict(zip(names, map(plain, row), strict=True)) for row in found.frame.itertuples(index=False)]


def _lines(found: Answer) -> str:
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in _rows(found))


def _format(text: Callable[[Answer], str]) -> Format:
    return Format(lambda answers, first: "".join(map(text, answers)))


FORMATS = {
    ".csv": _format(_separated(",")),
    ".tsv": _format(_separated("\t")),
    ".jsonl": _format(_lines),
    ".json": _format(lambda found: outputs.to_json(_rows(found))),
}
