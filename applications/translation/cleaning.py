"""Training pairs cleaned of what teaches nothing, and a report of what was dropped."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from applications.translation.data import Pairs
from zoo.errors import UserError, check_range
from zoo.preprocessing import translation

REASONS = {
    "empty": "a side is empty",
    "too_long": "a side has more than {max_words} words",
    "ratio": "a side is more than {max_ratio:g} times as long as the other",
    "duplicate": "the same pair stood before",
}
"""Why a pair is dropped, in the order in which it is asked; a pair is counted once."""

_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")


@dataclass(frozen=True)
class Report:
    """What cleaning did.

    Attributes:
        total: pairs before.
        kept: pairs after.
        changed: pairs kept of which a side was written otherwise: white space, control characters, Unicode form.
        dropped: how many pairs for each of `REASONS`.
        limits: the arguments of `clean`.
    """

    total: int
    kept: int
    changed: int
    dropped: Mapping[str, int]
    limits: Mapping[str, Any]

    def lines(self) -> list[str]:
        """Return the report for people: a line for all, and one for each reason that was met."""
        first = f"kept {self.kept:,} of {self.total:,} pairs, {self.changed:,} of them tidied"
        reasons = {name: text.format(**self.limits) for name, text in REASONS.items()}
        return [first, *(f"dropped {n:,}: {reasons[name]}" for name, n in self.dropped.items() if n)]

    def to_dict(self) -> dict[str, Any]:
        """Return the report for machines, as JSON holds it."""
        return {
            "total": self.total,
            "kept": self.kept,
            "changed": self.changed,
            "dropped": dict(self.dropped),
            "limits": dict(self.limits),
        }


def clean(
    pairs: Pairs, *, max_words: int = 100, max_ratio: float = 4.0, duplicates: bool = True
) -> tuple[Pairs, Report]:
    """Return the pairs worth training on, one for each translation, and a report.

    Both sides are written as the preprocessor will read them (`zoo.preprocessing.translation.clean`). For training
    data alone: what is measured stays as it is.

    Args:
        pairs: with translations.
        max_words: the most words of a side. Words have white space between; of scripts that write none, such as
            Chinese and Thai, every character is one.
        max_ratio: how many times as many words as the other a side may have.
        duplicates: whether a pair that stood before, with both sides the same, is dropped.

    Raises:
        UserError: a limit below 1, or no pair is left.
    """
    check_range("max_words", max_words, 1)
    check_range("max_ratio", max_ratio, 1)
    pairs = pairs.expanded()
    rows = list(zip(pairs.sources, pairs.targets, strict=True))
    dropped, changed = Counter(dict.fromkeys(REASONS, 0)), 0
    kept: list[tuple[str, str]] = []
    seen: set[tuple[str, str]] = set()
    for row in rows:
        tidy = (translation.clean(row[0]), translation.clean(row[1]))
        short, long = sorted(len(_WORD.findall(text)) for text in tidy)
        if not short:
            dropped["empty"] += 1
        elif long > max_words:
            dropped["too_long"] += 1
        elif long > max_ratio * short:
            dropped["ratio"] += 1
        elif duplicates and tidy in seen:
            dropped["duplicate"] += 1
        else:
            kept.append(tidy)
            seen.add(tidy)
            changed += tidy != row
    limits = {"max_words": max_words, "max_ratio": max_ratio, "duplicates": duplicates}
    report = Report(len(rows), len(kept), changed, dict(dropped), limits)
    if not kept:
        why = "; ".join(report.lines()[1:])
        raise UserError(
            f"{pairs.source}: no pair is left after cleaning ({why}); mend the data or widen the limits"
        )
    texts, references = [text for text, _ in kept], [[target] for _, target in kept]
    return replace(pairs, sources=texts, references=references), report
