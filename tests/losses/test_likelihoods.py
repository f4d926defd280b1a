"""Likelihoods against scipy.stats in float64: what they say, their gradients, their samples."""

import keras
import numpy as np
import pytest
from scipy import stats

from zoo.loops.backend import native
from zoo.losses import LIKELIHOODS, Gaussian, NegativeBinomial, StudentT

RNG = np.random.default_rng(0)
REAL = np.array([-50.0, -1.0, 0.0, 0.3, 2.0, 400.0])
COUNTS = np.array([0.0, 1.0, 2.0, 7.0, 60.0, 900.0])
PARAMETERS = {  # three of each
    "gaussian": [(0.0, -3.0, 5.0), (1.0, 0.1, 40.0)],
    "student_t": [(2.1, 5.0, 300.0), (0.0, -3.0, 5.0), (1.0, 0.1, 40.0)],
    "negative_binomial": [(0.3, 6.0, 500.0), (3.0, 0.4, 0.001)],
}
EXACT = {
    "gaussian": lambda mean, deviation: stats.norm(mean, deviation),
    "student_t": lambda degrees, location, scale: stats.t(degrees, location, scale),
    "negative_binomial": lambda mean, dispersion: stats.nbinom(1 / dispersion, 1 / (1 + dispersion * mean)),
}
NAMES = pytest.mark.parametrize("name", sorted(LIKELIHOODS))


def tensors(*arrays):
    return [keras.ops.convert_to_tensor(np.asarray(each, "float32")) for each in arrays]


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def exact(name, values, parameters):
    """The log-probability in float64."""
    distribution = EXACT[name](*parameters)
    return distribution.logpmf(values) if name == "negative_binomial" else distribution.logpdf(values)


def grid(name):
    """Every value beside every set of parameters, (values, sets)."""
    values = (COUNTS if name == "negative_binomial" else REAL)[:, None]
    return np.broadcast_arrays(values, *(np.array(each)[None] for each in PARAMETERS[name]))


@NAMES
def test_log_prob(name):
    values, *parameters = grid(name)
    found = array(LIKELIHOODS[name].log_prob(*tensors(values, *parameters)))
    np.testing.assert_allclose(found, exact(name, values, parameters), rtol=2e-6, atol=5e-6)


def test_log_prob_of_large_counts_and_of_the_limits():
    mean = np.array([1e6, 1e6, 1e5, 3e4, 5.0, 5.0])
    dispersion = np.array([0.1, 1e-3, 2.0, 1e-5, 1e-6, 50.0])
    counts = np.array([1.1e6, 999_000.0, 0.0, 30_100.0, 7.0, 1e5])
    exactly = exact("negative_binomial", counts, (mean, dispersion))
    # scipy's own sum of large terms loses digits near the Poisson distribution
    exactly[3:5] = [poisson_like(*each) for each in zip(counts[3:5], mean[3:5], dispersion[3:5], strict=True)]
    found = array(NegativeBinomial.log_prob(*tensors(counts, mean, dispersion)))
    np.testing.assert_allclose(found, exactly, rtol=1e-5, atol=1e-4)
    found = array(StudentT.log_prob(*tensors([1.0, -2.0], [1e6, 1e9], [0.5, 0.5], [2.0, 2.0])))
    np.testing.assert_allclose(found, stats.norm(0.5, 2).logpdf([1.0, -2.0]), rtol=2e-6)


def poisson_like(count, mean, dispersion):
    """log p as the sum of log((k + r)/(k + 1)) over k < count, and the powers: no log Γ."""
    r, k = 1 / dispersion, np.arange(count)
    powers = -r * np.log1p(dispersion * mean) + count * np.log(mean / (r + mean))
    return np.sum(np.log((k + r) / (k + 1))) + powers


@NAMES
def test_gradients_are_those_of_the_exact_law(name):
    """By central differences in float64, of each parameter."""
    values, *parameters = grid(name)
    inputs = tensors(*parameters)
    [ours] = tensors(values)
    pull = native.pullback(lambda *each: [LIKELIHOODS[name].log_prob(ours, *each)], inputs)
    for place, found in enumerate(pull([keras.ops.ones(values.shape)])):
        step = 1e-4 * np.maximum(np.abs(parameters[place]), 0.1 if name != "negative_binomial" else 0)
        ends = [
            exact(name, values, [each + sign * step * (k == place) for k, each in enumerate(parameters)])
            for sign in (1, -1)
        ]
        expected = (ends[0] - ends[1]) / (2 * step)
        np.testing.assert_allclose(array(found), expected, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("count", [2.0, 6.0, 12.0])
def test_gradient_of_counts_where_a_ratio_is_1(count):
    """d log p / dμ = (y − μ)/(μ + αμ²), also where y = μ or y = μ(1 − α) − 1."""
    [mean, dispersion, ours] = tensors(6.0, 0.5, count)
    pull = native.pullback(lambda m: [NegativeBinomial.log_prob(ours, m, dispersion)], [mean])
    [found] = pull([keras.ops.ones(())])
    assert float(array(found)) == pytest.approx((count - 6) / (6 + 0.5 * 36), abs=1e-5)


@NAMES
def test_nothing_breaks_far_out(name):
    """Any raw numbers and any values give a finite log-probability and finite gradients."""
    likelihood = LIKELIHOODS[name]
    far = np.array([-1e4, -80.0, -10.0, 0.0, 10.0, 1e4])
    size = len(likelihood.parameters)
    *columns, scale = np.meshgrid(*[far] * size, [1e-3, 1.0, 1e4], indexing="ij")
    raw, scale = np.stack(columns, axis=-1).reshape(-1, 1, size), scale.reshape(-1, 1)
    values = np.array([0.0, 1.0, 1e3, 1e6] if name == "negative_binomial" else [-1e6, 0.0, 1e-6, 1.0, 1e6])
    raw, scale, values = tensors(raw, scale, values)

    def log_prob(raw, scale):
        return [likelihood.log_prob(values, *likelihood.rescale(likelihood.constrain(raw), scale))]

    [found] = log_prob(raw, scale)
    assert np.isfinite(array(found)).all()
    for gradient in native.pullback(log_prob, [raw, scale])([keras.ops.ones_like(found)]):
        assert np.isfinite(array(gradient)).all()


def test_constrain():
    raw = RNG.normal(size=(2, 5, 3))
    softplus = np.log1p(np.exp(raw))
    found = StudentT.constrain(*tensors(raw))
    expected = 2.0001 + softplus[..., 0], raw[..., 1], softplus[..., 2] + 1e-4
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_allclose(array(one), two, rtol=1e-5)
    found = Gaussian.constrain(*tensors(raw[..., :2]))
    for one, two in zip(found, (raw[..., 0], softplus[..., 1] + 1e-4), strict=True):
        np.testing.assert_allclose(array(one), two, rtol=1e-5)
    found = NegativeBinomial.constrain(*tensors(raw[..., :2]))
    for place, one in enumerate(found):
        np.testing.assert_allclose(array(one), softplus[..., place] + 1e-4, rtol=1e-5)


@NAMES
def test_constrain_keeps_the_bounds_in_half_precision(name):
    likelihood = LIKELIHOODS[name]
    raw = keras.ops.full((1, len(likelihood.parameters)), -60.0, dtype="float16")
    parameters = dict(zip(likelihood.parameters, map(array, likelihood.constrain(raw)), strict=True))
    assert all(each.dtype == "float32" for each in parameters.values())
    assert min(v[0] for k, v in parameters.items() if k in ("deviation", "scale", "dispersion")) > 0
    assert parameters.get("degrees", [3])[0] > 2


@pytest.mark.parametrize("name", ["gaussian", "student_t"])
def test_rescaled_real_values_have_the_density_of_the_change_of_variable(name):
    values, *parameters = tensors(*grid(name))
    rescaled = LIKELIHOODS[name].rescale(tuple(parameters), 7.0)
    found = array(LIKELIHOODS[name].log_prob(7 * values, *rescaled))
    expected = array(LIKELIHOODS[name].log_prob(values, *parameters)) - np.log(7)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_rescaled_counts():
    mean, dispersion, scale = tensors([2.0, 3.0], [0.5, 4.0], [4.0, 100.0])
    found = NegativeBinomial.rescale((mean, dispersion), scale)
    np.testing.assert_allclose(array(found[0]), [8, 300], rtol=1e-6)
    np.testing.assert_allclose(array(found[1]), [0.25, 0.4], rtol=1e-6)


@NAMES
def test_mean(name):
    parameters = tensors(*PARAMETERS[name])
    expected = EXACT[name](*map(np.array, PARAMETERS[name])).mean()
    np.testing.assert_allclose(array(LIKELIHOODS[name].mean(*parameters)), expected, rtol=1e-6)


COUNT = 40_000  # one shape for all samples: JAX compiles for each


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("gaussian", (3.0, 0.5)),
        ("student_t", (3.0, -2.0, 0.5)),
        ("student_t", (30.0, 1.0, 4.0)),
        ("negative_binomial", (0.2, 3.0)),  # the rates are below FEW
        ("negative_binomial", (14.0, 0.3)),  # on both sides of it
        ("negative_binomial", (16.5, 1e-4)),  # nearly one rate, where the two ways meet
        ("negative_binomial", (15.5, 1e-4)),
        ("negative_binomial", (5000.0, 0.02)),
    ],
)
def test_samples_follow_the_law(name, parameters):
    """Their distribution function is the exact one, as near as all but one in a thousand samples of this size are."""
    likelihood, law = LIKELIHOODS[name], EXACT[name](*parameters)
    drawn = keras.ops.broadcast_to(keras.ops.zeros(()), (COUNT,)) + 1
    given = tuple(drawn * float(each) for each in parameters)
    samples = array(likelihood.sample(given, keras.random.SeedGenerator(3)))
    assert samples.shape == (COUNT,)
    places = np.unique(np.quantile(samples, np.linspace(0.001, 0.999, 200), method="nearest"))
    below = np.searchsorted(np.sort(samples), places, side="right") / COUNT
    np.testing.assert_allclose(below, law.cdf(places), atol=2 / np.sqrt(COUNT))
    deviation = min(law.std(), 10 * abs(parameters[-1]) if name == "student_t" else np.inf)
    np.testing.assert_allclose(samples.mean(), law.mean(), atol=4 * deviation / np.sqrt(COUNT))
    if name == "negative_binomial":
        np.testing.assert_array_equal(samples, np.round(samples))
        assert samples.min() >= 0
        np.testing.assert_allclose(samples.std(), law.std(), rtol=0.05)


@NAMES
def test_the_seed_gives_the_same_samples_again_and_draws_are_independent(name):
    likelihood = LIKELIHOODS[name]
    parameters = likelihood.constrain(*tensors(np.full((COUNT, len(likelihood.parameters)), 3.0)))
    seed, same = keras.random.SeedGenerator(5), keras.random.SeedGenerator(5)
    first, second = (array(likelihood.sample(parameters, seed)) for _ in range(2))
    np.testing.assert_array_equal(array(likelihood.sample(parameters, same)), first)
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(COUNT)


@NAMES
def test_samples_in_a_loop_whose_carry_holds_the_seed(name):
    """How a loop draws on every backend: the state of the seed is a value of the loop, of no variable outside."""
    likelihood = LIKELIHOODS[name]
    seed = keras.random.SeedGenerator(5)
    raw = keras.ops.ones((2, COUNT, len(likelihood.parameters)))

    def step(carry, xs):
        with keras.StatelessScope([(seed.state, carry[0])]) as scope:
            drawn = likelihood.sample(likelihood.constrain(xs[0]), seed)
        return [scope.get_current_value(seed.state)], [drawn]

    start = keras.ops.convert_to_tensor(seed.state)
    _, [found] = native.scan(step, [start], [raw], [keras.ops.zeros((COUNT,))])
    same = keras.random.SeedGenerator(5)
    expected = [array(likelihood.sample(likelihood.constrain(each), same)) for each in raw]
    # a compiled loop rounds otherwise: a draw in thousands is then accepted that was not, or falls on the next count
    assert np.isclose(array(found), expected, rtol=1e-4, atol=1e-4).mean() > 0.999


@pytest.mark.backend("tensorflow")
@NAMES
def test_samples_in_a_graph_of_unknown_batch(name):
    import tensorflow as tf

    likelihood, seed = LIKELIHOODS[name], keras.random.SeedGenerator(5)
    size = len(likelihood.parameters)

    @tf.function(input_signature=[tf.TensorSpec((None, 3, size))])
    def draw(raw):
        return likelihood.sample(likelihood.constrain(raw), seed)

    expected = likelihood.sample(likelihood.constrain(tf.ones((4, 3, size))), keras.random.SeedGenerator(5))
    np.testing.assert_allclose(draw(tf.ones((4, 3, size))), expected, rtol=1e-5)
