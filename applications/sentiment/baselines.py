"""Two baselines that need no network: TF-IDF with logistic regression, and NB-SVM (Wang & Manning, 2012).

Both see single tokens of the cleaned text, pairs and threes of neighbours. Both are linear, one class against the
rest; with two classes there is one such decision, and where a text may have several labels one for each of
them. Their numbers are chosen on validation data, or, where
there is none, on a tenth of the training data held back; then they are fitted to all training data. The test
data is looked at once.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from applications.core.datasets import TextDataset
from zoo.errors import UserError
from zoo.preprocessing.text import canonical

if TYPE_CHECKING:
    from zoo.tasks import Labels

COSTS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
MIXTURES = (0.25, 0.5, 0.75, 1.0)
SCALES = tuple(round(10 ** (power / 10), 3) for power in range(-10, 11))

Data = tuple[Any, np.ndarray]
"""Counts, sparse `(n, features)`, and what `truth` returns."""
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
    labels: "Labels",
    *,
    validation: TextDataset | None = None,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Return a row for each baseline: model, metrics, the numbers chosen and the seconds that it took.

    Args:
        train: what is fitted.
        test: what is measured.
        labels: those of the task that is measured beside; its temperature and thresholds do not count.
        validation: what the numbers are chosen on.
        seed: of the tenth that is held back if there is no validation data.

    Raises:
        UserError: as `truth`.
    """
    began = time.monotonic()
    counted = _Counted(train, labels.forget(), validation, seed)
    x_test, y_test = counted.vectorizer.transform(test.texts), truth(test, labels)
    rows, counting = [], time.monotonic() - began
    for baseline in (TFIDF_REGRESSION, NB_SVM):
        began = time.monotonic()
        classify, numbers = counted.fit(baseline)
        metrics = counted.labels.metrics(classify(x_test), y_test)
        seconds = round(counting + time.monotonic() - began, 1)
        rows.append({"model": baseline.name, **metrics, "seconds": seconds, "chosen": numbers})
    return rows


def classifier(
    baseline: "Baseline",
    train: TextDataset,
    labels: "Labels",
    *,
    validation: TextDataset | None = None,
    seed: int = 0,
) -> Callable[[Sequence[str]], np.ndarray]:
    """Return a fitted baseline: a function from texts to probabilities `(n, labels)`; arguments as of `measure`.

    Raises:
        UserError: as `truth`.
    """
    counted = _Counted(train, labels.forget(), validation, seed)
    classify, _ = counted.fit(baseline)
    return lambda texts: classify(counted.vectorizer.transform(texts))


class _Counted:
    """The tokens of the training data, and what a baseline's numbers are chosen on."""

    def __init__(self, train, labels, validation, seed):
        self.labels = labels
        self.vectorizer = _vectorizer()
        x, y = self.vectorizer.fit_transform(train.texts), truth(train, labels)
        self._whole = x, y
        if validation is None:
            held = _tenth(y, seed)
            kept = np.setdiff1d(np.arange(len(y)), held)
            self._fitted, self._chosen_on = (x[kept], y[kept]), (x[held], y[held])
        else:
            self._fitted = x, y
            self._chosen_on = self.vectorizer.transform(validation.texts), truth(validation, labels)

    def fit(self, baseline):
        """Return a function from counts to probabilities, and the numbers chosen."""
        numbers = _choose(baseline, self._fitted, self._chosen_on, self.labels)
        return _fit(baseline, self._whole, numbers, self.labels), numbers


def truth(dataset: TextDataset, labels: "Labels") -> np.ndarray:
    """Return the labels of a dataset as `labels.truth` does: places `(n,)`, or `(n, k)` booleans.

    Raises:
        UserError: there are no labels, one that is not among `labels`, or several for a text where one is meant.
    """
    if dataset.labels is None:
        raise UserError(f"{dataset.source}: has no labels to measure by")
    if dataset.multi_label != labels.multi_label:
        said = ("a list of labels for each text", "one label for each text")
        found, wanted = said if dataset.multi_label else said[::-1]
        raise UserError(
            f"{dataset.source}: has {found}, the model gives {wanted}; name the right column, or what separates "
            "labels by --label-separator"
        )
    known = set(labels.names)
    for row, label in enumerate(dataset.labels, 1):
        for name in label if labels.multi_label else [label]:
            if name not in known:
                raise UserError(f"{dataset.source}: text {row} has the label {name!r}; known are {labels}")
    return labels.truth(dataset.labels)


def _vectorizer() -> Any:
    """Return a counter of tokens, and of two and three tokens that follow one another."""
    from sklearn.feature_extraction.text import CountVectorizer

    return CountVectorizer(
        preprocessor=canonical, tokenizer=str.split, token_pattern=None, ngram_range=(1, 3), dtype=np.float64
    )


def _tenth(labels: np.ndarray, seed: int) -> np.ndarray:
    """Return the rows of about a tenth of every class, drawn by `seed`; of several labels a tenth of all."""
    order = np.random.default_rng(seed).permutation(len(labels))
    if labels.ndim == 2:
        return order[::10]
    return np.concatenate([order[labels[order] == label][::10] for label in np.unique(labels)])


def _choose(baseline: Baseline, fitted: Data, held: Data, labels: "Labels") -> dict[str, float]:
    """Return the numbers with the best accuracy (or micro-F1) on `held`, of equals the first, and their scale.

    The scale is a factor for the decisions, which sharpens or flattens the probabilities: the one with the
    smallest log-loss on `held`.
    """
    prepare = baseline.prepare(fitted[0])
    x, x_held = prepare(fitted[0]), prepare(held[0])
    others = [name for name in baseline.grid if name != "C"]
    best, best_value, best_scores = {}, -1.0, []

    def measured(scores, scale=1.0):
        return labels.metrics(_probabilities(scores, labels, scale), held[1])

    for C in baseline.grid["C"]:
        deciders = [baseline.decide(x, positive, C) for positive in _decisions(fitted[1], labels)]
        for values in product(*(baseline.grid[name] for name in others)):
            numbers = dict(zip(others, values, strict=True))
            scores = [decide(**numbers)(x_held) for decide in deciders]
            found = measured(scores)[labels.headline]
            if found > best_value:
                best, best_value, best_scores = {"C": C, **numbers}, found, scores
    losses = [measured(best_scores, scale)["log_loss"] for scale in SCALES]
    return {**best, "scale": SCALES[int(np.argmin(losses))]}


def _fit(
    baseline: Baseline, train: Data, numbers: dict[str, float], labels: "Labels"
) -> Callable[[Any], np.ndarray]:
    """Return a function from counts to probabilities `(n, labels)`."""
    counts, y = train
    prepare = baseline.prepare(counts)
    x = prepare(counts)
    mixed = {name: value for name, value in numbers.items() if name not in ("C", "scale")}
    scores = [baseline.decide(x, positive, numbers["C"])(**mixed) for positive in _decisions(y, labels)]
    return lambda counts: _probabilities(
        [score(prepare(counts)) for score in scores], labels, numbers["scale"]
    )


def _decisions(y: np.ndarray, labels: "Labels") -> Sequence[np.ndarray]:
    """Return what each decision is to be, `(n,)` booleans: of two classes the second, else each one's presence."""
    if labels.multi_label:
        return y.T
    return [y == number for number in ([1] if len(labels.names) == 2 else range(len(labels.names)))]


def _probabilities(scores: list[np.ndarray], labels: "Labels", scale: float) -> np.ndarray:
    """Return `(n, labels)`: the logistic function of each decision; of more than two classes, made to sum to 1."""
    each = 0.5 * (1 + np.tanh(0.5 * scale * np.stack(scores, axis=1)))
    if labels.multi_label:
        return each
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
