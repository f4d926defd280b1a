"""Preset folders, trained models as plain files: `store` reads and writes them, the shipped ones lie here."""

from zoo.presets import schema
from zoo.presets.schema import PresetError
from zoo.presets.store import FORMAT, Preset, list_presets, read, resolve, write

__all__ = ["FORMAT", "Preset", "PresetError", "list_presets", "read", "resolve", "schema", "write"]
