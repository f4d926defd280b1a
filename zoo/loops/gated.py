"""The gated loop: as the plain one, but going back it computes for all steps at once whatever can be.

The old states enter a gated cell through one product, and its `update` is elementwise. So one vector-Jacobian
product with ones, over all stacked steps, gives the local derivatives of a new state by everything it is made
from. What is left of the backward loop are a few multiply-adds and one product a step; weights and inputs get
their gradients from all stacked steps after it.
"""

from contextlib import contextmanager
from typing import NamedTuple

import keras
from keras import ops, tree

# no public name; the backward pass runs outside of the scope that Keras opens for a layer's call
from keras.src.backend import AutocastScope

from zoo.loops.backend import native
from zoo.loops.masks import choose


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

    def unpacked(values):
        values = iter(values)
        return Inputs(*([next(values) for _ in part] for part in inputs))

    def to_outputs(values):
        outputs, saved = forward(unpacked(values))
        return outputs, (values, saved)

    def to_gradients(saved, cotangents):
        values, saved = saved
        gradients = backward(unpacked(values), saved, list(cotangents))
        return [*(d for part in gradients for d in part), *[None for part in given for _ in part]]

    return list(native.custom_gradient(to_outputs, to_gradients)([v for part in inputs for v in part]))


@contextmanager
def using(cell, weights):
    """Let the cell compute with these values of its weights, in its own precision."""
    values = list(zip(cell.weights, weights, strict=True))
    with AutocastScope(cell.compute_dtype), keras.StatelessScope(values, initialize_variables=False):
        yield


def gated(cell, x, states, mask=None, drop=None):
    """Run a `GatedCell` over time; arguments and answer are those of `plain`."""
    parts_of_x = tree.map_structure(lambda _: 0, x)
    count = len(states)

    def product(states, drop):
        return cell.recurrent(states[0] * drop[0] if drop else states[0], *states[1:])

    def update(x, u, states):
        return list(cell.updated(tree.pack_sequence_as(parts_of_x, x), u, *states))

    def forward(inputs):
        def step(old, now):
            u = product(old, inputs.drop)
            new = update(now[: len(inputs.x)], u, old)
            if inputs.mask:
                new = [choose(now[-1], n, o) for n, o in zip(new, old, strict=True)]
            return new, [*new, u]

        with using(cell, inputs.weights):
            like = [*inputs.states, product(inputs.states, inputs.drop)]
            final, ys = native.scan(step, inputs.states, [*inputs.x, *inputs.mask], like)
        return [*ys[:count], *final], ys

    def backward(inputs, saved, cotangents):
        weights, xs, states, masks, drop = inputs
        *after, u = saved
        before = [ops.concatenate([s[None], a[:-1]], axis=0) for s, a in zip(states, after, strict=True)]
        with using(cell, weights):
            local = _local_derivatives(lambda u, *before: update(xs, u, before), [u, *before])
        if masks:  # at a masked step nothing enters, and every state is its old one
            local = [[choose(masks[0], d, ops.zeros_like(d)) for d in row] for row in local]

        with using(cell, weights):
            to_states = native.pullback(lambda *states: [product(states, drop)], states)

        def step(d, now):
            d = [a + b for a, b in zip(d, now[:count], strict=True)]
            rows = [now[count + k * (count + 1) :][: count + 1] for k in range(count)]
            pairs = list(zip(rows, d, strict=True))
            d_u, *d_old = (_sum(_times(row[k], one) for row, one in pairs) for k in range(count + 1))
            d_old = [a + b for a, b in zip(d_old, to_states([d_u]), strict=True)]
            if masks:
                d_old = [a + choose(now[-1], ops.zeros_like(b), b) for a, b in zip(d_old, d, strict=True)]
            return d_old, [*d, d_u]

        backwards = [*cotangents[:count], *(d for row in local for d in row), *masks]
        with using(cell, weights):
            backwards = [native.reverse(s) for s in backwards]
            d_states, ys = native.scan(step, cotangents[count:], backwards, [*states, u[0]])
        *d_new, d_u = (native.reverse(y) for y in ys)
        if masks:
            d_new = [choose(masks[0], d, ops.zeros_like(d)) for d in d_new]

        def updates(*values):
            with using(cell, values[: len(weights)]):
                return update(values[len(weights) :], u, before)

        all_old = [ops.reshape(b, (-1, *b.shape[2:])) for b in before]
        all_drop = [
            ops.reshape(ops.broadcast_to(d, ops.shape(before[0])), ops.shape(all_old[0])) for d in drop
        ]

        def products(*weights):
            with using(cell, weights):
                return [product(all_old, all_drop)]

        d = native.pullback(updates, [*weights, *xs])(d_new)
        d_products = native.pullback(products, weights)([ops.reshape(d_u, (-1, *d_u.shape[2:]))])
        d_weights = [a + b for a, b in zip(d[: len(weights)], d_products, strict=True)]
        return d_weights, d[len(weights) :], d_states

    outputs = with_gradient(forward, backward, cell, x, states, mask, drop)
    return outputs[:count], outputs[count:]


def _local_derivatives(update, values):
    """Return for each new state a list of its derivatives by the `values` that the elementwise `update` takes.

    Each is of the shape of its value, (time, batch, ...); several blocks of a new state's size are one value.
    """
    new = update(*values)
    return [
        native.pullback(lambda *values, k=k: update(*values)[k : k + 1], values)([ops.ones_like(new[k])])
        for k in range(len(new))
    ]


def _times(derivative, d):
    """Return `derivative` (batch, ..., blocks * units) times `d` (batch, ..., units) in each of its blocks."""
    if derivative.shape[-1] == d.shape[-1]:
        return derivative * d
    blocks = ops.reshape(derivative, (*ops.shape(d)[:-1], -1, d.shape[-1]))
    return ops.reshape(blocks * d[..., None, :], (*ops.shape(d)[:-1], derivative.shape[-1]))


def _sum(values):
    first, *others = values
    return sum(others, first)
