from zoo.cells.cell import GatedCell


class PeepholeLSTMCell(GatedCell):
    """LSTM whose gates also see the memory (Gers, Schraudolph & Schmidhuber, 2002, JMLR 3).

    i  = σ(W_i x + U_i h + p_i∘c + b_i)
    f  = σ(W_f x + U_f h + p_f∘c + b_f)
    c' = f∘c + i∘tanh(W_g x + U_g h + b_g)
    o  = σ(W_o x + U_o h + p_o∘c' + b_o)
    h' = o∘tanh(c')
    """

    states = ("h", "c")
    gates = ("input", "forget", "candidate", "output")

    def build(self, input_shape):
        super().build(input_shape)
        for name in ("input", "forget", "output"):
            weight = self.add_weight(name=f"peephole_{name}", shape=(self.units,), initializer="zeros")
            setattr(self, f"peephole_{name}", weight)

    def update(self, x, u, h, c):
        i, f, g, o = self.split(x + u)
        i = self.gate("input", i + self.peephole_input * c)
        f = self.gate("forget", f + self.peephole_forget * c)
        c = f * c + i * self.act("candidate", g)
        o = self.gate("output", o + self.peephole_output * c)
        return o * self.act("memory", c), c
