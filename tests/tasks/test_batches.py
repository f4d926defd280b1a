"""Batches: the plan, the padding, and what tf.data hands out."""

import itertools

import keras
import numpy as np
import pytest

from zoo.errors import UserError
from zoo.tasks.batches import Batches, pad, padding_fraction, plan_batches, round_up

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


def test_lengths_of_several_columns_and_few_tokens():
    pairs = np.stack([LENGTHS, np.random.default_rng(1).integers(1, 60, 500)], axis=1)
    plans = [plan_batches(pairs, 8, 3, epoch, widths=4, tokens=600) for epoch in (0, 1)]
    assert len(plans[0]) == len(plans[1])
    padded = round_up(pairs, 4)
    for plan in plans:
        assert sorted(np.concatenate(plan)) == list(range(500))
        assert max(map(len, plan)) == 8
        assert max(len(rows) * padded[rows].max(axis=0).sum() for rows in plan) <= 600
        sorted_plan = sorted(plan, key=lambda rows: padded[rows].tolist())
        ordered = [tuple(row) for rows in sorted_plan for row in padded[rows]]
        assert ordered == sorted(ordered)  # by the first column, then by the second
        for rows, after in itertools.pairwise(sorted_plan):  # one more would be too many
            more = [*rows, after[0]]
            assert len(rows) == 8 or len(more) * padded[more].max(axis=0).sum() > 600
    assert {frozenset(rows) for rows in plans[0]} != {frozenset(rows) for rows in plans[1]}
    steps = sum(len(rows) * padded[rows].max(axis=0).sum() for rows in plans[0])
    assert padding_fraction(pairs, plans[0], widths=4) == pytest.approx(1 - pairs.sum() / steps)
    whole = plan_batches(pairs[:, :1], 20, 3, 0)
    assert [list(rows) for rows in whole] == [list(rows) for rows in plan_batches(pairs[:, 0], 20, 3, 0)]


def test_a_batch_of_tokens_holds_one_example_at_least():
    columns = {"source": SEQUENCES, "target": SEQUENCES[::-1]}
    lengths = np.stack([LENGTHS[:50], LENGTHS[:50][::-1]], axis=1)
    batches = Batches(columns, np.arange(50), batch_size=99, lengths=lengths, tokens=40, widths=0, seed=2)
    found = list(batches.arrays(1))
    assert len(found) == batches.steps == len(list(batches.dataset(1)))
    assert sorted(np.concatenate([y for _, y in found])) == list(range(50))
    for x, y in found:
        np.testing.assert_array_equal(x["source"][:, 0], y + 1)
        np.testing.assert_array_equal(x["target"][:, 0], 50 - y)
        assert len(y) == 1 or x["source"].size + x["target"].size <= 40
    padded = sum(x["source"].size + x["target"].size for x, _ in batches.arrays(0))
    assert batches.padding_fraction == pytest.approx(1 - lengths.sum() / padded)
    assert batches.fingerprint()["tokens"] == 40
    assert "tokens" not in Batches(columns).fingerprint()


def test_buckets_leave_little_padding():
    shuffled = padding_fraction(LENGTHS, plan_batches(LENGTHS, 32, 0, 0, bucket=False))
    bucketed = padding_fraction(LENGTHS, plan_batches(LENGTHS, 32, 0, 0, widths=0))
    assert shuffled > 0.4
    assert bucketed < 0.06
    assert Batches(SEQUENCES, batch_size=50, widths=0).padding_fraction == pytest.approx(
        1 - LENGTHS[:50].mean() / LENGTHS[:50].max()
    )


def test_few_widths_and_little_padding():
    lengths = np.arange(1, 513)
    padded = round_up(lengths, 4)
    assert list(np.unique(padded)[:13]) == [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20]
    assert len(np.unique(padded)) == 32
    assert (padded >= lengths).all()
    assert (round_up(padded, 4) == padded).all()  # a width is one of its own
    assert (padded < 1.25 * lengths).all()
    assert padding_fraction(lengths, np.split(np.arange(512), 512), widths=4) < 0.08
    np.testing.assert_array_equal(round_up([0, 1, 9], 0), [1, 1, 9])
    np.testing.assert_array_equal(round_up([1, 32, 33, 65], 1, least=32), [32, 32, 64, 128])


def test_under_a_tenth_is_padding_where_lengths_differ_as_in_texts():
    for mean, batch_size in ((10, 32), (10, 128), (25, 32), (25, 128), (230, 32), (230, 128)):
        lengths = np.random.default_rng(0).gamma(2, mean / 2, 20_000).astype(int)
        lengths = np.clip(lengths, 1, 512)
        plan = plan_batches(lengths, batch_size, 0, 0, widths=4)
        assert padding_fraction(lengths, plan, widths=4) < 0.1
        assert len({round_up(lengths[rows].max(), 4) for rows in plan}) <= 32
        assert padding_fraction(lengths, plan_batches(lengths, batch_size, 0, 0, widths=0)) < 0.03


def test_pad():
    np.testing.assert_array_equal(pad([np.array([1, 2, 3]), np.array([4])]), [[1, 2, 3], [4, 0, 0]])
    np.testing.assert_array_equal(pad([np.array([1, 2, 3])], least=4), [[1, 2, 3, 0]])
    assert pad([np.zeros(33)], widths=2).shape == (1, 48)
    assert pad([np.ones((2, 5)), np.ones((3, 5))]).shape == (2, 3, 5)
    assert pad([np.zeros(0)]).shape == (1, 1)
    assert pad([np.zeros(1, "float64")]).dtype == "float32"


def test_the_data_set_holds_the_arrays_from_any_step_on():
    batches = Batches(SEQUENCES, np.arange(50.0), batch_size=8, seed=1, weights=np.linspace(0, 1, 50))
    whole = list(batches.arrays(epoch=2))
    assert len(whole) == batches.steps == 7
    found = list(batches.dataset(epoch=2, start=3))
    assert len(found) == 4
    for expected, batch in zip(whole[3:], found, strict=True):
        for one, other in zip(expected, batch, strict=True):
            np.testing.assert_array_equal(one, other)
    x, y, w = whole[0]
    assert (x[:, 0] == y + 1).all()
    np.testing.assert_allclose(w, y / 49, rtol=1e-6)
    if keras.backend.backend() == "tensorflow":
        shapes = [spec.shape.as_list() for spec in batches.dataset().element_spec]
        assert shapes == [[None, None], [None], [None]]


def test_columns_have_names_and_several_lengths():
    inputs = {"source": SEQUENCES, "target": [row[:2] for row in SEQUENCES], "numbers": np.ones((50, 3))}
    (x, y) = next(Batches(inputs, SEQUENCES, batch_size=4, shuffle=False, widths=0).arrays())
    assert {name: array.ndim for name, array in x.items()} == {"source": 2, "target": 2, "numbers": 2}
    np.testing.assert_array_equal(x["source"], y)


def test_examples_drawn_for_an_epoch_are_new_in_every_one_and_the_same_when_resumed():
    def draw(generator):
        longer = LENGTHS[:50] * generator.integers(1, 4, 50)
        return [generator.integers(1, 9, length) for length in longer], longer

    def batches():
        return Batches(SEQUENCES, np.arange(50), batch_size=8, widths=0, draw=draw, tokens=60)

    first, others = (list(batches().arrays(epoch)) for epoch in range(2))
    again = batches()
    others_again = list(again.arrays(1))
    again = list(again.arrays(0))
    for one, other in zip([*first, *others], [*again, *others_again], strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        assert one[0].size <= max(60, one[0].shape[1])  # planned by the lengths that were drawn
    np.testing.assert_array_equal(next(batches().arrays(0, start=4))[0], first[4][0])
    assert sorted(row for _, y in others for row in y) == list(range(50))
    assert not any(np.array_equal(one[0], other[0]) for one in first for other in others if len(one[0]) > 1)
    assert batches().steps == len(first) == len(batches().dataset(0))
    assert len(batches().dataset(1)) == len(others)


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
        ({"inputs": SEQUENCES, "widths": 3}, "power of two"),
        ({"inputs": SEQUENCES, "tokens": 0}, "tokens: got 0; give a whole number of 1 or more"),
        ({"inputs": SEQUENCES, "tokens": 9, "bucket": False}, "tokens: they need bucket=True"),
        ({"inputs": SEQUENCES, "targets": SEQUENCES, "class_weights": {0: 1.0}}, "class_weights"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(UserError, match=message):
        Batches(**arguments)
