import keras
import numpy as np
import pytest
from keras import ops

from tests.decoding import references
from tests.decoding.toy import BANNED, END, START, VOCABULARY, Toy, assert_found, batch_of, rows, search
from zoo.decoding import beam, greedy, lanes, tile
from zoo.errors import UserError

MOST = 8


@pytest.mark.parametrize(
    ("width", "n_best", "banned", "penalties"),
    [
        (2, 1, BANNED, {"length_penalty": 2.0}),
        (2, 2, BANNED, {"length_penalty": 0.0}),
        (3, 3, (), {"length_penalty": 0.6}),
        (4, 4, (0,), {"length_penalty": 1.4, "coverage_penalty": 0.3}),
        (5, 5, BANNED, {"coverage_penalty": 2.0}),
    ],
    ids=str,
)
def test_beam_equals_its_reference(width, n_best, banned, penalties):
    toy, sentences = Toy(seed=2), batch_of(24, MOST)
    options = {"beam": width, "most": MOST, "n_best": n_best, "banned": banned, **penalties}
    found = search(toy, beam, sentences, lanes(width), **options)
    assert found.ids.shape == (24, n_best, MOST)
    for sentence, (memory, mask, limit) in enumerate(zip(*sentences, strict=True)):
        expected = references.beam(toy.follow(memory, mask), width, END, limit, banned, **penalties)
        assert_found(found, sentence, expected)


@pytest.mark.parametrize("penalties", [{}, {"length_penalty": 0.3, "coverage_penalty": 0.5}], ids=str)
def test_a_beam_that_holds_every_sequence_finds_the_best_of_them(penalties):
    toy, sentences = Toy(vocabulary=5), batch_of(6, 3)
    found = search(toy, beam, sentences, lanes(15), beam=15, most=3, n_best=15, banned=BANNED, **penalties)
    for sentence, (memory, mask, limit) in enumerate(zip(*sentences, strict=True)):
        expected = references.exhaustive(toy.follow(memory, mask), (3, 4), END, limit, **penalties)
        assert len(expected) == 2 ** (limit + 1) - 1
        assert_found(found, sentence, expected)


def test_greedy_hypothesis_is_found_where_the_beam_loses_it():
    """Two lanes of many tokens: the likeliest first token is often left behind, and yet leads to the best."""
    toy, sentences = Toy(vocabulary=12, scale=1.0, seed=5), batch_of(60, MOST, seed=2)
    found = search(toy, beam, sentences, lanes(2), beam=2, most=MOST, n_best=2, length_penalty=1.0)
    lost = best = 0
    for sentence, (memory, mask, limit) in enumerate(zip(*sentences, strict=True)):
        follow = toy.follow(memory, mask)
        alone = references.beam_alone(follow, 2, END, limit)
        tokens = references.greedy(follow, END, limit)
        lost += tokens not in alone
        best += tokens not in alone and rows(found, sentence)[0][0] == tokens
        assert_found(found, sentence, references.beam(follow, 2, END, limit))
    assert lost > best > 0


def test_ties_give_different_hypotheses_of_the_right_scores():
    toy, (memory, mask, limits) = Toy(scale=0.0), batch_of(3, 4)
    found = search(toy, beam, (memory, mask, limits), lanes(3), beam=3, most=4, n_best=3, banned=BANNED)
    for sentence, limit in enumerate(limits):
        follow = toy.follow(memory[sentence], mask[sentence])
        ours = rows(found, sentence)
        assert len({tokens for tokens, *_ in ours}) == len(ours) == (1 if limit == 0 else 3)
        assert all(len(tokens) <= limit and not {*tokens} & {*BANNED, END} for tokens, *_ in ours)
        expected = [references.score(follow, tokens, END) for tokens, *_ in ours]
        np.testing.assert_allclose([score for *_, score in ours], expected, rtol=1e-5)
        assert expected == sorted(expected, reverse=True)


@pytest.mark.backend("tensorflow", "jax")
def test_of_equal_continuations_the_lower_token_comes_first():
    toy, sentences = Toy(scale=0.0), batch_of(3, 4)
    found = search(toy, beam, sentences, lanes(3), beam=3, most=4, n_best=3, banned=BANNED)
    for sentence, (memory, mask, limit) in enumerate(zip(*sentences, strict=True)):
        assert_found(found, sentence, references.beam(toy.follow(memory, mask), 3, END, limit, BANNED))


def test_a_beam_of_one_is_greedy():
    toy, sentences = Toy(), batch_of(16, MOST)
    options = {"most": MOST, "banned": BANNED, "length_penalty": 0.7, "coverage_penalty": 0.2}
    one = search(toy, beam, sentences, lanes(1), beam=1, **options)
    for ours, expected in zip(one, search(toy, greedy, sentences, **options), strict=True):
        np.testing.assert_array_equal(ours, expected)


@pytest.mark.backend("tensorflow")
def test_most_may_be_a_tensor():
    toy, sentences = Toy(), batch_of(6, 5)

    def free(*args, limits, **options):
        return beam(*args, limits=limits, most=ops.max(limits), **options)

    found = search(toy, free, sentences, lanes(2), beam=2)
    fixed = search(toy, beam, sentences, lanes(2), beam=2, most=int(sentences[2].max()))
    for ours, expected in zip(found, fixed, strict=True):
        np.testing.assert_array_equal(ours, expected)


def sure_of(sequence, odds=20.0):
    """A step function that all but surely gives this sequence, and the list of the rows of its calls."""
    calls = []

    def step(tokens, state):
        logits = ops.take(odds * ops.one_hot(ops.array(sequence), VOCABULARY), state, axis=0)
        calls.append(tokens.shape[0])
        return logits, ops.minimum(state + 1, len(sequence) - 1), None

    return step, calls


@pytest.mark.backend(
    "tensorflow", "torch"
)  # where a loop outside of a graph is one of Python, whose steps count
def test_it_stops_once_nothing_can_be_better():
    step, calls = sure_of([4, 3, 5, END])
    state = ops.zeros((2 * lanes(2),), dtype="int32")
    limits = ops.array([6, 50], dtype="int32")
    found = beam(step, state, 2, 2, START, END, limits, 50, banned=BANNED)
    np.testing.assert_array_equal(ops.convert_to_numpy(found.ids)[:, 0, :4], [[4, 3, 5, 0]] * 2)
    assert calls == [2 * lanes(2)] * 4


@pytest.mark.backend("tensorflow", "torch")
def test_it_stops_once_as_many_are_found_as_the_beam_is_wide():
    step, calls = sure_of([END], odds=0.1)  # nothing is sure, and a longer one could still be better
    state = ops.zeros((lanes(2),), dtype="int32")
    found = beam(step, state, 1, 2, START, END, ops.array([60]), 60, length_penalty=2.0, n_best=2)
    assert sorted(ops.convert_to_numpy(found.lengths)[0]) == [0, 1]
    assert len(calls) == 2


def test_tile_puts_the_lanes_of_a_sentence_side_by_side():
    tiled = tile({"a": ops.array([[1, 2], [3, 4]]), "b": (ops.array([5, 6]),)}, 2)
    np.testing.assert_array_equal(ops.convert_to_numpy(tiled["a"]), [[1, 2], [1, 2], [3, 4], [3, 4]])
    np.testing.assert_array_equal(ops.convert_to_numpy(tiled["b"][0]), [5, 5, 6, 6])


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"beam": 0}, "beam: got 0"),
        ({"beam": 2, "n_best": 3}, "n_best: got 3"),
        ({"beam": 2, "coverage_penalty": 0.1}, "source_mask: got None"),
        ({"beam": 2, "coverage_penalty": 0.1, "source_mask": np.ones((1, 3), bool)}, "attends to nothing"),
    ],
)
def test_what_cannot_be_searched_is_refused(options, fault):
    step, _ = sure_of([END])
    state = ops.zeros((3,), dtype="int32")
    with pytest.raises(UserError, match=fault):
        beam(step, state, 1, start=START, end=END, limits=ops.array([3]), most=3, **options)


def test_hypotheses_have_the_documented_types():
    found = search(Toy(), beam, batch_of(2, 3), lanes(2), beam=2, most=3)
    assert [each.dtype.name for each in found] == ["int32", "int32", "float32", "float32"]
    assert keras.tree.is_nested(found)
