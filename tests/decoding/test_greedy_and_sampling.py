import numpy as np
import pytest

from tests.decoding import references
from tests.decoding.toy import BANNED, END, VOCABULARY, Toy, assert_found, batch_of, search
from zoo.decoding import greedy, sample

MOST = 8


@pytest.mark.parametrize(
    ("banned", "penalties"), [((), {}), (BANNED, {"length_penalty": 0.4, "coverage_penalty": 0.5})], ids=str
)
def test_greedy_equals_its_reference(banned, penalties):
    toy, sentences = Toy(), batch_of(24, MOST)
    found = search(toy, greedy, sentences, most=MOST, banned=banned, **penalties)
    assert found.ids.shape == (24, 1, MOST)
    assert [each.dtype.name for each in found] == ["int32", "int32", "float32", "float32"]
    for sentence, (memory, mask, limit) in enumerate(zip(*sentences, strict=True)):
        follow = toy.follow(memory, mask)
        expected = [references.greedy(follow, END, limit, banned)]
        assert_found(found, sentence, references.ranked(follow, expected, END, **penalties))


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_samples_equal_their_reference(temperature):
    """The same tokens for the same random numbers, on every backend; log P is the network's at every temperature."""
    toy, sentences = Toy(), batch_of(24, MOST)
    draws = np.random.default_rng(3).random((MOST + 1, 24), dtype="float32")
    options = {"most": MOST, "temperature": temperature, "banned": BANNED, "coverage_penalty": 0.5}
    found = search(toy, sample, sentences, draws=draws, **options)
    for sentence, (memory, mask, limit) in enumerate(zip(*sentences, strict=True)):
        follow = toy.follow(memory, mask)
        drawn = references.sample(follow, END, limit, temperature, draws[:, sentence], BANNED)
        assert_found(found, sentence, references.ranked(follow, [drawn], END, coverage_penalty=0.5))


def test_samples_follow_the_distribution():
    toy, (memory, mask, _) = Toy(scale=0.7), batch_of(1, 1)
    count = 20_000
    sentences = np.repeat(memory, count, axis=0), np.repeat(mask, count, axis=0), np.ones(count, "int32")
    draws = np.random.default_rng(4).random((2, count), dtype="float32")
    found = search(toy, sample, sentences, draws=draws, most=1, temperature=1.5, banned=BANNED)
    tokens = np.where(found.lengths[:, 0] == 0, END, found.ids[:, 0, 0])
    probabilities = np.exp(toy.follow(memory[0], mask[0])(())[0] / 1.5)
    probabilities[list(BANNED)] = 0
    shares = np.bincount(tokens, minlength=VOCABULARY) / count
    np.testing.assert_allclose(shares, probabilities / probabilities.sum(), atol=0.015)


@pytest.mark.parametrize(("draw", "token"), [(0.0, END), (1.0, VOCABULARY - 2)])
def test_no_draw_gives_what_is_banned(draw, token):
    """The tokens at both ends of the vocabulary are banned, where the sums of probabilities are 0 and 1."""
    sentences, draws = batch_of(12, MOST), np.full((MOST + 1, 12), draw)
    options = {"most": MOST, "temperature": 1.0, "banned": (*BANNED, VOCABULARY - 1)}
    found = search(Toy(), sample, sentences, draws=draws, **options)
    inside = (np.arange(MOST) < sentences[2][:, None]) & (token != END)
    np.testing.assert_array_equal(found.ids[:, 0], np.where(inside, token, 0))


def test_a_low_temperature_is_greedy():
    toy, sentences = Toy(), batch_of(12, MOST)
    draws = np.random.default_rng(5).random((MOST + 1, 12), dtype="float32")
    cold = search(toy, sample, sentences, draws=draws, most=MOST, temperature=1e-4, banned=BANNED)
    for ours, expected in zip(cold, search(toy, greedy, sentences, most=MOST, banned=BANNED), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-5)
