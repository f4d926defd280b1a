"""The catalogue of recurrent cells: one line a cell."""

from zoo.cells.cell import Cell, GatedCell, LinearCell
from zoo.cells.cifg_lstm import CIFGLSTMCell
from zoo.cells.gru import GRUCell
from zoo.cells.gru_reset_before import GRUResetBeforeCell
from zoo.cells.lstm import LSTMCell
from zoo.cells.min_gru import MinGRUCell
from zoo.cells.peephole_lstm import PeepholeLSTMCell
from zoo.cells.simple_rnn import SimpleRNNCell
from zoo.errors import unknown

CATALOGUE: dict[str, type[Cell]] = {
    "simple_rnn": SimpleRNNCell,
    "lstm": LSTMCell,
    "peephole_lstm": PeepholeLSTMCell,
    "cifg_lstm": CIFGLSTMCell,
    "gru": GRUCell,
    "gru_reset_before": GRUResetBeforeCell,
    "min_gru": MinGRUCell,
}

__all__ = [
    "CATALOGUE",
    "Cell",
    "GatedCell",
    "LinearCell",
    "get",
    *(cls.__name__ for cls in CATALOGUE.values()),
]


def get(name: str) -> type[Cell]:
    """Return the cell class called `name` in the catalogue, such as `"peephole_lstm"`.

    Raises:
        UserError: no cell has that name; the nearest names are suggested.
    """
    if name not in CATALOGUE:
        raise unknown("cell", name, CATALOGUE)
    return CATALOGUE[name]
