"""Texts with their labels, and what is asked of them before training."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from applications.core.files import SourceError


@dataclass(frozen=True)
class TextDataset:
    """Texts with labels, or without (`labels` is None); `source` and `split` say where they are from."""

    texts: list[str]
    labels: list[str] | None
    source: str
    split: str | None = None

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def label_names(self) -> list[str]:
        """The different labels, whole numbers in their order and anything else in that of the alphabet."""
        names = set(self.labels or ())
        numbers = all(name.lstrip("-").isdecimal() for name in names)
        return sorted(names, key=lambda name: (int(name) if numbers else 0, name))

    def take(self, rows: Iterable[int], split: str | None = None) -> "TextDataset":
        """Return the given rows in the given order, as another split if one is named."""
        rows = [int(row) for row in rows]
        labels = None if self.labels is None else [self.labels[row] for row in rows]
        return TextDataset([self.texts[row] for row in rows], labels, self.source, split or self.split)


def require_classes(dataset: TextDataset) -> None:
    """Raise SourceError unless the dataset has labels of at least two kinds, as training needs."""
    if len(dataset.label_names) < 2:
        found = f"only the label {dataset.labels[0]!r}" if dataset.labels else "no labels"
        raise SourceError(f"{dataset.source}: found {found}; training needs examples of at least two labels")


def split_validation(dataset: TextDataset, fraction: float, seed: int) -> tuple[TextDataset, TextDataset]:
    """Split a labelled dataset in two, label by label, the same way for the same seed.

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
    labels = np.array(dataset.labels, dtype=object)
    held: list[int] = []
    for name in dataset.label_names:
        rows = np.flatnonzero(labels == name)
        count = min(max(1, round(fraction * len(rows))), len(rows) - 1)
        held += generator.choice(rows, count, replace=False).tolist()
    if not held:
        raise SourceError(
            f"{dataset.source}: too few examples to hold some back; give at least two of one label"
        )
    kept = np.setdiff1d(np.arange(len(dataset)), held)
    return dataset.take(kept, "train"), dataset.take(sorted(held), "validation")
