"""Cleaning of training pairs: each reason on its own, counted once, and told."""

import json

import pytest

from applications.translation import data
from applications.translation.cleaning import clean
from applications.translation.data import Pairs
from zoo.errors import UserError


def pairs(*rows):
    return Pairs([text for text, _ in rows], [[target] for _, target in rows], "de", "en", "own.tsv", "train")


def rows(found):
    return list(zip(found.sources, found.targets, strict=True))


def test_clean():
    given = pairs(
        ("Hallo!", "Hi."),
        ("  Gru\u0308\u00df\u00a0Gott!\u2003", "Hello\x07 \tthere.\x00"),  # tidied
        ("Hallo!", "Hi. "),  # the first again, when tidied
        ("Hallo!", "Hello."),  # one side alone is no duplicate
        ("\x01 ", "Nothing."),
        ("Nichts.", ""),
        ("w " * 6, "w " * 5),
        ("w " * 5, "w " * 6),
        ("w w w w w", "w"),
        ("w", "w w w w w"),
        ("w w w w", "w"),
        ("w " * 60, ""),  # empty comes before too long
    )
    cleaned, report = clean(given, max_words=5, max_ratio=4)
    assert rows(cleaned) == [
        ("Hallo!", "Hi."),
        ("Grüß Gott!", "Hello there."),
        ("Hallo!", "Hello."),
        ("w w w w", "w"),
    ]
    assert (cleaned.source_language, cleaned.source, cleaned.split) == ("de", "own.tsv", "train")
    assert report.to_dict() == {
        "total": 12,
        "kept": 4,
        "changed": 1,
        "dropped": {"empty": 3, "too_long": 2, "ratio": 2, "duplicate": 1},
        "limits": {"max_words": 5, "max_ratio": 4, "duplicates": True},
    }
    assert json.loads(json.dumps(report.to_dict())) == report.to_dict()
    assert report.lines() == [
        "kept 4 of 12 pairs, 1 of them tidied",
        "dropped 3: a side is empty",
        "dropped 2: a side has more than 5 words",
        "dropped 2: a side is more than 4 times as long as the other",
        "dropped 1: the same pair stood before",
    ]
    again, report = clean(cleaned, max_words=5, max_ratio=4)
    assert again == cleaned
    assert report.lines() == ["kept 4 of 4 pairs, 0 of them tidied"]


def test_duplicates_may_stay():
    given = pairs(("Hallo!", "Hi."), ("Hallo!", "Hi."))
    assert rows(clean(given, duplicates=False)[0]) == rows(given)
    assert len(clean(given)[0]) == 1


def test_every_translation_is_a_pair():
    given = Pairs(["Hallo!"], [["Hi.", "Hello.", "Hi.", " "]], "de", "en", "own.jsonl")
    cleaned, report = clean(given)
    assert cleaned.references == [["Hi."], ["Hello."]]
    assert (report.total, report.dropped["duplicate"], report.dropped["empty"]) == (4, 1, 1)


def test_scripts_without_spaces_are_counted_by_character():
    given = pairs(("我昨天读了一本书。", "I read a book yesterday."), ("สวัสดีครับ", "Hello there my friend."))
    assert rows(clean(given, max_ratio=2.5)[0]) == rows(given)
    assert clean(given, max_words=9, max_ratio=2.5)[1].dropped["too_long"] == 1  # Thai has 10 signs
    assert clean(pairs(("Привет, мир!", "Hello, world!")), max_words=2)[1].kept == 1


def test_nothing_left():
    with pytest.raises(UserError) as fault:
        clean(pairs(("w w w", "w"), ("", "w")), max_ratio=2)
    assert str(fault.value) == (
        "own.tsv: no pair is left after cleaning (dropped 1: a side is empty; dropped 1: a side is more than 2 times "
        "as long as the other); mend the data or widen the limits"
    )


@pytest.mark.parametrize(
    ("name", "value"), [("max_words", 0), ("max_ratio", 0.5), ("max_ratio", float("nan"))]
)
def test_limits(name, value):
    with pytest.raises(UserError, match=f"{name}: got"):
        clean(pairs(("a", "b")), **{name: value})


def test_sample_is_clean():
    training = data.load("builtin", "train")
    cleaned, report = clean(training)
    assert cleaned == training
    assert (report.kept, report.changed) == (108, 0)
