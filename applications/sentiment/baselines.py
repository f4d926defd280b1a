"""Two baselines that need no network: TF-IDF with logistic regression, and NB-SVM (Wang & Manning, 2012).

Both see single tokens and pairs of neighbours of the cleaned text. Both are linear, one class against the
rest; with two classes there is one such decision. Their numbers are chosen on validation data, or, where
there is none, on a tenth of the training data held back; then they are fitted to all training data. The test
data is looked at once.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from applications.core.datasets import TextDataset
from zoo.errors import UserError
from zoo.metrics import accuracy, classification_metrics, log_loss
from zoo.preprocessing.text import canonical

COSTS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
MIXTURES = (0.25, 0.5, 0.75, 1.0)
SCALES = tuple(round(10 ** (power / 10), 3) for power in range(-10, 11))

Data = tuple[Any, np.ndarray]
"""Counts, sparse `(n, features)`, and classes `(n,)`."""
Scores = Callable[[Any], np.ndarray]
"""From a sparse matrix `(n, features)` to decisions `(n,)`, positive for the class."""


@dataclass(frozen=True)
class Baseline:
    """A linear classifier and the numbers to choose among.

    Attributes:
        name: in tables.
        grid: name -> values. `C` is the cost of an error; how the others are used says `decide`.
        prepare: (counts of training `(n, features)`) -> function from counts to what is fitted.
        decide: (prepared training matrix, `(n,)` booleans, C) -> function from the other numbers to Scores.
    """

    name: str
    grid: dict[str, tuple[float, ...]]
    prepare: Callable[[Any], Callable[[Any], Any]]
    decide: Callable[[Any, np.ndarray, float], Callable[..., Scores]]


def measure(
    train: TextDataset,
    test: TextDataset,
    labels: Sequence[str],
    *,
    validation: TextDataset | None = None,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Return a row for each baseline: model, metrics, the numbers chosen and the seconds that it took.

    Args:
        train: what is fitted.
        test: what is measured.
        labels: the names of the classes, in the order of the task that is measured beside.
        validation: what the numbers are chosen on.
        seed: of the tenth that is held back if there is no validation data.

    Raises:
        UserError: a dataset has no labels, or a label that is not among `labels`.
    """
    began = time.monotonic()
    vectorizer = _vectorizer()
    x, y = vectorizer.fit_transform(train.texts), class_numbers(train, labels)
    x_test, y_test = vectorizer.transform(test.texts), class_numbers(test, labels)
    if validation is None:
        held = _tenth(y, seed)
        kept = np.setdiff1d(np.arange(len(y)), held)
        fitted, chosen_on = (x[kept], y[kept]), (x[held], y[held])
    else:
        fitted = x, y
        chosen_on = vectorizer.transform(validation.texts), class_numbers(validation, labels)
    rows, counting = [], time.monotonic() - began
    for baseline in (TFIDF_REGRESSION, NB_SVM):
        began = time.monotonic()
        numbers = _choose(baseline, fitted, chosen_on, len(labels))
        probabilities = _fit(baseline, (x, y), numbers, len(labels))(x_test)
        metrics = classification_metrics(probabilities, y_test)
        seconds = round(counting + time.monotonic() - began, 1)
        rows.append({"model": baseline.name, **metrics, "seconds": seconds, "chosen": numbers})
    return rows


def class_numbers(dataset: TextDataset, labels: Sequence[str]) -> np.ndarray:
    """Return the labels of a dataset as `(n,)` integers, their places in `labels`.

    Raises:
        UserError: there are no labels, or one that is not among `labels`.
    """
    if dataset.labels is None:
        raise UserError(f"{dataset.source}: has no labels to measure by")
    places = {name: place for place, name in enumerate(labels)}
    for row, label in enumerate(dataset.labels):
        if label not in places:
            raise UserError(
                f"{dataset.source}: text {row + 1} has the label {label!r}; known are {', '.join(labels)}"
            )
    return np.array([places[label] for label in dataset.labels], dtype=np.int64)


def _vectorizer() -> Any:
    """Return a counter of tokens and pairs of tokens."""
    from sklearn.feature_extraction.text import CountVectorizer

    return CountVectorizer(
        preprocessor=canonical, tokenizer=str.split, token_pattern=None, ngram_range=(1, 2), dtype=np.float64
    )


def _tenth(labels: np.ndarray, seed: int) -> np.ndarray:
    """Return the rows of about a tenth of every class, drawn by `seed`."""
    order = np.random.default_rng(seed).permutation(len(labels))
    return np.concatenate([order[labels[order] == label][::10] for label in np.unique(labels)])


def _choose(baseline: Baseline, fitted: Data, held: Data, classes: int) -> dict[str, float]:
    """Return the numbers with the best accuracy on `held`, of equally good ones the first, and their scale.

    The scale is a factor for the decisions, which sharpens or flattens the probabilities: the one with the
    smallest log-loss on `held`.
    """
    prepare = baseline.prepare(fitted[0])
    x, x_held = prepare(fitted[0]), prepare(held[0])
    others = [name for name in baseline.grid if name != "C"]
    best, best_accuracy, best_scores = {}, -1.0, []
    for C in baseline.grid["C"]:
        deciders = [baseline.decide(x, fitted[1] == number, C) for number in _decisions(classes)]
        for values in product(*(baseline.grid[name] for name in others)):
            numbers = dict(zip(others, values, strict=True))
            scores = [decide(**numbers)(x_held) for decide in deciders]
            found = accuracy(_probabilities(scores), held[1])
            if found > best_accuracy:
                best, best_accuracy, best_scores = {"C": C, **numbers}, found, scores
    losses = [log_loss(_probabilities(best_scores, scale), held[1]) for scale in SCALES]
    return {**best, "scale": SCALES[int(np.argmin(losses))]}


def _fit(
    baseline: Baseline, train: Data, numbers: dict[str, float], classes: int
) -> Callable[[Any], np.ndarray]:
    """Return a function from counts to probabilities `(n, classes)`."""
    counts, labels = train
    prepare = baseline.prepare(counts)
    x = prepare(counts)
    mixed = {name: value for name, value in numbers.items() if name not in ("C", "scale")}
    scores = [baseline.decide(x, labels == number, numbers["C"])(**mixed) for number in _decisions(classes)]
    return lambda counts: _probabilities([score(prepare(counts)) for score in scores], numbers["scale"])


def _decisions(classes: int) -> Sequence[int]:
    return [1] if classes == 2 else range(classes)


def _probabilities(scores: list[np.ndarray], scale: float = 1.0) -> np.ndarray:
    """Return `(n, classes)`: the logistic function of each decision; for more than two, made to sum to 1."""
    each = 0.5 * (1 + np.tanh(0.5 * scale * np.stack(scores, axis=1)))
    if len(scores) == 1:
        return np.concatenate([1 - each, each], axis=1)
    each = np.maximum(each, 1e-12)
    return each / each.sum(axis=1, keepdims=True)


def _linear(x: Any, positive: np.ndarray, C: float) -> tuple[np.ndarray, float]:
    """Return weights `(features,)` and bias of an L2-regularised logistic regression."""
    from sklearn.linear_model import LogisticRegression

    if positive.all() or not positive.any():  # nothing to tell apart
        return np.zeros(x.shape[1]), 10.0 if positive.all() else -10.0
    dual = x.shape[1] > 4 * x.shape[0]  # the same solution, found sooner
    model = LogisticRegression(C=C, solver="liblinear", dual=dual, max_iter=10_000, random_state=0)
    model.fit(x, positive)
    return model.coef_[0], float(model.intercept_[0])


def _tfidf(counts: Any) -> Callable[[Any], Any]:
    from sklearn.feature_extraction.text import TfidfTransformer

    return TfidfTransformer(sublinear_tf=True).fit(counts).transform


def _regression(x: Any, positive: np.ndarray, C: float) -> Callable[[], Scores]:
    weights, bias = _linear(x, positive, C)
    return lambda: lambda other: other @ weights + bias


def _presence(counts: Any) -> Callable[[Any], Any]:
    return lambda other: (other > 0).astype(np.float64)


def _nb_svm(x: Any, positive: np.ndarray, C: float) -> Callable[[float], Scores]:
    """Return NB-SVM: log-count ratios r times presence f, a linear classifier w of them, mixed with Bayes's.

        p = 1 + Σ f of the class,  q = 1 + Σ f of the rest,  r = log (p / |p|₁) / (q / |q|₁)
        s = β (w·(r∘f) + b) + (1 − β) w̄ (r·f + log n₊/n₋),  w̄ = |w|₁ / features

    The paper's classifier is a support vector machine; a logistic regression scores the same and tells
    probabilities. The paper mixes the weights; here the biases are mixed with them.
    """
    p = 1 + np.asarray(x[positive].sum(axis=0)).ravel()
    q = 1 + np.asarray(x[~positive].sum(axis=0)).ravel()
    r = np.log(p / p.sum()) - np.log(q / q.sum())
    w, b = _linear(x.multiply(r).tocsr(), positive, C)
    prior = np.log((positive.sum() + 1) / ((~positive).sum() + 1))
    mean = np.abs(w).mean()

    def mix(beta: float) -> Scores:
        weights = r * (beta * w + (1 - beta) * mean)
        bias = beta * b + (1 - beta) * mean * prior
        return lambda other: other @ weights + bias

    return mix


TFIDF_REGRESSION = Baseline("TF-IDF + logistic regression", {"C": COSTS}, _tfidf, _regression)
NB_SVM = Baseline("NB-SVM", {"C": COSTS[:4], "beta": MIXTURES}, _presence, _nb_svm)
