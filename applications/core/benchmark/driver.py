"""Starts the workers and lets them take turns: one runs, the others wait."""

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import applications
from applications.core.benchmark.case import Case

ROOT = Path(applications.__file__).parents[1]
THREADS = 2
PATIENCE = 300.0  # seconds that an answer may take

QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # several contestants wait on one accelerator
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
}

_IMPORT = (
    "import time, keras; began = time.perf_counter(); import zoo.layers; print(time.perf_counter() - began)"
)

Say = Callable[[str], None]


class WorkerError(Exception):
    """A worker that cannot answer: the message says why."""


@dataclass
class Measured:
    """What a case gave.

    Attributes:
        about: what its worker told when it was built (`worker.Worker.build`).
        rounds_ms: the median step of each round; where each round begins afresh, its first step.
        steps: how many steps were timed.
        error: why it was not measured to the end, or None.
    """

    about: dict[str, Any] = field(default_factory=dict)
    rounds_ms: list[float] = field(default_factory=list)
    steps: int = 0
    error: str | None = None


class Worker:
    """The driver's end of one worker."""

    def __init__(self, channel: socket.socket, errors: Any):
        """Take the socket to it and the file of its standard error; wait until it is there."""
        channel.settimeout(PATIENCE)
        self.channel, self.errors = channel, errors
        self.lines = channel.makefile("rw", encoding="utf-8")
        self.pid = None
        try:
            self.pid = self._read()["pid"]
        except WorkerError:
            self.close()
            raise

    def ask(self, question: str, **arguments: Any) -> dict[str, Any]:
        """Return the answer to a question (see `worker.Worker`).

        Raises:
            WorkerError: it died, does not answer in time, or answers with an error.
        """
        with suppress(OSError):  # then there is nothing to read either
            self.lines.write(json.dumps({"ask": question, **arguments}) + "\n")
            self.lines.flush()
        answer = self._read()
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def close(self) -> None:
        """End the worker."""
        self.channel.close()
        with suppress(OSError):
            self.lines.close()
        self.errors.close()

    def _read(self) -> dict[str, Any]:
        try:
            line = self.lines.readline()
        except TimeoutError:
            if self.pid:
                os.kill(self.pid, signal.SIGKILL)
            raise WorkerError(f"no answer in {self.channel.gettimeout():g} s") from None
        except OSError:
            line = ""
        if line.endswith("\n"):
            return json.loads(line)
        self.errors.seek(0)
        said = self.errors.read().decode(errors="replace").split("\n")
        last = next((one.strip() for one in reversed(said) if one.strip()), "without a word")
        raise WorkerError(f"its process died: {last[:200]}")


class Libraries:
    """Processes that have each imported a peer on a backend, when it was first asked for; workers are their forks."""

    def __init__(self, threads: int = THREADS):
        """Take the number of threads of everyone."""
        self.threads = threads
        self.started: dict[tuple[str, str], tuple[subprocess.Popen, socket.socket]] = {}

    def __enter__(self) -> "Libraries":
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """End all processes, and with them their workers."""
        for process, control in self.started.values():
            control.close()
            process.kill()  # rather than wait until each framework has tidied up
            process.wait()

    def worker(self, peer: str, backend: str) -> Worker:
        """Return a new worker of a peer on a backend.

        Raises:
            WorkerError: the peer's process died.
        """
        if (peer, backend) not in self.started:
            self.started[peer, backend] = self._start(peer, backend)
        ours, theirs = socket.socketpair()
        errors = tempfile.TemporaryFile()  # noqa: SIM115 (the worker closes it)
        with theirs, suppress(OSError):  # then it is dead, and the worker will say so
            fds = [theirs.fileno(), errors.fileno()]
            socket.send_fds(self.started[peer, backend][1], [b"w"], fds)
        return Worker(ours, errors)

    def _start(self, peer: str, backend: str) -> tuple[subprocess.Popen, socket.socket]:
        ours, theirs = socket.socketpair()
        module = "applications.core.benchmark.worker"
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", module, str(theirs.fileno()), peer, str(self.threads)],
                cwd=ROOT,
                env=_environment(backend) | {"OMP_NUM_THREADS": str(self.threads)},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C reaches the driver alone, which ends the others
            )
        return process, ours


def race(
    cases: Sequence[Case], libraries: Libraries, rounds: int, seconds: float, say: Say
) -> dict[Case, Measured]:
    """Let cases take turns; each has a worker of its own, and each round begins with another one.

    Args:
        cases: those that are compared.
        libraries: where workers come from.
        rounds: how often each has its turn.
        seconds: how long a turn lasts at least.
        say: is told what runs.

    Returns:
        What each case gave; one that fails has an `error`, and the others go on.
    """
    workers = {}

    def start(case: Case, measured: Measured) -> None:
        workers[case] = stack.enter_context(closing(libraries.worker(case.peer, case.backend)))
        measured.about = workers[case].ask("build", case=asdict(case))

    def turn(case: Case, measured: Measured) -> None:
        answer = workers[case].ask("run", seconds=seconds)
        measured.about["peak_mb"] = answer["peak_mb"]
        measured.steps += len(answer["steps_ms"])
        measured.rounds_ms.append(statistics.median(answer["steps_ms"]))

    found = {case: Measured() for case in cases}
    with ExitStack() as stack:
        _take_turns(found, 1, start, lambda text: say(text.replace("round 1 of 1", "first step")))
        _take_turns(found, rounds, turn, say)
    return found


def start_afresh(cases: Sequence[Case], libraries: Libraries, rounds: int, say: Say) -> dict[Case, Measured]:
    """Time the first step of cases in turn, each time in a fresh worker; arguments and answer are `race`'s."""

    def turn(case: Case, measured: Measured) -> None:
        with closing(libraries.worker(case.peer, case.backend)) as worker:
            measured.about = worker.ask("build", case=asdict(case))
        measured.steps += 1
        measured.rounds_ms.append(1000 * measured.about["first_step_s"])

    return _take_turns({case: Measured() for case in cases}, rounds, turn, say)


def import_ours(cases: Sequence[Case], rounds: int, say: Say) -> dict[Case, Measured]:
    """Time `import zoo.layers` where Keras is imported already, in fresh interpreters that take turns."""

    def turn(case: Case, measured: Measured) -> None:
        command, environment = [sys.executable, "-c", _IMPORT], _environment(case.backend)
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise WorkerError((done.stderr.strip() or "it died without a word").splitlines()[-1])
        measured.steps += 1
        measured.rounds_ms.append(1000 * float(done.stdout))

    return _take_turns({case: Measured() for case in cases}, rounds, turn, say)


def _take_turns(
    found: dict[Case, Measured], rounds: int, turn: Callable[[Case, Measured], None], say: Say
) -> dict[Case, Measured]:
    """Call `turn` for each case that has not failed, round by round, each round beginning with another case."""
    cases = list(found)
    for number in range(rounds):
        first = number % max(1, len(cases))
        for case in [*cases[first:], *cases[:first]]:
            if found[case].error is None:
                say(f"{case.label}: round {number + 1} of {rounds}")
                try:
                    turn(case, found[case])
                except WorkerError as error:
                    found[case].error = str(error)
    return found


def _environment(backend: str) -> dict[str, str]:
    return {**QUIET, **os.environ, "KERAS_BACKEND": backend}
