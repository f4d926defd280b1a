"""Machine code for this processor, made by LLVM: a cell's step, and products with rows that stay in registers."""

import contextlib
import functools
import math
import operator
import threading
from ctypes import CFUNCTYPE, c_void_p, cast
from typing import NamedTuple

import numpy as np
from llvmlite import binding as llvm
from llvmlite import ir

from zoo.loops.program import Program, clip, differentiate, evaluate

I64, BYTE, POINTER = ir.IntType(64), ir.IntType(8), ir.PointerType()
BYTES = 64 if "avx512f" in llvm.get_host_cpu_features() else 32  # of a vector register
ROWS, VECTORS = (8, 2) if BYTES == 64 else (4, 2)  # the block of a product that registers hold

FORWARD = "rows count time batch active mask drop x offset parameters packed out left offsets u"
BACKWARD = "rows count time batch active mask drop x parameters packed out offsets u d_u d_x d_parameters"
STATES = {"forward": ("first", "after"), "backward": ("first", "after", "d", "d_after")}


class Variant(NamedTuple):
    """What is settled when a loop is built."""

    program: Program
    dtype: str
    masked: bool
    dropped: bool
    shown: tuple[int, ...]  # the states whose sequences have a gradient


# --- values ------------------------------------------------------------------------------------------------


class Value:
    """A number, or a vector of them, in a function that is being built."""

    def __init__(self, builder, value):
        self.builder, self.value, self.type = builder, value, value.type
        self.lanes = getattr(value.type, "count", 1)
        self.bits = 32 if "float" in str(value.type) else 64

    def make(self, number):
        """Return a constant of this value's type."""
        if isinstance(number, Value):
            return number
        return Value(self.builder, _constant(self.type, float(number)))

    def _do(self, name, a, b):
        a, b = self.make(a).value, self.make(b).value
        # a * b + c may be one rounding instead of two; nothing else may change
        return Value(self.builder, getattr(self.builder, name)(a, b, flags=("contract",)))

    __add__ = __radd__ = lambda self, other: self._do("fadd", self, other)
    __mul__ = __rmul__ = lambda self, other: self._do("fmul", self, other)
    __sub__ = lambda self, other: self._do("fsub", self, other)
    __rsub__ = lambda self, other: self._do("fsub", other, self)
    __truediv__ = lambda self, other: self._do("fdiv", self, other)
    __rtruediv__ = lambda self, other: self._do("fdiv", other, self)
    __neg__ = lambda self: self._do("fsub", 0.0, self)
    __abs__ = lambda self: self._call("fabs")

    def _call(self, name):
        function = intrinsic(self.builder.module, name, self.type, 1)
        return Value(self.builder, self.builder.call(function, [self.value]))

    def sqrt(self):
        """Return the square root."""
        return self._call("sqrt")

    def where(self, relation, bound, yes, no):
        """Return `yes` where this value stands in `relation` to `bound`, else `no`."""
        test = self.builder.fcmp_ordered(relation, self.value, self.make(bound).value)
        return Value(self.builder, self.builder.select(test, self.make(yes).value, self.make(no).value))

    def exp(self):
        """Return e^x as 2^n * e^r with r between -ln(2) / 2 and ln(2) / 2, and e^r by its Taylor series."""
        digits, terms, most, bias = (23, 7, 88.0, 127) if self.bits == 32 else (52, 13, 709.0, 1023)
        x = clip(self, 1 - most, most)
        magic = 1.5 * 2**digits  # adding it rounds to a whole number, which then stands in the lowest bits
        shifted = x * (1 / math.log(2)) + magic
        n = shifted - magic
        high = 0.693359375  # ln(2) in two parts: n * high is exact
        r = x - n * high - n * (math.log(2) - high)
        power = self.make(1 / math.factorial(terms))
        for k in reversed(range(terms)):
            power = power * r + 1 / math.factorial(k)
        b, whole = self.builder, ir.IntType(self.bits)
        whole = ir.VectorType(whole, self.lanes) if self.lanes > 1 else whole
        exponent = b.add(b.bitcast(shifted.value, whole), _constant(whole, bias))
        return power * Value(b, b.bitcast(b.shl(exponent, _constant(whole, digits)), self.type))

    def sigmoid(self):
        """Return 1 / (1 + e^-x)."""
        return 1.0 / (1.0 + (-self).exp())

    def tanh(self):
        """Return tanh: near zero, where the quotient of exponentials loses digits, by Lambert's fraction."""
        a, s = abs(self), self * self
        e = (-2.0 * a).exp()
        over = self * (135135.0 + s * (17325.0 + s * (378.0 + s)))
        under = 135135.0 + s * (62370.0 + s * (3150.0 + s * 28.0))
        sign = self.where("<", 0.0, -1.0, 1.0)
        return a.where("<", 0.3, over, sign * (1.0 - e)) / a.where("<", 0.3, under, 1.0 + e)


def _constant(kind, number):
    lanes = getattr(kind, "count", None)
    return ir.Constant(kind, [number] * lanes if lanes else number)


def intrinsic(module, name, kind, count):
    """Return LLVM's own function `name` of `count` values of one floating-point kind."""
    lanes, bits = getattr(kind, "count", None), 32 if "float" in str(kind) else 64
    name = f"llvm.{name}.v{lanes}f{bits}" if lanes else f"llvm.{name}.f{bits}"
    return module.globals.get(name) or ir.Function(module, ir.FunctionType(kind, [kind] * count), name)


# --- functions ---------------------------------------------------------------------------------------------


class Code:
    """A function that is being built."""

    def __init__(self, module, name, dtype, arguments):
        self.module = module
        self.real = {"float32": ir.FloatType(), "float64": ir.DoubleType()}[dtype]
        self.size = np.dtype(dtype).itemsize
        self.lanes = BYTES // self.size
        self.across = VECTORS * self.lanes  # columns of a panel
        self.function = ir.Function(module, ir.FunctionType(ir.VoidType(), arguments), name)
        self.builder = ir.IRBuilder(self.function.append_basic_block())

    def kind(self, lanes):
        """Return the type of `lanes` numbers."""
        return self.real if lanes == 1 else ir.VectorType(self.real, lanes)

    def at(self, pointer, index, kind=None):
        """Return the address of an element."""
        return self.builder.gep(pointer, [index], source_etype=kind or self.real)

    def load(self, pointer, index, lanes=1):
        """Return the `lanes` numbers from `index` on."""
        place = self.at(pointer, index)
        return Value(self.builder, self.builder.load(place, typ=self.kind(lanes), align=self.size))

    def store(self, value, pointer, index):
        """Write a value from `index` on."""
        self.builder.store(value.value, self.at(pointer, index), align=self.size)

    def zero(self, lanes):
        """Return zeros."""
        return Value(self.builder, ir.Constant(self.kind(lanes), None))

    def whole(self, pointer, index):
        """Return the 64-bit whole number at `index`."""
        return self.builder.load(self.at(pointer, index, I64), typ=I64)

    def sum(self, *numbers):
        """Return the sum of whole numbers."""
        return functools.reduce(self.builder.add, (I64(n) if isinstance(n, int) else n for n in numbers))

    def times(self, *numbers):
        """Return the product of whole numbers."""
        return functools.reduce(self.builder.mul, (I64(n) if isinstance(n, int) else n for n in numbers))

    @contextlib.contextmanager
    def loop(self, count, step=1, first=0, down=False):
        """Build a loop over `first`, `first + step`, ... below `count`; `down`: from the last one to 0."""
        b = self.builder
        count, first = (I64(n) if isinstance(n, int) else n for n in (count, first))
        before, head, body, after = b.block, *(b.append_basic_block() for _ in range(3))
        b.branch(head)
        b.position_at_end(head)
        index = b.phi(I64)
        index.add_incoming(first, before)
        b.cbranch(b.icmp_signed("<", index, count), body, after)
        b.position_at_end(body)
        yield b.sub(b.sub(count, I64(1)), index) if down else index
        index.add_incoming(self.sum(index, step), b.block)
        b.branch(head)
        b.position_at_end(after)

    def columns(self, count):
        """Yield (index, lanes) twice: inside a loop over full vectors, and inside one over the rest."""
        full = count - count % self.lanes
        for first, last, lanes in ((0, full, self.lanes), (full, count, 1)):
            if first < last:
                with self.loop(last, lanes, first) as j:
                    yield j, lanes


def build_tile(module, rows, dtype, add):
    """Build a function: `rows` rows times one panel of the packed matrix, in registers throughout.

    Its arguments: the left matrix, where each of its rows begins, the panel, its depth, where to write, and the
    distance of two rows there. With `add`, the product is added to what stands there.
    """
    code = Code(module, f"tile_{rows}", dtype, [POINTER, POINTER, POINTER, I64, POINTER, I64])
    code.function.linkage = "internal"
    left, offsets, panel, depth, out, width = code.function.args
    b, vector = code.builder, code.kind(code.lanes)
    fma = intrinsic(module, "fma", vector, 3)
    places = [(r, v, I64(v * code.lanes)) for r in range(rows) for v in range(VECTORS)]
    lefts = [code.at(left, code.whole(offsets, I64(r))) for r in range(rows)]
    outs = [code.at(out, code.times(width, r)) for r in range(rows)]
    starts = [
        (code.load(outs[r], j, code.lanes) if add else code.zero(code.lanes)).value for r, _, j in places
    ]
    before, head, after = b.block, b.append_basic_block(), b.append_basic_block()
    b.branch(head)
    b.position_at_end(head)
    index, sums = b.phi(I64), [b.phi(vector) for _ in places]
    here = code.at(panel, code.times(index, code.across))
    columns = [code.load(here, I64(v * code.lanes), code.lanes).value for v in range(VECTORS)]
    undefined, first = ir.Constant(vector, ir.Undefined), ir.IntType(32)(0)
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), code.lanes), None)
    ones = [b.insert_element(undefined, code.load(row, index).value, first) for row in lefts]
    spread = [b.shuffle_vector(one, undefined, everywhere) for one in ones]
    ends = [b.call(fma, [spread[r], columns[v], one]) for (r, v, _), one in zip(places, sums, strict=True)]
    following = b.add(index, I64(1))
    for phi, start, end in zip((index, *sums), (I64(0), *starts), (following, *ends), strict=True):
        phi.add_incoming(start, before)
        phi.add_incoming(end, head)
    b.cbranch(b.icmp_signed("<", following, depth), head, after)
    b.position_at_end(after)
    for (r, _, j), end in zip(places, ends, strict=True):
        code.store(Value(b, end), outs[r], j)
    b.ret_void()
    return code.function


class Loop(Code):
    """A function over all steps and the rows of one thread; its argument is a table of whole numbers and addresses."""

    def __init__(self, module, way, variant):
        super().__init__(module, way, variant.dtype, [POINTER])
        self.variant, self.program, self.units = variant, variant.program, variant.program.units
        self.width, self.x_width = self.program.u_blocks * self.units, self.program.x_blocks * self.units
        sizes = [ROWS >> k for k in range(ROWS.bit_length())]
        self.tiles = {rows: build_tile(module, rows, variant.dtype, add=way == "forward") for rows in sizes}
        self.number = {
            slot: self.whole(self.function.args[0], I64(k)) for k, slot in enumerate(slots(way, variant))
        }
        self.pointer = {slot: self.builder.inttoptr(n, POINTER) for slot, n in self.number.items()}
        self.found = self.builder.alloca(I64)

    def place(self, t, row):
        """Return the number of a row of a step among all of them."""
        return self.sum(self.times(t, self.number["batch"]), row)

    def states(self, t):
        """Return the addresses of the states before and after step `t`."""
        b, step = self.builder, self.times(self.number["batch"], self.units)
        before, after = [], []
        for k in range(len(self.program.results)):
            here = self.at(self.pointer[f"after_{k}"], b.mul(t, step))
            last = self.at(here, b.neg(step))
            before.append(b.select(b.icmp_signed("==", t, I64(0)), self.pointer[f"first_{k}"], last))
            after.append(here)
        return before, after

    def active(self, t, masked_row):
        """Return this thread's rows that are real at step `t`, and their number; build `masked_row(r)` for the rest."""
        if not self.variant.masked:
            return self.pointer["rows"], self.number["count"]
        b = self.builder
        b.store(I64(0), self.found)
        with self.loop(self.number["count"]) as i:
            row = self.whole(self.pointer["rows"], i)
            real = b.load(self.at(self.pointer["mask"], self.place(t, row), BYTE), typ=BYTE)
            with b.if_else(b.icmp_unsigned("!=", real, BYTE(0))) as (yes, no):
                with yes:
                    found = b.load(self.found, typ=I64)
                    b.store(row, self.at(self.pointer["active"], found, I64))
                    b.store(self.sum(found, 1), self.found)
                with no:
                    masked_row(row)
        return self.pointer["active"], b.load(self.found, typ=I64)

    def padded(self, width):
        """Return the width of a row of "out": that of whole panels."""
        return -(-width // self.across) * self.across

    def product(self, left, count, depth, width):
        """Build "out" = or += the `count` rows of `left` that begin at "offsets", times the packed matrix."""
        b, padded, done = self.builder, self.padded(width), self.found
        with self.loop(padded // self.across) as p:
            panel = self.at(self.pointer["packed"], self.times(p, depth * self.across))

            def tile(rows, i):
                offsets = self.at(self.pointer["offsets"], i, I64)
                out = self.at(
                    self.pointer["out"], self.sum(self.times(i, padded), self.times(p, self.across))
                )
                b.call(self.tiles[rows], [left, offsets, panel, I64(depth), out, I64(padded)])

            full = b.and_(count, I64(-ROWS))
            with self.loop(full, ROWS) as i:
                tile(ROWS, i)
            b.store(full, done)
            for rows in (r for r in self.tiles if r < ROWS):
                with b.if_then(b.icmp_unsigned("!=", b.and_(count, I64(rows)), I64(0))):
                    i = b.load(done, typ=I64)
                    tile(rows, i)
                    b.store(self.sum(i, rows), done)

    def copy(self, width, target, first, *sources):
        """Write the sum of rows, each an address and an index, to a row; zeros if there is none."""
        for j, lanes in self.columns(width):
            values = [self.load(pointer, self.sum(begin, j), lanes) for pointer, begin in sources]
            value = functools.reduce(operator.add, values) if values else self.zero(lanes)
            self.store(value, target, self.sum(first, j))

    def leaf(self, name, k, row, place, before, j, lanes):
        """Return a block of the inputs, an old state or a parameter."""
        if name == "state":
            return self.load(before[k], self.sum(self.times(row, self.units), j), lanes)
        if name == "parameter":
            return self.load(self.pointer["parameters"], self.sum(k * self.units, j), lanes)
        return self.load(
            self.pointer["x"], self.sum(self.times(place, self.x_width), k * self.units, j), lanes
        )


def build_forward(module, variant):
    """Build the way forward. For every step: the products of all rows, then `update` of every row."""
    code = Loop(module, "forward", variant)
    b, pointer, program, units, width = code.builder, code.pointer, code.program, code.units, code.width
    padded = code.padded(width)
    with code.loop(code.number["time"]) as t:
        before, after = code.states(t)

        def stay(row):
            begin = code.times(row, units)
            for old, new in zip(before, after, strict=True):
                code.copy(units, new, begin, (old, begin))

        rows, count = code.active(t, stay)
        with code.loop(count if width else 0) as i:
            row = code.whole(rows, i)
            begin = code.times(row, units)
            sources = [(pointer["offset"], I64(0))] if program.offset else []
            sources += [(pointer["x"], code.times(code.place(t, row), width))] if program.additive else []
            code.copy(width, pointer["out"], code.times(i, padded), *sources)
            if variant.dropped:
                for j, lanes in code.columns(units):
                    kept = code.load(pointer["drop"], code.sum(begin, j), lanes)
                    kept = kept * code.load(before[0], code.sum(begin, j), lanes)
                    code.store(kept, pointer["left"], code.sum(code.times(i, units), j))
                begin = code.times(i, units)
            b.store(begin, code.at(pointer["offsets"], i, I64))
        if width:
            code.product(pointer["left"] if variant.dropped else before[0], count, units, width)
        with code.loop(count) as i:
            row = code.whole(rows, i)
            place = code.place(t, row)
            for j, lanes in code.columns(units):
                values = {}
                for (name, k), number in program.leaves:
                    if name == "u":
                        u = code.load(pointer["out"], code.sum(code.times(i, padded), k * units, j), lanes)
                        code.store(u, pointer["u"], code.sum(code.times(place, width), k * units, j))
                        values[number] = u
                    else:
                        values[number] = code.leaf(name, k, row, place, before, j, lanes)
                evaluate(program, values)
                for new, number in zip(after, program.results, strict=True):
                    code.store(values[number], new, code.sum(code.times(row, units), j))
    b.ret_void()


def build_backward(module, variant):
    """Build the way back. For every step: the derivative of every row, then the products of all rows."""
    code = Loop(module, "backward", variant)
    b, pointer, program, units, width = code.builder, code.pointer, code.program, code.units, code.width
    with code.loop(code.number["time"], down=True) as t:
        before, _ = code.states(t)

        def pass_on(row):
            place, begin = code.place(t, row), code.times(row, units)
            if width:
                code.copy(width, pointer["d_u"], code.times(place, width))
            if not program.additive:
                code.copy(code.x_width, pointer["d_x"], code.times(place, code.x_width))
            for k in variant.shown:
                shown = (pointer[f"d_after_{k}"], code.times(place, units))
                code.copy(units, pointer[f"d_{k}"], begin, (pointer[f"d_{k}"], begin), shown)

        rows, count = code.active(t, pass_on)
        with code.loop(count) as i:
            row = code.whole(rows, i)
            place, begin = code.place(t, row), code.times(row, units)
            b.store(code.times(place, width), code.at(pointer["offsets"], i, I64))
            for j, lanes in code.columns(units):
                values, gradients = {}, {}
                for (name, k), number in program.leaves:
                    if name == "u":
                        at = code.sum(code.times(place, width), k * units, j)
                        values[number] = code.load(pointer["u"], at, lanes)
                    else:
                        values[number] = code.leaf(name, k, row, place, before, j, lanes)
                evaluate(program, values)
                for k, number in enumerate(program.results):
                    d = code.load(pointer[f"d_{k}"], code.sum(begin, j), lanes)
                    if k in variant.shown:
                        d = d + code.load(
                            pointer[f"d_after_{k}"], code.sum(code.times(place, units), j), lanes
                        )
                    gradients[number] = gradients[number] + d if number in gradients else d
                differentiate(program, values, gradients)
                for (name, k), number in program.leaves:
                    d = gradients.get(number, code.zero(lanes))
                    if name == "state":
                        code.store(d, pointer[f"d_{k}"], code.sum(begin, j))
                    elif name == "parameter":
                        at = code.sum(k * units, j)
                        code.store(
                            d + code.load(pointer["d_parameters"], at, lanes), pointer["d_parameters"], at
                        )
                    else:
                        across = width if name == "u" else code.x_width
                        code.store(d, pointer[f"d_{name}"], code.sum(code.times(place, across), k * units, j))
        if width:
            code.product(pointer["d_u"], count, width, units)
        with code.loop(count if width else 0) as i:
            begin, out = code.times(code.whole(rows, i), units), code.times(i, code.padded(units))
            for j, lanes in code.columns(units):
                at = code.sum(begin, j)
                d = code.load(pointer["out"], code.sum(out, j), lanes)
                d = d * code.load(pointer["drop"], at, lanes) if variant.dropped else d
                code.store(d + code.load(pointer["d_0"], at, lanes), pointer["d_0"], at)
    b.ret_void()


def build_share(module):
    """Build what each thread of an OpenMP team runs: its share of the calls of a function.

    The argument is a table: the function, OpenMP's functions for this thread's number and for that of all, the
    number of calls, and the argument of each.
    """
    code = Code(module, "share", "float32", [POINTER])
    table, b = code.function.args[0], code.builder
    own, counted = ir.FunctionType(ir.VoidType(), [POINTER]), ir.FunctionType(ir.IntType(32), [])
    kinds = (own.as_pointer(), counted.as_pointer(), counted.as_pointer())
    call, *numbers = (b.inttoptr(code.whole(table, I64(k)), kind) for k, kind in enumerate(kinds))
    first, step = (b.sext(b.call(function, []), I64) for function in numbers)
    with code.loop(code.whole(table, I64(3)), step, first) as k:
        argument = b.inttoptr(code.whole(table, code.sum(k, 4)), POINTER)
        b.call(call, [argument])
    b.ret_void()


# --- compilation -------------------------------------------------------------------------------------------


def slots(way, variant):
    """Return the names of what stands in the table that a built function takes."""
    names = {"forward": FORWARD, "backward": BACKWARD}[way].split()
    return names + [f"{name}_{k}" for name in STATES[way] for k in range(len(variant.program.results))]


@functools.cache
def _machine():
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    cpu, features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    machine = llvm.Target.from_default_triple().create_target_machine(cpu, features, opt=3, jit=True)
    return machine, llvm.create_lljit_compiler(machine)


_LIBRARIES = {}  # what was built -> the compiled code, which lives as long as this
_ONE_AT_A_TIME = threading.Lock()


def _compiled(name, build, *variant):
    """Return the function `name` that `build(module, *variant)` builds, as a C function of an address."""
    with _ONE_AT_A_TIME:
        if (name, *variant) not in _LIBRARIES:
            machine, jit = _machine()
            module = ir.Module(name)
            module.triple = machine.triple
            build(module, *variant)
            parsed = llvm.parse_assembly(str(module))
            passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
            passes.getModulePassManager().run(parsed, passes)
            library = llvm.JITLibraryBuilder().add_ir(parsed).export_symbol(name)
            _LIBRARIES[name, *variant] = library.link(jit, f"{name} {len(_LIBRARIES)}")
        return CFUNCTYPE(None, c_void_p)(_LIBRARIES[name, *variant][name])


def function(way, variant):
    """Return the loop "forward" or "backward": a C function of the address of a table of `slots`."""
    return _compiled(way, {"forward": build_forward, "backward": build_backward}[way], variant)


def with_team(openmp, function, addresses):
    """Call a function with each of the addresses, by the threads of an OpenMP library, which wait spinning."""
    share = _compiled("share", build_share)
    parts = (function, openmp.omp_get_thread_num, openmp.omp_get_num_threads)
    parts = [cast(part, c_void_p).value for part in parts]
    table = np.array([*parts, len(addresses), *addresses], np.int64)
    openmp.GOMP_parallel(share, c_void_p(table.ctypes.data), len(addresses), 0)


def packed(matrix):
    """Return a matrix (depth, width) as the panels of a product, (panels, depth, columns), filled up with zeros."""
    across = VECTORS * BYTES // matrix.itemsize
    depth, width = matrix.shape
    full, panels = width // across, -(-width // across)
    memory = np.empty(panels * depth * across * matrix.itemsize + BYTES, np.uint8)
    begin = -memory.ctypes.data % BYTES  # so that no vector of a panel lies in two lines of the cache
    result = memory[begin : begin + memory.size - BYTES].view(matrix.dtype).reshape(panels, depth, across)
    result[:full] = matrix[:, : full * across].reshape(depth, full, across).transpose(1, 0, 2)
    result[full:] = 0
    result[full:, :, : width - full * across] = matrix[:, full * across :]
    return result
