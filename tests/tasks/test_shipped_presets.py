"""The shipped presets answer the same on every backend, and are as good as their cards say."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import zoo
from applications.forecasting import data as forecasting_data
from applications.forecasting import report as forecasting_report
from applications.sentiment import data, report
from applications.translation import data as translation_data
from applications.translation import report as translation_report
from zoo.tasks import Forecaster, SentimentClassifier, Translator

# the probability of "positive", as the TensorFlow backend gave it when the preset was published
ANSWERS = {
    "sentiment_sst2_en": {
        "A wonderful little film.": 0.999311,
        "Two hours I will never get back.": 0.269778,
        "I would watch it again tomorrow.": 0.717607,
        "Not exactly a bad film, but I won't see it again.": 0.093586,
    },
    "sentiment_imdb_en": {
        "A wonderful little film.": 0.962183,
        "Two hours I will never get back.": 0.514951,
        "Not exactly a bad film, but I would not watch it again.": 0.241677,
    },
}

# text -> its translation and that one's log-probability, the same way
TRANSLATIONS = {
    "translation_tatoeba_de_en": {
        "Ich habe gestern ein Buch gelesen.": ("I read a book yesterday.", -0.4892),
        "Wo ist der Bahnhof?": ("Where is the station?", -1.1253),
        "Wenn es morgen regnet, bleiben wir zu Hause.": (
            "If it rains tomorrow, we'll stay at home.",
            -2.0565,
        ),
    },
    "translation_tatoeba_en_de": {
        "I read a book yesterday.": ("Ich habe gestern ein Buch gelesen.", -0.8226),
        "Where is the station?": ("Wo ist der Bahnhof?", -0.5628),
        "If it rains tomorrow, we will stay at home.": (
            "Wenn es morgen regnet, bleiben wir zu Hause.",
            -2.0183,
        ),
    },
}

# of so many steps of two seasons and a trend: forecasts of the first steps, and the 80% interval of the first one
FORECASTS = {
    "forecasting_m4_hourly": ("h", 400, [106.202, 104.101, 103.567, 104.366, 106.273], (103.751, 108.641)),
    "forecasting_m4_weekly": ("W-SUN", 400, [109.529, 107.255, 104.890, 101.957, 99.807], (105.725, 112.800)),
    "forecasting_ettm1": ("15min", 3000, [244.494, 248.548, 252.376, 256.190, 258.967], (234.021, 256.136)),
}


@pytest.mark.parametrize("preset", ANSWERS)
def test_answers_are_those_of_when_it_was_published(preset):
    task = SentimentClassifier.from_preset(preset)
    for text, probability in ANSWERS[preset].items():
        assert task.predict([text])[0].probabilities["positive"] == pytest.approx(probability, abs=1e-4)


@pytest.fixture
def sst2():
    return SentimentClassifier.from_preset("sentiment_sst2_en")


def told(preset):
    """Return the metrics in a card."""
    return zoo.presets.read(zoo.list_presets()[preset]).metadata["metrics"]


def test_sentiment_sst2_en_is_as_good_as_its_card_says(shared_data, sst2):
    test = data.load(f"sst:{shared_data / 'sentiment' / 'sst'}", "test")
    found = sst2.evaluate(test.texts, test.labels)
    assert found == pytest.approx(told("sentiment_sst2_en"), abs=1e-3)
    assert found["accuracy"] >= 0.855


def test_sentiment_sst2_en_tells_the_degrees(shared_data, sst2):
    test = data.load(f"sst5:{shared_data / 'sentiment' / 'sst'}", "test")
    assert report.evaluate(sst2, test)["accuracy"] >= 0.45


def test_sentiment_imdb_en_is_as_good_as_its_card_says(shared_data):
    """On 300 of the reviews: their accuracy is within four standard errors."""
    test = data.load(f"imdb:{shared_data / 'sentiment' / 'imdb'}", "test")
    rows = np.random.default_rng(0).permutation(len(test))[:300]
    task = SentimentClassifier.from_preset("sentiment_imdb_en")
    found = task.evaluate([test.texts[row] for row in rows], [test.labels[row] for row in rows])
    accuracy = told("sentiment_imdb_en")["accuracy"]
    assert accuracy >= 0.906
    assert found["accuracy"] >= accuracy - 4 * (accuracy * (1 - accuracy) / len(rows)) ** 0.5


@pytest.mark.parametrize("preset", TRANSLATIONS)
def test_translations_are_those_of_when_it_was_published(preset):
    task = Translator.from_preset(preset)
    for text, (translation, log_probability) in TRANSLATIONS[preset].items():
        [[found]] = task.translate([text], n_best=1)
        assert found.text == translation
        assert found.log_probability == pytest.approx(log_probability, abs=1e-3)


@pytest.mark.backend("tensorflow")
@pytest.mark.parametrize(
    ("preset", "least"), [("translation_tatoeba_de_en", 45), ("translation_tatoeba_en_de", 38)]
)
def test_translations_are_as_good_as_its_card_says(shared_data, preset, least):
    task = Translator.from_preset(preset)
    corpus = f"tatoeba:{shared_data / 'translation' / 'tatoeba_deu-eng'}"
    test = translation_data.load(corpus, "test", source_language=task.source_language)
    found = translation_report.evaluate(task, test)
    assert found == pytest.approx(told(preset), abs=0.05)
    assert found["bleu"] >= least
    assert found["bleu_unseen"] >= least


def wave(frequency, length):
    """Return a table of one series that the network has never seen."""
    t = np.arange(length)
    values = 100 + 0.05 * t + 20 * np.sin(2 * np.pi * t / 24) + 5 * np.sin(2 * np.pi * t / 168)
    return pd.DataFrame(
        {"time": pd.date_range("2024-01-07", periods=length, freq=frequency), "value": values}
    )


@pytest.mark.parametrize("preset", FORECASTS)
def test_forecasts_are_those_of_when_it_was_published(preset):
    frequency, length, forecasts, interval = FORECASTS[preset]
    found = Forecaster.from_preset(preset).forecast(frame=wave(frequency, length))
    np.testing.assert_allclose(found["forecast"][: len(forecasts)], forecasts, rtol=1e-3)
    np.testing.assert_allclose(found.loc[0, ["lower_80", "upper_80"]].to_list(), interval, rtol=1e-3)


@pytest.mark.parametrize(
    ("preset", "must"), [("forecasting_m4_hourly", 0.484), ("forecasting_m4_weekly", 0.851)]
)
def test_forecasts_are_as_good_as_the_card_says(shared_data, preset, must):
    task = Forecaster.from_preset(preset)
    corpus = f"m4:{shared_data / 'forecasting' / 'm4'}"
    test = forecasting_data.load(corpus, "test", frequency=task.preprocessor.frequency)
    found = forecasting_report.evaluate(task, test)
    assert found == pytest.approx(told(preset), rel=2e-3)
    assert found["owa"] <= must
    assert found["coverage_80"] == pytest.approx(0.8, abs=0.03)
    assert found["coverage_95"] == pytest.approx(0.95, abs=0.03)


def test_forecasting_ettm1_is_as_good_as_its_card_says(shared_data):
    """On every 97th origin, at all times of the day: the card has all of them."""
    task = Forecaster.from_preset("forecasting_ettm1")
    test = forecasting_data.load(f"ett:{shared_data / 'forecasting' / 'ett'}", "test", frequency="15min")
    said = told("forecasting_ettm1")
    assert said["mse"] <= 0.353
    found = forecasting_report.evaluate(task, replace(test, stride=97))
    for horizon in (96, 192, 336, 720):
        assert found[f"mse_{horizon}"] == pytest.approx(said[f"mse_{horizon}"], rel=0.05)
    assert found["coverage_80"] == pytest.approx(0.8, abs=0.06)
    assert found["coverage_95"] == pytest.approx(0.95, abs=0.06)
