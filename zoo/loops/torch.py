"""What a loop needs of PyTorch, and PyTorch's own kernels for the cells that it has."""

import torch
from keras import activations, ops

from zoo.cells import GRUCell, LSTMCell, SimpleRNNCell
from zoo.loops.masks import choose, compressed, take

KERNELS = {LSTMCell: torch._VF.lstm, GRUCell: torch._VF.gru, SimpleRNNCell: torch._VF.rnn_tanh}


def scan(step, carry, xs, like):
    """Run `step(carry, x) -> carry, ys` over the first axis of the tensors `xs`; return carry and stacked ys.

    `like` holds a tensor of the shape and dtype of each of the `ys` of one step.
    """
    steps = []
    for x in zip(*(x.unbind(0) for x in xs), strict=True):
        carry, ys = step(carry, list(x))
        steps.append(ys)
    if not steps:
        return carry, [y.new_empty((0, *y.shape)) for y in like]
    return carry, [torch.stack(ys) for ys in zip(*steps, strict=True)]


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
    return [weight.contiguous() for weight in weights]
