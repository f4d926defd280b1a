"""Forecasts on the command line: any layout in, the same layout out, in every format; nothing half-written."""

import json
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
from matplotlib import image

import zoo
from applications import cli
from applications.core import backend
from applications.forecasting import predict
from zoo import UserError
from zoo.tasks.panel import answer, answer_columns, read_frame

TIMES = pd.date_range("2024-03-01", periods=8, freq="D")


class Memory:
    frequency = "D"

    def __init__(self):
        self.columns = {"time": None, "value": None, "series": None, "past": [], "known": [], "static": []}
        self.columns["missing"] = "keep"


class FakeForecaster:
    """Goes on with the last value and adds a step each; its bounds are ten levels away."""

    horizon = 3

    def __init__(self):
        self.preprocessor, self.seeds = Memory(), []

    def forecast(self, horizon=None, levels=(), *, frame=None, seed=0):
        self.seeds.append(seed)
        if horizon is not None and horizon > self.horizon:
            raise UserError(f"horizon: got {horizon}; this forecaster was made for {self.horizon} steps")
        made = self.preprocessor
        panel = read_frame(frame, **made.columns, frequency=made.frequency, where="forecast")
        point = np.array(
            [values[-1] + np.arange(1, (horizon or self.horizon) + 1) for values in panel.values]
        )
        bounds = [point + sign * 10 * level for level in levels for sign in (-1, 1)]
        return answer(panel, np.stack([point, *bounds], axis=-1), answer_columns(levels))


def series(layout="long"):
    """Return the series `a`, 0 to 7, and `b`, 100 to 107, as a table."""
    wide = pd.DataFrame({"date": TIMES, "a": np.arange(8.0), "b": 100 + np.arange(8.0)})
    if layout == "wide":
        return wide
    if layout == "single":
        return wide[["date", "a"]]
    return wide.melt("date", var_name="series", value_name="value")


def asked(frame, **how):
    columns = dict.fromkeys(("time", "value", "series"))
    return predict.answer(FakeForecaster(), predict.Series("own.csv", frame, columns), **how)


@pytest.mark.parametrize("layout", ["long", "wide", "single"])
def test_arrays_are_those_of_every_layout(layout):
    found = asked(series(layout), horizon=2, levels=(0.5, 0.8))
    last = [7, 107] if layout != "single" else [7]
    expected = [[[end + step + shift for shift in (0, -5, 5, -8, 8)] for step in (1, 2)] for end in last]
    np.testing.assert_allclose(found.arrays(), expected)
    assert len(found) == len(last)


def written(suffix, frame, **how):
    return predict.FORMATS[suffix].block([asked(frame, **how)], True)


def test_formats():
    assert written(".csv", series(), horizon=1, levels=()) == (
        "series,date,forecast\na,2024-03-09,8\nb,2024-03-09,108\n"
    )
    assert written(".tsv", series("single"), horizon=1, levels=(0.8,)) == (
        "date\tforecast\tlower_80\tupper_80\n2024-03-09\t8\t0\t16\n"
    )
    assert written(".csv", series("wide"), horizon=1, levels=()) == "date,a,b\n2024-03-09,8,108\n"
    rows = json.loads(written(".json", series(), levels=(0.95,)))
    assert len(rows) == 6
    assert rows[4] == {
        "series": "b", "date": "2024-03-10T00:00:00", "forecast": 109.0, "lower_95": 99.5, "upper_95": 118.5,
    }  # fmt: skip
    lines = written(".jsonl", series(), levels=(0.95,)).splitlines()
    assert list(map(json.loads, lines)) == rows


def test_time_zones_are_written():
    frame = series("single").assign(date=TIMES.tz_localize("Europe/Berlin"))
    assert written(".csv", frame, horizon=1, levels=()) == "date,forecast\n2024-03-09 00:00:00+01:00,8\n"
    [row] = json.loads(written(".json", frame, horizon=1, levels=()))
    assert row["date"] == "2024-03-09T00:00:00+01:00"


def test_columns_that_were_learned_from_are_read_where_they_are():
    task = FakeForecaster()
    task.preprocessor.columns |= {"time": "when", "value": "a", "series": "shop"}
    columns = dict.fromkeys(("time", "value", "series"))
    found = predict.answer(task, predict.Series("own.csv", series("wide"), columns))
    assert found.panel.names == ["a"]  # not b: the task has learned from a column a
    named = predict.Series("own.csv", series("wide"), {**columns, "value": "b"})
    assert predict.answer(task, named).panel.names == ["b"]
    assert task.preprocessor.columns["time"] == "when"


def test_names_of_series_stay_text(tmp_path):
    (tmp_path / "own.csv").write_text("shop,date,value\n" + "".join(f"7,{time:%F},1\n" for time in TIMES))
    none = dict.fromkeys(("time", "value", "series", "frequency"))
    for told, given in (({"columns": {"series": "shop"}}, None), ({}, "shop")):
        found = predict.read(tmp_path / "own.csv", told, **{**none, "series": given})
        assert list(found.frame["shop"]) == ["7"] * 8


def test_another_frequency_is_refused():
    plain = dict.fromkeys(("time", "value", "series"))
    said = predict.Series("own.csv", series(), plain, "h")
    with pytest.raises(UserError, match="--frequency: got 'h', and the preset has learned from D"):
        predict.answer(FakeForecaster(), said)


def test_pictures_show_the_first_series(tmp_path):
    many = pd.DataFrame({"date": TIMES, **{f"s{place}": np.arange(8.0) for place in range(8)}})
    heights = []
    for frame in (series("single"), many):
        found = asked(frame)
        predict.draw(FakeForecaster(), [found], len(found), tmp_path / "a.png")
        heights.append(image.imread(tmp_path / "a.png").shape[0])
    assert heights[0] < heights[1]


# --- the command -----------------------------------------------------------------------------------------------


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Run `zoo predict` on a preset of this application, whose task is made up."""
    config = {"task": "Forecaster", "network": {}}
    zoo.presets.write(
        tmp_path / "daily",
        config=config,
        preprocessor={"frequency": "D"},
        weights={},
        card="# Daily",
        metadata={"application": "forecasting"},
    )
    monkeypatch.setattr(cli, "_load", lambda saved: FakeForecaster())
    monkeypatch.setattr(backend, "starting", nullcontext)
    monkeypatch.chdir(tmp_path)

    def run(*argv):
        with pytest.raises(SystemExit) as end:
            cli.main(["predict", "daily", *argv])
        return end.value.code, *capsys.readouterr()

    return run


def test_the_command_of_the_readme(call, tmp_path):
    series().to_csv("own.csv", index=False)
    argv = ("--input", "own.csv", "--horizon", "2", "--plot", "out.png", "--output", "out.csv")
    status, out, err = call(*argv)
    assert (status, out) == (0, "")
    assert err.startswith("zoo: 2 series in ")
    rows = pd.read_csv("out.csv")
    assert list(rows) == "series date forecast lower_80 upper_80 lower_95 upper_95".split()
    assert list(rows["forecast"]) == [8, 9, 108, 109]
    assert (tmp_path / "out.png").stat().st_size > 2000
    status, out, _ = call("--input", "own.csv", "--levels", "none", "--quiet")
    assert (status, out.splitlines()[1]) == (0, "a,2024-03-09,8")


BAD = {  # name of the file -> its bytes, and what is said of it
    "zero.csv": (b"", "zero.csv: is empty"),
    "header.csv": (b"date,value\n", "header.csv: has no rows"),
    "latin.csv": ("date,größe\n2024-01-01,1\n".encode("latin-1"), "latin.csv:1: not UTF-8"),
    "utf16.csv": ("date,value\n2024-01-01,1\n".encode("utf-16"), "utf16.csv: is UTF-16"),
    "nul.csv": (b"date,value\n2024-01-01,\x001\n", "nul.csv:2: "),
    "picture.csv": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "picture.csv:1: "),
    "ragged.csv": (b"date,value\n2024-01-01,1\n2024-01-02\n", "ragged.csv:3: found 1 fields"),
    "twice.csv": (b"date,value,value\n2024-01-01,1,2\n", "twice.csv:1: the column 'value' occurs twice"),
    "thousands.csv": (b'date,value\n2024-01-01,"1,234"\n', "thousands.csv:2: column 'value': '1,234' may be"),
    "text.csv": (b"date,value\n2024-01-01,1\n2024-01-02,many\n2024-01-03,3\n", "column 'value', line 3: "),
    "infinite.csv": (b"date,value\n2024-01-01,1\n2024-01-02,inf\n2024-01-03,3\n", "column 'value', line 3: "),
    "large.csv": (b"date,value\n2024-01-01,1\n2024-01-02,1e300\n2024-01-03,3\n", "column 'value', line 3: "),
    "empty.csv": (b"date,value\n2024-01-01,\n2024-01-02,nan\n2024-01-03,\n", "there is no value"),
    "again.csv": (b"date,value\n2024-01-01,1\n2024-01-02,2\n2024-01-02,3\n", "stands twice"),
    "dates.csv": (b"date,value\n2024-01-01,1\n2024-02-31,2\n2024-03-03,3\n", "column 'date', line 3: "),
    "year.csv": (b"date,value\n9999-01-01,1\n9999-01-02,2\n9999-01-03,3\n", "9999"),
    "lonely.csv": (b"value\n1\n2\n3\n", "lonely.csv: "),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_in_one_line(call, name, tmp_path):
    content, said = BAD[name]
    (tmp_path / name).write_bytes(content)
    before = sorted(path.name for path in tmp_path.iterdir())
    status, out, err = call("--input", name, "--output", "out.csv", "--plot", "out.png")
    assert (status, out) == (2, "")
    assert err.startswith("zoo: error: ")
    assert err.count("\n") == 1
    assert said in err
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_horizon_beyond_what_was_trained_is_refused(call, tmp_path):
    series().to_csv("own.csv", index=False)
    status, out, err = call("--input", "own.csv", "--horizon", "4", "--output", "out.csv")
    assert (status, out) == (2, "")
    assert "got 4; this forecaster was made for 3 steps" in err
    assert not (tmp_path / "out.csv").exists()
