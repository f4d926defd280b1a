"""Any text, legibly in a picture: characters that fonts have, lines that fit."""

import unicodedata
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Those that are installed are asked in turn for what DejaVu Sans, which comes with matplotlib, lacks.
FONTS = (
    "DejaVu Sans",
    "Noto Sans",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "WenQuanYi Zen Hei",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Noto Emoji",
    "Symbola",
    "Arial Unicode MS",
)
MISSING = "□"


def fonts() -> list[str]:
    """Return the fonts to draw with, the first one first."""
    return _known()[0]


@cache
def _known() -> tuple[list[str], frozenset[int]]:
    """Return the installed ones of FONTS, and the characters that at least one of them has."""
    from matplotlib import font_manager

    installed = {font.name: font.fname for font in font_manager.fontManager.ttflist}
    names = [name for name in FONTS if name in installed]
    has = [font_manager.get_font(installed[name]).get_charmap() for name in names]
    return names, frozenset().union(*has)


def drawable(text: str, most: int = 1000) -> str:
    """Return the first `most` characters of `text` that can be drawn, on one line.

    White space and control characters become single spaces, joiners and the like vanish, and what no font has
    becomes □. Where nothing is left it is "(empty)".
    """
    shown = []
    for character in text[: 2 * most]:
        kind = unicodedata.category(character)
        if kind in ("Cc", "Zs", "Zl", "Zp"):
            shown.append(" ")
        elif (
            kind != "Cf"
            and not 0xFE00 <= ord(character) <= 0xFE0F
            and not 0x1F3FB <= ord(character) <= 0x1F3FF
        ):
            shown.append(character if ord(character) in _known()[1] else MISSING)
    return " ".join("".join(shown).split())[:most] or "(empty)"


def cut(text: str, most: int) -> str:
    """Return what can be drawn of `text` in at most `most` characters, the last an ellipsis if it is cut."""
    text = drawable(text)
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def ruler(figure: "Figure", inches: float = 0.0, size: float = 10) -> Callable[[str], float]:
    """Return a function that says by how many inches a text is wider than `inches`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.font_manager import FontProperties

    renderer = FigureCanvasAgg(figure).get_renderer()
    font = FontProperties(family=fonts(), size=size)
    return lambda text: renderer.get_text_width_height_descent(text, font, False)[0] / figure.dpi - inches


def wrap(text: str, excess: Callable[[str], float], most: int = 2) -> list[str]:
    """Return at most `most` lines that fit, broken at spaces where there are some, cut with an ellipsis."""
    rest, lines = drawable(text), []
    while rest and len(lines) < most:
        fits = _longest(rest, excess)
        if fits == len(rest):
            return [*lines, rest]
        if len(lines) == most - 1:
            fits = _longest(rest, lambda piece: excess(f"{piece}…"))
            return [*lines, f"{rest[:fits].rstrip()}…"]
        space = rest.rfind(" ", fits // 2, fits + 1)
        end = space if space > 0 else fits
        lines.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return lines


def _longest(text: str, excess: Callable[[str], float]) -> int:
    """Return how many characters from the start fit, at least 1."""
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if excess(text[:middle]) <= 0:
            low = middle
        else:
            high = middle - 1
    return low
