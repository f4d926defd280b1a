"""The answers of `zoo predict` for this application: what gives them, how they are written and drawn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from applications.core import answers
from applications.core.answers import Answered, Plain
from applications.translation import pictures
from zoo.errors import UserError
from zoo.preprocessing.translation import clean

if TYPE_CHECKING:
    from zoo.tasks import Translator

PICTURES = pictures.SUFFIXES


@dataclass(frozen=True)
class Answer:
    """The translation of a text, or its best ones.

    Attributes:
        translation: the best one; "" of a blank text.
        candidates: where several were asked for, a row each, the best first: `number`, from 1, `score`,
            `log_probability`, `translation`; else empty.
    """

    translation: str
    candidates: tuple[dict[str, Plain], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the translation, or a list of `translations`."""
        return (
            {"translations": list(self.candidates)} if self.candidates else {"translation": self.translation}
        )


class Answers:
    """Translates as it was told to, see `zoo.tasks.Translator.translate`; a blank text's translation is blank."""

    def __init__(self, task: "Translator", **how: Any):
        self.task, self.how = task, how

    def predict(self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None) -> list[Answer]:
        """Return an answer for each text; call `progress` with the number of texts that are done."""
        places = [place for place, text in enumerate(texts) if clean(text)]
        blank = len(texts) - len(places)
        several = self.how["n_best"] is not None
        found = [_answer([("", 0.0, 0.0)] if several else "")] * len(texts)
        if places:
            translations = self.task.translate(
                [texts[place] for place in places],
                progress=progress and (lambda done: progress(blank + done)),
                **self.how,
            )
            for place, one in zip(places, translations, strict=True):
                rows = [(it.text, it.score, it.log_probability) for it in one] if several else one
                found[place] = _answer(rows)
        elif progress:
            progress(blank)
        return found


def _answer(found: str | Sequence[tuple[str, float, float]]) -> Answer:
    if isinstance(found, str):
        return Answer(found)
    rows = (
        {"number": number, "score": float(score), "log_probability": float(logs), "translation": text}
        for number, (text, score, logs) in enumerate(found, 1)
    )
    return Answer(found[0][0], tuple(rows))


def _columns(row: Answered) -> list[dict[str, Plain]]:
    """Return a row of a table for each translation."""
    return [row.beside(one) for one in row.answer.candidates or [row.answer.to_dict()]]


def _lines(row: Answered) -> list[list[Plain]]:
    """Return the translation alone; of several a line each with number and score."""
    names = ("number", "score", "translation")
    found = [[one[name] for name in names] for one in row.answer.candidates] or [[row.answer.translation]]
    return [[*row.kept.values(), *values] for values in found]


FORMATS = answers.formats(_columns, _lines)


def check(texts: Sequence[str], count: int, *, drawn: bool) -> None:
    """Check what can be told before the task is loaded.

    Args:
        texts: those that were typed; blank lines of a file are answered by blank ones.
        count: how many there are, with those of a file.
        drawn: whether there is to be a picture.

    Raises:
        UserError: a blank text, or a picture of another number of texts than one.
    """
    for number, text in enumerate(texts, 1):
        if not clean(text):
            raise UserError(f"predict: text {number} is empty: give a sentence, or leave it out")
    if drawn and count != 1:
        raise UserError(f"--plot: draws the attention of one text, found {count:,}: give one of them")


def answering(task: "Translator", **how: Any) -> Answers:
    """Return what answers texts, an `applications.core.stream.Task`; `how` are options of `ANSWERING`."""
    return Answers(task, **how)


def draw(task: "Translator", block: Sequence[Answered], count: int, path: Path) -> None:
    """Draw what each piece of the translation that was found attended to in the only text.

    Raises:
        UserError: a text that is translated sentence by sentence, or a network without attention.
    """
    [row] = block
    parts = task.preprocessor.parts(row.text)
    if len(parts) > 1:
        raise UserError(f"--plot: draws one sentence, the text was cut into {len(parts):,}: give one of them")
    pictures.attention(task.align(row.text, row.answer.translation), path)
