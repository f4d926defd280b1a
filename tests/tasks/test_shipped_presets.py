"""The shipped presets answer the same on every backend, and are as good as their cards say."""

import pytest

import zoo
from applications.sentiment import data
from zoo.tasks import SentimentClassifier

# the probability of "positive", as the TensorFlow backend gave it when the preset was published
ANSWERS = {
    "A wonderful little film.": 0.998017,
    "Two hours I will never get back.": 1 - 0.832739,
    "I would watch it again tomorrow.": 0.745077,
    "Not exactly a bad film, but I won't see it again.": 1 - 0.907756,
}


def test_sentiment_sst2_en_answers_as_it_was_published():
    task = SentimentClassifier.from_preset("sentiment_sst2_en")
    for text, probability in ANSWERS.items():
        assert task.predict([text])[0].probabilities["positive"] == pytest.approx(probability, abs=1e-4)


def test_sentiment_sst2_en_is_as_good_as_its_card_says(shared_data):
    test = data.load(f"sst:{shared_data / 'sentiment' / 'sst'}", "test")
    found = SentimentClassifier.from_preset("sentiment_sst2_en").evaluate(test.texts, test.labels)
    told = zoo.presets.read(zoo.list_presets()["sentiment_sst2_en"]).metadata["metrics"]
    assert found == pytest.approx(told, abs=1e-3)
    assert found["accuracy"] >= 0.83
