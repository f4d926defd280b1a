"""Preset folders: safe to read from a stranger, never half-written.

    config.json         {"format": 1, "task": "SentimentClassifier", "network": {...}}
    model.weights.h5    plain blocks of float16 or float32 (see `arrays`)
    preprocessor.json   what the task's preprocessing needs, with the files below
    assets/             flat: the files of the preprocessing, such as a tokenizer
    metadata.json       application, dtype, number of parameters; size and SHA-256 of every other file
    README.md           the model card

The store knows dictionaries, bytes and arrays, and no class: nothing in a folder can name one. What may stand
in a folder is listed here; anything else, links included, is refused. A file is parsed only after its bytes
were hashed, and the bytes that were hashed are those that are parsed, so that exchanging a file meanwhile
gains nothing. The hashes find damage and alteration by others; they do not say who made the preset.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import unknown
from zoo.presets import arrays
from zoo.presets.folder import (
    AGAIN,
    ASSETS,
    CARD,
    CONFIG,
    LIMITS,
    MAX_ASSETS,
    METADATA,
    PREPROCESSOR,
    WEIGHTS,
    limit,
    load,
    load_file,
    refuse_existing,
    save,
)
from zoo.presets.schema import Choice, Integer, MapOf, Optional, PresetError, String, check, plain

FORMAT = 1

_FILE = {"size": Integer(0, max(LIMITS.values())), "sha256": String(64, pattern="[0-9a-f]{64}")}
_METADATA = {
    "application": Optional(String()),
    "dtype": Choice(list(arrays.DTYPES)),
    "parameters": Integer(0, LIMITS[WEIGHTS] // 2),
    "files": MapOf(_FILE, max=len(LIMITS) - 1 + MAX_ASSETS),
}


@dataclass(frozen=True)
class Preset:
    """What a preset folder says, all checked but the weights, which are read by `weights`.

    Attributes:
        folder: where it was read.
        config: `{"format": 1, "task": name, "network": {...}, ...}`; the task checks what is inside.
        preprocessor: for the task's preprocessing to check.
        metadata: `{"format": 1, "dtype": ..., "parameters": count, "files": {...}, ...}` and free extras.
        card: the model card, Markdown.
        assets: file name -> content.
    """

    folder: Path
    config: dict[str, Any]
    preprocessor: dict[str, Any]
    metadata: dict[str, Any]
    card: str
    assets: dict[str, bytes]

    def weights(self, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
        """Return the weights as float32 arrays, in the order of `shapes`.

        Args:
            shapes: variable path -> shape of every variable of the network built from `config`.

        Raises:
            PresetError: the file was altered since `read`, or does not hold exactly these variables,
                as finite float16 or float32 numbers in plain storage.
        """
        blob = load_file(self.folder, WEIGHTS)
        _compare(blob, WEIGHTS, self.metadata, self.folder)
        weights = arrays.decode(blob, shapes, str(self.folder / WEIGHTS))
        count, said = sum(array.size for array in weights.values()), self.metadata["parameters"]
        if count != said:
            raise PresetError(f"{self.folder / METADATA}: parameters: {said}, {WEIGHTS} has {count}: {AGAIN}")
        return weights


def read(folder: str | os.PathLike) -> Preset:
    """Return what a preset folder says.

    Sizes and SHA-256 of all files are checked, the weight file's too, before any is parsed.

    Raises:
        PresetError: a file missing, altered, too large, linked, malformed or not part of a preset.
    """
    folder = Path(folder)
    return _parse(folder, load(folder))


def write(
    folder: str | os.PathLike,
    *,
    config: Mapping[str, Any],
    preprocessor: Mapping[str, Any],
    weights: Mapping[str, Any],
    card: str,
    assets: Mapping[str, bytes] | None = None,
    metadata: Mapping[str, Any] | None = None,
    dtype: str = "float32",
) -> Path:
    """Write a preset folder, whole or not at all, and return its path.

    Everything is encoded and checked as `read` would check it before the disk is touched; then it is written
    to a hidden folder beside `folder`, flushed to the disk and renamed.

    Args:
        folder: must not exist; parents are made.
        config: `{"task": name, "network": {...}, ...}`; `format` is added.
        preprocessor: what the preprocessing needs to be built again.
        weights: variable path, such as `"embedding/embeddings"`, -> array of finite floats.
        card: the model card, Markdown.
        assets: file name -> content.
        metadata: extras such as `{"application": "sentiment", "metrics": {...}}`.
        dtype: what the weights are rounded to, `"float32"` or `"float16"`.

    Raises:
        PresetError: the folder exists or cannot be written; something that `read` would refuse.
    """
    folder = Path(folder)
    refuse_existing(folder)
    assets, metadata = assets or {}, metadata or {}
    for key in {"format", "dtype", "parameters", "files"} & metadata.keys():
        raise PresetError(f"metadata: {key!r} is written by the store: leave it out")
    plain(card, str(folder / CARD))
    files = {
        CONFIG: _dump({"format": FORMAT, **config}, folder / CONFIG),
        WEIGHTS: arrays.encode(weights, dtype, str(folder / WEIGHTS)),
        PREPROCESSOR: _dump(dict(preprocessor), folder / PREPROCESSOR),
        CARD: card.encode(),
        **{f"{ASSETS}/{name}": blob for name, blob in sorted(assets.items())},
    }
    described = {
        "format": FORMAT,
        **metadata,
        "dtype": dtype,
        "parameters": sum(np.size(value) for value in weights.values()),
        "files": {name: {"size": len(blob), "sha256": _hash(blob)} for name, blob in files.items()},
    }
    files[METADATA] = _dump(described, folder / METADATA)
    _parse(folder, files)
    save(folder, files)
    return folder


def resolve(name_or_path: str | os.PathLike) -> Path:
    """Return the preset folder that is meant: a shipped name, else a preset folder, else a run folder.

    A string is looked up among the shipped names first (`"./name"` means the folder), a Path never.

    Raises:
        PresetError: neither; the nearest shipped names are suggested.
    """
    shipped = list_presets()
    if name_or_path in shipped:
        return shipped[str(name_or_path)]
    path = Path(name_or_path)
    if not os.path.isdir(path) or not os.fspath(name_or_path):
        if os.path.isfile(path):
            raise PresetError(f"{path} is a file: a preset is a folder; name the folder that holds it")
        remedy = "`zoo list presets` lists the shipped ones; else give a preset folder or a run folder."
        raise PresetError(str(unknown("preset", os.fspath(name_or_path), shipped, remedy)))
    if any(os.path.lexists(path / name) for name in LIMITS if name != CARD):
        return path
    if os.path.isdir(path / "preset"):
        return path / "preset"
    raise PresetError(f"{path} is no preset and no run folder: neither {METADATA} nor preset/ is in it")


def list_presets() -> dict[str, Path]:
    """Return the shipped presets, name -> folder, sorted by name."""
    here = Path(str(resources("zoo.presets")))
    folders = sorted(path.parent for path in here.glob(f"[!._]*/{METADATA}"))
    return {folder.name: folder for folder in folders}


def _parse(folder: Path, files: Mapping[str, bytes]) -> Preset:
    """Return the preset that these files are: sizes and hashes first, then what is in them."""
    for name in LIMITS:
        if name not in files:
            raise PresetError(f"{folder / name}: missing: {AGAIN}")
    for name, blob in files.items():
        if len(blob) > limit(name, folder):
            raise PresetError(
                f"{folder / name}: {len(blob)} bytes, at most {limit(name, folder)} are allowed"
            )
    where = folder / METADATA
    metadata = _object(files[METADATA], where)
    _check_format(metadata, where)
    said = check({key: metadata[key] for key in _METADATA if key in metadata}, _METADATA, str(where))
    for name in sorted(said["files"].keys() - files.keys()):
        raise PresetError(f"{where}: lists {name!r}, which is not in the folder: {AGAIN}")
    for name in sorted(files.keys() - {METADATA}):
        if name not in said["files"]:
            raise PresetError(f"{folder / name}: not listed in {METADATA}: remove it, or {AGAIN}")
        _compare(files[name], name, said, folder)
    if len({name.casefold() for name in files}) < len(files):
        raise PresetError(f"{folder / ASSETS}: two names differ in nothing but case: rename one")
    if said["parameters"] * np.dtype(said["dtype"]).itemsize > len(files[WEIGHTS]):
        raise PresetError(f"{where}: {said['parameters']} parameters do not fit into {WEIGHTS}: {AGAIN}")
    config = _object(files[CONFIG], folder / CONFIG)
    _check_format(config, folder / CONFIG)
    if not isinstance(config.get("network"), dict):
        raise PresetError(f"{folder / CONFIG}: network: no dictionary: {AGAIN}")
    String(min=1).check(config.get("task"), f"{folder / CONFIG}: task")
    names = sorted(files.keys() - LIMITS.keys())
    return Preset(
        folder=folder,
        config=config,
        preprocessor=_object(files[PREPROCESSOR], folder / PREPROCESSOR),
        metadata=metadata,
        card=_text(files[CARD], folder / CARD),
        assets={name.removeprefix(f"{ASSETS}/"): files[name] for name in names},
    )


def _compare(blob: bytes, name: str, metadata: Mapping[str, Any], folder: Path) -> None:
    """Refuse a file that is not what `metadata.json` says."""
    path, said = folder / name, metadata["files"][name]
    if len(blob) != said["size"]:
        raise PresetError(f"{path}: {len(blob)} bytes, {METADATA} says {said['size']}: {AGAIN}")
    if _hash(blob) != said["sha256"]:
        raise PresetError(f"{path}: altered, its SHA-256 is not the one in {METADATA}: {AGAIN}")


def _check_format(value: Mapping[str, Any], where: Path) -> None:
    found = Integer(1, 2**31).check(value.get("format"), f"{where}: format")
    if found != FORMAT:
        raise PresetError(f"{where}: format {found}, this lstm-zoo reads format {FORMAT}: upgrade lstm-zoo")


def _object(blob: bytes, path: Path) -> dict[str, Any]:
    """Return the dictionary in a JSON file: UTF-8, no key twice, finite numbers, not nested too deep."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table: dict[str, Any] = {}
        for key, item in pairs:
            if key in table:
                raise ValueError(f"the key {key[:60]!r} stands twice")
            table[key] = item
        return table

    def constant(name: str) -> None:
        raise ValueError(f"{name} is not JSON")

    try:
        value = json.loads(blob.decode(), object_pairs_hook=unique, parse_constant=constant)
    except RecursionError:
        raise PresetError(f"{path}: nested too deep: {AGAIN}") from None
    except ValueError as error:  # also of the encoding
        raise PresetError(f"{path}: {error}: {AGAIN}") from error
    if not isinstance(value, dict):
        raise PresetError(f"{path}: holds no JSON object: {AGAIN}")
    plain(value, str(path))
    return value


def _dump(value: dict[str, Any], path: Path) -> bytes:
    plain(value, str(path))
    return f"{json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)}\n".encode()


def _text(blob: bytes, path: Path) -> str:
    try:
        text = blob.decode()
    except UnicodeDecodeError as error:
        raise PresetError(f"{path}: {error}: {AGAIN}") from error
    plain(text, str(path))
    return text


def _hash(blob: bytes) -> str:
    return hashlib.sha256(blob).hexdigest()
