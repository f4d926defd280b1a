"""What the model cards say of data, licence, languages and limits; what is not given away."""

import pytest

from applications.core.cards import model_card
from applications.translation.card import about
from zoo import UserError

TRAINING = {
    "data": "tatoeba:PATH",
    "source_language": "de",
    "target_language": "en",
    "recipe": "base",
    "recipe_values": {"units": 256},
    "seed": 1,
    "splits": {"train": 159228, "validation": 4974},
    "validation": {"bleu": 48.25},
    "best_epoch": 9,
    "pretraining": None,
    "trials": None,
    "seconds": 7200.0,
    "machine": "x86_64, 2 cores",
    "versions": {"zoo": "0.1.0"},
}


def test_the_card_of_a_preset_of_tatoeba():
    metrics = {"bleu": 50.125, "chrf": 66.5, "log_loss": 1.25, "bleu_unseen": 47.5}
    card = model_card(
        "translation_tatoeba_de_en",
        about(TRAINING),
        TRAINING,
        command="zoo train translation --recipe base --data tatoeba:PATH --seed 1 --out DIR",
        metrics=metrics,
        how={"bleu_signature": "nrefs:var|case:mixed"},
        count=4000,
        parameters=4_000_000,
    )
    assert "Translates short sentences from German to English." in card
    assert 'Translator.from_preset("translation_tatoeba_de_en")\nmodel.translate(["Ich habe gestern' in card
    assert "| bleu | 50.1250 | 48.2500 |" in card
    assert "| bleu_unseen | 47.5000 |  |" in card
    assert "`bleu_unseen` above leaves them out" in card
    assert "CC BY 2.0 FR. Attribution: the contributors of tatoeba.org, and manythings.org/anki." in card
    for said in ("Languages are not detected", "the two languages swapped", "Upper and lower case count"):
        assert said in card
    for wanted in ("--recipe base", "| seed | 1 |", "| wall time | 2 h |"):
        assert wanted in card


def test_the_other_direction_has_its_own_example():
    said = about({**TRAINING, "source_language": "en", "target_language": "de"})
    assert said.summary == "Translates short sentences from English to German."
    assert 'model.translate(["I read a book yesterday."])' in said.example.format(name="x")


def test_own_data():
    said = about({**TRAINING, "data": "own.tsv", "source_language": None, "target_language": None})
    assert said.summary == "Translates short sentences from one language to another."
    assert "whoever trained it" in said.data
    assert "tatoeba" not in said.licence
    said = about({**TRAINING, "data": "tfds:ted_hrlr_translate/pt_to_en", "source_language": "pt"})
    assert "from pt to English" in said.summary


@pytest.mark.parametrize("data", ["multi30k:PATH", "multi30k:../shared/data/translation/multi30k"])
def test_multi30k_is_not_given_away(data):
    with pytest.raises(UserError, match=r"Multi30k is for non-commercial use, .* not published") as caught:
        about({**TRAINING, "data": data})
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(data)
