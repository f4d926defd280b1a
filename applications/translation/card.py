"""What the model cards of this application say beside the measured numbers."""

from collections.abc import Mapping
from typing import Any

from applications.core.cards import About
from zoo.errors import UserError

_DATA = {  # corpus -> (what it is, its licence)
    "tatoeba": (
        """
Pairs of English and German sentences that people wrote and translated for tatoeba.org, in the selection of
manythings.org/anki (file of 7 April 2018): 169,197 pairs, half of them with six English words or fewer. No English
sentence is in two of the splits; all translations of a sentence are its references. Of a tenth of the test pairs the
German side also occurs in the training data, beside another English sentence: `bleu_unseen` above leaves them out.
""",
        """
CC BY 2.0 FR. Attribution: the contributors of tatoeba.org, and manythings.org/anki. The weights are published with
this attribution, which has to stay with them. The text is not part of the preset, a vocabulary of its subwords is.
""",
    ),
    "builtin": (
        "The built-in sample: sentences of a small grammar, written for this project, to try commands with.",
        "Apache-2.0, as this project.",
    ),
}
_OWN = ("Data of whoever trained it.", "To be stated by whoever publishes the preset.")
_NOT_COMMERCIAL = {"multi30k": "Multi30k"}  # corpora whose weights are not given away

_NAMES = {"de": "German", "en": "English"}
_EXAMPLES = {"de": "Ich habe gestern ein Buch gelesen.", "en": "I read a book yesterday."}

_USE = """
Short sentences of everyday life, as a draft for somebody who knows both languages. For other texts or languages,
fine-tune it (`zoo finetune`) or train anew (`zoo train translation`), and measure it on some of them (`zoo evaluate`).
"""
_LIMITS = """
Languages are not detected: a text of another language, or the two languages swapped, becomes a translation all the
same, and a wrong one. Each sentence is translated for itself, and a long text sentence by sentence: what `it` or `Sie`
stands for may be in another one. Upper and lower case count: it was trained on sentences as people write them. Names,
numbers, rare words and long sentences are its weak side; what it leaves out or makes up still reads well. It has
learned from its data who does what, such as which trades are men's. Do not rely on it where a mistake would harm.
BLEU and chrF are sacreBLEU's, with a beam of 5; `log_loss` is in nats for a piece of the first reference.
"""
_EXAMPLE = """
import zoo

model = zoo.tasks.Translator.from_preset("{{name}}")
model.translate(["{text}"])
"""


def about(training: Mapping[str, Any]) -> About:
    """Return what to say of a translator; `training` is that of `applications.core.publish.TRAINING`.

    Raises:
        UserError: the licence of its data does not allow to publish it.
    """
    corpus = training["data"].partition(":")[0]
    if corpus in _NOT_COMMERCIAL:
        raise UserError(
            f"{training['data']}: {_NOT_COMMERCIAL[corpus]} is for non-commercial use, so its weights are not "
            "published: publish a model of other data, such as tatoeba:PATH"
        )
    data, licence = _DATA.get(corpus, _OWN)
    languages = [training.get(f"{side}_language") for side in ("source", "target")]
    there = "from {} to {}".format(*(_NAMES.get(it, it) for it in languages)) if all(languages) else ""
    return About(
        summary=f"Translates short sentences {there or 'from one language to another'}.",
        data=data,
        licence=licence,
        use=_USE,
        limits=_LIMITS,
        example=_EXAMPLE.format(text=_EXAMPLES.get(languages[0], "...")),
    )
