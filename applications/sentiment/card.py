"""What the model cards of this application say beside the measured numbers."""

from applications.core.cards import About

_DATA = {  # corpus -> (what it is, its licence)
    "sst": (
        """
The Stanford Sentiment Treebank: sentences of film reviews from Rotten Tomatoes, with the sentiment that
people gave to every phrase of their parse trees. SST-2 leaves out the neutral sentences. Socher, Perelygin,
Wu, Chuang, Manning, Ng & Potts (2013), Recursive Deep Models for Semantic Compositionality Over a Sentiment
Treebank, EMNLP. No text from outside it was used.
""",
        """
The authors state none. The treebank is customarily redistributed for research, and weights trained on it
are widely published; these follow that custom. Its text is not part of the preset, its vocabulary of
subwords is.
""",
    ),
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
_OWN = ("Data of whoever trained it.", "To be stated by whoever publishes the preset.")

_USE = """
Texts of the kind that it was trained on. For others, fine-tune it (`zoo finetune`) and measure it on some
of them (`zoo evaluate`).
"""
_LIMITS = """
Every text gets one of the labels, also one that holds no opinion, holds several, or is in another language.
Irony, comparisons and knowledge of the world are mostly beyond it. It has learned what its data associates
with names, groups and topics: do not let it decide about people. A probability is an estimate; the
calibration error above tells how far it was off on the test split.
"""
_EXAMPLE = """
import zoo

model = zoo.tasks.SentimentClassifier.from_preset("{name}")
model.predict(["A wonderful little film.", "Two hours I will never get back."])
"""


def about(source: str) -> About:
    """Return what to say of a classifier that was trained on `source`."""
    data, licence = _DATA.get(source.partition(":")[0], _OWN)
    return About(
        summary="Tells whether a text is negative or positive, with probabilities.",
        data=data,
        licence=licence,
        use=_USE,
        limits=_LIMITS,
        example=_EXAMPLE,
    )
