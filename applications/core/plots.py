"""Pictures of answers and reports: each function draws one file, without matplotlib's global state.

The suffix of `path` settles the format: .png, .svg, .pdf and what else matplotlib writes. The folder must be
there, and a file of that name is replaced. All functions return `path` and raise UserError if its suffix is
unknown. `new_figure`, `frame` and `save` are for drawings of one application, in the same looks.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from applications.core.lettering import cut, fonts, ruler, wrap
from zoo.errors import UserError
from zoo.metrics import reliability

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#d5692a", "#2b6cb0", "#3f9a6b", "#8a5fb0", "#c2a10e", "#b8476f")
INK, FAINT, PALE = "#22272e", "#6b7480", "#e6e9ed"

SENTENCES = 30  # that one picture holds
ANSWERS = 5  # the most probable labels that are drawn of each sentence
NUMBERED = 20  # classes up to which a confusion matrix has its numbers written in


class Answer(Protocol):
    """What `predictions` draws: `zoo.tasks.Prediction` is one; `labels` is None where there is one label."""

    label: str
    probabilities: Mapping[str, float]
    labels: Sequence[str] | None


def predictions(texts: Sequence[str], answers: Sequence[Answer], path: str | Path) -> Path:
    """Draw each text with a bar for every label's probability, the chosen label, or labels, in its colour.

    Long texts are cut to two lines, characters that no installed font has become □, of many labels the most
    probable are drawn, of many texts the first.

    Args:
        texts: any strings.
        answers: one for each text, `probabilities` in the same order of labels.
        path: the picture.
    """
    width, left, right = 8.0, 0.35, 0.35
    line, bar, gap = 0.21, 0.23, 0.28
    figure = new_figure(width, 1.0)
    wrapped = [wrap(text, ruler(figure, width - left - right, size=10.5)) for text in texts[:SENTENCES]]
    drawn = list(zip(wrapped, answers, strict=False))
    heights = [line * len(lines) + bar * min(len(it.probabilities), ANSWERS) + gap for lines, it in drawn]
    rest = len(texts) - len(drawn)
    height = 0.3 + sum(heights) + (0.25 if rest else 0.0)
    figure.set_size_inches(width, height)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    names = {name: cut(name, 24) for _, it in drawn for name in it.probabilities}
    start = left + 0.25 + max((ruler(figure, size=9)(name) for name in names.values()), default=0.0)
    full = width - right - 0.75 - start
    top = 0.3
    for (lines, answer), used in zip(drawn, heights, strict=True):
        y = top
        for text in lines:
            _write(axes, left, y + line / 2, text, size=10.5, colour=INK)
            y += line
        y += 0.04
        labels = (answer.label,) if answer.labels is None else answer.labels
        for name, value in _most_probable(answer.probabilities):
            chosen = name in labels
            colour = COLOURS[list(answer.probabilities).index(name) % len(COLOURS)] if chosen else "#b4bcc6"
            middle, weight = y + bar / 2, "bold" if chosen else "normal"
            _write(axes, start - 0.12, middle, names[name], 9, INK if chosen else FAINT, ha="right")
            axes.barh(middle, full, bar * 0.62, start, color=PALE)
            axes.barh(middle, full * value, bar * 0.62, start, color=colour)
            _write(
                axes, start + full + 0.12, middle, f"{value:.1%}", 9, INK if chosen else FAINT, weight=weight
            )
            y += bar
        top += used
    if rest:
        _write(axes, left, top, f"and {rest:,} more", size=9, colour=FAINT)
    return save(figure, path)


def confusion_matrix(matrix: np.ndarray, labels: Sequence[str], path: str | Path) -> Path:
    """Draw how many examples of each class got which label, coloured by their share of the class.

    Args:
        matrix: `(k, k)` counts; row: the true class, column: the predicted one.
        labels: the k names.
        path: the picture.
    """
    matrix = np.asarray(matrix)
    count = len(labels)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = min(max(1.15 * count, 2.3), 9.0)
    names = [cut(label, 18) for label in labels]
    size = 10 if count <= 8 else 7
    figure = new_figure(side + 2.1, side + 1.6)
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    frame(axes, size=size)
    slant = 0 if count <= 4 and max(map(len, names)) <= 12 else 45
    axes.set_xticks(range(count), names, rotation=slant, ha="right" if slant else "center", parse_math=False)
    axes.set_yticks(range(count), names, parse_math=False)
    axes.tick_params(length=0)
    axes.set_xlabel("predicted", color=FAINT)
    axes.set_ylabel("true", color=FAINT)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(1, count) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, count) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="minor", length=0)
    if count <= NUMBERED:
        for (row, column), value in np.ndenumerate(matrix):
            share = shares[row, column]
            text = f"{value:,}\n{share:.1%}" if count <= 8 else f"{value:,}"
            colour = "white" if share > 0.55 else INK
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=size)
    return save(figure, path)


def reliability_diagram(
    probabilities: np.ndarray, labels: np.ndarray, path: str | Path, bins: int = 15
) -> Path:
    """Draw accuracy against confidence in bins of equal width, and below it how many examples each bin holds.

    Args:
        probabilities: `(n, k)`, rows that sum to 1.
        labels: `(n,)` integers from 0 to k - 1.
        path: the picture.
        bins: as in `zoo.metrics.calibration_error`, whose value is written in.
    """
    table = reliability(probabilities, labels, bins)
    filled = table.counts > 0
    width = 1 / bins
    middle = (table.edges[:-1] + width / 2)[filled]
    figure = new_figure(5.2, 5.6)
    upper, lower = figure.subplots(2, sharex=True, height_ratios=(3.2, 1))
    first = table.edges[:-1][filled].min()
    upper.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=(0, (4, 3)), label="perfectly calibrated")
    upper.bar(middle, table.accuracy[filled], width * 0.9, color=COLOURS[1], label="accuracy")
    said = table.confidence[filled]
    upper.hlines(said, middle - width * 0.45, middle + width * 0.45, color=COLOURS[0], linewidth=2.2,
                 label="mean confidence")  # fmt: skip
    upper.set(xlim=(first - width / 2, 1 + width / 2), ylim=(0, 1.02))
    upper.set_ylabel("accuracy", color=FAINT)
    upper.set_title(f"expected calibration error {table.error:.3f}", fontsize=10.5, color=INK, loc="left")
    figure.legend(frameon=False, fontsize=9, loc="outside upper center", labelcolor=INK, ncols=3)
    lower.bar(middle, table.counts[filled] / table.counts.sum(), width * 0.9, color="#9aa5b1")
    lower.set_ylabel("share of\nexamples", color=FAINT)
    lower.set_xlabel("confidence: the probability of the predicted label", color=FAINT)
    lower.yaxis.set_major_formatter("{x:.0%}")
    for axes in (upper, lower):
        frame(axes, grid="y")
    return save(figure, path)


def training_curves(rows: Sequence[Mapping[str, Any]], path: str | Path) -> Path:
    """Draw every loss and metric over the epochs, a panel each, with that of validation in the same panel.

    Args:
        rows: one an epoch: `epoch`, then losses and metrics, those of validation with the prefix `val_`. What
            is no number in a row is left out there. `learning_rate`, `seconds` and `step` are not drawn.
        path: the picture.
    """
    names = [name.removeprefix("val_") for row in rows for name in row]
    panels = [
        name for name in dict.fromkeys(names) if name not in ("epoch", "learning_rate", "seconds", "step")
    ]
    if not panels:
        raise UserError("the history has no losses and no metrics: there is nothing to draw")
    columns = min(len(panels), 3)
    lines = -(-len(panels) // columns)
    figure = new_figure(max(3.6 * columns, 4.8), 2.9 * lines + 0.2)
    grid = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes, name in zip(grid, panels, strict=False):
        for key, label, colour in (
            (name, "training", COLOURS[1]),
            (f"val_{name}", "validation", COLOURS[0]),
        ):
            points = [(row["epoch"], row[key]) for row in rows if _is_number(row.get(key))]
            if points:
                style = {"marker": "o", "markersize": 3.5} if len(points) <= 40 else {}
                axes.plot(*zip(*points, strict=True), color=colour, linewidth=1.8, label=label, **style)
        axes.set_title(name.replace("_", " "), fontsize=10.5, color=INK, loc="left")
        axes.set_xlabel("epoch", color=FAINT)
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.legend(frameon=False, fontsize=8.5, labelcolor=INK)
        frame(axes, grid="y")
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    return save(figure, path)


def bars(
    values: Mapping[str, float],
    path: str | Path,
    *,
    title: str = "",
    form: str = "{:.4g}",
    highlight: str | None = None,
) -> Path:
    """Draw a named number a line, as horizontal bars from 0, in the order given.

    Args:
        values: name -> finite number.
        path: the picture.
        title: what the numbers are.
        form: how they are written at the bars' ends, for `str.format`.
        highlight: the name whose bar stands out.
    """
    figure = new_figure(6.4, 0.42 * len(values) + (0.75 if title else 0.4))
    axes = figure.add_subplot()
    places = range(len(values))
    chosen = [name == highlight for name in values]
    colours = [COLOURS[1] if it else "#9aa5b1" for it in chosen]
    drawn = axes.barh(places, list(values.values()), 0.66, color=colours)
    written = [form.format(value) for value in values.values()]
    axes.bar_label(drawn, written, fontsize=9.5, color=INK, padding=5)
    axes.set_yticks(places, [cut(name, 40) for name in values], parse_math=False)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    frame(axes)
    axes.set_xticks([])
    axes.tick_params(length=0, labelcolor=INK)
    axes.spines["bottom"].set_visible(False)
    if title:
        axes.set_title(cut(title, 80), fontsize=10.5, color=INK, loc="left", parse_math=False)
    return save(figure, path)


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure of a size in inches, its parts laid out by themselves."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=150, facecolor="white", layout="constrained")
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12, wspace=0.03, hspace=0.03)
    return figure


def save(figure: "Figure", path: str | Path) -> Path:
    """Write a figure to a file, whose suffix settles the format, and return `path`."""
    path = Path(path)
    known = figure.canvas.get_supported_filetypes()
    if path.suffix.lower().removeprefix(".") not in known:
        raise UserError(f"{path}: no picture format {path.suffix!r}; end it in .png, .svg or .pdf")
    figure.savefig(path)
    return path


def frame(axes: "Axes", size: float = 9, grid: str | None = None) -> None:
    """Leave of the frame what carries a scale, in quiet colours."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#aab2bc")
    axes.tick_params(labelsize=size, color="#aab2bc", labelcolor=FAINT, labelfontfamily=fonts())
    if grid:
        axes.set_axisbelow(True)
        axes.grid(axis=grid, color=PALE, linewidth=0.8)


def _write(axes: "Axes", x: float, y: float, text: str, size: float, colour: str, **how: str) -> None:
    """Write literally: `$` begins no formula."""
    how = {"ha": "left", "va": "center", "family": fonts(), **how}
    axes.text(x, y, text, fontsize=size, color=colour, parse_math=False, **how)


def _most_probable(probabilities: Mapping[str, float]) -> list[tuple[str, float]]:
    """Return the labels to draw, in their own order if all are drawn."""
    if len(probabilities) <= ANSWERS:
        return list(probabilities.items())
    return sorted(probabilities.items(), key=lambda item: -item[1])[:ANSWERS]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and bool(np.isfinite(value))
