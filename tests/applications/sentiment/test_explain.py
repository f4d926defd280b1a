import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from applications.sentiment import explain, explain_page
from zoo.errors import UserError
from zoo.inspect import Explanation, Word
from zoo.tasks import Prediction


def explanation(words=("not", "<b>", "bad"), attention=False, **changes):
    """An explanation of made-up numbers, which sum to the difference but for the residual."""
    generator = np.random.default_rng(0)
    table = generator.normal(size=(len(words), 2))
    shares = generator.dirichlet(np.ones(len(words)))
    found = {
        "text": 'Not <b> & "bad" \'un\x00\u202e',
        "prediction": Prediction("negative", 0.9, {"negative": 0.9, "positive": 0.1}),
        "label": "negative",
        "log_odds": 2.2,
        "baseline": "average",
        "baseline_log_odds": float(2.2 - table[:, 0].sum() + 0.01),
        "words": tuple(
            Word(word, (f"▁{word}",), float(one), float(other), float(share) if attention else None)
            for word, (one, other), share in zip(words, table, shares, strict=True)
        ),
        "steps": 32,
        "residual": 0.01,
        "converged": True,
        "gates": {
            "forward_0": {name: tuple(generator.uniform(size=len(words))) for name in ("input", "forget")}
        },
        "pieces": len(words),
    }
    return Explanation(**{**found, **changes})


MANY = explanation([f"word{number}" for number in range(400)], attention=True)
OTHERS = {
    "cut and not converged": {"pieces": 900, "converged": False, "residual": -0.7},
    "no gates": {"gates": {"forward_0": {}}},
    "seven labels": {
        "prediction": Prediction("a & b", 0.4, {"a & b": 0.4, **{f"label {n}": 0.1 for n in range(6)}}),
        "label": "label 5",
        "baseline": "random",
    },
    "several labels": {"prediction": Prediction("x", 0.2, {"x": 0.2, "negative": 0.1}, labels=())},
}


class Page(HTMLParser):
    """The tags of a page, checked to be closed, its texts, and the rows of its last table."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts, self.rows = [], [], [], [], []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "tr":
            self.rows.append([])
        if tag not in ("meta", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag != "rect":
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)
        if {"td", "th"} & set(self.open):
            self.rows[-1].append(data)


@pytest.mark.parametrize("name", ["plain", "attention", "many", *OTHERS])
def test_the_page_stands_alone(name):
    made = {"plain": explanation(), "attention": explanation(attention=True), "many": MANY}
    page = Page(html := explain_page.to_html(made.get(name) or explanation(**OTHERS[name])))
    assert html.startswith("<!doctype html>")
    assert not {"script", "link", "img", "iframe", "object", "b>"} & set(page.tags)
    assert not {key for key, _ in page.attributes} & {"src", "href", "onclick", "onload"}
    assert "url(" not in html
    assert "@import" not in html
    assert "http" not in html
    assert "\x00" not in html


def test_the_page_escapes_what_it_was_given():
    page = Page(html := explain_page.to_html(explanation()))
    assert "<b> &" not in html
    assert 'Not <b> & "bad" \'un \u202e' in page.texts
    assert page.texts.count("<b>") == 4  # twice coloured, on the axis, in the table
    assert "Why negative?" in page.texts


def test_the_page_shows_all_numbers():
    found = explanation(attention=True)
    rows = {row[0]: row[1:] for row in Page(explain_page.to_html(found)).rows if row}
    for word in found.words:
        numbers = [f"{word.integrated_gradients:+.4f}", f"{word.occlusion:+.4f}", f"{word.attention:.2%}"]
        assert rows[word.text] == numbers
    total = sum(word.integrated_gradients for word in found.words)
    assert rows["these words"] == [f"{total:+.4f}"]
    shown = [float(rows[name][0]) for name in ("these words", "residual", "a text that says nothing")]
    assert sum(shown) == pytest.approx(float(rows["this text"][0]), abs=2e-4)


def test_words_have_the_colours_of_their_numbers():
    found = explanation(["a", "b", "c"])
    html = explain_page.to_html(found)
    spans = re.findall(r'<span style="background:(#\w+)" title="([-+.\d]+)"><bdi>(\w)</bdi>', html)
    assert [(float(value), word) for _, value, word in spans[:3]] == [
        (round(word.integrated_gradients, 4), word.text) for word in found.words
    ]
    for colour, value, _ in spans:
        red, blue = int(colour[1:3], 16), int(colour[5:], 16)
        assert (blue > red) == (float(value) > 0)
    strongest = max(spans[:3], key=lambda span: abs(float(span[1])))
    assert strongest[0] in (
        explain_page.mixed(explain_page.FOR, 0.6),
        explain_page.mixed(explain_page.AGAINST, 0.6),
    )
    assert explain_page.mixed("#000000", 0.0) == "#ffffff"
    assert explain_page.mixed("#804020", 1.0) == "#804020"


def test_letters_are_legible_on_every_colour():
    def luminance(colour):
        parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return np.dot(linear, [0.2126, 0.7152, 0.0722])

    for colour in (explain_page.FOR, explain_page.AGAINST, explain_page.ATTENTION):
        contrast = (luminance(explain_page.mixed(colour, 0.6)) + 0.05) / (luminance("#22272e") + 0.05)
        assert contrast >= 4.5  # what WCAG 2.1 asks of text


def test_the_page_says_what_is_wrong():
    html = explain_page.to_html(explanation(**OTHERS["cut and not converged"]))
    assert "Its first 3 of 900 pieces are explained" in html
    assert "misses its sum by −0.700" in html
    assert 'class="note"' not in explain_page.to_html(explanation())
    assert "has no gates" in explain_page.to_html(explanation(**OTHERS["no gates"]))
    html = explain_page.to_html(explanation(**OTHERS["seven labels"]))
    answers = [row[0] for row in Page(html).rows if row and row[-1].endswith("%")]
    assert answers == ["a & b", "label 0", "label 1", "label 2", "label 3", "label 5"]
    assert "<p>and 1 more</p>" in html


def test_a_long_page_names_some_words_on_its_axis():
    assert explain_page.named(MANY.words) == [(place, f"word{place}") for place in range(0, 400, 10)]
    few = explanation(["a", "unbelievably-long-word"]).words
    assert explain_page.named(few) == [(0, "a"), (1, "unbelievably-lo…")]


def test_json(tmp_path):
    found = explanation(attention=True, log_odds=float("nan"))
    explain.write(found, tmp_path / "why.json")
    read = json.loads((tmp_path / "why.json").read_text("utf-8"))
    assert read["log_odds"] is None
    assert read["words"][1]["text"] == "<b>"
    assert read["words"][1]["attention"] == found.words[1].attention


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf", "PNG"])
def test_pictures(tmp_path, suffix):
    explain.write(explanation(attention=True), tmp_path / f"why.{suffix}")
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix.lower()]
    assert (tmp_path / f"why.{suffix}").read_bytes().startswith(start)


@pytest.mark.parametrize("name", ["many", *OTHERS])
def test_pictures_of_anything(tmp_path, name):
    explain.write(MANY if name == "many" else explanation(**OTHERS[name]), tmp_path / "why.svg")
    drawn = (tmp_path / "why.svg").read_text("utf-8")
    assert drawn.endswith("</svg>\n")


def test_a_picture_of_many_words_sums_up_the_others():
    from applications.sentiment import explain_picture

    names, values = explain_picture._bars(MANY, ["integrated_gradients", "occlusion", "attention"])
    assert (len(names), names[-1]) == (40, "361 other words")
    added = [word.integrated_gradients for word in MANY.words]
    np.testing.assert_allclose(values["integrated_gradients"].sum(), sum(added))
    np.testing.assert_allclose(values["attention"].sum(), 1)
    assert np.isnan(values["occlusion"]).tolist() == [False] * 39 + [True]
    weakest = min(abs(value) for value in values["integrated_gradients"][:-1])
    assert sum(abs(value) >= weakest for value in added) == 39
    assert names[:-1] == sorted(names[:-1], key=lambda name: int(name[4:]))


def test_lines():
    found = explanation(attention=True)
    lines = [line.split("\t") for line in explain.to_lines(found).splitlines()]
    assert lines[0] == ["word", "integrated_gradients", "occlusion", "attention"]
    assert [line[0] for line in lines[1:4]] == ["not", "<b>", "bad"]
    assert float(lines[1][1]) == pytest.approx(found.words[0].integrated_gradients, abs=1e-4)
    totals = dict(lines[4:])
    added = sum(float(line[1]) for line in lines[1:4])
    assert float(totals["(sum)"]) == pytest.approx(added, abs=3e-4)
    assert float(totals["(baseline)"]) + added - float(totals["(residual)"]) == pytest.approx(2.2, abs=3e-4)
    assert (totals["(log_odds)"], totals["(probability)"], totals["(label)"]) == (
        "2.2000",
        "0.9000",
        "negative",
    )
    assert explain.to_lines(explanation()).splitlines()[0] == "word\tintegrated_gradients\tocclusion"


def test_files_are_refused(tmp_path):
    (tmp_path / "why.html").touch()
    for name, said in (
        ("why.html", "exists"),
        ("why.htm", "did you mean '.html'"),
        ("no/why.html", "no folder"),
    ):
        with pytest.raises(UserError, match=said):
            explain.write(explanation(), tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["why.html"]


def test_a_task_is_asked():
    from zoo.tasks import SentimentClassifier

    with pytest.raises(UserError, match="learned nothing"):
        explain.explain(SentimentClassifier(), "text", label="x", steps=3)
