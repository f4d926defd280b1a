"""Texts with their labels, and what is asked of them before training."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from applications.core.files import SourceError


@dataclass(frozen=True)
class TextDataset:
    """Texts with labels, or without (`labels` is None); `source` and `split` say where they are from.

    Attributes:
        texts: one string each.
        labels: a label for each text; or a tuple of labels for each, where a text may have any number.
        source: what the user named.
        split: its part.
        order: labels that stand before others, in this order; else they are sorted.
    """

    texts: list[str]
    labels: list[str] | list[tuple[str, ...]] | None
    source: str
    split: str | None = None
    order: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def label_names(self) -> list[str]:
        """The different labels, whole numbers in their order and anything else in that of the alphabet."""
        names = {name for label in self.labels or () for name in (label if self.multi_label else [label])}
        numbers = all(name.lstrip("-").isdecimal() for name in names)
        places = {name: place for place, name in enumerate(self.order, -len(self.order))}
        return sorted(names, key=lambda name: (places.get(name, 0), int(name) if numbers else 0, name))

    @property
    def multi_label(self) -> bool:
        """Whether a text may have any number of labels."""
        return bool(self.labels) and isinstance(self.labels[0], tuple)

    def take(self, rows: Iterable[int], split: str | None = None) -> "TextDataset":
        """Return the given rows in the given order, as another split if one is named."""
        rows = [int(row) for row in rows]
        labels = None if self.labels is None else [self.labels[row] for row in rows]
        texts = [self.texts[row] for row in rows]
        return TextDataset(texts, labels, self.source, split or self.split, self.order)


def require_classes(dataset: TextDataset) -> None:
    """Raise SourceError unless the dataset has labels of at least two kinds, as training needs."""
    names = dataset.label_names
    if len(names) < 2:
        found = f"only the label {names[0]!r}" if names else "no labels"
        raise SourceError(f"{dataset.source}: found {found}; training needs examples of at least two labels")


def split_validation(dataset: TextDataset, fraction: float, seed: int) -> tuple[TextDataset, TextDataset]:
    """Split a labelled dataset in two, label by label, the same way for the same seed.

    Of several labels the rarest counts.

    Args:
        dataset: with labels.
        fraction: share of every label that goes to validation, 0 < fraction < 1: at least one example, but a
            label that has a single one keeps it for training.
        seed: of the draw.

    Returns:
        Training and validation part, each in the order of `dataset`.

    Raises:
        SourceError: `fraction` out of range, no labels, or too few examples to have both parts.
    """
    if not 0 < fraction < 1:
        raise SourceError(f"fraction: got {fraction}; give a number between 0 and 1")
    if dataset.labels is None:
        raise SourceError(f"{dataset.source}: has no labels to split by")
    generator = np.random.default_rng(seed)
    labels = np.array(_rarest(dataset.labels) if dataset.multi_label else dataset.labels, dtype=object)
    held: list[int] = []
    for name in [*dataset.label_names, ""]:
        rows = np.flatnonzero(labels == name)
        if not len(rows):
            continue
        count = min(max(1, round(fraction * len(rows))), len(rows) - 1)
        held += generator.choice(rows, count, replace=False).tolist()
    if not held:
        raise SourceError(
            f"{dataset.source}: too few examples to hold some back; give at least two of one label"
        )
    kept = np.setdiff1d(np.arange(len(dataset)), held)
    return dataset.take(kept, "train"), dataset.take(sorted(held), "validation")


def _rarest(labels: Sequence[tuple[str, ...]]) -> list[str]:
    """Return of each text's labels the one that the fewest texts have, "" for none."""
    counts = Counter(name for label in labels for name in label)
    return [min(label, key=lambda name: (counts[name], name), default="") for label in labels]
