"""The data of the forecasting application: samples, tables and their faults, ETT, M4, TFDS."""

import functools
import gzip
import json
import lzma

import numpy as np
import pandas as pd
import pytest

from applications.core import sources, tfds
from applications.core.sources import SourceError
from applications.forecasting import baselines, data, options, sample
from zoo import metrics
from zoo.tasks import read_frame

DAYS = "date,sales\n2024-01-01,1\n2024-01-02,2\n2024-01-03,4\n2024-01-04,8\n"


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    content = content.encode() if isinstance(content, str) else content
    path.write_bytes({".xz": lzma.compress, ".gz": gzip.compress}.get(path.suffix, bytes)(content))
    return str(path)


def refused(*arguments, load=data.load, **options):
    with pytest.raises(SourceError) as fault:
        load(*arguments, **options)
    assert "\n" not in str(fault.value)
    return str(fault.value)


def panel(table):
    return read_frame(table.frame, **table.columns)


# --- the samples ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "count", "first", "last"),
    [("sunspots", 309, ("1700-01-01", 5.0), ("2008-01-01", 2.9)), ("co2", 2284, ("1958-03-29", 316.1), None)],
)
def test_sample(name, count, first, last):
    parts = {split: data.load(f"builtin:{name}", split) for split in ("train", "validation", "test")}
    held, known = sample.SAMPLES[name].held, sample.SAMPLES[name]
    lengths = {split: len(part.frame) for split, part in parts.items()}
    assert lengths == {"train": count - 2 * held, "validation": count - held, "test": count}
    assert {split: part.steps for split, part in parts.items()} == {
        "train": None,
        "validation": held,
        "test": held,
    }
    table = parts["test"]
    assert (len(table), table.names, table.period) == (1, (name,), known.period)
    [times], [values] = panel(table).times, panel(table).values
    assert times.freqstr == known.frequency
    assert (str(times[0].date()), values[0]) == first
    if last:
        assert (str(times[-1].date()), values[-1]) == last
    else:
        assert np.isnan(values).sum() == 59
        assert (values[-1], str(times[-1].date())) == (371.5, "2001-12-29")
    training, validation = data.load_training(f"builtin:{name}")
    assert (training.split, validation.split) == ("train", "validation")
    pd.testing.assert_frame_equal(training.frame, validation.frame[:-held])


def test_sample_without_a_name():
    assert data.load("builtin", "dev").source == "builtin:sunspots"
    assert data.splits("builtin") == ("train", "validation", "test")
    assert "builtin:sun: unknown sample 'sun': did you mean 'sunspots'" in refused("builtin:sun", "test")
    assert "has the splits train, validation, test: name one" in refused("builtin")
    assert "unknown split 'tset': did you mean 'test'" in refused("builtin:co2", "tset")


# --- tables --------------------------------------------------------------------------------------------------


def test_table(tmp_path):
    file = write(tmp_path / "own.csv", DAYS)
    table = data.load(file)
    assert (len(table), table.names, table.source) == (1, ("sales",), file)
    assert (table.split, table.steps, table.horizons, table.scaled) == (None, None, None, False)
    assert table.columns == dict.fromkeys(("time", "value", "series", "frequency"))
    assert panel(table).values[0].tolist() == [1, 2, 4, 8]
    assert data.splits(file) == ()
    training, validation = data.load_training(file, time="date")
    assert training is validation
    assert training.columns["time"] == "date"
    assert "leave out 'test'; the last values of each series are forecast" in refused(file, "test")
    assert "a model is chosen by the last values" in refused(file, load=data.load_training, validation=file)


def test_long_table(tmp_path):
    lines = "day\tshop\tsold\theat\n" + "".join(
        f"2024-01-0{day}\t0{shop}\t{day * shop}\t{day}\n" for shop in (2, 1) for day in (3, 1, 2)
    )
    file = write(tmp_path / "own.tsv.gz", lines)
    columns = {"time": "day", "value": "sold", "series": "shop", "frequency": "D"}
    table = data.load(file, **columns, past=["heat"])
    assert (table.names, table.columns) == (("01", "02"), columns)
    assert [values.tolist() for values in panel(table).values] == [[1, 2, 3], [2, 4, 6]]


def test_table_of_whole_numbers(tmp_path):
    file = write(tmp_path / "own.csv", "ds,unique_id,y\n0,a,1\n2,a,2\n")
    table = data.load(file, frequency="2")
    assert table.columns["frequency"] == 2
    assert list(panel(table).times[0]) == [0, 2]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (DAYS.replace("2024-01-03,4\n", ""), [1, 2, np.nan, 8]),  # a gap
        (DAYS.replace(",4", ","), [1, 2, np.nan, 8]),
        (DAYS.replace(",4", ",NaN"), [1, 2, np.nan, 8]),
        ("date,sales\n2024-01-03,4\n2024-01-01,1\n2024-01-02,2\n", [1, 2, 4]),  # unsorted
        ("date,sales\n2024-01-01,5\n2024-01-02,5\n2024-01-03,5\n", [5, 5, 5]),
        ("date;sales\n01.02.2024;1.234,5\n02.02.2024;0,5\n03.02.2024;2\n", [1234.5, 0.5, 2]),
        ('date,sales\n2024-01-01,"1,234.5"\n2024-01-02,"1,000"\n2024-01-03,2\n', [1234.5, 1000, 2]),
        (
            "date,sales\n2024-03-31T00:00+01:00,1\n2024-03-31T01:00+01:00,2\n2024-03-31T03:00+02:00,3\n",
            [1, 2, 3],
        ),
    ],
)
def test_what_is_taken(tmp_path, content, expected):
    table = data.load(write(tmp_path / "own.csv", content))
    np.testing.assert_array_equal(panel(table).values[0], expected)


HOURS = "date,sales\n2024-10-27 01:00,1\n2024-10-27 02:00,2\n2024-10-27 02:00,3\n2024-10-27 03:00,4\n"


@pytest.mark.parametrize(
    ("content", "columns", "message"),
    [
        ("", {}, "own.csv: is empty"),
        ("date,sales\n", {}, "own.csv: has no rows"),
        (
            "sales\n1\n2\n",
            {},
            "own.csv: no column is known to hold the times; give time=; the columns are 'sales'",
        ),
        ("date\n2024-01-01\n2024-01-02\n", {}, "own.csv: there is no column of values"),
        (DAYS, {"time": "day"}, "own.csv: there is no column 'day'; the columns are 'date', 'sales'"),
        (DAYS, {"value": "sold"}, "own.csv: there is no column 'sold'"),
        (DAYS, {"past": ["heat"]}, "own.csv: there is no column 'heat'"),
        (DAYS.replace(",4", ",inf"), {}, "own.csv, column 'sales', line 4: found inf"),
        (DAYS.replace(",4", ",1e300"), {}, "own.csv, column 'sales', line 4: found 1e+300"),
        (
            "date,sales\n2024-01-01,\n2024-01-02,NA\n2024-01-03,\n",
            {},
            "column 'sales', line 2: there is no value",
        ),
        (
            DAYS.replace("-03", "-02"),
            {},
            "own.csv, column 'date', line 4: the time 2024-01-02 00:00:00 stands",
        ),
        (
            DAYS.replace("01-03", "01-03 07:00"),
            {},
            "own.csv, column 'date', line 3: from 2024-01-01 00:00:00 to 2024-01-02 00:00:00 is a step of",
        ),
        ("date,sales\n2024-01-01,1\n", {}, "own.csv, column 'date', line 2: one or two rows do not tell"),
        ("date,sales\n2024-01-01,1\n2024-01-02,1\n", {}, "give frequency=, such as 'h'"),
        (
            DAYS.replace(",4", ",four"),
            {},
            "own.csv, column 'sales', line 4: found 'four' where a number should",
        ),
        (
            DAYS.replace(",4", ",true"),
            {},
            "own.csv, column 'sales', line 4: found 'true' where a number should",
        ),
        (DAYS.replace("01-03", "13-03"), {}, "own.csv, column 'date', line 4: '2024-13-03' is no date"),
        (DAYS.replace("2024-01-04", "9999-01-04"), {}, "own.csv, column 'date', line 5: found the year 9999"),
        (
            DAYS.replace("01-03", "01-03T00:00+01:00"),
            {},
            "own.csv, column 'date', line 4: of '2024-01-03T00:00+01:00'",
        ),
        (DAYS.replace("date,sales", "date,date"), {}, "own.csv:1: the column 'date' occurs twice"),
        (DAYS.replace(",4", ",4,5"), {}, "own.csv:4: found 3 fields where the first line has 2"),
        (
            HOURS,
            {},
            "line 4: the time 2024-10-27 02:00:00 stands twice; keep one of the rows, or give times their",
        ),
        (DAYS.replace(",4", f",{'9' * 5_000_000}"), {}, "own.csv, column 'sales', line 4: found inf"),
        (DAYS.replace(",4", f",{'x' * 5_000_000}"), {}, "own.csv, column 'sales', line 4: found 'xxxx"),
        (DAYS, {"frequency": "daily"}, "frequency: 'daily' is not a name of pandas"),
    ],
)
def test_what_is_refused(tmp_path, content, columns, message):
    found = refused(write(tmp_path / "own.csv", content), **columns)
    assert message in found
    assert len(found) < 500


def test_booleans_of_json(tmp_path):
    rows = [{"ds": f"2024-01-0{day}", "y": day > 1} for day in (1, 2, 3)]
    file = write(tmp_path / "own.jsonl", "\n".join(map(json.dumps, rows)))
    assert "own.jsonl, column 'y', line 1: found bool" in refused(file)


def test_sources_that_are_none(tmp_path):
    files = [write(tmp_path / name, DAYS) for name in ("a.csv", "b.csv")]
    assert "found two files; give one table" in refused(",".join(files))
    assert "is a folder; a file is wanted" in refused(str(tmp_path))
    assert "no such file or folder: did you mean" in refused(str(tmp_path / "c.csv"))
    assert "unknown corpus 'etta'" in refused("etta:x", "test")


# --- ETT and M4 ----------------------------------------------------------------------------------------------


@pytest.fixture
def ett(tmp_path, monkeypatch):
    """Write hourly and quarterly-hourly data of three months of two days."""
    monkeypatch.setattr(data, "MONTHS", {"train": 1, "validation": 2, "test": 3})
    monkeypatch.setattr(data, "_month", lambda corpus: 2 * corpus.period)
    for name, frequency, day in (("ETTh1", "h", 24), ("ETTm1", "15min", 96)):
        times = pd.date_range("2016-07-01", periods=7 * day, freq=frequency)
        lines = [f"{time},{place / 4},{-place}" for place, time in enumerate(times)]
        write(tmp_path / f"{name}.csv.xz", "\n".join(["date,HUFL,OT", *lines]))
    return tmp_path


def test_ett(ett):
    parts = {
        split: data.load(f"ett:{ett}", split, frequency="60min") for split in ("train", "validation", "test")
    }
    assert [len(part.frame) for part in parts.values()] == [48, 96, 144]  # the seventh day is not used
    assert [part.steps for part in parts.values()] == [None, 48, 48]
    table = parts["test"]
    assert (table.names, table.horizons, table.scaled) == (("HUFL", "OT"), (96, 192, 336, 720), True)
    assert (table.period, table.columns["frequency"], table.source) == (24, "h", f"ett:{ett}")
    assert panel(table).values[1].tolist() == [-place for place in range(144)]
    by_file = data.load(f"ett:{ett}/ETTm1.csv.xz", "train")
    assert (len(by_file.frame), by_file.period, by_file.columns["frequency"]) == (192, 96, "15min")
    training, validation = data.load_training(f"ett:{ett}/ETTh1.csv.xz")
    assert (len(training.frame), len(validation.frame), validation.steps) == (48, 96, 48)


def test_ett_faults(ett):
    message = refused(f"ett:{ett}", "test")
    assert (
        "holds ETTh1 (frequency h), ETTm1 (frequency 15min): choose one by its frequency, or by its"
        in message
    )
    assert message.endswith(f"such as ett:{ett}/ETTh1.csv.xz")
    assert "choose one by its frequency" in refused(f"ett:{ett}", "test", frequency="D")
    assert "is not a name of pandas" in refused(f"ett:{ett}", "test", frequency="hourly-ish")
    assert "has the splits train, validation, test" in refused(f"ett:{ett}")
    other = write(ett / "other.csv", "date,OT\n")
    assert "found no data of ETTh1 or ETTh2 or ETTm1 or ETTm2" in refused(f"ett:{other}", "test")
    short = write(ett / "short" / "ETTh1.csv", "date,OT\n2016-07-01,1\n")
    assert "ETTh1.csv: holds 1 times, and train ends with the 48th" in refused(f"ett:{short}", "train")


def hourly(series, count, first=0):
    return [
        f"{name},{','.join(str(scale * place) for place in range(first, first + count))}"
        for name, scale in series
    ]


SERIES = (("H1", 1), ("H2", -0.5))


@pytest.fixture
def m4(tmp_path):
    """Write two hourly series of 100 and 48 values, without a line of names."""
    write(tmp_path / "Hourly-train.csv.xz", "\n".join(hourly(SERIES, 100)))
    write(tmp_path / "Hourly-test.csv.xz", "\n".join(hourly(SERIES, 48, 100)))
    return tmp_path


def test_m4(m4):
    parts = {split: data.load(f"m4:{m4}", split) for split in ("train", "validation", "test")}
    assert [len(part.frame) for part in parts.values()] == [104, 200, 296]
    assert [part.steps for part in parts.values()] == [None, 48, 48]
    table = parts["test"]
    assert (table.names, table.period, table.horizons, table.scaled) == (("H1", "H2"), 24, None, False)
    found = panel(table)
    assert [values.tolist() for values in found.values] == [
        [scale * place for place in range(148)] for _, scale in SERIES
    ]
    assert str(found.times[1][0]) == f"{data.START} 00:00:00"
    assert found.frequency == "h"


def test_m4_as_it_is_published(tmp_path):
    for split, count, first in (("Train", 30, 0), ("Test", 13, 30)):
        rows = [row.split(",") for row in hourly((("W1", 1), ("W2", 2)), count, first)]
        rows[1] += ["5"] * 4 if split == "Train" else []
        width = max(map(len, rows))
        rows = [
            [f"V{place + 1}" for place in range(width)],
            *(row + [""] * (width - len(row)) for row in rows),
        ]
        lines = "\n".join(",".join(f'"{cell}"' for cell in row) for row in rows)
        write(tmp_path / split / f"Weekly-{split.lower()}.csv", lines)
    table = data.load(f"m4:{tmp_path}", "test")
    assert [len(values) for values in panel(table).values] == [43, 47]
    assert (table.columns["frequency"], table.period, table.steps) == ("W-MON", 1, 13)
    by_file = data.load(f"m4:{tmp_path}/Train/Weekly-train.csv", "test", frequency="h")
    pd.testing.assert_frame_equal(by_file.frame, table.frame)


def test_m4_faults(m4):
    write(m4 / "Weekly-train.csv", "W1," + ",".join("12345678901234"))
    message = refused(f"m4:{m4}", "test")
    assert "holds Hourly (frequency h), Weekly (frequency W-MON): choose one" in message
    assert "no Weekly-test.csv: give the folder of both" in refused(f"m4:{m4}", "test", frequency="W")
    assert len(data.load(f"m4:{m4}", "train", frequency="W-SUN").frame) == 1
    write(m4 / "Weekly-test.csv", "W1,1,2\n")
    message = refused(f"m4:{m4}", "test", frequency="W")
    assert "series 'W1': found 14 values to train on and 2 to test, which should be 13" in message
    write(m4 / "Weekly-test.csv", "W2,1,2\n")
    assert "found 14 values to train on and 0 to test" in refused(f"m4:{m4}", "test", frequency="W")
    for content, message in (
        ("W1,1,2,x", "Weekly-train.csv:1: series 'W1': could not convert string to float"),
        ("W1,1,2\nW1,3", "Weekly-train.csv:2: series 'W1': it occurs twice"),
        ("V1,V2\n", "Weekly-train.csv: is empty"),
        ("W1,1,2", "series 'W1': is too short to hold 13 values back"),
    ):
        file = write(m4 / "Weekly-train.csv", content)
        assert message in refused(f"m4:{file}", "validation")


def test_real_ett(shared_data):
    table = data.load(f"ett:{shared_data}/forecasting/ett", "test", frequency="h")
    assert (len(table), len(table.frame), table.steps) == (7, 14_400, 2880)
    values = table.frame.iloc[:, 1:].to_numpy()
    train = values[:8640]
    scaled = (values - train.mean(axis=0)) / train.std(axis=0)
    actual = np.lib.stride_tricks.sliding_window_view(scaled[-2880:], 96, axis=0)
    errors = actual - scaled[-2881:-96, :, None]  # of repeating the last value, from every origin
    assert len(actual) == 2785
    assert np.mean(errors**2) == pytest.approx(1.295, abs=0.001)  # as the authors of FITS publish
    assert np.mean(np.abs(errors)) == pytest.approx(0.713, abs=0.001)


def test_real_m4(shared_data):
    table = data.load(f"m4:{shared_data}/forecasting/m4", "test", frequency="h")
    found = panel(table)
    assert len(table) == 414
    past, actual = zip(*((values[:-48], values[-48:]) for values in found.values), strict=True)
    for name, published in (("seasonal naive", (13.912, 1.193)), ("Naive 2", (18.383, 2.395))):
        forecasts = np.array([baselines.BASELINES[name](values, 48, 24).point for values in past])
        assert round(metrics.smape(actual, forecasts), 3) == published[0]
        assert round(metrics.mase(actual, forecasts, past, 24), 3) == published[1]


# --- TFDS ----------------------------------------------------------------------------------------------------


@pytest.fixture
def prepared(tmp_path_factory, monkeypatch):
    """Let TFDS keep its data, and look for files, in a folder of this test."""
    import tensorflow_datasets

    folder = tmp_path_factory.mktemp("tfds")
    plain, own = tensorflow_datasets.builder, tfds._tfds_builder
    monkeypatch.setattr(tensorflow_datasets, "builder", functools.partial(plain, data_dir=str(folder)))
    monkeypatch.setattr(tfds, "_tfds_builder", lambda name, _: own(name, str(folder)))
    return folder / "downloads" / "manual"


def test_tfds_of_our_own(ett, m4, prepared):
    for file in [*ett.glob("ETTh1*"), *m4.glob("Hourly*")]:
        prepared.mkdir(parents=True, exist_ok=True)
        (prepared / file.name).write_bytes(file.read_bytes())
    for name, corpus in (("zoo_m4/hourly", "m4"), ("zoo_ett/etth1", "ett")):
        for split in ("train", "validation", "test"):
            table = data.load(f"tfds:{name}", split)
            expected = data.load(f"{corpus}:{prepared}", split)
            for one, other in zip(panel(table).values, panel(expected).values, strict=True):
                np.testing.assert_array_equal(one, other)
            for one, other in zip(panel(table).times, panel(expected).times, strict=True):
                assert (one == other).all()
            for fact in ("names", "split", "steps", "horizons", "scaled", "period"):
                assert getattr(table, fact) == getattr(expected, fact)
    assert data.splits("tfds:zoo_m4/hourly") == ("train", "validation", "test")
    assert "has the splits train, validation, test" in refused("tfds:zoo_m4/hourly")
    assert "holds no data of Weekly: Put Hourly-train.csv" in refused("tfds:zoo_m4/weekly", "test")


def test_tfds_of_others(monkeypatch):
    examples = [{"ds": f"2024-01-0{day}", "id": "007", "y": f"{day}.5", "heat": "1"} for day in (1, 2, 3)]

    def read(name, split, columns, optional=()):
        assert split == "train"
        for row in examples if name == "sold" else []:
            yield {column: row[column] for column in row if column in {*columns, *optional}}

    monkeypatch.setattr(sources, "read_tfds", read)
    monkeypatch.setattr(sources, "tfds_splits", lambda _: ["test", "train"])
    table = data.load("tfds:sold", "train")
    assert (table.names, list(table.frame), table.source) == (("007",), ["ds", "id", "y"], "tfds:sold")
    assert panel(table).values[0].tolist() == [1.5, 2.5, 3.5]
    named = data.load("tfds:sold", "train", value="heat", series="id", known=["y"])
    assert panel(named).values[0].tolist() == [1, 1, 1]
    training, validation = data.load_training("tfds:sold")
    assert training is validation
    assert "tfds:none: found no rows of times and values" in refused("tfds:none", "train")


def test_options():
    assert options.NAME == "forecasting"
    assert set(options.COLUMNS) == set(data.load("builtin", "test").columns)
    assert not set(options.COLUMNS) & set(options.ANSWERING)
