"""The gated loop: as the plain one, but going back it computes for all steps at once whatever can be.

The old states enter a gated cell through one product, and the rest of a step is elementwise: a `Program`. So the
derivatives of each new state by what it is made from are found for all stacked steps at once. What is left of the
backward loop are a few multiply-adds and one product a step; weights and inputs get their gradients from all stacked
steps after it.
"""

import math
import operator
from contextlib import contextmanager
from typing import NamedTuple

import keras
from keras import ops, tree

# no public name; the backward pass runs outside of the scope that Keras opens for a layer's call
from keras.src.backend import AutocastScope

from zoo.loops.backend import native
from zoo.loops.masks import choose
from zoo.loops.program import differentiate, evaluate, program_of

KINDS = ("x", "u", "state", "parameter")  # of a program's leaves


class Inputs(NamedTuple):
    """All that a loop's outputs depend on, each a list of tensors."""

    weights: list
    x: list
    states: list
    mask: list
    drop: list


def with_gradient(forward, backward, cell, x, states, mask, drop):
    """Return `forward`'s outputs, a list, with a gradient of our own.

    `forward` maps `Inputs` to (outputs, saved), two lists; `backward` maps (`Inputs`, saved, gradients of the
    outputs) to the gradients of weights, x and states, three lists. The rest is as in `plain`.
    """
    weights = [ops.convert_to_tensor(weight) for weight in cell.weights]
    given = [[] if one is None else [one] for one in (mask, drop)]
    inputs = Inputs(weights, tree.flatten(x), list(states), *given)
    sizes = [len(part) for part in inputs]
    total = sum(sizes)

    def unpacked(values):
        values = iter(values)
        return Inputs(*([next(values) for _ in range(size)] for size in sizes))

    def to_outputs(values):
        outputs, saved = forward(unpacked(values))
        return outputs, [*values, *saved]

    def to_gradients(saved, cotangents):
        gradients = backward(unpacked(saved[:total]), saved[total:], list(cotangents))
        return [*(d for part in gradients for d in part), *[None for part in given for _ in part]]

    return list(native.custom_gradient(to_outputs, to_gradients)([v for part in inputs for v in part]))


@contextmanager
def using(cell, weights):
    """Let the cell compute with these values of its weights, in its own precision."""
    values = list(zip(cell.weights, weights, strict=True))
    with AutocastScope(cell.compute_dtype), keras.StatelessScope(values, initialize_variables=False):
        yield


class _Tensor:
    """A tensor, or a constant, with the operations that a program is made of."""

    def __init__(self, value):
        self.value = value

    def make(self, number):
        return number if isinstance(number, _Tensor) else _Tensor(number)

    def _do(self, function, *values):
        return _Tensor(function(*(self.make(value).value for value in values)))

    __add__ = __radd__ = lambda self, other: self._do(operator.add, self, other)
    __mul__ = __rmul__ = lambda self, other: self._do(operator.mul, self, other)
    __sub__ = lambda self, other: self._do(operator.sub, self, other)
    __rsub__ = lambda self, other: self._do(operator.sub, other, self)
    __truediv__ = lambda self, other: self._do(operator.truediv, self, other)
    __rtruediv__ = lambda self, other: self._do(operator.truediv, other, self)
    __neg__ = lambda self: self._do(operator.neg, self)
    __abs__ = lambda self: self._do(ops.abs, self)
    sqrt = lambda self: self._do(ops.sqrt, self)
    exp = lambda self: self._do(ops.exp, self)
    sigmoid = lambda self: self._do(ops.sigmoid, self)
    tanh = lambda self: self._do(ops.tanh, self)

    def where(self, relation, bound, yes, no):
        test = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}[relation]
        yes, no = (ops.cast(self.make(one).value, self.value.dtype) for one in (yes, no))
        return _Tensor(ops.where(test(self.value, self.make(bound).value), yes, no))


def gated(cell, x, states, mask=None, drop=None):
    """Run a `GatedCell` over time.

    Arguments and answer are those of `plain`.
    """
    program, count = program_of(cell), len(states)
    shown = cell.shown
    blocks = {name: [n for (kind, _), n in program.leaves if kind == name] for name in KINDS}

    def product(states, drop):
        return cell.recurrent(states[0] * drop[0] if drop else states[0], *states[1:])

    def forward(inputs):
        def step(old, now):
            u = product(old, inputs.drop)
            new = list(cell.updated(now[0], u, *old))
            if inputs.mask:
                new = [choose(now[-1], n, o) for n, o in zip(new, old, strict=True)]
            return new, [*new, u]

        with using(cell, inputs.weights):
            like = [*inputs.states, product(inputs.states, inputs.drop)]
            final, ys = native.scan(step, inputs.states, [*inputs.x, *inputs.mask], like)
        return [*(ys[k] for k in shown), *final], ys

    def backward(inputs, saved, cotangents):
        weights, (x,), states, mask, drop = inputs
        *after, u = saved
        before = [ops.concatenate([s[None], a[:-1]], axis=0) for s, a in zip(states, after, strict=True)]
        parameters = [ops.cast(weights[k], cell.compute_dtype) for k in program.weights]
        parameters = [part for weight in parameters for part in _blocks(weight, program.units)]
        leaves = {"u": _blocks(x + u if program.additive else u, program.units), "state": before}
        leaves |= {"parameter": parameters} | ({} if program.additive else {"x": _blocks(x, program.units)})
        values = {n: _Tensor(v) for name, vs in leaves.items() for n, v in zip(blocks[name], vs, strict=True)}
        evaluate(program, values)
        chain = _local_derivatives(program, values)
        # a derivative that is the same at all steps is no sequence
        sequences = [d.value for _, made_of in chain for d in made_of.values() if hasattr(d.value, "shape")]
        late = bool(blocks["x"] or blocks["parameter"])  # they need the new states' gradients afterwards
        with using(cell, weights):
            to_states = native.pullback(lambda *states: [product(states, drop)], states)

        def step(d, now):
            now = iter(now)
            d = list(d)
            for k in shown:
                d[k] = d[k] + next(now)
            local = [
                {n: next(now) if hasattr(d.value, "shape") else d.value for n, d in made_of.items()}
                for _, made_of in chain
            ]
            real = next(now, None)
            entering = d if real is None else [choose(real, one, ops.zeros_like(one)) for one in d]
            total = {}
            for number, one in zip(program.results, entering, strict=True):
                total[number] = total[number] + one if number in total else one
            for (number, _), made_of in zip(chain, local, strict=True):
                for n, derivative in made_of.items():
                    if n in wanted:
                        part = derivative * total[number]
                        total[n] = total[n] + part if n in total else part
            zero = ops.zeros_like(d[0])
            d_u = ops.concatenate([total.get(n, zero) for n in blocks["u"]], axis=-1)
            d_old = [a + total.get(n, zero) for a, n in zip(to_states([d_u]), blocks["state"], strict=True)]
            if real is not None:
                d_old = [a + choose(real, zero, b) for a, b in zip(d_old, d, strict=True)]
            return d_old, [d_u, *([total[number] for number, _ in chain] if late else [])]

        wanted = {*blocks["u"], *blocks["state"], *program.results}
        xs = [*cotangents[: len(shown)], *sequences, *mask]
        like = [u[0], *([states[0]] * len(chain) if late else [])]
        with using(cell, weights):
            d_states, (d_u, *d_new) = native.scan(step, cotangents[len(shown) :], xs, like, backwards=True)

        def gradient_of(n):
            parts = [made_of[n] * d for (_, made_of), d in zip(chain, d_new, strict=True) if n in made_of]
            return _sum(parts).value if parts else ops.zeros_like(before[0])

        d_x = d_u if program.additive else ops.concatenate([gradient_of(n) for n in blocks["x"]], axis=-1)
        all_old = [ops.reshape(b, (-1, *b.shape[2:])) for b in before]
        all_drop = [
            ops.reshape(ops.broadcast_to(d, ops.shape(before[0])), ops.shape(all_old[0])) for d in drop
        ]

        def products(*weights):
            with using(cell, weights):
                return [product(all_old, all_drop)]

        d_weights = list(native.pullback(products, weights)([ops.reshape(d_u, (-1, d_u.shape[-1]))]))
        d_parameters = (ops.cast(gradient_of(n), cell.variable_dtype) for n in blocks["parameter"])
        d_parameters = iter([ops.sum(d, axis=(0, 1)) for d in d_parameters])
        for k in program.weights:
            parts = [next(d_parameters) for _ in range(math.prod(weights[k].shape) // program.units)]
            part = ops.cast(ops.concatenate(parts), weights[k].dtype)
            d_weights[k] = d_weights[k] + ops.reshape(part, weights[k].shape)
        return d_weights, [d_x], d_states

    outputs = with_gradient(forward, backward, cell, x, states, mask, drop)
    return [outputs[shown.index(k)] if k in shown else None for k in range(count)], outputs[len(shown) :]


def _blocks(tensor, units):
    """Return the blocks of `units` columns, each (..., units)."""
    return ops.split(tensor, tensor.shape[-1] // units, axis=-1)


def _local_derivatives(program, values):
    """Return (new state, number of what it is made from -> derivative) for each, those that others are made from last.

    A new state that another one is made from, as the memory of an LSTM, ends the other one's derivatives.
    """
    place = {out: k for k, (_, out, _) in enumerate(program.steps)}
    chain = []
    for number in sorted(set(program.results), key=lambda n: place.get(n, -1), reverse=True):
        gradients = {number: _Tensor(1.0)}
        differentiate(program, values, gradients, ends=set(program.results) - {number})
        made_of = {
            n: d for n, d in gradients.items() if n != number and (n not in place or n in program.results)
        }
        chain.append((number, made_of))
    return chain


def _sum(values):
    first, *others = values
    return sum(others, first)
