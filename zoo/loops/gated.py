"""The gated loop: as the plain one, but weights get their gradient once, after the backward pass.

The old states enter a gated cell's weights through one product only. So the backward loop need only find the
gradients of the states; then all steps, stacked, give the gradients of weights and inputs in one go.
"""

from contextlib import contextmanager

import keras
from keras import ops, tree

# no public name; the backward pass runs outside of the scope that Keras opens for a layer's call
from keras.src.backend import AutocastScope

from zoo.loops.backend import native
from zoo.loops.masks import choose


def gated(cell, x, states, mask=None, drop=None):
    """Run a `GatedCell` over time; arguments and answer are those of `plain`."""
    weights = [ops.convert_to_tensor(weight) for weight in cell.weights]
    flat = tree.flatten(x)
    parts = {"weights": weights, "x": flat, "states": list(states)}
    parts |= {"mask": [] if mask is None else [mask], "drop": [] if drop is None else [drop]}

    def unpack(values):
        values = iter(values)
        return [[next(values) for _ in part] for part in parts.values()]

    @contextmanager
    def using(values):
        """Let the cell compute with these values of its weights, in its own precision."""
        values = list(zip(cell.weights, values, strict=True))
        with AutocastScope(cell.compute_dtype), keras.StatelessScope(values, initialize_variables=False):
            yield

    def product(states, drop):
        return cell.recurrent(states[0] * drop[0] if drop else states[0], *states[1:])

    def update(x, u, states):
        return list(cell.updated(tree.pack_sequence_as(parts_of_x, x), u, *states))

    parts_of_x = tree.map_structure(lambda _: 0, x)
    count = len(states)

    def forward(values):
        weights, xs, states, masks, drop = unpack(values)

        def step(old, now):
            u = product(old, drop)
            new = update(now[: len(xs)], u, old)
            if masks:
                new = [choose(now[-1], n, o) for n, o in zip(new, old, strict=True)]
            return new, [*new, u]

        with using(weights):
            like = [*states, product(states, drop)]
            final, ys = native.scan(step, states, [*xs, *masks], like)
        return [*ys[:count], *final], (values, ys)

    def backward(saved, cotangents):
        values, (*after, u) = saved
        weights, xs, states, masks, drop = unpack(values)
        before = [ops.concatenate([s[None], a[:-1]], axis=0) for s, a in zip(states, after, strict=True)]

        def step(d, now):
            x, (u, *now) = now[: len(xs)], now[len(xs) :]
            old, d_shown, real = now[:count], now[count : 2 * count], now[2 * count :]
            d = [a + b for a, b in zip(d, d_shown, strict=True)]
            d_new = [choose(real[0], one, ops.zeros_like(one)) for one in d] if real else d
            d_u, *d_old = native.vjp(lambda u, *states: update(x, u, states), [u, *old], d_new)
            d_recurrent = native.vjp(lambda *states: [product(states, drop)], old, [d_u])
            d_old = [a + b for a, b in zip(d_old, d_recurrent, strict=True)]
            if real:
                d_old = [a + b - c for a, b, c in zip(d_old, d, d_new, strict=True)]
            return d_old, [*d_new, d_u]

        backwards = [native.reverse(s) for s in (*xs, u, *before, *cotangents[:count], *masks)]
        with using(weights):
            d_states, ys = native.scan(step, list(cotangents[count:]), backwards, [*states, u[0]])
        *d_new, d_u = (_one_batch(native.reverse(y)) for y in ys)
        all_x, all_u, all_old = [_one_batch(x) for x in xs], _one_batch(u), [_one_batch(b) for b in before]
        all_drop = [_one_batch(ops.broadcast_to(d, ops.shape(before[0]))) for d in drop]

        def updates(*values):
            with using(values[: len(weights)]):
                return update(values[len(weights) :], all_u, all_old)

        def products(*weights):
            with using(weights):
                return [product(all_old, all_drop)]

        d = native.vjp(updates, [*weights, *all_x], d_new)
        d_weights = [a + b for a, b in zip(d, native.vjp(products, weights, [d_u]), strict=False)]
        d_x = [ops.reshape(one, ops.shape(x)) for one, x in zip(d[len(weights) :], xs, strict=True)]
        return [*d_weights, *d_x, *d_states, *[None for _ in (*masks, *drop)]]

    outputs = native.custom_gradient(forward, backward)([v for part in parts.values() for v in part])
    return list(outputs[:count]), list(outputs[count:])


def _one_batch(sequence):
    """Return (time, batch, ...) as (time * batch, ...)."""
    return ops.reshape(sequence, (-1, *sequence.shape[2:]))
