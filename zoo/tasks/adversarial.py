"""Training on worst-case embeddings: adversarial and virtual adversarial training of a text classifier."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from zoo.loops.backend import native

_PROBE = 0.01  # length of the random step from which virtual adversarial training looks for its direction


class Adversary:
    """What is added to the loss of a batch so that a small change of the embeddings changes no answer.

    A change r is a step of a given length in the direction in which a loss grows fastest:

        r = ε‖e‖·g/‖g‖,  g = ∇_e loss

    with e all embeddings of a text (Miyato, Dai & Goodfellow, 2017, arXiv 1605.07725, equations 3 to 8). There ε
    is absolute, and the embeddings are normed so that they cannot outgrow it; here it is a share of ‖e‖, which
    does the same without fixing the embeddings' size. The direction is that of the network without dropout.

    Args:
        adversarial: ε of adversarial training, whose loss is that of the label; 0: none.
        virtual: ε of virtual adversarial training, whose loss is the divergence from the answer without r; it
            needs no label. 0: none.
        activation: from logits to what the loss takes as a target: softmax, or sigmoid for independent labels.
    """

    def __init__(
        self, adversarial: float = 0.0, virtual: float = 0.0, activation: Callable[[Any], Any] = ops.softmax
    ):
        self.adversarial = adversarial
        self.virtual = virtual
        self.activation = activation

    def loss(
        self, network: keras.Model, loss: keras.losses.Loss, ids: Any, targets: Any, weights: Any, noise: Any
    ) -> Any:
        """Return the mean loss of a batch under the changes, a scalar.

        Args:
            network: a `RecurrentClassifier`.
            loss: from targets and logits (batch, classes).
            ids: (batch, time).
            targets: (batch, classes).
            weights: of the texts, (batch,), or None; the virtual loss counts all texts alike.
            noise: a `keras.random.SeedGenerator`.
        """
        mask = ops.not_equal(ids, 0)
        embedded = network.embed(ids, training=True)
        found = 0.0
        if self.adversarial:
            start = ops.stop_gradient(embedded)
            step = self._step(network, loss, start, start, mask, targets, self.adversarial)
            found += loss(
                targets, network.from_embeddings(embedded + step, mask, training=True), sample_weight=weights
            )
        if self.virtual:
            start = ops.stop_gradient(embedded)
            answers = ops.stop_gradient(self.activation(network.from_embeddings(start, mask)))
            random = keras.random.normal(ops.shape(start), seed=noise, dtype=start.dtype)
            probe = start + _scaled(random, start, mask, _PROBE)
            step = self._step(network, loss, probe, start, mask, answers, self.virtual)
            found += loss(answers, network.from_embeddings(embedded + step, mask, training=True))
        return found

    def _step(self, network, loss, where, start, mask, targets, length):
        """Return r, (batch, time, features): found at `where`, as long as `length` times `start`."""

        def losses(embedded):
            return [loss.call(targets, network.from_embeddings(embedded, mask))]

        pull = native.pullback(losses, [where])
        (direction,) = pull([ops.ones_like(ops.cast(targets[:, 0], where.dtype))])
        return ops.stop_gradient(_scaled(direction, start, mask, length))


def _scaled(direction, embedded, mask, length):
    """Return `direction` at real steps, each text's scaled to `length` times the norm of its `embedded`."""
    mask = ops.cast(mask, embedded.dtype)[:, :, None]
    direction = direction * mask
    size = ops.sqrt(ops.sum(ops.square(embedded * mask), axis=(1, 2), keepdims=True))
    # a gradient can be as small as 1e-20: without this its square would vanish in float32
    direction = direction / ops.maximum(ops.max(ops.abs(direction), axis=(1, 2), keepdims=True), 1e-30)
    own = ops.sqrt(ops.sum(ops.square(direction), axis=(1, 2), keepdims=True))
    return length * size * direction / ops.maximum(own, 1e-12)
