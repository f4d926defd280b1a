"""The state of a fit: where it is, the values that a checkpoint holds, and what a run that resumes must share."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from zoo.tasks.logbook import Row


@dataclass
class Place:
    """Where a run is, in what JSON can say; with the arrays it is all that a checkpoint needs.

    `epoch` epochs are done, and `step` steps of the next one. `stopped` is True if a callback said so.
    """

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    rows: list[Row] = field(default_factory=list)
    best_epoch: int | None = None
    best_score: float | None = None
    stopped: bool = False


class NotFiniteError(Exception):
    """Something is infinite or not a number; the message says what."""


def check(value: float, what: str) -> None:
    """Raise NotFiniteError unless `value`, which is called `what`, is a finite number."""
    if not math.isfinite(value):
        raise NotFiniteError(f"{what} is {value}")


def are_finite(arrays: Sequence[np.ndarray]) -> bool:
    """Return whether all numbers of all arrays are finite."""
    return all(np.isfinite(array).all() for array in arrays if array.dtype.kind == "f")


def values(variables: Sequence[keras.Variable]) -> list[np.ndarray]:
    """Return copies: on the CPU the backends hand out views of memory that the next step writes to."""
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def assign(variables: Sequence[keras.Variable], arrays: Sequence[np.ndarray]) -> None:
    """Give the variables what `values` returned, or what a checkpoint holds of it."""
    for variable, array in zip(variables, arrays, strict=True):
        if array.dtype.kind == "V":  # bfloat16, of which NumPy's files know the size alone
            array = array.view(keras.backend.standardize_dtype(variable.dtype))
        variable.assign(array)


def mean(sets: Sequence[Sequence[np.ndarray]]) -> list[np.ndarray]:
    """Return the mean of several sets of weights; what is no float is that of the last one."""
    return [
        np.mean(arrays, axis=0, dtype="float64").astype(arrays[-1].dtype)
        if arrays[-1].dtype.kind == "f"
        else arrays[-1]
        for arrays in zip(*sets, strict=True)
    ]


def separate(variables: Sequence[keras.Variable]) -> None:
    """Give variables values of their own: in JAX the averaged weights share memory with the average.

    Whatever gives one of the two away for the next step to write to deletes the other one too.
    """
    assign(variables, values(variables))


def random_state() -> list[np.ndarray]:
    """Return the state of PyTorch's own generator, which Keras draws from in a dropout without a seed.

    The other backends draw from variables of the model alone.
    """
    if keras.backend.backend() != "torch":
        return []
    import torch

    states = [torch.get_rng_state()]
    if torch.cuda.is_available():
        states += torch.cuda.get_rng_state_all()
    return [state.numpy().copy() for state in states]


def set_random_state(states: Sequence[np.ndarray]) -> None:
    """Set what `random_state` returned."""
    if not states:
        return
    import torch

    first, *others = (torch.from_numpy(state.copy()) for state in states)
    torch.set_rng_state(first)
    if others:
        torch.cuda.set_rng_state_all(others)


def plain(value: Any) -> Any:
    """Return `value` as JSON reads it back."""
    return json.loads(json.dumps(value, default=str))


def fingerprint(model: keras.Model, monitor: str | None, mode: str) -> dict[str, Any]:
    """Return what of the model must not differ between a run and the one it resumes."""
    return {
        "backend": keras.backend.backend(),
        "variables": [[_stable(variable.path), list(variable.shape)] for variable in model.variables],
        "optimizer": [type(model.optimizer).__name__, _without_names(plain(model.optimizer.get_config()))],
        "monitor": [monitor, mode],
    }


def _without_names(config: Any) -> Any:
    """Return a configuration without the names of objects, which Keras numbers in a process."""
    if isinstance(config, dict):
        return {key: _without_names(value) for key, value in config.items() if key != "name"}
    return [_without_names(value) for value in config] if isinstance(config, list) else config


def _stable(path: str) -> str:
    """Return a variable's path without the numbers that Keras counts up for every layer of a process."""
    return re.sub(r"_\d+(?=/|$)", "", path)


def difference(found: Any, wanted: Any, name: str = "") -> str:
    """Return in words the first place where two fingerprints differ."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key in [*wanted, *found]:
            if key not in found or key not in wanted or found[key] != wanted[key]:
                return difference(found.get(key), wanted.get(key), f"{name} {key}".strip())
    if isinstance(found, list) and isinstance(wanted, list):
        if len(found) != len(wanted):
            return f"{len(found)} {name}, not {len(wanted)}"
        for old, new in zip(found, wanted, strict=True):
            if old != new:
                return difference(old, new, name)
    return f"{name} {found!r}, not {wanted!r}"
