"""lstm-zoo: recurrent networks for Keras 3, from the cell to the trained model.

`import zoo` alone loads no backend; every part is imported when it is first used:

    zoo.cells, zoo.layers      recurrent cells and the layers that run them over time
    zoo.models, zoo.tasks      networks, and networks with their preprocessing (raw input in, answer out)
    zoo.list_presets()         the trained models that are shipped
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_MODULES = (
    "cells",
    "decoding",
    "errors",
    "inspect",
    "layers",
    "loops",
    "metrics",
    "models",
    "preprocessing",
    "presets",
    "tasks",
)
_NAMES = {"UserError": "errors", "PresetError": "presets", "list_presets": "presets"}

__all__ = ["__version__", *_MODULES, *_NAMES]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"zoo.{name}")
    if name in _NAMES:
        return getattr(import_module(f"zoo.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'zoo' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted(__all__)
