"""What a loop needs of PyTorch, and PyTorch's own kernels for the cells that it has."""

import ctypes
import functools
import os
from pathlib import Path

import torch
from keras import activations, ops

from zoo.cells import GRUCell, LSTMCell, SimpleRNNCell
from zoo.errors import UserError
from zoo.loops.masks import choose, compressed, take
from zoo.loops.memory import keep

KERNELS = {LSTMCell: torch._VF.lstm, GRUCell: torch._VF.gru, SimpleRNNCell: torch._VF.rnn_tanh}

# the fastest first, as measured on a CPU (docs/guides/speed.md)
TRAINING = ("compiled", "fused", "scan", "plain")
PREDICTING = ("fused", "compiled", "scan", "plain")


def scan(step, carry, xs, like, backwards=False):
    """Run `step(carry, x) -> carry, ys` over the first axis of the tensors `xs`; return carry and stacked ys.

    `like` holds a tensor of the shape and dtype of each of the `ys` of one step. With `backwards` the last step
    is the first; what it takes and gives stays in its place.
    """
    steps = []
    for x in zip(*(x.unbind(0)[:: -1 if backwards else 1] for x in xs), strict=True):
        carry, ys = step(carry, list(x))
        steps.append(ys)
    steps = steps[:: -1 if backwards else 1]
    if not steps:
        return carry, [y.new_empty((0, *y.shape)) for y in like]
    return carry, [torch.stack(ys) for ys in zip(*steps, strict=True)]


def reverse(x):
    """Return `x` with its first axis turned round."""
    return x.flip(0)


def pullback(function, inputs):
    """Return a function from the gradients of `function`'s outputs to those of its inputs, here; all are lists."""
    with torch.enable_grad():
        inputs = [x.detach().requires_grad_() for x in inputs]
        outputs = list(function(*inputs))

    def pull(cotangents):
        pairs = [(y, d) for y, d in zip(outputs, cotangents, strict=True) if y.requires_grad]
        settings = {"retain_graph": True, "allow_unused": True, "materialize_grads": True}
        return torch.autograd.grad([y for y, _ in pairs], inputs, [d for _, d in pairs], **settings)

    return pull


def custom_gradient(forward, backward):
    """Return `forward` with its own gradient.

    Args:
        forward: maps a list of tensors to (outputs, saved), two lists.
        backward: maps (saved, gradients of the outputs) to a list of gradients; None where there is none.
    """
    return lambda inputs: _Own.apply(forward, backward, *inputs)


class _Own(torch.autograd.Function):
    """A function with its own gradient: one class for all, since a class made anew is a cycle that holds tensors."""

    @staticmethod
    def forward(ctx, forward, backward, *inputs):
        outputs, saved = forward(list(inputs))
        ctx.own = backward
        ctx.save_for_backward(*saved)
        return tuple(outputs)

    @staticmethod
    def backward(ctx, *cotangents):
        if torch.is_grad_enabled():  # create_graph; `once_differentiable` would let wrong values pass
            raise UserError("second derivatives on PyTorch need loop='plain'")
        return None, None, *ctx.own(list(ctx.saved_tensors), cotangents)


def outside(function, inputs, shapes):
    """Let `function` fill arrays outside of the framework; see `zoo.loops.backend`."""
    keep()
    inputs = {name: x.detach().contiguous() for name, x in inputs.items()}
    outputs = shapes({name: tuple(x.shape) for name, x in inputs.items()})
    outputs = {name: inputs["x"].new_empty(shape) for name, shape in outputs.items()}
    function(*({name: x.numpy() for name, x in part.items()} for part in (inputs, outputs)))
    return outputs


def compiles(cell) -> bool:
    """Whether the cell runs on the CPU, and not inside a graph that PyTorch makes."""
    return cell.weights[0].value.device.type == "cpu" and not torch.compiler.is_compiling()


def threads() -> int:
    """Return how many threads an operation takes."""
    return torch.get_num_threads()


@functools.cache
def openmp():
    """Return the OpenMP library that PyTorch brings, or None.

    Between two operations its threads wait spinning: threads of our own would share the processors with them.
    """
    folder = os.path.dirname(torch.__file__)
    maps = Path("/proc/self/maps")
    loaded = {line.split()[-1] for line in maps.read_text().splitlines()} if maps.exists() else set()
    found = [path for path in loaded if path.startswith(folder) and "libgomp" in path]
    return ctypes.CDLL(found[0]) if len(found) == 1 else None


def fuses(cell, drop) -> bool:
    """Whether PyTorch's kernel computes the same function as `cell`: on the CPU, without recurrent dropout."""
    return (
        type(cell) in KERNELS
        and drop is None
        and cell.activation is activations.tanh
        and cell.recurrent_activation is activations.sigmoid
        and cell.compute_dtype in ("float32", "float64")
        and cell.kernel.value.device.type == "cpu"
    )


def fused(cell, inputs, states, mask=None, drop=None):
    """Run an LSTM, GRU or SimpleRNN by PyTorch's kernel.

    Args:
        cell: a built cell.
        inputs: (time, batch, inputs).
        states: as in `plain`.
        mask: as in `plain`.
        drop: None.

    Returns:
        The outputs (time, batch, units) and a list of the last states (batch, units).
    """
    weights = _weights(cell)
    first = tuple(state[None].contiguous() for state in states)
    first = first if len(first) > 1 else first[0]
    settings = (
        cell.use_bias,
        1,
        0.0,
        torch.is_grad_enabled(),
        False,
    )  # layers, dropout, training, two directions
    kernel = KERNELS[type(cell)]
    if mask is None or bool(mask.all()):
        outputs, *final = kernel(inputs, first, weights, *settings, False)
        return outputs, [state[0] for state in final]
    order, rank = compressed(mask)
    lengths = rank[-1] + 1
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        take(inputs, order), lengths.clamp(min=1).cpu(), enforce_sorted=False
    )
    index = packed.sorted_indices
    first = tuple(state[:, index] for state in first) if isinstance(first, tuple) else first[:, index]
    outputs, *final = kernel(packed.data, packed.batch_sizes, first, weights, *settings)
    outputs, _ = torch.nn.utils.rnn.pad_packed_sequence(packed._replace(data=outputs))
    final = [state[0, packed.unsorted_indices] for state in final]
    return take(outputs, rank), [choose(lengths > 0, f, s) for f, s in zip(final, states, strict=True)]


def _weights(cell):
    """Return the cell's weights as PyTorch's kernels have them: transposed, two biases, GRU's gates reordered."""
    kernel, recurrent = ops.convert_to_tensor(cell.kernel), ops.convert_to_tensor(cell.recurrent_kernel)
    weights = [kernel.T, recurrent.T]
    if cell.use_bias:
        bias = ops.convert_to_tensor(cell.bias)
        weights += [*bias] if bias.ndim == 2 else [bias, torch.zeros_like(bias)]
    if isinstance(cell, GRUCell):
        weights = [torch.cat([z_r_n[i] for i in (1, 0, 2)]) for z_r_n in (w.chunk(3) for w in weights)]
    return weights
