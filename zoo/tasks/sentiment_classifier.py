"""Texts to labels, such as negative and positive."""

import inspect
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from zoo.cells import CATALOGUE
from zoo.errors import UserError
from zoo.losses import GroupedCrossentropy
from zoo.metrics import classification_metrics
from zoo.models import RecurrentClassifier
from zoo.preprocessing import TextPreprocessor
from zoo.preprocessing.word_vectors import piece_vectors
from zoo.presets import PresetError
from zoo.presets.schema import Boolean, Choice, Integer, ListOf, Number, Optional, String, check
from zoo.tasks.batches import Batches
from zoo.tasks.fitting import History, fit
from zoo.tasks.optimizer import make_optimizer
from zoo.tasks.task import Task

_RATE = Number(0, 0.999)
_SCHEMA = {
    "format": Integer(1, 1),
    "task": String(),
    "labels": ListOf(String(), max=10_000, min=2),
    "groups": Optional(ListOf(ListOf(Integer(0, 9_999), max=10_000, min=1), max=10_000, min=2)),
    "network": {
        "vocabulary_size": Integer(2, 1_000_000),
        "num_classes": Integer(2, 10_000),
        "cell": Choice(sorted(CATALOGUE)),
        "units": Integer(1, 8192),
        "layers": Integer(1, 64),
        "bidirectional": Boolean(),
        "residual": Boolean(),
        "embedding_dim": Integer(1, 8192),
        "embedding_trainable": Boolean(),
        "pooling": String(40),
        "head_units": Integer(0, 65_536),
        "word_dropout": _RATE,
        "embedding_dropout": _RATE,
        "input_dropout": _RATE,
        "dropout": _RATE,
        "recurrent_dropout": _RATE,
        "head_dropout": _RATE,
        "seed": Optional(Integer(0, 2**31 - 1)),
    },
}


@dataclass(frozen=True)
class Prediction:
    """The answer for one text.

    Attributes:
        label: the most probable label.
        probability: its probability, 0 to 1.
        probabilities: label -> probability; they sum to 1.
    """

    label: str
    probability: float
    probabilities: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as JSON can hold it."""
        return {"label": self.label, "probability": self.probability, "probabilities": self.probabilities}

    def __str__(self) -> str:
        return f"{self.label}  {self.probability:.3f}"


class SentimentClassifier(Task):
    """A recurrent classifier of texts.

        model = SentimentClassifier.from_preset("sentiment_sst2_en")
        model.predict(["A wonderful little film."])

        model = SentimentClassifier(cell="peephole_lstm", units=64)
        model.fit(texts, labels)

    Args:
        cell: name of a cell of the catalogue (`zoo.cells.CATALOGUE`).
        labels: the labels' names, at least two. None: those that the first `fit` finds.
        groups: for each label the numbers of the network's classes that it sums up; by default the labels are
            the classes. So a network that tells five degrees apart can answer with two labels; classes of no
            group (a neutral one) fall out.
        preprocessor: trained on texts; None: the first `fit` trains one.
        vocabulary_size: the number of ids for a preprocessor that `fit` trains.
        max_length: longer texts are cut after so many ids, by a preprocessor that `fit` trains.
        word_vectors: a word2vec or GloVe text file that the embeddings start from; `embedding_dim` is its own.
        **network: further arguments of `zoo.models.RecurrentClassifier`, such as `units`, `layers`, `pooling`.

    Raises:
        UserError: an unknown cell or argument, or one that does not fit the others.
    """

    application = "sentiment"

    def __init__(
        self,
        cell: str = "lstm",
        *,
        labels: Sequence[str] | None = None,
        groups: Sequence[Sequence[int]] | None = None,
        preprocessor: TextPreprocessor | None = None,
        vocabulary_size: int = 8000,
        max_length: int = 512,
        word_vectors: str | os.PathLike | None = None,
        **network: Any,
    ):
        if labels is not None and (isinstance(labels, str) or len(set(labels)) < 2):
            raise UserError(
                f"SentimentClassifier: labels must be two different names or more, not {labels!r}"
            )
        if groups is not None and len(groups) != len(labels or ()):
            raise UserError(f"SentimentClassifier: {len(groups)} groups for {len(labels or ())} labels")
        self.labels = None if labels is None else [str(label) for label in labels]
        self.groups = None if groups is None else [list(group) for group in groups]
        self.vocabulary_size = vocabulary_size
        self.max_length = max_length
        self.word_vectors = word_vectors
        self.options = {"cell": cell, **network}
        self._check_options()
        self.preprocessor = preprocessor
        if preprocessor is not None and labels is not None:
            self._begin()

    # --- answers ---------------------------------------------------------------------------------------------

    def predict_proba(
        self, texts: Sequence[str], *, batch_size: int = 64, progress: Callable[[int], None] | None = None
    ) -> np.ndarray:
        """Return the labels' probabilities, (count, labels) float64, in the order of `texts` and `labels`.

        Args:
            texts: raw texts.
            batch_size: texts at a time.
            progress: called after every batch with the number of texts that are done.
        """
        self._ready()
        if not len(texts):
            return np.empty((0, len(self.labels)))
        logits = self._caller().run(self.preprocessor(texts), batch_size, progress).astype("float64")
        if self.groups:
            logits = np.stack(
                [np.logaddexp.reduce(logits[:, group], axis=1) for group in self.groups], axis=1
            )
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return exponentials / exponentials.sum(axis=1, keepdims=True)

    def predict(
        self, texts: Sequence[str], *, batch_size: int = 64, progress: Callable[[int], None] | None = None
    ) -> list[Prediction]:
        """Return a `Prediction` for each text; the arguments are those of `predict_proba`."""
        rows = self.predict_proba(texts, batch_size=batch_size, progress=progress)
        return [self._prediction(row) for row in rows]

    def _prediction(self, row):
        best = int(row.argmax())
        return Prediction(
            self.labels[best], float(row[best]), dict(zip(self.labels, row.tolist(), strict=True))
        )

    def evaluate(
        self, texts: Sequence[str], labels: Sequence[str], *, batch_size: int = 64
    ) -> dict[str, float]:
        """Return accuracy, macro-F1, ROC-AUC, log-loss (nats) and calibration error on labelled texts.

        Raises:
            UserError: a label that the task does not know.
        """
        self._ready()
        return classification_metrics(
            self.predict_proba(texts, batch_size=batch_size), self.label_ids(labels)
        )

    def label_ids(self, labels: Sequence[str]) -> np.ndarray:
        """Return the place of each label in `labels` of this task, (count,) integers.

        Raises:
            UserError: a label that the task does not know.
        """
        places = {label: place for place, label in enumerate(self.labels)}
        for number, label in enumerate(labels):
            if str(label) not in places:
                raise UserError(
                    f"labels[{number}]: {label!r} is none of the model's labels ({', '.join(self.labels[:10])}); "
                    "rename the labels of the data, or fine-tune the model on them"
                )
        return np.array([places[str(label)] for label in labels], dtype="int64")

    # --- learning --------------------------------------------------------------------------------------------

    def fit(
        self,
        texts: Sequence[str],
        labels: Sequence[str] | np.ndarray,
        *,
        validation_data: tuple[Sequence[str], Sequence[str]] | None = None,
        epochs: int = 3,
        batch_size: int = 32,
        learning_rate: float = 1e-3,
        schedule: str = "cosine",
        warmup: float = 0.05,
        weight_decay: float = 0.0,
        clipnorm: float = 1.0,
        averaging: float = 0.0,
        label_smoothing: float = 0.0,
        subword_sampling: float = 0.0,
        sample_weight: np.ndarray | None = None,
        class_weight: dict[str, float] | None = None,
        monitor: str | None = None,
        patience: int | None = None,
        seed: int = 0,
        out: str | os.PathLike | None = None,
        settings: dict[str, Any] | None = None,
        progress: bool = True,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> History:
        """Learn from labelled texts: from scratch, or further from what the task has learned already.

        If the labels are others than the task's, its last layer is replaced, and a warning says so.

        Args:
            texts: raw texts.
            labels: a label for each text; or an array (count, classes) with a distribution over the network's
                classes for each.
            validation_data: texts and labels that choose the best epoch; training does not see them.
            epochs: passes over the texts.
            batch_size: texts for a step.
            learning_rate: of AdamW (Loshchilov & Hutter, 2019), at its highest.
            schedule: `"cosine"`, falling to a hundredth, or `"constant"`.
            warmup: share of all steps in which the learning rate rises from zero.
            weight_decay: of AdamW, for products; embeddings and biases are left out.
            clipnorm: the largest norm of all gradients together.
            averaging: momentum of an exponential moving average of the weights, which is what is kept; 0: none.
            label_smoothing: share of each distribution that is spread evenly.
            subword_sampling: 0, or how freely texts are cut into pieces anew for each epoch (see
                `TextPreprocessor`).
            sample_weight: weight of each text, (count,).
            class_weight: label -> weight.
            monitor: what chooses the best epoch, `"val_accuracy"`, `"val_log_loss"`, ...; by default
                `"val_accuracy"` where there is validation data. Without it the last epoch is kept.
            patience: stop after so many epochs without a better one.
            seed: of the order of the texts and of everything that is drawn.
            out: run folder for checkpoints and logs; a run that was killed goes on when started again.
            settings: what else must be the same in a run and the run that it resumes.
            progress: whether to show a line for each epoch on standard error.
            callbacks: Keras callbacks.

        Returns:
            The history: a row for each epoch.

        Raises:
            UserError: nothing to learn from, an argument that does not fit, a run folder of another run.
            DivergedError: the loss is no longer finite.
        """
        targets, names = self._targets(texts, labels)
        self._prepare(texts, names, seed)
        if names is not None:
            targets = np.eye(len(self.labels), dtype="float32")[self.label_ids(targets)]
            if class_weight:
                weights = np.array([class_weight.get(label, 1.0) for label in self.labels], dtype="float32")
                sample_weight = (targets @ weights) * (1 if sample_weight is None else sample_weight)
        sequences = self.preprocessor(texts)

        def sample(rows, generator):
            return self.preprocessor([texts[row] for row in rows], sample=generator, alpha=subword_sampling)

        batches = Batches(
            sequences,
            targets,
            batch_size=batch_size,
            seed=seed,
            weights=None if sample_weight is None else np.asarray(sample_weight, dtype="float32"),
            encode=sample if subword_sampling else None,
            widths=4 if keras.backend.backend() == "jax" else 0,  # JAX compiles for every shape
        )
        optimizer = make_optimizer(
            learning_rate, schedule, warmup, batches.steps * epochs, weight_decay, clipnorm, averaging
        )
        groups = self.groups if targets.shape[1] != self.network.config["num_classes"] else None
        self.network.compile(optimizer, GroupedCrossentropy(groups, label_smoothing))
        if validation_data is not None:
            self.label_ids(validation_data[1])  # a label that is unknown is told before, not after an epoch
            monitor = monitor or "val_accuracy"
        return fit(
            self.network,
            batches,
            epochs=epochs,
            out=out,
            validation=validation_data and (lambda: self.evaluate(*validation_data)),
            monitor=monitor,
            patience=patience,
            settings=settings,
            progress=progress,
            callbacks=callbacks,
        )

    def _targets(self, texts, labels):
        """Return the targets, and the names of the labels that occur; None where targets are distributions."""
        if isinstance(texts, str) or not len(texts):
            raise UserError("fit: texts must be a list with at least one text")
        if len(texts) != len(labels):
            raise UserError(f"fit: {len(texts)} texts but {len(labels)} labels; give one label for each text")
        if isinstance(labels, np.ndarray) and labels.ndim == 2:
            if not np.isfinite(labels).all() or (labels < 0).any():
                raise UserError("fit: distributions must hold finite numbers that are not negative")
            return labels.astype("float32"), None
        targets = [str(label) for label in labels]
        return targets, sorted(set(targets))

    def _prepare(self, texts, names, seed):
        """Train the preprocessor and build the network where there is none yet; replace a head that does not fit."""
        if names is not None and (self.labels is None or not set(names) <= set(self.labels)):
            if len(names) < 2:
                raise UserError(f"fit: the only label is {names[0]!r}; at least two are needed")
            if self.network is not None:
                warnings.warn(
                    f"the last layer is new: the data's labels are {', '.join(names[:10])}, the model's were "
                    f"{', '.join(self.labels[:10])}",
                    stacklevel=3,
                )
            self._replace_head(names)
        if self.labels is None:
            raise UserError(
                "fit: labels are distributions; name the labels by SentimentClassifier(labels=...)"
            )
        if self.preprocessor is None:
            self.preprocessor = TextPreprocessor.train(
                texts, vocabulary_size=self.vocabulary_size, max_length=self.max_length, seed=seed
            )
        if self.network is None:
            self.options.setdefault("seed", seed)
            self._begin()

    def _replace_head(self, names):
        old, self.labels, self.groups = self.network, names, None
        if old is None:
            return
        self.network = self._build()
        values = {variable.path: variable for variable in old.weights}
        for variable in self.network.weights:
            if not variable.path.startswith("logits/"):
                variable.assign(values[variable.path])

    def _begin(self):
        """Build the network, with word vectors if there are any."""
        keras.utils.set_random_seed(self.options.get("seed") or 0)
        vectors = None
        if self.word_vectors is not None:
            vectors, _ = piece_vectors(self.preprocessor, self.word_vectors)
            self.options["embedding_dim"] = vectors.shape[1]
        self.network = self._build()
        if vectors is not None:
            self.network.get_layer("embedding").embeddings.assign(vectors)

    # --- presets ---------------------------------------------------------------------------------------------

    def _check_options(self):
        known = inspect.signature(RecurrentClassifier.__init__).parameters
        for name in self.options:
            if name not in known or name in ("self", "kwargs", "vocabulary_size", "num_classes"):
                raise UserError(
                    f"SentimentClassifier: unknown argument {name!r}; see help(RecurrentClassifier)"
                )

    def _build(self):
        classes = len(self.labels) if self.groups is None else 1 + max(max(group) for group in self.groups)
        return RecurrentClassifier(self.preprocessor.vocabulary_size, classes, **self.options)

    def _config(self):
        return {"labels": self.labels, "groups": self.groups, "network": self.network.config}

    @classmethod
    def _from_config(cls, preset, where):
        config = check(preset.config, _SCHEMA, where)
        preprocessor = TextPreprocessor.from_preset(preset.preprocessor, preset.assets)
        network = config["network"]
        if network.pop("vocabulary_size") != preprocessor.vocabulary_size:
            raise PresetError(f"{where}: network.vocabulary_size is not that of the tokenizer")
        classes = network.pop("num_classes")
        task = cls(labels=config["labels"], groups=config["groups"], **network)
        wanted = len(task.labels) if task.groups is None else 1 + max(max(group) for group in task.groups)
        if classes != wanted:
            raise PresetError(f"{where}: network.num_classes is {classes}, the labels need {wanted}")
        task.preprocessor = preprocessor
        return task
