"""What is timed: one layer of one peer on one backend."""

from dataclasses import dataclass
from typing import Any

SHAPES = ((32, 100, 128, 256), (64, 200, 64, 128), (16, 50, 256, 512))
"""(batch, time, inputs, units) of most comparisons, which take the geometric mean over them."""

PADDING = {"none": None, "half": (0.5, 1.0), "most": (0.0, 0.25)}
"""Lengths of right-padded sequences, uniform between these shares of the time; at least one step is real."""

PACKAGES = {
    "keras": "keras.layers",
    "zoo": "zoo.layers",
    "torch": "torch.nn",
    "torchrecurrent": "torchrecurrent",
    "flax": "flax.linen",
    "import": "import zoo",
}
"""Peers, and what their layers' names begin with."""


@dataclass(frozen=True)
class Case:
    """One contestant.

    Attributes:
        peer: a key of `PACKAGES`.
        layer: name of the layer, as our own is called.
        backend: tensorflow, jax or torch.
        shape: batch, time, inputs, units.
        train: forward and backward, gradients of all weights and of the inputs; else forward alone.
        loop: of ours: `auto` or a name in `zoo.loops.LOOPS`.
        padding: a key of `PADDING`: whether there is a mask, and how long the sequences are.
        dropout: recurrent dropout.
    """

    peer: str
    layer: str
    backend: str
    shape: tuple[int, int, int, int] = SHAPES[0]
    train: bool = True
    loop: str = "auto"
    padding: str = "none"
    dropout: float = 0.0

    @property
    def label(self) -> str:
        """What people read: the layer's full name, its backend, and what is special about it."""
        extra = [f"loop={self.loop}"] * (self.loop != "auto")
        extra += [f"padding={self.padding}"] * (self.padding != "none")
        extra += [f"recurrent_dropout={self.dropout}"] * bool(self.dropout)
        return ", ".join([f"{PACKAGES[self.peer]}.{self.layer} on {self.backend}", *extra])

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Case":
        """Return the case with these attributes, as JSON holds them."""
        return cls(**{**values, "shape": tuple(values["shape"])})
