"""The negative log-likelihood of words among very many: over all of them, or over a sample while training."""

import math

from keras import ops, random

from zoo.loops.backend import native


def log_uniform(size):
    """Return log-probabilities (size,) of log((i + 2)/(i + 1)), normed: they fall with the id i as word frequencies do.

    Ids are meant to be sorted from frequent to rare, as a vocabulary of SentencePiece is.
    """
    ids = ops.cast(ops.arange(size), "float32")
    return ops.log(ops.log1p(1 / (ids + 1))) - math.log(math.log(size + 1))


def draw_log_uniform(count, size, seed):
    """Draw ids (count,), int32, by the probabilities of `log_uniform(size)`, with replacement."""
    uniform = random.uniform((count,), seed=seed, dtype="float32")
    return ops.minimum(ops.cast(ops.exp(uniform * math.log(size + 1)) - 1, "int32"), size - 1)


def softmax_nll(contexts, targets, table, bias, smoothing=0.0):
    """Return -log p(target), (count,), where p = softmax(contexts·tableᵀ + bias).

    With smoothing it is the cross-entropy of p with a distribution of which that share is spread evenly over all
    ids (Szegedy et al., 2016, CVPR, section 7).

    Args:
        contexts: (count, features).
        targets: ids, (count,).
        table: (size, features), a row for each id.
        bias: (size,).
        smoothing: the share, at least 0 and below 1.
    """
    # the target's logit and the mean of all by themselves: gradients through (count, size) once, not three times
    chosen = ops.sum(contexts * ops.take(table, targets, axis=0), axis=1) + ops.take(bias, targets)
    if smoothing:
        even = contexts @ ops.mean(table, axis=0)[:, None]
        chosen = (1 - smoothing) * chosen + smoothing * (even[:, 0] + ops.mean(bias))
    inputs = [ops.convert_to_tensor(each) for each in (contexts, table, bias)]
    [log_sums] = native.custom_gradient(_log_sums, _log_sums_gradients)(inputs)
    return log_sums - chosen


def _log_sums(inputs):
    """Return log Σ exp of each row of `contexts·tableᵀ + bias`, (count,), and what the gradients need: p alone."""
    contexts, table, bias = inputs
    logits = contexts @ ops.transpose(table) + bias
    p = ops.softmax(logits)
    # p of the highest logit h is e^h over the sum, and no less than 1 / size
    return [ops.max(logits, axis=1) - ops.log(ops.max(p, axis=1))], [contexts, table, p]


def _log_sums_gradients(saved, gradients):
    contexts, table, p = saved
    of_logits = p * gradients[0][:, None]
    return [of_logits @ table, ops.transpose(of_logits) @ contexts, ops.sum(of_logits, axis=0)]


def sampled_softmax_nll(contexts, targets, table, bias, sampled):
    """Return an estimate of `softmax_nll` whose sum over all ids is estimated from a sample (Jean et al., 2015, ACL).

    It is importance sampling (Bengio & Senécal, 2003): every sampled logit is lowered by the logarithm of how
    often the sample is expected to hold its id. A sampled id that is the target itself does not count.

    Args:
        contexts: (count, features).
        targets: ids, (count,).
        table: (size, features), a row for each id.
        bias: (size,).
        sampled: ids, (samples,), drawn by `draw_log_uniform`.
    """
    offsets = bias - log_uniform(table.shape[0]) - math.log(sampled.shape[0])
    chosen = ops.sum(contexts * ops.take(table, targets, axis=0), axis=1) + ops.take(bias, targets)
    others = ops.matmul(contexts, ops.transpose(ops.take(table, sampled, axis=0))) + ops.take(
        offsets, sampled
    )
    others = ops.where(sampled[None] == targets[:, None], ops.full_like(others, -1e4), others)
    return ops.logaddexp(chosen, ops.logsumexp(others, axis=1)) - chosen
