"""Frequencies that are found, times that go on, seasons, and what the calendar says."""

import numpy as np
import pandas as pd
import pytest

from zoo.errors import UserError
from zoo.tasks.calendar import (
    KINDS,
    alike,
    calendar_features,
    clock,
    continue_times,
    feature_names,
    in_zone,
    infer_frequency,
    season_of,
    to_offset,
)

RANDOM = np.random.default_rng(0)
FREQUENCIES = [
    *"s 15min h 90min D 2D W-WED 2W-SUN MS ME 2MS 5ME".split(),
    *"QS-FEB QE-DEC QE-NOV 2QS-JAN YS-JAN YE-JUN 2YS-MAR 5YE-DEC".split(),
]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("W-MON", "W-SUN", True),
        ("MS", "ME", True),
        ("QS-FEB", "QE-DEC", True),
        ("YS-JAN", "YE-JUN", True),
        ("2W-MON", "W-MON", False),
        ("MS", "QS-JAN", False),
        ("h", "h", True),
        ("h", "60min", True),
        ("min", "ME", False),
        ("ms", "MS", False),
        ("D", "B", False),
        ("15min", "30min", False),
        (None, None, True),
        (None, "D", False),
    ],
)
def test_frequencies_are_alike_up_to_their_anchor(one, other, same):
    assert alike(one, other) == alike(other, one) == same


@pytest.mark.parametrize("frequency", FREQUENCIES)
def test_frequency_is_found_where_times_are_left_out(frequency):
    times = pd.date_range("2019-11-05 00:00", periods=30, freq=frequency)
    assert infer_frequency(times) == frequency
    for _ in range(5):
        kept = np.sort(RANDOM.choice(np.arange(2, 30), 18, replace=False))
        kept = np.concatenate([[0, 1], kept])  # the smallest step is there
        assert infer_frequency(times[kept]) == frequency


def test_frequency_keeps_the_time_of_the_day():
    for frequency in ("D", "W-MON", "MS", "QE-DEC"):
        times = pd.date_range("2024-01-01 06:30", periods=8, freq=frequency)
        assert infer_frequency(times) == frequency
        assert (continue_times(times[:5], frequency, 3) == times[5:]).all()


def test_steps_that_fit_no_frequency():
    assert infer_frequency(pd.DatetimeIndex(["2024-01-01", "2024-01-03", "2024-01-06"])) is None
    assert infer_frequency(pd.DatetimeIndex(["2024-01-15", "2024-02-15", "2024-03-15"])) is None
    assert infer_frequency(pd.DatetimeIndex(["2024-01-01", "2024-03-01", "2024-06-01"])) is None
    assert infer_frequency(pd.Index([1, 3, 6])) is None


def test_frequency_of_whole_numbers():
    assert infer_frequency(pd.Index([1700, 1701, 1705])) == 1
    assert infer_frequency(pd.Index([0, 3600, 10800])) == 3600


@pytest.mark.parametrize(
    ("season", "frequencies"),
    {
        1: ["7min", "24h", "2D", "W-SUN", "5MS", "YE-DEC", None],
        2: ["2QE-DEC"],
        4: ["QS-JAN", "BQE-DEC"],
        5: ["B"],
        6: ["2MS"],
        7: ["D"],
        12: ["2h", "MS", "ME", "BME"],
        24: ["h"],
        48: ["30min"],
        96: ["15min"],
        120: ["30s"],
        144: ["10min"],
        1440: ["min"],
        3600: ["s"],
    }.items(),
)
def test_seasons(season, frequencies):
    assert [season_of(frequency) for frequency in frequencies] == [season] * len(frequencies)


def test_frequencies_that_are_none():
    for name in ("hourly", "", "-1h", "H", 3.5):
        with pytest.raises(
            UserError, match=r"frequency: .* is not a name of pandas; give one such as '15min'"
        ):
            season_of(name)


@pytest.mark.parametrize("frequency", FREQUENCIES)
@pytest.mark.parametrize("zone", [None, "Europe/Berlin", "America/New_York"])
def test_times_go_on_as_pandas_counts_them(frequency, zone):
    times = pd.date_range("2017-10-03", periods=40, freq=frequency, tz=zone)
    going = continue_times(times[:10], frequency, 30)
    assert going.equals(times[10:])
    assert going.tz == times.tz


def test_whole_numbers_go_on():
    assert continue_times(pd.RangeIndex(5, 21, 5), None, 3).tolist() == [25, 30, 35]
    assert continue_times(pd.RangeIndex(2001, 2009), None, 2).tolist() == [2009, 2010]


def test_times_go_on_across_changes_of_clocks():
    hours = pd.date_range("2024-10-26 20:00", periods=3, freq="h", tz="Europe/Berlin")
    going = continue_times(hours, "h", 6)
    assert [f"{t:%H%z}" for t in going] == "23+0200 00+0200 01+0200 02+0200 02+0100 03+0100".split()
    days = pd.DatetimeIndex(["2024-03-29 02:30", "2024-03-30 02:30"]).tz_localize("Europe/Berlin")
    going = continue_times(days, "D", 2)  # no 02:30 on the 31st
    assert [f"{t:%d %H:%M%z}" for t in going] == ["31 03:00+0200", "01 02:30+0200"]
    days = pd.DatetimeIndex(["2024-10-25 02:30", "2024-10-26 02:30"]).tz_localize("Europe/Berlin")
    going = continue_times(days, "D", 2)  # two of them on the 27th
    assert [f"{t:%d %H:%M%z}" for t in going] == ["27 02:30+0200", "28 02:30+0100"]


@pytest.mark.parametrize("frequency", ["D", "h"])
def test_clocks_and_zones(frequency):
    offset = to_offset(frequency)
    times = pd.date_range("2024-03-28", periods=100, freq=frequency, tz="Europe/Berlin")
    naive = clock(times, offset)
    assert naive.tz is None
    assert ((naive[1:] - naive[:-1]) == naive[1] - naive[0]).all()
    assert in_zone(naive, times.tz, offset).equals(times)
    assert clock(naive, offset) is naive
    assert in_zone(naive, None, offset) is naive


def test_days_that_begin_later():
    days = pd.date_range("2017-10-10", periods=12, freq="D")
    times = days.tz_localize("America/Sao_Paulo", nonexistent="shift_forward")
    assert times[5].hour == 1
    naive = clock(times, to_offset("D"))
    assert naive.equals(days)
    assert continue_times(times[:3], "D", 9).equals(times[3:])
    assert continue_times(times[:6], "D", 6).equals(times[6:])


def test_features():
    times = pd.DatetimeIndex(["2024-01-01 00:00", "2024-07-04 18:30", "2023-12-31 12:00"])
    gone = np.array([[0, 0, 0], [18.5 / 24, 3 / 7, 185 / 366], [0.5, 6 / 7, 364 / 365]])
    expected = np.stack([np.sin(2 * np.pi * gone), np.cos(2 * np.pi * gone)], axis=2).reshape(3, 6)
    found = calendar_features(times, "30min")
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, expected, atol=1e-6)
    names = [
        f"{kind}_{wave}" for kind in "hour_of_day day_of_week day_of_year".split() for wave in ("sin", "cos")
    ]
    assert list(feature_names("30min")) == names
    gone = {"minute_of_hour": 0.5, "day_of_month": 3 / 31, "month_of_year": 0.5}
    expected = [wave(2 * np.pi * part) for part in gone.values() for wave in (np.sin, np.cos)]
    np.testing.assert_allclose(calendar_features(times, "30min", list(gone))[1], expected, atol=1e-6)


def test_features_are_of_the_clock_on_the_wall():
    times = pd.date_range("2024-03-31", periods=5, freq="h", tz="Europe/Berlin")  # 0, 1, 3, 4, 5
    hours = np.array([0, 1, 3, 4, 5]) / 24
    np.testing.assert_allclose(
        calendar_features(times, "h", ["hour_of_day"])[:, 0], np.sin(2 * np.pi * hours), atol=1e-6
    )


def test_features_tell_apart_what_the_season_does():
    for frequency in ("20s", "15min", "h", "D", "B", "W-SUN", "MS", "QE-DEC"):
        season = season_of(frequency) if frequency != "W-SUN" else 52
        times = pd.date_range("2021-01-01", periods=min(season, 100), freq=frequency)
        found = calendar_features(times, frequency)
        assert len(np.unique(found.round(6), axis=0)) == len(times)
        assert found.shape == (len(times), len(feature_names(frequency)))
    assert set(feature_names("s")) <= {f"{kind}_{wave}" for kind in KINDS for wave in ("sin", "cos")}


def test_features_of_what_has_no_calendar():
    assert calendar_features(pd.RangeIndex(4), None).shape == (4, 0)
    assert calendar_features(pd.date_range("2024", periods=4, freq="YS"), "YS-JAN").shape == (4, 0)
    with pytest.raises(
        UserError, match="calendar feature 'day_of_week': plain numbers have no calendar; give dates"
    ):
        calendar_features(pd.RangeIndex(4), None, ["day_of_week"])
    with pytest.raises(
        UserError, match=r"unknown calendar feature 'day_of_weak': did you mean 'day_of_week'"
    ):
        calendar_features(pd.date_range("2024", periods=4), "D", ["day_of_weak"])
