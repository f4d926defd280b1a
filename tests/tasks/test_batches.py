"""Batches: the plan, the padding, and what tf.data hands out."""

import numpy as np
import pytest

from zoo.errors import UserError
from zoo.tasks.batches import Batches, pad, padding_fraction, plan_batches

LENGTHS = np.random.default_rng(0).integers(1, 60, 500)
SEQUENCES = [np.full(length, row + 1) for row, length in enumerate(LENGTHS[:50])]


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("bucket", [True, False])
@pytest.mark.parametrize("batch_size", [1, 7, 50, 500, 900])
def test_every_example_comes_once(shuffle, bucket, batch_size):
    plan = plan_batches(LENGTHS, batch_size, 3, 1, shuffle=shuffle, bucket=bucket)
    assert sorted(np.concatenate(plan)) == list(range(500))
    assert len(plan) == -(-500 // batch_size)
    assert sum(len(rows) != min(batch_size, 500) for rows in plan) == int(500 % min(batch_size, 500) > 0)


def test_the_order_is_fresh_every_epoch_and_the_same_for_the_same_epoch():
    plans = [np.concatenate(plan_batches(LENGTHS, 32, 3, epoch)) for epoch in (0, 1, 1)]
    assert (plans[0] != plans[1]).mean() > 0.9
    assert (plans[1] == plans[2]).all()
    assert (np.concatenate(plan_batches(LENGTHS, 32, 4, 1)) != plans[1]).mean() > 0.9
    companions = [{frozenset(rows) for rows in plan_batches(LENGTHS, 32, 3, epoch)} for epoch in (0, 1)]
    assert not companions[0] & companions[1]


def test_buckets_leave_little_padding():
    shuffled = padding_fraction(LENGTHS, plan_batches(LENGTHS, 32, 0, 0, bucket=False))
    bucketed = padding_fraction(LENGTHS, plan_batches(LENGTHS, 32, 0, 0, multiple=1))
    assert shuffled > 0.4
    assert bucketed < 0.06
    assert Batches(SEQUENCES, batch_size=50, multiple=1).padding_fraction == pytest.approx(
        1 - LENGTHS[:50].mean() / LENGTHS[:50].max()
    )


def test_pad():
    np.testing.assert_array_equal(pad([np.array([1, 2, 3]), np.array([4])]), [[1, 2, 3], [4, 0, 0]])
    np.testing.assert_array_equal(pad([np.array([1, 2, 3])], multiple=2), [[1, 2, 3, 0]])
    assert pad([np.ones((2, 5)), np.ones((3, 5))]).shape == (2, 3, 5)
    assert pad([np.zeros(0)]).shape == (1, 1)
    assert pad([np.zeros(1, "float64")]).dtype == "float32"


def test_the_data_set_holds_the_arrays_from_any_step_on():
    batches = Batches(SEQUENCES, np.arange(50.0), batch_size=8, seed=1, weights=np.linspace(0, 1, 50))
    whole = list(batches.arrays(epoch=2))
    assert len(whole) == batches.steps == 7
    found = list(batches.dataset(epoch=2, start=3).as_numpy_iterator())
    assert len(found) == 4
    for expected, batch in zip(whole[3:], found, strict=True):
        for one, other in zip(expected, batch, strict=True):
            np.testing.assert_array_equal(one, other)
    x, y, w = whole[0]
    assert (x[:, 0] == y + 1).all()
    np.testing.assert_allclose(w, y / 49, rtol=1e-6)
    assert [spec.shape.as_list() for spec in batches.dataset().element_spec] == [[None, None], [None], [None]]


def test_columns_have_names_and_several_lengths():
    inputs = {"source": SEQUENCES, "target": [row[:2] for row in SEQUENCES], "numbers": np.ones((50, 3))}
    (x, y) = next(Batches(inputs, SEQUENCES, batch_size=4, shuffle=False, multiple=1).arrays())
    assert {name: array.ndim for name, array in x.items()} == {"source": 2, "target": 2, "numbers": 2}
    np.testing.assert_array_equal(x["source"], y)


def test_the_encoding_is_fresh_every_epoch_and_the_same_when_resumed():
    def encode(rows, generator):
        return [generator.integers(1, 9, LENGTHS[row]) for row in rows]

    batches = Batches(None, np.arange(50), batch_size=8, lengths=LENGTHS[:50], encode=encode)
    first, again = (list(batches.arrays(0)) for _ in range(2))
    np.testing.assert_array_equal(first[4][0], again[4][0])
    np.testing.assert_array_equal(next(batches.arrays(0, start=4))[0], first[4][0])
    others = list(batches.arrays(1))
    assert not any(np.array_equal(one[0], other[0]) for one, other in zip(first, others, strict=True))


def test_class_weights_become_weights():
    targets = np.array([0, 1, 1, 2])
    sequences = SEQUENCES[:4]
    for columns in (targets, np.eye(3)[targets]):
        batches = Batches(
            sequences, columns, class_weights={1: 3.0}, weights=np.array([1, 1, 2, 1]), shuffle=False
        )
        _, y, w = next(batches.arrays())
        classes = y if y.ndim == 1 else y.argmax(-1)
        assert sorted(w[classes == 1]) == [3.0, 6.0]
        assert sorted(w[classes != 1]) == [1.0, 1.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"inputs": []}, "no example"),
        ({"inputs": SEQUENCES, "targets": np.zeros(3)}, "targets: 3 examples"),
        ({"inputs": SEQUENCES, "batch_size": 0}, "batch_size"),
        ({"inputs": SEQUENCES, "seed": -1}, "seed"),
        ({"inputs": None}, "inputs"),
        ({"inputs": SEQUENCES, "targets": SEQUENCES, "class_weights": {0: 1.0}}, "class_weights"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(UserError, match=message):
        Batches(**arguments)
