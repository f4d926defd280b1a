import numpy as np
import pandas as pd
import pytest

from zoo.tasks.series import phase_of, seasonal_factors


@pytest.mark.parametrize(
    ("frequency", "steps"),
    [("h", 31), ("15min", 31), ("D", 40), ("B", 12), ("W-SUN", 7), ("MS", 15), ("QS-JAN", 5), ("YE-DEC", 3)],
)
@pytest.mark.parametrize("start", ["1999-02-01", "2024-02-05"])
def test_a_part_of_a_series_has_the_phase_of_the_whole(frequency, steps, start):
    times = pd.date_range(start, periods=steps + 9, freq=frequency)
    assert phase_of(times[steps:], frequency) - phase_of(times, frequency) == steps
    before = pd.date_range(end=times[0], periods=1000 if frequency == "h" else 200, freq=frequency)
    assert phase_of(times, frequency) - phase_of(before, frequency) == len(before) - 1


def test_phase_begins_with_the_year_2000():
    assert phase_of(pd.date_range("2000-01-01", periods=3, freq="h"), "h") == 0
    assert phase_of(pd.date_range("2000-01-03 05:00", periods=3, freq="h"), "h") == 53
    assert phase_of(pd.date_range("1999-11-01", periods=3, freq="MS"), "MS") == -2
    assert phase_of(pd.date_range("2001-01-01", periods=3, freq="MS"), "MS") == 12
    berlin = pd.date_range("2024-03-30", periods=4, freq="D", tz="Europe/Berlin")
    assert phase_of(berlin[2:], "D") - phase_of(berlin, "D") == 2  # over a night of 23 hours
    assert phase_of(pd.RangeIndex(7, 20), None) == 7
    assert phase_of(pd.RangeIndex(6, 20, 2), None) == 3


@pytest.mark.parametrize("phase", [0, 3, -5])
@pytest.mark.parametrize("period", [3, 4])
def test_factors_of_a_pure_season_are_found(period, phase):
    generator = np.random.default_rng(period)
    own = generator.normal(size=period) / 3
    own -= own.mean()
    time = np.arange(5 * period + 2)
    logs = 0.1 * time + own[(phase + time) % period]
    np.testing.assert_allclose(seasonal_factors(logs, phase, [period]), np.exp(own), rtol=1e-9)


def test_factors_of_two_seasons():
    time = np.arange(24)
    small, large = np.array([0.3, -0.3]), np.array([0.2, 0.0, 0.1, -0.1, -0.2, 0.0])
    large = large - np.tile([large[::2].mean(), large[1::2].mean()], 3)  # what the short season does not have
    logs = small[time % 2] + large[time % 6]
    found = seasonal_factors(logs, 0, [2, 6, 1])
    # the ends of the moving average leave the shorter season no whole seasons of the longer one: about
    np.testing.assert_allclose(found[:2], np.exp(small), atol=0.07)
    np.testing.assert_allclose(
        np.tile(found[:2], 3) * found[2:], np.exp(np.tile(small, 3) + large), atol=0.06
    )
    assert len(found) == 8


def test_factors_where_there_are_none():
    np.testing.assert_array_equal(seasonal_factors(np.ones(7), 0, [4]), np.ones(4))
    assert seasonal_factors(np.ones(7), 0, [1]).shape == (0,)
    np.testing.assert_array_equal(seasonal_factors(np.full(9, np.nan), 0, [2]), np.ones(2))
    gap = np.tile([0.5, -0.5], 6)
    gap[4] = np.nan
    assert seasonal_factors(gap, 0, [2])[0] > 1.4
