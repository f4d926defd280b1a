"""What the JSON dictionaries of a preset may hold: kinds of value, and a function that checks by them.

    NETWORK = {"units": Integer(1, 4096), "cell": Choice(["lstm", "gru"]), "labels": ListOf(String(), max=9)}
    check(preset.config["network"], NETWORK, "config.json")

A schema is a dictionary: key -> kind, or key -> another schema. Every key must be there unless its kind
is `Optional`, and no other key may be.
"""

import re
import reprlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.errors import UserError, unknown

DEPTH = 16  # levels of lists and dictionaries in one file

# Control characters drive the terminal they are printed on, bidirectional overrides disguise a text, and
# halves of surrogate pairs cannot be encoded. Tabs and line breaks are left out.
CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_show = reprlib.Repr()
_show.maxstring = _show.maxother = 60


class PresetError(UserError):
    """A fault in a preset: the message names the folder or file, what was found there, and the remedy."""


def check(value: Any, schema: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a checked copy of a dictionary that came out of JSON.

    Args:
        value: what was read.
        schema: key -> kind, or key -> another schema.
        where: what error messages begin with: the file, or the file and the key that led here.

    Returns:
        The keys of `schema`, in its order; optional keys that are missing have their default.

    Raises:
        PresetError: an unknown or missing key, a wrong type, a value out of range.
    """
    return _table(value, schema, f"{where}: ", where)


def plain(value: Any, where: str, depth: int = DEPTH) -> None:
    """Refuse what JSON would not bring back unchanged, or a terminal should not print.

    Tuples pass, though they come back as lists.

    Args:
        value: None, a boolean, number, string, list or dictionary of these.
        where: what error messages begin with.
        depth: levels of nesting that are left.

    Raises:
        PresetError: another type, a number that is not finite or beyond 64 bits, a key that is no string,
            text with control characters (tabs and line breaks pass), too deep a nesting.
    """
    if depth < 0:
        raise PresetError(f"{where}: nested more than {DEPTH} levels deep: flatten it")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise _wrong(where, key, "strings as keys")
            plain(key, where, depth)
            plain(item, where, depth - 1)
    elif isinstance(value, list | tuple):
        for item in value:
            plain(item, where, depth - 1)
    elif isinstance(value, str):
        if found := CONTROLS.search(value):
            raise _wrong(where, found.group(), "no control character in a text")
    elif isinstance(value, int):
        if abs(value) >= 2**63:
            raise _wrong(where, value, "numbers within 64 bits")
    elif isinstance(value, float):
        if not abs(value) <= sys.float_info.max:
            raise _wrong(where, value, "finite numbers")
    elif value is not None:
        raise _wrong(where, value, "what JSON can hold")


@dataclass(frozen=True)
class Integer:
    """A whole number from `min` to `max`; neither `True` nor `1.0` is one."""

    min: int
    max: int

    def check(self, value: Any, where: str) -> int:
        """Return the number, or raise PresetError."""
        if type(value) is not int or not self.min <= value <= self.max:
            raise _wrong(where, value, f"a whole number from {self.min} to {self.max}")
        return value


@dataclass(frozen=True)
class Number:
    """A finite number from `min` to `max`, whole or not."""

    min: float
    max: float

    def check(self, value: Any, where: str) -> float:
        """Return the number as a float, or raise PresetError."""
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not self.min <= value <= self.max
            or abs(value) > sys.float_info.max
        ):
            raise _wrong(where, value, f"a number from {self.min} to {self.max}")
        return float(value)


@dataclass(frozen=True)
class Boolean:
    """`true` or `false`."""

    def check(self, value: Any, where: str) -> bool:
        """Return the truth value, or raise PresetError."""
        if not isinstance(value, bool):
            raise _wrong(where, value, "true or false")
        return value


@dataclass(frozen=True)
class String:
    """Text of `min` to `max` characters on one line, without control characters.

    With `pattern`, a regular expression, the whole text must match it.
    """

    max: int = 200
    min: int = 0
    pattern: str | None = None

    def check(self, value: Any, where: str) -> str:
        """Return the text, or raise PresetError."""
        if not isinstance(value, str) or not self.min <= len(value) <= self.max:
            raise _wrong(where, value, f"text of {self.min} to {self.max} characters")
        if CONTROLS.search(value) or set("\t\r\n") & set(value):
            raise _wrong(where, value, "one line of text without control characters")
        if self.pattern is not None and not re.fullmatch(self.pattern, value):
            raise _wrong(where, value, f"text of the form {self.pattern}")
        return value


@dataclass(frozen=True)
class Choice:
    """One of the given strings."""

    options: Sequence[str]

    def check(self, value: Any, where: str) -> str:
        """Return the string, or raise PresetError with the nearest ones."""
        if not isinstance(value, str) or value not in self.options:
            raise PresetError(f"{where}: {unknown('value', str(value)[:60], self.options)}")
        return value


@dataclass(frozen=True)
class ListOf:
    """A list of `min` to `max` items, each of one kind (or one schema)."""

    kind: Any
    max: int
    min: int = 0

    def check(self, value: Any, where: str) -> list[Any]:
        """Return the list of checked items, or raise PresetError."""
        if not isinstance(value, list | tuple) or not self.min <= len(value) <= self.max:
            raise _wrong(where, value, f"a list of {self.min} to {self.max} items")
        return [_item(self.kind, item, f"{where}[{index}]") for index, item in enumerate(value)]


@dataclass(frozen=True)
class MapOf:
    """A dictionary of at most `max` entries with any keys, each value of one kind (or one schema)."""

    kind: Any
    max: int

    def check(self, value: Any, where: str) -> dict[str, Any]:
        """Return the dictionary of checked values, or raise PresetError."""
        if not isinstance(value, Mapping) or len(value) > self.max:
            raise _wrong(where, value, f"a dictionary of at most {self.max} entries")
        return {
            String().check(key, where): _item(self.kind, item, f"{where}.{key[:60]}")
            for key, item in value.items()
        }


@dataclass(frozen=True)
class Optional:
    """A value of a kind (or schema) that may be missing or null; then it is `default`."""

    kind: Any
    default: Any = None

    def check(self, value: Any, where: str) -> Any:
        """Return the checked value or the default, or raise PresetError."""
        return self.default if value is None else _item(self.kind, value, where)


def _table(value: Any, schema: Mapping[str, Any], prefix: str, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(where, value, f"a dictionary with the keys {', '.join(schema)}")
    for key in value:
        if key not in schema:
            raise PresetError(f"{where}: {unknown('key', str(key)[:60], schema)}")
    for key, kind in schema.items():
        if key not in value and not isinstance(kind, Optional):
            raise PresetError(f"{where}: the key {key!r} is missing: add it, or fetch the preset again")
    return {key: _item(kind, value.get(key), f"{prefix}{key}") for key, kind in schema.items()}


def _item(kind: Any, value: Any, where: str) -> Any:
    if isinstance(kind, Mapping):
        return _table(value, kind, f"{where}.", where)
    return kind.check(value, where)


def _wrong(where: str, value: Any, wanted: str) -> PresetError:
    return PresetError(f"{where}: found {_show.repr(value)}, expected {wanted}")
