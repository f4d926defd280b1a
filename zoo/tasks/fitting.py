"""The one place that fits a model and resumes a fit that was killed."""

import copy
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import keras
import numpy as np

from zoo.errors import UserError, unknown
from zoo.loops import memory
from zoo.tasks import state
from zoo.tasks.batches import Batches
from zoo.tasks.checkpoints import Checkpoint, CheckpointError, Checkpoints
from zoo.tasks.logbook import Logbook, ProgressLine, Row

Validation = Batches | Callable[[], Mapping[str, float]]

# A checkpoint at the end of an epoch is left out while it would take more than this share of the time.
_CHECKPOINT_SHARE = 0.05
# How often the loss is looked at while an epoch runs: looking waits for the device.
_LOOK_SECONDS = 1.0
_TIDY_SECONDS = 20.0  # between two times that memory which is not in use is given back
_FALLING = ("loss", "error", "mse", "mae", "nll", "perplexity")


class DivergedError(UserError):
    """The loss or the weights are no longer finite; the model holds the last finite ones."""


@dataclass
class History:
    """What a fit did.

    Attributes:
        rows: one dictionary for each epoch: `epoch` (from 1), `loss`, metrics, `val_...`, `learning_rate`,
            `seconds` since the run began.
        best_epoch: the epoch (from 1) whose weights the model holds; the last one without `monitor`.
        best_score: its value of `monitor`.
        stopped_early: True if there were epochs left.
    """

    rows: list[Row] = field(default_factory=list)
    best_epoch: int | None = None
    best_score: float | None = None
    stopped_early: bool = False

    @property
    def history(self) -> dict[str, list[float]]:
        """The rows by name, as Keras has them."""
        names = dict.fromkeys(name for row in self.rows for name in row if name != "epoch")
        return {name: [row.get(name, math.nan) for row in self.rows] for name in names}


def fit(
    model: keras.Model,
    batches: Batches,
    *,
    epochs: int,
    out: str | os.PathLike | None = None,
    validation: Validation | None = None,
    monitor: str | None = None,
    mode: str | None = None,
    patience: int | None = None,
    average: int = 1,
    checkpoint_seconds: float = 60.0,
    checkpoint_steps: int | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: bool = True,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> History:
    """Fit a compiled model; started again with the same `out` after a kill, go on where it stopped.

    A run that was killed and started again ends with the weights of one that was not, bit for bit, on one
    backend and machine, if randomness comes from the seed generators of the model's layers. Kernels of a
    GPU that are not deterministic are not made so; on a CPU nothing has to be set.

    Every epoch is one call of `model.fit`. After it the model is validated, with its averaged weights if the
    optimiser averages (`use_ema=True`), and goes on training with the raw ones. At the end it holds the
    weights of the best epoch by `monitor`, or those of the last one.

    Args:
        model: compiled; what has no weights yet is built from the first batch.
        batches: the training data. The seed of their order is theirs.
        epochs: in all, those of the run that is resumed among them.
        out: run folder. `out/checkpoints/` and `out/logs/` are written, nothing else is touched. None: the
            run cannot be resumed.
        validation: called after every epoch without arguments, returns metric name -> number; or batches
            that `model.evaluate` sees. The names get the prefix `val_` where they lack it.
        monitor: the column of the history that tells the best epoch, such as `"val_accuracy"`.
        mode: `"min"` or `"max"`; by default by the name of `monitor`: losses and errors fall.
        patience: stop after so many epochs without a better `monitor`. By default never.
        average: what is validated and kept is the mean of the weights at the end of so many last epochs.
        checkpoint_seconds: time between checkpoints within an epoch. There is one after every epoch too,
            unless epochs are so short that writing would take more than a twentieth of the time.
        checkpoint_steps: if given, write one after every so many steps of an epoch and after every epoch, and
            do not look at the clock.
        settings: what else must not differ between a run and the run it resumes, for JSON.
        progress: whether to show a line for each epoch on standard error.
        callbacks: Keras callbacks. `on_train_begin` and `on_train_end` are called once; `on_epoch_end` sees
            the validation too. What they remember is not in the checkpoint.

    Returns:
        The history, with the epochs before the kill.

    Raises:
        DivergedError: the loss, the weights or `monitor` became infinite or not a number. The model holds the
            last finite weights that were recorded, and so does the checkpoint.
        CheckpointError: the checkpoints are of another model, other data or other settings; are damaged; or
            another process is writing them.
        UserError: an argument does not fit the others.
    """
    if not getattr(model, "compiled", False):
        raise UserError("model: it is not compiled; call model.compile(optimizer=..., loss=...) first")
    if epochs < 1:
        raise UserError(f"epochs: got {epochs}; give 1 or more")
    if mode not in (None, "min", "max"):
        raise UserError(f"mode: got {mode!r}; give 'min', 'max' or None")
    if patience is not None and (monitor is None or patience < 1):
        raise UserError(f"patience: got {patience} with monitor {monitor!r}; give 1 or more, and a monitor")
    if average < 1:
        raise UserError(f"average: got {average}; give 1 or more")
    if mode is None:
        mode = "min" if monitor and any(word in monitor.lower() for word in _FALLING) else "max"
    if not model.built:
        model(next(batches.arrays())[0])
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    with ExitStack() as stack:
        run = _Run(
            model,
            batches,
            epochs,
            validation,
            monitor,
            mode,
            patience,
            average,
            checkpoint_seconds,
            checkpoint_steps,
            {
                **batches.fingerprint(),
                **state.fingerprint(model, monitor, mode),
                **({} if average == 1 else {"average": average}),
                "settings": state.plain(settings),
            },
        )
        if out is not None:
            run.checkpoints = stack.enter_context(Checkpoints(Path(out) / "checkpoints"))
            run.logbook = Logbook(Path(out) / "logs")
            stack.callback(run.logbook.close)
        if progress:
            run.line = ProgressLine(epochs, batches.count / batches.steps)
        return run.run(callbacks)


@dataclass
class _Run:
    """One fit: its arguments, its place, and the record of the last moment at which all was finite."""

    model: keras.Model
    batches: Batches
    epochs: int
    validation: Validation | None
    monitor: str | None
    mode: str
    patience: int | None
    average: int
    checkpoint_seconds: float
    checkpoint_steps: int | None
    fingerprint: dict[str, Any]
    checkpoints: Checkpoints | None = None
    logbook: Logbook | None = None
    line: ProgressLine | None = None
    place: state.Place = field(default_factory=state.Place)
    steps: int = 0  # of the epoch
    best: list[np.ndarray] = field(default_factory=list)
    last: list[list[np.ndarray]] = field(default_factory=list)  # the weights to average, of the last epochs
    metrics: list[np.ndarray] = field(default_factory=list)
    random: list[np.ndarray] = field(default_factory=list)
    recorded: Checkpoint | None = None
    unsaved: bool = False
    before: float = 0.0

    def run(self, callbacks: Sequence[keras.callbacks.Callback]) -> History:
        """Run all epochs that are left and put the best weights into the model."""
        self.began = self.saved = self.looked = self.tidied = time.monotonic()
        self.save_cost = 0.0
        self.resume()
        hooks = _Hooks(self, callbacks)
        hooks.begin()
        try:
            while self.place.epoch < self.epochs and not self.is_stopped():
                self.run_epoch(hooks)
        except state.NotFiniteError as error:
            self.give_up(error)
        self.save()
        if self.best:
            state.assign(self.model.weights, self.best)
        elif self.last:
            state.assign(self.model.weights, state.mean(self.last))
        else:  # the averaged weights, if there are any
            self.model.optimizer.finalize_variable_values(self.model.trainable_variables)
            state.separate(self.model.trainable_variables)
        hooks.end()
        place = self.place
        best_epoch = place.epoch if place.best_epoch is None else place.best_epoch
        return History(place.rows, best_epoch, place.best_score, place.epoch < self.epochs)

    def is_stopped(self) -> bool:
        """Return whether a callback has stopped the run, or the patience is over."""
        waited = self.place.epoch - (self.place.best_epoch or 0)
        return self.place.stopped or (self.patience is not None and waited >= self.patience)

    def run_epoch(self, hooks: "_Hooks") -> None:
        """Train for the rest of an epoch, validate, and take stock."""
        place, epoch = self.place, self.place.epoch
        self.steps = len(self.batches.plan(epoch))
        if self.line:
            self.line.start(place.step, self.steps)
        try:
            self.model.fit(
                self.batches.dataset(epoch, place.step),
                initial_epoch=epoch,
                epochs=epoch + 1,
                verbose=0,
                callbacks=hooks,
                shuffle=False,
            )
        except RuntimeError as error:  # PyTorch's cross-entropy refuses what is not a number
            if state.are_finite(state.values(self.model.weights)):
                raise
            raise state.NotFiniteError("a weight is not a finite number") from error
        # Keras has put the averaged weights, if there are any, in place of the raw ones by now.
        state.separate(self.model.trainable_variables)
        logs = dict(hooks.logs)
        state.check(logs["loss"], "the loss")
        if self.line:
            self.line.update(epoch, self.steps, logs)
        if self.average > 1:
            self.last = [*self.last, state.values(self.model.weights)][-self.average :]
            state.assign(self.model.weights, state.mean(self.last))
        logs.update(self.validate())
        if self.monitor is not None:
            if self.monitor not in logs:
                raise unknown("monitor", self.monitor, logs)
            state.check(logs[self.monitor], self.monitor)
            if self.is_better(logs[self.monitor]):
                place.best_epoch, place.best_score = epoch + 1, logs[self.monitor]
                self.best = state.values(self.model.weights)
        state.assign(self.model.weights, hooks.raw)
        logs["learning_rate"] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        hooks.finish_epoch(epoch, logs)
        place.rows.append({"epoch": epoch + 1, **logs, "seconds": round(self.seconds(), 3)})
        place.epoch, place.step = epoch + 1, 0
        place.stopped = self.model.stop_training
        self.metrics = []
        self.record()
        if self.checkpoint_steps or self.save_cost <= _CHECKPOINT_SHARE * (time.monotonic() - self.saved):
            self.save()
        if self.logbook:
            self.logbook.add(place.rows)
        if self.line:
            self.line.update(epoch, self.steps, logs, done=True)

    def after_step(self, step: int, logs: Mapping[str, Any]) -> None:
        """Look at the loss now and then, and record and save where it is time: `step` steps are done."""
        now = time.monotonic()
        if self.checkpoint_steps:
            due = step // self.checkpoint_steps > self.place.step // self.checkpoint_steps
        else:
            due = now - self.saved >= self.checkpoint_seconds
        if now - self.tidied >= _TIDY_SECONDS:
            self.tidied = now
            memory.give_back()
        if not due and now - self.looked < _LOOK_SECONDS:
            return
        self.looked = now
        logs = {name: float(keras.ops.convert_to_numpy(value)) for name, value in logs.items()}
        state.check(logs["loss"], "the loss")
        if due and step < self.steps:
            getattr(self.model, "jax_state_sync", lambda: None)()  # JAX keeps the variables elsewhere
            self.place.step = step
            self.metrics = state.values(self.model.metrics_variables)
            self.record()
            self.save()
        if self.line:
            self.line.update(self.place.epoch, step, logs)

    def validate(self) -> dict[str, float]:
        """Return the validation's metrics by their names with `val_`."""
        if self.validation is None:
            return {}
        if isinstance(self.validation, Batches):
            values = self.model.evaluate(self.validation.dataset(), verbose=0, return_dict=True)
        else:
            values = self.validation()
        return {
            name if name.startswith("val_") else f"val_{name}": float(value) for name, value in values.items()
        }

    def is_better(self, score: float) -> bool:
        """Return whether `score` beats the best one so far."""
        best = self.place.best_score
        return best is None or (score < best if self.mode == "min" else score > best)

    def seconds(self) -> float:
        """Return the time since the run began, that of the killed run up to its checkpoint included."""
        return self.before + time.monotonic() - self.began

    def record(self) -> None:
        """Keep the state of this moment, to be saved or to be returned to, if all of it is finite."""
        self.place.seconds = self.seconds()
        self.random = state.random_state()
        groups = {
            "model": state.values(self.model.variables),
            "optimizer": state.values(self.model.optimizer.variables),
            "metrics": self.metrics,
            "best": self.best,
            "random": self.random,
            **{f"last{number}": weights for number, weights in enumerate(self.last)},
        }
        arrays = {
            f"{group}.{number}": array for group in groups for number, array in enumerate(groups[group])
        }
        if not state.are_finite(groups["model"]):
            raise state.NotFiniteError("a weight is not a finite number")
        self.recorded = Checkpoint({"place": asdict(self.place), "fingerprint": self.fingerprint}, arrays)
        self.unsaved = True

    def save(self) -> None:
        """Write what is recorded to the disk, unless it is there."""
        if self.checkpoints and self.unsaved:
            start = time.monotonic()
            self.checkpoints.save(self.recorded.state, self.recorded.arrays)
            self.saved = time.monotonic()
            self.save_cost = self.saved - start
        self.unsaved = False

    def resume(self) -> None:
        """Go to the last checkpoint; without one, record and save the beginning."""
        checkpoint = self.checkpoints.latest() if self.checkpoints else None
        if checkpoint is not None:
            found = checkpoint.state.get("fingerprint")
            if found != self.fingerprint:
                difference = state.difference(found, self.fingerprint)
                raise CheckpointError(
                    f"{self.checkpoints.folder}: of a run with {difference}; choose another --out"
                )
            self.restore(checkpoint)
        if self.logbook:
            self.logbook.open(self.place.rows, fresh=checkpoint is None)
        if checkpoint is None:
            self.record()
            self.save()

    def restore(self, checkpoint: Checkpoint) -> None:
        """Put a checkpoint's state into the model, its optimiser and this run."""
        groups: dict[str, list[np.ndarray]] = {
            "model": [],
            "optimizer": [],
            "metrics": [],
            "best": [],
            "random": [],
        }
        for name, array in checkpoint.arrays.items():
            groups.setdefault(name.split(".")[0], []).append(array)
        self.place = state.Place(**copy.deepcopy(checkpoint.state["place"]))
        self.before = self.place.seconds
        self.best, self.metrics, self.random = groups["best"], groups["metrics"], groups["random"]
        names = sorted((name for name in groups if name.startswith("last")), key=lambda name: int(name[4:]))
        self.last = [groups[name] for name in names]
        if self.metrics:  # the metrics have no variables before they have seen a batch
            self.model.test_on_batch(*next(self.batches.arrays()))
        state.assign(self.model.variables, groups["model"])
        state.assign(self.model.optimizer.variables, groups["optimizer"])
        self.recorded = checkpoint

    def give_up(self, error: state.NotFiniteError) -> NoReturn:
        """Restore and save the last finite state, and say so."""
        epoch = self.place.epoch
        self.restore(self.recorded)
        self.save()
        raise DivergedError(
            f"epoch {epoch + 1}: {error}; the model is back at epoch {self.place.epoch + 1}, step "
            f"{self.place.step}: lower the learning rate or clip the gradients, and choose another --out"
        ) from None


class _Hooks(keras.callbacks.CallbackList):
    """The user's callbacks, called as if all epochs were one fit, and the run's own looks between them."""

    def __init__(self, run: _Run, callbacks: Sequence[keras.callbacks.Callback]):
        self.run = run
        self.begun_at = 0
        self.logs: dict[str, float] = {}
        self.raw: list[np.ndarray] = []
        self.watched = bool(callbacks)
        super().__init__(
            list(callbacks),
            add_history=True,
            model=run.model,
            epochs=run.epochs,
            steps=run.batches.steps,
            verbose=0,
        )

    def begin(self) -> None:
        super().on_train_begin()

    def end(self) -> None:
        super().on_train_end(self.logs)

    def finish_epoch(self, epoch: int, logs: dict[str, float]) -> None:
        super().on_epoch_end(epoch, logs)

    def on_train_begin(self, logs=None):
        pass

    def on_train_end(self, logs=None):
        pass

    def on_epoch_begin(self, epoch, logs=None):
        self.begun_at = self.run.place.step
        if self.begun_at:
            state.assign(self.run.model.metrics_variables, self.run.metrics)
        super().on_epoch_begin(epoch, logs)

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 0:  # what fit has drawn before its first step depends on what it had to build
            state.set_random_state(self.run.random)
        if self.watched:
            super().on_train_batch_begin(self.begun_at + batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        if self.watched:
            super().on_train_batch_end(self.begun_at + batch, logs)
        self.run.after_step(self.begun_at + batch + 1, logs)

    def on_epoch_end(self, epoch, logs=None):
        self.logs = {name: float(value) for name, value in logs.items()}
        self.raw = state.values(self.run.model.weights)
