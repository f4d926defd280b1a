"""Distributions of a value to come, whose parameters a network tells."""

import math
from abc import ABC, abstractmethod

from keras import backend, ops, random

FLOOR = 1e-4  # added to what must stay above 0
HALF_LOG_TAU = math.log(2 * math.pi) / 2


class Likelihood(ABC):
    """What every distribution here can do. It has no state: its class is used as it is.

    Attributes:
        parameters: the names of its parameters, in the order in which all methods take and return them.
    """

    parameters: tuple[str, ...] = ()

    @staticmethod
    @abstractmethod
    def constrain(raw):
        """Return the parameters, a tuple of tensors (...), from any numbers (..., parameters)."""

    @staticmethod
    @abstractmethod
    def rescale(parameters, scale):
        """Return the parameters of values `scale` times as large (Salinas et al., 2020, section 3.3).

        Args:
            parameters: a tuple of tensors (...), as `constrain` returns it.
            scale: above 0, of a shape that broadcasts with (...).
        """

    @staticmethod
    @abstractmethod
    def log_prob(values, *parameters):
        """Return the logarithm of the density or, of counts, of the probability of `values`, (...), in nats."""

    @staticmethod
    @abstractmethod
    def mean(*parameters):
        """Return the expected value, (...)."""

    @staticmethod
    @abstractmethod
    def sample(parameters, seed):
        """Return values (...) drawn with `seed`, a `keras.random.SeedGenerator`: some draw more than once."""


class Gaussian(Likelihood):
    """The normal distribution of mean μ and deviation σ (Salinas et al., 2020, IJF 36(3), section 3.1).

        log p(y) = −½((y − μ)/σ)² − log σ − ½ log 2π
        μ = r_1,  σ = softplus(r_2) + floor       of the raw r

    It is for real values without outliers.
    """

    parameters = ("mean", "deviation")

    @staticmethod
    def constrain(raw):
        mean, deviation = _split(raw)
        return mean, ops.softplus(deviation) + FLOOR

    @staticmethod
    def rescale(parameters, scale):
        mean, deviation = parameters
        return mean * scale, deviation * scale

    @staticmethod
    def log_prob(values, mean, deviation):
        return -ops.square((values - mean) / deviation) / 2 - ops.log(deviation) - HALF_LOG_TAU

    @staticmethod
    def mean(mean, deviation):
        return mean

    @staticmethod
    def sample(parameters, seed):
        mean, deviation = parameters
        return mean + deviation * random.normal(ops.shape(mean), seed=seed)


class StudentT(Likelihood):
    """Student's t with ν degrees of freedom, location μ and scale σ.

        log p(y) = log Γ((ν + 1)/2) − log Γ(ν/2) − ½ log πν − log σ − (ν + 1)/2·log(1 + z²/ν),   z = (y − μ)/σ
        ν = 2 + softplus(r_1) + floor,  μ = r_2,  σ = softplus(r_3) + floor       of the raw r

    It is for real values with outliers. ν is above 2, where there is a variance: σ²·ν/(ν − 2).
    """

    parameters = ("degrees", "location", "scale")

    @staticmethod
    def constrain(raw):
        degrees, location, scale = _split(raw)
        return 2 + FLOOR + ops.softplus(degrees), location, ops.softplus(scale) + FLOOR

    @staticmethod
    def rescale(parameters, scale):
        degrees, location, own = parameters
        return degrees, location * scale, own * scale

    @staticmethod
    def log_prob(values, degrees, location, scale):
        half = degrees / 2
        # the two log Γ by Stirling's formula, the large terms of which cancel: as ν grows this is the normal law
        gammas = half * ops.log1p(1 / degrees) - 0.5 + _stirling_rest(half + 0.5) - _stirling_rest(half)
        tail = (half + 0.5) * ops.log1p(ops.square((values - location) / scale) / degrees)
        return gammas - HALF_LOG_TAU - ops.log(scale) - tail

    @staticmethod
    def mean(degrees, location, scale):
        return location

    @staticmethod
    def sample(parameters, seed):
        degrees, location, scale = parameters
        shape, half = ops.shape(location), degrees / 2
        chi = random.gamma(shape, half, seed=seed) / half
        return location + scale * random.normal(shape, seed=seed) * ops.rsqrt(chi)


class NegativeBinomial(Likelihood):
    """The negative binomial distribution of mean μ and dispersion α (Salinas et al., 2020, IJF 36(3), section 3.1).

        p(y) = Γ(y + 1/α) / (Γ(y + 1) Γ(1/α)) · (1/(1 + αμ))^(1/α) · (αμ/(1 + αμ))^y
        μ = softplus(r_1) + floor,  α = softplus(r_2) + floor       of the raw r

    It is for counts. Its variance is μ + αμ². For values s times as large (section 3.3) they become μ·s and α/√s.
    """

    parameters = ("mean", "dispersion")

    @staticmethod
    def constrain(raw):
        mean, dispersion = _split(raw)
        return ops.softplus(mean) + FLOOR, ops.softplus(dispersion) + FLOOR

    @staticmethod
    def rescale(parameters, scale):
        mean, dispersion = parameters
        return mean * scale, dispersion / ops.sqrt(scale)

    @staticmethod
    def log_prob(values, mean, dispersion):
        # The three log Γ by Stirling's formula, their large terms gathered with those of the powers into logarithms
        # of ratios near 1: in float32 a log Γ of 10⁶ alone would be wrong by 1.
        r, y, gap = 1 / dispersion, values, values - mean
        over, under = 1 + dispersion * y, 1 + dispersion * mean
        odds = _log_ratio(dispersion * gap, ops.minimum(over, under))  # log (1 + αy)/(1 + αμ)
        # log μ(1 + αy) / (y + 1)(1 + αμ)
        share = _log_ratio(-gap - 1 - dispersion * mean, ops.minimum(mean * over, (y + 1) * under))
        rest = _stirling_rest(y + r) - _stirling_rest(r) - _stirling_rest(y + 1)
        return r * odds + y * share - (ops.log(over) + ops.log1p(y)) / 2 + rest + (1 - HALF_LOG_TAU)

    @staticmethod
    def mean(mean, dispersion):
        return mean

    @staticmethod
    def sample(parameters, seed):
        mean, dispersion = parameters
        # a Poisson distribution whose rate has a gamma distribution
        rate = random.gamma(ops.shape(mean), 1 / dispersion, seed=seed) * dispersion * mean
        return _poisson(rate, seed)


LIKELIHOODS = {"gaussian": Gaussian, "student_t": StudentT, "negative_binomial": NegativeBinomial}


def _split(raw):
    """Return the columns (...) of (..., columns), in float32 at least."""
    raw = ops.cast(raw, backend.result_type(raw.dtype, "float32"))
    return [raw[..., column] for column in range(raw.shape[-1])]


def _stirling_rest(x):
    """Return log Γ(x) − [(x − ½) log x − x + ½ log 2π], x > 0, to 1e-6; Keras 3.15 has no log Γ.

    By Γ(x + 1) = x Γ(x) it falls by (x + ½) log(1 + 1/x) − 1 from x to x + 1: four such steps, then the asymptotic
    series (Abramowitz & Stegun, 1964, equation 6.1.40), whose first term left out is below 4e-8 from x = 4 on.
    """
    steps = sum((x + (k + 0.5)) * ops.log1p(1 / (x + k)) - 1 for k in range(4))
    inverse = 1 / (x + 4)
    square = inverse * inverse
    return steps + inverse * (1 / 12 - square * (1 / 360 - square / 1260))


def _log_ratio(gap, least):
    """Return log(a/b), exact also where a is close to b, of gap = a − b and least = min(a, b) > 0."""
    sign = ops.where(gap >= 0, 1.0, -1.0)
    return sign * ops.log1p(sign * gap / least)


FEW, LAST = 16.0, 56  # a rate below which the counts up to LAST are looked up: more come once in 10¹⁴


def _poisson(rate, seed):
    """Draw counts of the rates (...): by their probabilities, or from FEW on by a normal law bent to their skewness."""
    log_factorials = ops.convert_to_tensor([math.lgamma(k + 1) for k in range(LAST)], dtype=rate.dtype)
    few = ops.clip(rate, 1e-30, FEW)[..., None]
    below = ops.cumsum(
        ops.exp(ops.arange(LAST, dtype=few.dtype) * ops.log(few) - few - log_factorials), axis=-1
    )
    uniform = random.uniform(ops.shape(rate), seed=seed)[..., None]
    looked_up = ops.sum(ops.cast(below < uniform * below[..., -1:], rate.dtype), axis=-1)
    z = random.normal(ops.shape(rate), seed=seed)
    many = ops.maximum(rate, FEW)  # 1/12 is what rounding adds to the variance
    bent = ops.floor(many + ops.sqrt(many - 1 / 12) * z + (z * z - 1) / 6 + 0.5)
    return ops.where(rate < FEW, looked_up, ops.maximum(bent, 0.0))
