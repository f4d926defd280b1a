"""Baselines of forecasts that need no network: seasonal naive, Naive 2, exponential smoothing, Theta.

Each is a function of the values of one series, the horizon, the period and the levels of the intervals, and of nothing
else: it may run in any process, and answers the same in each. Missing values are put on the straight line between their
neighbours, those at the end repeat the last value. What a method cannot do, on a short or a constant series, the
seasonal naive forecast does, and `Forecast.model` says so.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from zoo import metrics
from zoo.errors import UserError

LEVELS = (0.8, 0.95)

LONGEST = 3000
"""The most values, the last ones, that exponential smoothing and Theta are fitted to."""

LEAST = 10
"""The fewest values that they are fitted to."""

PATHS = 1000
"""Sample paths for the intervals of models that have no formula."""

ETS = {  # error, trend, season; as R's ets() calls them
    "ETS(A,N,N)": ("add", None, None),
    "ETS(A,Ad,N)": ("add", "add", None),
    "ETS(A,N,A)": ("add", None, "add"),
    "ETS(A,Ad,A)": ("add", "add", "add"),
    "ETS(M,N,M)": ("mul", None, "mul"),
    "ETS(M,Ad,M)": ("mul", "add", "mul"),
}
"""The models that `ets` chooses from; every trend is damped."""

Intervals = dict[float, tuple[np.ndarray, np.ndarray]]
"""Of each level the lower and the upper bounds, (horizon,)."""


@dataclass(frozen=True, eq=False)
class Forecast:
    """What a baseline says of one series.

    Attributes:
        point: (horizon,) values.
        intervals: of each level the lower and the upper bounds.
        model: what was fitted, such as `"ETS(A,N,A)"`, or why it is the seasonal naive forecast.
    """

    point: np.ndarray
    intervals: Intervals
    model: str


def seasonal_naive(
    values: np.ndarray, horizon: int, period: int, levels: Sequence[float] = LEVELS
) -> Forecast:
    """Forecast the values of the last season; those of a series shorter than a season, its last value.

        f_h = y_{n+h−m(k+1)},  σ_h² = (k + 1) σ²,  k = ⌊(h − 1)/m⌋

    with m the period, σ² the mean of (y_t − y_{t−m})², and intervals f_h ± z σ_h. (Hyndman & Athanasopoulos, 2021,
    Forecasting: Principles and Practice, 3rd edition, section 5.5.)

    Args:
        values: (time,), nan where they are missing; at least one is observed.
        horizon: steps to forecast.
        period: steps in a season, 1 for none.
        levels: the shares of values that the intervals are to hold.
    """
    y = _filled(values)
    m = period if len(y) >= period else 1
    k, step = np.divmod(np.arange(horizon), m)
    point = y[len(y) - m + step]
    return Forecast(point, _normal(point, _size(y[m:] - y[:-m]) * np.sqrt(k + 1), levels), "seasonal naive")


def naive2(values: np.ndarray, horizon: int, period: int, levels: Sequence[float] = LEVELS) -> Forecast:
    """Forecast by Naive 2 of M4 (`zoo.metrics.naive2`): the last value, adjusted for the season if there is one.

        σ_h² = h σ² s_{n+h}²

    with s the seasonal factors, and σ² the mean of (x_t − x_{t−1})² of the adjusted series x = y/s. Arguments are those
    of `seasonal_naive`.
    """
    y = _filled(values)
    season = metrics.naive2(y, period, period)  # the adjusted last value times each factor; their mean is 1
    s = season / season.mean() if season.mean() != 0 else np.ones(period)
    h = np.arange(1, horizon + 1)
    deviation = _size(np.diff(y / _before(s, len(y)))) * np.sqrt(h) * np.abs(s[(h - 1) % period])
    point = metrics.naive2(y, horizon, period)
    name = "Naive 2" if np.ptp(s) > 0 else "Naive 2, no season"
    return Forecast(point, _normal(point, deviation, levels), name)


def ets(values: np.ndarray, horizon: int, period: int, levels: Sequence[float] = LEVELS) -> Forecast:
    """Forecast by exponential smoothing in state space (Hyndman, Koehler, Snyder & Grose, 2002, IJF 18(3)).

    Of `ETS`, that with the smallest AIC is taken: those with a season if there are two seasons and ten values more,
    those that multiply if all values are above 0. Smoothing is fitted by maximum likelihood (statsmodels); the states
    begin where the first seasons say. Intervals are exact where errors are added, else those of `PATHS` sample paths.
    Arguments are those of `seasonal_naive`.
    """
    return _or_naive(_ets, values, horizon, period, levels)


def theta(values: np.ndarray, horizon: int, period: int, levels: Sequence[float] = LEVELS) -> Forecast:
    """Forecast by the Theta method (Assimakopoulos & Nikolopoulos, 2000, IJF 16(4)), adjusted for the season.

        σ_h² = (1 + (h − 1) α²) σ² s_{n+h}²

    It is exponential smoothing with a drift (Hyndman & Billah, 2003, IJF 19(2)): α smooths, σ² is the mean square of
    its errors one step ahead in the adjusted series, and s are the seasonal factors, 1 where a season is added. Whether
    there is a season, a test decides (statsmodels), if there are two seasons and ten values more. Arguments are those
    of `seasonal_naive`.
    """
    return _or_naive(_theta, values, horizon, period, levels)


BASELINES: dict[str, Callable[..., Forecast]] = {
    "seasonal naive": seasonal_naive,
    "Naive 2": naive2,
    "ETS": ets,
    "Theta": theta,
}
"""What the report sets beside a network, by the name in its tables."""


def _or_naive(method, values, horizon, period, levels) -> Forecast:
    """Return the forecast of a method that is fitted, or the seasonal naive one and why."""
    y = _filled(values)[-LONGEST:]
    reason = f"fewer than {LEAST} values" if len(y) < LEAST else "constant" if np.ptp(y) == 0 else ""
    if not reason:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                found = method(y, horizon, period if len(y) >= 2 * period + LEAST else 1, levels)
                bounds = [bound for interval in found.intervals.values() for bound in interval]
                if np.isfinite([found.point, *bounds]).all():
                    return found
                reason = "not finite"
            except Exception as fault:  # whatever linear algebra makes of a strange series
                reason = str(fault).partition("\n")[0] or type(fault).__name__
    plain = seasonal_naive(values, horizon, period, levels)
    return replace(plain, model=f"seasonal naive ({reason})")


def _ets(y, horizon, period, levels):
    fitted = dict(_fitted_ets(y, period))
    if not fitted:
        raise ValueError("no model of ETS fits")
    name = min(fitted, key=lambda name: fitted[name].aic)
    chosen = fitted[name]
    drawn = np.random.default_rng(0).standard_normal((horizon, PATHS)) * math.sqrt(chosen.scale)
    found = chosen.get_prediction(
        len(y), len(y) + horizon - 1, simulate_repetitions=PATHS, random_errors=drawn
    )
    bounds = {level: tuple(found.pred_int(1 - level).to_numpy().T) for level in levels}
    return Forecast(chosen.forecast(horizon).to_numpy(), bounds, name)


def _fitted_ets(y, period) -> Iterator[tuple[str, object]]:
    """Yield the models that can be fitted, by name."""
    import pandas as pd
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    for name, (error, trend, season) in ETS.items():
        if (season and period == 1) or (season == "mul" and y.min() <= 0):
            continue
        model = ETSModel(
            pd.Series(y),
            error=error,
            trend=trend,
            damped_trend=trend is not None,
            seasonal=season,
            seasonal_periods=period if season else None,
            initialization_method="heuristic",
        )
        try:
            found = model.fit(disp=False)
        except (ValueError, np.linalg.LinAlgError):
            continue
        if math.isfinite(found.aic):
            yield name, found


def _theta(y, horizon, period, levels):
    from statsmodels.tsa.forecasting.theta import ThetaModel

    model = ThetaModel(y, period=period, deseasonalize=period > 1)
    found = model.fit()
    season, alpha = found.forecast_components(period)["seasonal"].to_numpy(), found.params["alpha"]
    multiplied = model.method.startswith("mul")
    past = _before(season, len(y))
    x = y / past if multiplied else y - past
    level, errors = x[0], []
    for value in x[1:]:
        errors.append(value - level)
        level += alpha * errors[-1]
    h = np.arange(horizon)
    # statsmodels has 1 + (α − 1)² in the place of α²
    deviation = _size(errors) * np.sqrt(1 + h * alpha**2) * (season[h % period] if multiplied else 1)
    point = found.forecast(horizon).to_numpy()
    name = "Theta" if np.ptp(season) > 0 else "Theta, no season"
    return Forecast(point, _normal(point, deviation, levels), name)


def _filled(values) -> np.ndarray:
    """Return the values of a series from the first observed on, the missing ones filled."""
    y = np.asarray(values, "float64")
    seen = np.flatnonzero(~np.isnan(y))
    if y.ndim != 1 or not len(seen):
        raise UserError(f"values: a series of the shape {y.shape} has {len(seen)} observed; give (time,)")
    return np.interp(np.arange(seen[0], len(y)), seen, y[seen])


def _size(errors) -> float:
    """Return the root of the mean square; 0 of none."""
    return math.sqrt(np.mean(np.square(errors))) if len(errors) else 0.0


def _before(season: np.ndarray, length: int) -> np.ndarray:
    """Return the season of the past, (length,), of that to come, (period,)."""
    return np.tile(season, -(-length // len(season)))[-length:]


def _normal(point: np.ndarray, deviation: np.ndarray, levels: Sequence[float]) -> Intervals:
    """Return the intervals of a normal distribution."""
    widths = {level: NormalDist().inv_cdf((1 + level) / 2) * deviation for level in levels}
    return {level: (point - width, point + width) for level, width in widths.items()}
