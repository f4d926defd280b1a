"""The report of a forecaster: its numbers are those of the metrics, its files are there, its sample is fair."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scoringrules

from applications.forecasting import baselines, methods, report
from applications.forecasting.data import Table
from zoo import UserError, metrics
from zoo.tasks.forecasts import Forecasts, following

PERIOD, HORIZON = 6, 12


class Scale:
    """What a forecaster remembers: the scale of each series is ten."""

    frequency = "h"

    def __init__(self, calibrated=True):
        names = {"time": "time", "value": "value", "series": "series"}
        self.columns = {**names, "past": [], "known": [], "static": [], "missing": "keep"}
        self.calibration = np.zeros((HORIZON, 3)) if calibrated else None

    def scales_of(self, names, values):
        return np.array([(1.0, 10.0)] * len(names))

    def scaled(self, name, values, scale):
        return (values - scale[0]) / scale[1]


class FakeTask:
    """Says the value of two seasons before, a level apart from it on both sides; its windows are counted."""

    model, horizon, look_back = "direct", HORIZON, 24

    def __init__(self, calibrated=True):
        self.preprocessor, self.asked = Scale(calibrated), []

    def evaluate(self, frame, **protocol):
        self.asked.append((frame, protocol))
        return {"mse": 4.0, "owa": float("nan"), "mse_6": 3.0, "mse_12": 5.0}

    def arrays(self, panel, *, horizon, steps, stride, levels, probabilities, scaled=False):
        series, cutoffs = [], []
        for place, values in enumerate(panel.values):
            ends = range(len(values) - steps, len(values) - horizon + 1, stride)
            series += [place] * len(ends)
            cutoffs += ends
        series, cutoffs = np.array(series), np.array(cutoffs)
        actual = following(panel.values, series, cutoffs, horizon)
        point = following(panel.values, series, cutoffs - 2 * PERIOD, horizon)
        bounds = {level: (point - 20 * level, point + 20 * level) for level in levels}
        quantiles = point[..., None] + 20 * (np.array(probabilities) - 0.5) if len(probabilities) else None
        return Forecasts(series, cutoffs, actual, point, bounds, quantiles)


def frame(count=4, length=90, seed=0):
    """Return series of one season, the later ones with more noise; the second one begins late."""
    generator = np.random.default_rng(seed)
    wave = 50 + 20 * np.sin(2 * np.pi * np.arange(length) / PERIOD)
    times = pd.date_range("2024-01-01", periods=length, freq="h")
    rows = [
        pd.DataFrame(
            {"series": f"s{place}", "time": times, "value": wave + place * generator.normal(size=length)}
        )
        for place in range(count)
    ]
    rows[1] = rows[1][20:]
    return pd.concat(rows, ignore_index=True)


COLUMNS = {"time": "time", "value": "value", "series": "series", "frequency": "h"}
TABLE = Table(frame(), COLUMNS, "own.csv", names=("s0", "s1", "s2", "s3"), period=PERIOD)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Drawing takes its time: only `written`, which is made before, has pictures."""
    for name in ("forecasts", "errors", "coverage", "reliability"):
        monkeypatch.setattr(report.pictures, name, lambda *given: given[-1].touch())


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run" / "report"
    history = [{"epoch": 1, "loss": 3.0, "val_loss": 5.0}, {"epoch": 2, "loss": 2.0, "val_loss": 4.0}]
    task = FakeTask()
    table = replace(TABLE, steps=24, stride=3)
    return folder, report.write(task, table, folder, history=history), task


def sample(task=None, **changes):
    """Return the windows of a report, as `write` makes them."""
    table = replace(TABLE, **changes)
    reader, _, panel, protocol, _ = report._prepared(task or FakeTask(), table, None)
    return report._sample(reader, panel, table, protocol, report.LEVELS)


def test_files(written):
    folder, found, _ = written
    names = "coverage.png errors.png forecasts.csv forecasts.png reliability.png report.json report.md"
    assert sorted(path.name for path in folder.iterdir()) == [*names.split(), "training_curves.png"]
    assert [path.name for path in folder.parent.iterdir()] == ["report"]
    assert json.loads((folder / "report.json").read_text("utf-8")) == json.loads(json.dumps(found))
    page = (folder / "report.md").read_text("utf-8")
    for name in ("forecasts", "errors", "coverage", "reliability", "training_curves"):
        assert f"({name}.png)" in page
    assert page.startswith(
        "# FakeTask on `own.csv`\n\n4 series: the last 24 steps of each series, from origins 3 steps apart"
    )
    assert "in the unit of the series; a season has 6 steps." in page
    assert "flatters" in page
    rows = pd.read_csv(folder / "forecasts.csv")
    assert list(rows) == "series cutoff step time actual forecast lower_80 upper_80 lower_95 upper_95".split()
    assert len(rows) == 4 * HORIZON
    last = rows[rows["series"] == "s1"]
    assert list(last["actual"]) == pytest.approx(list(TABLE.frame.query("series == 's1'")["value"][-12:]))
    assert (last["time"].iloc[0], last["cutoff"].iloc[0]) == ("2024-01-04 06:00:00", "2024-01-04 05:00:00")


def test_the_protocol_is_that_of_the_table(written):
    _, found, task = written
    _, asked = task.asked[0]
    assert asked == {
        "horizon": 12, "steps": 24, "stride": 3, "levels": (0.8, 0.95), "scaled": False, "period": PERIOD,
    }  # fmt: skip
    assert found["metrics"] == {"mse": 4.0, "mse_6": 3.0, "mse_12": 5.0}  # what is not defined is left out
    for changes, horizon, wanted in (
        ({}, None, {"horizon": 12, "steps": 12}),
        ({}, 4, {"horizon": 4, "steps": 4}),
        ({"steps": 5}, None, {"horizon": 5, "steps": 5}),
        ({"steps": 40, "horizons": (6, 12, 24)}, None, {"horizons": [6, 12], "steps": 40}),
        ({"steps": 40, "horizons": (6, 12)}, 3, {"horizon": 3, "steps": 40}),
        ({"steps": 40, "horizons": (24,)}, None, {"horizon": 12, "steps": 40}),
    ):
        task = FakeTask()
        report.evaluate(task, replace(TABLE, **changes), horizon=horizon, levels=())
        assert task.asked[0][1].items() >= wanted.items()


def test_the_rows_of_the_methods_are_the_metrics_of_their_forecasts(written):
    _, found, _ = written
    rows = {row["model"]: row for row in found["models"]}
    assert list(rows) == ["FakeTask", "seasonal naive", "Naive 2"]
    windows = sample(steps=24, stride=3)
    assert found["windows"] == len(windows.windows.series) == 4 * 5
    actual, point = windows.windows.actual, windows.windows.forecast
    own = rows["FakeTask"]
    assert own["mse"] == pytest.approx(metrics.mse(actual, point))
    assert own["coverage_80"] == pytest.approx(np.mean(np.abs(actual - point) <= 16))
    assert own["width_95"] == pytest.approx(38)
    probabilities = np.arange(1, 20) / 20
    expected = metrics.crps_quantiles(actual, point[..., None] + 20 * (probabilities - 0.5), probabilities)
    assert own["crps"] == pytest.approx(expected)
    naive = np.stack(
        [baselines.seasonal_naive(windows.before(row), HORIZON, PERIOD).point for row in range(20)]
    )
    assert rows["seasonal naive"]["mae"] == pytest.approx(metrics.mae(actual, naive))
    before = [windows.panel.values[s][:-24] for s in windows.windows.series]
    assert rows["seasonal naive"]["mase"] == pytest.approx(metrics.mase(actual, naive, before, PERIOD))
    assert rows["Naive 2"]["owa"] == pytest.approx(1)
    owa = metrics.owa(own["smape"], own["mase"], rows["Naive 2"]["smape"], rows["Naive 2"]["mase"])
    assert own["owa"] == pytest.approx(owa)
    assert "coverage_50" not in rows["FakeTask"]


def test_the_quantiles_of_baselines_are_the_ends_of_their_intervals():
    windows = sample()
    said = methods.of_baseline("seasonal naive", windows, (0.95,))
    assert list(said.intervals) == [*methods.TENTHS, 0.95]
    one = baselines.seasonal_naive(windows.before(2), HORIZON, PERIOD, (0.9, 0.1))
    lower, upper = one.intervals[0.9]
    np.testing.assert_allclose(said.quantiles[2, :, [0, 9, 18]], [lower, one.point, upper])
    np.testing.assert_allclose(said.quantiles[2, :, 8], one.intervals[0.1][0])
    assert (np.diff(said.quantiles, axis=-1) >= 0).all()


def test_crps_is_that_of_scoringrules_where_values_are_known():
    generator = np.random.default_rng(0)
    actual, quantiles = generator.normal(size=(3, 4)), np.sort(generator.normal(size=(3, 4, 19)))
    actual[1, 2] = np.nan
    each = scoringrules.crps_quantile(actual, quantiles, np.arange(1, 20) / 20)
    assert report._crps(actual, quantiles) == pytest.approx(np.nanmean(each))


def test_steps_levels_and_examples(written):
    _, found, _ = written
    windows = sample(steps=24, stride=3)
    actual, point = windows.windows.actual, windows.windows.forecast
    size = np.array([np.abs(y[:-24][6:] - y[:-24][:-6]).mean() for y in windows.panel.values])
    error = (actual - point) / size[windows.windows.series][:, None]
    assert [row["step"] for row in found["by_step"]] == list(range(1, 13))
    row = found["by_step"][4]
    assert row["count"] == 20
    assert row["mae"] == pytest.approx(np.nanmean(np.abs(error[:, 4])))
    assert (row["low"], row["high"]) == pytest.approx(tuple(np.nanquantile(error[:, 4], (0.1, 0.9))))
    assert row["coverage_95"] == pytest.approx(np.mean(np.abs(actual - point)[:, 4] <= 19))
    assert [row["level"] for row in found["reliability"]] == [*(tenth / 10 for tenth in range(1, 10)), 0.95]
    half = next(row for row in found["reliability"] if row["level"] == 0.5)
    assert half["coverage"] == pytest.approx(np.mean(np.abs(actual - point) <= 10))
    means = np.abs(error).mean(axis=1)
    rows = found["examples"]
    assert [row["kind"] for row in rows] == [kind for kind in ("good", "middling", "bad") for _ in range(2)]
    assert rows[0]["mase"] == pytest.approx(np.nanmin(means))
    assert rows[-1]["mase"] == pytest.approx(np.nanmax(means))
    assert [row["mase"] for row in rows] == sorted(row["mase"] for row in rows)


def test_all_methods_have_the_same_windows_evenly_spread(monkeypatch):
    monkeypatch.setattr(report, "WINDOWS", 10)
    found = sample(steps=30)
    assert len(found.windows.series) == 4 * 2  # 19 origins of each are thinned out by 10
    assert found.stride == 10
    assert found.windows.cutoffs[:2].tolist() == [60, 70]
    monkeypatch.setattr(report, "WINDOWS", 3)
    found = sample()
    assert found.panel.names == ["s0", "s2", "s3"]
    assert len(found.windows.series) == 3


def test_scaled_tables_are_measured_in_the_scale_of_the_task(tmp_path):
    found = report.write(FakeTask(), replace(TABLE, scaled=True), tmp_path)
    plain = report.write(FakeTask(), TABLE, tmp_path)
    own, other = found["models"][0], plain["models"][0]
    assert own["mse"] == pytest.approx(other["mse"] / 100)
    assert own["crps"] == pytest.approx(other["crps"] / 10)
    assert own["width_80"] == pytest.approx(other["width_80"] / 10)
    assert not {"smape", "mase", "owa"} & set(own)
    assert found["unit"].startswith("standard deviations")
    assert "season" not in found


def test_several_horizons_have_a_row_each(tmp_path):
    report.write(FakeTask(), replace(TABLE, steps=24, horizons=(6, 12)), tmp_path)
    page = (tmp_path / "report.md").read_text("utf-8")
    assert "| horizon | mse |\n| --- | ---: |\n| 6 | 3.0000 |\n| 12 | 5.0000 |\n| mean | 4.0000 |" in page
    assert "from every origin, 6, 12 steps ahead" in page


def test_what_is_too_short_is_left_out_and_told(tmp_path):
    short = TABLE.frame[TABLE.frame["series"].ne("s2") | (TABLE.frame["time"] < "2024-01-01 13:00")]
    task = FakeTask()
    found = report.write(task, replace(TABLE, frame=short), tmp_path)
    assert (found["count"], found["left_out"]) == (3, 1)
    assert "s2" not in set(task.asked[0][0]["series"])
    assert "1 more are too short and left out" in (tmp_path / "report.md").read_text("utf-8")
    wide = short.pivot(index="time", columns="series", values="value").reset_index()
    task = FakeTask()
    columns = {"time": "time", "value": None, "series": None}
    task.preprocessor.columns |= columns
    assert report.about(task, replace(TABLE, frame=wide, columns=columns))["left_out"] == 1
    few = TABLE.frame[TABLE.frame["time"] < "2024-01-01 13:00"].query("series == 's0'")
    with pytest.raises(UserError, match=r"own.csv: no series has 15 values"):
        report.evaluate(FakeTask(), replace(TABLE, frame=few))


def test_another_table_is_read_by_its_own_columns():
    other = TABLE.frame.rename(columns={"series": "shop", "time": "day", "value": "sales"})
    task = FakeTask()
    kept = dict(task.preprocessor.columns)
    columns = {"time": "day", "value": "sales", "series": "shop"}
    assert report.about(task, replace(TABLE, frame=other, columns=columns))["season"] == PERIOD
    assert task.preprocessor.columns == kept  # the task stays as it is
    single = TABLE.frame.query("series == 's0'")[["time", "value"]]
    found = dict.fromkeys(("time", "value", "series"))
    assert report.about(task, replace(TABLE, frame=single, columns=found))["season"] == PERIOD


def test_without_calibration_and_levels(tmp_path):
    found = report.write(FakeTask(calibrated=False), TABLE, tmp_path, levels=())
    assert found["reliability"] == []
    assert not {"crps", "coverage_80"} & set(found["models"][0])
    assert "crps" in found["models"][1]
    assert not (tmp_path / "coverage.png").exists()
    assert found["crps_of"] == "the network's own quantiles"


def test_constant_series_have_no_examples(tmp_path):
    flat = TABLE.frame.assign(value=5.0)
    found = report.write(FakeTask(), replace(TABLE, frame=flat), tmp_path)
    assert found["examples"] == []
    assert found["models"][0]["mse"] == 0
    assert not (tmp_path / "forecasts.png").exists()


def test_an_earlier_report_is_replaced_and_nothing_is_half_written(tmp_path, monkeypatch):
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    (folder / "report.md").write_text("old")

    def fail(*_):
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(report.pictures, "errors", fail)
        with pytest.raises(OSError, match="full"):
            report.write(FakeTask(), TABLE, folder)
    assert (folder / "report.md").read_text() == "old"
    report.write(FakeTask(), TABLE, folder)
    assert (folder / "report.md").read_text("utf-8").startswith("# FakeTask on")
    assert (folder / "mine.txt").exists()


def test_fitted_baselines_say_where_they_fell_back(monkeypatch):
    def theta(values, horizon, period, levels):
        plain = baselines.seasonal_naive(values, horizon, period, levels)
        return replace(plain, model="seasonal naive (constant)" if len(values) < 60 else "Theta")

    monkeypatch.setitem(baselines.BASELINES, "Theta", theta)
    said = methods.of_baseline("Theta", sample(), (0.8,))
    assert said.note == "seasonal naive in 1 of them"


def test_several_processes_say_the_same(monkeypatch):
    jobs = [("Naive 2", np.arange(20.0) + row, 3, 2, (0.8,)) for row in range(20)]
    monkeypatch.setattr(methods, "ProcessPoolExecutor", lambda *_: _Pool())
    found = [one.point.tolist() for one in methods._each(methods._forecast, jobs, 2)]
    assert found == [one.point.tolist() for one in methods._each(methods._forecast, jobs, 1)]


class _Pool(SimpleNamespace):
    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def map(self, function, jobs, chunksize):
        return map(function, jobs)
