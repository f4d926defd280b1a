"""Explains a classifier's answers: word by word, and gate by gate."""

from typing import Any

import numpy as np
from keras import ops

from zoo.errors import UserError, unknown
from zoo.inspect.attribution import MOST_STEPS, STEPS, Score, in_batches, integrated_gradients
from zoo.inspect.baselines import baselines
from zoo.inspect.explanation import Explanation, Word
from zoo.inspect.trace import trace_stack
from zoo.inspect.words import word_spans, word_texts
from zoo.losses import grouped_logits
from zoo.preprocessing import canonical
from zoo.tasks import Labels, SentimentClassifier, Task
from zoo.tasks.compiling import compiled

MOST_PIECES = 512  # of a text that are explained


class Explainer:
    """Tells why a classifier answers as it does for a text. What it compiles, it compiles once.

    Explained are the log-odds of one label, log(p / (1 - p)) in nats: evidence adds up in log-odds. A word is what
    stands between two spaces of the canonical text; its numbers are sums over its pieces.

    - Integrated gradients of the embeddings, from a text as long as this one that says nothing; see
      `integrated_gradients` and `baselines`. If the sum does not converge, the next baseline is tried. What n-grams
      add, if the network has vectors of them, counts for their last pieces.
    - Occlusion, by erasure (Li, Monroe & Jurafsky, 2016, arXiv 1612.08220): the log-odds of the text less those of
      the text without the word. The unknown piece in its place would say no less: most networks have hardly
      learned from it. These numbers are no parts of a whole, and do not sum to anything.
    - Attention: the weights of the attention pooling, if there is one.

    Args:
        task: a `SentimentClassifier` that has learned. Weights that change later count from the next call on;
            labels, temperature and preprocessor are those of now.

    Raises:
        UserError: a task of another kind, or one that has learned nothing.
    """

    def __init__(self, task: Task):
        if not isinstance(task, SentimentClassifier):
            raise UserError(
                f"explain: a {type(task).__name__} has no labels to explain; give a SentimentClassifier"
            )
        if task.network is None:
            raise UserError(
                "explain: the task has learned nothing yet; call fit(...) first, or load a preset"
            )
        self.network, self.preprocessor, self.meaning = task.network, task.preprocessor, task.meaning
        network, ids = task.network, task.network.inputs[0]
        self._logits = compiled(network, lambda ids: network.call(ids, training=False), ids)
        self._attention = None
        if "attention" in network.parts["poolings"]:
            self._attention = compiled(network, lambda ids: _attention(network, ids), ids)
        self._scores = {}

    def __call__(
        self,
        text: str,
        *,
        label: str | None = None,
        steps: int = STEPS,
        most_steps: int = MOST_STEPS,
        most_pieces: int = MOST_PIECES,
    ) -> Explanation:
        """Return why the task answers as it does for a text.

        Args:
            text: a raw text that is not empty.
            label: the label to explain; by default the one that is answered.
            steps: points of the path of integrated gradients to begin with.
            most_steps: points that are not exceeded, unless `steps` does, from each of the baselines that are tried;
                the explanation tells whether they were enough.
            most_pieces: of a longer text so many pieces are explained, the first ones, as if they were all.

        Raises:
            UserError: no text, an unknown label, or a number below 1.
        """
        for name, number in (("steps", steps), ("most_steps", most_steps), ("most_pieces", most_pieces)):
            if isinstance(number, bool) or not isinstance(number, int) or number < 1:
                raise UserError(f"explain: {name} must be a positive integer, not {number!r}")
        network, preprocessor, meaning = self.network, self.preprocessor, self.meaning
        if label is not None and label not in meaning.names:
            raise unknown("label", label, meaning.names)
        if not isinstance(text, str) or not canonical(text, preprocessor.lowercase):
            raise UserError("explain: the text is empty; give at least one word")

        (whole,) = preprocessor([text], whole=True)
        ids = whole[:most_pieces]
        known = preprocessor.pieces()
        pieces = [known[index] for index in ids]
        spans = word_spans(pieces)
        rows = _erased(ids, spans, preprocessor.unknown_id)
        probabilities = meaning.probabilities(in_batches(self._logits, rows))
        prediction = meaning.prediction(probabilities[0])
        label = prediction.label if label is None else label
        erased = _log_odds_of(probabilities, meaning, label)

        embedded = network.embed(ops.convert_to_tensor(ids[None]))
        path, baseline = self._path(label, ops.convert_to_numpy(embedded)[0], steps, most_steps)
        attention = None
        if self._attention is not None:
            attention = ops.convert_to_numpy(self._attention(ids[None]))[0].astype("float64")
        words = [
            Word(
                word,
                tuple(pieces[start:end]),
                float(path.attributions[start:end].sum()),
                float(erased[0] - without),
                None if attention is None else float(attention[start:end].sum()),
            )
            for word, (start, end), without in zip(
                word_texts(text, ids, preprocessor), spans, erased[1:], strict=True
            )
        ]
        traces = trace_stack(network.parts["stack"], embedded)
        return Explanation(
            text=text,
            prediction=prediction,
            label=label,
            log_odds=path.value,
            baseline=baseline,
            baseline_log_odds=path.baseline_value,
            words=tuple(words),
            steps=path.steps,
            residual=path.residual,
            converged=path.converged,
            gates={
                layer: {name: tuple(gate[0].mean(axis=-1).tolist()) for name, gate in trace.gates.items()}
                for layer, trace in traces.items()
            },
            pieces=len(whole),
        )

    def _path(self, label, embedded, steps, most_steps):
        """Return integrated gradients from the first baseline that converges, or comes closest, and its name."""
        network, meaning = self.network, self.meaning
        if label not in self._scores:
            self._scores[label] = Score(
                network, lambda embedded: _log_odds(network, embedded, meaning, label), embedded.shape[-1]
            )
        score = self._scores[label]
        undecided = 0.0 if meaning.multi_label else -np.log(len(meaning.names) - 1)
        found = []
        for name, baseline in baselines(network, score, len(embedded), undecided):
            most = (
                most_steps if found else most_steps // 4
            )  # what converges at all from the first one does soon
            found.append(
                (integrated_gradients(score, embedded, baseline, steps=steps, most_steps=most), name)
            )
            if found[-1][0].converged:
                break
        return min(found, key=lambda one: abs(one[0].residual) / one[0].tolerance)


def explain(task: Task, text: str, **options: Any) -> Explanation:
    """Return why a classifier answers as it does for a text: `Explainer(task)(text, **options)`.

    Args:
        task: a `SentimentClassifier` that has learned.
        text: a raw text that is not empty.
        **options: those of a call of `Explainer`, such as `label`.

    Raises:
        UserError: as `Explainer` does.
    """
    return Explainer(task)(text, **options)


def _log_odds(network, embedded, meaning: Labels, label):
    """Return log(p / (1 - p)) of a label, (count,), from embeddings (count, time, features) without padding."""
    logits = network.from_embeddings(embedded, ops.ones(ops.shape(embedded)[:2], dtype="bool"))
    number = meaning.names.index(label)
    if meaning.multi_label:
        return logits[:, number] / meaning.temperature
    places = range(len(meaning.names))
    scaled = grouped_logits(logits, meaning.groups or [[place] for place in places]) / meaning.temperature
    both = grouped_logits(scaled, [[number], [place for place in places if place != number]])
    return both[:, 0] - both[:, 1]


def _log_odds_of(probabilities, meaning: Labels, label):
    """Return log(p / (1 - p)) of a label, (count,), from the labels' probabilities (count, labels)."""
    number = meaning.names.index(label)
    p = probabilities[:, number]
    others = 1 - p if meaning.multi_label else np.delete(probabilities, number, axis=1).sum(axis=1)
    return np.log(np.maximum(p, 1e-300)) - np.log(np.maximum(others, 1e-300))


def _erased(ids, spans, unknown_id):
    """Return the ids, and below them those without each of the spans: (1 + spans, time), padded on the right.

    Without its only word a text is what the preprocessor makes of an empty one.
    """
    rows = np.zeros((1 + len(spans), len(ids)), dtype="int32")
    rows[0] = ids
    for row, (start, end) in zip(rows[1:], spans, strict=True):
        left = np.delete(ids, np.s_[start:end])
        row[: len(left)] = left
    if len(spans) == 1:
        rows[1, 0] = unknown_id
    return rows


def _attention(network, ids):
    """Return the weights of the attention pooling (batch, time) for ids (batch, time)."""
    mask = ops.not_equal(ids, 0)
    outputs = network.parts["stack"](network.embed(ids), mask=mask)
    pooling = network.parts["poolings"]["attention"]
    return pooling.weights_over_time(outputs, ops.cast(mask, outputs.dtype)[..., None])[..., 0]
