"""A run: suites one after the other, their comparisons in turns."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from applications.core.benchmark import driver, report
from applications.core.benchmark.suites import SUITES, Comparison, Plan, connected

Say = Callable[[str], None]


def run(
    suites: Sequence[str], plan: Plan, libraries: driver.Libraries, say: Say, show: Say
) -> dict[str, Any]:
    """Run suites.

    Args:
        suites: their names.
        plan: what is asked of them.
        libraries: where contestants come from.
        say: is told what runs.
        show: is given the tables of each suite when it is done.

    Returns:
        `rows` and `measurements`, lists for JSON (see `report`).
    """
    rows, measurements = [], []
    for name in suites:
        comparisons = list(SUITES[name](plan))
        found = _measure(name, comparisons, plan, libraries, say)
        measured = [report.measurement(name, case, one) for case, one in found.items()]
        told = [report.row(name, comparison, found) for comparison in comparisons]
        show(f"\n# {name}\n\n{report.cases_table(measured)}\n{report.rows_table(told)}")
        rows += told
        measurements += measured
    return {"rows": rows, "measurements": measurements}


def _measure(
    name: str, comparisons: list[Comparison], plan: Plan, libraries: driver.Libraries, say: Say
) -> report.Found:
    groups = connected(comparisons)
    cases = [case for group in groups for case in group]
    if name == "import":
        return driver.import_ours(cases, plan.rounds, lambda text: say(f"{name}: {text}"))
    if name == "compile":
        return driver.start_afresh(cases, libraries, plan.rounds, lambda text: say(f"{name}: {text}"))
    found = {}
    for number, group in enumerate(groups, 1):
        where = f"{name} {number}/{len(groups)}"
        found |= driver.race(
            group, libraries, plan.rounds, plan.seconds, lambda text, where=where: say(f"{where}: {text}")
        )
    return found


def with_names(plan: Plan, libraries: driver.Libraries) -> Plan:
    """Return the plan with all our layers of gated cells, and all that torchrecurrent has too."""
    names: dict[str, dict[str, list[str]]] = {}
    for peer, backend in (("zoo", plan.backends[0]), ("torchrecurrent", "torch")):
        try:
            with closing(libraries.worker(peer, backend)) as worker:
                names[peer] = worker.ask("names", peer=peer)
        except driver.WorkerError:
            names[peer] = {}  # a row will say why
    gated = names["zoo"].get("gated", plan.gated)
    theirs = names["torchrecurrent"].get("layers", plan.shared)
    shared = [name for name in names["zoo"].get("layers", plan.shared) if name in theirs]
    return replace(plan, gated=gated, shared=shared)
