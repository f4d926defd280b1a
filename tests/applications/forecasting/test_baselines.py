"""The baselines: their forecasts and their intervals by their formulas, and what stands in for them."""

import numpy as np
import pytest
from scipy.stats import norm

from applications.forecasting import baselines
from applications.forecasting.baselines import BASELINES
from zoo import metrics
from zoo.errors import UserError

SEASON = np.array([0.6, 0.9, 1.5, 1.0])


def deviations(forecast, level=0.8):
    """Return what the intervals say that the standard deviation is."""
    lower, upper = forecast.intervals[level]
    np.testing.assert_allclose(upper - forecast.point, forecast.point - lower, atol=1e-9)
    return (upper - forecast.point) / norm.ppf((1 + level) / 2)


def test_seasonal_naive():
    y = np.array([1.0, 5.0, 2.0, 3.0, 4.0, 4.0])
    found = baselines.seasonal_naive(y, 5, 2)
    assert found.point.tolist() == [4.0, 4.0, 4.0, 4.0, 4.0]
    errors = np.array([2 - 1, 3 - 5, 4 - 2, 4 - 3])
    expected = np.sqrt(np.mean(errors**2) * np.array([1, 1, 2, 2, 3]))
    for level in (0.8, 0.95):
        np.testing.assert_allclose(deviations(found, level), expected)
    assert baselines.seasonal_naive(np.arange(1.0, 8), 4, 3, (0.5,)).point.tolist() == [5.0, 6.0, 7.0, 5.0]
    short = baselines.seasonal_naive(np.array([1.0, 4.0]), 3, 12)
    assert short.point.tolist() == [4.0, 4.0, 4.0]
    np.testing.assert_allclose(deviations(short), 3 * np.sqrt([1, 2, 3]))


def test_missing_values():
    y = np.array([np.nan, 2.0, np.nan, 4.0, np.nan])
    assert baselines.seasonal_naive(y, 2, 1).point.tolist() == [4.0, 4.0]
    np.testing.assert_allclose(deviations(baselines.seasonal_naive(y, 1, 1)), [np.sqrt(2 / 3)])
    with pytest.raises(UserError, match="has 0 observed"):
        baselines.seasonal_naive(np.array([np.nan]), 1, 1)


def test_naive2():
    y = 100 * np.tile(SEASON, 6)[:-1]  # nothing but the season
    found = baselines.naive2(y, 7, 4)
    np.testing.assert_allclose(found.point, 100 * np.roll(np.tile(SEASON, 2), 1)[:7])
    np.testing.assert_allclose(deviations(found), 0, atol=1e-9)
    assert found.model == "Naive 2"
    walk = 100 + np.cumsum(np.random.default_rng(0).standard_normal(24))
    x = y[:20] * walk[:20] / 100
    found = baselines.naive2(x, 6, 4, (0.5,))
    np.testing.assert_allclose(found.point, metrics.naive2(x, 6, 4))
    factors = metrics.naive2(x, 4, 4)
    factors /= factors.mean()
    adjusted = x / np.array([factors[(t - 20) % 4] for t in range(20)])
    expected = np.sqrt(np.mean(np.diff(adjusted) ** 2) * np.arange(1, 7)) * factors[np.arange(6) % 4]
    np.testing.assert_allclose(deviations(found, 0.5), expected)
    plain = baselines.naive2(walk, 3, 12)  # two seasons, too few
    assert plain.model == "Naive 2, no season"
    np.testing.assert_allclose(plain.point, walk[-1])
    np.testing.assert_allclose(deviations(plain), np.sqrt(np.mean(np.diff(walk) ** 2) * np.arange(1, 4)))


def test_ets_chooses_its_model():
    noise = np.random.default_rng(0).standard_normal(80)
    level = baselines.ets(noise, 3, 1)
    assert level.model == "ETS(A,N,N)"
    np.testing.assert_allclose(level.point, level.point[0])  # it repeats its level
    assert abs(level.point[0]) < 0.5
    np.testing.assert_allclose(deviations(level), np.std(noise), rtol=0.1)
    added = np.tile(10 * SEASON - 10, 20) + 0.1 * noise  # of both signs
    found = baselines.ets(added, 4, 4)
    assert found.model in ("ETS(A,N,A)", "ETS(A,Ad,A)")
    np.testing.assert_allclose(found.point, 10 * SEASON - 10, atol=0.2)
    grown = np.tile(SEASON, 20) * np.linspace(10, 200, 80) * (1 + 0.02 * noise)
    found, again = (baselines.ets(grown, 4, 4) for _ in range(2))
    assert found.model in ("ETS(M,N,M)", "ETS(M,Ad,M)")
    np.testing.assert_allclose(found.point, 200 * SEASON, rtol=0.1)
    lower, upper = found.intervals[0.95]
    assert (lower < found.point).all()
    assert (found.point < upper).all()
    np.testing.assert_array_equal(found.intervals[0.95], again.intervals[0.95])  # the paths are drawn alike


def test_theta():
    noise = np.random.default_rng(1).standard_normal(60)
    y = 50 + np.cumsum(noise)
    found = baselines.theta(y, 8, 1)
    assert found.model == "Theta, no season"
    steps = np.diff(found.point)  # half of the slope of the line through the series
    np.testing.assert_allclose(steps, np.polyfit(np.arange(60), y, 1)[0] / 2, rtol=1e-6)
    spread = deviations(found)
    np.testing.assert_allclose(np.diff((spread / spread[0]) ** 2), (spread[1] / spread[0]) ** 2 - 1)
    alpha = np.sqrt((spread[1] / spread[0]) ** 2 - 1)
    level, errors = y[0], []
    for value in y[1:]:
        errors.append(value - level)
        level += alpha * errors[-1]
    np.testing.assert_allclose(spread[0], np.sqrt(np.mean(np.square(errors))), rtol=1e-6)
    seasonal = baselines.theta(np.tile(SEASON, 10) * (100 + 0.01 * noise[:40]), 4, 4)
    assert seasonal.model == "Theta"
    np.testing.assert_allclose(seasonal.point, 100 * SEASON, rtol=1e-3)
    widths = deviations(seasonal)
    assert widths[2] / widths[0] == pytest.approx(2.5, rel=0.1)  # as the factors are: 1.5 and 0.6


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize(
    ("y", "reason"),
    [
        ([3.0], "seasonal naive (fewer than 10 values)"),
        ([3.0, np.nan, 4.0], "seasonal naive (fewer than 10 values)"),
        ([5.0] * 40, "seasonal naive (constant)"),
        ([0.0] * 39 + [1.0], None),
        ([1e30, -1e30] * 20, None),
        ([0.0] * 40, "seasonal naive (constant)"),
    ],
)
def test_strange_series(name, y, reason):
    found = BASELINES[name](np.array(y), 30, 12, (0.9,))
    lower, upper = found.intervals[0.9]
    assert found.point.shape == lower.shape == upper.shape == (30,)
    assert np.isfinite([found.point, lower, upper]).all()
    assert (lower <= upper).all()
    if name in ("ETS", "Theta") and reason:
        assert found.model == reason
        np.testing.assert_array_equal(found.point, baselines.seasonal_naive(np.array(y), 30, 12).point)


def test_a_method_that_fails(monkeypatch):
    def fail(*_):
        raise np.linalg.LinAlgError("singular\nmatrix")

    monkeypatch.setattr(baselines, "_theta", fail)
    found = baselines.theta(np.arange(20.0), 2, 1)
    assert found.model == "seasonal naive (singular)"
    monkeypatch.setattr(baselines, "_fitted_ets", lambda *_: [])
    assert baselines.ets(np.arange(20.0), 2, 1).model == "seasonal naive (no model of ETS fits)"


def test_season_that_does_not_fit():
    y = np.random.default_rng(2).standard_normal(17)
    assert baselines.ets(y, 2, 4).model in ("ETS(A,N,N)", "ETS(A,Ad,N)")  # two seasons and ten values are 18
    assert baselines.theta(y, 2, 4).model == "Theta, no season"
