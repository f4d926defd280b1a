from statistics import NormalDist

import numpy as np
import pytest

from zoo.tasks.conformal import (
    GRID,
    LEAST_SPREAD,
    NEEDED,
    calibrated,
    error_table,
    interpolated,
    naive_spread,
)


def at(table, probability):
    return table[:, np.flatnonzero(np.isclose(GRID, probability))[0]]


def test_order_statistics_have_the_correction_of_a_finite_sample():
    errors = np.random.default_rng(0).permutation(np.arange(1.0, 20))[:, None]  # 1 to 19
    table = error_table(errors)
    expected = {
        0.05: 1,
        0.1: 2,
        0.12: 2,
        0.5: 10,
        0.88: 18,
        0.9: 18,
        0.95: 19,
    }  # ranks p·20, away from the middle
    for probability, rank in expected.items():
        assert at(table, probability) == rank, probability
    # there is none of rank 0.01, nor of 19.99: a normal tail from the median through the outermost one
    ratio = NormalDist().inv_cdf(0.9995) / NormalDist().inv_cdf(19 / 20)
    np.testing.assert_allclose(at(table, 0.0005), 10 - 9 * ratio, rtol=1e-6)
    np.testing.assert_allclose(at(table, 0.9995), 10 + 9 * ratio, rtol=1e-6)
    assert (np.diff(table) >= 0).all()
    even = error_table(np.arange(1.0, 5)[:, None])
    assert at(even, 0.5) == 2.5
    np.testing.assert_array_equal(error_table(np.array([[3.0]])), np.full((1, len(GRID)), 3))


def test_few_errors_take_those_of_their_neighbours():
    errors = np.tile([0.0, 1.0, 2.0, 3.0], (NEEDED // 2, 1))
    errors[:40, 0] = np.nan
    table = error_table(errors)
    # step 0 takes in step 1 and, for it is still short, step 2; step 1 both sides; step 3 its only neighbour
    np.testing.assert_array_equal(at(table, 0.05), [0, 0, 1, 2])
    np.testing.assert_array_equal(at(table, 0.95), [2, 2, 3, 3])
    many = np.random.default_rng(1).normal([0, 10, 20], size=(NEEDED, 3))
    np.testing.assert_allclose(at(error_table(many), 0.5), np.median(many, axis=0), rtol=1e-6)


def test_intervals_hold_what_they_say():
    generator = np.random.default_rng(2)
    spread = generator.uniform(1, 5, (4000, 1))
    error = generator.gamma(2, size=(4000, 2)) * [1, 3] * spread  # of one sign: the two tails differ
    table = error_table((error / spread)[:2000])
    forecast = np.zeros((2000, 2))
    low, high = np.moveaxis(calibrated(forecast, spread[2000:], table, [0.1, 0.9]), -1, 0)
    held = (low <= error[2000:]) & (error[2000:] <= high)
    np.testing.assert_allclose(held.mean(axis=0), 0.8, atol=0.025)
    np.testing.assert_allclose((error[2000:] > high).mean(axis=0), 0.1, atol=0.02)


def test_quantiles_lie_on_straight_lines():
    table = np.tile(GRID * 100, (3, 1)).astype("float32")
    forecast, spread = np.array([[1.0, 2.0]]), np.array([[10.0]])
    found = calibrated(forecast, spread, table, np.array([0.25, 0.3333, 0.99999]))
    np.testing.assert_allclose(found[0, 0], 1 + 10 * np.array([25, 33.33, 99.95]), rtol=1e-5)
    np.testing.assert_allclose(found[0, 1], found[0, 0] + 1)
    np.testing.assert_allclose(interpolated(np.array([[4.0, 8.0]]), [0.2, 0.4], [0.1, 0.3, 0.9]), [[4, 6, 8]])
    np.testing.assert_allclose(interpolated(np.array([[4.0]]), [0.5], [0.1, 0.9]), [[4, 4]])


@pytest.mark.parametrize("period", [1, 2, 5])
def test_spread_is_the_error_of_the_naive_forecast(period):
    values = np.array([[1.0, 3, 2, 7, 4], [0, 0, 5, 5, 5], [0, 0, 0, 0, 9]])
    observed = np.array([[1, 1, 0, 1, 1], [0, 0, 1, 1, 1], [0, 0, 0, 0, 1]])
    found = naive_spread(values, observed, period)
    first = {1: (2 + 3) / 2, 2: 4.0, 5: (2 + 3) / 2}[
        period
    ]  # a season that is too long gives way to neighbours
    np.testing.assert_allclose(found, [[first], [LEAST_SPREAD], [1]])
