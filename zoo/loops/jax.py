"""What a loop needs of JAX."""

import jax
import numpy as np
from jax import numpy as jnp
from jax.experimental.buffer_callback import buffer_callback

from zoo.loops.memory import keep

# the fastest first, as measured on a CPU (docs/guides/speed.md); the graph of a prediction may be saved, so it holds
# no call out of the framework
TRAINING = ("compiled", "scan", "gated", "plain")
PREDICTING = ("scan", "plain")


def scan(step, carry, xs, like, backwards=False):
    """Run `step(carry, x) -> carry, ys` over the first axis of the arrays `xs`; return carry and stacked ys.

    `like` holds an array of the shape and dtype of each of the `ys` of one step. With `backwards` the last step
    is the first; what it takes and gives stays in its place.
    """
    del like
    keep()
    return jax.lax.scan(step, carry, xs, reverse=backwards, unroll=1 if backwards else 4)


def reverse(x):
    """Return `x` with its first axis turned round."""
    return jnp.flip(x, axis=0)


def pullback(function, inputs):
    """Return a function from the gradients of `function`'s outputs to those of its inputs, here; all are lists."""
    _, pull = jax.vjp(lambda *args: tuple(function(*args)), *inputs)
    return lambda cotangents: pull(tuple(cotangents))


def custom_gradient(forward, backward):
    """Return `forward` with its own gradient.

    Args:
        forward: maps a list of arrays to (outputs, saved), two lists.
        backward: maps (saved, gradients of the outputs) to a list of gradients; None where there is none.
    """

    @jax.custom_vjp
    def function(inputs):
        return forward(inputs)[0]

    def pull(saved, cotangents):
        return (backward(saved, cotangents),)

    function.defvjp(forward, pull)
    return function


def outside(function, inputs, shapes):
    """Let `function` fill arrays outside of the framework; see `zoo.loops.backend`."""
    keep()
    outputs = shapes({name: x.shape for name, x in inputs.items()})
    outputs = {name: jax.ShapeDtypeStruct(shape, inputs["x"].dtype) for name, shape in outputs.items()}

    def fill(context, outputs, inputs):
        del context
        function(*({name: np.asarray(x) for name, x in part.items()} for part in (inputs, outputs)))

    return buffer_callback(fill, outputs)(inputs)


def compiles(cell) -> bool:
    """Whether the cell runs on the CPU."""
    del cell
    return jax.default_backend() == "cpu"
