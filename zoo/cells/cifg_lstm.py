from zoo.cells.cell import GatedCell


class CIFGLSTMCell(GatedCell):
    """LSTM with coupled input and forget gate, no peepholes (Greff et al., 2015, arXiv 1503.04069).

    f  = σ(W_f x + U_f h + b_f)
    g  = tanh(W_g x + U_g h + b_g)
    o  = σ(W_o x + U_o h + b_o)
    c' = f∘c + (1 - f)∘g
    h' = o∘tanh(c')
    """

    states = ("h", "c")
    gates = ("forget", "candidate", "output")

    def update(self, x, u, h, c):
        f, g, o = self.split(x + u)
        f = self.gate("forget", f)
        g = self.act("candidate", g)
        o = self.gate("output", o)
        c = f * c + (1 - f) * g
        return o * self.act("memory", c), c
