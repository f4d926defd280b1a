"""Every number of a training."""

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True)
class Recipe:
    """A network and how it learns; the names are those of `Forecaster`, of its `fit`, and of the networks.

    What is None or `"auto"` is left to `Forecaster`; what the model does not have is refused.

    Attributes:
        horizon: the most steps to forecast; None: what the data ask for, see `building.horizon_of`.
        period: steps in a season, the first one counts in MASE; None: as the data say, else their frequency.
        past: columns of covariates known up to now.
        known: columns of covariates known ahead.
        static: columns of covariates that each series has one number of.
        windows: learn from so many windows at most, or little more: `stride` is raised until it is so.
        segment_stride: `stride` of `SegmentForecaster`.
        dilations: of the layers of `SmoothingForecaster`, one after the other.
        block_layers: how many of these are a block, around which a residual link goes.
        validation_steps: the last so many values of each series choose the best epoch and calibrate the intervals;
            None: those of the split `validation`, else one horizon.
        monitor: what chooses the best epoch; None: `"val_loss"`.
    """

    model: Literal["direct", "linear", "autoregressive", "smoothing"] = "direct"
    horizon: int | None = None
    look_back: int | None = None
    period: tuple[int, ...] | None = None
    scaling: Literal["auto", "standard", "mean", "log", "asinh", "none"] = "auto"
    calendar: bool = True
    spread: Literal["auto", "backtest"] = "auto"
    members: int = 1
    past: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    missing: Literal["keep", "refuse", "zero", "previous", "linear"] = "keep"
    windows: int | None = None
    cell: str | None = None
    units: int | None = None
    layers: int | None = None
    segment: int | None = None
    segment_stride: int | None = None
    normalization: Literal["auto", "none", "last", "standard", "scale"] = "auto"
    dropout: float | None = None
    linear: bool | None = None
    series: bool | None = None
    embedding_dim: int | None = None
    quantiles: tuple[float, ...] | None = None
    kernel: int | None = None
    individual: bool | None = None
    likelihood: Literal["gaussian", "student_t", "negative_binomial"] | None = None
    lags: tuple[int, ...] | None = None
    conditioning_loss: bool | None = None
    input_size: int | None = None
    dilations: tuple[int, ...] | None = None
    block_layers: int = 2
    level_penalty: float | None = None
    noise: float | None = None
    validation_steps: int | None = None
    validation_stride: int | None = None
    epochs: int = 20
    batch_size: int = 64
    stride: int = 1
    learning_rate: float = 1e-3
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup: float = 0.05
    weight_decay: float = 0.0
    clipnorm: float = 1.0
    average: int = 1
    loss: Literal["mae", "mse", "huber"] = "mae"
    horizons: tuple[int, ...] | None = None
    weighting: Literal["none", "mase", "smape", "owa"] = "none"
    calibration: bool = True
    monitor: str | None = None
    patience: int | None = None


# segments, and all steps of the horizon at once (Lin et al., 2023), with a linear map beside the network
_ETT = Recipe(
    horizon=720,
    look_back=336,
    calendar=False,
    spread="backtest",
    members=5,
    windows=60_000,
    cell="gru",
    units=64,
    segment=48,
    normalization="last",
    dropout=0.5,
    linear=True,
    series=False,
    validation_stride=24,
    epochs=6,
    batch_size=256,
    average=3,
    loss="huber",
    horizons=(96, 192, 336, 720),
)

RECIPES: dict[str, Recipe] = {
    # a minute on any data: to see that all works
    "tiny": Recipe(
        windows=2000,
        units=32,
        normalization="last",
        dropout=0.1,
        epochs=8,
        batch_size=32,
        learning_rate=5e-3,
    ),
    # own data: one forecast for each step, calibrated intervals around it
    "direct": Recipe(
        windows=50_000,
        cell="gru",
        units=128,
        normalization="last",
        dropout=0.2,
        average=3,
    ),
    # the same with quantiles that are learned: intervals whose width depends on what is seen
    "quantile": Recipe(
        windows=50_000,
        cell="gru",
        units=128,
        normalization="last",
        dropout=0.2,
        quantiles=(0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975),
        average=3,
    ),
    # sample paths, each step drawn from what was drawn before (Salinas et al., 2020)
    "autoregressive": Recipe(
        model="autoregressive",
        windows=20_000,
        cell="lstm",
        units=64,
        layers=2,
        likelihood="student_t",
        dropout=0.1,
        average=3,
    ),
    # exponential smoothing and a dilated network, learned together (Smyl, 2020): positive series alone
    "hybrid": Recipe(
        model="smoothing",
        cell="lstm",
        units=40,
        dilations=(1, 2, 4, 8),
        epochs=30,
        batch_size=16,
        learning_rate=3e-3,
        average=3,
    ),
    # two linear maps, of trend and remainder (Zeng et al., 2023): the baseline DLinear
    "linear": Recipe(
        model="linear",
        windows=50_000,
        kernel=25,
        normalization="none",
        epochs=10,
        loss="mse",
    ),
    # ETT, by the hour and by 15 minutes: networks for all horizons up to 720, from windows of two weeks
    "etth": _ETT,
    "ettm": replace(_ETT, look_back=1344, members=3),
    # M4, hourly: its series tell no times, so there is no calendar; their swings grow with their level
    "m4_hourly": Recipe(
        horizon=48,
        look_back=336,
        scaling="asinh",
        calendar=False,
        members=5,
        windows=100_000,
        cell="gru",
        units=128,
        segment=24,
        normalization="standard",
        dropout=0.2,
        linear=True,
        series=False,
        epochs=12,
        batch_size=64,
        learning_rate=3e-3,
        average=3,
        weighting="owa",
    ),
    # M4, weekly: series of 80 to 2,597 values
    "m4_weekly": Recipe(
        horizon=13,
        look_back=104,
        scaling="asinh",
        calendar=False,
        members=5,
        windows=60_000,
        cell="gru",
        units=128,
        segment=13,
        normalization="standard",
        dropout=0.2,
        linear=True,
        epochs=12,
        batch_size=256,
        average=3,
        weighting="owa",
    ),
}


@dataclass(frozen=True)
class Finetuning:
    """How a preset learns further; the names are those of `Recipe`."""

    windows: int | None = 20_000
    validation_steps: int | None = None
    validation_stride: int | None = None
    epochs: int = 5
    batch_size: int = 64
    stride: int = 1
    learning_rate: float = 3e-4
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup: float = 0.05
    weight_decay: float = 0.0
    clipnorm: float = 1.0
    average: int = 1
    loss: Literal["mae", "mse", "huber"] = "mae"
    horizons: tuple[int, ...] | None = None
    weighting: Literal["none", "mase", "smape", "owa"] = "none"
    calibration: bool = True
    monitor: str | None = None
    patience: int | None = None


FINETUNING = Finetuning()
