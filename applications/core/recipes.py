"""Recipes: frozen dataclasses that hold every number of a training, looked up, changed and written down."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from applications.core import catalogue
from zoo.errors import UserError, unknown

Recipe = TypeVar("Recipe")


def get(recipes: Mapping[str, Recipe], name: str) -> Recipe:
    """Return the recipe called `name`.

    Raises:
        UserError: none has that name; the nearest names are suggested.
    """
    if name not in recipes:
        raise unknown("recipe", name, recipes)
    return recipes[name]


def override(recipe: Recipe, settings: Sequence[str]) -> Recipe:
    """Return the recipe with some fields replaced.

    Args:
        recipe: a frozen dataclass.
        settings: `"name=value"` each. A value is read by the type of the field: numbers, text, `true` or
            `false`, `none` where the field may be None, items of a tuple with commas between.

    Raises:
        UserError: no `=`, no such field, or a value that the field cannot hold.
    """
    values = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise UserError(f"setting {setting!r}: write it as NAME=VALUE")
        values[name] = _value(_kind(type(recipe), name), text, f"setting {setting!r}", _read)
    return replace(recipe, **values)


def to_dict(recipe: Any) -> dict[str, Any]:
    """Return the fields of a recipe by name as JSON can hold them: tuples become lists."""
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in asdict(recipe).items()
    }


def from_dict(kind: type[Recipe], values: Mapping[str, Any]) -> Recipe:
    """Return the recipe of class `kind` that `to_dict` wrote down; a field may be left out for its default.

    Raises:
        UserError: no such field, or a value that the field cannot hold.
    """
    checked = {
        name: _value(_kind(kind, name), value, f"recipe: {name}", _plain) for name, value in values.items()
    }
    try:
        return kind(**checked)
    except TypeError as error:  # a field without default is missing
        raise UserError(f"recipe: {error}") from error


def _kind(recipe: type, name: str) -> Any:
    """Return the type of a field."""
    if name not in (names := [field.name for field in fields(recipe)]):
        raise unknown("setting", name, names)
    if name == "cell":
        return Literal[tuple(catalogue.cells())]
    return get_type_hints(recipe)[name]


def _value(kind: Any, given: Any, where: str, scalar: Callable[[type, Any], Any]) -> Any:
    """Return what was given as a value of type `kind`; `scalar` makes numbers, words and truth values."""
    options = get_args(kind)
    if get_origin(kind) in (Union, UnionType):
        if given is None or (scalar is _read and given.lower() == "none"):
            if NoneType in options:
                return None
        elif len(rest := [option for option in options if option is not NoneType]) == 1:
            return _value(rest[0], given, where, scalar)
    elif get_origin(kind) is tuple:
        items = [item for item in given.split(",") if item] if scalar is _read else given
        if isinstance(items, list):
            return tuple(_value(options[0], item, where, scalar) for item in items)
    elif get_origin(kind) is Literal:
        if given not in options:
            raise UserError(f"{where}: {unknown('value', given, options)}")
        return given
    else:
        try:
            return scalar(kind, given)
        except (KeyError, ValueError, OverflowError):
            pass
    raise UserError(f"{where}: give {_words(kind)}")


def _read(kind: type, text: str) -> Any:
    """Return the value that a text stands for."""
    if kind is bool:
        return {"true": True, "false": False}[text.lower()]
    return _plain(kind, kind(text))


def _plain(kind: type, value: Any) -> Any:
    """Return a JSON value if it is of the type; a whole number may stand for any number."""
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind or (kind is float and not math.isfinite(value)):
        raise ValueError
    return value


_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text", NoneType: "none"}


def _words(kind: Any) -> str:
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(map(_words, get_args(kind)))
    if get_origin(kind) is tuple:
        return f"a list, each item {_words(get_args(kind)[0])}"
    return _WORDS.get(kind, str(kind))
