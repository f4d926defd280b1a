"""Series in the scale that networks learn in, and back; and what of their tables must be remembered."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.errors import UserError, unknown
from zoo.presets import schema

SCALINGS = ("standard", "mean", "log", "asinh", "none")
ROLES = ("past", "known", "static")
_NAMES, _SCALES, _TABLE = "series.json", "scales.f64", "calibration.f32"
_MOST = 1_000_000  # series
_LARGEST_LOG = 80.0  # of what is restored: float32 holds its exponential
_BEND = 0.01  # of mean |y|: where asinh turns from a line into a logarithm


@dataclass(frozen=True)
class _Label:
    """What a table may call a column: a line of text, or a whole number."""

    def check(self, value, where):
        """Return the label, or raise PresetError."""
        kind = schema.Integer(-(2**62), 2**62) if type(value) is int else schema.String(200)
        return kind.check(value, where)


_LABELS = schema.ListOf(_Label(), 1000)
_NUMBERS = schema.ListOf(schema.Number(-1e31, 1e31), 1000)
_COLUMNS = {
    **dict.fromkeys(("time", "value", "series"), schema.Optional(_Label())),
    **dict.fromkeys(ROLES, _LABELS),
    "missing": schema.String(20),
}
_SCHEMA = {
    "kind": schema.Choice(["series"]),
    "scaling": schema.Choice(SCALINGS),
    "columns": _COLUMNS,
    "frequency": schema.Optional(schema.String(40)),
    "calendar": schema.ListOf(schema.String(40), 20),
    "locations": dict.fromkeys(ROLES, _NUMBERS),
    "spreads": dict.fromkeys(ROLES, _NUMBERS),
    "steps": schema.Integer(0, 100_000),
    "probabilities": schema.Integer(0, 10_000),
    "error_ratio": schema.Optional(schema.Number(1e-9, 1e9)),
}


class SeriesPreprocessor:
    """Scales of series, of their covariates, and what their table looked like.

        standard   x = (y − mean y) / standard deviation of y
        mean       x = y / mean |y|
        log        x = log y − mean log y
        asinh      x = asinh(y / c) − mean asinh(y / c),  c = 0.01 mean |y|
        none       x = y

    over the observed values that a series had in training; a series that was not there has those of its own. Where it
    does not change, `standard` divides by the size of its mean, and where that is 0 too, by 1. `asinh` takes values of
    any sign: it is a line around 0, and well above c the logarithm but for a constant (Burbidge, Magee & Robb, 1988,
    JASA 83(401)). Covariates are standardised over all series together.

    Attributes:
        names: of the series, in the order of their numbers, which begin with 1.
        scales: (series, 2) float64, what is taken from each and what it is divided by.
        columns: what `zoo.tasks.panel.read_frame` was told: `time`, `value`, `series`, `past`, `known`, `static`,
            `missing`.
        frequency: of the times; None: plain numbers.
        calendar: names of calendar features, `zoo.tasks.calendar.KINDS`.
        calibration: (steps, probabilities) float32, the table of `zoo.tasks.conformal`; None: there is none.
        error_ratio: where its errors are relative to those of the network's last forecasts before a window, how many
            times the naive ones within the window these are, in the median; None: they are not.

    Args:
        scaling: one of `SCALINGS`.
        columns: as above.
        frequency: as above.
        calendar: as above.

    Raises:
        UserError: an unknown scaling, or a column whose name is neither text nor a whole number.
    """

    def __init__(
        self,
        scaling: str = "standard",
        *,
        columns: Mapping[str, Any],
        frequency: str | None = None,
        calendar: Sequence[str] = (),
    ):
        if scaling not in SCALINGS:
            raise unknown("scaling", scaling, SCALINGS)
        self.scaling = scaling
        self.columns = schema.check(dict(columns), _COLUMNS, "columns")
        self.frequency = frequency
        self.calendar = tuple(calendar)
        self.names: list[str] = []
        self.scales = np.zeros((0, 2))
        self.calibration: np.ndarray | None = None
        self.error_ratio: float | None = None
        self._covariates = {role: np.tile([[0.0], [1.0]], len(self.columns[role])) for role in ROLES}

    def learn(self, names: Sequence[str], values: Sequence[np.ndarray]) -> int:
        """Learn the scales of the series that are new, and return how many these are.

        Args:
            names: of the series.
            values: for each (time,) float64, its training part; NaN is missing.

        Raises:
            UserError: a value that is not above 0, where they are to have a logarithm.
        """
        found = self.scales_of(names, values)
        trained = set(self.names)
        new = [place for place, name in enumerate(names) if name not in trained]
        self.names = [*self.names, *(names[place] for place in new)]
        self.scales = np.concatenate([self.scales, found[new]])
        return len(new)

    def learn_covariates(self, role: str, arrays: Sequence[np.ndarray]) -> None:
        """Learn the mean and the standard deviation of covariates (time, features) of one of `ROLES`."""
        rows = np.concatenate([np.asarray(each, "float64") for each in arrays])
        spread = rows.std(axis=0)
        self._covariates[role] = np.stack([rows.mean(axis=0), np.where(spread > 0, spread, 1)])

    def covariates(self, role: str, array: np.ndarray) -> np.ndarray:
        """Return covariates (..., features) standardised, float32."""
        location, spread = self._covariates[role]
        return ((array - location) / spread).astype("float32")

    def scales_of(self, names: Sequence[str], values: Sequence[np.ndarray]) -> np.ndarray:
        """Return location and scale of series, (series, 2): those of training, or from `values` (time,).

        Raises:
            UserError: as `learn`.
        """
        places = {name: place for place, name in enumerate(self.names)}
        return np.array(
            [
                self.scales[places[name]] if name in places else self._measure(name, each)
                for name, each in zip(names, values, strict=True)
            ]
        ).reshape(-1, 2)

    def _measure(self, name, values):
        y = values[~np.isnan(values)]
        self._check_positive(name, y)
        if not len(y) or self.scaling == "none":
            return 0.0, 1.0
        if self.scaling == "log":
            return np.log(y).mean(), 1.0
        size, mean = np.abs(y).mean(), y.mean()
        if self.scaling == "asinh":
            bend = _BEND * size or 1.0
            return np.arcsinh(y / bend).mean(), bend
        if self.scaling == "mean":
            return 0.0, size or 1.0
        deviation = y.std()
        return mean, deviation if deviation > 1e-9 * size else abs(mean) or 1.0

    def _check_positive(self, name, y):
        if self.scaling == "log" and (y <= 0).any():
            raise UserError(
                f"series {name!r}: found {y[y <= 0][0]:g}; logarithms are to be forecast, so all values must be above "
                "0: leave the series out, or choose another model or scaling"
            )

    def scaled(self, name: str, values: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """Return x (time,) of a series y (time,); NaN stays.

        Args:
            name: of the series, for the message.
            values: y.
            scale: (2,), its row of `scales_of`.

        Raises:
            UserError: as `learn`.
        """
        self._check_positive(name, values)
        if self.scaling == "asinh":
            return np.arcsinh(values / scale[1]) - scale[0]
        return ((np.log(values) if self.scaling == "log" else values) - scale[0]) / scale[1]

    def restored(self, x: np.ndarray, scales: np.ndarray) -> np.ndarray:
        """Return y (windows, ...) float64 of x, with `scales` (windows, 2) of the series of each."""
        location, scale = (scales[:, part].reshape(-1, *(1 for _ in x.shape[1:])) for part in (0, 1))
        if self.scaling == "asinh":
            return np.sinh(np.clip(x + location, -_LARGEST_LOG, _LARGEST_LOG)) * scale
        y = np.asarray(x, "float64") * scale + location
        return np.exp(np.minimum(y, _LARGEST_LOG)) if self.scaling == "log" else y

    # --- presets

    def to_preset(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """Return what a preset keeps: the dictionary of `preprocessor.json`, and the assets by file name."""
        table = np.zeros((0, 0)) if self.calibration is None else self.calibration
        config = {
            "kind": "series",
            "scaling": self.scaling,
            "columns": self.columns,
            "frequency": self.frequency,
            "calendar": list(self.calendar),
            "locations": {role: self._covariates[role][0].tolist() for role in ROLES},
            "spreads": {role: self._covariates[role][1].tolist() for role in ROLES},
            "steps": table.shape[0],
            "probabilities": table.shape[1],
            "error_ratio": self.error_ratio,
        }
        return config, {
            _NAMES: json.dumps(self.names, ensure_ascii=False).encode(),
            _SCALES: self.scales.astype("<f8").tobytes(),
            **({} if self.calibration is None else {_TABLE: table.astype("<f4").tobytes()}),
        }

    @classmethod
    def from_preset(cls, config: dict[str, Any], assets: Mapping[str, bytes]) -> "SeriesPreprocessor":
        """Make the preprocessor that `to_preset` described; neither argument is trusted.

        Raises:
            UserError: a wrong key or value, or an asset that is missing, damaged or of another size.
        """
        config = schema.check(config, _SCHEMA, "preprocessor.json")
        made = cls(
            config["scaling"],
            columns=config["columns"],
            frequency=config["frequency"],
            calendar=config["calendar"],
        )
        for role in ROLES:
            pair = [config["locations"][role], config["spreads"][role]]
            if {len(each) for each in pair} != {len(config["columns"][role])} or min(pair[1], default=1) <= 0:
                raise schema.PresetError(
                    f"preprocessor.json: {role}: not a location and a spread for each covariate"
                )
            made._covariates[role] = np.array(pair)
        made.names = _names(assets)
        made.scales = _numbers(assets, _SCALES, "<f8", (len(made.names), 2))
        if (made.scales[:, 1] <= 0).any():
            raise schema.PresetError(f"assets/{_SCALES}: a scale is not above 0: fetch the preset again")
        if config["steps"]:
            made.calibration = _numbers(assets, _TABLE, "<f4", (config["steps"], config["probabilities"]))
            made.error_ratio = config["error_ratio"]
        return made


def _names(assets):
    """Return the names in an asset, checked."""
    try:
        names = json.loads(assets.get(_NAMES, b"").decode())
    except (ValueError, RecursionError):
        raise schema.PresetError(f"assets/{_NAMES}: missing or damaged: fetch the preset again") from None
    names = schema.ListOf(schema.String(200), _MOST, 1).check(names, f"assets/{_NAMES}")
    if len(set(names)) < len(names):
        raise schema.PresetError(f"assets/{_NAMES}: a name stands twice: fetch the preset again")
    return names


def _numbers(assets, name, dtype, shape):
    """Return the finite numbers in an asset."""
    blob, size = assets.get(name, b""), np.dtype(dtype).itemsize * int(np.prod(shape))
    if len(blob) != size:
        raise schema.PresetError(
            f"assets/{name}: {len(blob)} bytes where {size} should be: fetch the preset again"
        )
    numbers = np.frombuffer(blob, dtype).reshape(shape).astype(dtype[1:])
    if not np.isfinite(numbers).all():
        raise schema.PresetError(f"assets/{name}: holds NaN or infinity: fetch the preset again")
    return numbers
