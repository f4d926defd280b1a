import numpy as np
import pytest

from zoo.tasks.batches import Batches
from zoo.tasks.windows import LEAST, Column, Windows, extended

GENERATOR = np.random.default_rng(0)
VALUES = [GENERATOR.normal(size=length) for length in (20, 9, 5)]
VALUES[0][[4, 11]] = np.nan
LOOK_BACK, HORIZON = 6, 3


@pytest.fixture(scope="module")
def windows():
    past = [GENERATOR.normal(size=(len(each), 2)) for each in VALUES]
    known = [GENERATOR.normal(size=(len(each) + HORIZON, 1)) for each in VALUES]
    static = np.arange(6.0).reshape(3, 2)
    made = Windows(
        VALUES, LOOK_BACK, HORIZON, past=past, known=known, static=static, numbers=np.array([2, 0, 1])
    )
    return made, past, known


def cut(array, first, last):
    """Steps `first` to `last` of an array, nan where it has none."""
    found = np.full((last - first, *array.shape[1:]), np.nan)
    inside = np.arange(max(first, 0), min(last, len(array)))
    found[inside - first] = array[inside]
    return found


def test_windows_are_cut_out_of_their_series(windows):
    made, past, known = windows
    series = np.array([0, 0, 1, 2, 2])
    cutoffs = np.array([6, 20, 4, 5, 3])
    inputs = made.inputs(series, cutoffs)
    ahead, seen_ahead = made.following(series, cutoffs)
    weighted = made.weighted(series, cutoffs, np.array([1.0, 2, 3]))
    rows = np.array([4, 0, 2, 1, 3])
    for place, row in enumerate(rows):
        one, c = series[row], cutoffs[row]
        window, after = cut(VALUES[one], c - LOOK_BACK, c), cut(VALUES[one], c, c + HORIZON)
        expected = {
            "values": np.nan_to_num(window),
            "observed": ~np.isnan(window),
            "past": np.nan_to_num(cut(past[one], c - LOOK_BACK, c)),
            "known": np.nan_to_num(cut(known[one], c - LOOK_BACK, c + HORIZON)),
            "static": [2 * one, 2 * one + 1],
            "series": [2, 0, 1][one],
        }
        assert expected.keys() == inputs.keys()
        for name, value in expected.items():
            np.testing.assert_allclose(inputs[name][rows][place], value, rtol=1e-6, err_msg=name)
        np.testing.assert_allclose(ahead[rows][place], np.nan_to_num(after), rtol=1e-6)
        np.testing.assert_array_equal(seen_ahead[rows][place], ~np.isnan(after))
        both = np.stack([np.nan_to_num(after), ~np.isnan(after) * (one + 1)], axis=-1)
        np.testing.assert_allclose(weighted[rows][place], both, rtol=1e-6)
    exponential = made.inputs(series, cutoffs, exponential=True)["values"][:]
    plain, observed = (inputs[name][:] for name in ("values", "observed"))
    np.testing.assert_allclose(exponential, np.exp(plain) * observed, rtol=1e-6)


@pytest.mark.parametrize(
    ("length", "stride", "cutoffs"),
    [
        (20, 1, range(6, 18)),  # whole windows
        (20, 5, (7, 12, 17)),  # counted from the end
        (9, 1, [6]),
        (8, 1, (3, 4, 5)),  # none is whole: they begin before the series
        (6, 1, [3]),
        (5, 1, (3, 4)),  # no whole horizon either: they end behind it
        (4, 1, [3]),
        (3, 1, []),
    ],
)
def test_windows_to_learn_from(length, stride, cutoffs):
    made = Windows([np.ones(length + 2), np.ones(20)], LOOK_BACK, HORIZON)
    series, found = made.training(np.array([length, 20]), stride)
    assert found[series == 0].tolist() == list(cutoffs)
    assert found[series == 1].tolist() == list(range(17, 5, -stride))[::-1]


def test_windows_without_values_are_left_out():
    values = np.ones(30)
    values[5:20] = np.nan
    made = Windows([values], LOOK_BACK, HORIZON)
    _, found = made.training(np.array([30]))
    expected = [
        c
        for c in range(LOOK_BACK, 28)
        if (~np.isnan(values[c - 6 : c])).sum() >= LEAST and not np.isnan(values[c : c + 3]).all()
    ]
    assert found.tolist() == expected
    np.testing.assert_array_equal(made.seen(np.zeros(2, int), np.array([6, 22])), [5, 2])


def test_every_window():
    series, cutoffs = Windows.every(np.array([3, 9, 5]), np.array([8, 8, 5]), 2)
    assert series.tolist() == [0, 0, 0, 2]
    assert cutoffs.tolist() == [3, 5, 7, 5]


def test_columns_go_into_batches(windows):
    made, *_ = windows
    series, cutoffs = made.training(np.array([20, 9, 5]))
    batches = Batches(made.inputs(series, cutoffs), made.following(series, cutoffs)[0], batch_size=4, seed=1)
    x, y = next(batches.arrays())
    assert {name: each.dtype.name for name, each in x.items()} == {
        **dict.fromkeys(("values", "observed", "past", "known", "static"), "float32"),
        "series": "int32",
    }
    assert x["known"].shape == (4, LOOK_BACK + HORIZON, 1)
    assert y.shape == (4, HORIZON)
    seen = np.concatenate([batch[1] for batch in batches.arrays(epoch=3)])
    assert len(seen) == len(series) == batches.count
    assert np.sort(seen.sum(axis=1)) == pytest.approx(
        np.sort(made.following(series, cutoffs)[0][:].sum(axis=1))
    )


def test_column():
    column = Column(np.arange(10.0).reshape(5, 2), np.array([0, 3]), 2)
    assert (len(column), column.ndim, column.shape) == (2, 3, (2, 2, 2))
    np.testing.assert_array_equal(column[np.array([1])], [[[6, 7], [8, 9]]])
    np.testing.assert_array_equal(column[:1], [[[0, 1], [2, 3]]])


def test_rows_are_cut_or_repeated():
    rows = np.arange(4.0).reshape(2, 2)
    np.testing.assert_array_equal(extended(rows, 1), [[0, 1]])
    np.testing.assert_array_equal(extended(rows, 4), [[0, 1], [2, 3], [2, 3], [2, 3]])
