"""Metrics of forecasts and of their intervals, as the M4 competition and the papers behind it define them.

Arrays are (series, horizon), or (horizon,) of a single series. A step that is nan in the actual values is not
counted; every figure is the mean over all steps that are. A history is a (time,) array of a single series, else one
for each: a list, or the rows of a (series, time) array. In it nan is a missing value, or the time before the
series began.

M4: Makridakis, Spiliotis & Assimakopoulos (2020), International Journal of Forecasting 36(1).
"""

import math

import numpy as np

from zoo.errors import UserError, check_range


def mse(actual, forecast) -> float:
    """Return the mean squared error, in the square of the unit of the values.

    Args:
        actual: (series, horizon) or (horizon,); nan is not counted.
        forecast: of the same shape, a number wherever `actual` has one.

    Raises:
        UserError: the shapes differ, nothing is observed, or a number is missing or infinite.
    """
    actual, forecast, seen = _aligned(actual=actual, forecast=forecast)
    return float(np.mean((actual - forecast)[seen] ** 2))


def mae(actual, forecast) -> float:
    """Return the mean absolute error, in the unit of the values. Arguments and errors are those of `mse`."""
    actual, forecast, seen = _aligned(actual=actual, forecast=forecast)
    return float(np.mean(np.abs(actual - forecast)[seen]))


def smape(actual, forecast) -> float:
    """Return the symmetric mean absolute percentage error of M4, from 0 to 200.

        sMAPE = mean 200·|y − f| / (|y| + |f|)

    A step where both are 0 is without error. Arguments and errors are those of `mse`.
    """
    actual, forecast, seen = _aligned(actual=actual, forecast=forecast)
    error, size = np.abs(actual - forecast)[seen], (np.abs(actual) + np.abs(forecast))[seen]
    return float(np.mean(200 * error / np.where(size > 0, size, 1)))


def mase(actual, forecast, history, period: int) -> float:
    """Return the mean absolute scaled error (Hyndman & Koehler, 2006, IJF 22(4)), scaled as in M4.

        MASE = mean |y − f| / scale,   scale = mean over t > m of |x_t − x_{t−m}|

    with x the history of the series and m the period: the scale is the error of the seasonal naive forecast one
    step ahead. A series that has none (it repeats itself, or is too short) is left out.

    Args:
        actual: (series, horizon) or (horizon,); nan is not counted.
        forecast: of the same shape, a number wherever `actual` has one.
        history: the values before, (time,) for each series.
        period: steps in a season, 1 for none.

    Returns:
        The error; nan where no series has a scale.

    Raises:
        UserError: as in `mse`, or there is not one history for each series, or the period is below 1.
    """
    actual, forecast, seen = _aligned(actual=actual, forecast=forecast)
    return _scaled_mean(np.abs(actual - forecast), seen, history, period)


def owa(smape: float, mase: float, naive2_smape: float, naive2_mase: float) -> float:
    """Return the overall weighted average of M4: half of sMAPE and of MASE, each relative to that of Naive2.

        OWA = ½ (sMAPE / sMAPE of Naive2 + MASE / MASE of Naive2)

    It is nan where Naive2 is without error. `naive2` makes its forecasts.
    """
    if not (naive2_smape > 0 and naive2_mase > 0):
        return math.nan
    return (smape / naive2_smape + mase / naive2_mase) / 2


def pinball(actual, forecast, quantile: float) -> float:
    """Return the mean pinball loss of a forecast quantile (Koenker & Bassett, 1978, Econometrica 46(1)).

        loss = max(q·(y − f), (q − 1)·(y − f))

    Args:
        actual: (series, horizon) or (horizon,); nan is not counted.
        forecast: of the same shape, a number wherever `actual` has one.
        quantile: q, the share of values that is to lie below the forecast, between 0 and 1.

    Raises:
        UserError: as in `mse`, or the quantile is not between 0 and 1.
    """
    _check_share("quantile", quantile)
    actual, forecast, seen = _aligned(actual=actual, forecast=forecast)
    error = (actual - forecast)[seen]
    return float(np.mean(np.maximum(quantile * error, (quantile - 1) * error)))


def crps_quantiles(actual, forecasts, quantiles) -> float:
    """Return an approximation of the continuous ranked probability score from a few quantiles, in the values' unit.

        CRPS = ∫ 2·pinball(q) dq over q from 0 to 1 ≈ mean over the quantiles of 2·pinball(q)

    (Gneiting & Ranjan, 2011, JBES 29(3), equation 2.) The integral asks for many quantiles, evenly spread.
    Divided by the mean of abs(actual) it is the mean weighted quantile loss.

    Args:
        actual: (series, horizon) or (horizon,); nan is not counted.
        forecasts: (series, horizon, quantiles) or (horizon, quantiles).
        quantiles: the q of each column, between 0 and 1.

    Raises:
        UserError: as in `pinball`, or there is not a column for each quantile.
    """
    forecasts = np.asarray(forecasts, "float64")
    if not len(quantiles) or forecasts.shape != (*np.shape(actual), len(quantiles)):
        raise UserError(
            f"forecasts has the shape {forecasts.shape}: give {np.shape(actual)}, the shape of actual, and a last "
            f"axis for {len(quantiles)} quantiles (at least one)"
        )
    losses = [pinball(actual, forecasts[..., place], each) for place, each in enumerate(quantiles)]
    return 2 * float(np.mean(losses))


def coverage(actual, lower, upper) -> float:
    """Return the share of actual values in their intervals, bounds included.

    Args:
        actual: (series, horizon) or (horizon,); nan is not counted.
        lower: the lower bounds, of the same shape, numbers wherever `actual` has one.
        upper: the upper bounds.

    Raises:
        UserError: as in `mse`.
    """
    actual, lower, upper, seen = _aligned(actual=actual, lower=lower, upper=upper)
    return float(np.mean(((lower <= actual) & (actual <= upper))[seen]))


def interval_width(lower, upper) -> float:
    """Return the mean width of intervals, in the unit of the values; a step whose lower bound is nan is not counted.

    Raises:
        UserError: as in `mse`.
    """
    lower, upper, seen = _aligned(lower=lower, upper=upper)
    return float(np.mean((upper - lower)[seen]))


def msis(actual, lower, upper, history, period: int, level: float) -> float:
    """Return the mean scaled interval score of M4 (Gneiting & Raftery, 2007, JASA 102, equation 43, scaled).

        MSIS = mean [(u − l) + 2/a·max(l − y, 0) + 2/a·max(y − u, 0)] / scale,   a = 1 − level

    with the scale of `mase`, where a series that has none is left out; nan where none has one.

    Args:
        actual: (series, horizon) or (horizon,); nan is not counted.
        lower: l, the lower bounds, of the same shape, numbers wherever `actual` has one.
        upper: u, the upper bounds.
        history: the values before, (time,) for each series.
        period: steps in a season, 1 for none.
        level: the share of values that the intervals are to hold, between 0 and 1; 0.95 in M4.

    Raises:
        UserError: as in `mase`, or the level is not between 0 and 1.
    """
    _check_share("level", level)
    actual, lower, upper, seen = _aligned(actual=actual, lower=lower, upper=upper)
    outside = np.maximum(lower - actual, 0) + np.maximum(actual - upper, 0)
    return _scaled_mean(upper - lower + 2 / (1 - level) * outside, seen, history, period)


def seasonality_test(history, period: int) -> bool:
    """Return whether M4 takes a series to be seasonal: its autocorrelation at the period is not 0, at 90%.

        |r_m| > 1.645·√((1 + 2 Σ r_k² over k < m) / n)

    with r_k the autocorrelation k steps apart, m the period and n the length. As in the organisers' program a
    series shorter than three seasons is not seasonal, nor is one whose period is above 10·log10(n), the lag where
    R's `acf` ends.

    Args:
        history: (time,); missing values are filled as `naive2` says.
        period: m, steps in a season, 1 for none.

    Raises:
        UserError: nothing is observed, or the period is below 1.
    """
    check_range("period", period, 1)
    x = _filled(history)
    n = len(x)
    if period == 1 or n < 3 * period or period > math.floor(10 * math.log10(n)) or np.ptp(x) == 0:
        return False
    x = x - x.mean()
    r = np.array([x[: n - k] @ x[k:] for k in range(1, period + 1)]) / (x @ x)
    return bool(abs(r[-1]) > 1.645 * math.sqrt((1 + 2 * np.sum(r[:-1] ** 2)) / n))


def naive2(history, horizon: int, period: int) -> np.ndarray:
    """Return the forecasts of Naive2, the benchmark of M4: the last value, adjusted for the season.

    A series that passes `seasonality_test` is divided by the seasonal factors of its classical multiplicative
    decomposition, as R's `decompose` has it; its last value is repeated and multiplied by the factors to come.
    It is not adjusted where a factor is not above 0, as happens with values of both signs. Missing values are put
    on the straight line between their neighbours; those at the end repeat the last value.

    Args:
        history: the values before, (time,) for each series.
        horizon: steps to forecast, at least 1.
        period: steps in a season, 1 for none.

    Returns:
        (series, horizon), or (horizon,) where `history` is of a single series.

    Raises:
        UserError: a series has no observed value, or the horizon or the period is below 1.
    """
    check_range("horizon", horizon, 1)
    forecasts = []
    for x in map(_filled, _histories(history)):
        seasonal = seasonality_test(x, period)
        factors = _seasonal_factors(x, period) if seasonal else np.ones(period)
        ahead = np.arange(len(x), len(x) + horizon) % period
        forecasts.append(x[-1] / factors[(len(x) - 1) % period] * factors[ahead])
    return np.stack(forecasts) if np.ndim(history[0]) else forecasts[0]


def _seasonal_factors(x, period):
    """Return the factor of each step of a season, the first that of `x[0]`; all 1 where they are not above 0."""
    weights = np.ones(period) if period % 2 else np.r_[0.5, np.ones(period - 1), 0.5]
    trend = np.convolve(x, weights / period, mode="valid")
    start, seasons = len(weights) // 2, -(-len(x) // period)
    ratios = np.full(seasons * period, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios[start : start + len(trend)] = x[start : start + len(trend)] / trend
        ratios = ratios.reshape(seasons, period)
        factors = np.nansum(ratios, axis=0) / np.sum(~np.isnan(ratios), axis=0)
        factors = factors / factors.mean()
    return factors if (factors > 0).all() and np.isfinite(factors).all() else np.ones(period)


def _filled(history):
    """Return the values of a series from the first observed on, the missing ones filled."""
    x = np.asarray(history, "float64")
    seen = np.flatnonzero(~np.isnan(x))
    if x.ndim != 1 or not len(seen):
        raise UserError(
            f"history: a series of the shape {x.shape} has {len(seen)} observed values; give (time,) with at least one"
        )
    return np.interp(np.arange(seen[0], len(x)), seen, x[seen])


def _histories(history):
    if not len(history):
        raise UserError("history is empty: give the values before the forecast, (time,) for each series")
    return history if np.ndim(history[0]) else [history]


def _scaled_mean(errors, seen, history, period):
    """Return the mean of what is seen of `errors`, each series' divided by its scale; nan where none has one."""
    check_range("period", period, 1)
    errors, seen, rows = np.atleast_2d(errors), np.atleast_2d(seen), _histories(history)
    if len(rows) != len(errors):
        raise UserError(f"history holds {len(rows)} series: give one for each of the {len(errors)} of actual")
    steps = [np.abs(x[period:] - x[:-period]) for x in (np.asarray(row, "float64") for row in rows)]
    steps = [each[~np.isnan(each)] for each in steps]
    scale = np.array([each.mean() if len(each) else 0 for each in steps])[:, None]
    counted = seen & (scale > 0)
    return float(np.mean((errors / np.where(scale > 0, scale, 1))[counted])) if counted.any() else math.nan


def _check_share(name, value):
    if not 0 < value < 1:
        raise UserError(f"{name} is {value}: give a number between 0 and 1")


def _aligned(**arrays):
    """Return the arrays in float64, and where the first is observed."""
    arrays = {name: np.asarray(values, "float64") for name, values in arrays.items()}
    first, base = next(iter(arrays.items()))
    seen = ~np.isnan(base)
    if base.ndim not in (1, 2) or not seen.any():
        raise UserError(
            f"{first} has the shape {base.shape} and {seen.sum()} numbers that are not nan: give at least one, "
            "(series, horizon) or (horizon,)"
        )
    for name, values in arrays.items():
        if values.shape != base.shape:
            raise UserError(f"{name} has the shape {values.shape}: give that of {first}, {base.shape}")
        wrong = seen & ~np.isfinite(values)
        if wrong.any():
            place = tuple(np.argwhere(wrong)[0].tolist())
            raise UserError(
                f"{name}: found {values[place]} at {place}; give a number wherever {first} has one"
            )
    return *arrays.values(), seen
