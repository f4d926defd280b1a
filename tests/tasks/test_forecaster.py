"""Small series of one season, learned in seconds by each of the models."""

import json

import keras
import numpy as np
import pandas as pd
import pytest

from zoo import metrics
from zoo.errors import UserError
from zoo.presets import PresetError
from zoo.tasks import Forecaster, from_preset, read_frame

if keras.backend.backend() == "torch":
    import torch

    torch.set_num_threads(1)  # threads that wait for each other are slow where others work too

HORIZON, PERIOD = 4, 6


def table(names, length=60, seed=0, start="2024-01-01"):
    """Series of different levels and one season, an hour a step, in a long table whose rows are not in order."""
    generator = np.random.default_rng(seed)
    times = pd.date_range(start, periods=length, freq="h")
    rows = []
    for place, name in enumerate(names, 1):
        wave = 2 + np.sin(2 * np.pi * times.hour / PERIOD + place) + 0.1 * generator.normal(size=length)
        rows.append(pd.DataFrame({"id": name, "when": times, "load": 10 * place * wave}))
    return pd.concat(rows).sample(frac=1, random_state=seed)


FRAME = table("abc")
COLUMNS = {"time": "when", "value": "load", "series": "id"}
MODELS = {
    "direct": {"units": 8, "dropout": 0.0, "quantiles": (0.1, 0.5, 0.9), "members": 2},
    "linear": {"kernel": 5},
    "autoregressive": {"units": 6, "layers": 1, "likelihood": "gaussian", "members": 2},
    "smoothing": {"units": 6, "dilations": ((1, 2),), "quantiles": (0.2, 0.5, 0.8)},
}
LEARNING = {
    "direct": {"epochs": 4, "stride": 2, "batch_size": 16, "learning_rate": 2e-2},
    "linear": {"epochs": 12, "batch_size": 32, "learning_rate": 2e-2, "weighting": "owa", "average": 2},
    "autoregressive": {"epochs": 3, "stride": 3, "batch_size": 16, "learning_rate": 2e-2},
    "smoothing": {"epochs": 20, "batch_size": 3, "learning_rate": 2e-2, "calibration": False},
}
PATHS = {"paths": 60, "seed": 1}


def made(model, **more):
    look_back = 56 if model == "smoothing" else 12
    return Forecaster(
        model, **{"horizon": HORIZON, "look_back": look_back, "period": PERIOD, **MODELS[model], **more}
    )


def learn(task, frame=FRAME, **more):
    return task.fit(
        frame, **{**COLUMNS, **LEARNING[task.model], "validation_steps": 12, "progress": False, **more}
    )


@pytest.fixture(scope="module", params=MODELS)
def learned(request):
    task = made(request.param)
    history = learn(task)
    assert history.rows[-1]["loss"] < history.rows[0]["loss"]
    assert history.best_score == min(row["val_loss"] for row in history.rows)
    return task


@pytest.fixture(scope="module")
def linear():
    task = made("linear")
    learn(task)
    return task


def numbers(frame):
    return frame.drop(
        columns=[n for n in ("id", "when", "series", "time", "cutoff") if n in frame]
    ).to_numpy()


def test_forecast_continues_the_table(learned):
    levels = (0.5, 0.6)
    found = learned.forecast(levels=levels, **PATHS)
    assert list(found.columns) == ["id", "when", "forecast", "lower_50", "upper_50", "lower_60", "upper_60"]
    assert found["id"].tolist() == [name for name in "abc" for _ in range(HORIZON)]
    ahead = pd.date_range("2024-01-03 12:00", periods=HORIZON, freq="h")
    assert found["when"].tolist() == [*ahead] * 3
    assert (found["lower_60"] <= found["lower_50"]).all()
    assert (found["lower_50"] <= found["forecast"]).all()
    assert (found["forecast"] <= found["upper_50"]).all()
    assert (found["upper_50"] <= found["upper_60"]).all()
    if learned.model != "autoregressive":  # which has learned little so far
        assert found.groupby("id")["forecast"].mean().between([10, 20, 30], [30, 60, 90]).all()
    again = learned.forecast(levels=levels, frame=FRAME, **PATHS)
    pd.testing.assert_frame_equal(found, again)
    if learned.model != "autoregressive":  # it would draw other paths
        short = learned.forecast(2, levels=levels)
        np.testing.assert_allclose(
            numbers(short), numbers(found.groupby("id", as_index=False).head(2)), rtol=1e-4
        )


def test_backtest_sees_nothing_behind_its_cutoff(learned):
    levels = (0.5,)
    found = learned.backtest(horizon=3, steps=7, stride=4, levels=levels, **PATHS)
    assert len(found) == 3 * 2 * 3
    assert found["step"].tolist() == [1, 2, 3] * 6
    values = FRAME.set_index(["id", "when"])["load"]
    actual = values.loc[list(zip(found["series"], found["time"], strict=True))]
    np.testing.assert_array_equal(found["actual"], actual)
    assert (found["time"] - found["cutoff"] == pd.to_timedelta(found["step"], unit="h")).all()
    for cutoff, rows in found.groupby("cutoff"):
        before = FRAME[FRAME["when"] <= cutoff]
        alone = learned.forecast(3, levels=levels, frame=before, **PATHS)
        if learned.model == "autoregressive":  # the draws are others: about the same
            np.testing.assert_allclose(rows["forecast"], alone["forecast"], atol=50)
        else:
            np.testing.assert_allclose(numbers(rows)[:, 2:], numbers(alone), rtol=1e-4)


def test_preset_answers_alike(learned, tmp_path):
    folder = learned.save_to_preset(tmp_path / "preset")
    loaded = from_preset(folder)
    assert isinstance(loaded, Forecaster)
    assert (loaded.horizon, loaded.look_back) == (HORIZON, learned.look_back)
    with pytest.raises(UserError, match="a preset holds no series"):
        loaded.forecast()
    for frame in (FRAME, table("ax", seed=5)):  # one with a new series
        one, two = (task.forecast(levels=(0.5,), frame=frame, **PATHS) for task in (learned, loaded))
        np.testing.assert_allclose(numbers(two), numbers(one), rtol=1e-4)
        assert np.isfinite(numbers(one)).all()


def test_further_learning_makes_room_for_new_series(learned, tmp_path):
    task = from_preset(learned.save_to_preset(tmp_path / "preset"))
    frame = table("bxy", seed=3)
    before = learned.preprocessor.scales
    history = learn(task, frame, epochs=1)
    assert len(history.rows) == 1
    assert task.preprocessor.names == ["a", "b", "c", "x", "y"]
    np.testing.assert_array_equal(task.preprocessor.scales[:3], before)
    assert task.network.config["series"] == (0 if task.model == "linear" else 5)
    assert len(task.forecast(levels=(), **PATHS)) == 3 * HORIZON
    again = from_preset(task.save_to_preset(tmp_path / "further"))
    one, two = (each.forecast(levels=(), frame=frame, **PATHS) for each in (task, again))
    np.testing.assert_allclose(numbers(two), numbers(one), rtol=1e-4)


def test_forecast_is_what_the_network_says(linear):
    panel = read_frame(FRAME, **COLUMNS)
    scales = linear.preprocessor.scales
    train = np.array([values[:-12] for values in panel.values])
    np.testing.assert_allclose(scales, np.stack([train.mean(axis=1), train.std(axis=1)], axis=1))
    windows = (np.array(panel.values)[:, -12:] - scales[:, :1]) / scales[:, 1:]
    inputs = {"values": windows.astype("float32"), "observed": np.ones((3, 12), "float32")}
    said = keras.ops.convert_to_numpy(linear.network(inputs)) * scales[:, 1:] + scales[:, :1]
    np.testing.assert_allclose(linear.forecast(levels=())["forecast"], said.ravel(), rtol=1e-5)


def test_metrics_are_those_of_the_backtest(linear):
    options = {"steps": 9, "stride": 2, "levels": (0.5, 0.8)}
    found = linear.evaluate(**options)
    rows = linear.backtest(**options)
    actual, forecast, low, high = (
        rows[name].to_numpy().reshape(-1, HORIZON) for name in ("actual", "forecast", "lower_80", "upper_80")
    )
    panel = read_frame(FRAME, **COLUMNS)
    histories = [values[:-9] for values in panel.values for _ in range(3)]
    naive = np.stack([metrics.naive2(v[:cut], HORIZON, PERIOD) for v in panel.values for cut in (51, 53, 55)])
    errors = [
        (metrics.smape(actual, each), metrics.mase(actual, each, histories, PERIOD))
        for each in (forecast, naive)
    ]
    expected = {
        "mse": metrics.mse(actual, forecast),
        "mae": metrics.mae(actual, forecast),
        "coverage_80": metrics.coverage(actual, low, high),
        "width_80": metrics.interval_width(low, high),
        "smape": errors[0][0],
        "mase": errors[0][1],
        "owa": metrics.owa(*errors[0], *errors[1]),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-6), name
    assert 0 < found["crps"] < 2 * found["mae"]
    assert found.keys() == {*expected, "crps", "coverage_50", "width_50"}
    scaled = linear.evaluate(**options, scaled=True)
    assert "smape" not in scaled
    scale = linear.preprocessor.scales[:, 1].repeat(3)[:, None]
    assert scaled["mse"] == pytest.approx(np.mean(((actual - forecast) / scale) ** 2), rel=1e-5)


def test_several_horizons_at_once(linear):
    found = linear.evaluate(horizons=(2, 4), steps=6, levels=(0.8,), scaled=True)
    for horizon in (2, 4):
        alone = linear.evaluate(horizon=horizon, steps=6, levels=(0.8,), scaled=True)
        for name, value in alone.items():
            assert found[f"{name}_{horizon}"] == pytest.approx(value, rel=1e-6)
    assert found["mse"] == pytest.approx((found["mse_2"] + found["mse_4"]) / 2)
    panel = read_frame(FRAME, **COLUMNS)
    arrays = linear.arrays(panel, steps=6, levels=(0.8,))
    assert arrays.forecast.shape == (9, 4)
    assert arrays.forecast.dtype == "float32"
    assert arrays.cutoffs.tolist() == [54, 55, 56] * 3
    assert linear.arrays(panel, whole=2, steps=6, levels=()).actual.shape == (15, 4)


def test_calibration_is_that_of_the_errors(linear):
    task = made("linear")
    learn(task, calibration=False, epochs=1)
    with pytest.raises(UserError, match="not calibrated; call calibrate"):
        task.forecast()
    assert "crps" not in task.evaluate(levels=())
    task.calibrate(FRAME, steps=40)
    rows = task.backtest(steps=40, levels=(0.8,))
    held = (rows["lower_80"] <= rows["actual"]) & (rows["actual"] <= rows["upper_80"])
    assert held.mean() == pytest.approx(0.8, abs=0.08)
    assert linear.preprocessor.calibration is not None


def test_horizons_that_the_loss_is_the_mean_of():
    short, even = made("linear"), made("linear")
    for task, horizons in ((short, [1]), (even, None)):
        learn(task, horizons=horizons, epochs=2)
    ahead = {name: task.network.get_weights() for name, task in (("short", short), ("even", even))}
    columns = [each for each in ahead["short"] if each.shape[-1] == HORIZON]
    assert columns
    first = made("linear")
    learn(first, epochs=1, learning_rate=0.0)
    begun = [each for each in first.network.get_weights() if each.shape[-1] == HORIZON]
    for learned, before in zip(columns, begun, strict=True):
        assert np.abs(learned - before)[..., 0].max() > 1e-3
        np.testing.assert_allclose(learned[..., 1:], before[..., 1:], atol=1e-6)
    with pytest.raises(UserError, match=r"horizons: got \[1\]; the model 'autoregressive' takes none"):
        learn(made("autoregressive"), horizons=[1])


def test_recent_errors_are_those_of_the_last_forecasts(learned):
    panel = read_frame(FRAME, **COLUMNS)
    prepared = learned._prepare(panel, np.full(3, 60))
    answerer = learned._answering()
    values = [prepared.panel.values[place] for place in range(3)]
    series, cutoffs = np.array([2, 0, 1, 1]), np.array([60, 59, learned.look_back + 2, 3])
    found = answerer.recent_errors(prepared, series, cutoffs, **PATHS)
    if answerer.predictor.draws:  # the same ones are not drawn again
        assert np.isfinite(found[:3]).all()
    else:
        for error, one, cut in zip(found[:3], series, cutoffs, strict=False):
            each = []
            for ago in (1, 2, 3, 4):
                if cut - ago >= learned.look_back:
                    forecast, *_ = answerer._answers(
                        prepared, np.array([one]), np.array([cut - ago]), HORIZON, (), 60, 1
                    )
                    actual = learned.preprocessor.scaled("", values[one], prepared.scales[one])
                    each.append(np.abs(actual[cut - ago : cut] - forecast[0, :ago]).mean())
            assert error == pytest.approx(np.mean(each), rel=1e-5)
    assert np.isnan(found[3])
    begin = np.array([0, 0, 57])
    later = answerer.recent_errors(prepared, series[:1], cutoffs[:1], begin, **PATHS)
    assert np.isfinite(later).all()
    assert np.isnan(answerer.recent_errors(prepared, series[:1], cutoffs[:1], begin + 3, **PATHS)).all()


def test_intervals_follow_the_errors_of_late(tmp_path):
    def noisy(deviations, seed):
        frame = table("ab", length=120, seed=seed).sort_values(["id", "when"])
        noise = np.random.default_rng(seed).normal(size=len(frame)) * np.tile(np.repeat(deviations, 40), 2)
        return frame.assign(load=20 * (2 + np.sin(frame["when"].dt.hour / 6 * 2 * np.pi)) + noise)

    quiet, wild = noisy((1, 1, 1), 1), noisy((1, 1, 6), 2)
    task = made("linear", spread="backtest", look_back=24)
    learn(task, quiet, validation_steps=40, epochs=20)
    widths, errors = [], []
    for frame in (quiet, wild):
        found = task.forecast(frame=frame)
        widths.append((found["upper_80"] - found["lower_80"]).to_numpy())
        prepared = task._prepare(read_frame(frame, **COLUMNS), np.full(2, 120))
        late = task._answering().recent_errors(prepared, np.arange(2), np.full(2, 120), paths=1, seed=0)
        errors.append(np.repeat(late, HORIZON))
    assert (errors[1] > 2 * errors[0]).all()
    np.testing.assert_allclose(widths[1] / widths[0], errors[1] / errors[0], rtol=1e-3)
    again = from_preset(task.save_to_preset(tmp_path / "preset"))
    assert again.spread == "backtest"
    pd.testing.assert_frame_equal(again.forecast(frame=wild), found, rtol=1e-4)
    # too short for forecasts of late: the naive errors stand in
    short = task.forecast(frame=wild[wild["when"] >= wild["when"].max() - pd.Timedelta("12h")])
    assert np.isfinite(numbers(short)).all()
    assert (short["upper_80"] > short["lower_80"]).all()


def test_errors_of_late_of_series_that_do_not_change_or_are_empty(tmp_path):
    still = table("ab", length=80).assign(load=7.0)
    task = made("linear", spread="backtest")
    learn(task, still, epochs=1)
    assert task.preprocessor.error_ratio > 0
    again = from_preset(task.save_to_preset(tmp_path / "preset"))
    assert again.preprocessor.error_ratio == task.preprocessor.error_ratio
    gap = table("a", length=80).sort_values("when").reset_index(drop=True)
    gap.loc[20:70, "load"] = np.nan
    prepared = again._prepare(read_frame(gap, **COLUMNS), np.full(1, 80))
    # one to four steps before 73 a window holds a value or two
    late = again._answering().recent_errors(prepared, np.zeros(2, int), np.array([73, 80]), paths=1, seed=0)
    assert np.isnan(late[0])
    assert late[1] > 0


def test_quantiles_without_calibration_reach_as_far_as_they_were_learned():
    task = made("smoothing")
    learn(task, epochs=1)
    found = task.forecast(levels=(0.6,))
    assert (found["lower_60"] <= found["upper_60"]).all()
    with pytest.raises(UserError, match=r"levels: got 0.8, and the quantiles of the network reach to 0.6"):
        task.forecast(levels=(0.6, 0.8))


@pytest.fixture(scope="module")
def covered():
    """A table with covariates, missing values and a future."""
    generator = np.random.default_rng(2)
    frame = FRAME.sort_values(["id", "when"]).reset_index(drop=True)
    frame["wind"], frame["sun"] = generator.normal(size=(2, len(frame)))
    frame["size"] = frame["id"].map({"a": 1.0, "b": 4.0, "c": 9.0})
    frame.loc[[5, 30, 31, 70, 178], "load"] = np.nan
    return frame


def future(frame, rows):
    last = frame["when"].max()
    ahead = [
        pd.DataFrame(
            {
                "id": name,
                "when": pd.date_range(last, periods=rows + 1, freq="h")[1:],
                "sun": 0.5,
                "size": size,
            }
        )
        for name, size in zip("abc", (1.0, 4.0, 9.0), strict=True)
    ]
    return pd.concat([frame, *ahead], ignore_index=True)


@pytest.mark.parametrize("model", ["direct", "autoregressive"])
def test_covariates_and_missing_values(covered, model, tmp_path):
    roles = {"past": ["wind"], "known": ["sun"], "static": ["size"]}
    task = made(model, members=1, embedding_dim=2)
    learn(task, covered, **roles, epochs=1)
    config = task.network.config
    assert (config["past"], config["known"], config["static"]) == (1, 1 + 6, 1)
    assert config.get("missing", True)
    with pytest.raises(UserError, match=r"series 'a' lacks 4 rows of what is known ahead.*'sun'"):
        task.forecast()
    with pytest.raises(UserError, match="lacks 1 rows"):
        task.forecast(frame=future(covered, 3))
    frame = future(covered, 4)
    found = task.forecast(frame=frame, **PATHS)
    assert np.isfinite(numbers(found)).all()
    loaded = Forecaster.from_preset(task.save_to_preset(tmp_path / "preset"))
    again = loaded.forecast(frame=frame, **PATHS)
    np.testing.assert_allclose(numbers(again), numbers(found), rtol=1e-4)
    if model == "direct":
        frame.loc[frame["when"] > covered["when"].max(), "sun"] = -3.0
        assert np.abs(numbers(task.forecast(frame=frame)) - numbers(found)).max() > 1e-3
    with pytest.raises(UserError, match="there is no column 'wind'"):
        task.forecast(frame=frame.drop(columns="wind"))
    metrics_ = task.evaluate(levels=(0.8,), **PATHS)
    assert np.isfinite(list(metrics_.values())).all()


def test_wide_tables_are_answered_wide():
    wide = FRAME.pivot(index="when", columns="id", values="load").tz_localize("Europe/Berlin")
    task = made("linear")
    task.fit(wide, epochs=1, progress=False)
    found = task.forecast(levels=(0.8,))
    assert list(found.columns[:3]) == ["a", "a_lower_80", "a_upper_80"]
    assert str(found.index.tz) == "Europe/Berlin"
    assert found.index[0] - wide.index[-1] == pd.Timedelta("1h")


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"horizon": 0}, "horizon: got 0; this forecaster was made for 4 steps: give 1 to 4"),
        ({"horizon": -1}, "horizon: got -1"),
        ({"horizon": 5}, "horizon: got 5; this forecaster was made for 4"),
        ({"horizon": True}, "horizon: got True"),
        ({"levels": (0.8, 95)}, "levels: got 95; give shares between 0 and 1"),
        ({"frame": FRAME[FRAME["when"].dt.hour % 3 == 0]}, "series 'a' lie 3 steps of 'h' apart"),
        (
            {"frame": FRAME.assign(when=FRAME["when"].dt.hour + 24 * FRAME["when"].dt.day)},
            "times that are numbers",
        ),
        (
            {"frame": FRAME.rename(columns={"load": "price"}).assign(cost=1.0)},
            "no column is known to hold the values; .* 'price', 'cost'",
        ),
        ({"frame": FRAME[FRAME["when"] < "2024-01-01 02:00"]}, "series 'a' has 2 values in the 12 steps"),
    ],
)
def test_what_cannot_be_forecast(linear, options, fault):
    with pytest.raises(UserError, match=fault):
        linear.forecast(**options)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"steps": 3}, "steps: got 3 for a horizon of 4"),
        ({"steps": 58}, "series 'a' has 60 values; to forecast the last 58 it needs 61"),
        ({"stride": 0}, "stride: got 0"),
        ({"horizons": (2, 9)}, "horizon: got 9"),
    ],
)
def test_what_cannot_be_measured(linear, options, fault):
    with pytest.raises(UserError, match=fault):
        linear.evaluate(**options)


@pytest.mark.parametrize(
    ("model", "options", "fault"),
    [
        ("drect", {}, "unknown model 'drect': did you mean 'direct'"),
        ("direct", {"horizon": 0}, "horizon: got 0"),
        ("direct", {"look_back": 2.5}, "look_back: got 2.5"),
        ("direct", {"cell": "gruu"}, "unknown cell 'gruu'"),
        ("direct", {"likelihood": "gaussian"}, "'likelihood' is no option"),
        ("direct", {"scaling": "minmax"}, "unknown scaling 'minmax'"),
        ("linear", {"quantiles": (0.9, 0.1)}, "quantiles must rise"),
        ("smoothing", {"scaling": "standard"}, "for this model leave it out"),
        ("autoregressive", {"likelihood": "negative_binomial", "scaling": "mean"}, "it is 'none'"),
        ("direct", {"period": 0}, "period: got 0"),
    ],
)
def test_what_cannot_be_made(model, options, fault):
    with pytest.raises(UserError, match=fault):
        Forecaster(model, **{"horizon": 4, **options})


@pytest.mark.parametrize(
    ("model", "options", "fault"),
    [
        ("linear", {"known": ["load"]}, "known: got .*takes no covariates"),
        ("linear", {"frame": table("a", length=3)}, "series 'a' has 3 values; give 4 or more"),
        ("linear", {"validation_steps": 55}, "validation_steps: got 55"),
        ("linear", {"validation_steps": -1}, "validation_steps: got -1"),
        ("linear", {"stride": 0}, "stride: got 0"),
        ("linear", {"loss": "rmse"}, "unknown loss 'rmse'"),
        ("linear", {"weighting": "size"}, "unknown weighting"),
        ("smoothing", {"frame": FRAME.assign(load=FRAME["load"] - 15)}, "series 'a': found -.*logarithms"),
    ],
)
def test_what_cannot_be_learned(model, options, fault):
    options = dict(options)
    with pytest.raises(UserError, match=fault):
        learn(made(model), options.pop("frame", FRAME), **options)


def test_short_series_are_learned_from_and_forecast():
    frame = pd.concat([FRAME, table("z", length=8, start="2024-01-03 04:00")])
    task = made("linear")
    learn(task, frame, epochs=1)
    assert np.isfinite(numbers(task.forecast())).all()


def test_further_learning_keeps_frequency_and_covariates(linear, tmp_path):
    task = from_preset(linear.save_to_preset(tmp_path / "preset"))
    with pytest.raises(UserError, match="the times are D, those that were learned from h"):
        learn(task, FRAME.assign(when=FRAME["when"].min() + (FRAME["when"] - FRAME["when"].min()) * 24))


def test_tables_of_other_columns_are_read_too(linear):
    one = FRAME[FRAME["id"] == "b"].sort_values("when")
    expected = linear.forecast(frame=one)["forecast"].to_numpy()
    single = pd.Series(one["load"].to_numpy(), index=pd.DatetimeIndex(one["when"]))
    wide = pd.DataFrame({"time": one["when"], "north": one["load"], "south": 2 * one["load"]})
    found = linear.forecast(frame=single)["forecast"].to_numpy()
    both = linear.forecast(frame=wide)
    # a series by another name has a scale of its own, as if it were new
    np.testing.assert_allclose(found, both["north"], rtol=1e-5)
    np.testing.assert_allclose(2 * found, both["south"], rtol=1e-5)
    assert (np.abs(found / expected - 1) < 0.2).all()


def test_weeks_that_begin_on_another_day_are_weeks():
    def weekly(start):
        times = pd.date_range(start, periods=40, freq="7D")
        return pd.DataFrame({"time": times, "value": 10.0 + np.arange(40) % 5})

    task = Forecaster("linear", horizon=3, look_back=8, kernel=3)
    task.fit(weekly("2024-01-01"), epochs=1, progress=False)
    assert task.preprocessor.frequency == "W-MON"
    found = task.forecast(frame=weekly("2024-01-06"))
    assert found["time"].tolist() == [*pd.date_range("2024-10-12", periods=3, freq="W-SAT")]
    mixed = weekly("2024-01-06")
    mixed.loc[20:, "time"] += pd.Timedelta("1D")
    with pytest.raises(UserError, match="2024-01-06 00:00:00 is no time of the frequency 'W-MON'"):
        task.forecast(frame=mixed)


@pytest.mark.parametrize(
    ("file", "change", "fault"),
    [
        ("config.json", {"model": "other"}, "model"),
        ("config.json", {"look_back": 13}, "look_back is not that of"),
        ("config.json", {"network.horizon": 5}, "calibration is not that of"),
        ("config.json", {"network.series": 7}, "series is not that of"),
        ("preprocessor.json", {"calendar": ["moon"]}, "moon"),
        ("preprocessor.json", {"error_ratio": 0}, "error_ratio"),
        ("preprocessor.json", {"calendar": ["hour_of_day"]}, "known is not that of"),
    ],
)
def test_presets_that_do_not_fit_together(linear, tmp_path, file, change, fault):
    from zoo import presets
    from zoo.presets import store

    folder = linear.save_to_preset(tmp_path / "preset")
    found = json.loads((folder / file).read_text())
    for key, value in change.items():
        *path, last = key.split(".")
        inner = found
        for part in path:
            inner = inner[part]
        inner[last] = value
    read = presets.read(folder)
    changed = store.Preset(**{**vars(read), "config" if file == "config.json" else "preprocessor": found})
    with pytest.raises(PresetError, match=fault):
        Forecaster.from_read(changed)


def test_nothing_learned_yet():
    with pytest.raises(UserError, match="it has learned nothing yet"):
        Forecaster(horizon=3).forecast()
