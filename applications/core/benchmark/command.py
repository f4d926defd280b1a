"""The command `scripts/benchmark.py`: arguments in, results out."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from applications.core import backend, outputs
from applications.core.benchmark import driver, report
from applications.core.benchmark.run import run, with_names
from applications.core.benchmark.suites import SUITES, Plan
from zoo.errors import UserError, unknown


def main(arguments: Sequence[str]) -> int:
    """Run the command line; return the exit status: 0 done, 2 a mistake that the user can mend, 130 interrupted."""
    try:
        return _run(_parsed(arguments), arguments)
    except UserError as error:
        print(f"benchmark: error: {outputs.to_line(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nbenchmark: interrupted", file=sys.stderr)
        return 130


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmark.py",
        description="How fast our layers are beside keras.layers, torch.nn, torchrecurrent and Flax, those that are "
        f"installed, in turns; each contestant is a process of its own with {driver.THREADS} threads.",
    )
    add = parser.add_argument
    add("--list", action="store_true", help="list the suites and end")
    add("--suite", nargs="+", metavar="NAME", default=list(SUITES), help="the suites to run; all by default")
    add("--backend", nargs="+", metavar="NAME", default=list(backend.NAMES), help="of ours; all by default")
    add("--loops", nargs="+", metavar="NAME", default=[], help="loops of ours to time by name, beside auto")
    add("--quick", action="store_true", help="one shape, fewer cells and rounds: under ten minutes")
    add("--rounds", type=int, metavar="N", help="how often each has its turn; 7, or 3 with --quick")
    add("--json", metavar="FILE", help="write all numbers here; - prints them, and them alone")
    return parser.parse_args(arguments)


def _run(given: argparse.Namespace, arguments: Sequence[str]) -> int:
    if given.list:
        print("".join(f"{name:<16}{_first_line(suite)}\n" for name, suite in SUITES.items()), end="")
        return 0
    _check(given)
    began = datetime.now(UTC)
    about = {"date": f"{began:%Y-%m-%d}", "command": _command(arguments), "threads": driver.THREADS}
    about |= {"machine": report.machine(), "versions": report.versions()}
    if about["machine"]["load_average"][0] > 0.5:
        print("benchmark: others are at work on this machine: the numbers will be off", file=sys.stderr)
    quiet = given.json == "-"
    with driver.Libraries() as libraries:
        plan = _plan(given, libraries)
        result = run(given.suite, plan, libraries, _progress(), lambda text: None if quiet else _show(text))
    about |= {"minutes": round((datetime.now(UTC) - began).total_seconds() / 60, 1), "rounds": plan.rounds}
    text = outputs.to_json({**about, **result})
    if quiet:
        print(text, end="")
    elif given.json:
        outputs.write(Path(given.json), text)
    return 0


def _check(given: argparse.Namespace) -> None:
    for option, names, choices in (("suite", given.suite, SUITES), ("backend", given.backend, backend.NAMES)):
        for name in names:
            if name not in choices:
                raise UserError(f"--{option}: {unknown(option, name, choices)}")
    if given.rounds is not None and given.rounds < 1:
        raise UserError(f"--rounds: found {given.rounds}; give a number of at least 1")
    if given.json not in (None, "-"):
        outputs.check_new(Path(given.json))


def _plan(given: argparse.Namespace, libraries: driver.Libraries) -> Plan:
    plan = Plan(backends=tuple(dict.fromkeys(given.backend)), loops=tuple(dict.fromkeys(given.loops)))
    if {"gated", "torchrecurrent"} & set(given.suite):
        plan = with_names(plan, libraries)
    plan = plan.quick() if given.quick else plan
    return plan if given.rounds is None else replace(plan, rounds=given.rounds)


def _command(arguments: Sequence[str]) -> str:
    """Return the command line without the place where the numbers go, which may name a folder of this machine."""
    kept = [
        one for before, one in zip(["", *arguments], arguments, strict=False) if "--json" not in (before, one)
    ]
    return shlex.join(["scripts/benchmark.py", *(one for one in kept if not one.startswith("--json="))])


def _first_line(suite: Any) -> str:
    return suite.__doc__.splitlines()[0].removeprefix("Yield ")


def _show(text: str) -> None:
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    print(text, flush=True)


def _progress() -> Any:
    """Return what tells what runs: on one line of a terminal, or elsewhere a line for each new suite or start."""
    if sys.stderr.isatty():
        return lambda text: print(f"\r\033[K{text[:110]}", end="", file=sys.stderr, flush=True)
    return lambda text: None if ": round " in text else print(text, file=sys.stderr, flush=True)
