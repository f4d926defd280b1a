"""The numbers to reach, in the words of the issue on speed: ratios of medians in one alternating run."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A number to reach; smaller is better.

    Attributes:
        words: what it is of.
        must: what has to be met, or None.
        aim: what is hoped for, or None.
    """

    words: str
    must: float | None
    aim: float | None

    def verdict(self, value: float) -> str:
        """Return `met aim`, `met must` or `missed`."""
        if self.aim is not None and value <= self.aim:
            return "met aim"
        return "met must" if self.must is not None and value <= self.must else "missed"


TARGETS = {
    "train_tensorflow_keras": Target(
        "training step, TensorFlow backend, against keras.layers.LSTM / GRU on TensorFlow", 0.65, 0.40
    ),
    "train_tensorflow_torch": Target("training step, TensorFlow backend, against torch.nn.LSTM", 1.9, 1.1),
    "train_jax_keras": Target("training step, JAX backend, against keras.layers.LSTM on JAX", 0.9, 0.6),
    "train_torch_keras": Target(
        "training step, PyTorch backend, against keras.layers.LSTM on PyTorch", 0.4, 0.3
    ),
    "train_torch_torch": Target("training step, PyTorch backend, against torch.nn.LSTM", 1.15, 1.0),
    "inference": Target("inference, best backend, against torch.nn.LSTM", 1.15, 1.0),
    "gated": Target(
        "any gated cell against our own LSTM at equal floating-point work, same backend", 1.5, 1.2
    ),
    "torchrecurrent": Target("any cell shared with torchrecurrent, training step, against it", 0.5, 0.2),
    "masked": Target("masked against unmasked, same shape", 1.1, None),
    "mostly_masked": Target("masked against unmasked, same shape, where most is padding", 1.1, 0.8),
    "dropout": Target("recurrent dropout against none", 1.15, 1.05),
    "scan": Target("MinGRU against our LSTM at 4,096 steps", 0.5, 0.2),
    "growth": Target("time from 1,000 to 8,000 steps, grows so many-fold", 8.5, 8.0),
    "compile": Target("compile time of the first step, s", 3.0, 1.0),
    "import": Target("`import zoo.layers` over `import keras`, s", 0.2, 0.05),
}
