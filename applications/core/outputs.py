"""Files that a command writes: refused where something exists, written whole or not at all."""

import argparse
import json
import math
import os
import re
import secrets
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zoo.errors import UserError, unknown

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def check_new(path: Path, suffixes: Collection[str] = ()) -> None:
    """Check, before any work is done, that a file can be written.

    Args:
        path: the file.
        suffixes: if given, its name must end in one of them.

    Raises:
        UserError: something exists under that name, its folder is missing or cannot be written, or its
            suffix is another.
    """
    if suffixes and path.suffix.lower() not in suffixes:
        raise UserError(f"{path}: {unknown('suffix', path.suffix, suffixes)}")
    if os.path.lexists(path):
        raise UserError(f"{path} exists and is left as it is: choose another name, or remove it")
    if not path.parent.is_dir():
        raise UserError(f"{path}: there is no folder {path.parent}: make it first, or choose another place")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UserError(f"{path}: the folder {path.parent} cannot be written: choose another place")


def check_folder(path: Path) -> None:
    """Check that a new folder can be made; parents that are missing can be made too.

    Raises:
        UserError: something other than an empty folder exists, or the nearest folder above it cannot be
            written.
    """
    if os.path.lexists(path) and not (path.is_dir() and not any(path.iterdir())):
        raise UserError(f"{path} exists and is left as it is: choose another name, or remove it")
    above = next(parent for parent in (path, *path.absolute().parents) if os.path.lexists(parent))
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise UserError(f"{path}: {above} is no folder that can be written: choose another place")


def print_json(parser: argparse.ArgumentParser, measure: Callable[..., dict[str, Any]]) -> None:
    """Print what `measure` returns for the command line's arguments, which are its own by name.

    A user's mistake ends the process with one line and status 2.
    """
    given = vars(parser.parse_args())
    try:
        result = measure(**given)
    except UserError as error:
        parser.exit(2, f"{parser.prog}: error: {to_line(str(error))}\n")
    print(json.dumps(result))


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield the path of a hidden file of the same suffix to write; afterwards it is renamed to `path`.

    On any fault nothing is left behind.

    Raises:
        UserError: as `check_new` does.
    """
    check_new(path)
    partial = path.with_name(f".{secrets.token_hex(8)}.partial{path.suffix}")
    try:
        yield partial
        check_new(path)
        os.rename(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write(path: Path, text: str) -> None:
    """Write a new file in UTF-8, flushed to the disk; a lone surrogate is written as its escape.

    Raises:
        UserError: as `check_new` does.
        OSError: the disk is full, say.
    """
    with new_file(path) as partial, open(partial, "xb") as file:
        file.write(text.encode(errors="backslashreplace"))
        file.flush()
        os.fsync(file.fileno())


def to_json(value: Any) -> str:
    """Return JSON for people and programs: indented, other letters than ASCII as they are.

    What is no number (a metric that these data do not define) becomes null. A lone surrogate stays one until
    it is written by `write` or printed, then it is the JSON escape it needs.
    """
    return json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def to_line(text: str) -> str:
    """Return a text for one line of output: no tab, no line break, nothing that drives a terminal."""
    return _CONTROL.sub(" ", text).strip()
