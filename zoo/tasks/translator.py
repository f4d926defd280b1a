"""Sentences of one language to sentences of another."""

import inspect
import os
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from zoo.cells import CATALOGUE
from zoo.errors import UserError, check_range, unknown
from zoo.layers import ATTENTIONS
from zoo.models import RecurrentSequenceToSequence
from zoo.preprocessing import TranslationPreprocessor
from zoo.presets import PresetError
from zoo.presets.schema import Boolean, Choice, Integer, Number, Optional, String, check
from zoo.tasks.batches import Batches, pad, plan_batches
from zoo.tasks.compiling import compiled
from zoo.tasks.fitting import History, fit
from zoo.tasks.optimizer import make_optimizer
from zoo.tasks.searching import Search, Searcher
from zoo.tasks.task import Task
from zoo.tasks.translation import Alignment, Translation

_TOKENS = 10_000  # scored at a time, of both sides and with padding: each has a logit for every id
_RATE = Number(0, 0.999)
_LANGUAGE = String(40, pattern=r"[A-Za-z0-9_-]+")
_SCHEMA = {
    "format": Integer(1, 1),
    "task": String(),
    "source_language": Optional(_LANGUAGE),
    "target_language": Optional(_LANGUAGE),
    "network": {
        "vocabulary_size": Integer(5, 1_000_000),
        "cell": Choice(sorted(CATALOGUE)),
        "units": Integer(1, 8192),
        "encoder_layers": Integer(1, 64),
        "decoder_layers": Integer(1, 64),
        "bidirectional": Boolean(),
        "residual": Boolean(),
        "embedding_dim": Integer(1, 8192),
        "attention": Choice(["none", *ATTENTIONS]),
        "attention_units": Optional(Integer(1, 8192)),
        "heads": Integer(1, 1024),
        "input_feeding": Boolean(),
        "input_dropout": _RATE,
        "dropout": _RATE,
        "output_dropout": _RATE,
        "recurrent_dropout": _RATE,
        "label_smoothing": _RATE,
        "seed": Optional(Integer(0, 2**31 - 1)),
    },
}


class Translator(Task):
    """A recurrent encoder and decoder with attention that translates sentences.

        model = Translator.from_preset("translation_tatoeba_de_en")
        model.translate(["Ich habe gestern ein Buch gelesen."])

        model = Translator(cell="lstm", units=128)
        model.fit(sources, targets)

    The languages are not detected: whatever a text is written in, it is read as the source language.

    Args:
        cell: name of a cell of the catalogue (`zoo.cells.CATALOGUE`).
        source_language: what it reads, such as `"de"`; for people, and for whoever loads the preset.
        target_language: what it writes.
        preprocessor: trained on sentences of both languages; None: the first `fit` trains one.
        vocabulary_size: the number of ids for a preprocessor that `fit` trains.
        max_length: the most ids of a sentence, its end included, for a preprocessor that `fit` trains.
        **network: further arguments of `zoo.models.RecurrentSequenceToSequence`, such as `units`, `attention`.

    Raises:
        UserError: an unknown cell or argument, or one that does not fit the others.
    """

    application = "translation"

    def __init__(
        self,
        cell: str = "gru",
        *,
        source_language: str | None = None,
        target_language: str | None = None,
        preprocessor: TranslationPreprocessor | None = None,
        vocabulary_size: int = 8000,
        max_length: int = 100,
        **network: Any,
    ):
        known = inspect.signature(RecurrentSequenceToSequence.__init__).parameters
        for name in network:
            if name not in known or name in ("self", "kwargs", "vocabulary_size"):
                raise UserError(
                    f"Translator: unknown argument {name!r}; see help(zoo.models.RecurrentSequenceToSequence)"
                )
        for name, language in (("source_language", source_language), ("target_language", target_language)):
            if language is not None:
                _LANGUAGE.check(language, f"Translator: {name}")
        self.source_language = source_language
        self.target_language = target_language
        self.vocabulary_size = vocabulary_size
        self.max_length = max_length
        self.options = {"cell": cell, **network}
        self.preprocessor = preprocessor
        self._searcher: Searcher | None = None
        self._functions: dict[str, Callable] = {}
        if preprocessor is not None:
            self._begin()

    # --- answers ---------------------------------------------------------------------------------------------

    def translate(
        self,
        texts: Sequence[str],
        *,
        beam: int = 5,
        length_penalty: float = 1.0,
        coverage_penalty: float = 0.0,
        n_best: int | None = None,
        temperature: float | None = None,
        seed: int = 0,
        batch_size: int = 64,
        progress: Callable[[int], None] | None = None,
    ) -> list[str] | list[list[Translation]]:
        """Return the translation of each text, in their order.

        A text is cut into its sentences, which are translated one by one and joined again; a sentence of more ids than
        the preprocessor's `max_length`, into shorter parts.

        Args:
            texts: raw texts, none of them blank.
            beam: hypotheses that are followed at a time; 1: greedily. What a greedy search finds is always among
                those that are compared.
            length_penalty: 0 prefers short translations, 1 and more long ones (Wu et al., 2016, equation 14).
            coverage_penalty: how much a part of the source that was not looked at costs (the same).
            n_best: return so many `Translation` for each text, the best first, instead of strings; fewer where there
                are fewer.
            temperature: draw instead of searching, from a distribution made flatter above 1 and sharper below.
            seed: of what is drawn.
            batch_size: sentences at a time.
            progress: called after every batch with the number of texts that are done, about.

        Raises:
            UserError: a blank text, or a number out of range.
        """
        self._ready()
        if isinstance(texts, str):
            raise UserError("texts: got one string; give a list of texts")
        search = _search(beam, length_penalty, coverage_penalty, n_best, temperature)
        check_range("seed", seed, 0)
        parts = [self.preprocessor.parts(text) for text in texts]
        for number, found in enumerate(parts, 1):
            if not found:
                raise UserError(f"texts: text {number} is blank; leave it out, or give it words")
        sentences = self.preprocessor([part for found in parts for part in found])
        share = len(texts) / max(len(sentences), 1)
        hypotheses = self._search_for()(
            sentences,
            search,
            seed=seed,
            batch_size=batch_size,
            progress=progress and (lambda done: progress(round(done * share))),
        )
        answers, first = [], 0
        for found in parts:
            answers.append(self._joined(hypotheses[first : first + len(found)]))
            first += len(found)
        return answers if n_best else [answer[0].text for answer in answers]

    def score(self, sources: Sequence[str], targets: Sequence[str], *, batch_size: int = 64) -> np.ndarray:
        """Return the log-probability of each target given its source, float64 (count,), in nats, its end included.

        Texts are not cut into sentences.

        Raises:
            UserError: not as many sources as targets.
        """
        return -self._nll(sources, targets, batch_size)[0]

    def align(self, source: str, target: str | None = None, *, beam: int = 5) -> Alignment:
        """Return what the decoder looks at for each piece of a target.

        Args:
            source: a text; it is not cut into sentences.
            target: a translation of it; None: the one that a search finds.
            beam: of that search.

        Raises:
            UserError: a blank text, or a network without attention.
        """
        self._ready()
        if not self.network.attends:
            raise UserError("align: this network has no attention; train one with attention='additive'")
        ids = self.preprocessor([source])[0]
        if len(ids) == 1:
            raise UserError("align: the text is blank; give it words")
        if target is None:
            found = self._search_for()([ids], _search(beam, 1.0, 0.0, None, None))[0][0][0]
            written = np.array([self.preprocessor.start_id, *found, self.preprocessor.end_id], np.int32)
        else:
            written = self.preprocessor.targets([target])[0]
        weights = self._compiled_attention()(ids[None], written[None, :-1])
        return Alignment(
            self.preprocessor.pieces(ids),
            self.preprocessor.pieces(written[1:]),
            keras.ops.convert_to_numpy(weights)[0].astype("float64"),
            self.preprocessor.detokenize(written),
        )

    def evaluate(
        self,
        sources: Sequence[str],
        references: Sequence[str] | Sequence[Sequence[str]],
        *,
        beam: int = 5,
        length_penalty: float = 1.0,
        tokenize: str = "13a",
        batch_size: int = 64,
    ) -> dict[str, float]:
        """Return `bleu` and `chrf` of the translations, 0 to 100, by sacreBLEU, and `log_loss`.

        Args:
            sources: raw texts.
            references: a translation of each, or several.
            beam: of the search.
            length_penalty: of the search.
            tokenize: how BLEU splits words: `"13a"`, or `"none"` for text that is split already.
            batch_size: sentences at a time.

        Returns:
            `log_loss` is the mean negative log-likelihood of a piece of the first reference, in nats.

        Raises:
            UserError: not as many sources as references.
        """
        references = _lists(sources, references)
        nll, count = self._nll(sources, [one[0] for one in references], batch_size)
        found = self.translate(sources, beam=beam, length_penalty=length_penalty, batch_size=batch_size)
        return {**_bleu(found, references, tokenize), "log_loss": float(nll.sum() / count.sum())}

    def warm(self) -> None:
        """Compile now what the first translation of a short sentence needs."""
        self.translate(["a"])

    def _joined(self, parts):
        """Return the translations of a text from the hypotheses of its parts."""
        count = min(map(len, parts))
        return [
            Translation(
                " ".join(self.preprocessor.detokenize(part[rank][0]) for part in parts),
                sum(part[rank][2] for part in parts),
                sum(part[rank][1] for part in parts),
            )
            for rank in range(count)
        ]

    def _nll(self, sources, targets, batch_size):
        """Return the negative log-likelihood of each target, and its number of ids, float64 (count,) both."""
        self._ready()
        if len(sources) != len(targets):
            raise UserError(f"targets: {len(targets)} for {len(sources)} sources; give each its own")
        ids, wanted = self.preprocessor(sources), self.preprocessor.targets(targets)
        lengths = _lengths(ids, wanted)
        nll, count = np.zeros(len(ids)), np.zeros(len(ids))
        widths = 4 if keras.backend.backend() == "jax" else 0  # it compiles for each shape
        options = {"shuffle": False, "widths": widths, "tokens": _TOKENS}
        for rows in plan_batches(lengths, batch_size, 0, 0, **options) if ids else []:
            pairs = [pad([column[row] for row in rows], widths) for column in (ids, wanted)]
            if widths:
                more = (1 << (len(rows) - 1).bit_length()) - len(rows)
                pairs = [np.pad(pair, ((0, more), (0, 0))) for pair in pairs]
            losses, counted = map(keras.ops.convert_to_numpy, self._compiled_nll()(*pairs))
            nll[rows] = losses.sum(axis=1, dtype="float64")[: len(rows)]
            count[rows] = counted.sum(axis=1)[: len(rows)]
        return nll, count

    def _search_for(self):
        """Return what searches with the network: the same one for as long as the network is the same."""
        if self._searcher is None or self._searcher.network is not self.network:
            signs = self.preprocessor
            banned = (signs.pad_id, signs.unknown_id, signs.start_id)
            self._searcher = Searcher(self.network, banned, signs.start_id, signs.end_id)
            self._functions = {}
        return self._searcher

    def _compiled_nll(self):
        def nll(source, target):
            return self.network.token_nll({"source": source, "target": target})

        return self._function("nll", nll)

    def _compiled_attention(self):
        return self._function("attention", lambda source, target: self.network.decode(source, target)[1])

    def _function(self, name, function):
        """Return a function of two arrays of ids, (batch, time) and (batch, steps), compiled once for a network."""
        self._search_for()
        if name not in self._functions:
            tensors = [keras.KerasTensor((None, None), "int32") for _ in range(2)]
            self._functions[name] = compiled(self.network, function, *tensors)
        return self._functions[name]

    # --- learning --------------------------------------------------------------------------------------------

    def fit(
        self,
        sources: Sequence[str],
        targets: Sequence[str],
        *,
        validation_data: tuple[Sequence[str], Sequence[Any]] | None = None,
        epochs: int = 10,
        batch_size: int | None = None,
        batch_tokens: int | None = None,
        learning_rate: float = 1e-3,
        schedule: str = "cosine",
        warmup: float = 0.05,
        weight_decay: float = 0.0,
        clipnorm: float = 1.0,
        average: int = 1,
        subword_sampling: float = 0.0,
        validation_beam: int = 1,
        tokenize: str = "13a",
        monitor: str | None = None,
        patience: int | None = None,
        seed: int = 0,
        out: str | os.PathLike | None = None,
        settings: dict[str, Any] | None = None,
        progress: bool = True,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> History:
        """Learn from pairs of sentences: from scratch, or further from what the task has learned already.

        Args:
            sources: raw sentences.
            targets: their translations. A pair with a side that is blank or longer than the preprocessor's
                `max_length` is a fault: clean the data first.
            validation_data: sources and references (one each or several) that choose the best epoch.
            epochs: passes over the pairs.
            batch_size: pairs for a step, at most if `batch_tokens` is given; None: 64, or as many as these allow.
            batch_tokens: ids of both sides, padding included, for a step; None: `batch_size` pairs of any length.
            learning_rate: of AdamW (Loshchilov & Hutter, 2019), at its highest.
            schedule: `"cosine"`, falling to a hundredth, or `"constant"`.
            warmup: share of all steps in which the learning rate rises from zero.
            weight_decay: of AdamW, for products; embeddings and biases are left out.
            clipnorm: the largest norm of all gradients together.
            average: what is validated and kept is the mean of the weights after so many last epochs.
            subword_sampling: 0, or how freely sentences are cut into pieces anew for each epoch (see
                `TranslationPreprocessor`): BPE dropout.
            validation_beam: of the search for the validation's BLEU.
            tokenize: how that BLEU splits words, see `evaluate`.
            monitor: what chooses the best epoch; by default `"val_bleu"` where there is validation data. Without it
                the last epoch is kept.
            patience: stop after so many epochs without a better one.
            seed: of the order of the pairs and of everything that is drawn.
            out: run folder for checkpoints and logs; a run that was killed goes on when started again.
            settings: what else must be the same in a run and the run that it resumes.
            progress: whether to show a line for each epoch on standard error.
            callbacks: Keras callbacks.

        Returns:
            The history: a row for each epoch.

        Raises:
            UserError: nothing to learn from, pairs that cannot be learned, a run folder of another run.
            DivergedError: the loss is no longer finite.
        """
        if isinstance(sources, str) or not len(sources) or len(sources) != len(targets):
            raise UserError(
                f"fit: got {len(sources)} sources and {len(targets)} targets; give a list of sentences and one of as "
                "many translations"
            )
        if self.preprocessor is None:
            self.preprocessor = TranslationPreprocessor.train(
                [*sources, *targets],
                vocabulary_size=self.vocabulary_size,
                max_length=self.max_length,
                seed=seed,
            )
        if self.network is None:
            self.options.setdefault("seed", seed)
            self._begin()
        check_range("subword_sampling", subword_sampling, 0, below=1)

        def encoded(generator=None):
            how = {"sample": generator, "alpha": subword_sampling}
            ids, wanted = self.preprocessor(sources, **how), self.preprocessor.targets(targets, **how)
            return {"source": ids, "target": wanted}, _lengths(ids, wanted)

        inputs, lengths = encoded()
        self._check_lengths(lengths)
        if batch_size is None:
            batch_size = 64 if batch_tokens is None else len(lengths)
        widths = 4 if keras.backend.backend() == "jax" else 0
        batches = Batches(
            inputs,
            np.zeros(len(lengths), dtype="float32"),
            batch_size=batch_size,
            seed=seed,
            lengths=lengths,
            tokens=batch_tokens,
            widths=widths,
            draw=encoded if subword_sampling else None,
        )
        self.network.compile(
            make_optimizer(learning_rate, schedule, warmup, batches.steps * epochs, weight_decay, clipnorm),
            loss=_predicted,
        )
        validation = None
        if validation_data is not None:
            monitor = monitor or "val_bleu"
            held = list(validation_data[0])
            references = _lists(held, validation_data[1])

            def validation():
                return self.evaluate(held, references, beam=validation_beam, tokenize=tokenize)

        return fit(
            self.network,
            batches,
            epochs=epochs,
            out=out,
            validation=validation,
            monitor=monitor,
            patience=patience,
            average=average,
            settings=settings,
            progress=progress,
            callbacks=callbacks,
        )

    def _check_lengths(self, lengths):
        most = self.preprocessor.max_length
        lengths = lengths - [1, 0]  # a target begins with its start
        for row, column in np.argwhere((lengths < 2) | (lengths > most))[:1]:
            found = "is blank" if lengths[row, column] < 2 else f"has {lengths[row, column]} ids"
            raise UserError(
                f"fit: the {('target', 'source')[column]} of pair {row + 1} {found}; leave out pairs with a blank "
                f"side, or of more than max_length={most} ids"
            )

    def _begin(self):
        keras.utils.set_random_seed(self.options.get("seed") or 0)
        self.network = self._build()

    # --- presets ---------------------------------------------------------------------------------------------

    def _build(self):
        network = RecurrentSequenceToSequence(self.preprocessor.vocabulary_size, **self.options)
        network.build()
        return network

    def _config(self):
        return {
            "source_language": self.source_language,
            "target_language": self.target_language,
            "network": self.network.config,
        }

    @classmethod
    def _from_config(cls, preset, where):
        config = check(preset.config, _SCHEMA, where)
        network = config["network"]
        size = network.pop("vocabulary_size")
        languages = {name: config[name] for name in ("source_language", "target_language")}
        task = cls(**languages, **network)
        task.preprocessor = TranslationPreprocessor.from_preset(preset.preprocessor, preset.assets)
        if size != task.preprocessor.vocabulary_size:
            raise PresetError(f"{where}: network.vocabulary_size is not that of the tokenizer")
        return task


def _search(beam, length_penalty, coverage_penalty, n_best, temperature) -> Search:
    """Return the search that arguments ask for, checked."""
    check_range("beam", beam, 1, most=1000)
    check_range("length_penalty", length_penalty, 0, most=10)
    check_range("coverage_penalty", coverage_penalty, 0, most=10)
    count = 1 if n_best is None else n_best
    check_range("n_best", count, 1, most=1000)
    if temperature is not None:
        check_range("temperature", temperature, 1e-3, most=100)
    elif count > beam:
        raise UserError(
            f"n_best: got {count} with beam {beam}; a beam holds no more than its width: raise beam"
        )
    if coverage_penalty and (beam == 1 or temperature is not None):
        raise UserError(
            "coverage_penalty: it ranks the hypotheses of a beam; give beam=2 or more, or leave it out"
        )
    return Search(int(beam), float(length_penalty), float(coverage_penalty), int(count), temperature)


def _lengths(sources: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> np.ndarray:
    """Return how many ids each pair has, (count, 2): those of the target first, by which batches are sorted."""
    return np.array([[len(b), len(a)] for a, b in zip(sources, targets, strict=True)]).reshape(-1, 2)


def _lists(sources: Sequence[str], references: Sequence[str] | Sequence[Sequence[str]]) -> list[list[str]]:
    """Return the references of each source as a list, checked."""
    references = [[one] if isinstance(one, str) else list(one) for one in references]
    if not references or not all(references):
        raise UserError("references: give at least one for each source, and one source at least")
    if len(sources) != len(references):
        raise UserError(f"references: {len(references)} for {len(sources)} sources; give each its own")
    return references


def _bleu(found: Sequence[str], references: Sequence[Sequence[str]], tokenize: str) -> dict[str, float]:
    """Return BLEU and chrF of a corpus, by sacreBLEU (Post, 2018); the numbers of references may differ."""
    from sacrebleu.metrics import BLEU, CHRF

    if tokenize not in BLEU.TOKENIZERS:
        raise unknown("tokenize", tokenize, BLEU.TOKENIZERS)
    most = max(map(len, references))
    columns = [[one[k] if k < len(one) else None for one in references] for k in range(most)]
    metrics = {"bleu": BLEU(tokenize=tokenize, force=True), "chrf": CHRF()}
    return {name: metric.corpus_score(list(found), columns).score for name, metric in metrics.items()}


def _predicted(_, loss):
    """Return what the network gives: it is the loss itself."""
    return loss
