"""What a network's logits mean: labels, their probabilities, and which of them are answered."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import keras
import numpy as np

from zoo.errors import UserError, unknown
from zoo.losses import GroupedCrossentropy, MultiLabelCrossentropy
from zoo.metrics import classification_metrics, multi_label_metrics
from zoo.presets import PresetError
from zoo.presets.schema import Boolean, Integer, ListOf, Number, Optional, String
from zoo.tasks.calibration import best_threshold, fit_temperature
from zoo.tasks.prediction import SEPARATOR, Prediction

SCHEMA = {
    "labels": ListOf(String(), max=10_000, min=2),
    "groups": Optional(ListOf(ListOf(Integer(0, 9_999), max=10_000, min=1), max=10_000, min=2)),
    "class_names": Optional(ListOf(String(), max=10_000, min=2)),
    "multi_label": Optional(Boolean(), False),
    "temperature": Optional(Number(0.01, 100.0), 1.0),
    "thresholds": Optional(ListOf(Number(0.0, 1.0), max=10_000, min=1)),
}
"""What `config.json` says of it."""

ClassWeight = str | Mapping[str, float] | None
"""`"balanced"`, or label -> weight (1 for those left out), or None."""


@dataclass(frozen=True)
class Labels:
    """The labels of a classifier, and the way from logits (count, classes) to them.

    With z the logits, over each label's classes summed up by log-sum-exp where there are groups, T the
    temperature (Guo, Pleiss, Sun & Weinberger, 2017) and σ the logistic function:

        p = softmax(z / T); the answer is the label with the highest p
        p = σ(z / T) where a text may have several; the answer is every label with p ≥ its threshold

    T changes no answer: it is chosen so that the probabilities are right. Thresholds change answers.

    Attributes:
        names: two or more.
        groups: for each label the numbers of the classes that it sums up; None: the labels are the classes.
        multi_label: whether a text may have any number of labels, none too.
        temperature: T, positive.
        thresholds: of two labels one number, the probability from which on the second is answered; of
            `multi_label` one for each label; None: the highest probability counts, or 0.5.
        class_names: what the network's classes are called, which the groups sum up.

    Raises:
        UserError: these do not fit one another.
    """

    names: Sequence[str]
    groups: Sequence[Sequence[int]] | None = None
    multi_label: bool = False
    temperature: float = 1.0
    thresholds: Sequence[float] | None = None
    class_names: Sequence[str] | None = None

    def __post_init__(self):
        if isinstance(self.names, str) or len({str(name) for name in self.names}) < max(2, len(self.names)):
            raise UserError(f"labels must be two different names or more, not {self.names!r}")
        given = {"names": tuple(str(name) for name in self.names)}
        if self.groups is not None:
            given["groups"] = tuple(tuple(group) for group in self.groups)
        if self.thresholds is not None:
            given["thresholds"] = tuple(float(threshold) for threshold in self.thresholds)
        if self.class_names is not None:
            given["class_names"] = tuple(str(name) for name in self.class_names)
        for name, value in given.items():  # equal ones shall be equal, whether lists or tuples were given
            object.__setattr__(self, name, value)
        if self.groups is not None and len(self.groups) != len(self.names):
            raise UserError(
                f"groups: {len(self.groups)} groups for {len(self.names)} labels; give one for each"
            )
        if self.groups is not None and self.multi_label:
            raise UserError(
                "groups: labels that a text may have several of cannot sum up classes; leave groups out"
            )
        if self.class_names is not None:
            if self.groups is None:
                raise UserError(
                    "class_names: without groups the labels are the classes; leave class_names out"
                )
            needed = self._summed_up
            if needed > len(self.class_names) or len(set(self.class_names)) < len(self.class_names):
                raise UserError(
                    f"class_names: found {list(self.class_names)}; give a name of its own to each class, the groups "
                    f"need {needed} of them"
                )
        if self.multi_label and (odd := [name for name in self.names if SEPARATOR in name or not name]):
            raise UserError(
                f"labels: {odd[0]!r} is empty or holds {SEPARATOR!r}, which separates labels; rename it"
            )
        if self.thresholds is not None:
            self.check_thresholds()

    @classmethod
    def found(cls, labels: Sequence[Any]) -> Self:
        """Return those that data have, in the order of the alphabet; lists or sets of labels are `multi_label`.

        Raises:
            UserError: fewer than two.
        """
        several = any(map(_is_several, labels))
        names = sorted({str(name) for label in labels for name in (label if _is_several(label) else [label])})
        if len(names) < 2:
            what = f"the only label is {names[0]!r}" if names else "no text has a label"
            raise UserError(f"fit: {what}; at least two are needed")
        return cls(names, multi_label=several)

    @classmethod
    def from_config(cls, config: Mapping[str, Any], where: str) -> Self:
        """Return those of a checked `config.json`.

        Raises:
            PresetError: the values do not fit one another; `where` begins the message.
        """
        values = {name: config[name] for name in SCHEMA if name != "labels"}
        try:
            return cls(config["labels"], **values)
        except UserError as error:
            raise PresetError(f"{where}: {error}") from error

    def to_config(self) -> dict[str, Any]:
        """Return what `config.json` is to say; what is as by default is left out, groups aside."""
        config = {
            "labels": list(self.names),
            "groups": None if self.groups is None else [list(group) for group in self.groups],
        }
        if self.multi_label:
            config["multi_label"] = True
        if self.temperature != 1:
            config["temperature"] = self.temperature
        if self.thresholds is not None:
            config["thresholds"] = list(self.thresholds)
        if self.class_names is not None:
            config["class_names"] = list(self.class_names)
        return config

    def __str__(self) -> str:
        return ", ".join(self.names[:10]) + (" (any number for each text)" if self.multi_label else "")

    @property
    def classes(self) -> int:
        """The number of logits."""
        if self.groups is None:
            return len(self.names)
        return self._summed_up if self.class_names is None else len(self.class_names)

    @property
    def _summed_up(self):
        """The number of classes that the groups need."""
        return 1 + max(map(max, self.groups))

    def by_class(self) -> Self:
        """Return the labels of a network that answers with its classes, which the groups sum up, by their names.

        Raises:
            UserError: the classes have no names.
        """
        if self.class_names is None:
            raise UserError(
                f"by_class: the labels {self} sum up no classes that have names; ask for the labels instead"
            )
        return self._of_classes(self.class_names)

    def _of_classes(self, names):
        """Return the labels of the same network with its classes, by these names, for labels."""
        return replace(self, names=names, groups=None, thresholds=None, class_names=None)

    @property
    def headline(self) -> str:
        """The name of the metric that a model is chosen by."""
        return "micro_f1" if self.multi_label else "accuracy"

    @property
    def activation(self) -> Callable[[Any], Any]:
        """The function from logits to what `loss` takes as targets."""
        return keras.ops.sigmoid if self.multi_label else keras.ops.softmax

    # --- what data say ---------------------------------------------------------------------------------------

    def covers(self, labels: Sequence[Any]) -> bool:
        """Return whether data have these labels, or some of them, and each text one or any number as here."""
        known = set(self.names)
        return all(
            _is_several(label) == self.multi_label
            and all(str(name) in known for name in (label if self.multi_label else [label]))
            for label in labels
        )

    def truth(self, labels: Sequence[Any]) -> np.ndarray:
        """Return the place of each text's label, (count,) integers; of several ones (count, labels) booleans.

        Args:
            labels: a label for each text; with `multi_label` a list of labels for each.

        Raises:
            UserError: a label that is unknown, several labels where one is meant, or one where several are.
        """
        places = {name: place for place, name in enumerate(self.names)}
        found = [self._places(number, label, places) for number, label in enumerate(labels)]
        if not self.multi_label:
            return np.array([place for (place,) in found], dtype="int64")
        rows = np.zeros((len(found), len(places)), dtype=bool)
        for row, columns in zip(rows, found, strict=True):
            row[columns] = True
        return rows

    def _places(self, number, label, places):
        """Return the places of one text's labels; the text is the one with this number."""
        if _is_several(label) != self.multi_label:
            wanted = "a list of labels for each text" if self.multi_label else "one label for each text"
            raise UserError(f"labels[{number}]: found {label!r}; the model takes {wanted}")
        names = [str(name) for name in (label if self.multi_label else [label])]
        for name in names:
            if name not in places:
                raise UserError(
                    f"labels[{number}]: {name!r} is none of the model's labels ({self}); rename the labels of "
                    "the data, or fine-tune the model on them"
                )
        return [places[name] for name in names]

    def targets(self, labels: Sequence[Any] | np.ndarray) -> np.ndarray:
        """Return what a network learns from, (count, labels) or (count, classes) float32.

        Args:
            labels: as `truth` takes them, or an array (count, labels) or (count, classes) with a distribution
                for each text, of `multi_label` with the probability of each label.

        Raises:
            UserError: as `truth`, or an array of another shape or with other numbers.
        """
        if not is_distributions(labels):
            truth = self.truth(labels)
            return (truth if self.multi_label else np.eye(len(self.names))[truth]).astype("float32")
        if self.multi_label and (labels > 1).any():
            raise UserError("fit: found a probability of a label above 1; give numbers from 0 to 1")
        if labels.shape[1] not in (len(self.names), self.classes):
            raise UserError(
                f"fit: distributions of {labels.shape[1]} classes; the network has {self.classes}"
            )
        return labels.astype("float32")

    def loss(
        self, targets: np.ndarray, label_smoothing: float = 0.0, class_weight: ClassWeight = None
    ) -> tuple[keras.losses.Loss, np.ndarray | None]:
        """Return the loss to learn by, and weights of the texts, (count,), or None.

        `"balanced"` weighs as scikit-learn's `compute_class_weight` does: a label that count_j of n texts have, of
        k labels that occur, weighs n / (k·count_j). With `multi_label` each label is weighed for itself, present
        against absent: n / (2·count), where k is 2.

        Args:
            targets: what `targets` returned.
            label_smoothing: share of each distribution that is spread evenly.
            class_weight: weights of the texts by their labels; with `multi_label`, of each label's presence.

        Raises:
            UserError: a weight of a label that does not exist, one that is not positive, or targets that are
                distributions over classes that are not the labels.
        """
        weights = None
        if class_weight:
            if targets.shape[1] != len(self.names):
                raise UserError(
                    "class_weight: needs labels; these targets are distributions over other classes"
                )
            weights = self._class_weights(targets, class_weight)
        if self.multi_label:
            return MultiLabelCrossentropy(
                label_smoothing, None if weights is None else weights.tolist()
            ), None
        groups = self.groups if targets.shape[1] == len(self.names) else None
        weights = None if weights is None else (targets @ weights[:, 1]).astype("float32")
        return GroupedCrossentropy(groups, label_smoothing), weights

    def _class_weights(self, targets, class_weight):
        """Return the weights (labels, 2) of a label's absence and presence."""
        weights = np.ones((len(self.names), 2))
        if isinstance(class_weight, str):
            if class_weight != "balanced":
                raise UserError(
                    f"class_weight: found {class_weight!r}; give 'balanced', or a number for each label"
                )
            present = targets.sum(axis=0, dtype="float64")
            counts = np.stack([len(targets) - present, present], axis=1)
            kinds = 2 if self.multi_label else np.count_nonzero(present)
            usable = counts.all(axis=1, keepdims=True) if self.multi_label else counts > 0
            return np.divide(len(targets), kinds * counts, out=weights, where=usable)
        for name, weight in class_weight.items():
            if str(name) not in self.names:
                raise UserError(f"class_weight: {unknown('label', name, self.names)}")
            if not 0 < weight < np.inf:
                raise UserError(f"class_weight: {name!r} weighs {weight!r}; give a positive number")
            weights[self.names.index(str(name)), 1] = weight
        return weights

    # --- what is answered ------------------------------------------------------------------------------------

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Return the labels' probabilities, (count, labels) float64, of a network's logits (count, classes)."""
        scaled = self._label_logits(logits) / self.temperature
        if self.multi_label:
            return np.exp(-np.logaddexp(0, -scaled))
        exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return exponentials / exponentials.sum(axis=1, keepdims=True)

    def class_probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Return the probabilities of the network's classes, (count, classes): which groups sum up."""
        return self._of_classes(range(self.classes)).probabilities(logits)

    def uncalibrated(self, probabilities: np.ndarray) -> np.ndarray:
        """Return what the probabilities (count, labels) would be at a temperature of 1."""
        p = np.clip(probabilities, 1e-300, 1)
        logits = self.temperature * (
            np.log(p) - (np.log(np.clip(1 - p, 1e-300, 1)) if self.multi_label else 0)
        )
        return Labels(self.names, multi_label=self.multi_label).probabilities(logits)

    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the place of each answer, (count,) integers; with `multi_label` (count, labels) booleans."""
        if self.multi_label:
            return probabilities >= np.array(self.thresholds or [0.5] * len(self.names))
        if self.thresholds:
            return (probabilities[:, 1] >= self.thresholds[0]).astype("int64")
        return probabilities.argmax(axis=1)

    def prediction(self, probabilities: np.ndarray) -> Prediction:
        """Return the answer for one text, of its labels' probabilities (labels,)."""
        answer = self.decide(probabilities[None])[0]
        best = int(probabilities.argmax()) if self.multi_label else int(answer)
        labels = tuple(np.array(self.names, object)[answer]) if self.multi_label else None
        each = dict(zip(self.names, probabilities.tolist(), strict=True))
        return Prediction(self.names[best], float(probabilities[best]), each, labels)

    def metrics(self, probabilities: np.ndarray, truth: np.ndarray) -> dict[str, float]:
        """Return `zoo.metrics.classification_metrics`, or `multi_label_metrics`, of what `truth` returned."""
        measure = multi_label_metrics if self.multi_label else classification_metrics
        return measure(probabilities, truth, self.decide(probabilities))

    # --- what validation data choose -------------------------------------------------------------------------

    def forget(self) -> Self:
        """Return these labels with a temperature of 1 and no thresholds, for a network that learns further."""
        return replace(self, temperature=1.0, thresholds=None)

    def calibrated(self, logits: np.ndarray, truth: np.ndarray) -> Self:
        """Return these labels with the temperature that suits a network's logits (count, classes) on these data.

        Thresholds move with it, so that no answer changes.
        """
        z = self._label_logits(logits)
        if self.multi_label:  # each label is a choice between absent, whose logit is 0, and present
            z, truth = np.stack([np.zeros(z.size), z.ravel()], axis=1), truth.ravel().astype(int)
        temperature = fit_temperature(z, truth)
        thresholds = self.thresholds
        if thresholds is not None:
            p = np.clip(thresholds, 1e-12, 1 - 1e-12)
            thresholds = 1 / (1 + (1 / p - 1) ** (self.temperature / temperature))
        return replace(self, temperature=temperature, thresholds=thresholds)

    def with_thresholds(self, probabilities: np.ndarray, truth: np.ndarray, metric: str) -> Self:
        """Return these labels with the thresholds that have the best `metric` on these data.

        Args:
            probabilities: (count, labels).
            truth: what `truth` returned.
            metric: `"accuracy"` or `"f1"`: of two labels the accuracy or the macro-F1, with `multi_label` each
                label's own.

        Raises:
            UserError: another metric, or more than two labels of which a text has one.
        """
        self.check_thresholds(metric)
        if self.multi_label:
            columns = zip(np.transpose(probabilities), truth.T, strict=True)
            return replace(self, thresholds=[best_threshold(*column, metric) for column in columns])
        metric = "macro_f1" if metric == "f1" else metric
        return replace(self, thresholds=[best_threshold(probabilities[:, 1], truth == 1, metric)])

    def check_thresholds(self, metric: str | None = None) -> None:
        """Refuse what thresholds cannot be: by this metric, of these labels, or as many as there are.

        Raises:
            UserError: as `with_thresholds`, or the wrong number of thresholds.
        """
        if metric not in (None, "accuracy", "f1"):
            raise UserError(f"threshold: {unknown('metric', metric, ('accuracy', 'f1'))}")
        if not self.multi_label and len(self.names) > 2:
            raise UserError(
                f"threshold: the model has {len(self.names)} labels, of which a text has one; thresholds are for "
                "two labels, or for any number of labels for each text"
            )
        count = len(self.names) if self.multi_label else 1
        if self.thresholds is not None and len(self.thresholds) != count:
            raise UserError(f"thresholds: found {len(self.thresholds)}; {count} are needed")

    def _label_logits(self, logits: np.ndarray) -> np.ndarray:
        logits = np.asarray(logits, dtype="float64")
        if self.groups is None:
            return logits
        return np.stack(
            [np.logaddexp.reduce(logits[:, list(group)], axis=1) for group in self.groups], axis=1
        )


def check_examples(texts: Sequence[str], labels: Sequence[Any] | np.ndarray) -> None:
    """Refuse what cannot be learned from, whatever the labels are.

    Raises:
        UserError: no texts, another number of labels, distributions that are none.
    """
    if isinstance(texts, str) or not len(texts):
        raise UserError("fit: texts must be a list with at least one text")
    if len(texts) != len(labels):
        raise UserError(f"fit: {len(texts)} texts but {len(labels)} labels; give one label for each text")
    if is_distributions(labels) and (not np.isfinite(labels).all() or (labels < 0).any()):
        raise UserError("fit: distributions must hold finite numbers that are not negative")


def is_distributions(labels: Any) -> bool:
    """Return whether `labels` is an array of distributions instead of labels."""
    return isinstance(labels, np.ndarray) and labels.ndim == 2


def _is_several(label: Any) -> bool:
    return isinstance(label, Collection) and not isinstance(label, str | bytes)
