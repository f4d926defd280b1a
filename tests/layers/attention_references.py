"""Reference equations of the attentions and of the decoder around them: NumPy, float64, written from the papers.

Each attention is `reference(q, m, weights, mask, heads) -> (context, α)` for one query (size,) and one memory
(time, width): the tests go over batches and queries one by one. `weights` is a dictionary name -> array; `mask` is
boolean (time,). All of them also take complex arrays, so that a complex step gives exact gradients.
"""

import numpy as np

from tests.cells import references


def softmax(scores, mask):
    """Softmax over the steps where `mask` holds; zeros where it holds nowhere."""
    shares = np.zeros_like(scores)
    if mask.any():
        real = scores[mask]
        shares[mask] = np.exp(real - real.real.max())
        shares /= shares.sum()
    return shares


def weighted(scores, m, mask):
    weights = softmax(np.stack(scores), mask)
    return sum(weight * step for weight, step in zip(weights, m, strict=True)), weights


def additive(q, m, weights, mask, heads):
    """Bahdanau et al. (2015), A.1.2: e_ij = v_a' tanh(W_a s_{i-1} + U_a h_j)."""
    W, U, v = weights["query_kernel"].T, weights["memory_kernel"].T, weights["vector"][:, 0]
    return weighted([v @ np.tanh(W @ q + U @ step) for step in m], m, mask)


def dot(q, m, weights, mask, heads):
    """Luong et al. (2015), 3.1: score(h_t, h_s) = h_t' h_s."""
    return weighted([q @ step for step in m], m, mask)


def general(q, m, weights, mask, heads):
    """Luong et al. (2015), 3.1: score(h_t, h_s) = h_t' W_a h_s."""
    W = weights["kernel"].T
    return weighted([q @ W @ step for step in m], m, mask)


def concat(q, m, weights, mask, heads):
    """Luong et al. (2015), 3.1: score(h_t, h_s) = v_a' tanh(W_a [h_t; h_s])."""
    W, v = weights["kernel"].T, weights["vector"][:, 0]
    return weighted([v @ np.tanh(W @ np.concatenate([q, step])) for step in m], m, mask)


def scaled(q, m, weights, mask, heads):
    """Vaswani et al. (2017), equation 1: softmax(Q K' / √d_k) V."""
    return weighted([q @ step / np.sqrt(len(q)) for step in m], m, mask)


def multi_head(q, m, weights, mask, heads):
    """Vaswani et al. (2017), 3.2.2: Concat(head_1, ..., head_h) W^O, head_i = Attention(Q W_i^Q, K W_i^K, V W_i^V)."""
    of_head = [np.split(weights[f"{name}_kernel"], heads, axis=1) for name in ("query", "key", "value")]
    found, shares = [], []
    for W_q, W_k, W_v in zip(*of_head, strict=True):
        scores = [(q @ W_q) @ (step @ W_k) / np.sqrt(W_q.shape[1]) for step in m]
        context, weights_of_head = weighted(scores, m @ W_v, mask)
        found.append(context)
        shares.append(weights_of_head)
    return np.concatenate(found) @ weights["output_kernel"], sum(shares) / heads


REFERENCES = {
    "additive": additive,
    "dot": dot,
    "general": general,
    "concat": concat,
    "scaled": scaled,
    "multi_head": multi_head,
}


def attend(name, query, memory, weights, mask=None, heads=1):
    """The context and the weights of queries (batch, [queries,] size) over a memory (batch, time, width)."""
    mask = np.ones(memory.shape[:2], bool) if mask is None else mask
    many = query[:, None] if query.ndim == 2 else query
    rows = [
        [REFERENCES[name](q, m, weights, real, heads) for q in queries]
        for queries, m, real in zip(many, memory, mask, strict=True)
    ]
    answers = [np.array([[one[k] for one in row] for row in rows]) for k in range(2)]
    return [answer[:, 0] for answer in answers] if query.ndim == 2 else answers


def decoder(cell, attention, values, *, size, feeding, mask=None, memory_mask=None, heads=1):
    """Luong et al. (2015), equation 5 and section 3.3: h̃_t = tanh(W_c [c_t; h_t]), fed to the next step.

    Args:
        cell: name of the cell.
        attention: name of the attention.
        values: dictionary name -> array: `inputs` (batch, time, inputs), `memory` (batch, time, width), the first
            `states` of the cell and, last with input feeding, what is fed; the weights of the cell as
            `cell/kernel`, ..., of the attention as `attention/kernel`, ..., and, where h̃ is computed, `output_kernel`.
        size: of what is fed.

    Returns:
        Outputs (batch, time, ...), attention's weights (batch, time, memory time), and the last states.
    """
    of_cell, of_attention = (
        {
            name.removeprefix(f"{part}/"): value
            for name, value in values.items()
            if name.startswith(f"{part}/")
        }
        for part in ("cell", "attention")
    )
    inputs, memory = values["inputs"], values["memory"]
    states = [values[name] for name in sorted(values) if name.startswith("state_")]
    states, fed = (states[:-1], states[-1]) if feeding else (states, None)
    mask = np.ones(inputs.shape[:2], bool) if mask is None else mask
    outputs, shares, output, share = [], [], 0, 0
    for t in range(inputs.shape[1]):
        real = mask[:, t, None]
        x = np.where(real, inputs[:, t], 0)
        x = np.concatenate([x, fed], axis=-1) if feeding else x
        h, new_states = references.REFERENCES[cell](x[:, None], of_cell, tuple(states))
        context, new_share = attend(attention, h[:, 0], memory, of_attention, memory_mask, heads)
        new = np.concatenate([h[:, 0], context], axis=-1)
        if "output_kernel" in values:
            new = np.tanh(new @ values["output_kernel"])
        output, share = np.where(real, new, output), np.where(real, new_share, share)
        states = [np.where(real, after, before) for after, before in zip(new_states, states, strict=True)]
        if feeding:
            fed = np.where(real, new[:, -size:], fed)
        outputs.append(output)
        shares.append(share)
    return np.stack(outputs, 1), np.stack(shares, 1), [*states, *([fed] if feeding else [])]
