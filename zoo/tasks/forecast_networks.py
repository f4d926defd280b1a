"""The networks that a forecaster may have: their arguments, what a preset may say of them, more series for them."""

import inspect
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.cells import CATALOGUE
from zoo.errors import UserError, unknown
from zoo.layers import NORMALIZATIONS
from zoo.losses import LIKELIHOODS
from zoo.models import (
    AutoregressiveForecaster,
    ForecastEnsemble,
    LinearForecaster,
    SegmentForecaster,
    SmoothingForecaster,
)
from zoo.presets.schema import Boolean, Choice, Integer, ListOf, Number, Optional

NETWORKS: dict[str, type[keras.Model]] = {
    "direct": SegmentForecaster,
    "linear": LinearForecaster,
    "autoregressive": AutoregressiveForecaster,
    "smoothing": SmoothingForecaster,
}
"""What the names of models stand for."""

_SET = {"horizon", "look_back", "past", "known", "static", "period"}  # by the task, not by its user's options
_SEEDS = 1000  # between those of two members

_SIZE, _COUNT, _RATE = Integer(1, 100_000), Integer(0, 1_000_000), Number(0, 0.999)
_LEVELS = Optional(ListOf(Number(0, 1), 1000, 1))
_SHARED = {"horizon": _SIZE, "series": _COUNT, "seed": Optional(Integer(0, 2**31 - 1))}
_WINDOW = {**_SHARED, "look_back": _SIZE}
_RECURRENT = {"cell": Choice(sorted(CATALOGUE)), "units": Integer(1, 8192), "dropout": _RATE}
_COVARIATES = {"past": Integer(0, 10_000), "known": Integer(0, 10_000), "static": Integer(0, 10_000)}
SCHEMAS = {
    "direct": {
        **_WINDOW,
        **_RECURRENT,
        **_COVARIATES,
        "segment": _SIZE,
        "stride": Optional(_SIZE),
        "layers": Integer(1, 64),
        "normalization": Choice(NORMALIZATIONS),
        "linear": Boolean(),
        "quantiles": _LEVELS,
        "embedding_dim": Optional(Integer(1, 8192)),
        "missing": Boolean(),
    },
    "linear": {
        **_WINDOW,
        "kernel": _SIZE,
        "individual": Boolean(),
        "normalization": Choice(NORMALIZATIONS),
        "quantiles": _LEVELS,
    },
    "autoregressive": {
        **_WINDOW,
        **_RECURRENT,
        **_COVARIATES,
        "layers": Integer(1, 64),
        "likelihood": Choice(sorted(LIKELIHOODS)),
        "lags": ListOf(_SIZE, 1000, 1),
        "embedding_dim": Integer(1, 8192),
        "conditioning_loss": Boolean(),
    },
    "smoothing": {
        **_SHARED,
        **_RECURRENT,
        "period": ListOf(Integer(0, 100_000), 16, 1),
        "input_size": _SIZE,
        "dilations": ListOf(ListOf(_SIZE, 64, 1), 64, 1),
        "quantiles": _LEVELS,
        "level_penalty": Number(0, 1e9),
        "noise": Number(0, 1e9),
    },
}
"""What `config.json` of a preset may say of the arguments of each."""


def arguments_of(model: str) -> set[str]:
    """Return the names of a model's arguments."""
    return set(inspect.signature(NETWORKS[model].__init__).parameters) - {"self", "kwargs"}


def check_options(model: str, options: dict[str, Any]) -> None:
    """Raise `UserError` for an unknown model, or an option that is no argument of it or not the user's to give."""
    if model not in NETWORKS:
        raise unknown("model", model, NETWORKS)
    free = arguments_of(model) - _SET
    for name, value in options.items():
        if name not in free:
            raise UserError(
                f"Forecaster: {name!r} is no option of the model {model!r}; it has {', '.join(sorted(free))}"
            )
        if name == "series" and not isinstance(value, bool):
            raise UserError(
                f"series: got {value!r}; give True or False, they are counted when the table is read"
            )


def network_arguments(
    model: str,
    options: dict[str, Any],
    *,
    horizon: int,
    look_back: int,
    periods: Sequence[int],
    series: int,
    **sizes: int,
) -> dict[str, Any]:
    """Return all arguments of a network: the user's options, what the data say, and defaults that depend on these.

    Args:
        model: a name of `NETWORKS`.
        options: the user's.
        horizon: steps to forecast.
        look_back: steps of a window.
        periods: steps of each season.
        series: how many there are. A network has an embedding of them if there are several, unless the options say
            `series=False`; that for smoothing and the linear one with `individual` have parameters of each.
        **sizes: numbers of covariates `past`, `known`, `static`; and whether values are `missing`.
    """
    period, options = periods[0], dict(options)
    asked = options.pop("series", series > 1)
    each = model == "smoothing" or options.get("individual", False)
    defaults = {
        "segment": min(48, max(look_back // 4, 1)),
        "lags": sorted({1, period if period <= look_back else 1}),
        "input_size": min(period if period > 1 else horizon, look_back),
    }
    found = {
        "horizon": horizon,
        "look_back": look_back,
        "period": list(periods),
        **defaults,
        **sizes,
        **options,
    }
    found["series"] = series if each or (asked and model != "linear") else 0
    return {name: value for name, value in found.items() if name in arguments_of(model)}


def build_network(model: str, arguments: dict[str, Any], members: int = 1) -> keras.Model:
    """Return a network with new weights, or several as a `ForecastEnsemble`, whose seeds differ."""
    made = NETWORKS[model]
    if members == 1:
        network = made(**arguments)
    else:
        seed = arguments["seed"]
        network = ForecastEnsemble(
            made(
                **{**arguments, "seed": None if seed is None else seed + _SEEDS * place},
                name=f"member_{place}",
            )
            for place in range(members)
        )
    network.build()
    return network


def members_of(network: keras.Model) -> list[keras.Model]:
    """Return the members of an ensemble, or the network itself."""
    return network.members if isinstance(network, ForecastEnsemble) else [network]


def grown(old: keras.Model, new: keras.Model, series: int) -> None:
    """Give a network the weights of one for fewer series; a table gets the median of its rows for each new one.

    Args:
        old: where the weights come from.
        new: the same network for more series.
        series: how many more.
    """
    for source, target in zip(old.weights, new.weights, strict=True):
        value = ops.convert_to_numpy(source)
        for axis in np.flatnonzero(np.array(value.shape) != np.array(target.shape)):
            width = (target.shape[axis] - value.shape[axis]) // series
            before, after = value.shape[:axis], value.shape[axis + 1 :]
            rows = value.reshape(*before, -1, width, *after)
            more = np.repeat(np.median(rows, axis=axis, keepdims=True), series, axis=axis)
            value = np.concatenate([rows, more], axis=axis).reshape(target.shape)
        target.assign(value)


def give_seasons(network: keras.Model, numbers: np.ndarray, factors: np.ndarray) -> None:
    """Let the seasonal factors of series, of a network for smoothing, begin with given ones.

    Args:
        network: a `SmoothingForecaster`, or an ensemble of them.
        numbers: (series,) of each, from 1 on.
        factors: (series, sum of periods), as `zoo.tasks.series.seasonal_factors` finds them.
    """
    for member in members_of(network):
        *_, table = member.tables
        rows = np.array(ops.convert_to_numpy(table))
        rows[numbers - 1] = np.log(factors)
        table.assign(rows)
