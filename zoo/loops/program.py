"""What a gated or linear cell computes in a step, as a short list of elementwise operations, and its derivative."""

import itertools
import weakref
from collections import Counter
from typing import NamedTuple

import keras
import numpy as np

from zoo.cells import LinearCell


def clip(x, low, high):
    """Return `x`, but at least `low` and at most `high`."""
    x = x.where(">", high, high, x)
    return x.where("<", low, low, x)


def between(x, low, high, yes):
    """Return `yes` where `x` lies between two bounds, else zero."""
    return x.where(">", low, x.where("<", high, yes, 0.0), 0.0)


# Keras's operation -> its value, and the gradients of its arguments from that of its value `y`. A truth is 1 or 0.
OPERATIONS = {
    "Add": (lambda a, b: a + b, lambda g, y, a, b: (g, g)),
    "Subtract": (lambda a, b: a - b, lambda g, y, a, b: (g, -g)),
    "Multiply": (lambda a, b: a * b, lambda g, y, a, b: (g * b, g * a)),
    "Divide": (lambda a, b: a / b, lambda g, y, a, b: (g / b, -(g * y / b))),
    "TrueDivide": (lambda a, b: a / b, lambda g, y, a, b: (g / b, -(g * y / b))),
    "Maximum": (
        lambda a, b: (a - b).where(">", 0.0, a, b),
        lambda g, y, a, b: ((a - b).where(">", 0.0, g, 0.0), (a - b).where(">", 0.0, 0.0, g)),
    ),
    "Minimum": (
        lambda a, b: (a - b).where("<", 0.0, a, b),
        lambda g, y, a, b: ((a - b).where("<", 0.0, g, 0.0), (a - b).where("<", 0.0, 0.0, g)),
    ),
    "Greater": (lambda a, b: a.where(">", b, 1.0, 0.0), lambda g, y, a, b: (None, None)),
    "GreaterEqual": (lambda a, b: a.where(">=", b, 1.0, 0.0), lambda g, y, a, b: (None, None)),
    "Less": (lambda a, b: a.where("<", b, 1.0, 0.0), lambda g, y, a, b: (None, None)),
    "LessEqual": (lambda a, b: a.where("<=", b, 1.0, 0.0), lambda g, y, a, b: (None, None)),
    "Where": (
        lambda test, a, b: test.where(">", 0.5, a, b),
        lambda g, y, test, a, b: (None, test.where(">", 0.5, g, 0.0), test.where(">", 0.5, 0.0, g)),
    ),
    "Negative": (lambda a: -a, lambda g, y, a: (-g,)),
    "Square": (lambda a: a * a, lambda g, y, a: (2.0 * g * a,)),
    "Sqrt": (lambda a: a.sqrt(), lambda g, y, a: (0.5 * g / y,)),
    "Absolute": (lambda a: abs(a), lambda g, y, a: (a.where(">", 0.0, g, a.where("<", 0.0, -g, 0.0)),)),
    "Exp": (lambda a: a.exp(), lambda g, y, a: (g * y,)),
    "Sigmoid": (lambda a: a.sigmoid(), lambda g, y, a: (g * y * (1.0 - y),)),
    "Tanh": (lambda a: a.tanh(), lambda g, y, a: (g * (1.0 - y * y),)),
    "Silu": (lambda a: a * a.sigmoid(), lambda g, y, a: (g * (a.sigmoid() * (1.0 + a - y)),)),
    "Relu": (lambda a: a.where(">", 0.0, a, 0.0 * a), lambda g, y, a: (a.where(">", 0.0, g, 0.0),)),
    "Relu6": (lambda a: clip(a, 0.0, 6.0), lambda g, y, a: (between(a, 0.0, 6.0, g),)),
    "HardTanh": (lambda a: clip(a, -1.0, 1.0), lambda g, y, a: (between(a, -1.0, 1.0, g),)),
    "HardSigmoid": (
        lambda a: clip(a / 6.0 + 0.5, 0.0, 1.0),
        lambda g, y, a: (between(a, -3.0, 3.0, g / 6.0),),
    ),
    "Softsign": (
        lambda a: a / (1.0 + abs(a)),
        lambda g, y, a: (g / ((1.0 + abs(a)) * (1.0 + abs(a))),),
    ),
}


# keras.activations.relu is an operation of its own, with these settings where it is max(0, x)
_PLAIN_RELU = {"negative_slope": 0.0, "max_value": None, "threshold": 0.0}


class Program(NamedTuple):
    """What a step computes beside its product, as values with numbers: each is a block of `units` columns.

    A leaf is ("x" | "u" | "state" | "parameter", number of the block). A step is (operation, its value, the values or
    constants that it takes).
    """

    units: int
    kernel: int | None  # the recurrent weights, by number; None where "u" is made otherwise, or there is none
    x_blocks: int
    u_blocks: int
    weights: tuple[int, ...]  # the other weights that a step uses, by number; all are parameters
    leaves: tuple  # (leaf, value)
    steps: tuple
    results: tuple[int, ...]  # the new states
    additive: bool  # whether `x` and `u` enter as their sum alone; then "u" stands for the sum
    offset: bool  # whether the recurrent product has a bias


class UntraceableError(Exception):
    """A cell does what a program cannot tell; the plain loop runs it."""


_programs = weakref.WeakKeyDictionary()


def program_of(cell):
    """Return the `Program` of a built cell, or None where it has none; a cell is traced once."""
    if cell not in _programs:
        try:
            _programs[cell] = trace(cell)
        except UntraceableError:
            _programs[cell] = None
    return _programs[cell]


def _stand_ins(cell):
    """Return a copy of the cell that holds symbols in place of its variables, and these by number of the weight."""
    twin = object.__new__(type(cell))  # Keras would copy a layer by its config
    vars(twin).update(vars(cell))
    symbols = {}
    for name, value in vars(cell).items():
        number = next((k for k, weight in enumerate(cell.weights) if weight is value), None)
        if number is not None:
            vars(twin)[name] = symbols[number] = keras.KerasTensor(value.shape, cell.compute_dtype)
    return twin, symbols


def trace(cell):
    """Return the `Program` of a built cell or raise `UntraceableError`."""
    if len(set(cell.state_shapes)) != 1 or len(cell.state_shapes[0]) != 1:
        raise UntraceableError("its states are not vectors of one size")
    (units,) = cell.state_shapes[0]
    twin, symbols = _stand_ins(cell)
    states = [keras.KerasTensor((None, units), cell.compute_dtype) for _ in cell.states]
    x = keras.KerasTensor((None, cell.kernel.shape[-1]), cell.compute_dtype)
    u, kernel, offset = None, None, False
    try:
        if isinstance(cell, LinearCell):
            new = twin.step(x, *states)
        else:
            product = twin.recurrent(*states)
            kernel, offset = _check_product(cell, product, states[0], symbols)
            u = keras.KerasTensor(product.shape, cell.compute_dtype)
            new = twin.updated(x, u, *states)
    except (TypeError, ValueError, AttributeError, NotImplementedError) as error:
        raise UntraceableError(f"it does not run on symbols: {error}") from error
    numbers, leaves, values, steps = itertools.count(), {}, {}, []

    def blocks(tensor, name, first=0):
        count, rest = divmod(tensor.shape[-1] if tensor.shape else 0, units)
        if rest or not count:
            raise UntraceableError(f"a {name} of shape {tensor.shape} is not made of blocks of {units}")
        values[id(tensor)] = [leaves.setdefault((name, first + k), next(numbers)) for k in range(count)]
        return count

    x_blocks, u_blocks = blocks(x, "x"), 0 if u is None else blocks(u, "u")
    for number, state in enumerate(states):
        blocks(state, "state", number)
    used = []

    def value(tensor):
        if id(tensor) in values:
            return values[id(tensor)]
        number = next((k for k, symbol in symbols.items() if symbol is tensor), None)
        if number is not None:
            used.append(number)
            blocks(tensor, "parameter", sum(name == "parameter" for name, _ in leaves))
            return values[id(tensor)]
        history = getattr(tensor, "_keras_history", None)
        if history is None:
            raise UntraceableError("a symbol comes from nowhere")
        name = type(history.operation).__name__
        node = history.operation._inbound_nodes[history.node_index]
        args = list(node.arguments.args)
        if name == "Split":
            given = value(args[0])
            if history.operation.axis not in (-1, 1) or history.operation.indices_or_sections != len(given):
                raise UntraceableError("it splits elsewhere than between blocks")
            for part, one in zip(node.output_tensors, given, strict=True):
                values[id(part)] = [one]
            return values[id(tensor)]
        if name == "ReLU" and vars(history.operation) | _PLAIN_RELU == vars(history.operation):
            name = "Relu"
        if name not in OPERATIONS or node.arguments.kwargs:
            raise UntraceableError(f"it uses the operation {name}")
        given = [value(a) if isinstance(a, keras.KerasTensor) else _number(a) for a in args]
        count = max(len(g) for g in given if isinstance(g, list))
        if any(isinstance(g, list) and len(g) != count for g in given):
            raise UntraceableError("blocks of different widths meet")
        values[id(tensor)] = [next(numbers) for _ in range(count)]
        for k, one in enumerate(values[id(tensor)]):
            steps.append((name, one, tuple(g[k] if isinstance(g, list) else g for g in given)))
        return values[id(tensor)]

    results = []
    for tensor in new:
        found = value(tensor)
        if len(found) != 1:
            raise UntraceableError("a new state is not of the size of the old one")
        results += found
    program = Program(
        units=units,
        kernel=kernel,
        x_blocks=x_blocks,
        u_blocks=u_blocks,
        weights=tuple(used),
        leaves=tuple(leaves.items()),
        steps=tuple(steps),
        results=tuple(results),
        additive=False,
        offset=offset,
    )
    return _with_sum(program)


def _number(value):
    """Return a constant of a traced operation as a float, which tells it from the number of a value."""
    if not isinstance(value, (int, float, np.number)):
        raise UntraceableError(f"it uses {value!r}")
    return float(value)


def _check_product(cell, product, h, symbols):
    """Return the number of the recurrent weights and whether a bias is added to `h @ recurrent_kernel`.

    The number is None where `product` is anything else.
    """
    operation, args = _origin(product)
    offset = operation == "Add" and len(args[1].shape) == 1
    if offset:
        operation, args = _origin(args[0])
    kernel = next((k for k, weight in enumerate(cell.weights) if weight is cell.recurrent_kernel), None)
    if operation != "Matmul" or args[0] is not h or args[1] is not symbols.get(kernel):
        return None, False
    return kernel, offset


def _origin(tensor):
    """Return the operation that a symbol comes from, by name, and its arguments; ("", []) where it is a leaf."""
    history = getattr(tensor, "_keras_history", None)
    if history is None:
        return "", []
    node = history.operation._inbound_nodes[history.node_index]
    return type(history.operation).__name__, list(node.arguments.args)


def _with_sum(program):
    """Return the program with `x + u` as one leaf, if that is all it makes of them."""
    xs = [number for (name, _), number in program.leaves if name == "x"]
    us = [number for (name, _), number in program.leaves if name == "u"]
    sums = {args: out for name, out, args in program.steps if name == "Add"}
    uses = Counter(arg for _, _, args in program.steps for arg in args if isinstance(arg, int))
    pairs = [next((p for p in ((x, u), (u, x)) if p in sums), None) for x, u in zip(xs, us, strict=False)]
    if not us or len(xs) != len(us) or None in pairs or any(uses[one] != 1 for one in (*xs, *us)):
        return program
    leaves = [(leaf, number) for leaf, number in program.leaves if leaf[0] not in "xu"]
    leaves += [(("u", k), sums[pair]) for k, pair in enumerate(pairs)]
    steps = tuple(step for step in program.steps if step[1] not in {sums[pair] for pair in pairs})
    return program._replace(leaves=tuple(leaves), steps=steps, additive=True)


def evaluate(program, values):
    """Add the value of every step to `values`, number -> value, which hold those of the leaves."""
    for name, out, args in program.steps:
        some = next(values[a] for a in args if isinstance(a, int))
        values[out] = OPERATIONS[name][0](*(values[a] if isinstance(a, int) else some.make(a) for a in args))


def differentiate(program, values, gradients, ends=()):
    """Add to `gradients`, number -> value, those of all that the values in it are made of, but not beyond `ends`."""
    for name, out, args in reversed(program.steps):
        if out not in gradients or out in ends:
            continue
        some = values[out]
        given = [values[a] if isinstance(a, int) else some.make(a) for a in args]
        for arg, gradient in zip(args, OPERATIONS[name][1](gradients[out], some, *given), strict=True):
            if isinstance(arg, int) and gradient is not None:
                gradients[arg] = gradients[arg] + gradient if arg in gradients else gradient
