"""Fitting: a run that is killed ends where the one that is not ends; best weights, early stopping, NaN.

Run as a script it is the process that gets killed: `test_fitting.py OUT MANNER`.
"""

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
import pytest

from zoo.errors import UserError
from zoo.tasks import checkpoints
from zoo.tasks.batches import Batches
from zoo.tasks.checkpoints import CheckpointError
from zoo.tasks.fitting import DivergedError, fit

if keras.backend.backend() == "torch":
    import torch

    torch.set_num_threads(1)  # threads that wait for each other are slow where others work too

ROOT = Path(__file__).resolve().parents[2]
GENERATOR = np.random.default_rng(0)
SEQUENCES = [GENERATOR.integers(1, 20, length) for length in GENERATOR.integers(2, 9, 48)]
TARGETS = np.array([float(sequence.mean() > 10) for sequence in SEQUENCES])


def batches(**changes):
    arguments = {"batch_size": 8, "seed": 5, "class_weights": {1: 1.5}, **changes}
    return Batches(SEQUENCES, TARGETS, **arguments)


def build(optimizer=None, seed=1):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(20, 6),
            keras.layers.Dropout(0.3),
            keras.layers.LSTM(5),
            keras.layers.Dropout(0.3, seed=3),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    optimizer = optimizer or keras.optimizers.Adam(0.02, use_ema=True, ema_momentum=0.8)
    model.compile(optimizer, loss="binary_crossentropy", metrics=["accuracy"])
    return model


def scaled_and_scheduled():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.02, 5, 0.9)
    return keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(schedule, momentum=0.9), initial_scale=4.0
    )


def run(out, model, callbacks=(), **changes):
    """Fit with all that a checkpoint must hold: averages, validation, best weights, patience."""
    arguments = {
        "epochs": 4,
        "validation": batches(shuffle=False, seed=0, class_weights=None),
        "monitor": "val_loss",
        "patience": 3,
        "average": 2,
        "checkpoint_steps": 2,
        "progress": False,
        **changes,
    }
    return fit(model, batches(), out=out, callbacks=callbacks, **arguments)


class At(keras.callbacks.Callback):
    """Do something after one step of one epoch."""

    def __init__(self, epoch, step, action):
        super().__init__()
        self.place = (epoch, step)
        self.action = action

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.place:
            self.action()


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def stop():
    raise InterruptedError


def state(model):
    """Return all the variables there are; those of the optimiser's averages too."""
    return [np.array(keras.ops.convert_to_numpy(v)) for v in (*model.variables, *model.optimizer.variables)]


def assert_equal(model, other):
    for one, two in zip(state(model), state(other), strict=True):
        np.testing.assert_array_equal(one, two)


def rows(out):
    with open(out / "logs" / "history.csv", newline="") as file:
        return [
            {name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)
        ]


def event_steps(out):
    from tensorflow.core.util import event_pb2
    from tensorflow.data import TFRecordDataset

    (file,) = (out / "logs" / "tensorboard").iterdir()
    events = [event_pb2.Event.FromString(record.numpy()) for record in TFRecordDataset(str(file))]
    return [event.step for event in events if event.summary.value and event.summary.value[0].tag == "loss"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing interrupts: its folder, model and history."""
    out = tmp_path_factory.mktemp("whole")
    model = build()
    return out, model, run(out, model)


def test_a_run_killed_twice_ends_where_the_whole_one_ends(tmp_path, whole):
    for manner in ("epoch", "write"):
        done = subprocess.run(
            [sys.executable, __file__, str(tmp_path), manner],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            timeout=300,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
        assert done.stdout == b""
    assert list((tmp_path / "checkpoints").glob(".*.writing"))
    (tmp_path / "checkpoints" / "notes.txt").write_text("mine")
    model = build(seed=99)  # neither weights nor generators of the start matter
    history = run(tmp_path, model)
    out, expected, expected_history = whole
    assert_equal(model, expected)
    assert history.best_epoch == expected_history.best_epoch
    assert rows(tmp_path) == rows(out)
    assert [row["epoch"] for row in rows(out)] == [str(row["epoch"]) for row in history.rows]
    assert event_steps(tmp_path) == [row["epoch"] for row in history.rows]
    assert (tmp_path / "checkpoints" / "notes.txt").exists()


def test_loss_scale_schedule_and_no_average_are_resumed_too(tmp_path):
    model, again, resumed = (build(scaled_and_scheduled()) for _ in range(3))
    keras.utils.set_random_seed(1)
    last = {"epochs": 2, "monitor": None, "patience": None, "average": 1}
    run(None, model, **last)
    keras.utils.set_random_seed(1)
    with pytest.raises(InterruptedError):
        run(tmp_path, again, [At(1, 4, stop)], **last)
    run(tmp_path, resumed, **last)
    assert_equal(resumed, model)


def normed(out, average=3, callbacks=()):
    """Fit a model whose statistics no optimiser holds; return it, the weights validated and those trained on."""
    keras.utils.set_random_seed(1)
    pooling, norm = keras.layers.GlobalAveragePooling1D(), keras.layers.BatchNormalization(momentum=0.5)
    layers = [keras.layers.Embedding(20, 6), pooling, norm, keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((None,), dtype="int32"), *layers])
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    seen, raw = [], []

    def weights(into):
        into.append([np.array(each) for each in model.get_weights()])
        return {"accuracy": 0.0}

    callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: weights(raw)), *callbacks]
    changes = {"epochs": 5, "validation": lambda: weights(seen), "monitor": None, "patience": None}
    run(out, model, callbacks, average=average, **changes)
    return model, seen, raw


def test_the_mean_of_the_last_epochs_is_validated_and_kept(tmp_path):
    model, seen, raw = normed(None)
    for epoch in range(5):
        for validated, *sets in zip(seen[epoch], *raw[max(epoch - 2, 0) : epoch + 1], strict=True):
            np.testing.assert_array_equal(validated, np.mean(sets, axis=0, dtype="float64").astype("float32"))
    for kept, validated in zip(model.get_weights(), seen[-1], strict=True):
        np.testing.assert_array_equal(kept, validated)
    for one, two in zip(raw[-1], normed(None, average=1)[0].get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)  # training goes on with the weights themselves
    with pytest.raises(InterruptedError):
        normed(tmp_path, callbacks=[At(3, 3, stop)])
    resumed, _, rest = normed(tmp_path)
    assert len(rest) == 2
    assert_equal(resumed, model)
    with pytest.raises(CheckpointError, match="average 3, not 2"):
        normed(tmp_path, average=2)


def test_a_finished_run_gives_the_same_again_and_goes_on(tmp_path, whole):
    out, expected, expected_history = whole
    model = build(seed=99)
    history = run(out, model)
    assert history == expected_history
    assert_equal(model, expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 4}, "batch_size 8, not 4"),
        ({"seed": 6}, "seed 5, not 6"),
    ],
)
def test_other_settings_are_refused(whole, changes, message):
    with pytest.raises(CheckpointError, match=message):
        fit(build(), batches(**changes), epochs=4, out=whole[0], monitor="val_loss", progress=False)


def test_another_optimizer_is_refused(whole):
    with pytest.raises(CheckpointError, match=r"learning_rate 0\.0199\d*, not 0\.5"):
        run(whole[0], build(keras.optimizers.Adam(0.5, use_ema=True, ema_momentum=0.8)))


def test_a_history_of_another_run_is_refused(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "history.csv").write_text("mine")
    with pytest.raises(UserError, match=r"history\.csv"):
        run(tmp_path, build())
    assert (tmp_path / "logs" / "history.csv").read_text() == "mine"


def test_patience_ends_the_run_with_the_best_weights(capsys):
    model, seen, scores = build(), [], iter([0.5, 0.8, 0.7, 0.8, 0.9])

    def validation():
        seen.append([np.array(weights) for weights in model.get_weights()])
        return {"accuracy": next(scores)}

    ends = []
    callback = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: ends.append(logs["val_accuracy"]),
        on_train_end=lambda logs: ends.append("end"),
    )
    history = run(
        None,
        model,
        [callback],
        epochs=9,
        validation=validation,
        monitor="val_accuracy",
        patience=2,
        progress=True,
    )
    assert (history.best_epoch, history.best_score, history.stopped_early) == (2, 0.8, True)
    assert history.history["val_accuracy"] == [0.5, 0.8, 0.7, 0.8]
    assert ends == [0.5, 0.8, 0.7, 0.8, "end"]
    for one, two in zip(model.get_weights(), seen[1], strict=True):
        np.testing.assert_array_equal(one, two)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert [line.split()[1] for line in shown.err.splitlines()] == ["1/9", "2/9", "3/9", "4/9"]


def test_nan_stops_the_run_and_the_last_finite_state_is_kept(tmp_path):
    model = build()
    weight = model.layers[-1].kernel

    def spoil():
        weight.assign(np.full(weight.shape, np.nan))

    class Spoil(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                spoil()

    with pytest.raises(DivergedError, match=r"epoch 2: (the loss is nan|a weight is not)"):
        run(tmp_path, model, [Spoil()], checkpoint_steps=None)
    assert all(np.isfinite(array).all() for array in state(model))
    with checkpoints.Checkpoints(tmp_path / "checkpoints") as store:
        found = store.latest()
    assert found.state["place"]["epoch"] == 1
    np.testing.assert_array_equal(found.arrays["model.0"], state(model)[0])
    assert [row["epoch"] for row in rows(tmp_path)] == ["1"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs"),
        ({"average": 0}, "average: got 0"),
        ({"mode": "least"}, "mode"),
        ({"monitor": None, "patience": 2}, "patience"),
    ],
)
def test_bad_arguments(changes, message):
    with pytest.raises(UserError, match=message):
        run(None, build(), **changes)


def test_a_model_that_is_not_compiled_is_refused():
    with pytest.raises(UserError, match="compile"):
        fit(keras.Sequential([keras.layers.Dense(1)]), batches(), epochs=1)


def main(out, manner):
    """Run until killed: in the middle of an epoch, or in the middle of writing a checkpoint."""
    if manner == "epoch":
        run(out, build(), [At(1, 2, kill)])
        return
    sync, count = checkpoints._sync, []

    def sync_and_die(file):
        count.append(file)
        if len(count) == 7:  # the state of one checkpoint is written to a part
            file.truncate(10)
            kill()
        sync(file)

    checkpoints._sync = sync_and_die
    run(out, build(seed=77))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
