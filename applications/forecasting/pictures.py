"""Pictures of forecasts: bands over what came, errors and coverage by the step, intervals that hold what they say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from applications.core.lettering import cut, fonts
from applications.core.plots import COLOURS, FAINT, INK, frame, new_figure, save

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

SUFFIXES = (".png", ".svg", ".pdf")
"""What a picture can be written as."""

SERIES = 6
"""Series that one picture holds."""

_ORANGE, _BLUE = COLOURS[:2]


@dataclass(frozen=True)
class Shown:
    """A forecast of one series, and what lies before it.

    Attributes:
        title: of its panel.
        past_times: (time,) dates or numbers.
        past: (time,) values, NaN where they are missing.
        times: (horizon,) that follow.
        forecast: (horizon,).
        intervals: level -> lower and upper bounds, (horizon,) each.
        actual: (horizon,) what came; None: it has not come yet.
    """

    title: str
    past_times: "pd.Index"
    past: np.ndarray
    times: "pd.Index"
    forecast: np.ndarray
    intervals: Mapping[float, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    actual: np.ndarray | None = None


def forecasts(shown: Sequence[Shown], path: str | Path, more: int = 0) -> Path:
    """Draw each forecast as a line in a panel, its intervals as bands, and what is known of the series.

    Args:
        shown: at most `SERIES` are drawn.
        path: the picture; its suffix settles the format, and a file of that name is replaced.
        more: how many series there are beside these; it is written below.

    Returns:
        `path`.

    Raises:
        UserError: another suffix.
    """
    drawn = shown[:SERIES]
    more += len(shown) - len(drawn)
    columns = 1 if len(drawn) == 1 else 2
    lines = -(-len(drawn) // columns)
    figure = new_figure(8.0 if columns == 1 else 10.5, 2.5 * lines + 0.8)
    grid = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes, one in zip(grid, drawn, strict=False):
        _draw(axes, one)
    for axes in grid[len(drawn) :]:
        axes.set_axis_off()
    handles, labels = grid[0].get_legend_handles_labels()
    style = {"frameon": False, "fontsize": 8.5, "labelcolor": INK, "ncols": len(labels)}
    figure.legend(handles, labels, loc="outside upper right", **style)
    if more:
        figure.supxlabel(f"and {more:,} more series", fontsize=9, color=FAINT)
    return save(figure, path)


def _draw(axes: "Axes", one: Shown) -> None:
    """Draw a panel."""
    before, after = (_places(times) for times in (one.past_times, one.times))
    for number, (level, (low, high)) in enumerate(sorted(one.intervals.items(), reverse=True)):
        colour = {"color": _ORANGE, "alpha": 0.16 + 0.1 * number, "linewidth": 0}
        axes.fill_between(after, low, high, label=f"{100 * level:g}%", **colour)
    known, places = one.past, before
    if one.actual is not None:
        known = np.concatenate([one.past, one.actual])
        places = np.concatenate([before, after])
    dot = {"marker": "o", "markersize": 3} if len(one.past) + len(one.forecast) <= 40 else {}
    axes.plot(places, known, color=INK, linewidth=1.1, label="series", **dot)
    axes.plot(after, one.forecast, color=_ORANGE, linewidth=1.6, label="forecast", **dot)
    axes.set_title(cut(one.title, 60), fontsize=9.5, color=INK, loc="left", parse_math=False, family=fonts())
    axes.margins(x=0.01)
    frame(axes, size=8, grid="y")
    if before.dtype.kind == "M":
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        locator = AutoDateLocator(minticks=3, maxticks=7)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def _places(times: "pd.Index") -> np.ndarray:
    """Return where times stand on an axis; those of a zone by its clock."""
    return (times.tz_localize(None) if getattr(times, "tz", None) is not None else times).to_numpy()


def errors(rows: Sequence[Mapping[str, Any]], path: str | Path) -> Path:
    """Draw how errors grow with the step: the median and the middle 80% of them, and the mean absolute error.

    Args:
        rows: `step`, `low`, `median`, `high` and `mae`; a row without errors has its step alone.
        path: as in `forecasts`.
    """
    rows = [row for row in rows if "mae" in row]
    steps = [row["step"] for row in rows]
    figure = new_figure(6.4, 3.6)
    axes = figure.add_subplot()
    low, high = ([row[name] for row in rows] for name in ("low", "high"))
    axes.fill_between(steps, low, high, color=_BLUE, alpha=0.2, linewidth=0, label="middle 80%")
    axes.plot(steps, [row["median"] for row in rows], color=_BLUE, linewidth=1.6, label="median")
    axes.plot(steps, [row["mae"] for row in rows], color=_ORANGE, linewidth=1.6, label="mean absolute error")
    axes.axhline(0, color=FAINT, linewidth=0.8)
    return _finish(figure, axes, "Errors in units of MASE", path)


def coverage(rows: Sequence[Mapping[str, Any]], levels: Sequence[float], path: str | Path) -> Path:
    """Draw the share of values in their intervals, by the step; a broken line is what each level promises.

    Args:
        rows: `step`, and `coverage_80` for a level of 0.8.
        levels: which ones.
        path: as in `forecasts`.
    """
    figure = new_figure(6.4, 3.6)
    axes = figure.add_subplot()
    for level, colour in zip(levels, COLOURS * len(levels), strict=False):
        name = f"coverage_{100 * level:g}"
        points = [(row["step"], row[name]) for row in rows if name in row]
        axes.plot(*zip(*points, strict=True), color=colour, linewidth=1.6, label=f"{100 * level:g}%")
        axes.axhline(level, color=colour, linewidth=1, linestyle=(0, (4, 3)))
    axes.set_ylim(None, 1.005)
    axes.yaxis.set_major_formatter("{x:.0%}")
    return _finish(figure, axes, "Coverage of the intervals", path)


def _finish(figure, axes, title, path):
    axes.set_title(title, fontsize=10.5, color=INK, loc="left")
    axes.set_xlabel("step of the horizon", color=FAINT)
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    axes.legend(frameon=False, fontsize=8.5, labelcolor=INK)
    frame(axes, grid="y")
    return save(figure, path)


def reliability(rows: Sequence[Mapping[str, float]], path: str | Path) -> Path:
    """Draw the share of values that the interval of each level holds, against the level; on the diagonal is right.

    Args:
        rows: `level` and `coverage`, by the level.
        path: as in `forecasts`.
    """
    figure = new_figure(4.2, 4.2)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
    levels, shares = ([row[name] for row in rows] for name in ("level", "coverage"))
    axes.plot(levels, shares, color=_BLUE, linewidth=1.6, marker="o", markersize=4)
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.set_title("Coverage by level", fontsize=10.5, color=INK, loc="left")
    axes.set_xlabel("level of the interval", color=FAINT)
    axes.set_ylabel("values inside", color=FAINT)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:.0%}")
    frame(axes, grid="y")
    return save(figure, path)
