"""Recipes: looked up, changed by `--set`, written down and read again."""

import json
from dataclasses import dataclass
from typing import Literal

import pytest

from applications.core import recipes
from zoo.errors import UserError


@dataclass(frozen=True)
class Recipe:
    cell: str = "lstm"
    pooling: Literal["last", "max"] = "max"
    units: int = 8
    rate: float = 0.5
    tuned: bool = True
    patience: int | None = None
    sizes: tuple[int, ...] = (3, 4)
    vectors: str | None = "glove.txt"


def test_get():
    table = {"tiny": Recipe(units=2), "large": Recipe()}
    assert recipes.get(table, "tiny") is table["tiny"]
    with pytest.raises(UserError, match="unknown recipe 'tinny': did you mean 'tiny'"):
        recipes.get(table, "tinny")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("cell=min_gru", "min_gru"),
        ("pooling=last", "last"),
        ("units=64", 64),
        ("rate=1e-3", 0.001),
        ("rate=1", 1.0),
        ("tuned=False", False),
        ("patience=3", 3),
        ("patience=none", None),
        ("sizes=1,2,3", (1, 2, 3)),
        ("sizes=", ()),
        ("vectors=a=b.txt", "a=b.txt"),
        ("vectors=none", None),
        ("vectors=", ""),
    ],
)
def test_override(setting, value):
    name = setting.partition("=")[0]
    changed = recipes.override(Recipe(patience=7), [setting])
    assert getattr(changed, name) == value
    assert type(getattr(changed, name)) is type(value)


def test_override_takes_the_last_of_two_and_leaves_the_rest():
    assert recipes.override(Recipe(), ["units=1", "rate=2", "units=3"]) == Recipe(units=3, rate=2.0)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("units", "write it as NAME=VALUE"),
        ("unit=3", "unknown setting 'unit': did you mean 'units'"),
        ("units=3.5", "setting 'units=3.5': give a whole number"),
        ("units=", "give a whole number"),
        ("units=none", "give a whole number"),
        ("rate=nan", "give a number"),
        ("rate=inf", "give a number"),
        ("tuned=1", "give true or false"),
        ("patience=x", "give a whole number"),
        ("sizes=1,x", "give a whole number"),
        ("cell=lsmt", "unknown value 'lsmt': did you mean 'lstm'"),
        ("pooling=mean", "unknown value 'mean'"),
    ],
)
def test_override_refuses(setting, said):
    with pytest.raises(UserError, match=said):
        recipes.override(Recipe(), [setting])


def test_a_dictionary_and_back():
    recipe = Recipe(patience=2, sizes=(), vectors=None)
    written = json.loads(json.dumps(recipes.to_dict(recipe)))
    assert written["sizes"] == []
    assert recipes.from_dict(Recipe, written) == recipe
    assert recipes.from_dict(Recipe, {"rate": 1}) == Recipe(rate=1.0)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"unit": 1}, "unknown setting 'unit'"),
        ({"units": "1"}, "recipe: units: give a whole number"),
        ({"units": True}, "give a whole number"),
        ({"rate": float("nan")}, "give a number"),
        ({"rate": 10**400}, "give a number"),
        ({"tuned": 1}, "give true or false"),
        ({"cell": "lsmt"}, "unknown value 'lsmt'"),
        ({"cell": ["lstm"]}, "unknown value"),
        ({"patience": "x"}, "give a whole number"),
        ({"sizes": 3}, "give a list, each item a whole number"),
        ({"sizes": [None]}, "give a whole number"),
        ({"vectors": 3}, "give text"),
    ],
)
def test_from_dict_refuses(values, said):
    with pytest.raises(UserError, match=said):
        recipes.from_dict(Recipe, values)


def test_from_dict_wants_every_field_without_default():
    @dataclass(frozen=True)
    class Bare:
        units: int

    with pytest.raises(UserError, match="units"):
        recipes.from_dict(Bare, {})
