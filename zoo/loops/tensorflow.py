"""What a loop needs of TensorFlow."""

import tensorflow as tf
from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext

from zoo.loops.memory import empty

# the fastest first, as measured on a CPU (docs/guides/speed.md); the graph of a prediction may be saved, so it holds
# no call out of the framework
TRAINING = ("compiled", "scan", "gated", "plain")
PREDICTING = ("scan", "plain")


def scan(step, carry, xs, like, backwards=False):
    """Run `step(carry, x) -> carry, ys` over the first axis of the tensors `xs`; return carry and stacked ys.

    `like` holds a tensor of the shape and dtype of each of the `ys` of one step. With `backwards` the last step
    is the first; what it takes and gives stays in its place.
    """
    static = next((x.shape[0] for x in xs if x.shape[0] is not None), None)
    time = tf.shape(xs[0])[0] if static is None else static
    sources = [
        tf.TensorArray(x.dtype, time, element_shape=x.shape[1:], clear_after_read=False).unstack(x)
        for x in xs
    ]
    sinks = [tf.TensorArray(y.dtype, time, element_shape=y.shape) for y in like]

    def body(t, carry, sinks):
        at = time - 1 - t if backwards else t
        carry, ys = step(carry, [source.read(at) for source in sources])
        return t + 1, list(carry), [sink.write(at, y) for sink, y in zip(sinks, ys, strict=True)]

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


def pullback(function, inputs):
    """Return a function from the gradients of `function`'s outputs to those of its inputs, here; all are lists."""

    def pull(cotangents):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = list(function(*inputs))
        zero = tf.UnconnectedGradients.ZERO
        return tape.gradient(outputs, list(inputs), list(cotangents), unconnected_gradients=zero)

    return pull


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


def outside(function, inputs, shapes):
    """Let `function` fill arrays outside of the framework; see `zoo.loops.backend`."""
    names = list(inputs)
    known = shapes({name: tuple(x.shape) for name, x in inputs.items()})
    dtype = inputs["x"].dtype

    def fill(*arrays):
        arrays = dict(zip(names, arrays, strict=True))
        outputs = shapes({name: array.shape for name, array in arrays.items()})
        outputs = {name: empty(shape, dtype.as_numpy_dtype) for name, shape in outputs.items()}
        function(arrays, dict(outputs))
        return list(outputs.values())

    outputs = tf.numpy_function(fill, list(inputs.values()), [dtype] * len(known))
    for output, shape in zip(outputs, known.values(), strict=True):
        output.set_shape(shape)
    return dict(zip(known, outputs, strict=True))


def compiles(cell) -> bool:
    """Whether the cell runs on the CPU, and not inside a graph that XLA compiles: that can not call out."""
    del cell
    inside_xla = GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())
    return not inside_xla and not tf.config.get_visible_devices("GPU")
