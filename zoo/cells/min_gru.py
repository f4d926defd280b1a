import keras
from keras import ops

from zoo.cells.cell import LinearCell


@keras.saving.register_keras_serializable(package="zoo")
def positive(x):
    """Return x + 0.5 where x >= 0 and σ(x) below: positive, so that minGRU may run in log space."""
    return ops.where(x >= 0, x + 0.5, ops.sigmoid(x))


class MinGRUCell(LinearCell):
    """Minimal GRU, whose gate does not see the old state (Feng et al., 2024, arXiv 2410.01201).

    z  = σ(W_z x + b_z)
    n  = g(W_n x + b_n),  g(x) = x + 0.5 where x >= 0, σ(x) elsewhere (appendix B)
    h' = (1 - z)∘h + z∘n
    """

    states = ("h",)
    gates = ("update", "candidate")
    unused = (*LinearCell.unused, "unit_forget_bias")

    def __init__(self, units, *, activation=positive, **kwargs):
        super().__init__(units, activation=activation, **kwargs)

    def coefficients(self, x):
        z, n = self.split(x)
        z = self.gate("update", z)
        n = self.act("candidate", n)
        return 1 - z, z * n
