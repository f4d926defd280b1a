"""The errors that a user can mend: one line that names what was found, where, and what to do."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches


class UserError(ValueError):
    """Base of every error caused by an argument, a file or data.

    The message is a single line: the file, line or argument, what was found there, and the remedy.
    The command line prints it without a traceback and exits with status 2.
    """


def check_range(
    name: str, value: float, least: float, *, most: float | None = None, below: float | None = None
) -> None:
    """Raise `UserError` unless `value` is a number from `least` on, up to `most`, or below `below`."""
    fits = least <= value and (most is None or value <= most) and (below is None or value < below)
    if not fits:  # nor does nan
        to = "" if most is None else f", at most {most:g}"
        to += "" if below is None else f", below {below:g}"
        raise UserError(f"{name}: got {value}; give a number of at least {least:g}{to}")


def check_inputs(owner: str, inputs: Mapping[str, object], needed: Iterable[str]) -> None:
    """Raise `UserError` unless all that is `needed` of a network's inputs is there; `owner` names the network."""
    needed = list(needed)
    lacking = [key for key in needed if key not in inputs]
    if lacking:
        raise UserError(f"{owner}: the inputs lack {', '.join(lacking)}: give {', '.join(needed)}")


def unknown(kind: str, name: object, choices: Iterable[str], remedy: str = "") -> UserError:
    """Return the error for a name that is not among `choices`; the nearest names are suggested.

    Args:
        kind: what the name stands for, such as `"cell"` or `"preset"`.
        name: what the user gave.
        choices: the names that exist.
        remedy: where to find all names; by default they are listed.
    """
    choices = sorted(choices)
    near = get_close_matches(str(name).lower(), choices, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    remedy = remedy or f"Choose from: {', '.join(choices) or 'none exist'}."
    return UserError(f"unknown {kind} {name!r}: {hint}{remedy}")
