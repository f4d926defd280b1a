"""Tables of series to tables of forecasts."""

import os
from collections.abc import Hashable, Iterator, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from zoo.errors import UserError, unknown
from zoo.preprocessing import SeriesPreprocessor
from zoo.preprocessing.series import ROLES, SCALINGS
from zoo.presets import PresetError
from zoo.presets.schema import Choice, Integer, ListOf, String, check
from zoo.tasks.answering import SPREADS, Answerer
from zoo.tasks.batches import Batches
from zoo.tasks.calendar import KINDS, alike, kinds_of
from zoo.tasks.conformal import GRID, interpolated
from zoo.tasks.fitting import History, fit
from zoo.tasks.forecast_networks import (
    NETWORKS,
    SCHEMAS,
    arguments_of,
    build_network,
    check_options,
    give_seasons,
    grown,
    network_arguments,
)
from zoo.tasks.forecasting import NetworkLoss, Predictor, WeightedLoss, series_weights, step_weights
from zoo.tasks.forecasts import Forecasts, Scores, following
from zoo.tasks.optimizer import make_optimizer
from zoo.tasks.panel import Panel, answer, answer_columns, columns_in, read_alike, read_frame
from zoo.tasks.series import (
    PreparedSeries,
    check_history,
    check_whole,
    held_out,
    phase_of,
    seasonal_factors,
    training_ends,
)
from zoo.tasks.task import Task
from zoo.tasks.windows import LEAST, Windows

if TYPE_CHECKING:
    import pandas as pd

_SCALINGS = {"autoregressive": "mean", "smoothing": "log"}  # of others "standard"
_SMOOTHED = 1000  # steps of a series, at most, where no look_back is given
_PATHS = 200  # that are drawn where nothing else is said
# what of a network's arguments no option of a user says
_COUNTED = {"horizon", "look_back", "period", "past", "known", "static", "series"}

_SCHEMA = {
    "format": Integer(1, 1),
    "task": String(),
    "model": Choice(list(NETWORKS)),
    "look_back": Integer(1, 100_000),
    "members": Integer(1, 1000),
    "periods": ListOf(Integer(1, 100_000), 16, 1),
}


class Forecaster(Task):
    """A network that forecasts series, many of them with the same weights; tables of pandas in, tables out.

        model = Forecaster(horizon=48)
        model.fit(frame, time="date", value="load")
        model.forecast(levels=(0.8, 0.95))

    Which tables are taken, and what is made of missing values, gaps and time zones, `zoo.tasks.panel.Panel` says.

    A series that was not in training is number 0 of the network and has the scale of its own history. The network of
    `"smoothing"` gives it the medians of the rates that were learned, and seasonal factors by classical decomposition.

    Intervals are those of `zoo.tasks.conformal`, calibrated on the validation. The spread by which errors are divided
    is that between the outermost quantiles of the network, between the 10% and 90% quantiles of its paths, or of a
    network with one forecast the error of the seasonal naive forecast within the window; with `spread="backtest"` it
    is how far off the network was just before, see `zoo.tasks.answering.Answerer.recent_errors`, which follows a series
    that is harder to foresee now than it was in the validation, at the price of up to five times the work. Without
    calibration they are quantiles of the network or of its paths. An interval always holds its forecast.

    Args:
        model: a name of `NETWORKS`: `"direct"` is `SegmentForecaster`, `"linear"` `LinearForecaster`,
            `"autoregressive"` `AutoregressiveForecaster`, `"smoothing"` `SmoothingForecaster`.
        horizon: the most steps to forecast.
        look_back: how many steps the network sees. None: twice the horizon, or two seasons where these are longer, as
            long as a window and what follows it fit into the longest series; of `"smoothing"`, of which this is all of
            a series that is used, the longest series, at most 1,000.
        quantiles: levels of the quantiles that the network learns, rising; None: a single forecast.
        scaling: one of `zoo.preprocessing.series.SCALINGS`, by which each series is scaled before the network sees it.
            None: `"standard"`; of `"autoregressive"`, which scales windows itself, `"mean"`, or `"none"` of counts; of
            `"smoothing"`, for positive series, `"log"`, the only one.
        calendar: whether networks that take covariates known ahead see the calendar of dates.
        members: how many networks learn beside each other; the mean of their forecasts counts.
        period: steps in a season, or several seasons; None: as `zoo.tasks.calendar.season_of` has it.
        spread: one of `zoo.tasks.answering.SPREADS`: what an error counts relative to where intervals are calibrated.
        **network: further arguments of the model, such as `units`. `series=False`: without an embedding of the series;
            by default there is one where there are several.

    Raises:
        UserError: an unknown model or argument, or a number out of range.
    """

    application = "forecasting"

    def __init__(
        self,
        model: str = "direct",
        *,
        horizon: int,
        look_back: int | None = None,
        quantiles: Sequence[float] | None = None,
        scaling: str | None = None,
        calendar: bool = True,
        members: int = 1,
        period: int | Sequence[int] | None = None,
        spread: str = "auto",
        **network: Any,
    ):
        if quantiles is not None:
            network["quantiles"] = list(quantiles)
        check_options(model, network)
        for name, value in (("horizon", horizon), ("look_back", look_back), ("members", members)):
            if value is not None:
                check_whole(name, value)
        counts = network.get("likelihood") == "negative_binomial"
        default = "none" if counts else _SCALINGS.get(model, "standard")
        if default in ("log", "none") and scaling not in (None, default):
            raise UserError(f"scaling: got {scaling!r}; for this model leave it out: it is {default!r}")
        if (scaling or default) not in SCALINGS:
            raise unknown("scaling", scaling, SCALINGS)
        if spread not in SPREADS:
            raise unknown("spread", spread, SPREADS)
        self.model = model
        self.horizon = int(horizon)
        self.look_back = None if look_back is None else int(look_back)
        self.scaling = scaling or default
        self.calendar = calendar
        self.spread = spread
        self.members = int(members)
        self.periods = None if period is None else [int(each) for each in np.atleast_1d(period)]
        for each in self.periods or ():
            check_whole("period", each)
        self.options = network
        self._arguments: dict[str, Any] = {}
        self._panel: Panel | None = None
        self._answerer: Answerer | None = None
        # refuses what does not fit, before there is a table
        NETWORKS[model](**self._network_arguments(look_back or 1000, self.periods or [24], 2))

    # --- answers ---------------------------------------------------------------------------------------------

    def forecast(
        self,
        horizon: int | None = None,
        levels: Sequence[float] = (0.8, 0.95),
        *,
        frame: "pd.DataFrame | pd.Series | None" = None,
        paths: int = _PATHS,
        seed: int = 0,
    ) -> "pd.DataFrame":
        """Return what follows each series, as a table of the layout of the series' own: see `zoo.tasks.panel.answer`.

        Args:
            horizon: steps, at most those the task was made for; None: all of them.
            levels: for each the share of values, between 0 and 1, that an interval is to hold.
            frame: the series up to now, in a table of the frequency that was learned from; its columns are those that
                were learned from, or are found as `zoo.tasks.read_frame` finds them. None: those of the last `fit`.
            paths: how many an autoregressive network draws for each series.
            seed: of these.

        Returns:
            Columns `forecast`, and for each level such as 0.8 `lower_80` and `upper_80`. `forecast` is the median where
            the network knows several quantiles.

        Raises:
            UserError: the task has learned nothing, a table that is not taken, a series with too few values, covariates
                that do not reach over the horizon, or levels of which the network knows nothing.
        """
        panel = self._read(frame, "forecast")
        horizon, levels = self._horizon(horizon), self._answering().levels(levels)
        self._check_known(panel, horizon)
        ends = np.array([len(each) for each in panel.values])
        made = self._prepare(panel, ends)
        check_history(made.windows, panel.names, ends, "forecast")
        series = np.arange(len(panel))
        blocks = self._answering().blocks(made, series, ends, horizon, levels, paths=paths, seed=seed)
        found = Forecasts.joined(list(blocks))
        bounds = [bound for level in levels for bound in found.intervals[level]]
        return answer(panel, np.stack([found.forecast, *bounds], axis=-1), answer_columns(levels))

    def backtest(
        self,
        frame: "pd.DataFrame | pd.Series | None" = None,
        *,
        horizon: int | None = None,
        steps: int | None = None,
        stride: int = 1,
        levels: Sequence[float] = (0.8, 0.95),
        paths: int = _PATHS,
        seed: int = 0,
    ) -> "pd.DataFrame":
        """Return forecasts of what is known already, each from the values before a cut-off alone.

        Args:
            frame: series; None: those of the last `fit`, from which the network may have learned.
            horizon: as in `forecast`.
            steps: the last so many values of each series are forecast, from every `stride`-th cut-off before or within
                them behind which there is a whole horizon; None: one horizon.
            stride: steps from one cut-off to the next.
            levels: as in `forecast`.
            paths: as in `forecast`.
            seed: as in `forecast`.

        Returns:
            A row for each step: `series`, `cutoff` (the last time that was known), `step` from 1 on, `time`, `actual`,
            `forecast`, `lower_80`, `upper_80`, ...

        Raises:
            UserError: as in `forecast`, or a series with too few values before the steps.
        """
        import pandas as pd

        panel = self._read(frame, "backtest")
        horizon = self._horizon(horizon)
        tables = []
        for block in self.blocks(
            panel, horizon=horizon, steps=steps, stride=stride, levels=levels, paths=paths, seed=seed
        ):
            for series, rows in block.of_series():
                cutoffs, times = block.cutoffs[rows], panel.times[series]
                one = block.part(rows, horizon)
                bounds = [bound for pair in one.intervals.values() for bound in pair]
                columns = answer_columns(list(one.intervals))
                numbers = dict(zip(columns, (each.ravel() for each in (one.forecast, *bounds)), strict=True))
                tables.append(
                    pd.DataFrame(
                        {
                            "series": panel.labels[series],
                            "cutoff": times.take(np.repeat(cutoffs - 1, horizon)),
                            "step": np.tile(np.arange(1, horizon + 1), len(rows)),
                            "time": times.take((cutoffs[:, None] + np.arange(horizon)).ravel()),
                            "actual": one.actual.ravel(),
                            **numbers,
                        }
                    )
                )
        return pd.concat(tables, ignore_index=True)

    def evaluate(
        self,
        frame: "pd.DataFrame | pd.Series | None" = None,
        *,
        horizon: int | None = None,
        horizons: Sequence[int] | None = None,
        steps: int | None = None,
        stride: int = 1,
        levels: Sequence[float] = (0.8, 0.95),
        scaled: bool = False,
        period: int | None = None,
        paths: int = _PATHS,
        seed: int = 0,
    ) -> dict[str, float]:
        """Return the metrics of a backtest, over all its steps: see `zoo.tasks.forecasts.Scores`.

        Args:
            frame: as in `backtest`.
            horizon: as in `forecast`.
            horizons: several instead: the metrics of each are called `mse_96`, ..., their means `mse`.
            steps: as in `backtest`; each horizon has all cut-offs behind which it is whole.
            stride: as in `backtest`.
            levels: as in `forecast`.
            scaled: measure in the scale that the network learns in, without `smape`, `mase` and `owa`.
            period: steps in a season for `mase` and Naive 2; None: the first of the task's.
            paths: as in `forecast`.
            seed: as in `forecast`.

        Raises:
            UserError: as in `backtest`.
        """
        panel = self._read(frame, "evaluate")
        asked = [self._horizon(each) for each in (horizons or (horizon,))]
        probabilities = self._answering().probabilities
        first, _, steps = self._backtested(panel, max(asked) if steps is None else steps, min(asked))
        lengths = first + steps
        histories = None if scaled else panel.values
        scores = {each: Scores(probabilities, histories, period or self.periods[0], first) for each in asked}
        for block in self.blocks(
            panel,
            horizon=max(asked),
            whole=min(asked),
            steps=steps,
            stride=stride,
            levels=levels,
            probabilities=probabilities,
            scaled=scaled,
            paths=paths,
            seed=seed,
        ):
            for each, sums in scores.items():
                rows = np.flatnonzero(block.cutoffs + each <= lengths[block.series])
                if len(rows):
                    sums.add(block.part(rows, each))
        found = {each: sums.metrics() for each, sums in scores.items()}
        if horizons is None:
            return found[asked[0]]
        means = {name: float(np.mean([of[name] for of in found.values()])) for name in found[asked[0]]}
        return means | {f"{name}_{each}": value for each, of in found.items() for name, value in of.items()}

    def blocks(
        self,
        panel: Panel,
        *,
        horizon: int | None = None,
        whole: int | None = None,
        steps: int | None = None,
        stride: int = 1,
        levels: Sequence[float] = (0.8, 0.95),
        probabilities: Sequence[float] = (),
        scaled: bool = False,
        paths: int = _PATHS,
        seed: int = 0,
    ) -> Iterator[Forecasts]:
        """Yield the windows behind `backtest` and `evaluate`, in the order of the series, some at a time.

        Args:
            panel: series, as `zoo.tasks.panel.read_frame` gives them.
            horizon: as in `forecast`.
            whole: how many steps behind a cut-off must lie within the series; None: the horizon.
            steps: as in `backtest`.
            stride: as in `backtest`.
            levels: as in `forecast`.
            probabilities: of further quantiles.
            scaled: in the scale that the network learns in.
            paths: as in `forecast`.
            seed: as in `forecast`.

        Raises:
            UserError: as in `backtest`.
        """
        horizon, levels = self._horizon(horizon), self._answering().levels(levels)
        check_whole("stride", stride)
        first, last, steps = self._backtested(panel, steps, horizon if whole is None else whole)
        made = self._prepare(panel, first)
        check_history(made.windows, panel.names, first, "backtest")
        windows = Windows.every(first, last, stride)
        yield from self._answering().blocks(
            made,
            *windows,
            horizon,
            levels,
            paths=paths,
            seed=seed,
            probabilities=probabilities,
            scaled=scaled,
        )

    def arrays(self, panel: Panel, **options: Any) -> Forecasts:
        """Return all that `blocks` yields, in float32; the arguments are its own."""
        return Forecasts.joined([block.narrow() for block in self.blocks(panel, **options)])

    def calibrate(
        self,
        frame: "pd.DataFrame | pd.Series | None" = None,
        *,
        steps: int | None = None,
        stride: int = 1,
        paths: int = _PATHS,
        seed: int = 0,
    ) -> None:
        """Calibrate the intervals on the last values of series, which the network should not have learned from.

        Args:
            frame: as in `backtest`.
            steps: as in `backtest`.
            stride: as in `backtest`.
            paths: as in `forecast`.
            seed: as in `forecast`.

        Raises:
            UserError: as in `backtest`.
        """
        panel = self._read(frame, "calibrate")
        check_whole("stride", stride)
        first, last, _ = self._backtested(panel, steps, self.horizon)
        made = self._prepare(panel, first)
        windows = Windows.every(first, last, stride)
        self._answering().calibrate(made, *windows, self.horizon, paths, seed, self.spread)

    # --- windows ---------------------------------------------------------------------------------------------

    def _prepare(self, panel, ends):
        """Return the series of a panel for the network."""
        return PreparedSeries(
            panel, ends, self.preprocessor, self.network.config, self.look_back, self.horizon
        )

    def _answering(self):
        """Return what answers with the network: the same one for as long as the network is the same."""
        if self._answerer is None or self._answerer.predictor.network is not self.network:
            self._answerer = Answerer(Predictor(self.network), self.preprocessor, self.periods[0])
        return self._answerer

    # --- what is asked for -----------------------------------------------------------------------------------

    def _read(self, frame, where):
        """Return the panel of a table, or of the last `fit`."""
        self._ready()
        made = self.preprocessor
        if frame is None:
            if self._panel is None:
                raise UserError(f"{where}: a preset holds no series; give frame=, with those to forecast")
            return self._panel
        columns = columns_in(frame, made.columns)
        panel = read_alike(frame, made.frequency, **columns, where=where)
        self._check_frequency(panel, where)
        return panel

    def _check_frequency(self, panel, where):
        """Refuse a table of another frequency than that of training, of which the rows may all lie on its times."""
        wanted = self.preprocessor.frequency
        if not alike(panel.frequency, wanted):
            found, learned = (each or "plain numbers" for each in (panel.frequency, wanted))
            raise UserError(
                f"{where}: the times are {found}, those that were learned from {learned}; give the same"
            )
        for name, values in zip(panel.names, panel.values, strict=True):
            places = np.flatnonzero(~np.isnan(values))
            apart = np.gcd.reduce(np.diff(places)) if len(places) > LEAST else 1
            if wanted is not None and apart > 1:
                raise UserError(
                    f"{where}: the values of series {name!r} lie {apart} steps of {wanted!r} apart, the frequency that "
                    "was learned from; give the same, or fit a forecaster of these"
                )

    def _horizon(self, horizon):
        """Return a horizon, checked; None: all that was trained."""
        if horizon is None:
            return self.horizon
        if isinstance(horizon, bool) or not isinstance(horizon, Integral) or not 1 <= horizon <= self.horizon:
            raise UserError(
                f"horizon: got {horizon!r}; this forecaster was made for {self.horizon} steps: give 1 to "
                f"{self.horizon}, or fit one for more"
            )
        return int(horizon)

    def _backtested(self, panel, steps, whole):
        """Return the first and the last cut-off of each series, (series,) each, and the steps, checked."""
        steps = whole if steps is None else steps
        check_whole("steps", steps)
        if steps < whole:
            raise UserError(f"steps: got {steps} for a horizon of {whole}; give as many or more")
        lengths = np.array([len(values) for values in panel.values])
        for name, length in zip(panel.names, lengths, strict=True):
            if length < steps + LEAST:
                raise UserError(
                    f"steps: series {name!r} has {length} values; to forecast the last {steps} it needs "
                    f"{steps + LEAST}: give fewer steps, or leave the series out"
                )
        return lengths - steps, lengths - whole, steps

    def _check_known(self, panel, horizon):
        """Refuse covariates that do not reach over the horizon."""
        columns = ", ".join(map(repr, self.preprocessor.columns["known"]))
        for name, known, values in zip(panel.names, panel.known or (), panel.values, strict=False):
            lacking = len(values) + horizon - len(known)
            if lacking > 0:
                raise UserError(
                    f"forecast: series {name!r} lacks {lacking} rows of what is known ahead: give {horizon} rows "
                    f"behind its last value, with {columns} and no value"
                )

    # --- learning --------------------------------------------------------------------------------------------

    def fit(
        self,
        frame: "pd.DataFrame | pd.Series",
        *,
        time: Hashable | None = None,
        value: Hashable | None = None,
        series: Hashable | None = None,
        frequency: str | int | None = None,
        past: Sequence[Hashable] | str = (),
        known: Sequence[Hashable] | str = (),
        static: Sequence[Hashable] | str = (),
        missing: str = "keep",
        validation_steps: int | None = None,
        validation_stride: int | None = None,
        epochs: int = 10,
        batch_size: int = 64,
        stride: int = 1,
        learning_rate: float = 1e-3,
        schedule: str = "cosine",
        warmup: float = 0.05,
        weight_decay: float = 0.0,
        clipnorm: float = 1.0,
        average: int = 1,
        loss: str = "mae",
        horizons: Sequence[int] | None = None,
        weighting: str = "none",
        calibration: bool = True,
        monitor: str | None = None,
        patience: int | None = None,
        seed: int = 0,
        out: str | os.PathLike | None = None,
        settings: dict[str, Any] | None = None,
        progress: bool = True,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> History:
        """Learn from series: from scratch, or further from what the task has learned already.

        In a further `fit`, series that the network knows keep their scales, and those that are new get their own, and
        begin with the medians of what was learned of each of the others.

        Args:
            frame: the series, as `zoo.tasks.panel.read_frame` takes them, whose arguments the next eight are.
            time: column of the times.
            value: column of the values.
            series: column of the series' names.
            frequency: pandas' name of the step.
            past: columns of covariates known up to now.
            known: columns of covariates known ahead.
            static: columns of covariates of each series.
            missing: what becomes of missing values.
            validation_steps: the last so many values of each series are not learned from, but choose the best epoch and
                calibrate the intervals. None: one horizon of the series that have three, and a little; 0: none.
                A series that would not keep a horizon to learn from is not validated.
            validation_stride: steps from one cut-off within them to the next; None: so many that a series has a hundred
                at most.
            epochs: passes over all windows; of `"smoothing"` over all series.
            batch_size: windows, or series, for a step.
            stride: steps from one window of a series to the next.
            learning_rate: of AdamW (Loshchilov & Hutter, 2019), at its highest.
            schedule: `"cosine"`, falling to a hundredth, or `"constant"`.
            warmup: share of all steps in which the learning rate rises from zero.
            weight_decay: of AdamW, for products; embeddings and biases are left out.
            clipnorm: the largest norm of all gradients together.
            average: what is validated and kept is the mean of the weights after so many last epochs.
            loss: a name of `zoo.tasks.forecasting.POINT_LOSSES`, for networks with one forecast. With quantiles it is
                the pinball loss, of `"autoregressive"` the likelihood, of `"smoothing"` its own.
            horizons: learn and be validated by the mean of the losses over the first so many steps, as the published
                tables of several horizons count; for `"direct"` and `"linear"` alone. None: all steps weigh alike.
            weighting: what the loss of a series weighs: see `zoo.tasks.forecasting.series_weights`.
            calibration: whether the validation's errors calibrate the intervals.
            monitor: what chooses the best epoch; by default `"val_loss"` where there is a validation. It also knows
                `val_mse` and `val_mae`, in the scale that is learned in, `val_smape` and `val_mase`.
            patience: stop after so many epochs without a better one.
            seed: of the order of the windows and of everything that is drawn.
            out: run folder for checkpoints and logs; a run that was killed goes on when started again.
            settings: what else must be the same in a run and the run that it resumes.
            progress: whether to show a line for each epoch on standard error.
            callbacks: Keras callbacks.

        Returns:
            The history: a row for each epoch.

        Raises:
            UserError: a table that is not taken, nothing to learn from, covariates or horizons that the model does not
                take, a run folder of another run.
            DivergedError: the loss is no longer finite.
        """
        roles = {"past": past, "known": known, "static": static}
        roles = {role: [names] if isinstance(names, str) else list(names) for role, names in roles.items()}
        for role, names in roles.items():
            if names and role not in arguments_of(self.model):
                raise UserError(f"{role}: got {names}; the model {self.model!r} takes no covariates")
        point = self.model in ("direct", "linear")
        if horizons is not None and not point:
            raise UserError(
                f"horizons: got {list(horizons)}; the model {self.model!r} takes none: leave it out"
            )
        steps = None if horizons is None else step_weights(horizons, self.horizon)
        columns = {"time": time, "value": value, "series": series, **roles, "missing": missing}
        panel = read_frame(frame, **columns, frequency=frequency, where="fit")
        ends = training_ends(panel, self.horizon, validation_steps)
        histories = [values[:end] for values, end in zip(panel.values, ends, strict=True)]
        if self.network is None:
            self._begin(panel, columns, histories, seed)
        else:
            self._go_on(panel, columns, histories)
        made = self._prepare(panel, ends)
        units = made.scales[:, 1]
        if self.scaling in ("log", "asinh"):  # in which a small error is a share of the value
            units = np.array([np.nanmean(np.abs(each)) for each in histories])
        weights = series_weights(weighting, histories, units, self.periods[0])
        batches = self._batches(made, *self._learned_from(made, ends, stride), weights, batch_size, seed)
        weighted = WeightedLoss(loss, self.network.config.get("quantiles"), steps)
        self.network.compile(
            make_optimizer(learning_rate, schedule, warmup, batches.steps * epochs, weight_decay, clipnorm),
            loss=weighted if point else NetworkLoss(),
        )
        held = held_out(panel, ends, self.horizon, validation_stride)
        validation = None
        if len(held[0]):
            monitor = monitor or "val_loss"
            if self._answering().predictor.draws:
                validation = self._batches(made, *held, weights, batch_size, seed)
            else:
                validation = self._validation(made, panel, *held, weights, weighted)
        history = fit(
            self.network,
            batches,
            epochs=epochs,
            out=out,
            validation=validation,
            monitor=monitor,
            patience=patience,
            average=average,
            settings=settings,
            progress=progress,
            callbacks=callbacks,
        )
        self.preprocessor.calibration = self.preprocessor.error_ratio = None
        self._panel = panel
        if calibration and len(held[0]):
            self._answering().calibrate(made, *held, self.horizon, _PATHS, seed, self.spread)
        return history

    def _learned_from(self, made, ends, stride):
        """Return series and cut-offs of the windows to learn from."""
        check_whole("stride", stride)
        if self.model == "smoothing":  # a window is a whole series, what follows lies in it
            return np.arange(len(ends)), ends
        series, cutoffs = made.windows.training(ends, stride)
        if not len(series):
            raise UserError(f"fit: no window holds {LEAST} values and one to forecast; give longer series")
        return series, cutoffs

    def _batches(self, made, series, cutoffs, weights, batch_size, seed):
        """Return windows with what the network learns from them."""
        inputs = made.inputs(series, cutoffs)
        if self.model in ("direct", "linear"):
            targets = made.windows.weighted(series, cutoffs, weights)
        else:
            targets = weights[series].astype("float32")
        if self.model == "autoregressive":
            inputs["targets"], inputs["targets_observed"] = made.windows.following(series, cutoffs)
        inputs.pop("seasonal", None)  # every series has its own by now
        return Batches(inputs, targets, batch_size=batch_size, seed=seed, bucket=False)

    def _validation(self, made, panel, series, cutoffs, weights, weighted):
        """Return what measures a network of one forecast, or of quantiles, on windows."""
        quantiles = self.network.config["quantiles"]
        inputs, targets = made.inputs(series, cutoffs), made.windows.weighted(series, cutoffs, weights)[:]
        horizon = self.horizon
        first = np.full(len(panel), np.iinfo(int).max)
        np.minimum.at(first, series, cutoffs)
        scaled, actual = (following(each, series, cutoffs, horizon) for each in (made.values, panel.values))

        def validation():
            columns = self._answering().predictor(inputs, horizon)
            found = weighted(targets, columns if quantiles else columns[..., 0])
            middle = interpolated(columns, quantiles or [0.5], [0.5])[..., 0]
            own, relative = Scores(), Scores((), panel.values, self.periods[0], first, naive=False)
            own.add(Forecasts(series, cutoffs, scaled, middle, {}))
            restored = self.preprocessor.restored(middle, made.scales[series])
            relative.add(Forecasts(series, cutoffs, actual, restored, {}))
            found = float(keras.ops.convert_to_numpy(found))
            return {**relative.metrics(), **own.metrics(), "loss": found}

        return validation

    def _begin(self, panel, columns, histories, seed):
        """Make the preprocessor and the network for the series of a panel."""
        if self.periods is None:
            self.periods = [panel.period]
        longest = max(map(len, histories))
        if self.look_back is None and self.model == "smoothing":
            self.look_back = min(longest, _SMOOTHED)
        elif self.look_back is None:
            wanted = 2 * max(self.horizon, self.periods[0])
            self.look_back = max(min(wanted, longest - self.horizon), LEAST)
        takes = arguments_of(self.model)
        calendar = kinds_of(panel.frequency) if self.calendar and "known" in takes else ()
        made = SeriesPreprocessor(self.scaling, columns=columns, frequency=panel.frequency, calendar=calendar)
        made.learn(panel.names, histories)
        for role, arrays in (("past", panel.past), ("known", panel.known), ("static", [panel.static])):
            if columns[role]:
                made.learn_covariates(role, arrays)
        self.options.setdefault("seed", seed)
        sizes = {role: len(columns[role]) for role in ROLES}
        sizes["known"] += 2 * len(calendar)
        window = self.look_back + self.horizon
        sizes["missing"] = any(len(each) < window or np.isnan(each).any() for each in histories)
        self._arguments = self._network_arguments(self.look_back, self.periods, len(panel), **sizes)
        self.preprocessor = made
        keras.utils.set_random_seed(self.options["seed"] or 0)
        self.network = self._build()
        self._give_seasons(panel, histories, 0)

    def _go_on(self, panel, columns, histories):
        """Make room for the series that are new."""
        made, before = self.preprocessor, len(self.preprocessor.names)
        self._check_frequency(panel, "fit")
        for role in ROLES:
            if columns[role] != made.columns[role]:
                raise UserError(
                    f"fit: {role}: got {columns[role]}, and the network has learned from {made.columns[role]}; "
                    "give the same"
                )
        made.columns = columns
        new = made.learn(panel.names, histories)
        if new and self.network.config["series"]:
            old = self.network
            self._arguments = {**self._arguments, "series": old.config["series"] + new}
            self.network = self._build()
            grown(old, self.network, new)
            self._give_seasons(panel, histories, before)

    def _give_seasons(self, panel, histories, before):
        """Let seasonal factors that are learned begin with those of classical decomposition, of new series."""
        if self.model != "smoothing" or max(self.periods) == 1:
            return
        numbers = panel.numbers(self.preprocessor.names)
        new = np.flatnonzero(numbers > before)
        factors = [
            seasonal_factors(
                np.log(histories[place]), phase_of(panel.times[place], panel.frequency), self.periods
            )
            for place in new
        ]
        if factors:
            give_seasons(self.network, numbers[new], np.array(factors))

    # --- presets ---------------------------------------------------------------------------------------------

    def warm(self) -> None:
        """Compile now what the forecast of a few series needs."""
        config, network = self.network.config, self._answering().predictor
        look_back, horizon = self.look_back, self.horizon
        ones = np.ones((1, look_back), "float32")
        inputs = {"values": ones, "observed": ones}
        for name, steps in (("past", [look_back]), ("known", [look_back + horizon]), ("static", [])):
            if config.get(name):
                inputs[name] = np.zeros((1, *steps, config[name]), "float32")
        if config["series"]:
            inputs["series"] = np.ones(1, "int32")
        if self.model == "smoothing":
            inputs["phase"] = np.zeros(1, "int32")
            if width := sum(each for each in config["period"] if each > 1):
                inputs["seasonal"] = np.ones((1, width), "float32")
        if network.draws:
            network.paths_quantiles(inputs, horizon, [0.5], _PATHS, 0)
        else:
            network(inputs, horizon)

    def _network_arguments(self, look_back, periods, series, **sizes):
        return network_arguments(
            self.model,
            self.options,
            horizon=self.horizon,
            look_back=look_back,
            periods=periods,
            series=series,
            **sizes,
        )

    def _build(self):
        return build_network(self.model, self._arguments, self.members)

    def _config(self):
        return {
            "model": self.model,
            "look_back": self.look_back,
            "members": self.members,
            "periods": self.periods,
            "network": self.network.config,
        }

    @classmethod
    def _from_config(cls, preset, where):
        model = Choice(list(NETWORKS)).check(preset.config.get("model"), f"{where}: model")
        config = check(preset.config, {**_SCHEMA, "network": SCHEMAS[model]}, where)
        network = config["network"]
        made = SeriesPreprocessor.from_preset(preset.preprocessor, preset.assets)
        options = {name: value for name, value in network.items() if name not in _COUNTED}
        task = cls(
            model,
            horizon=network["horizon"],
            look_back=config["look_back"],
            scaling=made.scaling,
            members=config["members"],
            period=config["periods"],
            calendar=bool(made.calendar),
            spread="auto" if made.error_ratio is None else "backtest",
            **options,
        )
        task.preprocessor, task._arguments = made, network
        _check_sizes(config, made, where)
        return task


def _check_sizes(config, made, where):
    """Raise `PresetError` unless the network of a preset fits its preprocessor."""
    network, table = config["network"], made.calibration
    for kind in made.calendar:
        Choice(list(KINDS)).check(kind, "preprocessor.json: calendar")
    wanted = {role: len(made.columns[role]) for role in ROLES}
    wanted["known"] += 2 * len(made.calendar)
    told = {
        **{role: network.get(role, 0) == wanted[role] for role in ROLES},
        "look_back": network.get("look_back", config["look_back"]) == config["look_back"],
        "period": network.get("period", config["periods"]) == config["periods"],
        "series": network["series"] in (0, len(made.names)),
        "calibration": table is None or table.shape == (network["horizon"], len(GRID)),
    }
    for name, fits in told.items():
        if not fits:
            raise PresetError(f"{where}: {name} is not that of preprocessor.json: fetch the preset again")
