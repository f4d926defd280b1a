"""What the model cards say of data, licences and limits."""

import pytest

from applications.core.cards import model_card
from applications.forecasting.card import about

TRAINING = {
    "data": "ett:PATH",
    "recipe": "ettm",
    "recipe_values": {"horizon": 720},
    "seed": 1,
    "splits": {"series": 7, "values": 322560},
    "validation": {"mse": 0.5},
    "best_epoch": 9,
    "pretraining": None,
    "trials": None,
    "seconds": 7200.0,
    "machine": "x86_64, 2 cores",
    "versions": {"zoo": "0.1.0"},
}


def test_the_card_of_ett_tells_what_is_unsettled():
    card = model_card(
        "forecasting_ettm1",
        about(TRAINING),
        TRAINING,
        command="zoo train forecasting --recipe ettm --data ett:PATH --seed 1 --out DIR",
        metrics={"mse": 0.35, "mse_96": 0.29},
        how={"forecasts_of": "the last 11520 steps"},
        count=7,
        parameters=2_000_000,
    )
    assert "Forecasts 720 steps of the load and the oil temperature of an electricity transformer" in card
    assert "CC BY-ND 4.0. Attribution: Haoyi Zhou" in card
    for said in ("Whether weights are an\nadaptation is unsettled", "customarily published"):
        assert " ".join(said.split()) in " ".join(card.split())
    assert (
        'Forecaster.from_preset("forecasting_ettm1")\nframe = pd.read_csv("ETTm1.csv", parse_dates=["date"])'
        in card
    )
    assert "| mse | 0.3500 | 0.5000 |" in card
    assert "| examples | 7 series, 322,560 values |" in card


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("m4:PATH", "published the series for open use"),
        ("tfds:zoo_m4/hourly", "published the series for open use"),
        ("tfds:zoo_ett/ettm1", "CC BY-ND 4.0"),
        ("builtin:co2", "Public domain"),
        ("own.csv", "To be stated by whoever"),
        ("tfds:other", "To be stated by whoever"),
    ],
)
def test_every_source_has_its_licence(data, said):
    assert said in about({**TRAINING, "data": data}).licence


def test_examples_are_python():
    for data in ("ett:PATH", "m4:PATH", "builtin", "own.csv"):
        text = about({**TRAINING, "data": data, "recipe_values": {}}).example.format(name="x")
        compile(text, data, "exec")
        assert 'from_preset("x")' in text
