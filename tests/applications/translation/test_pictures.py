"""Pictures of attention: files are written, cells are where they belong, any piece and any length is drawn."""

import json
import re

import numpy as np
import pytest
from matplotlib import image as matplotlib_image

from applications.translation import pictures
from zoo import UserError
from zoo.tasks.translation import Alignment

SOURCE = "▁Ich ▁habe ▁gestern ▁ein ▁Buch ▁gele sen . </s>".split()
TARGET = "▁I ▁read ▁a ▁book ▁yester day . </s>".split()


def alignment(source=SOURCE, target=TARGET, seed=0) -> Alignment:
    weights = np.random.default_rng(seed).dirichlet(np.full(len(source), 0.2), len(target))
    return Alignment(list(source), list(target), weights, "I read a book yesterday.")


def pixels(path) -> np.ndarray:
    return matplotlib_image.imread(path)[..., :3]


def is_colour(path, colour: str, tolerance: float = 1e-3) -> np.ndarray:
    wanted = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.abs(pixels(path) - wanted).max(axis=-1) < tolerance


def test_source_on_top_and_translation_down_the_side(tmp_path):
    one = alignment(["▁a", "▁b", "▁c", "</s>"], ["▁x", "</s>"])
    one.weights[:] = [[0, 0, 1, 0], [1, 0, 0, 0]]
    path = pictures.attention(one, tmp_path / "attention.png")
    dark = is_colour(path, "#08306b")
    white = is_colour(path, "#f7fbff")
    rows, columns = np.nonzero(white | dark)
    columns = columns[(columns < 0.8 * white.shape[1])]  # the scale is to the right
    top, left, right = rows.min(), columns.min(), columns.max()
    cell = (right - left) / 4
    found = [
        [dark[int(top + (row + 0.5) * cell), int(left + (column + 0.5) * cell)] for column in range(4)]
        for row in range(2)
    ]
    assert np.array_equal(found, one.weights == 1)


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf", ".PNG"])
def test_formats(suffix, tmp_path):
    path = pictures.attention(alignment(), tmp_path / f"attention{suffix}")
    assert path.stat().st_size > 2000
    assert suffix.lower() in pictures.SUFFIXES


def test_svg_holds_a_cell_for_each_weight(tmp_path):
    text = pictures.attention(alignment(), tmp_path / "attention.svg").read_text("utf-8")
    mesh = re.search(r'<g id="QuadMesh_1">(.*?)</g>', text, re.DOTALL)[1]
    assert mesh.count("<path") == len(SOURCE) * len(TARGET)  # drawn as shapes, so that it scales


def test_json_holds_all_that_is_drawn(tmp_path):
    one = alignment()
    path = pictures.attention(one, tmp_path / "attention.json")
    found = json.loads(path.read_text("utf-8"))
    assert list(found) == ["source", "target", "weights", "text"]
    assert (found["source"], found["target"], found["text"]) == (SOURCE, TARGET, one.text)
    np.testing.assert_allclose(found["weights"], one.weights, atol=1e-6)


def test_pictures_grow_up_to_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "PIECES", 40)
    sizes = []
    for count in (3, 12, 40, 400):
        one = alignment(["▁Wort"] * count, ["▁word"] * count)
        path = pictures.attention(one, tmp_path / f"{count}.png")
        sizes.append(pixels(path).shape[:2])
        border = np.concatenate([pixels(path)[:, :12], pixels(path)[:, -12:]], axis=1)
        assert border.min() == 1.0  # nothing is cut off
    heights, widths = zip(*sizes, strict=True)
    assert list(heights) == sorted(heights)
    assert list(widths) == sorted(widths)
    assert widths[-1] == widths[-2] < 2200
    assert heights[-1] - heights[-2] < 60  # the line that tells of the others
    note = pictures._note(one, one.source[:40], one.target[:40])
    assert note == "the first 40 of 400 pieces of the source and 40 of 400 pieces of the translation"


@pytest.mark.parametrize(
    "pieces",
    [
        ["▁"],
        ["▁これは", "▁素晴らしい", "映画"],
        ["▁فيلم", "سرט"],
        ["$x_1^", "\\frac{", "%"],
        ["😀", "👩‍👩‍👧"],
        ["W" * 500],
        ["\ud800", "\x00", ""],
    ],
)
def test_any_piece(pieces, tmp_path):
    one = alignment([*pieces, "</s>"], ["</s>"])
    assert pixels(pictures.attention(one, tmp_path / "a.png")).shape[1] < 1200
    json.loads(pictures.attention(one, tmp_path / "a.json").read_text("utf-8"))


def test_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"a\.xyz: no picture format '\.xyz'"):
        pictures.attention(alignment(), tmp_path / "a.xyz")
    assert list(tmp_path.iterdir()) == []


def test_by_length(tmp_path):
    rows = [
        {"words": "1–3", "count": 30, "bleu": 20.0, "bleu_low": 15.0, "bleu_high": 26.0},
        {"words": "4–5", "count": 3000, "bleu": 40.0, "bleu_low": 39.0, "bleu_high": 41.0},
    ]
    path = pictures.by_length(rows, tmp_path / "with.png")
    blue = is_colour(path, "#2b6cb0")
    columns = np.flatnonzero(blue.sum(axis=0) > 20)
    middle = (columns[0] + columns[-1]) // 2
    left, right = blue[:, columns[0] : middle].sum(), blue[:, middle : columns[-1]].sum()
    assert right / left == pytest.approx(2, rel=0.05)  # the bars are as high as their numbers
    assert is_colour(path, "#22272e").sum() > 100  # the intervals
    pictures.by_length(rows[:1], tmp_path / "one.svg")
