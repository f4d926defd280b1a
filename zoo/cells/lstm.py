from zoo.cells.cell import GatedCell


class LSTMCell(GatedCell):
    """Long short-term memory (Hochreiter & Schmidhuber, 1997) with forget gate (Gers et al., 2000).

    i  = σ(W_i x + U_i h + b_i)
    f  = σ(W_f x + U_f h + b_f)
    g  = tanh(W_g x + U_g h + b_g)
    o  = σ(W_o x + U_o h + b_o)
    c' = f∘c + i∘g
    h' = o∘tanh(c')
    """

    states = ("h", "c")
    gates = ("input", "forget", "candidate", "output")

    def update(self, x, u, h, c):
        i, f, g, o = self.split(x + u)
        i = self.gate("input", i)
        f = self.gate("forget", f)
        g = self.act("candidate", g)
        o = self.gate("output", o)
        c = f * c + i * g
        return o * self.act("memory", c), c
