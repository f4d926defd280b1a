"""A process that imports one peer, once, and forks a worker for each case; its driver is `driver.Libraries`.

`python -m applications.core.benchmark.worker DESCRIPTOR PEER THREADS`: over the Unix socket `DESCRIPTOR` comes,
for each worker, the descriptor of a socket of its own and that of its standard error. A worker then answers
questions, one JSON object a line; between them it waits. Sockets that are closed end it.
"""

import json
import os
import resource
import signal
import socket
import sys
import time
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from applications.core.benchmark.case import Case
from applications.core.benchmark.contestants import MODULES, Contestant, build

LEAST_STEPS = 3


class Worker:
    """What a worker answers; each question is a method, its arguments and answer JSON objects."""

    def __init__(self, fault: str | None):
        """Take the reason why the peer cannot be run, or None."""
        self.fault = fault
        self.contestant: Contestant | None = None

    def answer(self, ask: str, **arguments: Any) -> dict[str, Any]:
        """Return the answer to a question, or `{"error": reason}`."""
        if self.fault:
            return {"error": self.fault}
        try:
            return {"names": self.names, "build": self.build, "run": self.run}[ask](**arguments)
        except Exception as error:  # whatever a peer raises is a row of the result
            said = str(error).strip().splitlines() or ["no words"]
            words = said[-1] if said[0].endswith(":") else said[0]  # TensorFlow begins with "in user code:"
            return {"error": f"{type(error).__name__}: {words.strip()[:200]}"}

    def names(self, peer: str) -> dict[str, Any]:
        """Return the `layers` of a peer, and of ours those that are `gated`."""
        if peer == "torchrecurrent":
            return {"layers": list(import_module(peer).__all__)}
        cells, layers = import_module("zoo.cells"), import_module("zoo.layers").LAYERS
        gated = [
            layer for name, layer in layers.items() if issubclass(cells.CATALOGUE[name], cells.GatedCell)
        ]
        return {
            "layers": [layer.__name__ for layer in layers.values()],
            "gated": [layer.__name__ for layer in gated],
        }

    def build(self, case: dict[str, Any]) -> dict[str, Any]:
        """Build a case and take two steps; `first_step_s` is the first one's time, which compiles."""
        before = _resident()
        began = time.perf_counter()
        self.contestant = build(Case.from_dict(case))
        built = time.perf_counter()
        self.contestant.step()
        first = time.perf_counter()
        self.contestant.step()
        return {
            "build_s": built - began,
            "first_step_s": first - built,
            "before_mb": before,
            "peak_mb": _peak(),
            "products": self.contestant.products,
            "device": self.contestant.device,
        }

    def run(self, seconds: float) -> dict[str, Any]:
        """Step for so long, and at least `LEAST_STEPS` times; `steps_ms` holds the time of each step."""
        steps, until = [], time.perf_counter() + seconds
        while len(steps) < LEAST_STEPS or time.perf_counter() < until:
            began = time.perf_counter()
            self.contestant.step()
            steps.append(1000 * (time.perf_counter() - began))
        return {"steps_ms": steps, "peak_mb": _peak()}


def _resident() -> float:
    """Return the resident size of this process, in MB (2^20 bytes)."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def _peak() -> float:
    """Return the largest resident size of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _imported(peer: str, threads: int) -> str | None:
    """Import a peer, with so many threads; return why it cannot be, or None."""
    for name in MODULES[peer]:
        if find_spec(name.split(".")[0]) is None:
            return f"{name.split('.')[0]} is not installed"
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    try:
        for name in MODULES[peer]:
            import_module(name)
        if peer in ("keras", "zoo") and find_spec("tensorflow"):
            import_module("tensorflow")  # Keras does when it builds a layer, on every backend
    except Exception as error:  # a package that is broken on this machine
        return f"{peer} cannot be imported: {type(error).__name__}: {error}"
    return None


def _serve(channel: socket.socket, worker: Worker, threads: int) -> None:
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    with channel.makefile("rw", encoding="utf-8") as lines:
        lines.write(json.dumps({"pid": os.getpid()}) + "\n")
        lines.flush()
        for line in lines:
            lines.write(json.dumps(worker.answer(**json.loads(line))) + "\n")
            lines.flush()


def main(descriptor: int, peer: str, threads: int) -> None:
    """Import the peer, then fork a worker for each pair of descriptors that comes, until the socket closes."""
    control = socket.socket(fileno=descriptor)
    fault = _imported(peer, threads)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries workers that have ended
    while True:
        message, descriptors, *_ = socket.recv_fds(control, 1, 2)
        if not message:
            return
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            control.close()
            os.dup2(descriptors[1], 2)
            try:
                _serve(socket.socket(fileno=descriptors[0]), Worker(fault), threads)
            finally:
                os._exit(0)  # nothing of the parent's is to be tidied up here
        for one in descriptors:
            os.close(one)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
