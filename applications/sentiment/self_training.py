"""Labels for unlabelled texts from trained models: self-training."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from applications.core import sources
from applications.core.datasets import TextDataset
from applications.sentiment import baselines, data
from zoo.errors import UserError
from zoo.tasks import Labels, SentimentClassifier

NB_SVM = "nb-svm"
"""The teacher that is no preset: the baseline, fitted to the training data."""

_SENTENCES = re.compile(r"""(?:(?<=[.!?])|(?<=[.!?]["')]))\s+|\s*(?:<br\s*/?>\s*)+|\n+""")
_WORDS = 3  # a shorter sentence says too little


def load_unlabelled(source: str, text_column: str = "text", sentences: bool = False) -> list[str]:
    """Return the texts of a source whose labels, if any, are not looked at.

    Args:
        source: as `applications.sentiment.data.load` reads it; of a corpus with a split `unsupervised` that one,
            of another its split `train`, a file whole.
        text_column: name of the column of the texts.
        sentences: whether to cut texts into sentences; very short ones are left out, equal ones kept once.

    Raises:
        SourceError: as `applications.sentiment.data.load`.
    """
    where = sources.parse(source, data.CORPORA)
    splits = data.splits(where)
    split = next((name for name in ("unsupervised", "train") if name in splits), None)
    texts = data.load(source, split, text_column, require_labels=False).texts
    if not sentences:
        return texts
    parts = (part.strip() for text in texts for part in _SENTENCES.split(text))
    return list(dict.fromkeys(part for part in parts if len(part.split()) >= _WORDS))


class Teachers:
    """Models whose answers, averaged, are the labels of unlabelled texts (Scudder, 1965; Xie et al., 2020, CVPR).

    Each answers with probabilities of the network's classes, chosen to be right on its own validation data; their
    mean is what the student learns from: soft labels, which keep how sure the teachers are.

    Args:
        names: presets or run folders joined by commas, and `nb-svm` for the baseline of that name, which is fitted
            to `training` and calibrated on `held`.
        labels: those of the student; each teacher must have the same ones.
        training: the labelled data.
        held: the validation data.
        seed: of the baseline.

    Raises:
        UserError: no teacher, or one with other labels.
    """

    def __init__(self, names: str, labels: Labels, training: TextDataset, held: TextDataset, seed: int):
        self.names = [name.strip() for name in names.split(",") if name.strip()]
        if not self.names:
            raise UserError(f"teachers: found {names!r}; give runs or presets, or {NB_SVM}, joined by commas")
        self._labels = labels
        self._answers = [
            self._baseline(training, held, seed) if name == NB_SVM else self._preset(name)
            for name in self.names
        ]

    def teach(self, texts: Sequence[str]) -> np.ndarray:
        """Return the mean of the teachers' probabilities, (count, classes) float32."""
        return np.mean([answer(texts) for answer in self._answers], axis=0).astype("float32")

    def _preset(self, name):
        teacher = SentimentClassifier.from_preset(name)
        theirs, ours = teacher.meaning, self._labels
        if theirs.class_names is not None and theirs.class_names == (ours.class_names or ours.names):
            return teacher.class_probabilities
        if (theirs.names, theirs.multi_label) != (ours.names, ours.multi_label):
            raise UserError(f"teachers: {name} has the labels {theirs}; the data have {ours}")
        if ours.groups is None:
            return teacher.predict_proba
        if theirs.groups != ours.groups:
            raise UserError(f"teachers: {name} has no degrees, which phrases=true learns; leave it out")
        return teacher.class_probabilities

    def _baseline(self, training, held, seed):
        if self._labels.groups is not None:
            raise UserError(f"teachers: {NB_SVM} has no degrees, which phrases=true learns; leave it out")
        return baselines.classifier(baselines.NB_SVM, training, self._labels, validation=held, seed=seed)


def soft_labels(teachers: Teachers, texts: Sequence[str], kept: Path) -> np.ndarray:
    """Return `teachers.teach(texts)`, from the file `kept` if it is there: a run that goes on need not ask again.

    The file also says who was asked, and how many texts; of others it is not taken.
    """
    asked = np.array([*teachers.names, str(len(texts))])
    if kept.is_file():
        with np.load(kept, allow_pickle=False) as file:
            if np.array_equal(file["asked"], asked):
                return file["labels"]
    labels = teachers.teach(texts)
    kept.parent.mkdir(parents=True, exist_ok=True)
    part = kept.with_suffix(".part.npz")
    np.savez(part, asked=asked, labels=labels)
    part.replace(kept)
    return labels
