"""What all tasks share: presets in and out."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import keras
import numpy as np
from keras.src.backend.common import global_state  # has no public name

from zoo import presets
from zoo.errors import UserError
from zoo.presets import Preset, PresetError
from zoo.tasks.inference import Caller

MAX_PARAMETERS = 100_000_000  # of a network from a preset: 400 MB in float32


class Task(ABC):
    """A network and its preprocessing: raw input in, answers out.

    Attributes:
        network: a `keras.Model` from tensors to tensors; None until it is known how large it must be.
        preprocessor: raw input to arrays; None until then.
    """

    application: ClassVar[str]

    network: keras.Model | None = None
    preprocessor: Any = None
    _called: Caller | None = None

    @classmethod
    def from_preset(cls, preset: str | os.PathLike) -> Self:
        """Return a trained task that is warm: its first answer comes without delay.

        Args:
            preset: a shipped name (`zoo.list_presets()`), a preset folder, or a run folder.

        Raises:
            PresetError: there is no such preset, it is of another task, or a file of it is missing, altered
                or malformed.
        """
        return cls.from_read(presets.read(presets.resolve(preset)))

    @classmethod
    def from_read(cls, preset: Preset) -> Self:
        """Return the task of a preset that was read; the errors are those of `from_preset`."""
        where = str(preset.folder / "config.json")
        if preset.config.get("task") != cls.__name__:
            raise PresetError(
                f"{where}: it holds a {preset.config.get('task')!r}; load it by zoo.tasks.from_preset"
            )
        task = cls._from_config(preset, where)
        shapes = _shapes(task._build)
        count = sum(int(np.prod(shape)) for shape in shapes.values())
        if count > MAX_PARAMETERS:
            raise PresetError(f"{where}: {count:,} parameters; at most {MAX_PARAMETERS:,} are loaded")
        values = preset.weights(shapes)
        task.network = task._build()
        for variable in task.network.weights:
            variable.assign(values[variable.path])
        task.warm()
        return task

    def warm(self) -> None:
        """Compile now what the first answer to a short input needs, as `from_preset` does; new weights keep it.

        Raises:
            UserError: the task has learned nothing yet.
        """
        self._caller().warm()

    def save_to_preset(
        self,
        folder: str | os.PathLike,
        *,
        metadata: Mapping[str, Any] | None = None,
        card: str | None = None,
        dtype: str = "float32",
    ) -> Path:
        """Write a preset folder, whole or not at all, and return its path.

        Args:
            folder: must not exist.
            metadata: extras, such as `{"metrics": {"accuracy": 0.85}}`.
            card: the model card, Markdown; by default a line that says what this is.
            dtype: what the weights are rounded to, `"float32"` or `"float16"`.

        Raises:
            UserError: there is nothing to save yet, or the folder exists or cannot be written.
        """
        self._ready()
        preprocessor, assets = self.preprocessor.to_preset()
        return presets.write(
            folder,
            config={"task": type(self).__name__, **self._config()},
            preprocessor=preprocessor,
            assets=assets,
            weights={v.path: keras.ops.convert_to_numpy(v) for v in self.network.weights},
            card=card or f"# {Path(folder).name}\n\nA `{type(self).__name__}` saved by `save_to_preset`.\n",
            metadata={"application": self.application, **(metadata or {})},
            dtype=dtype,
        )

    def _caller(self) -> Caller:
        """Return what calls the network: the same one for as long as the network is the same."""
        self._ready()
        if self._called is None or self._called.network is not self.network:
            self._called = Caller(self.network)
        return self._called

    def _ready(self) -> None:
        if self.network is None:
            raise UserError(
                f"{type(self).__name__}: it has learned nothing yet; call fit(...) first, or load a preset by "
                "from_preset(...)"
            )

    @classmethod
    @abstractmethod
    def _from_config(cls, preset: Preset, where: str) -> Self:
        """Return the task of a preset without its network; `where` begins the error messages."""

    @abstractmethod
    def _config(self) -> dict[str, Any]:
        """Return what `_from_config` needs of `config.json`."""

    @abstractmethod
    def _build(self) -> keras.Model:
        """Return a new network."""


def _shapes(build: Callable[[], keras.Model]) -> dict[str, tuple[int, ...]]:
    """Return path -> shape of the weights that `build()` would make, without memory for any of them."""
    waiting = global_state.get_global_attribute("uninitialized_variables", [], set_to_default=True)
    before = len(waiting)
    try:
        with keras.StatelessScope(initialize_variables=False):
            return {variable.path: tuple(variable.shape) for variable in build().weights}
    finally:
        del waiting[before:]  # or Keras would allocate them at the end of its next scope
