"""The compiled loop: a gated or linear cell's own step, made into machine code for the CPU (`lstm-zoo[cpu]`).

A framework runs a step of a recurrence as a dozen operations, and reads the recurrent weights anew for a handful
of rows. Here all steps are one call. From what the step computes (`zoo.loops.program`) and its derivative two
functions are built, forward and backward (`machine.py`). They hold the recurrent weights packed in panels, multiply
them with blocks of rows that stay in registers (Goto & van de Geijn, 2008), and share the rows among the cores, each
thread taking its own rows through all steps. Masked rows are left out of every step.

A cell whose step holds an operation that is not in `OPERATIONS`, or whose product is not `h @ U` (plus a
bias), keeps the other loops, as on other devices and in lower precision.
"""

import functools
import math
import os
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np
from keras import ops

from zoo.cells import GatedCell, LinearCell
from zoo.loops.backend import native
from zoo.loops.gated import using, with_gradient
from zoo.loops.memory import empty
from zoo.loops.program import program_of

_SMALL = 2e5  # multiply-adds that a second thread is not worth


def compiles(cell) -> bool:
    """Whether the loop can run this built cell: here, on this backend and its device."""
    if not isinstance(cell, (GatedCell, LinearCell)) or cell.compute_dtype not in ("float32", "float64"):
        return False
    if find_spec("llvmlite") is None or not native.compiles(cell):
        return False
    program = program_of(cell)
    return program is not None and (program.kernel is not None or not program.u_blocks)


def compiled(cell, x, states, mask=None, drop=None):
    """Run a `GatedCell` or `LinearCell` over time.

    Arguments and answer are those of `plain`.
    """
    from zoo.loops.compiled.machine import Variant  # it needs llvmlite

    program, every = program_of(cell), range(len(states))
    units, width = program.units, program.u_blocks * program.units
    shown = cell.shown
    variant = Variant(program, cell.compute_dtype, mask is not None, drop is not None, shown)

    def given(inputs):
        named = {"x": inputs.x[0]} | ({"kernel": inputs.weights[program.kernel]} if width else {})
        named |= {f"first_{k}": state for k, state in enumerate(inputs.states)}
        named |= {name: part[0] for name, part in (("mask", inputs.mask), ("drop", inputs.drop)) if part}
        if program.weights:
            flat = [ops.reshape(inputs.weights[k], (-1,)) for k in program.weights]
            named["parameters"] = ops.concatenate(flat)
        return named

    def offset(*weights):
        with using(cell, weights):
            return [cell.recurrent(*(ops.zeros((1, units), cell.compute_dtype) for _ in states))]

    def forward(inputs):
        def shapes(known):
            time, batch, _ = known["x"]
            after = {f"after_{k}": (time, batch, units) for k in every}
            final = {f"final_{k}": (batch, units) for k in every}
            return after | final | ({"u": (time, batch, width)} if width else {})

        def run(inputs, outputs):
            finals = [outputs.pop(f"final_{k}") for k in every]
            _call("forward", variant, inputs, outputs)
            for k, final in enumerate(finals):
                final[:] = outputs[f"after_{k}"][-1] if len(inputs["x"]) else inputs[f"first_{k}"]

        named = given(inputs) | ({"offset": offset(*inputs.weights)[0]} if program.offset else {})
        found = native.outside(run, named, shapes)
        final = [found[f"final_{k}"] for k in every]
        after = [found[f"after_{k}"] for k in every]
        return [*(after[k] for k in shown), *final], [*after, *([found["u"]] if width else [])]

    def backward(inputs, saved, cotangents):
        after = saved[: len(states)]
        named = given(inputs) | {f"after_{k}": a for k, a in enumerate(after)}
        named |= {"u": saved[-1]} if width else {}
        named |= {f"d_after_{k}": d for k, d in zip(shown, cotangents, strict=False)}
        named |= {f"d_final_{k}": d for k, d in enumerate(cotangents[len(shown) :])}

        def shapes(known):
            outputs = {f"d_{k}": known[f"first_{k}"] for k in every}
            outputs |= {"d_u": known["u"]} if width else {}
            outputs |= {} if program.additive else {"d_x": known["x"]}
            return outputs | ({"d_parameters": known["parameters"]} if program.weights else {})

        def run(inputs, outputs):
            for k in every:
                outputs[f"d_{k}"][:] = inputs.pop(f"d_final_{k}")
            _call("backward", variant, inputs, outputs)

        found = native.outside(run, named, shapes)
        d_weights = [ops.zeros_like(weight) for weight in inputs.weights]
        if width:
            before = ops.concatenate([inputs.states[0][None], after[0][:-1]], axis=0)
            before = ops.reshape(before * inputs.drop[0] if inputs.drop else before, (-1, units))
            d_u = ops.reshape(found["d_u"], (-1, width))
            if program.offset:
                d_weights = list(
                    native.pullback(offset, inputs.weights)([ops.sum(d_u, axis=0, keepdims=True)])
                )
            d_weights[program.kernel] = ops.transpose(before) @ d_u
        begin = 0
        for k in program.weights:
            shape = inputs.weights[k].shape
            part = found["d_parameters"][begin : begin + math.prod(shape)]
            d_weights[k] = d_weights[k] + ops.reshape(part, shape)
            begin += math.prod(shape)
        d_x = found["d_u"] if program.additive else found["d_x"]
        return d_weights, [d_x], [found[f"d_{k}"] for k in every]

    outputs = with_gradient(forward, backward, cell, x, states, mask, drop)
    return [outputs[shown.index(k)] if k in shown else None for k in every], outputs[len(shown) :]


def _call(way, variant, inputs, outputs):
    """Run a built function over all rows; `inputs` and `outputs` are arrays by the names of its slots."""
    from zoo.loops.compiled import machine  # it needs llvmlite

    function = machine.function(way, variant)
    time, batch, _ = inputs["x"].shape
    units = variant.program.units
    kernel = inputs.pop("kernel", np.zeros((0, 0), inputs["x"].dtype))
    shared = {name: np.ascontiguousarray(array) for name, array in inputs.items()} | outputs
    shared["packed"] = machine.packed(kernel if way == "forward" else kernel.T)
    tables, memory = [], []
    for rows in _shares(batch, inputs.get("mask"), time * batch * max(kernel.size, 4 * units)):
        own = {name: np.empty(len(rows), np.int64) for name in ("active", "offsets")}
        own["rows"] = np.ascontiguousarray(rows, np.int64)
        own["out"] = empty((len(rows), math.prod(shared["packed"].shape[::2])), kernel.dtype)
        own["left"] = empty((len(rows), units), kernel.dtype)
        if "d_parameters" in outputs:
            own["d_parameters"] = np.zeros_like(outputs["d_parameters"])
        numbers = {name: array.ctypes.data for name, array in (shared | own).items()}
        numbers |= {"count": len(rows), "time": time, "batch": batch}
        tables.append(np.array([numbers.get(slot, 0) for slot in machine.slots(way, variant)], np.int64))
        memory.append(own)
    openmp = getattr(native, "openmp", lambda: None)()
    if openmp is not None and len(tables) > 1:
        machine.with_team(openmp, function, [table.ctypes.data for table in tables])
    else:
        others = [_pool(os.getpid()).submit(function, table.ctypes.data) for table in tables[1:]]
        function(tables[0].ctypes.data)
        for other in others:
            other.result()
    if "d_parameters" in outputs:
        outputs["d_parameters"][:] = sum(own["d_parameters"] for own in memory)


def _shares(batch, mask, work):
    """Return the rows of every thread: rows of about the same length side by side, as much for one as for another."""
    threads = min(_threads(), batch) if work > _SMALL else 1
    if mask is None:
        return np.array_split(np.arange(batch), threads)
    order = np.argsort(-mask.sum(axis=0), kind="stable")
    return [order[first::threads] for first in range(threads)]


def _threads():
    """Return the number of threads: PyTorch's, or OMP_NUM_THREADS, or else that of the processors."""
    if hasattr(native, "threads"):
        return native.threads()
    given = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    return int(given) if given.isdigit() and int(given) else len(os.sched_getaffinity(0))


@functools.cache
def _pool(process):
    """Return the threads beside the caller's; those of another process did not come along when it forked."""
    del process
    return ThreadPoolExecutor(max(1, _threads() - 1), thread_name_prefix="zoo")
