from zoo.cells.cell import Cell, keep, linear


class GRUResetBeforeCell(Cell):
    """Gated recurrent unit, reset before the product (Cho et al., 2014, arXiv 1406.1078, version 3).

    z  = σ(W_z x + U_z h + b_z)
    r  = σ(W_r x + U_r h + b_r)
    n  = tanh(W_n x + U_n (r∘h) + b_n)
    h' = z∘h + (1 - z)∘n
    """

    states = ("h",)
    gates = ("update", "reset", "candidate")
    unused = ("unit_forget_bias",)

    def step(self, x, h, drop=keep):
        x_z, x_r, x_n = self.split(x)
        u_gates, u_candidate = (
            self.recurrent_kernel[:, : 2 * self.units],
            self.recurrent_kernel[:, 2 * self.units :],
        )
        u = linear(drop(h), u_gates)
        z = self.gate("update", x_z + u[:, : self.units])
        r = self.gate("reset", x_r + u[:, self.units :])
        n = self.act("candidate", x_n + linear(r * drop(h), u_candidate))
        return (z * h + (1 - z) * n,)
