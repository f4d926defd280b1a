"""Texts without labels to an encoder that other tasks start from."""

import math
import os
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from zoo.cells import CATALOGUE
from zoo.errors import UserError, unknown
from zoo.models import RecurrentLanguageModel
from zoo.preprocessing import TextPreprocessor
from zoo.presets import PresetError
from zoo.presets.schema import Boolean, Choice, Integer, Number, Optional, String, check
from zoo.tasks.batches import Batches
from zoo.tasks.compiling import compiled
from zoo.tasks.fitting import History, fit
from zoo.tasks.optimizer import make_optimizer
from zoo.tasks.task import Task

_RATE = Number(0, 0.999)
_SCHEMA = {
    "format": Integer(1, 1),
    "task": String(),
    "window": Integer(2, 1_000_000),
    "network": {
        "vocabulary_size": Integer(2, 1_000_000),
        "cell": Choice(sorted(CATALOGUE)),
        "units": Integer(1, 8192),
        "layers": Integer(1, 64),
        "bidirectional": Boolean(),
        "embedding_dim": Integer(1, 8192),
        "input_dropout": _RATE,
        "output_dropout": _RATE,
        "region": Optional(Integer(1, 1_000_000), 1),
        "samples": Integer(1, 1_000_000),
        "seed": Optional(Integer(0, 2**31 - 1)),
    },
}
_NETWORK = [name for name in _SCHEMA["network"] if name != "vocabulary_size"]


class LanguageModel(Task):
    """A recurrent language model, whose encoder other tasks can start from.

        model = LanguageModel(units=256, embedding_dim=160)
        model.fit(reviews, epochs=2)
        SentimentClassifier(encoder=model).fit(texts, labels)

    Args:
        cell: name of a cell of the catalogue (`zoo.cells.CATALOGUE`).
        preprocessor: trained on texts; None: the first `fit` trains one.
        vocabulary_size: the number of ids for a preprocessor that `fit` trains.
        vocabulary_texts: how many of the texts, drawn by the seed, it is trained on at most.
        window: texts are cut into windows of at most so many ids, of about equal length; each is a sequence.
        **network: further arguments of `zoo.models.RecurrentLanguageModel`, such as `units`, `bidirectional`.

    Raises:
        UserError: an unknown cell or argument, or one that does not fit the others.
    """

    application = "sentiment"

    def __init__(
        self,
        cell: str = "lstm",
        *,
        preprocessor: TextPreprocessor | None = None,
        vocabulary_size: int = 8000,
        vocabulary_texts: int = 20_000,
        window: int = 256,
        **network: Any,
    ):
        for name in network:
            if name not in _NETWORK:
                raise UserError(f"LanguageModel: {unknown('argument', name, _NETWORK)}")
        if window < 2:
            raise UserError(f"LanguageModel: window must be 2 or more, not {window}")
        self.vocabulary_size = vocabulary_size
        self.vocabulary_texts = vocabulary_texts
        self.window = window
        self.options = {"cell": cell, **network}
        self.preprocessor = preprocessor
        if preprocessor is not None:
            self._begin()

    def fit(
        self,
        texts: Sequence[str],
        *,
        validation_data: Sequence[str] | None = None,
        epochs: int = 2,
        batch_size: int = 64,
        learning_rate: float = 2e-3,
        schedule: str = "cosine",
        warmup: float = 0.02,
        weight_decay: float = 0.0,
        clipnorm: float = 1.0,
        averaging: float = 0.0,
        seed: int = 0,
        out: str | os.PathLike | None = None,
        settings: dict[str, Any] | None = None,
        progress: bool = True,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> History:
        """Learn from raw texts: from scratch, or further.

        Args:
            texts: raw texts.
            validation_data: texts whose perplexity is told after every epoch; it chooses nothing.
            epochs: passes over the texts.
            batch_size: windows for a step.
            learning_rate: of AdamW, at its highest.
            schedule: `"cosine"`, falling to a hundredth, or `"constant"`.
            warmup: share of all steps in which the learning rate rises from zero.
            weight_decay: of AdamW, for products; embeddings and biases are left out.
            clipnorm: the largest norm of all gradients together.
            averaging: momentum of an exponential moving average of the weights, which is what is kept; 0: none.
            seed: of the order of the texts and of everything that is drawn.
            out: run folder for checkpoints and logs; a run that was killed goes on when started again.
            settings: what else must be the same in a run and the run that it resumes.
            progress: whether to show a line for each epoch on standard error.
            callbacks: Keras callbacks.

        Returns:
            The history: a row for each epoch.

        Raises:
            UserError: no text, or a run folder of another run.
            DivergedError: the loss is no longer finite.
        """
        if isinstance(texts, str) or not len(texts):
            raise UserError("fit: texts must be a list with at least one text")
        if self.preprocessor is None:
            self.preprocessor = self._train_preprocessor(texts, seed)
        if self.network is None:
            self.options.setdefault("seed", seed)
            self._begin()
        windows = self.windows(texts)
        if not windows:
            raise UserError("fit: no text has two ids, so there is nothing to predict")
        batches = Batches(
            windows,
            np.zeros(len(windows), dtype="float32"),
            batch_size=batch_size,
            seed=seed,
            widths=4 if keras.backend.backend() == "jax" else 0,
        )
        steps = batches.steps * epochs
        self.network.compile(
            make_optimizer(learning_rate, schedule, warmup, steps, weight_decay, clipnorm, averaging),
            loss=_predicted,
        )
        return fit(
            self.network,
            batches,
            epochs=epochs,
            out=out,
            validation=validation_data and (lambda: self.evaluate(validation_data)),
            settings=settings,
            progress=progress,
            callbacks=callbacks,
        )

    def evaluate(
        self, texts: Sequence[str], *, batch_size: int = 16, progress: Callable[[int], None] | None = None
    ) -> dict[str, float]:
        """Return `log_loss`, nats for each prediction of an id over the whole vocabulary, and `perplexity`.

        Raises:
            UserError: no text has two ids.
        """
        self._ready()
        windows = self.windows(texts)
        if not windows:
            raise UserError("evaluate: no text has two ids, so there is nothing to predict")
        tensor = keras.KerasTensor((None, None), "int32")
        predict = compiled(self.network, lambda ids: self.network.token_nll(ids, training=False), tensor)
        total, count, done = 0.0, 0, 0
        for batch in Batches(windows, batch_size=batch_size, shuffle=False, widths=4).arrays():
            nll, counted = map(keras.ops.convert_to_numpy, predict(batch[0]))
            total += float(nll.sum(dtype="float64"))
            count += int(counted.sum())
            done += len(nll)
            if progress:
                progress(done)
        return {"log_loss": total / count, "perplexity": math.exp(total / count)}

    def windows(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return the ids of all texts in windows, (time,) each, 2 <= time <= `window`."""
        found = []
        for ids in self.preprocessor(texts, whole=True):
            found += np.array_split(ids, -(-len(ids) // self.window))
        return [ids for ids in found if len(ids) > 1]

    def warm(self) -> None:
        """Do nothing: there is no short answer to be quick with."""

    def _train_preprocessor(self, texts, seed):
        rows = np.arange(len(texts))
        if len(rows) > self.vocabulary_texts:
            rows = np.sort(np.random.default_rng(seed).choice(rows, self.vocabulary_texts, replace=False))
        return TextPreprocessor.train(
            [texts[row] for row in rows], vocabulary_size=self.vocabulary_size, seed=seed
        )

    def _begin(self):
        keras.utils.set_random_seed(self.options.get("seed") or 0)
        self.network = self._build()

    def _build(self):
        network = RecurrentLanguageModel(self.preprocessor.vocabulary_size, **self.options)
        network.build()
        return network

    def _config(self):
        return {"window": self.window, "network": self.network.config}

    @classmethod
    def _from_config(cls, preset, where):
        config = check(preset.config, _SCHEMA, where)
        network = config["network"]
        task = cls(window=config["window"], **{name: network[name] for name in _NETWORK})
        task.preprocessor = TextPreprocessor.from_preset(preset.preprocessor, preset.assets)
        if network["vocabulary_size"] != task.preprocessor.vocabulary_size:
            raise PresetError(f"{where}: network.vocabulary_size is not that of the tokenizer")
        return task


def _predicted(_, nll):
    """Return what the network gives: it is the loss itself."""
    return nll
