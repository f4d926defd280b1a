"""Pictures of translations: where the attention was, and how BLEU changes with the length of a sentence."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from applications.core import outputs
from applications.core.lettering import cut, fonts, ruler
from applications.core.plots import COLOURS, FAINT, INK, PALE, frame, new_figure, save

SUFFIXES = (".png", ".svg", ".pdf", ".json")
"""What an alignment can be written as."""

PIECES = 100  # of either sentence that are drawn

_LETTERS = 24  # of a piece that are drawn
_EDGE, _SCALE = 0.15, 0.75  # inches: around everything, and for the scale of colours


class Alignment(Protocol):
    """What is drawn: `zoo.tasks.translation.Alignment` is one. `weights` is (target, source), from 0 to 1."""

    source: Sequence[str]
    target: Sequence[str]
    weights: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """Return source, target, weights and text as JSON can hold them."""


def attention(alignment: Alignment, path: str | Path) -> Path:
    """Draw how much each piece of the translation attended to each piece of the source, and return `path`.

    The source stands on top, the translation runs down the side (Bahdanau, Cho & Bengio, 2015, figure 3); white is 0
    and the darkest colour 1, in every picture. "␣" is the space before a word. The picture grows with the pieces, up
    to `PIECES` of either sentence: of longer ones the first are drawn.

    Args:
        alignment: what is drawn.
        path: a file that ends in one of SUFFIXES: .json holds `alignment.to_dict()`. One of that name is replaced.

    Raises:
        UserError: another suffix.
    """
    path = Path(path)
    if path.suffix.lower() == ".json":
        path.write_text(outputs.to_json(alignment.to_dict()), encoding="utf-8", errors="backslashreplace")
        return path
    source, target = (
        [cut(piece.replace("▁", "␣"), _LETTERS) for piece in pieces[:PIECES]]
        for pieces in (alignment.source, alignment.target)
    )
    cell = min(max(12 / max(len(source), len(target)), 0.15), 0.32)  # inches
    size = 31 * cell  # points of the letters: 10 where there is room
    figure = new_figure(1.0, 1.0)
    measure = ruler(figure, size=size)
    left, top = (2 * _EDGE + max(map(measure, names)) for names in (target, source))
    width, height = cell * len(source), cell * len(target)
    note = _note(alignment, source, target)
    below = _EDGE + (0.3 if note else 0.0)
    full = left + max(width, ruler(figure, size=9)(note)) + _SCALE, top + max(height, 0.9) + below
    figure.set_size_inches(*full)
    figure.set_layout_engine("none")

    def place(x: float, y: float, wide: float, tall: float) -> Any:
        return figure.add_axes((x / full[0], 1 - (y + tall) / full[1], wide / full[0], tall / full[1]))

    axes = place(left, top, width, height)
    weights = np.asarray(alignment.weights)[:PIECES, :PIECES]
    image = axes.pcolormesh(weights, cmap="Blues", vmin=0, vmax=1, edgecolors=PALE, linewidth=0.4)
    axes.set(xlim=(0, len(source)), ylim=(len(target), 0))
    how = {"parse_math": False, "family": fonts(), "fontsize": size, "color": INK}
    axes.set_xticks(np.arange(len(source)) + 0.5, source, rotation=90, **how)
    axes.set_yticks(np.arange(len(target)) + 0.5, target, **how)
    axes.tick_params(length=0, pad=3, labeltop=True, labelbottom=False)
    axes.spines[:].set_color("#aab2bc")
    if note:
        figure.text(left / full[0], 0.15 / full[1], note, fontsize=9, color=FAINT, va="center")
    scale = place(left + width + 0.2, top, 0.12, min(max(height, 0.9), 2.5))
    bar = figure.colorbar(image, cax=scale, ticks=[0, 0.5, 1])
    bar.ax.tick_params(labelsize=8, labelcolor=FAINT, length=2)
    bar.outline.set_visible(False)
    return save(figure, path)


def _note(alignment: Alignment, source: Sequence[str], target: Sequence[str]) -> str:
    """Return what is said of pieces that are not drawn."""
    parts = {"source": (alignment.source, source), "translation": (alignment.target, target)}
    said = [
        f"{len(drawn)} of {len(pieces):,} pieces of the {name}"
        for name, (pieces, drawn) in parts.items()
        if len(drawn) < len(pieces)
    ]
    return f"the first {' and '.join(said)}" if said else ""


def by_length(rows: Sequence[Mapping[str, Any]], path: str | Path) -> Path:
    """Draw BLEU by the length of the source, with 95% intervals, and below it how many sentences each length has.

    Args:
        rows: `words`, how long they are, `count`, `bleu`, and its interval from `bleu_low` to `bleu_high`.
        path: the picture; its suffix settles the format, and a file of that name is replaced.

    Returns:
        `path`.
    """
    figure = new_figure(max(0.62 * len(rows) + 1.4, 4.0), 4.2)
    upper, lower = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    places = range(len(rows))
    upper.bar(places, [row["bleu"] for row in rows], 0.7, color=COLOURS[1])
    intervals = [(place, row["bleu_low"], row["bleu_high"]) for place, row in enumerate(rows)]
    upper.vlines(*zip(*intervals, strict=True), color=INK, linewidth=1.4)
    upper.set_ylim(0, None)
    upper.set_title("BLEU by the length of the source", fontsize=10.5, color=INK, loc="left")
    drawn = lower.bar(places, [row["count"] for row in rows], 0.7, color="#9aa5b1")
    lower.bar_label(drawn, [f"{row['count']:,}" for row in rows], fontsize=8, color=FAINT, padding=2)
    lower.margins(y=0.3)
    lower.set_ylabel("sentences", color=FAINT)
    lower.set_xlabel("words of the source", color=FAINT)
    lower.set_xticks(places, [row["words"] for row in rows])
    for axes in (upper, lower):
        frame(axes, grid="y")
    lower.set_yticks([])
    return save(figure, path)
