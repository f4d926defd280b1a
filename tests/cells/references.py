"""Reference equations: one NumPy function a cell, float64, written from the paper and not from the cell file.

Each is `reference(inputs, weights, initial_state=None, mask=None) -> (outputs, states)`:

- inputs: (batch, time, features);
- weights: dictionary name -> array in Keras's layout: fused `kernel` (features, blocks * units),
  `recurrent_kernel` (units, blocks * units), `bias`;
- initial_state: tuple of (batch, units), or None for zeros;
- mask: (batch, time), or None;
- outputs: (batch, time, units); states: tuple of (batch, units).

All of them also take complex arrays, so that a complex step gives their exact gradients (`gradients`).

They share nothing but `over_time`. The functions are in `REFERENCES`, by catalogue name.
"""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def over_time(step, inputs, states, mask):
    """A masked step keeps the states and repeats the last output, zeros before the first real one."""
    batch, time = inputs.shape[:2]
    mask = np.ones((batch, time), bool) if mask is None else np.asarray(mask, bool)
    outputs, output = [], np.zeros_like(states[0])
    for t in range(time):
        real = mask[:, t, None]
        new = step(np.where(real, inputs[:, t], 0), *states)
        output = np.where(real, new[0], output)
        states = tuple(np.where(real, after, before) for after, before in zip(new, states, strict=True))
        outputs.append(output)
    return np.stack(outputs, axis=1) if outputs else np.zeros((batch, 0, *states[0].shape[1:])), states


def zeros(inputs, units, count):
    return tuple(np.zeros((len(inputs), units)) for _ in range(count))


def simple_rnn(inputs, weights, initial_state=None, mask=None):
    """Elman (1990), "Finding structure in time": the hidden units see the input and their own last values."""
    W, U, b = weights["kernel"], weights["recurrent_kernel"], weights.get("bias", 0)

    def step(x, h):
        return (np.tanh(x @ W + h @ U + b),)

    return over_time(step, inputs, initial_state or zeros(inputs, len(U), 1), mask)


def lstm(inputs, weights, initial_state=None, mask=None):
    """Hochreiter & Schmidhuber (1997) with the forget gate of Gers, Schmidhuber & Cummins (2000)."""
    W, U, b = weights["kernel"], weights["recurrent_kernel"], weights.get("bias", 0)

    def step(x, h, c):
        i, f, g, o = np.split(x @ W + h @ U + b, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c

    return over_time(step, inputs, initial_state or zeros(inputs, len(U), 2), mask)


def peephole_lstm(inputs, weights, initial_state=None, mask=None):
    """Gers, Schraudolph & Schmidhuber (2002): i and f see the old memory, o sees the new one."""
    W, U, b = weights["kernel"], weights["recurrent_kernel"], weights.get("bias", 0)
    p_i, p_f, p_o = (weights["peephole_" + gate] for gate in ("input", "forget", "output"))

    def step(x, h, c):
        i, f, g, o = np.split(x @ W + h @ U + b, 4, axis=-1)
        c_new = sigmoid(f + p_f * c) * c + sigmoid(i + p_i * c) * np.tanh(g)
        return sigmoid(o + p_o * c_new) * np.tanh(c_new), c_new

    return over_time(step, inputs, initial_state or zeros(inputs, len(U), 2), mask)


def cifg_lstm(inputs, weights, initial_state=None, mask=None):
    """CIFG of Greff et al. (2015), 1503.04069, without peepholes: the input gate is 1 - f."""
    W, U, b = weights["kernel"], weights["recurrent_kernel"], weights.get("bias", 0)

    def step(x, h, c):
        f, g, o = np.split(x @ W + h @ U + b, 3, axis=-1)
        c = sigmoid(f) * c + (1 - sigmoid(f)) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c

    return over_time(step, inputs, initial_state or zeros(inputs, len(U), 2), mask)


def gru(inputs, weights, initial_state=None, mask=None):
    """GRU of Cho et al. (2014), 1406.1078v1: the reset gate acts after the product; two biases."""
    W, U = weights["kernel"], weights["recurrent_kernel"]
    b, b_r = weights.get("bias", (0, 0))

    def step(x, h):
        x_z, x_r, x_n = np.split(x @ W + b, 3, axis=-1)
        u_z, u_r, u_n = np.split(h @ U + b_r, 3, axis=-1)
        z = sigmoid(x_z + u_z)
        n = np.tanh(x_n + sigmoid(x_r + u_r) * u_n)
        return (z * h + (1 - z) * n,)

    return over_time(step, inputs, initial_state or zeros(inputs, len(U), 1), mask)


def gru_reset_before(inputs, weights, initial_state=None, mask=None):
    """GRU of Cho et al. (2014), 1406.1078v3: the reset gate acts on the state before the product."""
    W_z, W_r, W_n = np.split(weights["kernel"], 3, axis=-1)
    U_z, U_r, U_n = np.split(weights["recurrent_kernel"], 3, axis=-1)
    b_z, b_r, b_n = np.split(weights["bias"], 3) if "bias" in weights else (0, 0, 0)

    def step(x, h):
        z = sigmoid(x @ W_z + h @ U_z + b_z)
        r = sigmoid(x @ W_r + h @ U_r + b_r)
        n = np.tanh(x @ W_n + (r * h) @ U_n + b_n)
        return (z * h + (1 - z) * n,)

    return over_time(step, inputs, initial_state or zeros(inputs, len(U_z), 1), mask)


def min_gru(inputs, weights, initial_state=None, mask=None):
    """minGRU of Feng et al. (2024), 2410.01201, with the positive candidate g of the appendix."""
    W, b = weights["kernel"], weights.get("bias", 0)

    def g(v):
        return np.where(np.real(v) >= 0, v + 0.5, sigmoid(v))

    def step(x, h):
        z, v = np.split(x @ W + b, 2, axis=-1)
        return ((1 - sigmoid(z)) * h + sigmoid(z) * g(v),)

    return over_time(step, inputs, initial_state or zeros(inputs, W.shape[1] // 2, 1), mask)


REFERENCES = {
    function.__name__: function
    for function in (simple_rnn, lstm, peephole_lstm, gru, gru_reset_before, cifg_lstm, min_gru)
}


def gradients(reference, values, weights_of, mask, cotangents, step=1e-30):
    """Exact gradients of a linear functional of the reference's results, by complex steps.

    Args:
        values: dictionary name -> float64 array: `inputs`, `state_0`, ..., and the weights by name.
        weights_of: names in `values` that are weights.
        cotangents: tuple (for the outputs, for each final state): the functional is the sum of the products.

    Returns:
        dictionary name -> array of the shape of the value.
    """

    def functional(values):
        states = tuple(values[name] for name in sorted(values) if name.startswith("state_"))
        weights = {name: values[name] for name in weights_of}
        outputs, finals = reference(values["inputs"], weights, states or None, mask)
        results = zip((outputs, *finals), cotangents, strict=True)
        return sum((result * weight).sum() for result, weight in results)

    found = {}
    for name, value in values.items():
        found[name] = np.zeros_like(value)
        for index in np.ndindex(value.shape):
            moved = value.astype(complex)
            moved[index] += 1j * step
            found[name][index] = functional({**values, name: moved}).imag / step
    return found
