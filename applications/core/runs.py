"""Run folders: what may be written into one, and which arguments a run in it began with."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from applications.core import outputs
from zoo.errors import UserError

RECORD = Path("logs", "run.json")


def is_finished(out: Path, arguments: Mapping[str, Any]) -> bool:
    """Return whether a run with these arguments has been finished in `out`: it has its preset.

    Args:
        out: the run folder; it need not exist.
        arguments: all that decides what comes out, for JSON.

    Raises:
        UserError: `out` holds something else, or a run with other arguments, or cannot be written.
    """
    again = "choose another --out"
    if not out.is_dir() or not any(out.iterdir()):
        outputs.check_folder(out)
        return False
    if not (out / RECORD).is_file():
        raise UserError(f"{out} holds files that are not of a run (there is no {RECORD}): {again}")
    try:
        began = json.loads((out / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{out / RECORD} cannot be read ({error}): {again}") from error
    given = json.loads(json.dumps(arguments))
    for name in {**began, **given} if isinstance(began, dict) else ["arguments"]:
        old, new = (found.get(name) if isinstance(found, dict) else found for found in (began, given))
        if old != new:
            raise UserError(f"{out} holds a run with {name} {old!r}, not {new!r}: {again}")
    return (out / "preset").is_dir()


@contextmanager
def begin(out: Path, arguments: Mapping[str, Any]) -> Iterator[None]:
    """Write down the arguments of a run while it is made; if it fails with nothing made, leave nothing.

    Raises:
        UserError: as `is_finished` does.
    """
    is_finished(out, arguments)
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        if not (out / RECORD).exists():
            (out / RECORD).parent.mkdir(parents=True, exist_ok=True)
            outputs.write(out / RECORD, outputs.to_json(arguments))
        yield
    except BaseException:
        _forget(out, made)
        raise


def _forget(out: Path, made: list[Path]) -> None:
    """Remove a run folder that holds the record at most, and the folders that were made for it."""
    inside = list(out.rglob("*"))
    if any(not path.is_dir() and path != out / RECORD for path in inside):
        return
    (out / RECORD).unlink(missing_ok=True)
    for folder in (*sorted((path for path in inside if path.is_dir()), reverse=True), *made):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
