"""From a recipe and the built-in sample to a preset and a report, and further from there."""

import csv
import json
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest

from applications.core import recipes
from applications.forecasting import building, data, methods, report
from applications.forecasting.recipes import FINETUNING, RECIPES, Finetuning, Recipe
from applications.forecasting.train import finetune, train
from zoo.errors import UserError
from zoo.tasks import Forecaster, read_frame

TINY = replace(
    RECIPES["tiny"],
    horizon=6,
    look_back=22,
    units=8,
    windows=60,
    epochs=12,
    batch_size=16,
    learning_rate=1e-2,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "mine"
    assert train(TINY, "builtin:sunspots", out, seed=1, progress=False) == out / "preset"
    return out


def history(run):
    with open(run / "logs" / "history.csv", encoding="utf-8", newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def test_it_learns_and_the_report_has_its_numbers(run):
    rows = history(run)
    assert rows[-1]["loss"] < 0.9 * rows[0]["loss"]
    metadata = json.loads((run / "preset" / "metadata.json").read_text("utf-8"))
    found = json.loads((run / "report" / "report.json").read_text("utf-8"))
    assert metadata["validation"] == pytest.approx(found["metrics"])
    assert metadata["best_epoch"] == min(rows, key=lambda row: row["val_loss"])["epoch"]
    assert (metadata["recipe"], metadata["recipe_values"]["units"]) == ("custom", 8)
    assert metadata["splits"] == {"series": 1, "values": 309 - 44}
    assert metadata["data"] == "builtin:sunspots"
    assert {"mse", "smape", "mase", "owa", "crps", "coverage_80", "width_95"} <= set(metadata["validation"])
    assert found["forecasts_of"] == "the last 44 steps of each series, from every origin, 6 steps ahead"
    assert found["models"][0]["mase"] == pytest.approx(
        metadata["validation"]["mase"], rel=1e-4
    )  # all windows


def test_the_preset_says_what_was_measured(run):
    task = Forecaster.from_preset(run)
    held = data.load("builtin:sunspots", "validation")
    written = json.loads((run / "report" / "report.json").read_text("utf-8"))
    assert report.evaluate(task, held) == pytest.approx(written["metrics"], rel=1e-4)
    last = pd.read_csv(run / "report" / "forecasts.csv")
    found = task.backtest(held.frame).groupby("series").tail(6)
    np.testing.assert_allclose(found["forecast"], last["forecast"], rtol=1e-3)


def test_a_preset_learns_further_from_another_table(run, tmp_path):
    rows = [(f"{1900 + year}-01-01", 50 + 40 * np.sin(year * 2 * np.pi / 11)) for year in range(80)]
    pd.DataFrame(rows, columns=["year", "spots"]).to_csv(tmp_path / "own.csv", index=False)
    out = tmp_path / "more"
    columns = {"time": "year", "value": "spots", "frequency": "YS-JAN"}
    finetune(run, str(tmp_path / "own.csv"), out, **columns, epochs=2, report=False, progress=False)
    assert not (out / "report").exists()
    metadata = json.loads((out / "preset" / "metadata.json").read_text("utf-8"))
    assert (metadata["recipe"], metadata["splits"]) == ("finetune", {"series": 1, "values": 80})
    task = Forecaster.from_preset(out)
    assert task.preprocessor.names == ["sunspots", "spots"]
    assert len(task.forecast(3, frame=pd.read_csv(tmp_path / "own.csv"))) == 3


def test_dlinear_learns_from_what_lies_before(run):
    task = Forecaster.from_preset(run)
    table = replace(data.load("builtin:sunspots", "validation"), steps=12)
    reader, _, panel, protocol, _ = report._prepared(task, table, None)
    sample = report._sample(reader, panel, table, protocol, (0.8,))
    said = methods.of_linear(task, sample, (0.8,))
    assert said.point.shape == sample.windows.forecast.shape
    assert np.abs(said.point - sample.windows.actual).mean() < 100
    assert said.quantiles.shape == (*said.point.shape, 19)


def test_bad_recipes_are_told_before_anything_is_made(tmp_path):
    for changes, said in (
        ({"kernel": 3}, "'kernel' is no option of the model 'direct'"),
        ({"model": "linear"}, "'units'|'dropout'|'segment'"),
        ({"horizon": 0}, "horizon"),
        ({"windows": 0}, "windows"),
        ({"known": ("price",)}, "price"),
    ):
        with pytest.raises(UserError, match=said):
            train(replace(TINY, **changes), "builtin:sunspots", tmp_path / "none", progress=False)
    with pytest.raises(UserError, match="validation: "):
        train(TINY, "builtin:sunspots", tmp_path / "none", validation="own.csv")
    assert not (tmp_path / "none").exists()


# --- recipes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_fits_its_model_and_can_be_written_down(name):
    recipe = RECIPES[name]
    task = building.build(recipe, recipe.horizon or 24, 24)
    assert (task.model, task.members) == (recipe.model, recipe.members)
    values = json.loads(json.dumps(recipes.to_dict(recipe)))
    settings = [f"{key}={_setting(value)}" for key, value in values.items() if value not in (None, [])]
    assert recipes.override(Recipe(), settings) == recipe


def _setting(value):
    return (
        ",".join(map(str, value))
        if isinstance(value, list)
        else str(value).lower()
        if value is True
        else str(value)
    )


def test_weeks_of_a_preset_may_begin_on_another_day(tmp_path):
    def weekly(name, start):
        times = pd.date_range(start, periods=60, freq="7D")
        frame = pd.DataFrame({"date": times, "sales": np.round(100 + 10 * np.sin(np.arange(60)), 3)})
        frame.to_csv(tmp_path / name, index=False)
        return str(tmp_path / name)

    recipe = replace(TINY, horizon=4, epochs=1)
    mondays, sundays = weekly("mondays.csv", "2024-01-01"), weekly("sundays.csv", "2024-01-07")
    preset = train(recipe, mondays, tmp_path / "run", report=False, progress=False)
    assert Forecaster.from_preset(preset).preprocessor.frequency == "W-MON"
    # as the command line has it: the frequency of the preset, where none is given
    table = data.load(sundays, frequency="W-MON")
    found = report.evaluate(Forecaster.from_preset(preset), table)
    assert np.isfinite(found["mse"])
    tuned = finetune(
        preset, sundays, tmp_path / "tuned", frequency="W-MON", epochs=1, report=False, progress=False
    )
    assert json.loads((tuned / "metadata.json").read_text())["splits"]["values"] == 60
    with pytest.raises(UserError, match="is no time of the frequency 'W-MON'"):
        train(recipe, sundays, tmp_path / "no", frequency="W-MON", report=False, progress=False)


def test_finetuning_has_the_names_of_recipes():
    assert {field.name for field in fields(Finetuning)} <= {field.name for field in fields(Recipe)}
    assert recipes.override(FINETUNING, ["epochs=3", "loss=mse"]).loss == "mse"


def test_numbers_reach_the_network():
    task = building.build(replace(RECIPES["m4_hourly"], members=1, segment_stride=6), 48)
    assert (task.options["segment"], task.options["stride"], task.look_back) == (24, 6, 336)
    hybrid = building.build(replace(RECIPES["hybrid"], period=(24, 168), block_layers=3), 48, 7)
    assert hybrid.options["dilations"] == [[1, 2, 4], [8]]
    assert hybrid.periods == [24, 168]
    assert building.build(TINY, 6, 11).periods == [11]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"period": 11}, 22),
        ({"period": 1}, 6),
        ({"period": 52}, 25),
        ({"period": None}, 14),
        ({"horizons": (96, 192)}, 192),
    ],
)
def test_the_horizon_that_data_ask_for(changes, expected):
    times = pd.date_range("2024-01-01", periods=100, freq="D")
    frame = pd.DataFrame({"time": times, "value": np.arange(100.0)})
    table = data.Table(frame, {}, "own.csv", **changes)
    assert building.horizon_of(table, read_frame(frame)) == expected
    assert building.horizon_of(replace(table, horizons=None), read_frame(frame[:5])) == 1


def test_windows_are_thinned_out_to_so_many():
    asked = []

    class Task:
        model, horizon = "direct", 10

        def fit(self, frame, **options):
            asked.append(options)

    times = pd.date_range("2024-01-01", periods=110, freq="D")
    frame = pd.DataFrame({"time": times, "a": np.arange(110.0), "b": np.arange(110.0)})
    table = data.Table(frame, {"time": "time"}, "own.csv")
    for recipe in (
        Recipe(windows=50),
        Recipe(windows=1000, stride=2),
        Recipe(windows=50, validation_steps=60),
    ):
        building.fit(Task(), table, read_frame(frame), recipe)
    building.fit(Task(), replace(table, steps=60), read_frame(frame), Recipe())
    assert [options["stride"] for options in asked] == [4, 2, 2, 1]
    assert [options["validation_steps"] for options in asked] == [None, None, 60, 60]
