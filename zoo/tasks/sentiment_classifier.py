"""Texts to labels, such as negative and positive."""

import inspect
import os
import warnings
from collections.abc import Callable, Sequence
from copy import copy
from typing import Any, Self

import keras
import numpy as np

from zoo.cells import CATALOGUE
from zoo.errors import UserError, check_range
from zoo.models import RecurrentClassifier
from zoo.preprocessing import TextPreprocessor
from zoo.preprocessing.word_vectors import piece_vectors
from zoo.presets import PresetError
from zoo.presets.schema import Boolean, Choice, Integer, Number, Optional, String, check
from zoo.tasks.adversarial import Adversary
from zoo.tasks.batches import Batches
from zoo.tasks.fitting import History, fit
from zoo.tasks.labels import SCHEMA, ClassWeight, Labels, check_examples, is_distributions
from zoo.tasks.language_model import LanguageModel
from zoo.tasks.optimizer import layer_rates, make_optimizer
from zoo.tasks.prediction import Prediction
from zoo.tasks.task import Task

_RATE = Number(0, 0.999)
_SCHEMA = {
    "format": Integer(1, 1),
    "task": String(),
    **SCHEMA,
    "network": {
        "vocabulary_size": Integer(2, 1_000_000),
        "num_classes": Integer(2, 10_000),
        "cell": Choice(sorted(CATALOGUE)),
        "units": Integer(1, 8192),
        "layers": Integer(1, 64),
        "bidirectional": Boolean(),
        "residual": Boolean(),
        "embedding_dim": Integer(1, 8192),
        "ngrams": Optional(Integer(1, 16), 1),
        "ngram_buckets": Optional(Integer(1, 2**18), 50_000),
        "ngram_units": Optional(Integer(1, 8192), 16),
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


class SentimentClassifier(Task):
    """A recurrent classifier of texts.

        model = SentimentClassifier.from_preset("sentiment_sst2_en")
        model.predict(["A wonderful little film."])

        model = SentimentClassifier(cell="peephole_lstm", units=64)
        model.fit(texts, labels)

    Args:
        cell: name of a cell of the catalogue (`zoo.cells.CATALOGUE`).
        labels: the labels' names, at least two, or `zoo.tasks.Labels`, by which a text may have several. None:
            those that the first `fit` finds.
        groups: for each label the numbers of the network's classes that it sums up; by default the labels are
            the classes. So a network that tells five degrees apart can answer with two labels; classes of no
            group (a neutral one) fall out.
        preprocessor: trained on texts; None: the first `fit` trains one.
        vocabulary_size: the number of ids for a preprocessor that `fit` trains.
        max_length: for training, longer texts are cut to so many ids, by a preprocessor that `fit` trains.
        truncation: which ids of a longer text stay, `"head"`, `"tail"` or `"both"` (see `TextPreprocessor`).
        word_vectors: a word2vec or GloVe text file that the embeddings start from; `embedding_dim` is its own.
        encoder: a language model whose pieces, embeddings and lowest recurrent layers the network starts from;
            cell, units, bidirectional and embedding_dim are its own.
        **network: further arguments of `zoo.models.RecurrentClassifier`, such as `units`, `layers`, `pooling`.

    Attributes:
        meaning: the labels, and how they come out of the network's logits; None until they are known.

    Raises:
        UserError: an unknown cell or argument, or one that does not fit the others.
    """

    application = "sentiment"

    def __init__(
        self,
        cell: str = "lstm",
        *,
        labels: Sequence[str] | Labels | None = None,
        groups: Sequence[Sequence[int]] | None = None,
        preprocessor: TextPreprocessor | None = None,
        vocabulary_size: int = 8000,
        max_length: int = 512,
        truncation: str = "head",
        word_vectors: str | os.PathLike | None = None,
        encoder: LanguageModel | None = None,
        **network: Any,
    ):
        if labels is None and groups is not None:
            raise UserError(f"SentimentClassifier: {len(groups)} groups for no labels; name the labels too")
        self.meaning = (
            Labels(labels, groups) if labels is not None and not isinstance(labels, Labels) else labels
        )
        self.vocabulary_size = vocabulary_size
        self.max_length = max_length
        self.truncation = truncation
        self.word_vectors = word_vectors
        self.options = {"cell": cell, **network}
        self.encoder = encoder
        if encoder is not None:
            preprocessor = self._take_encoder(encoder, preprocessor)
        self._check_options()
        self.preprocessor = preprocessor
        if preprocessor is not None and labels is not None:
            self._begin()

    @property
    def labels(self) -> list[str] | None:
        """The labels' names, in the order of `predict_proba`; None until they are known."""
        return None if self.meaning is None else list(self.meaning.names)

    @property
    def groups(self) -> list[list[int]] | None:
        """For each label the numbers of the network's classes that it sums up; None: the labels are the classes."""
        groups = None if self.meaning is None else self.meaning.groups
        return None if groups is None else [list(group) for group in groups]

    def by_class(self) -> Self:
        """Return a classifier by the same network that answers with its classes, which the labels sum up.

        So one that tells five degrees apart, and answers with two labels, answers with the degrees:

            SentimentClassifier.from_preset("sentiment_sst2_en").by_class().predict(texts)

        Raises:
            UserError: the classes have no names.
        """
        self._ready()
        other = copy(self)
        other.meaning = self.meaning.by_class()
        return other

    # --- answers ---------------------------------------------------------------------------------------------

    def predict_proba(
        self,
        texts: Sequence[str],
        *,
        batch_size: int = 64,
        progress: Callable[[int], None] | None = None,
        whole: bool = True,
    ) -> np.ndarray:
        """Return the labels' probabilities, (count, labels) float64, in the order of `texts` and `labels`.

        Args:
            texts: raw texts.
            batch_size: texts at a time.
            progress: called after every batch with the number of texts that are done.
            whole: whether long texts are read whole, in chunks, however long they are; else they are cut as for
                training, by the preprocessor's `max_length` and `truncation`.
        """
        self._ready()
        if not len(texts):
            return np.empty((0, len(self.meaning.names)))
        return self.meaning.probabilities(self._logits(texts, batch_size, progress, whole))

    def class_probabilities(
        self, texts: Sequence[str], *, batch_size: int = 64, whole: bool = True
    ) -> np.ndarray:
        """Return the probabilities of the network's classes, (count, classes) float64, which labels may sum up.

        They are what `fit` takes as distributions: another classifier can learn from them. The arguments are those
        of `predict_proba`.
        """
        self._ready()
        if not len(texts):
            return np.empty((0, self.meaning.classes))
        return self.meaning.class_probabilities(self._logits(texts, batch_size, whole=whole))

    def _logits(self, texts, batch_size=64, progress=None, whole=True):
        """Return the network's logits, (count, classes)."""
        return self._caller().run(self.preprocessor(texts, whole=whole), batch_size, progress)

    def predict(
        self,
        texts: Sequence[str],
        *,
        batch_size: int = 64,
        progress: Callable[[int], None] | None = None,
        whole: bool = True,
    ) -> list[Prediction]:
        """Return a `Prediction` for each text; the arguments are those of `predict_proba`."""
        rows = self.predict_proba(texts, batch_size=batch_size, progress=progress, whole=whole)
        return [self.meaning.prediction(row) for row in rows]

    def evaluate(
        self, texts: Sequence[str], labels: Sequence[Any], *, batch_size: int = 64, whole: bool = True
    ) -> dict[str, float]:
        """Return what is measured on labelled texts: `zoo.metrics.classification_metrics`.

        Where a text may have several labels, and `labels` are lists of them, it is `multi_label_metrics`. With
        `whole` long texts are read whole, as in `predict_proba`.

        Raises:
            UserError: a label that the task does not know.
        """
        self._ready()
        truth = self.meaning.truth(labels)
        return self.meaning.metrics(self.predict_proba(texts, batch_size=batch_size, whole=whole), truth)

    # --- what validation data choose -------------------------------------------------------------------------

    def calibrate(self, texts: Sequence[str], labels: Sequence[Any], *, batch_size: int = 64) -> float:
        """Choose the temperature by which the probabilities suit labelled texts best, and return it.

        It is the one with the lowest log-loss (Guo, Pleiss, Sun & Weinberger, 2017), replaces an earlier one and is
        saved with the preset. No answer changes. Give texts that the network has not learned from, and measure it on
        others again.

        Raises:
            UserError: no texts, or a label that the task does not know.
        """
        self._ready()
        check_examples(texts, labels)
        self.meaning = self.meaning.calibrated(self._logits(texts, batch_size), self.meaning.truth(labels))
        return self.meaning.temperature

    def find_thresholds(
        self, texts: Sequence[str], labels: Sequence[Any], *, metric: str = "f1", batch_size: int = 64
    ) -> dict[str, float]:
        """Choose the probability from which on a label is answered, by labelled texts, and return label -> threshold.

        Of two labels it is one number, for the second label; where a text may have several, one for each label. They
        are those with the best `metric`, of equally good ones the nearest to 0.5; they replace earlier ones and are
        saved with the preset. Give texts that the network has not learned from, and measure it on others again.

        Args:
            texts: raw texts.
            labels: their labels, as for `evaluate`.
            metric: `"accuracy"` or `"f1"`: of two labels the accuracy or the macro-F1, else each label's own.
            batch_size: texts at a time.

        Raises:
            UserError: no texts, an unknown label or metric, or more than two labels of which a text has one.
        """
        self._ready()
        check_examples(texts, labels)
        truth = self.meaning.truth(labels)
        probabilities = self.predict_proba(texts, batch_size=batch_size)
        self.meaning = self.meaning.with_thresholds(probabilities, truth, metric)
        names = self.labels if self.meaning.multi_label else self.labels[1:]
        return dict(zip(names, self.meaning.thresholds, strict=True))

    # --- learning --------------------------------------------------------------------------------------------

    def fit(
        self,
        texts: Sequence[str],
        labels: Sequence[Any] | np.ndarray,
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
        discriminative: float = 1.0,
        gradual_unfreezing: float = 0.0,
        adversarial: float = 0.0,
        virtual_adversarial: float = 0.0,
        unlabelled: Sequence[str] = (),
        label_smoothing: float = 0.0,
        subword_sampling: float = 0.0,
        sample_weight: np.ndarray | None = None,
        class_weight: ClassWeight = None,
        monitor: str | None = None,
        patience: int | None = None,
        seed: int = 0,
        out: str | os.PathLike | None = None,
        settings: dict[str, Any] | None = None,
        progress: bool = True,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> History:
        """Learn from labelled texts: from scratch, or further from what the task has learned already.

        If the labels are others than the task's, its last layer is replaced, and a warning says so. A temperature
        and thresholds that were chosen before are forgotten.

        Args:
            texts: raw texts.
            labels: a label for each text; or a list of labels for each, of which it then may have any number; or
                an array (count, classes) with a distribution over the network's classes for each.
            validation_data: texts and labels that choose the best epoch; training does not see them.
            epochs: passes over the texts.
            batch_size: texts for a step.
            learning_rate: of AdamW (Loshchilov & Hutter, 2019), at its highest.
            schedule: `"cosine"`, falling to a hundredth, or `"constant"`.
            warmup: share of all steps in which the learning rate rises from zero.
            weight_decay: of AdamW, for products; embeddings and biases are left out.
            clipnorm: the largest norm of all gradients together.
            averaging: momentum of an exponential moving average of the weights, which is what is kept; 0: none.
            discriminative: each layer learns so many times more slowly than the one above it (Howard & Ruder,
                2018: 2.6); 1: all alike.
            gradual_unfreezing: epochs after which the next layer below begins to learn (Howard & Ruder, 2018:
                1); 0: all at once.
            adversarial: length of the worst change of the embeddings that the loss counts too, as a share of
                their own norm (see `zoo.tasks.adversarial`); 0: none.
            virtual_adversarial: the same without labels, for the texts of `unlabelled` too.
            unlabelled: raw texts without labels, for `virtual_adversarial`.
            label_smoothing: share of each distribution that is spread evenly.
            subword_sampling: 0, or how freely texts are cut into pieces anew for each epoch (see
                `TextPreprocessor`).
            sample_weight: weight of each text, (count,).
            class_weight: label -> weight, or `"balanced"`: rare labels weigh more (see `zoo.tasks.Labels.loss`).
            monitor: what chooses the best epoch, `"val_accuracy"`, `"val_log_loss"`, ...; by default
                `"val_accuracy"` where there is validation data (of several labels a text `"val_micro_f1"`). Without
                it the last epoch is kept.
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
        check_examples(texts, labels)
        check_range("adversarial", adversarial, 0)
        check_range("virtual_adversarial", virtual_adversarial, 0)
        check_range("label_smoothing", label_smoothing, 0, below=1)
        check_range("subword_sampling", subword_sampling, 0)
        self._prepare(texts, labels, seed)
        targets = self.meaning.targets(labels)
        loss, weights = self.meaning.loss(targets, label_smoothing, class_weight)
        if weights is not None:
            sample_weight = weights * (1 if sample_weight is None else sample_weight)
        if len(unlabelled):
            if not virtual_adversarial:
                raise UserError("fit: unlabelled texts teach by virtual_adversarial alone; give it a length")
            texts, targets, sample_weight = _with_unlabelled(texts, unlabelled, targets, sample_weight)
        sequences = self.preprocessor(texts)

        def draw(generator):
            drawn = self.preprocessor(texts, sample=generator, alpha=subword_sampling)
            return drawn, np.array([len(ids) for ids in drawn])

        batches = Batches(
            sequences,
            targets,
            batch_size=batch_size,
            seed=seed,
            weights=None if sample_weight is None else np.asarray(sample_weight, dtype="float32"),
            draw=draw if subword_sampling else None,
            widths=4 if keras.backend.backend() == "jax" else 0,  # JAX compiles for every shape
        )
        optimizer = make_optimizer(
            learning_rate,
            schedule,
            warmup,
            batches.steps * epochs,
            weight_decay,
            clipnorm,
            averaging,
            layer_rates(self._layers(), discriminative, gradual_unfreezing, batches.steps),
        )
        self.network.adversary = None
        if adversarial or virtual_adversarial:
            self.network.adversary = Adversary(adversarial, virtual_adversarial, self.meaning.activation)
        self.network.compile(optimizer, loss)
        self.meaning = self.meaning.forget()  # what suited the weights that change now
        if validation_data is not None:
            self.meaning.truth(
                validation_data[1]
            )  # a label that is unknown is told before, not after an epoch
            monitor = monitor or f"val_{self.meaning.headline}"
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

    def _prepare(self, texts, labels, seed):
        """Train the preprocessor and build the network where there is none yet; replace a head that does not fit."""
        if is_distributions(labels):
            if self.meaning is None:
                raise UserError(
                    "fit: labels are distributions; name the labels by SentimentClassifier(labels=...)"
                )
        elif self.meaning is None or not self.meaning.covers(labels):
            found = Labels.found(labels)
            if self.network is not None:
                warnings.warn(
                    f"the last layer is new: the data's labels are {found}, the model's were {self.meaning}",
                    stacklevel=3,
                )
            self._replace_head(found)
        if self.preprocessor is None:
            self.preprocessor = TextPreprocessor.train(
                texts,
                vocabulary_size=self.vocabulary_size,
                max_length=self.max_length,
                truncation=self.truncation,
                seed=seed,
            )
        if self.network is None:
            self.options.setdefault("seed", seed)
            self._begin()

    def _replace_head(self, labels):
        old, self.meaning = self.network, labels
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
        if self.encoder is not None:
            values = {  # without the network's name, which begins the paths of its layers
                variable.path.partition("/")[2]: variable for variable in self.encoder.network.weights
            }
            for variable in self.network.weights:
                if variable.path in values:
                    variable.assign(values[variable.path])
            self.encoder = None
        if vectors is not None:
            self.network.get_layer("embedding").embeddings.assign(vectors)

    def _take_encoder(self, encoder, preprocessor):
        """Fill in the options that the encoder settles, and return its preprocessor for this task."""
        if self.word_vectors is not None or preprocessor is not None:
            raise UserError(
                "SentimentClassifier: encoder brings its own pieces and embeddings; leave out preprocessor and "
                "word_vectors"
            )
        for name in ("cell", "units", "bidirectional", "embedding_dim"):
            own = encoder.network.config[name]
            if self.options.setdefault(name, own) != own:
                raise UserError(
                    f"SentimentClassifier: {name} is {self.options[name]!r}, the encoder's is {own!r}; "
                    f"give {name}={own!r}"
                )
        pieces = encoder.preprocessor
        return TextPreprocessor(
            pieces.model,
            lowercase=pieces.lowercase,
            max_length=self.max_length,
            truncation=self.truncation,
        )

    def _layers(self):
        """Return what the paths of the layers below the head begin with, the topmost layer first."""
        ways = ("forward", "backward")
        numbers = range(self.network.config["layers"] - 1, -1, -1)
        return [*([f"stack/{way}_{number}/" for way in ways] for number in numbers), ["embedding/"]]

    # --- presets ---------------------------------------------------------------------------------------------

    def _check_options(self):
        known = inspect.signature(RecurrentClassifier.__init__).parameters
        for name in self.options:
            if name not in known or name in ("self", "kwargs", "vocabulary_size", "num_classes"):
                raise UserError(
                    f"SentimentClassifier: unknown argument {name!r}; see help(RecurrentClassifier)"
                )

    def _build(self):
        return RecurrentClassifier(self.preprocessor.vocabulary_size, self.meaning.classes, **self.options)

    def _config(self):
        return {**self.meaning.to_config(), "network": self.network.config}

    @classmethod
    def _from_config(cls, preset, where):
        config = check(preset.config, _SCHEMA, where)
        preprocessor = TextPreprocessor.from_preset(preset.preprocessor, preset.assets)
        network = config["network"]
        if network.pop("vocabulary_size") != preprocessor.vocabulary_size:
            raise PresetError(f"{where}: network.vocabulary_size is not that of the tokenizer")
        classes = network.pop("num_classes")
        task = cls(labels=Labels.from_config(config, where), **network)
        if classes != task.meaning.classes:
            raise PresetError(
                f"{where}: network.num_classes is {classes}, the labels need {task.meaning.classes}"
            )
        task.preprocessor = preprocessor
        return task


def _with_unlabelled(texts, unlabelled, targets, weights):
    """Return texts, targets and weights with those of the unlabelled texts behind: they weigh nothing.

    The others weigh more, so that the mean over a batch is what it would be without the unlabelled ones.
    """
    count = len(texts)
    weights = np.ones(count, dtype="float32") if weights is None else np.asarray(weights, dtype="float32")
    weights = np.concatenate([weights * (1 + len(unlabelled) / count), np.zeros(len(unlabelled))])
    targets = np.concatenate([targets, np.zeros((len(unlabelled), targets.shape[1]), dtype="float32")])
    return [*texts, *unlabelled], targets, weights.astype("float32")
