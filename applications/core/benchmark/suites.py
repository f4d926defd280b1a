"""Which cases are compared, for each number to reach. A suite is a function that yields comparisons."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from applications.core.benchmark.case import SHAPES, Case
from applications.core.benchmark.targets import TARGETS

Pairs = Sequence[tuple[Case, Case | None]]
Shape = tuple[int, int, int, int]

LONG = (4, 4096, 64, 128)
GROWING = ((4, 8000, 32, 64), (4, 1000, 32, 64))


@dataclass(frozen=True)
class Comparison:
    """One row of the result.

    Attributes:
        what: what is compared with what.
        pairs: for each backend the case and what it is compared with, a pair for each shape. Of several backends
            the one with the smallest ratio counts. Without anything to compare with, seconds are measured.
        target: a key of `TARGETS`, or None: told for information.
        per_work: times are divided by the floating-point work in products.
    """

    what: str
    pairs: dict[str, Pairs]
    target: str | None = None
    per_work: bool = False

    @property
    def cases(self) -> list[Case]:
        """All cases of it."""
        return [case for pairs in self.pairs.values() for pair in pairs for case in pair if case is not None]


@dataclass(frozen=True)
class Plan:
    """What is asked of a run.

    Attributes:
        backends: of ours.
        loops: loops of ours to be named, beside `auto`.
        gated: names of our layers of gated cells.
        shared: names of layers that torchrecurrent has too.
        masked: names of layers that are run with masks, with recurrent dropout, and timed from a fresh start.
        shapes: those of most comparisons.
        rounds: how often each case has its turn.
        seconds: how long a turn lasts at least.
    """

    backends: Sequence[str] = ("tensorflow", "jax", "torch")
    loops: Sequence[str] = ()
    gated: Sequence[str] = ("LSTM", "GRU", "PeepholeLSTM")
    shared: Sequence[str] = ("PeepholeLSTM",)
    masked: Sequence[str] = ("LSTM", "GRU", "PeepholeLSTM")
    shapes: Sequence[Shape] = SHAPES
    rounds: int = 7
    seconds: float = 0.6

    def quick(self) -> "Plan":
        """Return a plan of a few minutes: one shape, fewer cells, fewer and shorter turns."""
        gated = [name for name in self.gated if name in ("LSTM", "GRU", "PeepholeLSTM", "CIFGLSTM")]
        shapes = self.shapes[:1]
        return replace(
            self, gated=gated, shared=self.shared[:2], masked=("LSTM",), shapes=shapes, rounds=3, seconds=0.3
        )


def train(plan: Plan) -> Iterator[Comparison]:
    """Yield training steps of LSTM and GRU against Keras, PyTorch's own kernels and Flax; loops that are named."""
    for layer in ("LSTM", "GRU"):
        for backend in plan.backends:
            ours = Case("zoo", layer, backend)
            peers = [Case("keras", layer, backend), Case("torch", layer, "torch")]
            peers += [Case("flax", layer, "jax")] if backend == "jax" else []
            for peer in peers:
                key = f"train_{backend}_{peer.peer}"
                judged = key in TARGETS and (layer == "LSTM" or key == "train_tensorflow_keras")
                yield _compare(plan.shapes, ours, peer, key if judged else None)
            for loop in plan.loops:
                yield _compare(plan.shapes, replace(ours, loop=loop), ours)


def inference(plan: Plan) -> Iterator[Comparison]:
    """Yield the forward pass of LSTM against PyTorch's own kernel, the best backend and each; against Keras."""
    peer = Case("torch", "LSTM", "torch", train=False)
    ours = [Case("zoo", "LSTM", backend, train=False) for backend in plan.backends]
    each = [_compare(plan.shapes, case, peer) for case in ours]
    best = {backend: pairs for row in each for backend, pairs in row.pairs.items()}
    yield Comparison("LSTM, forward, best backend, against torch.nn.LSTM", best, "inference")
    yield from each
    for case in ours:
        yield _compare(plan.shapes, case, replace(case, peer="keras"))
        for loop in plan.loops:
            yield _compare(plan.shapes, replace(case, loop=loop), case)


def gated(plan: Plan) -> Iterator[Comparison]:
    """Yield every gated cell against our LSTM, at equal floating-point work."""
    for backend in plan.backends:
        for layer in plan.gated:
            if layer != "LSTM":
                pair = Case("zoo", layer, backend), Case("zoo", "LSTM", backend)
                yield replace(_compare(plan.shapes, *pair, "gated"), per_work=True)


def torchrecurrent(plan: Plan) -> Iterator[Comparison]:
    """Yield the cells that torchrecurrent has too against it."""
    for layer in plan.shared:
        peer = Case("torchrecurrent", layer, "torch")
        for backend in plan.backends:
            yield _compare(plan.shapes, Case("zoo", layer, backend), peer, "torchrecurrent")


def masked(plan: Plan) -> Iterator[Comparison]:
    """Yield masked sequences against unmasked ones: lengths from half of the time on, and at most a quarter."""
    for layer, backend in ((layer, backend) for layer in plan.masked for backend in plan.backends):
        ours = Case("zoo", layer, backend)
        for padding, target in (("half", "masked"), ("most", "mostly_masked")):
            yield _compare(plan.shapes, replace(ours, padding=padding), ours, target)


def dropout(plan: Plan) -> Iterator[Comparison]:
    """Yield recurrent dropout of 0.2 against none."""
    for layer, backend in ((layer, backend) for layer in plan.masked for backend in plan.backends):
        ours = Case("zoo", layer, backend)
        yield _compare(plan.shapes, replace(ours, dropout=0.2), ours, "dropout")


def scan(plan: Plan) -> Iterator[Comparison]:
    """Yield MinGRU, which is linear in its state, against our LSTM over 4,096 steps."""
    for backend in plan.backends:
        yield _compare([LONG], Case("zoo", "MinGRU", backend), Case("zoo", "LSTM", backend), "scan")


def growth(plan: Plan) -> Iterator[Comparison]:
    """Yield the time of 8,000 steps against that of 1,000."""
    for layer, backend in ((layer, backend) for layer in ("LSTM", "MinGRU") for backend in plan.backends):
        pair = tuple(Case("zoo", layer, backend, shape) for shape in GROWING)
        yield Comparison(f"{layer}, 8,000 steps against 1,000", {backend: [pair]}, "growth")


def first_step(plan: Plan) -> Iterator[Comparison]:
    """Yield the time of the first training step, which compiles; Keras's for information."""
    for backend in plan.backends:
        for layer in (*plan.masked, "MinGRU"):
            yield _alone(f"{layer}, first step", Case("zoo", layer, backend, plan.shapes[0]), "compile")
        yield _alone("keras.layers.LSTM, first step", Case("keras", "LSTM", backend, plan.shapes[0]))


def importing(plan: Plan) -> Iterator[Comparison]:
    """Yield what `import zoo.layers` takes where Keras is imported already."""
    for backend in plan.backends:
        yield _alone("import zoo.layers", Case("import", "layers", backend, ()), "import")


SUITES: dict[str, Callable[[Plan], Iterator[Comparison]]] = {
    "train": train,
    "inference": inference,
    "gated": gated,
    "torchrecurrent": torchrecurrent,
    "masked": masked,
    "dropout": dropout,
    "scan": scan,
    "growth": growth,
    "compile": first_step,
    "import": importing,
}


def connected(comparisons: Iterable[Comparison]) -> list[list[Case]]:
    """Return all cases in groups: what is compared, directly or by way of others, is in one group."""
    groups: list[list[Case]] = []
    for pairs in (pairs for row in comparisons for pairs in row.pairs.values()):
        for pair in pairs:
            cases = [case for case in pair if case is not None]
            joined = [group for group in groups if any(case in group for case in cases)]
            groups = [group for group in groups if group not in joined]
            groups.append(list(dict.fromkeys([*(case for group in joined for case in group), *cases])))
    return groups


def _compare(shapes: Sequence[Shape], case: Case, other: Case, target: str | None = None) -> Comparison:
    pairs = [(replace(case, shape=shape), replace(other, shape=shape)) for shape in shapes]
    what = f"{case.label} against {other.label}".replace(f" on {case.backend}", "")
    return Comparison(what.replace("zoo.layers.", ""), {case.backend: pairs}, target)


def _alone(what: str, case: Case, target: str | None = None) -> Comparison:
    return Comparison(what, {case.backend: [(case, None)]}, target)
