"""What a run found: rows with verdicts, tables for a terminal, JSON."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import zoo
from applications.core.benchmark import numbers
from applications.core.benchmark.case import Case
from applications.core.benchmark.driver import Measured
from applications.core.benchmark.suites import Comparison, Pairs
from applications.core.benchmark.targets import TARGETS

PACKAGES = ("keras", "tensorflow", "jax", "torch", "flax", "torchrecurrent", "numpy")

Found = Mapping[Case, Measured]
Row = dict[str, Any]


def row(suite: str, comparison: Comparison, found: Found) -> Row:
    """Return the row of a comparison, for JSON.

    Returns:
        `suite`, `name` (the target's, or the suite's), `what`, `backend`, `unit` (ratio or s), `value` and `spread`
        (the quartiles over the rounds), `numbers` (for each shape the medians in milliseconds and their ratio),
        `target` (its words), `must`, `aim`, `verdict`, and `reason` where nothing was measured.
    """
    target = TARGETS.get(comparison.target)
    alone = all(other is None for pairs in comparison.pairs.values() for _, other in pairs)
    result = {
        "suite": suite,
        "name": comparison.target or suite,
        "what": comparison.what,
        "backend": ", ".join(comparison.pairs),
        "unit": "s" if alone else "ratio",
        "value": None,
        "spread": None,
        "numbers": [],
        "target": target and target.words,
        "must": target and target.must,
        "aim": target and target.aim,
        "verdict": "not measured",
        "reason": None,
    }
    whole = {
        backend: pairs
        for backend, pairs in comparison.pairs.items()
        if all(found[case].error is None for pair in pairs for case in pair if case is not None)
    }
    if not whole:
        faults = {found[case].error: case.label for case in reversed(comparison.cases) if found[case].error}
        return {**result, "reason": "; ".join(f"{label}: {error}" for error, label in faults.items())}
    results = {backend: _spread(pairs, comparison.per_work, found) for backend, pairs in whole.items()}
    best = min(results, key=lambda backend: results[backend].value)
    spread = results[best]
    return {
        **result,
        "backend": best,
        "value": spread.value,
        "spread": [spread.low, spread.high],
        "numbers": [_number(*pair, comparison.per_work, found) for pair in whole[best]],
        "verdict": target.verdict(spread.value) if target else None,
    }


def _spread(pairs: Pairs, per_work: bool, found: Found) -> numbers.Spread:
    if pairs[0][1] is None:
        seconds = [[ms / 1000 for ms in found[case].rounds_ms] for case, _ in pairs]
        return numbers.median([max(turn) for turn in zip(*seconds, strict=True)])
    rounds = [(found[case].rounds_ms, found[other].rounds_ms) for case, other in pairs]
    return numbers.ratio(rounds, [_scale(*pair, per_work, found) for pair in pairs])


def _scale(case: Case, other: Case, per_work: bool, found: Found) -> float:
    """Return what a ratio of times is multiplied with to be one at equal floating-point work."""
    return found[other].about["products"] / found[case].about["products"] if per_work else 1.0


def _number(case: Case, other: Case | None, per_work: bool, found: Found) -> Row:
    number = {"shape": list(case.shape), "ms": numbers.median(found[case].rounds_ms).value}
    if other is not None:
        number["against_ms"] = numbers.median(found[other].rounds_ms).value
        number["ratio"] = number["ms"] / number["against_ms"] * _scale(case, other, per_work, found)
    return number


def measurement(suite: str, case: Case, measured: Measured) -> Row:
    """Return what one case gave, for JSON: its attributes, medians, steps, what its worker told, and any error."""
    middle = numbers.median(measured.rounds_ms) if measured.rounds_ms else None
    return {
        "suite": suite,
        "label": case.label,
        **asdict(case),
        "median_ms": middle and middle.value,
        "quartiles_ms": middle and [middle.low, middle.high],
        "rounds_ms": measured.rounds_ms,
        "steps": measured.steps,
        "error": measured.error,
        **measured.about,
    }


def machine() -> dict[str, Any]:
    """Return what the numbers depend on: processor, cores, memory, system, load average."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "load_average": [round(load, 2) for load in os.getloadavg()],
    }


def versions() -> dict[str, str | None]:
    """Return the versions of all that takes part; None for what is not installed."""
    return {
        "zoo": zoo.__version__,
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


# --- for a terminal --------------------------------------------------------------------------------------


def cases_table(measurements: Sequence[Row]) -> str:
    """Return medians with quartiles, first steps and peak memory, aligned."""
    lines = [("case", "shape", "median ms", "quartiles", "first step s", "peak MB")]
    for one in measurements:
        name = one["label"], "x".join(map(str, one["shape"]))
        if one["error"]:
            lines.append((*name, one["error"], "", "", ""))
        else:
            more = [
                _rounded(one.get(key), form) for key, form in (("first_step_s", ".2f"), ("peak_mb", ".0f"))
            ]
            lines.append((*name, f"{one['median_ms']:.2f}", _quartiles(one["quartiles_ms"], 2), *more))
    return _aligned(lines)


def rows_table(rows: Sequence[Row]) -> str:
    """Return ratios with quartiles, musts, aims and verdicts, aligned."""
    lines = [("comparison", "backend", "value", "quartiles", "must", "aim", "verdict")]
    for one in rows:
        limits = _rounded(one["must"], "g"), _rounded(one["aim"], "g")
        verdict = f"not measured: {one['reason']}" if one["reason"] else one["verdict"] or ""
        value = _rounded(one["value"], ".3f") + " s" * (one["unit"] == "s" and one["value"] is not None)
        lines.append((one["what"], one["backend"], value, _quartiles(one["spread"], 3), *limits, verdict))
    return _aligned(lines)


def _rounded(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _quartiles(pair: Sequence[float] | None, digits: int) -> str:
    return "" if pair is None else " to ".join(f"{value:.{digits}f}" for value in pair)


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    """Return lines of cells as text in columns; a cell of 90 letters or more runs over."""
    widths = [max(len(cell) for cell in column if len(cell) < 90) for column in zip(*lines, strict=True)]
    return "".join("  ".join(map(str.ljust, line, widths)).rstrip() + "\n" for line in lines)
