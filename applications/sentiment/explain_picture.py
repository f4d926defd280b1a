"""An explanation as a picture: a bar for each word, and the gates over time."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from applications.core.lettering import cut, fonts, ruler, wrap
from applications.core.plots import COLOURS, FAINT, INK, PALE
from applications.sentiment.explain_page import named

if TYPE_CHECKING:
    from zoo.inspect import Explanation

MOST_WORDS = 40  # bars; of more words the strongest are drawn, and one bar for the others together

_WIDTH, _LINE, _EDGE = 9.0, 0.22, 0.3  # inches


def draw(explanation: "Explanation", path: Path) -> Path:
    """Draw an explanation to a file, whose suffix settles the format, and return its path.

    Args:
        explanation: what is drawn.
        path: a .png, .svg or .pdf file; one of that name is replaced.
    """
    from matplotlib.figure import Figure

    methods = {"integrated_gradients": "what each word adds", "occlusion": "what is lost without it"}
    if explanation.words[0].attention is not None:
        methods["attention"] = "attention"
    names, values = _bars(explanation, methods)
    gates = [
        (f"{layer.replace('_', ' ')}: {name}", means)
        for layer, parts in explanation.gates.items()
        for name, means in parts.items()
    ]
    figure = Figure(figsize=(_WIDTH, 1.0), dpi=150, facecolor="white")
    text = wrap(explanation.text, ruler(figure, _WIDTH - 2 * _EDGE, size=11), most=4)
    said = list(_said(explanation))
    head = _EDGE + 0.25 * len(text) + 0.24 * len(said) + 0.45
    bars = _LINE * len(names)
    strip = 0.2 * len(gates)
    below = [(place, cut(text, 16)) for place, text in named(explanation.words)]
    foot = _EDGE + 0.1 + max(ruler(figure, size=8)(text) for _, text in below) if gates else 0.0
    height = head + bars + 0.75 + strip + foot
    figure.set_size_inches(_WIDTH, height)

    def place(left, top, width, tall):
        return figure.add_axes((left / _WIDTH, 1 - (top + tall) / height, width / _WIDTH, tall / height))

    y = _EDGE
    for line, size, colour in [*((line, 11, INK) for line in text), *((line, 9, FAINT) for line in said)]:
        figure.text(_EDGE / _WIDTH, 1 - y / height, line, fontsize=size, color=colour, va="top", family=fonts(),
                    parse_math=False)  # fmt: skip
        y += 0.25 if size == 11 else 0.24
    left = _EDGE + max(ruler(figure, size=9)(name) for name in names) + 0.1
    width = (_WIDTH - _EDGE - left) / len(methods)
    for number, (method, title) in enumerate(methods.items()):
        axes = place(left + number * width, head, width - 0.25, bars)
        _draw_bars(axes, values[method], title, names if number == 0 else None)
    if gates:
        _draw_gates(place, gates, below, head + bars + 0.75, strip)
    figure.savefig(path)
    return path


def _said(explanation):
    """Return the lines below the text."""
    label = cut(explanation.label, 30)
    total = explanation.difference + explanation.residual
    yield f"{label} {explanation.probability:.1%}: blue speaks for it, orange against"
    yield (
        f"log-odds of {label}: a text that says nothing {explanation.baseline_log_odds:+.2f}, "
        f"these words {total:+.2f}, this text {explanation.log_odds:+.2f}"
    )
    if explanation.explained_pieces < explanation.pieces:
        yield f"the first {explanation.explained_pieces:,} of {explanation.pieces:,} pieces, as if they were all"
    if not explanation.converged:
        yield f"what the words add misses its sum by {explanation.residual:+.3f}: take it with care"


def _bars(explanation, methods):
    """Return the words that get a bar, and method -> their values."""
    table = np.array([[getattr(word, method) for method in methods] for word in explanation.words])
    names = [cut(word.text, 24) for word in explanation.words]
    if len(names) > MOST_WORDS:
        strength = np.abs(table[:, 0])
        chosen = np.sort(np.argsort(-strength, kind="stable")[: MOST_WORDS - 1])
        rest = np.delete(table, chosen, axis=0)
        together = rest.sum(axis=0)
        together[list(methods).index("occlusion")] = np.nan  # words are left out one by one: there is no sum
        names = [*(names[place] for place in chosen), f"{len(rest):,} other words"]
        table = np.vstack([table[chosen], together])
    return names, dict(zip(methods, table.T, strict=True))


def _draw_bars(axes, values, title, names):
    colours = np.where(np.nan_to_num(values) < 0, COLOURS[0], COLOURS[1])
    places = np.arange(len(values))
    largest = np.nanmax(np.abs(values)) or 1.0
    axes.barh(places, np.nan_to_num(values), 0.7, color=colours if title != "attention" else COLOURS[3])
    for place, value in zip(places, values, strict=True):
        if np.isfinite(value):
            form = f"{value:.1%}" if title == "attention" else f"{value:+.2f}"
            side = -1 if value < 0 else 1
            axes.annotate(form, (value, place), (3 * side, 0), textcoords="offset points", va="center",
                          ha="right" if side < 0 else "left", fontsize=7.5, color=FAINT)  # fmt: skip
    axes.axvline(0, color="#aab2bc", linewidth=0.8)
    axes.set_ylim(len(values) - 0.5, -0.5)
    axes.set_xlim(-1.6 * largest if np.nanmin(values) < 0 else -0.02 * largest, 1.6 * largest)
    axes.set_xticks([])
    axes.set_title(title, fontsize=9.5, color=INK, loc="left")
    axes.spines[:].set_visible(False)
    axes.set_yticks(places, names or [""] * len(places), parse_math=False, family=fonts())
    axes.tick_params(length=0, labelsize=9, labelcolor=INK)
    for place in places[1::2]:
        axes.axhspan(place - 0.5, place + 0.5, color=PALE, alpha=0.4, linewidth=0, zorder=0)


def _draw_gates(place, gates, below, top, tall):
    from matplotlib.colors import LinearSegmentedColormap

    axes = place(_EDGE + 1.3, top, _WIDTH - 2 * _EDGE - 2.1, tall)
    colours = LinearSegmentedColormap.from_list("gates", ["white", COLOURS[2]])
    means = np.array([means for _, means in gates])
    image = axes.imshow(means, cmap=colours, aspect="auto", interpolation="nearest")
    axes.set_title("gates over time: mean over the units", fontsize=9.5, color=INK, loc="left")
    axes.set_yticks(range(len(gates)), [name for name, _ in gates])
    places, names = zip(*below, strict=True)
    axes.set_xticks(places, names, rotation=90, parse_math=False, family=fonts())
    axes.tick_params(length=0, labelsize=8, labelcolor=FAINT)
    axes.spines[:].set_color("#aab2bc")
    scale = place(_WIDTH - _EDGE - 0.65, top, 0.12, tall)
    axes.figure.colorbar(image, cax=scale).ax.tick_params(labelsize=7.5, labelcolor=FAINT, length=2)
    scale.spines[:].set_visible(False)
