"""What a loop needs of JAX."""

import jax
from jax import numpy as jnp


def scan(step, carry, xs, like):
    """Run `step(carry, x) -> carry, ys` over the first axis of the arrays `xs`; return carry and stacked ys.

    `like` holds an array of the shape and dtype of each of the `ys` of one step.
    """
    del like
    return jax.lax.scan(step, carry, xs)


def reverse(x):
    """Return `x` with its first axis turned round."""
    return jnp.flip(x, axis=0)


def vjp(function, inputs, cotangents):
    """Return the gradients of `inputs` under `function`, whose outputs have the gradients `cotangents`."""
    _, pull = jax.vjp(lambda *args: tuple(function(*args)), *inputs)
    return pull(tuple(cotangents))


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
