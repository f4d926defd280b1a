"""A recurrent network over lags, as a scikit-learn estimator."""

import itertools
import math
import threading
from functools import lru_cache
from numbers import Integral
from typing import Any, Self

import keras
import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from zoo.cells import get
from zoo.errors import UserError, check_range, unknown
from zoo.layers import Recurrent
from zoo.tasks import state
from zoo.tasks.batches import Batches
from zoo.tasks.compiling import compiled
from zoo.tasks.fitting import DivergedError
from zoo.tasks.optimizer import make_optimizer

LOSSES = {
    "mse": keras.losses.MeanSquaredError,
    "mae": keras.losses.MeanAbsoluteError,
    "huber": keras.losses.Huber,
}
EXPECTED_FAILED_CHECKS = {
    "check_sample_weight_equivalence_on_dense_data": (
        "a row that stands there twice is drawn twice, a row of weight 2 once: the mini-batches differ"
    ),
}
"""The checks of scikit-learn that fail, and why: for `check_estimator(..., expected_failed_checks=...)`."""

_BLOCK = 256  # rows that are answered at once, always: an answer does not depend on the rows beside it
_KEPT = 16  # compiled networks of different shapes
_LEAST = 32  # rows of a batch, with those that weigh nothing: few sizes, for each is compiled


class RecurrentRegressor(RegressorMixin, BaseEstimator):
    """A recurrent network from the lags of a series to the values that follow, for scikit-learn.

    A row of `X` is a sequence, the oldest step first: `n_features` steps of one value, or with `n_channels` values
    at each step `n_features / n_channels` steps, all the values of a step side by side. A row of `y` is what
    follows: one value, or as many as the horizon has steps. With the channels and the outputs standardised,

        h_t = cell(x_t, h_{t-1}),   t = 1 ... T
        y   = W h_T + A [x_1; ...; x_T] + b

    where A, a linear autoregression beside the network (Lai, Chang, Yang & Liu, 2018, arXiv 1703.07015,
    section 3.6), begins at zero.

    After `fit` the estimator holds arrays and no network, so it can be copied, pickled and sent to another process.
    A network of the same shape is compiled once in a process and serves all estimators, one thread at a time.

    Args:
        cell: name of a cell of the catalogue.
        units: size of each recurrent layer.
        layers: number of recurrent layers.
        linear: whether the network has A.
        dropout: share of the features to drop between recurrent layers and after the last one.
        n_channels: values at each step.
        loss: `"mse"`, `"mae"` or `"huber"`, of the standardised outputs.
        epochs: how often every row is seen.
        batch_size: rows for each step of the optimiser.
        learning_rate: in the first epoch; from epoch to epoch it falls, by half a cosine.
        weight_decay: share of a weight that is taken off at each step, times the learning rate.
        validation_fraction: share of the rows, the last ones, that choose the best epoch and train nothing; 0: the
            last epoch counts.
        patience: stop after so many epochs without a better one; None: never.
        random_state: whole number, generator of NumPy's old kind, or None: settles starting weights, order of the
            rows and dropout.

    Attributes:
        n_features_in_: columns of `X`.
        feature_names_in_: their names, where `X` had names.
        weights_: the arrays of the network.
        x_mean_, x_scale_: `(n_channels,)` what the channels were standardised by.
        y_mean_, y_scale_: `(outputs,)` the same of the outputs.
        history_: `loss`, and `val_loss` where there is a validation: lists of one number for each epoch.
        best_epoch_: the epoch, from 1, whose weights these are.

    Raises:
        UserError: on `fit`, an argument out of range. It is a `ValueError`, as scikit-learn wants it.
    """

    def __init__(
        self,
        cell: str = "gru",
        units: int = 32,
        layers: int = 1,
        *,
        linear: bool = True,
        dropout: float = 0.0,
        n_channels: int = 1,
        loss: str = "mse",
        epochs: int = 100,
        batch_size: int = 32,
        learning_rate: float = 3e-3,
        weight_decay: float = 0.0,
        validation_fraction: float = 0.0,
        patience: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.cell = cell
        self.units = units
        self.layers = layers
        self.linear = linear
        self.dropout = dropout
        self.n_channels = n_channels
        self.loss = loss
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from sequences and what followed them, and return the estimator.

        Args:
            X: (rows, features), the oldest step of a row first.
            y: (rows,) or (rows, outputs).
            sample_weight: (rows,) how much each row counts, not negative; by default all the same.

        Raises:
            UserError: an argument or a weight out of range.
            ValueError: `X` or `y` is not what scikit-learn takes, or has missing or infinite values.
            DivergedError: the loss became infinite or not a number.
        """
        X, y = validate_data(self, X, y, dtype="float64", multi_output=True, y_numeric=True)
        y = np.asarray(y, "float64")
        weights = _checked_weights(sample_weight, len(X))
        self._check(X.shape[1], len(X))
        train = len(X) - self._held(len(X))
        if any(len(part) and not part.any() for part in (weights[:train], weights[train:])):
            raise UserError(
                "sample_weight: all weights of the rows to train by, or of those to validate by, are zero; "
                "give some rows a weight above zero"
            )
        sequences = X.reshape(len(X), -1, self.n_channels)
        targets = y.reshape(len(y), -1)
        x_mean, x_scale = _moments(sequences[:train], weights[:train])
        y_mean, y_scale = _moments(targets[:train, None], weights[:train])
        sequences = _standardised(sequences, x_mean, x_scale)
        targets = _standardised(targets, y_mean, y_scale)
        architecture = {
            "cell": self.cell,
            "units": int(self.units),
            "layers": int(self.layers),
            "linear": bool(self.linear),
            "dropout": float(self.dropout),
            "steps": sequences.shape[1],
            "channels": sequences.shape[2],
            "outputs": targets.shape[1],
        }
        seed = int(check_random_state(self.random_state).randint(2**30))
        size = min(int(self.batch_size), max(_LEAST, 1 << (train - 1).bit_length()))
        batches = Batches(  # all of one size: rows that are added weigh nothing
            _padded(sequences[:train], size),
            _padded(targets[:train], size),
            weights=_padded(weights[:train].astype("float32"), size),
            batch_size=size,
            seed=seed,
            bucket=False,
        )
        fitted = {"loss": self.loss, "weight_decay": float(self.weight_decay), **architecture}
        program, held = _program(**fitted), (sequences[train:], targets[train:], weights[train:])
        with program.lock:
            program.begin(_network(**architecture, seed=seed))
            self.weights_, self.history_, self.best_epoch_ = self._train(program, batches, held)
        self.x_mean_, self.x_scale_, self.y_mean_, self.y_scale_ = x_mean, x_scale, y_mean, y_scale
        self._fitted, self._shape = fitted, y.shape[1:]
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return what follows sequences: (rows,), or (rows, outputs) if `y` had two axes.

        Args:
            X: (rows, features), as in `fit`.

        Raises:
            NotFittedError: `fit` was not called.
            ValueError: `X` is not what scikit-learn takes, has missing values or another number of columns.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype="float64", reset=False)
        sequences = X.reshape(len(X), -1, self._fitted["channels"])
        program = _program(**self._fitted)
        with program.lock:
            state.assign(program.network.weights, self.weights_)
            answers = program.answers(_standardised(sequences, self.x_mean_, self.x_scale_))
        return (answers * self.y_scale_ + self.y_mean_).reshape(len(X), *self._shape)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _train(self, program, batches, held):
        """Return weights, history and best epoch.

        Rows are few and short here: what `zoo.tasks.fitting` does around an epoch takes longer than its steps.
        """
        network, history, best = program.network, {"loss": []}, (math.inf, None, 0)
        for epoch in range(self.epochs):
            fallen = (1 + math.cos(math.pi * epoch / self.epochs)) / 2
            network.optimizer.learning_rate = float(self.learning_rate) * fallen
            losses, counts = [], []
            for x, y, weights in batches.arrays(epoch):
                losses.append(network.train_on_batch(x, y, weights, return_dict=True)["loss"])
                counts.append(weights.sum())
            history["loss"].append(float(np.average(losses, weights=counts)))
            score = -epoch
            if len(held[0]):
                score = program.score(*held)
                history.setdefault("val_loss", []).append(score)
            weights = state.values(network.weights)
            if not state.are_finite([np.array([history["loss"][-1], score]), *weights]):
                raise DivergedError(
                    f"learning_rate: with {self.learning_rate:g} the loss or a weight is not finite in epoch "
                    f"{epoch + 1}; give a lower one"
                )
            if score < best[0]:
                best = score, weights, epoch + 1
            if self.patience is not None and epoch + 1 - best[2] >= self.patience:
                break
        return best[1], history, best[2]

    def _held(self, rows):
        """Return how many of the last rows validate."""
        return int(self.validation_fraction * rows)

    def _check(self, features, rows):
        for name in ("units", "layers", "n_channels", "epochs", "batch_size", "patience"):
            value = getattr(self, name)
            if name == "patience" and value is None:
                continue
            if not isinstance(value, Integral) or value < 1:
                raise UserError(f"{name}: got {value!r}; give a whole number of at least 1")
        if features % self.n_channels:
            raise UserError(
                f"n_channels: {self.n_channels} does not divide the {features} columns of X; give every step all "
                "its values"
            )
        if self.loss not in LOSSES:
            raise unknown("loss", self.loss, LOSSES)
        check_range("dropout", self.dropout, 0, below=1)
        check_range("learning_rate", self.learning_rate, 0)
        check_range("validation_fraction", self.validation_fraction, 0, below=1)
        if self.patience is not None and not self._held(rows):
            raise UserError(
                f"patience: got {self.patience} where no row is left to validate by; give a larger "
                "validation_fraction, or patience=None"
            )


class _Program:
    """A network with its optimiser, compiled; whoever uses it holds the lock and brings the weights."""

    def __init__(self, loss, weight_decay, **architecture):
        self.lock = threading.Lock()
        self.network = _network(**architecture, seed=0)
        self.network.compile(
            make_optimizer(1.0, "constant", 0.0, 1, weight_decay),
            LOSSES[loss](reduction="mean_with_sample_weight"),
        )
        self.network.optimizer.build(self.network.trainable_variables)
        self.call = compiled(
            self.network, lambda x: self.network.call(x, training=False), self.network.inputs[0]
        )

    def begin(self, new):
        """Take the values of a new network, and forget what the optimiser remembers."""
        state.assign(self.network.variables, state.values(new.variables))
        for variable in self.network.optimizer.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))

    def answers(self, sequences):
        """Return the outputs (rows, outputs) for sequences (rows, time, channels)."""
        padded = _padded(sequences, _BLOCK)
        found = [self.call(padded[first : first + _BLOCK]) for first in range(0, len(padded), _BLOCK)]
        return np.concatenate([keras.ops.convert_to_numpy(each) for each in found])[: len(sequences)]

    def score(self, sequences, targets, weights):
        """Return the loss of sequences that are not trained by."""
        return float(self.network.loss(targets, self.answers(sequences), sample_weight=weights))


_program = lru_cache(maxsize=_KEPT)(_Program)


def _network(cell, units, layers, linear, dropout, steps, channels, outputs, seed):
    """Return a new network from (rows, steps, channels) to (rows, outputs)."""
    seeds, kind = itertools.count(seed), get(cell)
    h = x = keras.Input((steps, channels))
    for below in reversed(range(layers)):
        starts = {
            "kernel_initializer": keras.initializers.GlorotUniform(next(seeds)),
            "recurrent_initializer": keras.initializers.Orthogonal(seed=next(seeds)),
        }
        starts = {name: start for name, start in starts.items() if name not in kind.unused}
        h = Recurrent(kind(units, **starts), return_sequences=below > 0)(h)
        if dropout:
            layer = keras.layers.SpatialDropout1D if below else keras.layers.Dropout
            h = layer(dropout, seed=next(seeds))(h)
    y = keras.layers.Dense(outputs, kernel_initializer=keras.initializers.GlorotUniform(next(seeds)))(h)
    if linear:
        autoregression = keras.layers.Dense(outputs, use_bias=False, kernel_initializer="zeros")
        y = y + autoregression(keras.layers.Flatten()(x))
    return keras.Model(x, y)


def _checked_weights(given, rows):
    if given is None:
        return np.ones(rows)
    weights = np.asarray(given, "float64")
    if weights.shape != (rows,):
        raise UserError(f"sample_weight: got shape {weights.shape}; give one weight for each of {rows} rows")
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise UserError("sample_weight: a weight is negative or not finite; give weights from zero on")
    return weights


def _moments(values, weights):
    """Return mean and standard deviation of each channel of (rows, time, channels); 1 for one that is constant."""
    mean = np.average(values.mean(axis=1), weights=weights, axis=0)
    scale = np.sqrt(np.average(np.square(values - mean).mean(axis=1), weights=weights, axis=0))
    rounding = 10 * np.finfo("float64").eps * np.abs(mean)
    return mean, np.where(scale <= rounding, 1.0, scale)


def _standardised(values, mean, scale):
    return ((values - mean) / scale).astype("float32")


def _padded(array, size):
    """Return an array with as many rows of zeros behind it as make its length a multiple of `size`."""
    return np.pad(array, [(0, -len(array) % size)] + [(0, 0)] * (array.ndim - 1))
