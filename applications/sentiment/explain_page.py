"""An explanation as a page of HTML that needs nothing else: no script, no style sheet, no font, no network."""

from collections.abc import Callable, Sequence
from html import escape
from itertools import accumulate
from math import tanh
from typing import TYPE_CHECKING

from applications.core.outputs import to_line
from applications.core.plots import COLOURS

if TYPE_CHECKING:
    from zoo.inspect import Explanation, Word

FOR, AGAINST, ATTENTION, GATE = COLOURS[1], COLOURS[0], COLOURS[3], COLOURS[2]
FEW = 60  # words that have their numbers written below them
NAMED = 40  # words that are named below the map of the gates
LABELS = 5  # that are shown with their probabilities

BASELINES = {
    "average": "the average piece in every place",
    "random": "frequent pieces drawn at random",
}
"""What the text that says nothing has, by the names of `zoo.inspect.baselines`."""

_STYLE = """
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem; background: #fff; color: #22272e;
  font: 16px/1.5 system-ui, sans-serif; }
h1, h2, p, blockquote, td:first-child { overflow-wrap: anywhere; } th { white-space: nowrap; }
h1 { font-size: 1.5rem; margin: 0 0 .75rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .25rem; }
p { margin: .25rem 0 .75rem; } .quiet { color: #57606a; font-size: .9rem; }
blockquote { margin: 0 0 1rem; padding: .5rem 1rem; border-left: 4px solid #d0d7de; background: #f6f8fa; }
.note { padding: .5rem 1rem; border-left: 4px solid #bf8700; background: #fff8e1; }
.words { line-height: 2; }
.words span { border-radius: 3px; padding: .1rem .2rem; }
.few { line-height: 1.25; }
.few span { display: inline-block; text-align: center; margin: .1rem 0; padding: .2rem .35rem; }
.few small { display: block; font-size: .75rem; }
.legend span { display: inline-block; min-width: 3.4rem; text-align: center; padding: .1rem 0; color: #22272e; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .15rem .75rem; text-align: right; border-bottom: 1px solid #e6e9ed; }
th:first-child, td:first-child { text-align: left; } tfoot td { font-weight: 600; }
.answers td { border: 0; padding: .1rem .75rem .1rem 0; } .answers div { width: min(20rem, 40vw); background: #e6e9ed; }
.answers i { display: block; height: .75rem; } summary { cursor: pointer; }
svg { display: block; width: 100%; height: auto; } svg text { font: 12px system-ui, sans-serif; fill: #57606a; }
"""


def to_html(explanation: "Explanation") -> str:
    """Return the page of an explanation."""
    label = escape(to_line(explanation.label))
    added = [word.integrated_gradients for word in explanation.words]
    erased = [word.occlusion for word in explanation.words]
    parts = [
        f"<h1>Why {label}?</h1>",
        f'<blockquote dir="auto">{escape(to_line(explanation.text))}</blockquote>',
        _answers(explanation),
        *_notes(explanation),
        f"<h2>What each word adds to {label}</h2>",
        _words(explanation, added, _signed, _shade(added)),
        _legend(
            added,
            _signed,
            _shade(added),
            (-1, -0.5, -0.1, 0, 0.1, 0.5, 1),
            f"against {label}",
            f"for {label}",
        ),
        _sum(explanation, label),
        "<h2>What is lost if a word is left out</h2>",
        _words(explanation, erased, _signed, _shade(erased)),
        '<p class="quiet">Occlusion: the log-odds of the text less those of the text without the word. Each word is '
        "left out alone: these numbers are not parts of a whole, and their sum has no meaning.</p>",
        *_attention(explanation),
        "<h2>Gates over time</h2>",
        _gates(explanation),
        "<h2>All numbers</h2>",
        _table(explanation),
    ]
    return (
        '<!doctype html>\n<html>\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Why {label}?</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


# --- the answer ------------------------------------------------------------------------------------------


def _answers(explanation):
    """Return the most probable labels and the explained one with their probabilities; what is answered is bold."""
    prediction = explanation.prediction
    answered = (prediction.label,) if prediction.labels is None else prediction.labels
    ranked = sorted(prediction.probabilities.items(), key=lambda item: -item[1])
    rows = []
    for name, p in (
        item for place, item in enumerate(ranked) if place < LABELS or item[0] == explanation.label
    ):
        words = escape(to_line(name))
        words = f"<b>{words}</b>" if name in answered else words
        colour = FOR if name == explanation.label else "#9aa5b1"
        bar = f'<div><i style="width:{100 * p:.2f}%;background:{colour}"></i></div>'
        rows.append(f"<tr><td>{words}</td><td>{bar}</td><td>{p:.1%}</td></tr>")
    rest = len(ranked) - len(rows)
    return f'<table class="answers">{"".join(rows)}</table>' + (f"<p>and {rest:,} more</p>" if rest else "")


def _notes(explanation):
    """Yield what a reader must know before the numbers."""
    if explanation.explained_pieces < explanation.pieces:
        yield (
            f'<p class="note">This text is long. Its first {explanation.explained_pieces:,} of '
            f"{explanation.pieces:,} pieces are explained as if they were all of it, and the probabilities above are "
            "theirs: the answer for the whole text may be another.</p>"
        )
    if not explanation.converged:
        yield (
            '<p class="note">What the words add misses its sum by '
            f"{_signed(explanation.residual, 3)}, more than the 1% that is allowed: take these numbers with care.</p>"
        )


# --- coloured words --------------------------------------------------------------------------------------


def mixed(colour: str, share: float) -> str:
    """Return a mixture of white and a share of a colour, each #rrggbb."""
    parts = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return "#" + "".join(f"{round(255 + (part - 255) * share):02x}" for part in parts)


def _shade(values: Sequence[float], positive: str = FOR) -> Callable[[float], str]:
    """Return the function from numbers to colours that suits some numbers; dark letters are legible on all.

    A colour grows with the square root of its number, so that small numbers can be told from none.
    """
    largest = max(map(abs, values)) or 1.0
    return lambda value: mixed(positive if value > 0 else AGAINST, 0.6 * (abs(value) / largest) ** 0.5)


def _words(explanation, values, form, shade):
    """Return the text, each word in the colour of its number."""
    few = len(values) <= FEW
    spans = []
    for word, value in zip(explanation.words, values, strict=True):
        below = f"<small>{form(value)}</small>" if few else ""
        style = f'style="background:{shade(value)}" title="{value:+.4f}"'
        spans.append(f"<span {style}><bdi>{escape(word.text)}</bdi>{below}</span>")
    return f'<p class="words{" few" if few else ""}" dir="auto">{" ".join(spans)}</p>'


def _legend(values, form, shade, shares, left, right):
    """Return the colours of some shares of the largest number."""
    largest = max(map(abs, values))
    shown = "".join(
        f'<span style="background:{shade(share * largest)}">{form(share * largest)}</span>'
        for share in shares
    )
    return f'<p class="legend quiet">{left} {shown} {right}</p>'


def _signed(value, digits=2):
    return f"{value:+.{digits}f}".replace("-", "−")


def _percent(log_odds):
    return f"{(1 + tanh(log_odds / 2)) / 2:.1%}"


def _sum(explanation, label):
    """Return how the words sum to the answer."""
    base, total = explanation.baseline_log_odds, explanation.difference + explanation.residual
    return (
        f"<p>A text that says nothing has {_signed(base)}, that is {_percent(base)} {label}. These words add "
        f"<b>{_signed(total)}</b>, and this text has {_signed(explanation.log_odds)}, that is "
        f"{_percent(explanation.log_odds)} {label}.</p>"
        '<p class="quiet">Integrated gradients of the log-odds log(p / (1 − p)), in nats. The text that says nothing '
        f"is as long as this one and has {BASELINES[explanation.baseline]}. The sum misses the difference "
        f"{_signed(explanation.difference, 4)} by {_signed(explanation.residual, 4)}; it took {explanation.steps:,} "
        "points of the path.</p>"
    )


def _attention(explanation):
    """Yield the part on attention, where there is some."""
    values = [word.attention for word in explanation.words]
    if None in values:
        return
    shade = _shade(values, ATTENTION)
    yield "<h2>Where the attention is</h2>"
    yield _words(explanation, values, "{:.1%}".format, shade)
    yield _legend(
        values, "{:.1%}".format, shade, (0, 0.1, 0.5, 1), "", "of the pooling's weights, which sum to 100%"
    )


# --- gates and numbers -----------------------------------------------------------------------------------


def _gates(explanation):
    """Return a map with a row for each gate and a column for each piece."""
    rows = [
        (f"{layer.replace('_', ' ')}: {name}", means)
        for layer, gates in explanation.gates.items()
        for name, means in gates.items()
    ]
    if not rows:
        return "<p>The cell of this network has no gates.</p>"
    pieces = [piece for word in explanation.words for piece in word.pieces]
    low = min(min(means) for _, means in rows)
    high = max(max(means) for _, means in rows)
    left, height, width = 150, 18, 850 / len(pieces)
    drawn = []
    for number, (name, means) in enumerate(rows):
        y = number * height
        drawn.append(f'<text x="{left - 8}" y="{y + 13}" text-anchor="end">{escape(name)}</text>')
        for place, (piece, mean) in enumerate(zip(pieces, means, strict=True)):
            colour = mixed(GATE, (mean - low) / (high - low or 1))
            box = f'x="{left + place * width:.2f}" y="{y}" width="{width:.2f}" height="{height - 2}"'
            drawn.append(f'<rect {box} fill="{colour}"><title>{escape(piece)}: {mean:.3f}</title></rect>')
    bottom = len(rows) * height + 6
    names = named(explanation.words)
    for place, text in names:
        x = left + (place + 0.5) * width
        turned = f'transform="rotate(-60 {x:.2f} {bottom})"'
        drawn.append(
            f'<text x="{x:.2f}" y="{bottom}" dy="6" text-anchor="end" {turned}>{escape(text)}</text>'
        )
    tall = bottom + 14 + 6 * max(len(text) for _, text in names)
    return (
        f'<svg viewBox="0 0 1000 {tall}" role="img">{"".join(drawn)}</svg>'
        f'<p class="legend quiet"><span style="background:{mixed(GATE, 0)};outline:1px solid #d0d7de">{low:.2f}</span>'
        f'<span style="background:{mixed(GATE, 1)}">{high:.2f}</span> Each gate’s mean over the units at the time when '
        "a piece is read, 0 closed and 1 open. Backward layers read from the end.</p>"
    )


def named(words: "Sequence[Word]") -> list[tuple[int, str]]:
    """Return the place of the first piece, and the text, of the words to name on an axis: all or evenly spaced ones."""
    places = accumulate((len(word.pieces) for word in words), initial=0)
    texts = [word.text if len(word.text) <= 16 else f"{word.text[:15]}…" for word in words]
    return list(zip(places, texts, strict=False))[:: -(-len(words) // NAMED)]


def _table(explanation):
    """Return all words with their numbers."""
    attended = explanation.words[0].attention is not None
    heads = ["word", "adds", "lost without it", *["attention"] * attended]
    rows = []
    for word in explanation.words:
        numbers = [f"{word.integrated_gradients:+.4f}", f"{word.occlusion:+.4f}"]
        share = [f"{word.attention:.2%}"] if attended else []
        rows.append(_row([f"<bdi>{escape(word.text)}</bdi>", *numbers, *share]))
    added = {
        "these words": explanation.difference + explanation.residual,
        "residual": -explanation.residual,
        "a text that says nothing": explanation.baseline_log_odds,
        "this text": explanation.log_odds,
    }
    totals = [_row([name, f"{value:+.4f}", *[""] * (len(heads) - 2)]) for name, value in added.items()]
    parts = {"thead": [_row(heads, "th")], "tbody": rows, "tfoot": totals}
    table = "".join(f"<{tag}>{''.join(part)}</{tag}>" for tag, part in parts.items())
    opened = " open" if len(rows) <= FEW else ""
    return f"<details{opened}><summary>{len(rows):,} words</summary><table>{table}</table></details>"


def _row(cells, tag="td"):
    return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>"
