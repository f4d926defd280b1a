from zoo.cells.cell import GatedCell, linear


class GRUCell(GatedCell):
    """Gated recurrent unit, reset after the product (Cho et al., 2014, arXiv 1406.1078, version 1).

    z  = σ(W_z x + U_z h + b_z + d_z)
    r  = σ(W_r x + U_r h + b_r + d_r)
    n  = tanh(W_n x + b_n + r∘(U_n h + d_n))
    h' = z∘h + (1 - z)∘n

    The bias is (2, 3 * units): b, of the inputs, and d, of the recurrent products, as in Keras.
    """

    states = ("h",)
    gates = ("update", "reset", "candidate")
    unused = ("unit_forget_bias",)

    @property
    def bias_shape(self):
        return (2, 3 * self.units)

    def project(self, inputs):
        x = linear(inputs, self.kernel)
        return x + self.bias[0] if self.use_bias else x

    def recurrent(self, h):
        u = linear(h, self.recurrent_kernel)
        return u + self.bias[1] if self.use_bias else u

    def update(self, x, u, h):
        x_z, x_r, x_n = self.split(x)
        u_z, u_r, u_n = self.split(u)
        z = self.gate("update", x_z + u_z)
        r = self.gate("reset", x_r + u_r)
        n = self.act("candidate", x_n + r * u_n)
        return z * h + (1 - z) * n
