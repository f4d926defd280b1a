"""The numbers of a forecaster beside those of naive forecasts, ETS, Theta and DLinear, step by step, with pictures."""

import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from applications.core import outputs, plots, tables
from applications.core.examples import graded
from applications.forecasting import methods, pictures, reading
from applications.forecasting.baselines import BASELINES
from applications.forecasting.data import Table
from zoo import metrics

if TYPE_CHECKING:
    import pandas as pd

    from zoo.tasks import Panel
    from zoo.tasks.forecasts import Forecasts

LEVELS = (0.8, 0.95)
WINDOWS = 500
"""How many windows the table of methods, the pictures and forecasts.csv are made of, at most."""
ORIGINS = 20
"""How many of these a series has at most where ETS and Theta are fitted before each."""
EXAMPLES = 2  # of each kind that are drawn


_SECTIONS = {  # picture -> title, and what is said of it
    "forecasts": (
        "Forecasts",
        "By the mean absolute error of each window in units of MASE: the best, those in the middle, and the worst. "
        "`forecasts.csv` holds the last window of each series.",
    ),
    "errors": (
        "Errors",
        "The value less its forecast, in units of MASE, by the step of the horizon: the median and the middle 80%, and "
        "the mean absolute error.",
    ),
    "coverage": ("Coverage", "The share of values in their intervals, by the step of the horizon."),
    "reliability": ("Reliability", "The share of values in the interval of each level."),
    "training_curves": (
        "Training",
        "The values that are forecast here chose the epoch and calibrated the intervals: what is measured on them "
        "flatters.",
    ),
}


class Task(Protocol):
    """What is measured: `zoo.tasks.Forecaster` is one."""

    model: str
    horizon: int
    look_back: int
    preprocessor: Any

    def evaluate(self, frame: "pd.DataFrame", **protocol: Any) -> dict[str, float]:
        """Return the metrics of all windows, as `Forecaster.evaluate` does."""

    def arrays(self, panel: "Panel", **protocol: Any) -> "Forecasts":
        """Return windows with their forecasts, as `Forecaster.arrays` does."""


def about(task: Task, table: Table) -> dict[str, Any]:
    """Return what makes the numbers of `evaluate` comparable.

    `forecasts_of` tells which values are forecast, from where; `left_out` how many series know too little before these.
    """
    _, _, panel, protocol, left = _prepared(task, table, None)
    return _about(task, table, panel, protocol, left)


def _about(task, table, panel, protocol, left) -> dict[str, Any]:
    found = {
        "forecasts_of": _words(protocol),
        "unit": "standard deviations of the training part" if table.scaled else "the unit of the series",
        "crps_of": "quantiles at 5%, 10%, ..., 95%"
        if _is_calibrated(task)
        else "the network's own quantiles",
    }
    if not table.scaled:
        found["season"] = table.period or panel.period
    return {**found, "left_out": left} if left else found


def evaluate(
    task: Task, table: Table, *, horizon: int | None = None, levels: Sequence[float] = LEVELS
) -> dict[str, float]:
    """Return the metrics of the forecasts of a table's last values, by the protocol that it tells.

    Args:
        task: what is measured.
        table: what it is measured on. Series that know too little before these values are left out.
        horizon: steps of each forecast; None: those of the published tables of the data, as far as the task reaches,
            else all that it was trained for, but not more than the table holds back.
        levels: shares of the values that intervals are to hold.

    Returns:
        `mse`, `mae`, `smape`, `mase`, `owa`, `crps`, `coverage_80`, `width_80`, ..., as `zoo.tasks.Forecaster.evaluate`
        has them; for several horizons their means, and `mse_96`, ... beside them. What the data do not define is
        left out.

    Raises:
        UserError: the table does not fit the task.
    """
    reader, frame, _, protocol, _ = _prepared(task, table, horizon)
    return _measured(reader, frame, table, protocol, levels)


def _measured(task, frame, table, protocol, levels) -> dict[str, float]:
    found = task.evaluate(frame, **protocol, levels=levels, scaled=table.scaled, period=table.period)
    return {name: float(value) for name, value in found.items() if math.isfinite(value)}


def write(
    task: Task,
    table: Table,
    folder: str | Path,
    *,
    history: Sequence[Mapping[str, Any]] | None = None,
    horizon: int | None = None,
    levels: Sequence[float] = LEVELS,
    baselines: bool = False,
) -> dict[str, Any]:
    """Write a report into `folder`: report.md, report.json, forecasts.csv and pictures, all or nothing.

    Args:
        task: what is measured.
        table: what it is measured on.
        folder: made if it is missing; files of an earlier report there are replaced.
        history: a row an epoch (see `applications.core.plots.training_curves`), for the training curves.
        horizon: as in `evaluate`.
        levels: the same.
        baselines: whether ETS, Theta and DLinear are fitted too, which takes its time; DLinear learns from what lies
            before the values that are forecast, the others from what lies before each forecast.

    Returns:
        What report.json holds: data, split, count (of series), what `about` returns, `metrics` (those of `evaluate`);
        and of `windows`, a sample evenly spread over all: `models` (a row for each method: the same metrics), `by_step`
        (a row for each step: count, mean absolute and mean error in units of MASE, coverage), `reliability` (a row for
        each level: the share that its interval holds), `examples` (good, middling and bad ones by their MASE).

    Raises:
        UserError: as `evaluate` does.
    """
    reader, frame, panel, protocol, left = _prepared(task, table, horizon)
    found = _measured(reader, frame, table, protocol, levels)
    sample = _sample(reader, panel, table, protocol, levels, ORIGINS if baselines else WINDOWS)
    said = {type(task).__name__: methods.of_network(sample, levels, _is_calibrated(task))}
    fitted = [name for name in BASELINES if baselines or name in methods.NAIVE]
    said |= {name: methods.of_baseline(name, sample, levels) for name in fitted}
    if baselines:
        said["DLinear"] = methods.of_linear(task, sample, levels)
    own = next(iter(said.values()))
    sizes = sample.sizes()
    report = {
        "data": table.source,
        "split": table.split,
        "count": len(panel),
        **_about(task, table, panel, protocol, left),
        "metrics": found,
        "windows": len(sample.windows.series),
        "models": _models(sample, said, levels),
        "by_step": _by_step(sample, own, levels, sizes),
        "reliability": _reliability(sample, own),
        "examples": _examples(sample, sizes),
    }
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".report.") as temporary:
        made = Path(temporary)
        if report["examples"]:
            shown = [_shown(sample, one, levels) for one in report["examples"]]
            pictures.forecasts(shown, made / "forecasts.png")
            pictures.errors(report["by_step"], made / "errors.png")
        if levels:
            pictures.coverage(report["by_step"], levels, made / "coverage.png")
        if report["reliability"]:
            pictures.reliability(report["reliability"], made / "reliability.png")
        if history:
            plots.training_curves(history, made / "training_curves.png")
        _last_forecasts(sample, levels).to_csv(made / "forecasts.csv", index=False, lineterminator="\n")
        _write(made / "report.json", outputs.to_json(report))
        _write(made / "report.md", _page(type(task).__name__, report, made, protocol))
        folder.mkdir(exist_ok=True)
        for path in made.iterdir():
            path.replace(folder / path.name)
    return report


# --- what is measured ----------------------------------------------------------------------------------------


def _prepared(
    task: Task, table: Table, horizon: int | None
) -> tuple[Task, "pd.DataFrame", "Panel", dict[str, Any], int]:
    """Return the task as a reader of the table, the table, its series, the protocol, how many series are left out."""
    reader, panel = reading.reader_of(task, table.frame, table.columns, table.source)
    protocol = _protocol(task, table, horizon)
    frame, kept = reading.long_enough(table.frame, panel, protocol["steps"], task.look_back, table.source)
    return reader, frame, kept, protocol, len(panel) - len(kept)


def _protocol(task: Task, table: Table, horizon: int | None) -> dict[str, Any]:
    """Return which values are forecast from where, as `Forecaster.evaluate` takes it."""
    most = min(task.horizon, table.steps or task.horizon)
    horizons = [each for each in table.horizons or () if each <= most] if horizon is None else []
    asked = {"horizons": horizons} if horizons else {"horizon": most if horizon is None else horizon}
    return {**asked, "steps": table.steps or asked["horizon"], "stride": table.stride}


def _horizons(protocol: Mapping[str, Any]) -> list[int]:
    return protocol["horizons"] if "horizons" in protocol else [protocol["horizon"]]


def _words(protocol: Mapping[str, Any]) -> str:
    """Return a protocol in words."""
    horizons = ", ".join(map(str, _horizons(protocol)))
    steps, stride = protocol["steps"], protocol["stride"]
    if [steps] == _horizons(protocol):
        return f"the last {steps} steps of each series, from one origin"
    origins = "every origin" if stride == 1 else f"origins {stride} steps apart"
    return f"the last {steps} steps of each series, from {origins}, {horizons} steps ahead"


def _is_calibrated(task: Task) -> bool:
    return task.preprocessor.calibration is not None


def _sample(
    task: Task,
    panel: "Panel",
    table: Table,
    protocol: Mapping[str, Any],
    levels: Sequence[float],
    each: int = WINDOWS,
) -> methods.Sample:
    """Return about `WINDOWS` windows of the longest horizon, evenly spread over series and time, `each` of a series."""
    most, steps, stride = max(_horizons(protocol)), protocol["steps"], protocol["stride"]
    if len(panel) > WINDOWS:
        places = np.linspace(0, len(panel) - 1, WINDOWS).round().astype(int)
        panel = panel.select([panel.names[place] for place in places])
    each = max(min(each, WINDOWS // len(panel)), 1)
    stride *= -(-len(range(0, steps - most + 1, stride)) // each)
    calibrated = _is_calibrated(task)
    first = np.array([len(values) - steps for values in panel.values])
    windows = task.arrays(
        panel,
        horizon=most,
        steps=steps,
        stride=stride,
        levels=sorted({*levels, *(methods.TENTHS if calibrated and levels else ())}),
        probabilities=methods.PROBABILITIES if calibrated else (),
    )
    rescale = None
    if table.scaled:
        made = task.preprocessor
        histories = [values[:end] for values, end in zip(panel.values, first, strict=True)]
        scales = made.scales_of(panel.names, histories)

        def rescale(series, values):
            return made.scaled(panel.names[series], values, scales[series])

    return methods.Sample(panel, windows, first, table.period or panel.period, steps, stride, rescale)


# --- numbers -------------------------------------------------------------------------------------------------


def _models(
    sample: methods.Sample, said: Mapping[str, methods.Said], levels: Sequence[float]
) -> list[dict[str, Any]]:
    """Return a row of metrics for each method; `owa` is relative to Naive 2."""
    rows = {name: _row(sample, one, levels) for name, one in said.items()}
    base = rows["Naive 2"]
    for row in rows.values():
        if "owa" in row:
            row["owa"] = metrics.owa(row["smape"], row["mase"], base["smape"], base["mase"])
    return [{"model": name, **row} for name, row in rows.items()]


def _row(sample: methods.Sample, one: methods.Said, levels: Sequence[float]) -> dict[str, Any]:
    """Return the metrics of a method; its `owa` is not known yet."""
    actual, point = sample.scaled(sample.windows.actual), sample.scaled(one.point)
    row: dict[str, Any] = {"mse": metrics.mse(actual, point), "mae": metrics.mae(actual, point)}
    if sample.rescale is None:
        before = [sample.panel.values[series][: sample.first[series]] for series in sample.windows.series]
        row["smape"] = metrics.smape(actual, point)
        row["mase"] = metrics.mase(actual, point, before, sample.period)
        row["owa"] = math.nan
    if one.quantiles is not None:
        row["crps"] = _crps(actual, sample.scaled(one.quantiles))
    for level in (level for level in levels if level in one.intervals):
        low, high = map(sample.scaled, one.intervals[level])
        row[f"coverage_{100 * level:g}"] = metrics.coverage(actual, low, high)
        row[f"width_{100 * level:g}"] = metrics.interval_width(low, high)
    if one.note:
        row["note"] = one.note
    return row


def _crps(actual: np.ndarray, quantiles: np.ndarray) -> float:
    """Return the mean CRPS over the quantiles at 5%, 10%, ..., 95% (Gneiting & Ranjan, 2011, equation 2)."""
    import scoringrules

    seen = ~np.isnan(actual)
    found = scoringrules.crps_quantile(
        np.asarray(actual[seen], "float64"),
        np.asarray(quantiles[seen], "float64"),
        np.array(methods.PROBABILITIES),
        backend="numpy",
    )
    return float(np.mean(found))


def _by_step(
    sample: methods.Sample, own: methods.Said, levels: Sequence[float], sizes: np.ndarray
) -> list[dict[str, Any]]:
    """Return a row for each step of the horizon; errors are in units of MASE."""
    actual = sample.windows.actual
    error = (actual - own.point) / sizes
    rows = []
    for step in range(actual.shape[1]):
        seen = ~np.isnan(actual[:, step])
        known = error[:, step][~np.isnan(error[:, step])]
        row: dict[str, Any] = {"step": step + 1, "count": int(seen.sum())}
        if len(known):
            low, middle, high = np.quantile(known, (0.1, 0.5, 0.9))
            row |= {
                "mae": float(np.abs(known).mean()),
                "mean": float(known.mean()),
                "low": float(low),
                "median": float(middle),
                "high": float(high),
            }
        if seen.any():
            for level in levels:
                low, high = (bound[seen, step] for bound in own.intervals[level])
                row[f"coverage_{100 * level:g}"] = metrics.coverage(actual[seen, step], low, high)
        rows.append(row)
    return rows


def _reliability(sample: methods.Sample, own: methods.Said) -> list[dict[str, float]]:
    """Return for each level, rising, the share of values that its interval holds."""
    actual = sample.windows.actual
    return [
        {"level": level, "coverage": metrics.coverage(actual, *own.intervals[level])}
        for level in sorted(own.intervals)
    ]


def _examples(sample: methods.Sample, sizes: np.ndarray) -> list[dict[str, Any]]:
    """Return good, middling and bad windows by their mean absolute error in units of MASE, the best first."""
    error = np.abs(sample.windows.actual - sample.windows.forecast) / sizes
    seen = ~np.isnan(error)
    means = np.where(seen, error, 0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    order = [row for row in np.argsort(means, kind="stable") if seen[row].any()]
    return [
        {
            "kind": kind,
            "window": int(row),
            "series": sample.panel.names[sample.windows.series[row]],
            "cutoff": str(_times(sample, row)[sample.windows.cutoffs[row] - 1]),
            "mase": float(means[row]),
        }
        for kind, row in graded(order, EXAMPLES)
    ]


# --- what is written -----------------------------------------------------------------------------------------


def _times(sample: methods.Sample, row: int) -> "pd.Index":
    return sample.panel.times[sample.windows.series[row]]


def _shown(sample: methods.Sample, example: Mapping[str, Any], levels: Sequence[float]) -> pictures.Shown:
    """Return what a picture shows of a window: its forecast and twice as much before it."""
    row, windows = example["window"], sample.windows
    cut, horizon = windows.cutoffs[row], windows.forecast.shape[1]
    begin, times = max(cut - 2 * horizon, 0), _times(sample, row)
    return pictures.Shown(
        title=f"{example['kind']}: {example['series']}, MASE {example['mase']:.2f}",
        past_times=times[begin:cut],
        past=sample.before(row)[begin:],
        times=times[cut : cut + horizon],
        forecast=windows.forecast[row],
        intervals={level: tuple(bound[row] for bound in windows.intervals[level]) for level in levels},
        actual=windows.actual[row],
    )


def _last_forecasts(sample: methods.Sample, levels: Sequence[float]) -> "pd.DataFrame":
    """Return the last window of each series as a table: series, cutoff, step, time, actual, forecast, bounds."""
    import pandas as pd

    from zoo.tasks.panel import answer_columns

    windows, horizon = sample.windows, sample.windows.forecast.shape[1]
    frames = []
    for series, rows in windows.of_series():
        row = rows[np.argmax(windows.cutoffs[rows])]
        cut, times = windows.cutoffs[row], _times(sample, row)
        bounds = [bound[row] for level in levels for bound in windows.intervals[level]]
        numbers = dict(zip(answer_columns(levels), [windows.forecast[row], *bounds], strict=True))
        frames.append(
            pd.DataFrame(
                {
                    "series": sample.panel.names[series],
                    "cutoff": times[cut - 1],
                    "step": np.arange(1, horizon + 1),
                    "time": times[cut : cut + horizon],
                    "actual": windows.actual[row],
                    **numbers,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def _page(model: str, report: Mapping[str, Any], made: Path, protocol: Mapping[str, Any]) -> str:
    """Return the report as Markdown."""
    split = f", split `{report['split']}`" if report["split"] else ""
    left = f"; {report['left_out']:,} more are too short and left out" if "left_out" in report else ""
    season = f"; a season has {report['season']} steps" if "season" in report else ""
    parts = [
        f"# {model} on `{report['data']}`{split}",
        f"{report['count']:,} series{left}: {report['forecasts_of']}. Errors and widths are in {report['unit']}"
        f"{season}. CRPS is taken over {report['crps_of']}.",
        _numbers(report["metrics"], _horizons(protocol)),
        f"## Beside other methods\n\nWindows of {max(_horizons(protocol))} steps: {report['windows']:,}, evenly "
        "spread over all, the same for each method. CRPS is over quantiles at 5%, 10%, ..., 95% (scoringrules).",
        tables.markdown(report["models"]),
    ]
    for picture, (title, text) in _SECTIONS.items():
        if (made / f"{picture}.png").exists():
            parts.append(f"## {title}\n\n{text}\n\n![{title.lower()}]({picture}.png)")
    return "\n\n".join(part.rstrip("\n") for part in parts if part) + "\n"


def _numbers(found: Mapping[str, float], horizons: Sequence[int]) -> str:
    """Return the table of the metrics, a row for each of several horizons and one for their means."""
    if len(horizons) == 1:
        return tables.markdown([{"metric": name, "value": value} for name, value in found.items()])
    names = [name for name in found if f"{name}_{horizons[0]}" in found]
    rows = [
        {
            "horizon": str(each),
            **{name: found[f"{name}_{each}"] for name in names if f"{name}_{each}" in found},
        }
        for each in horizons
    ]
    return tables.markdown([*rows, {"horizon": "mean", **{name: found[name] for name in names}}])


def _write(path: Path, text: str) -> None:
    """Write in UTF-8; a lone surrogate, which UTF-8 has no form for, is written as its escape."""
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
