"""What the model cards of this application say beside the measured numbers."""

from collections.abc import Mapping
from typing import Any

from applications.core.cards import About

_TREEBANK = """
The Stanford Sentiment Treebank: sentences of film reviews from Rotten Tomatoes, with the sentiment that
people gave to every phrase of their parse trees. {labels} Socher, Perelygin, Wu, Chuang, Manning, Ng & Potts
(2013), Recursive Deep Models for Semantic Compositionality Over a Sentiment Treebank, EMNLP.
"""
_TREEBANK_LICENCE = """
The authors state none. The treebank is customarily redistributed for research, and weights trained on it
are widely published; these follow that custom. Its text is not part of the preset, its vocabulary of
subwords is.
"""
_DATA = {  # corpus -> (what it is, its licence)
    "sst": (_TREEBANK.format(labels="SST-2 leaves out the neutral sentences."), _TREEBANK_LICENCE),
    "sst5": (_TREEBANK.format(labels="SST-5 tells five degrees apart."), _TREEBANK_LICENCE),
    "imdb": (
        """
The Large Movie Review Dataset: reviews of films by users of IMDb, 25,000 to train and 25,000 to test. Maas,
Daly, Pham, Huang, Ng & Potts (2011), Learning Word Vectors for Sentiment Analysis, ACL.
""",
        """
The authors state none; they published it for research and ask to cite the paper. The reviews belong to
their writers. Weights trained on it are customarily published; these follow that custom. Its text is not
part of the preset, its vocabulary of subwords is.
""",
    ),
    "builtin": (
        "The built-in sample: short sentences that were written for this project, to try commands with.",
        "Apache-2.0, as this project.",
    ),
}
_ALONE = "No text from outside it was used."
_PRETRAINED = (
    "The language model that it started from was trained on texts of `{source}`, their labels unseen."
)
_UNLABELLED = "It also learned from texts of `{source}` without labels (virtual adversarial training)."
_TAUGHT = """
It learned from {count:,} examples: those with labels, and texts of `{source}`, whose labels are the mean of what
these answered: {teachers} (self-training; a folder is a run of the same kind, whose command differs in its numbers).
"""
_OWN = ("Data of whoever trained it.", "To be stated by whoever publishes the preset.")

_SUMMARIES = {  # corpus -> what a classifier of it does
    "sst5": "Tells how negative or positive a text is, in five degrees, with probabilities.",
    **dict.fromkeys(
        ("sst", "imdb", "builtin"), "Tells whether a text is negative or positive, with probabilities."
    ),
}

_USE = """
Texts of the kind that it was trained on. For others, fine-tune it (`zoo finetune`) and measure it on some
of them (`zoo evaluate`).
"""
_LIMITS = """
A text gets its labels also where it holds no opinion, holds several, or is in another language.
Irony, comparisons and knowledge of the world are mostly beyond it. It has learned what its data associates
with names, groups and topics: do not let it decide about people. A probability is an estimate; the
calibration error above tells how far it was off on the test split.
"""
_EXAMPLE = """
import zoo

model = zoo.tasks.SentimentClassifier.from_preset("{name}")
model.predict(["A wonderful little film.", "Two hours I will never get back."])
"""


def about(training: Mapping[str, Any]) -> About:
    """Return what to say of a classifier; `training` is that of `applications.core.publish.TRAINING`."""
    corpus = training["data"].partition(":")[0]
    data, licence = _DATA.get(corpus, _OWN)
    return About(
        summary=_SUMMARIES.get(corpus, "Tells which of its labels a text has, with probabilities."),
        data=data.strip() + "\n\n" + _outside(training),
        licence=licence,
        use=_USE,
        limits=_LIMITS,
        example=_EXAMPLE,
    )


def _outside(training):
    """Return what to say of texts that are not those with labels."""
    values, before, said = training["recipe_values"], training.get("pretraining"), []
    if before:
        said.append(_PRETRAINED.format(source=before["data"]))
    if values.get("teachers"):
        teachers = ", ".join(f"`{name}`" for name in values["teachers"].split(","))
        count = training["splits"]["train"]
        said.append(_TAUGHT.format(source=values["unlabelled"], teachers=teachers, count=count).strip())
    elif values.get("unlabelled"):
        said.append(_UNLABELLED.format(source=values["unlabelled"]))
    return "\n\n".join(said or [_ALONE])
