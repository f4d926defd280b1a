"""Translations on the command line: a line for each text, also for a blank one, in every format; the attention."""

import csv
import io
import json
from types import SimpleNamespace

import pytest

from applications.core import stream
from applications.translation import predict
from applications.translation.options import ANSWERING
from zoo.errors import UserError

TEXTS = ["Guten Tag", "", " \t\x00", "Ja, gut."]


class Reverse:
    """Turns texts round; of each the n-th best translation has n letters less."""

    preprocessor = SimpleNamespace(parts=lambda text: text.split(". "))

    def __init__(self):
        self.asked = []

    def translate(self, texts, *, n_best=None, progress=None, **how):
        assert all(text.strip() for text in texts)
        self.asked.append((list(texts), how))
        if progress:
            progress(len(texts))
        if n_best is None:
            return [text[::-1] for text in texts]
        return [
            [
                SimpleNamespace(text=text[::-1][rank:], score=-rank / 2, log_probability=0.0 - rank)
                for rank in range(n_best)
            ]
            for text in texts
        ]

    def align(self, source, target):
        return SimpleNamespace(to_dict=lambda: {"source": [source], "target": [target]})


def written(suffix, texts=TEXTS, kept=None, with_text=True, task=None, **how):
    """What is written of texts as answered by `how`."""
    asked = predict.answering(task or Reverse(), **{**ANSWERING, **how})
    rows, pieces = [(text, kept or {}) for text in texts], []
    with stream.writing(pieces.append, predict.FORMATS[suffix]) as put:
        for block in stream.predict(asked, rows, with_text=with_text):
            put(block)
    return "".join(pieces)


def test_every_text_gets_its_line():
    assert written(".txt") == "gaT netuG\n\n\n.tug ,aJ\n"
    assert written(".txt", ["", ""]) == "\n\n"
    assert written(".txt", ["a"], kept={"id": "7"}) == "7\ta\n"


def test_the_best_ones_have_number_and_score():
    assert written(".txt", ["abc", ""], n_best=2) == "1\t0.0000\tcba\n2\t-0.5000\tba\n1\t0.0000\t\n"


def test_tables_are_read_back():
    rows = list(csv.DictReader(io.StringIO(written(".csv"), newline="")))
    assert rows[3] == {"text": "Ja, gut.", "translation": ".tug ,aJ"}
    assert [row["translation"] for row in rows] == ["gaT netuG", "", "", ".tug ,aJ"]
    assert written(".tsv", ["ab", ""], kept={"id": "7"}, with_text=False) == "id\ttranslation\n7\tba\n7\t\n"
    assert written(".csv", ["ab"], n_best=2) == (
        "text,number,score,log_probability,translation\nab,1,0.0,0.0,ba\nab,2,-0.5,-1.0,a\n"
    )


def test_json_has_an_object_for_each_text():
    assert json.loads(written(".json"))[1] == {"text": "", "translation": ""}
    [row] = map(json.loads, written(".jsonl", ["ab"], n_best=2).splitlines())
    assert row["text"] == "ab"
    assert row["translations"][1] == {"number": 2, "score": -0.5, "log_probability": -1.0, "translation": "a"}


def test_the_task_is_told_how_and_asked_for_texts_alone():
    task, done = Reverse(), []
    asked = predict.answering(task, **{**ANSWERING, "beam": 1})
    asked.predict(TEXTS, progress=done.append)
    assert task.asked == [
        (
            ["Guten Tag", "Ja, gut."],
            {"beam": 1, "length_penalty": 1.0, "coverage_penalty": 0.0, "temperature": None, "seed": 0},
        )
    ]
    asked.predict([""], progress=done.append)
    assert (done, len(task.asked)) == ([4, 1], 1)


def test_what_cannot_be_answered_is_told_before():
    predict.check(["a"], 1, drawn=True)
    predict.check([], 3, drawn=False)
    with pytest.raises(UserError, match="text 2 is empty"):
        predict.check(["a", " "], 2, drawn=False)
    for count in (0, 2):
        with pytest.raises(UserError, match=f"one text, found {count}"):
            predict.check([], count, drawn=True)


def test_the_attention_of_what_was_translated(tmp_path):
    task = Reverse()
    [block] = stream.predict(predict.answering(task, **ANSWERING), [("ab", {})])
    predict.draw(task, block, 1, tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text())["target"] == ["ba"]
    [block] = stream.predict(predict.answering(task, **ANSWERING), [("a. b", {})])
    with pytest.raises(UserError, match="draws one sentence, the text was cut into 2"):
        predict.draw(task, block, 1, tmp_path / "b.json")
