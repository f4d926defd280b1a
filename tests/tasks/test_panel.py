"""Tables read onto regular time axes by the rules of `Panel`, and answers in the layout of the table."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from zoo.errors import UserError
from zoo.tasks.panel import MISSING, answer, answer_columns, read_frame

RANDOM = np.random.default_rng(0)
NAN = np.nan


def single(values, start="2024-01-01", frequency="h", **columns):
    times = pd.date_range(start, periods=len(values), freq=frequency)
    return pd.DataFrame({"time": times, "value": values, **columns})


def long(**series):
    """A long table of series, each (values, first time), of hours."""
    parts = [single(values, start).assign(series=name) for name, (values, start) in series.items()]
    return pd.concat(parts, ignore_index=True)


def same(one, other):
    """Assert that two panels hold the same."""
    assert one.names == other.names
    assert one.frequency == other.frequency
    assert one.missing == other.missing
    for name in ("values", "past", "known"):
        assert (getattr(one, name) is None) == (getattr(other, name) is None)
        for left, right in zip(getattr(one, name) or (), getattr(other, name) or (), strict=True):
            np.testing.assert_array_equal(left, right)
    assert all(left.equals(right) for left, right in zip(one.times, other.times, strict=True))
    np.testing.assert_array_equal(one.static, other.static)


# --- layouts -------------------------------------------------------------------------------------------------


def test_long_table():
    frame = long(b=([1, 2, 3, 4], "2024-01-01"), a=([5, 6, 7], "2024-02-01 05:00"))
    panel = read_frame(frame)
    assert (panel.names, panel.labels, len(panel)) == (["a", "b"], ["a", "b"], 2)
    assert (panel.frequency, panel.period, panel.layout.kind) == ("h", 24, "long")
    assert [v.tolist() for v in panel.values] == [[5, 6, 7], [1, 2, 3, 4]]
    assert all(v.dtype == "float64" for v in panel.values)
    assert panel.times[0].tolist() == list(pd.date_range("2024-02-01 05:00", periods=3, freq="h"))
    assert (panel.past, panel.known, panel.static, panel.missing) == (None, None, None, [0, 0])


def test_columns_are_found_by_name_or_given():
    frame = single([1, 2, 3])
    for time, value in (("ds", "y"), ("Date", "Value"), ("timestamp", "sales"), ("when", "y")):
        found = read_frame(
            frame.set_axis([time, value], axis=1)
        )  # a single column of dates or values is found too
        assert (found.names, found.layout.kind, found.layout.time) == ([value], "single", time)
    text = frame.assign(when=frame["time"].astype(str)).drop(columns="time")
    assert read_frame(text, time="when").values[0].tolist() == [1, 2, 3]
    renamed = single([1, 2, 3], shop=["x"] * 3, price=[7, 8, 9]).rename(columns={"value": "sales"})
    found = read_frame(renamed, value="sales", series="shop")
    assert (found.names, found.values[0].tolist()) == (["x"], [1, 2, 3])
    found = read_frame(renamed.drop(columns="price").rename(columns={"shop": "unique_id"}))
    assert (found.names, found.values[0].tolist()) == (["x"], [1, 2, 3])


def test_index_of_dates_and_series_of_pandas():
    times = pd.date_range("2024-01-01", periods=3, freq="D", name="day")
    wide = pd.DataFrame({"b": [1.0, 2, 3], "a": [4.0, 5, 6]}, index=times)
    panel = read_frame(wide)
    assert (panel.names, panel.layout.kind, panel.layout.in_index, panel.frequency) == (
        ["b", "a"],
        "wide",
        True,
        "D",
    )
    panel = read_frame(wide["b"])
    assert (panel.names, panel.layout.kind, panel.values[0].tolist()) == (["b"], "single", [1, 2, 3])
    panel = read_frame(pd.Series([3.0, 4, 5]))
    assert (panel.names, panel.times[0].tolist(), panel.frequency, panel.period) == (
        ["value"],
        [0, 1, 2],
        None,
        1,
    )


def test_long_equals_wide():
    values = RANDOM.normal(size=(30, 3))
    values[RANDOM.random((30, 3)) < 0.2] = NAN
    values[0], values[29] = 1, 2
    temperature = RANDOM.normal(size=30)
    wide = pd.DataFrame(values, columns=list("abc"))
    wide.insert(0, "time", pd.date_range("2024-01-01", periods=30, freq="15min"))
    wide["temperature"] = temperature
    melted = wide.melt(["time", "temperature"], var_name="series")
    for covariates in ({}, {"past": ["temperature"]}, {"known": "temperature"}):
        left = wide if covariates else wide.drop(columns="temperature")
        same(read_frame(left, **covariates), read_frame(melted, **covariates))
    same(
        read_frame(wide.drop(columns="temperature")),
        read_frame(melted.dropna().sample(frac=1, random_state=1), value="value"),
    )
    ragged = wide.drop(columns="temperature")
    ragged.loc[:9, "a"] = ragged.loc[25:, "b"] = NAN  # begins later; ends earlier
    panel = read_frame(ragged)
    assert panel.times[0][0] == ragged["time"][10 + np.isnan(values[10:, 0]).argmin()]
    assert len({times[-1] for times in panel.times}) == 1


@pytest.mark.parametrize("seed", range(5))
def test_rows_in_any_order_give_the_same_panel(seed):
    frame = long(b=(RANDOM.normal(size=20), "2024-01-01"), a=(RANDOM.normal(size=15), "2024-01-01 05:00"))
    frame = frame.assign(rain=RANDOM.normal(size=35), week=np.arange(35), area=[3] * 20 + [4] * 15)
    frame = frame.drop(index=[3, 8, 22])
    roles = {"past": ["rain"], "known": ["week"], "static": ["area"]}
    one, other = (read_frame(f, **roles) for f in (frame, frame.sample(frac=1, random_state=seed)))
    same(one, other)
    assert one.static.tolist() == [[4], [3]]
    assert one.missing == [1, 2]


@pytest.mark.parametrize(
    ("frame", "options", "message"),
    [
        (single([]), {}, "fit: the table has no rows; give some of each series"),
        ([1, 2], {}, "fit: found list; give a DataFrame or a Series of pandas"),
        (single([1, 2, 3]), {"value": "sales"}, "no column 'sales'; the columns are 'time', 'value'"),
        (single([1, 2, 3]), {"time": "value", "value": "value"}, "column 'value': two arguments name it"),
        (single([1, 2, 3])[["time"]], {}, "there is no column of values; the columns are 'time'"),
        (single([1, 2, 3])[["value"]], {}, "no column is known to hold the times; give time="),
        (single([1, 2, 3], ds=1), {}, "'time' and 'ds' may both be the time; give time="),
        (
            single([1, 2, 3], other=1),
            {},
            "'value' may be the only series or one of several; give value='value'",
        ),
        (single([1, 2, 3], id=1, y=2), {}, "'value' and 'y' may both be the value"),
        (
            single([1, 2, 3], id=1, price=2).rename(columns={"value": "sales"}),
            {},
            "no column is known to hold the values; give value=; the columns are 'time', 'sales', 'id', 'price'",
        ),
        (single([1, 2, 3], a=1).set_axis(["time", "x", "x"], axis=1), {}, "several columns called 'x'"),
        (single([1, 2, 3]).set_index(["time", "value"]), {}, "several levels"),
        (single([1, 2, 3]), {"missing": "mean"}, "unknown missing 'mean'"),
        (
            single([1, 2, 3], series=["a", None, "a"]),
            {},
            "column 'series', row 1: there is no name of a series",
        ),
        (single([1, 2, 3], series=[1, "1", 1]), {}, "column 'series': two series are called '1'; rename one"),
        (single([1, 2, 3], a=1), {"past": "b"}, "there is no column 'b'"),
    ],
)
def test_tables_that_are_refused(frame, options, message):
    with pytest.raises(UserError) as error:
        read_frame(frame, **options)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


# --- values --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, np.inf, 3], "column 'value', row 1: found inf; numbers lie within ±1e+30"),
        ([1, 2, -1e300], "column 'value', row 2: found -1e+300; numbers lie within"),
        ([1, 2, 10**400], "column 'value', row 2: found 1000"),
        (["1", "2", "3"], "column 'value', row 0: found '1' where a number should be"),
        ([1, 2, "much"], "column 'value', row 2: found 'much' where a number should be"),
        ([1, True, 3.5], "column 'value', row 1: found 'True' where a number should be"),
        ([True, False, True], "column 'value', row 0: found bool; give numbers"),
        (pd.array([True, None, True], dtype="boolean"), "found boolean; give numbers"),
        ([1j, 2, 3], "found complex128; give numbers"),
        ([NAN, None, NAN], "column 'value', row 0: there is no value; leave the series out"),
        ([None, None, None], "column 'value', row 0: there is no value; leave the series out"),
    ],
)
def test_values_that_are_refused(values, message):
    with pytest.raises(UserError) as error:
        read_frame(single(values))
    assert message in str(error.value)


def test_messages_name_the_row_by_the_index():
    frame = long(a=([1, 2, 3], "2024-01-01"), b=([1, np.inf, 3], "2024-01-01"))
    frame.index = pd.RangeIndex(2, 8, name="line")  # of a file
    with pytest.raises(
        UserError, match=r"^forecast, column 'value', series 'b', line 6: found inf; numbers lie within"
    ):
        read_frame(frame, where="forecast")
    frame = single([1, 2, -np.inf]).set_index("time")
    with pytest.raises(
        UserError, match=r"^fit, column 'value', 2024-01-01 02:00:00: found -inf; numbers lie within"
    ):
        read_frame(frame)
    frame = long(a=([1, 2, 3], "2024-01-01"), b=([NAN] * 3, "2024-01-01"))
    with pytest.raises(
        UserError, match="column 'value', series 'b', row 3: there is no value; leave the series out"
    ):
        read_frame(frame)


def test_values_that_are_taken():
    for values in ([1, 2, 3], [1.0, Decimal(2), np.float32(3)], pd.array([1, 2, 3], dtype="Int64")):
        assert read_frame(single(values)).values[0].tolist() == [1, 2, 3]
    panel = read_frame(single([5, 5, 5, 5]))
    assert panel.values[0].tolist() == [5, 5, 5, 5]
    for values in (
        [1, NAN, 3],
        [1, None, 3],
        pd.array([1, None, 3], dtype="Int64"),
        pd.Series([1, None, 3], dtype=object),
    ):
        panel = read_frame(single(values))
        np.testing.assert_array_equal(panel.values[0], [1, NAN, 3])
        assert panel.missing == [1]


def test_missing_values():
    frame = single([NAN, 1, NAN, 3, NAN, NAN]).drop(index=2)  # once left out, once told
    expected = {
        "keep": [1, NAN, 3, NAN, NAN],
        "zero": [1, 0, 3, 0, 0],
        "previous": [1, 1, 3, 3, 3],
        "linear": [1, 2, 3, 3, 3],
    }
    assert {*expected, "refuse"} == set(MISSING)
    for policy, values in expected.items():
        panel = read_frame(frame, missing=policy)
        np.testing.assert_array_equal(panel.values[0], values)
        assert panel.missing == [3]
        assert panel.times[0][0] == pd.Timestamp("2024-01-01 01:00")
    with pytest.raises(
        UserError, match=r"column 'value', row 1: there is no value at 2024-01-01 02:00:00; fill it in"
    ):
        read_frame(frame, missing="refuse")
    assert read_frame(single([1, 2, 3]), missing="refuse").missing == [0]


# --- times ---------------------------------------------------------------------------------------------------


def test_gaps_are_filled_and_irregular_steps_refused():
    panel = read_frame(single([1, 2, 3, 4, 5, 6]).drop(index=[2, 4]))
    np.testing.assert_array_equal(panel.values[0], [1, 2, NAN, 4, NAN, 6])
    frame = single([1, 2, 3, 4])
    frame.loc[3, "time"] += pd.Timedelta("30min")
    with pytest.raises(UserError) as error:
        read_frame(frame)
    assert str(error.value) == (
        "fit, column 'time', row 3: from 2024-01-01 02:00:00 to 2024-01-01 03:30:00 is a step of 01:30:00, from "
        "2024-01-01 00:00:00 to 2024-01-01 01:00:00 one of 01:00:00: no frequency fits both; bring the times onto a "
        "grid, such as by resample()"
    )
    panel = read_frame(frame, frequency="30min")
    np.testing.assert_array_equal(panel.values[0], [1, NAN, 2, NAN, 3, NAN, NAN, 4])
    with pytest.raises(UserError, match=r"row 3: 2024-01-01 03:30:00 is no time of the frequency 'h'"):
        read_frame(frame, frequency="h")
    with pytest.raises(UserError, match=r"row 0: 2024-01-01 00:00:00 is no time of the frequency 'W-SUN'"):
        read_frame(single([1, 2, 3], frequency="W-MON"), frequency="W")


def test_few_rows_need_a_frequency():
    for count in (1, 2):
        with pytest.raises(UserError, match="column 'time', row 0: one or two rows do not tell how far"):
            read_frame(single([1, 2][:count]))
        panel = read_frame(single([1, 2][:count]), frequency="h")
        assert panel.values[0].tolist() == [1, 2][:count]
        assert answer(panel, np.zeros((1, 2)))["time"].iloc[-1] == pd.Timestamp(
            "2024-01-01 01:00"
        ) + pd.Timedelta(hours=count)
    panel = read_frame(long(a=([1, 2, 3], "2024-01-01"), b=([1], "2024-01-05")))  # the others tell it
    assert panel.values[1].tolist() == [1]


def test_series_of_different_frequencies():
    days = single([1, 2, 3], "2024-01-01", "D", series="b")
    frame = pd.concat([long(a=([1, 2, 3], "2024-01-01")), days], ignore_index=True)
    with pytest.raises(
        UserError, match=r"series 'b', row 3: its step is 'D', that of series 'a' 'h'; read them apart"
    ):
        read_frame(frame)
    assert read_frame(frame, frequency="h").missing == [0, 46]


@pytest.mark.parametrize("frequency", ["15min", "h", "D", "B", "W-WED", "MS", "ME", "QE-DEC", "YS-JAN"])
def test_frequency_is_found(frequency):
    panel = read_frame(single(np.arange(30), frequency=frequency))
    assert panel.frequency == frequency
    assert panel.missing == [0]
    assert read_frame(single(np.arange(30), frequency=frequency).drop(index=[5, 6, 20])).missing == [3]


def test_times_that_stand_twice():
    frame = single([1, 2, 3, 4, 5])
    frame.loc[4, "time"] = frame.loc[1, "time"]
    fault = r"column 'time', row 4: the time 2024-01-01 01:00:00 stands twice; keep one .*, or name the column that"
    with pytest.raises(UserError, match=fault):
        read_frame(frame)
    read_frame(frame.assign(series=list("aaaab")))  # of two series
    local = pd.date_range("2024-10-26 22:00", periods=8, freq="h", tz="Europe/Berlin")
    frame = pd.DataFrame({"time": local.tz_localize(None), "value": np.arange(8.0)})
    with pytest.raises(
        UserError, match=r"row 5: the time 2024-10-27 02:00:00 stands twice; .* hour that clocks repeat"
    ):
        read_frame(frame)
    panel = read_frame(frame.assign(time=local))
    assert panel.times[0].equals(local)
    days = pd.DataFrame({"time": pd.to_datetime(["2024-01-01", "2024-01-01", "2024-01-02"]), "value": 1.0})
    with pytest.raises(UserError) as error:
        read_frame(days)
    assert "clocks" not in str(error.value)


def test_clocks_that_go_forward():
    local = pd.date_range("2024-03-30 23:00", periods=8, freq="h", tz="Europe/Berlin")
    frame = pd.DataFrame({"time": local, "value": np.arange(8.0)})
    assert read_frame(frame).missing == [0]
    panel = read_frame(frame.assign(time=local.tz_localize(None)))
    np.testing.assert_array_equal(panel.values[0], [0, 1, 2, NAN, 3, 4, 5, 6, 7])


def test_days_that_begin_later():
    times = pd.date_range("2017-10-10", periods=12, freq="D")
    times = times.tz_localize(
        "America/Sao_Paulo", nonexistent="shift_forward"
    )  # midnight is leapt over on the 15th
    panel = read_frame(pd.DataFrame({"time": times, "value": np.arange(12.0)}))
    assert (panel.frequency, panel.missing) == ("D", [0])
    assert panel.times[0].equals(times)


@pytest.mark.parametrize("frequency", ["D", "W-SUN", "MS"])
def test_days_of_a_zone_go_by_its_clock(frequency):
    times = pd.date_range("2024-01-07", periods=60, freq=frequency, tz="Europe/Berlin")
    frame = pd.DataFrame({"time": times, "value": np.arange(60.0)}).drop(index=[3, 40])
    panel = read_frame(frame)
    assert (panel.frequency, panel.missing) == (frequency, [2])
    assert panel.times[0].equals(times)


@pytest.mark.parametrize(
    ("texts", "first"),
    [
        (["2024-03-01", "2024-03-02", "2024-03-03"], "2024-03-01"),
        (["2024/03/01 10:00", "2024/03/01 11:00", "2024/03/01 12:00"], "2024-03-01 10:00"),
        (["20240301", "20240302", "20240303"], "2024-03-01"),
        (["2024-03", "2024-04", "2024-05"], "2024-03-01"),
        (["01.03.2024", "02.03.2024", "03.03.2024"], "2024-03-01"),
        (["12/3/2024 1:00", "13/3/2024 1:00", "14/3/2024 1:00"], "2024-03-12 01:00"),
        (["3/12/2024", "3/13/2024", "3/14/2024"], "2024-03-12"),
        ([datetime.date(2024, 3, 1), datetime.date(2024, 3, 2), datetime.date(2024, 3, 3)], "2024-03-01"),
        (["2024-03-01T10:00Z", "2024-03-01T11:00Z", "2024-03-01T12:00Z"], "2024-03-01T10:00Z"),
        (["2024-03-30T00:00+01:00", "2024-03-31T01:00+02:00", "2024-04-01T01:00+02:00"], "2024-03-29T23:00Z"),
    ],
)
def test_dates_that_are_written(texts, first):
    frame = pd.DataFrame({"time": texts, "value": [1.0, 2, 3]})
    panel = read_frame(frame)
    assert panel.times[0][0] == pd.Timestamp(first)
    assert panel.missing == [0]


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (
            ["2024-01-01", "2024-02-30", "2024-03-01"],
            "row 1: '2024-02-30' is no date; write it as 2024-01-31",
        ),
        (["2024-01-01", "soon", "2024-03-01"], "row 1: 'soon' is no date"),
        (["2024-01-01", None, "2024-03-01"], "row 1: there is no time"),
        (["01/02/2024", "02/02/2024", "03/02/2024"], "'01/02/2024' may begin with the day or the month"),
        (["13/02/2024", "14/02/2024", "2024-02-15"], "row 2: '2024-02-15' is not written as '13/02/2024'"),
        (
            ["2024-01-01", "2024-01-02", "9999-12-31"],
            "row 2: found the year 9999; times lie from 1678 to 2261",
        ),
        (["1066-10-14", "2024-01-02", "2024-01-03"], "row 0: found the year 1066"),
        (["2024-01-01 10:00", "2024-01-01 11:00Z", "2024-01-01 12:00Z"], "row 1: of '2024-01-01 11:00Z' and"),
        (["2024-01-01 00:00", "2024-01-01 01:00", "2225-01-01 00:00"], "there are 3 rows for 1761"),
        ([1.5, 2.5, 3.5], "row 0: found the time 1.5; give whole numbers, or dates"),
        ([1, 2, np.inf], "row 2: found the time inf"),
        ([1, 2, 10**12], "there are 3 rows for 999999999999 steps of 1"),
        ([1, 3, 6], "row 2: from 3 to 6 is a step of 3, from 1 to 3 one of 2"),
        ([True, False, True], "found booleans; times are dates or whole numbers"),
    ],
)
def test_times_that_are_refused(times, message):
    with pytest.raises(UserError) as error:
        read_frame(pd.DataFrame({"time": times, "value": [1.0, 2, 3]}))
    assert f"column 'time', {message}" in str(error.value) or message in str(error.value)
    assert "\n" not in str(error.value)


def test_zones_that_differ():
    zones = [pd.Timestamp("2024-01-01 10:00", tz="Europe/Berlin"), pd.Timestamp("2024-01-01 10:00", tz="UTC")]
    times = [*zones, pd.Timestamp("2024-01-01 06:00", tz="America/New_York")]
    panel = read_frame(pd.DataFrame({"time": times, "value": [1.0, 2, 3]}))
    assert panel.times[0].tolist() == list(pd.date_range("2024-01-01 09:00", periods=3, freq="h", tz="UTC"))


def test_whole_numbers_as_times():
    years = pd.DataFrame({"time": [1700.0, 1701.0, 1703.0], "value": [1.0, 2, 3]})
    panel = read_frame(years)
    assert (panel.frequency, panel.period, panel.missing) == (None, 1, [1])
    assert answer(panel, np.array([[7.0, 8]]))["time"].tolist() == [1704, 1705]
    panel = read_frame(years[:2], frequency=1)
    assert panel.times[0].tolist() == [1700, 1701]
    with pytest.raises(UserError, match="'h' does not fit times that are numbers: give their step"):
        read_frame(years, frequency="h")
    with pytest.raises(UserError, match="1 does not fit times that are dates: give a name of pandas"):
        read_frame(single([1, 2, 3]), frequency=1)


# --- covariates ----------------------------------------------------------------------------------------------


def test_covariates():
    frame = single(
        [NAN, 1, 2, NAN, 4, NAN, NAN], rain=[NAN, NAN, 3, 4, NAN, NAN, NAN], week=range(7), series="a", area=2
    )
    panel = read_frame(frame.drop(index=3), past=["rain"], known=["week"], static=["area"])
    np.testing.assert_array_equal(panel.values[0], [1, 2, NAN, 4])  # what comes behind is the future
    assert panel.past[0].tolist() == [[3], [3], [3], [3]]
    assert panel.known[0].tolist() == [[1], [2], [2], [4], [5], [6]]
    assert panel.static.tolist() == [[2]]
    assert panel.missing == [1]
    assert len(panel.times[0]) == 4


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"rain": [1, "x", 3]}, {"past": "rain"}, "column 'rain', series 'a', row 1: found 'x'"),
        ({"rain": NAN}, {"past": "rain"}, "column 'rain', series 'a', row 0: there is no value at all"),
        (
            {"rain": [1, NAN, 3]},
            {"known": "rain"},
            "column 'rain', series 'a', row 1: there is no value; fill it in",
        ),
        (
            {"area": [1, NAN, 1]},
            {"static": "area"},
            "column 'area', series 'a', row 1: there is no value; fill it in",
        ),
        (
            {"area": [1, 1, 2]},
            {"static": "area"},
            "series 'a', row 2: found 2 after 1; what changes is no static",
        ),
        ({"area": 1}, {"static": "area", "past": "area"}, "column 'area': two arguments name it"),
    ],
)
def test_covariates_that_are_refused(columns, options, message):
    with pytest.raises(UserError) as error:
        read_frame(single([1, 2, 3], series="a", **columns), **options)
    assert message in str(error.value)
    if "static" in options and "past" not in options:
        with pytest.raises(
            UserError, match="column 'area': static covariates need a table with a column of series"
        ):
            read_frame(single([1, 2, 3], a=4, **columns).rename(columns={"value": "x"}), **options)


# --- a panel -------------------------------------------------------------------------------------------------


def test_numbers_and_choice_of_series():
    frame = long(a=([1, 2, 3], "2024-01-01"), b=([4, 5, 6], "2024-01-01"), c=([7, 8, 9], "2024-01-02"))
    panel = read_frame(frame.assign(size=[0] * 3 + [1] * 3 + [2] * 3), value="value", static="size")
    assert panel.numbers(["c", "x", "a"]).tolist() == [3, 0, 1]
    assert panel.numbers(["c"]).dtype == "int32"
    chosen = panel.select(["c", "a"])
    assert (chosen.names, chosen.labels, chosen.missing) == (["c", "a"], ["c", "a"], [0, 0])
    assert [v.tolist() for v in chosen.values] == [[7, 8, 9], [1, 2, 3]]
    assert chosen.times[0][0] == pd.Timestamp("2024-01-02")
    assert chosen.static.tolist() == [[2], [0]]
    with pytest.raises(UserError, match="unknown series 'd'"):
        panel.select(["a", "d"])
    numbered = read_frame(single([1, 2, 3]).assign(id=[7.0, 7.0, 7.0]))
    assert (numbered.names, numbered.labels) == (["7"], [7])


# --- answers -------------------------------------------------------------------------------------------------


def test_names_of_answers():
    assert answer_columns() == ("forecast",)
    assert answer_columns((0.8, 0.995)) == ("forecast", "lower_80", "upper_80", "lower_99.5", "upper_99.5")


def test_long_answer():
    frame = long(b=([1, 2, 3], "2024-01-01"), a=([5, 6, 7, 8], "2024-02-01")).rename(
        columns={"series": "shop"}
    )
    panel = read_frame(frame, series="shop")
    arrays = RANDOM.normal(size=(2, 2, 3))
    found = answer(panel, arrays, answer_columns((0.8,)))
    expected = {
        "shop": ["a", "a", "b", "b"],
        "time": pd.to_datetime(
            ["2024-02-01 04:00", "2024-02-01 05:00", "2024-01-01 03:00", "2024-01-01 04:00"]
        ),
    }
    expected |= zip(("forecast", "lower_80", "upper_80"), arrays.reshape(4, 3).T, strict=True)
    pd.testing.assert_frame_equal(found, pd.DataFrame(expected).astype({"time": frame["time"].dtype}))
    again = read_frame(
        pd.concat([frame, answer(panel, arrays[:, :, 0]).rename(columns={"forecast": "value"})]),
        series="shop",
    )
    assert again.missing == [0, 0]
    np.testing.assert_array_equal(again.values[0], [5, 6, 7, 8, *arrays[0, :, 0]])


@pytest.mark.parametrize("in_index", [False, True])
def test_wide_answer(in_index):
    times = pd.date_range("2024-01-01", periods=3, freq="D", name="time")
    frame = pd.DataFrame({"b": [1.0, 2, 3], 7: [4.0, 5, 6]}, index=times)
    panel = read_frame(frame if in_index else frame.reset_index())
    arrays = RANDOM.normal(size=(2, 2, 3))
    found = answer(panel, arrays, answer_columns((0.8,)))
    names = ["b", "b_lower_80", "b_upper_80", 7, "7_lower_80", "7_upper_80"]
    later = pd.date_range("2024-01-04", periods=2, freq="D", name="time")
    expected = pd.DataFrame(arrays.transpose(1, 0, 2).reshape(2, 6), index=later, columns=names)
    pd.testing.assert_frame_equal(found, expected if in_index else expected.reset_index())
    below = pd.concat([frame if in_index else frame.reset_index(), answer(panel, arrays[..., 0])])
    assert list(below.columns) == (["b", 7] if in_index else ["time", "b", 7])
    assert read_frame(below).missing == [0, 0]


def test_single_answer():
    found = answer(read_frame(single([1, 2, 3])), np.array([[4.0, 5]]))
    pd.testing.assert_frame_equal(
        found, single([4.0, 5], "2024-01-01 03:00").rename(columns={"value": "forecast"})
    )
    series = single([1.0, 2, 3]).set_index("time")["value"]
    found = answer(read_frame(series), np.array([[[4.0, 3, 5]]]), answer_columns((0.95,)))
    assert found.index.name == "time"
    assert found.to_dict("list") == {"forecast": [4], "lower_95": [3], "upper_95": [5]}
    assert found.index.tolist() == [pd.Timestamp("2024-01-01 03:00")]


def test_answer_in_periods():
    periods = pd.period_range("2024-01", periods=4, freq="M", name="month")
    series = pd.Series([1.0, 2, 3, 4], index=periods)
    panel = read_frame(series)
    assert (panel.frequency, panel.period) == ("MS", 12)
    found = answer(panel, np.array([[5.0, 6]]))
    pd.testing.assert_index_equal(found.index, pd.period_range("2024-05", periods=2, freq="M", name="month"))
    found = answer(read_frame(series.rename("y").reset_index()), np.array([[5.0, 6]]))
    assert found["month"].tolist() == pd.period_range("2024-05", periods=2, freq="M").tolist()


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
@pytest.mark.parametrize("frequency", ["30min", "h", "D", "B", "W-MON", "ME", "QS-JAN"])
def test_answer_goes_on_as_pandas_counts(zone, frequency):
    times = pd.date_range("2024-03-20", periods=900, freq=frequency, tz=zone)
    for start in (0, 200):
        frame = pd.DataFrame({"time": times[start : start + 30], "value": np.arange(30.0)})
        found = answer(read_frame(frame), np.zeros((1, 600)))
        pd.testing.assert_series_equal(found["time"], pd.Series(times[start + 30 : start + 630], name="time"))


def test_answer_whose_columns_would_collide():
    frame = single([1, 2, 3]).rename(columns={"time": "forecast"})
    with pytest.raises(UserError, match="two columns of the answer would be called 'forecast'; rename it"):
        answer(read_frame(frame, time="forecast"), np.zeros((1, 2)))
