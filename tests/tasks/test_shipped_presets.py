"""The shipped presets answer the same on every backend, and are as good as their cards say."""

import pytest

import zoo
from applications.sentiment import data, report
from zoo.tasks import SentimentClassifier

# the probability of "positive", as the TensorFlow backend gave it when the preset was published
ANSWERS = {
    "sentiment_sst2_en": {
        "A wonderful little film.": 0.999311,
        "Two hours I will never get back.": 0.269778,
        "I would watch it again tomorrow.": 0.717607,
        "Not exactly a bad film, but I won't see it again.": 0.093586,
    },
}


@pytest.mark.parametrize("preset", ANSWERS)
def test_answers_are_those_of_when_it_was_published(preset):
    task = SentimentClassifier.from_preset(preset)
    for text, probability in ANSWERS[preset].items():
        assert task.predict([text])[0].probabilities["positive"] == pytest.approx(probability, abs=1e-4)


@pytest.fixture
def sst2():
    return SentimentClassifier.from_preset("sentiment_sst2_en")


def test_sentiment_sst2_en_is_as_good_as_its_card_says(shared_data, sst2):
    test = data.load(f"sst:{shared_data / 'sentiment' / 'sst'}", "test")
    found = sst2.evaluate(test.texts, test.labels)
    told = zoo.presets.read(zoo.list_presets()["sentiment_sst2_en"]).metadata["metrics"]
    assert found == pytest.approx(told, abs=1e-3)
    assert found["accuracy"] >= 0.855


def test_sentiment_sst2_en_tells_the_degrees(shared_data, sst2):
    test = data.load(f"sst5:{shared_data / 'sentiment' / 'sst'}", "test")
    assert report.evaluate(sst2, test)["accuracy"] >= 0.45
