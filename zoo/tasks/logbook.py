"""The logs of a fit: `history.csv`, TensorBoard's event files, and the line that shows how far it is."""

import csv
import io
import math
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from zoo.errors import UserError
from zoo.tasks.checkpoints import write_atomically

Row = dict[str, float]
"""One epoch: `epoch` (from 1), the losses and metrics, `learning_rate`, `seconds` since the run began."""


class Logbook:
    """The rows of a run in `folder`: `history.csv` and, for TensorBoard, `tensorboard/`.

    Both hold each epoch once, also in a run that was killed and started again: the rows come from the
    checkpoint, and `open` writes them anew.

    Args:
        folder: made when the first row is written.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._writer: Any = None

    def open(self, rows: Sequence[Row], fresh: bool) -> None:
        """Make the logs say `rows` and nothing else.

        Raises:
            UserError: the run is a fresh one, and there is a history: it is not the history of this run.
        """
        path = self.folder / "history.csv"
        if fresh and path.exists():
            raise UserError(
                f"{path}: is of another run, of which no checkpoint is left; choose another --out"
            )
        for old in (path, *(self.folder / "tensorboard").glob("events.out.tfevents.*.zoo")):
            old.unlink(missing_ok=True)
        if rows:
            self._write_table(rows)
            for row in rows:
                self._write_events(row)

    def add(self, rows: Sequence[Row]) -> None:
        """Write the last of `rows`."""
        self._write_table(rows)
        self._write_events(rows[-1])

    def close(self) -> None:
        """Close the event file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _write_table(self, rows: Sequence[Row]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        names = list(dict.fromkeys(name for row in rows for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_atomically(self.folder / "history.csv", text.getvalue())

    def _write_events(self, row: Row) -> None:
        """Write scalars as `tf.summary.scalar` does, which wants the package tensorboard to write them."""
        import tensorflow as tf

        if self._writer is None:
            folder = str(self.folder / "tensorboard")
            self._writer = tf.summary.create_file_writer(folder, filename_suffix=".zoo")
        kind = tf.compat.v1.SummaryMetadata
        scalar = kind(plugin_data=kind.PluginData(plugin_name="scalars"), data_class=1)
        with self._writer.as_default(step=row["epoch"]):
            for name, value in row.items():
                if name != "epoch":
                    tf.summary.write(name, tf.constant(value, tf.float32), metadata=scalar)
        self._writer.flush()


class ProgressLine:
    """One line for each epoch on standard error; on a terminal it is rewritten while the epoch runs.

    Args:
        epochs: of the whole run.
        batch_size: to tell examples a second.
        stream: by default standard error.
    """

    def __init__(self, epochs: int, batch_size: float, stream: TextIO | None = None):
        self.epochs = epochs
        self.batch_size = batch_size
        self.stream = sys.stderr if stream is None else stream
        self._terminal = self.stream.isatty()
        self.start(0, 0)

    def start(self, step: int, steps: int) -> None:
        """Take the time from here: an epoch of so many steps begins, at `step` if it is one that is resumed."""
        self.steps = steps
        self._began = time.monotonic()
        self._first = step
        self._rate = 0.0

    def update(self, epoch: int, step: int, logs: Mapping[str, float], done: bool = False) -> None:
        """Show epoch `epoch` (from 0) after `step` steps.

        `done` ends the line, with the speed that was shown last: validation does not count. Only ended lines
        are written where standard error is no terminal.
        """
        if not done:
            self._rate = (step - self._first) / max(time.monotonic() - self._began, 1e-9)
            if not self._terminal:
                return
        left = self.steps * (self.epochs - epoch) - step
        values = "  ".join(f"{name} {value:.4g}" for name, value in logs.items())
        line = f"epoch {epoch + 1}/{self.epochs}  {step}/{self.steps}  {values}"
        line += f"  {self._rate * self.batch_size:,.0f} examples/s"
        if left and self._rate:
            line += f"  {_clock(left / self._rate)} left"
        start = "\r\x1b[K" if self._terminal else ""
        self.stream.write(f"{start}{line}" + ("\n" if done else ""))
        self.stream.flush()


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
