from zoo.cells.cell import GatedCell


class SimpleRNNCell(GatedCell):
    """Simple recurrent network (Elman, 1990, Cognitive Science 14).

    h' = tanh(W x + U h + b)
    """

    states = ("h",)
    gates = ("candidate",)
    unused = ("recurrent_activation", "unit_forget_bias")

    def update(self, x, u, h):
        return self.act("candidate", x + u)
