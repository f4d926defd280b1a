import numpy as np
import pytest

from zoo import metrics
from zoo.errors import UserError
from zoo.tasks.forecasts import Forecasts, Scores, following

GENERATOR = np.random.default_rng(0)
HISTORIES = [5 + np.abs(GENERATOR.normal(size=length)).cumsum() for length in (30, 24, 20)]
HISTORIES[1][21] = np.nan
SERIES, CUTOFFS = np.array([0, 0, 1, 1, 2]), np.array([24, 26, 18, 20, 16])
ACTUAL = following(HISTORIES, SERIES, CUTOFFS, 4)
LEVELS, PROBABILITIES = (0.5, 0.955), (0.1, 0.5, 0.9)


def forecasts(quantiles=True):
    forecast = np.nan_to_num(ACTUAL, nan=9) + GENERATOR.normal(size=ACTUAL.shape)
    intervals = {level: (forecast - 2 * level, forecast + 1) for level in LEVELS}
    found = forecast[..., None] + np.array([-1, 0.2, 1.5])
    return Forecasts(SERIES, CUTOFFS, ACTUAL, forecast, intervals, found if quantiles else None)


def test_what_follows():
    np.testing.assert_array_equal(ACTUAL[0], HISTORIES[0][24:28])
    np.testing.assert_array_equal(ACTUAL[3], HISTORIES[1][20:24])
    np.testing.assert_array_equal(following(HISTORIES, [2], [18], 4)[0], [*HISTORIES[2][18:], np.nan, np.nan])


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_blocks_add_up_to_the_metrics_of_all(rows):
    whole = forecasts()
    scores = Scores(PROBABILITIES, HISTORIES, 3, np.array([24, 18, 16]))
    for first in range(0, 5, rows):
        scores.add(whole.part(np.arange(first, min(first + rows, 5)), 4))
    found = scores.metrics()
    before = [HISTORIES[one][:first] for one, first in zip(SERIES, [24, 24, 18, 18, 16], strict=True)]
    naive = np.stack([metrics.naive2(HISTORIES[s][:c], 4, 3) for s, c in zip(SERIES, CUTOFFS, strict=True)])
    f = whole.forecast
    errors = {
        prefix: (metrics.smape(ACTUAL, each), metrics.mase(ACTUAL, each, before, 3))
        for prefix, each in (("own", f), ("naive", naive))
    }
    low, high = whole.intervals[0.955]
    expected = {
        "mse": metrics.mse(ACTUAL, f),
        "mae": metrics.mae(ACTUAL, f),
        "coverage_50": metrics.coverage(ACTUAL, *whole.intervals[0.5]),
        "width_50": 2.0,
        "coverage_95.5": metrics.coverage(ACTUAL, low, high),
        "width_95.5": metrics.interval_width(low, high),
        "crps": metrics.crps_quantiles(ACTUAL, whole.quantiles, PROBABILITIES),
        "smape": errors["own"][0],
        "mase": errors["own"][1],
        "owa": metrics.owa(*errors["own"], *errors["naive"]),
    }
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-9), name


def test_what_is_not_asked_for_is_left_out():
    plain = Scores()
    plain.add(forecasts(quantiles=False).part(np.arange(2), 2))
    assert set(plain.metrics()) == {
        "mse",
        "mae",
        *(f"{n}_{p}" for n in ("coverage", "width") for p in ("50", "95.5")),
    }
    relative = Scores((), HISTORIES, 3, np.array([24, 18, 16]), naive=False)
    relative.add(forecasts(quantiles=False))
    assert {"smape", "mase"} <= set(relative.metrics())
    assert "owa" not in relative.metrics()


def test_nothing_to_compare_with():
    scores = Scores()
    empty = forecasts().part(np.array([0]), 4)
    scores.add(Forecasts(empty.series, empty.cutoffs, empty.actual * np.nan, empty.forecast, {}))
    with pytest.raises(UserError, match="no observed value"):
        scores.metrics()


def test_blocks_are_joined():
    whole = forecasts()
    joined = Forecasts.joined([whole.part(np.arange(0, 2), 4), whole.part(np.arange(2, 5), 4)])
    for name in ("series", "cutoffs", "actual", "forecast", "quantiles"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))
    np.testing.assert_array_equal(joined.intervals[0.5], whole.intervals[0.5])
    assert Forecasts.joined([forecasts(quantiles=False)]).quantiles is None
    assert {one: rows.tolist() for one, rows in joined.of_series()} == {0: [0, 1], 1: [2, 3], 2: [4]}
