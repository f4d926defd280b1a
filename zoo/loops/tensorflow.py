"""What a loop needs of TensorFlow."""

import tensorflow as tf


def scan(step, carry, xs, like):
    """Run `step(carry, x) -> carry, ys` over the first axis of the tensors `xs`; return carry and stacked ys.

    `like` holds a tensor of the shape and dtype of each of the `ys` of one step.
    """
    static = next((x.shape[0] for x in xs if x.shape[0] is not None), None)
    time = tf.shape(xs[0])[0] if static is None else static
    sources = [
        tf.TensorArray(x.dtype, time, element_shape=x.shape[1:], clear_after_read=False).unstack(x)
        for x in xs
    ]
    sinks = [tf.TensorArray(y.dtype, time, element_shape=y.shape) for y in like]

    def body(t, carry, sinks):
        carry, ys = step(carry, [source.read(t) for source in sources])
        return t + 1, list(carry), [sink.write(t, y) for sink, y in zip(sinks, ys, strict=True)]

    shapes = (tf.TensorShape([]), [c.shape for c in carry], [tf.TensorShape(None)] * len(sinks))
    _, carry, sinks = tf.while_loop(
        lambda t, *_: t < time,
        body,
        (0, list(carry), sinks),
        shape_invariants=shapes,
        maximum_iterations=time,
    )
    ys = [sink.stack() for sink in sinks]
    for y, one in zip(ys, like, strict=True):
        y.set_shape((static, *one.shape))
    return carry, ys


def reverse(x):
    """Return `x` with its first axis turned round."""
    return tf.reverse(x, axis=[0])


def vjp(function, inputs, cotangents):
    """Return the gradients of `inputs` under `function`, whose outputs have the gradients `cotangents`."""
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = list(function(*inputs))
    return tape.gradient(
        outputs, list(inputs), list(cotangents), unconnected_gradients=tf.UnconnectedGradients.ZERO
    )


def custom_gradient(forward, backward):
    """Return `forward` with its own gradient.

    Args:
        forward: maps a list of tensors to (outputs, saved), two lists.
        backward: maps (saved, gradients of the outputs) to a list of gradients; None where there is none.
    """

    @tf.custom_gradient
    def function(*inputs):
        outputs, saved = forward(list(inputs))
        return outputs, lambda *cotangents: backward(saved, list(cotangents))

    return lambda inputs: function(*map(tf.convert_to_tensor, inputs))
