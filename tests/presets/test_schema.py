"""Schemas: what passes is returned unchanged, what does not is named by file and key."""

import math

import pytest

from zoo.errors import UserError
from zoo.presets import PresetError
from zoo.presets.schema import (
    DEPTH,
    Boolean,
    Choice,
    Integer,
    ListOf,
    MapOf,
    Number,
    Optional,
    String,
    check,
    plain,
)

NETWORK = {
    "units": Integer(1, 4096),
    "cell": Choice(["gru", "lstm"]),
    "dropout": Number(0, 1),
    "bidirectional": Boolean(),
    "labels": ListOf(String(max=5, min=1), max=3, min=2),
    "head": {"bias": Boolean(), "sizes": ListOf({"units": Integer(0, 9)}, max=2)},
    "scores": MapOf(Number(-math.inf, math.inf), max=2),
    "seed": Optional(Integer(0, 9), default=7),
}
GOOD = {
    "units": 8,
    "cell": "lstm",
    "dropout": 0.5,
    "bidirectional": False,
    "labels": ["no", "yes"],
    "head": {"bias": True, "sizes": [{"units": 0}]},
    "scores": {"accuracy": 1, "loss": -0.5},
    "seed": 3,
}


def test_good_value_comes_back_as_a_copy():
    found = check(GOOD, NETWORK, "config.json")
    assert found == GOOD
    assert list(found) == list(NETWORK)
    assert found["labels"] is not GOOD["labels"]
    assert found["head"] is not GOOD["head"]


def test_types_of_what_comes_back():
    found = check({**GOOD, "dropout": 1, "labels": ("no", "yes")}, NETWORK, "config.json")
    assert type(found["dropout"]) is float
    assert found["labels"] == ["no", "yes"]
    assert type(found["scores"]["accuracy"]) is float


@pytest.mark.parametrize("value", [{}, {"seed": None}])
def test_optional_has_its_default_when_missing_or_null(value):
    assert check(value, {"seed": Optional(Integer(0, 9), default=7)}, "f") == {"seed": 7}


def test_bounds_belong_to_the_range():
    schema = {"x": Integer(1, 3), "y": Number(0, 1)}
    for x, y in [(1, 0), (3, 1.0)]:
        assert check({"x": x, "y": y}, schema, "f") == {"x": x, "y": y}


@pytest.mark.parametrize(
    ("change", "path", "found"),
    [
        ({"units": 0}, "units", "0"),
        ({"units": 4097}, "units", "4097"),
        ({"units": True}, "units", "True"),
        ({"units": 8.0}, "units", "8.0"),
        ({"units": "8"}, "units", "'8'"),
        ({"units": None}, "units", "None"),
        ({"cell": "lsmt"}, "cell", "did you mean 'lstm'"),
        ({"cell": ["lstm"]}, "cell", "lstm"),
        ({"dropout": math.nan}, "dropout", "nan"),
        ({"dropout": 1.5}, "dropout", "1.5"),
        ({"dropout": True}, "dropout", "True"),
        ({"dropout": 10**400}, "dropout", "0000"),
        ({"bidirectional": 1}, "bidirectional", "1"),
        ({"labels": ["one"]}, "labels", "one"),
        ({"labels": ["a", "b", "c", "d"]}, "labels", "2 to 3"),
        ({"labels": "ab"}, "labels", "'ab'"),
        ({"labels": ["no", ""]}, "labels[1]", "''"),
        ({"labels": ["no", "sesame"]}, "labels[1]", "sesame"),
        ({"labels": ["no", 1]}, "labels[1]", "1"),
        ({"labels": ["no", "a\nb"]}, "labels[1]", r"a\nb"),
        ({"labels": ["no", "\x1b[1m"]}, "labels[1]", r"\x1b"),
        ({"labels": ["no", "\u202ea"]}, "labels[1]", r"\u202e"),
        ({"head": None}, "head", "None"),
        ({"head": {"bias": True}}, "head", "'sizes' is missing"),
        ({"head": {"bias": True, "sizes": [], "size": 1}}, "head", "did you mean 'sizes'"),
        ({"head": {"bias": True, "sizes": [{"units": 0}, {"units": 10}]}}, "head.sizes[1].units", "10"),
        ({"scores": {"a": math.inf}}, "scores.a", "inf"),
        ({"scores": {"a": 1, "b": 2, "c": 3}}, "scores", "at most 2"),
        ({"scores": {"a\x00": 1}}, "scores", r"a\x00"),
        ({"seed": 10}, "seed", "10"),
    ],
)
def test_bad_value_is_named(change, path, found):
    with pytest.raises(PresetError) as caught:
        check({**GOOD, **change}, NETWORK, "mine/config.json")
    message = str(caught.value)
    assert message.startswith(f"mine/config.json: {path}: ")
    assert found in message
    assert "\n" not in message
    assert len(message) < 300


@pytest.mark.parametrize("value", [None, [], "x", 3])
def test_no_dictionary(value):
    with pytest.raises(PresetError, match=r"f: found .* a dictionary with the keys units"):
        check(value, NETWORK, "f")


def test_unknown_and_missing_keys():
    with pytest.raises(PresetError, match="f: unknown key 'unit': did you mean 'units'"):
        check({**GOOD, "unit": 1}, NETWORK, "f")
    with pytest.raises(PresetError, match="f: the key 'cell' is missing"):
        check({key: GOOD[key] for key in GOOD if key != "cell"}, NETWORK, "f")


def test_long_hostile_key_is_cut():
    with pytest.raises(PresetError) as caught:
        check({"x" * 10**6: 1}, NETWORK, "f")
    assert len(str(caught.value)) < 300


def test_pattern_must_match_the_whole_text():
    schema = {"name": String(pattern="[a-z]+")}
    assert check({"name": "abc"}, schema, "f") == {"name": "abc"}
    for name in ["abc1", "", "1abc"]:
        with pytest.raises(PresetError, match=r"f: name: found .* of the form"):
            check({"name": name}, schema, "f")


def test_plain_passes_what_json_carries():
    plain({"a": [1, -2.5, True, None, "漢∘\n\t"], "b": {"c": (1, 2)}, "": 2**63 - 1}, "f")


def nested(levels):
    value = 0
    for _ in range(levels):
        value = [value]
    return value


def test_plain_has_a_depth():
    plain(nested(DEPTH), "f")
    with pytest.raises(PresetError, match="f: nested more than 16 levels deep"):
        plain(nested(DEPTH + 1), "f")


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        -math.inf,
        2**63,
        1j,
        b"x",
        {1},
        object,
        {1: 2},
        "\ud800",
        {"\udfff": 1},
        "\x00",
        "a\x1b[0m",
        "\x9b",
    ],
)
def test_plain_refuses_the_rest(value):
    for shell in (value, [value], {"key": [value]}):
        with pytest.raises(PresetError, match=r"^f: found "):
            plain(shell, "f")


def test_fault_is_an_error_that_users_can_mend():
    assert issubclass(PresetError, UserError)
