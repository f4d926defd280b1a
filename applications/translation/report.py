"""The numbers of a translator on pairs of sentences, by length too, with examples, pictures and attention."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from sacrebleu.metrics import BLEU, CHRF

from applications.core import outputs, plots, tables
from applications.core.examples import KINDS, graded
from applications.translation import pictures
from applications.translation.data import Pairs, unseen
from zoo.errors import UserError

RESAMPLES, SEED = 1000, 12345  # sacreBLEU's own
EXAMPLES = 5  # of each kind
SHOWN = 400  # characters of each
LENGTHS = (1, 5, 7, 9, 11, 14, 17, 21, 31, 51)  # words of the source from which on a row of BLEU by length is
ALIGNED = 30  # words of the source up to which a sentence's attention is drawn


class Task(Protocol):
    """What is measured: `zoo.tasks.Translator` is one."""

    source_language: str
    target_language: str
    preprocessor: Callable[[Sequence[str]], Sequence[np.ndarray]]

    def translate(self, texts: Sequence[str], **search: float) -> list[str]:
        """Return a translation of each text; `search` as `evaluate` takes it."""

    def score(self, sources: Sequence[str], targets: Sequence[str]) -> np.ndarray:
        """Return the log-probability of each target, its end included, in nats, float64 (count,)."""

    def align(self, source: str, target: str | None = None) -> pictures.Alignment:
        """Return what each piece of `target` attends to in `source`."""


def tokenization(pairs: Pairs) -> str:
    """Return how sacreBLEU's BLEU is to cut these texts: `"none"` where they are tokenised already, else `"13a"`."""
    return "none" if _corpus_of(pairs) == "multi30k" else "13a"


def about(task: Task, pairs: Pairs) -> dict[str, Any]:
    """Return what makes the numbers of `evaluate` comparable: sacreBLEU's signatures, references, languages.

    `references` is the most of one sentence.
    """
    return {
        **_signatures(*_metrics(pairs, references=_streams(pairs.references))),
        "references": max(map(len, pairs.references)),
        "source_language": task.source_language,
        "target_language": task.target_language,
    }


def evaluate(
    task: Task,
    pairs: Pairs,
    *,
    beam: int = 5,
    length_penalty: float = 1.0,
    coverage_penalty: float = 0.0,
    train: Pairs | None = None,
) -> dict[str, float]:
    """Return how good the translations of all sources are, by all references of each.

    Args:
        task: what is measured.
        pairs: what it is measured on.
        beam: hypotheses that the search keeps.
        length_penalty: see `zoo.decoding.beam`.
        coverage_penalty: the same.
        train: what the task has learned from; for `tatoeba:PATH` it is read if it is not given.

    Returns:
        `bleu` and `chrf` from 0 to 100 (sacreBLEU's, signatures in `about`); `log_loss`, nats for a piece of the
        first reference; where `train` is known, `bleu_unseen`: BLEU without the pairs of which a side occurs
        there, if any others are left.

    Raises:
        UserError: no pairs, or those of the opposite direction.
    """
    search = {"beam": beam, "length_penalty": length_penalty, "coverage_penalty": coverage_penalty}
    _check(task, pairs)
    scorers = _scorers(pairs, task.translate(pairs.sources, **search))
    return _measure(task, pairs, *scorers, _unseen(pairs, train))


def write(
    task: Task,
    pairs: Pairs,
    folder: str | Path,
    *,
    train: Pairs | None = None,
    history: Sequence[Mapping[str, Any]] | None = None,
    beam: int = 5,
    length_penalty: float = 1.0,
    coverage_penalty: float = 0.0,
) -> dict[str, Any]:
    """Write a report into `folder`: report.md, report.json, translations.txt and pictures, all or nothing.

    Args:
        task: what is measured.
        pairs: what it is measured on.
        folder: made if it is missing; files of an earlier report there are replaced.
        train: as in `evaluate`.
        history: a row an epoch (see `applications.core.plots.training_curves`), for the training curves.
        beam: as in `evaluate`.
        length_penalty: as in `evaluate`.
        coverage_penalty: as in `evaluate`.

    Returns:
        What report.json holds: data, split, count, `unseen` (pairs that training has not seen), what `about` returns,
        `search`, `metrics` (those of `evaluate`), `intervals` (95%, of BLEU and chrF: sacreBLEU's bootstrap),
        `precisions`, `length_ratio` (translation to reference) and `brevity_penalty` of BLEU, `by_length` (a row for
        each class of source lengths), `examples` (good, middling and bad ones by their chrF), `attention` (the
        sentences that are drawn).

    Raises:
        UserError: as `evaluate` does.
    """
    search = {"beam": beam, "length_penalty": length_penalty, "coverage_penalty": coverage_penalty}
    _check(task, pairs)
    translations = task.translate(pairs.sources, **search)
    rows = _unseen(pairs, train)
    bleu, chrf = scorers = _scorers(pairs, translations)
    score = bleu()
    examples = _examples(pairs, translations, chrf)
    alignments = _alignments(task, pairs, translations, examples)
    report = {
        "data": pairs.source,
        "split": pairs.split,
        "count": len(pairs),
        "unseen": None if rows is None else len(rows),
        **about(task, pairs),
        "search": search,
        "metrics": _measure(task, pairs, *scorers, rows),
        "intervals": {"bleu": bleu.interval(), "chrf": chrf.interval()},
        **_signatures(bleu.metric, chrf.metric),  # of the intervals too
        "precisions": score.precisions,
        "length_ratio": score.ratio,
        "brevity_penalty": score.bp,
        "by_length": _by_length(pairs, bleu, chrf),
        "examples": examples,
        "attention": [{"number": number, **it.to_dict()} for number, it in alignments.items()],
    }
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".report.") as temporary:
        made = Path(temporary)
        pictures.by_length(report["by_length"], made / "bleu_by_length.png")
        for place, alignment in enumerate(alignments.values(), 1):
            for suffix in (".png", ".svg", ".json"):
                pictures.attention(alignment, made / f"attention_{place}{suffix}")
        if history:
            plots.training_curves(history, made / "training_curves.png")
        _write(made / "translations.txt", "".join(f"{outputs.to_line(text)}\n" for text in translations))
        _write(made / "report.json", outputs.to_json(report))
        _write(made / "report.md", _page(type(task).__name__, report, bool(history)))
        folder.mkdir(exist_ok=True)
        for path in made.iterdir():
            path.replace(folder / path.name)
    return report


def _check(task: Task, pairs: Pairs) -> None:
    """Refuse what cannot be measured."""
    if not len(pairs) or pairs.references is None:
        raise UserError(
            f"{pairs.source}: found no translations to measure by; give at least one sentence with its own"
        )
    there, back = (pairs.source_language, pairs.target_language), (task.target_language, task.source_language)
    if there == back and len(set(there)) == 2:
        raise UserError(
            f"{pairs.source}: read as {there[0]} to {there[1]}, but the model translates {back[1]} to {back[0]}: "
            "swap the columns or the languages"
        )


def _metrics(pairs: Pairs, **options: Any) -> tuple[BLEU, CHRF]:
    return BLEU(tokenize=tokenization(pairs), force=True, **options), CHRF(**options)


def _signatures(bleu: BLEU, chrf: CHRF) -> dict[str, str]:
    return {"bleu_signature": str(bleu.get_signature()), "chrf_signature": str(chrf.get_signature())}


def _streams(references: Sequence[Sequence[str]]) -> list[list[str | None]]:
    """Return the first reference of each sentence, the second ones, ...; None where there is none."""
    return [list(stream) for stream in zip_longest(*references)]


def _unseen(pairs: Pairs, train: Pairs | None) -> np.ndarray | None:
    """Return the rows of the pairs no side of which is in the training data, None where these are not known."""
    if train is None and _corpus_of(pairs) != "tatoeba":
        return None
    return np.flatnonzero(unseen(pairs, pairs.source if train is None else train))


def _corpus_of(pairs: Pairs) -> str:
    return pairs.source.partition(":")[0]


class _Scorer:
    """One of sacreBLEU's metrics of translations: its score of all of them, or of any rows.

    What a score is computed from is counted once, sentence by sentence.
    """

    def __init__(self, metric: BLEU | CHRF, translations: Sequence[str], references: Sequence[Sequence[str]]):
        self.metric = metric
        counted = metric._extract_corpus_statistics(translations, _streams(references))
        self.statistics = np.array(counted, "float64")

    def __call__(self, rows: np.ndarray | slice = slice(None)) -> Any:
        """Return sacreBLEU's score of some rows, by default of all."""
        return self.metric._compute_score_from_stats(self.statistics[rows].sum(axis=0).tolist())

    def interval(self, rows: np.ndarray | slice = slice(None)) -> list[float]:
        """Return the ends of the 95% interval by the bootstrap (Koehn, 2004), which the signature then tells.

        The resamples are those of `sacrebleu --confidence`, whose own function holds them all in memory at once, and
        fails where chrF of one is 0 (2.6.0).
        """
        places = np.arange(len(self.statistics))[rows]
        drawn, count = np.random.default_rng(SEED), len(places)
        found = sorted(self(places[drawn.integers(count, size=count)]).score for _ in range(RESAMPLES))
        self.metric.n_bootstrap, self.metric.seed = RESAMPLES, SEED
        return [found[RESAMPLES // 40], found[-RESAMPLES // 40 - 1]]


def _scorers(pairs: Pairs, translations: Sequence[str]) -> tuple[_Scorer, _Scorer]:
    """Return what tells BLEU and chrF."""
    bleu, chrf = (_Scorer(metric, translations, pairs.references) for metric in _metrics(pairs))
    return bleu, chrf


def _measure(
    task: Task, pairs: Pairs, bleu: _Scorer, chrf: _Scorer, rows: np.ndarray | None
) -> dict[str, float]:
    """Return the metrics; `rows` are the pairs whose sides training has not seen, None where that is not known."""
    pieces = sum(map(len, task.preprocessor(pairs.targets)))
    log_loss = -float(np.sum(task.score(pairs.sources, pairs.targets))) / pieces
    found = {"bleu": bleu().score, "chrf": chrf().score, "log_loss": log_loss}
    if rows is not None and len(rows):
        found["bleu_unseen"] = bleu(rows).score
    return found


def _by_length(pairs: Pairs, bleu: _Scorer, chrf: _Scorer) -> list[dict[str, Any]]:
    """Return a row for each class of lengths that occurs: words, count, BLEU, its interval, chrF, length ratio."""
    classes = np.searchsorted(LENGTHS, [len(text.split()) for text in pairs.sources], side="right")
    found = []
    for place, (first, after) in enumerate(zip_longest(LENGTHS, LENGTHS[1:]), 1):
        rows = np.flatnonzero(classes == place)
        if len(rows):
            words = f"{first}–{after - 1}" if after else f"{first}+"
            score, (low, high) = bleu(rows), bleu.interval(rows)
            numbers = {"bleu": score.score, "bleu_low": low, "bleu_high": high, "chrf": chrf(rows).score}
            found.append({"words": words, "count": len(rows), **numbers, "length_ratio": score.ratio})
    return found


def _examples(pairs: Pairs, translations: Sequence[str], chrf: _Scorer) -> list[dict[str, Any]]:
    """Return good, middling and bad translations by their own chrF, the best first; of equal ones the longest."""
    scores = [chrf(np.array([row])).score for row in range(len(pairs))]
    order = sorted(range(len(pairs)), key=lambda row: (-scores[row], -len(pairs.sources[row]), row))
    return [
        {
            "kind": kind,
            "number": row + 1,
            "chrf": scores[row],
            "source": _short(pairs.sources[row]),
            "translation": _short(translations[row]),
            "references": [_short(text) for text in pairs.references[row]],
        }
        for kind, row in graded(order, EXAMPLES)
    ]


def _alignments(
    task: Task, pairs: Pairs, translations: Sequence[str], examples: Sequence[Mapping[str, Any]]
) -> dict[int, pictures.Alignment]:
    """Return of each kind of example the first one that is not too long, by number; none without attention."""
    chosen = {}
    for example in examples:
        row = example["number"] - 1
        if len(pairs.sources[row].split()) <= ALIGNED and translations[row].strip():
            chosen.setdefault(example["kind"], row)
    try:
        return {row + 1: task.align(pairs.sources[row], translations[row]) for row in chosen.values()}
    except UserError:  # a network without attention
        return {}


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _page(model: str, report: Mapping[str, Any], curves: bool) -> str:
    """Return the report as Markdown."""
    split = f", split `{report['split']}`" if report["split"] else ""
    sides = [report[f"{side}_language"] for side in ("source", "target")]
    languages = f"{' to '.join(sides)}, " if all(sides) else ""
    many = "" if report["references"] == 1 else f", with up to {report['references']} references each"
    search = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in report["search"].items())
    intervals = {name: "{:.1f} to {:.1f}".format(*found) for name, found in report["intervals"].items()}
    numbers = [
        {"metric": name, "value": value, "95% interval": intervals.get(name)}
        for name, value in report["metrics"].items()
    ]
    precisions = ", ".join(f"{value:.1f}" for value in report["precisions"])
    parts = [
        f"# {model} on `{report['data']}`{split}",
        f"{languages}{report['count']:,} sentences{many}; {search}.",
        tables.markdown(numbers, digits={"value": 3}),
        f"```\nBLEU|{report['bleu_signature']}\nchrF2|{report['chrf_signature']}\n```",
        f"Precisions of BLEU for one to four words: {precisions}. The translations are {report['length_ratio']:.3f} "
        f"times as long as the references (brevity penalty {report['brevity_penalty']:.3f}). `translations.txt` holds "
        "them, one a line.",
    ]
    if "bleu_unseen" in report["metrics"]:
        parts.append(
            f"`bleu_unseen` leaves out the pairs of which a side occurs in the training data: {report['unseen']:,} of "
            f"{report['count']:,} are left."
        )
    digits = {"bleu": 1, "bleu_low": 1, "bleu_high": 1, "chrf": 1, "length_ratio": 3}
    by_length = tables.markdown(report["by_length"], digits=digits)
    parts.append(f"## By length\n\n![BLEU by the length of the source](bleu_by_length.png)\n\n{by_length}")
    parts.append("## Examples\n\nBy the chrF of each: the best, those in the middle, and the worst.")
    for kind in KINDS:
        rows = [
            {**example, "references": " / ".join(example["references"])}
            for example in report["examples"]
            if example["kind"] == kind
        ]
        columns = ("number", "chrf", "source", "translation", "references")
        parts.append(f"### {kind.capitalize()}\n\n{tables.markdown(rows, columns, digits=1)}" if rows else "")
    for place, one in enumerate(report["attention"], 1):
        title = "" if place > 1 else "## Attention\n\n"
        parts.append(f"{title}![attention in sentence {one['number']}](attention_{place}.png)")
    if curves:
        parts.append("## Training\n\n![training curves](training_curves.png)")
    return "\n\n".join(part.rstrip("\n") for part in parts if part) + "\n"


def _write(path: Path, text: str) -> None:
    """Write in UTF-8; a lone surrogate, which UTF-8 has no form for, is written as its escape."""
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
