"""The weight file of a preset: named arrays to HDF5 bytes and back, read as if a stranger had written it.

Only one form is written or read: datasets of little-endian float16 or float32, each stored as one plain
block. What makes HDF5 files dangerous is refused before any number is read: links that lead out of
the file or elsewhere in it, virtual and external storage, filters and chunks (so that no small file can
unfold into a huge array), and every other type. The names and shapes come from the caller, so a file decides
neither how deep we walk nor how much memory we take; attributes are never read.
"""

import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import h5py
import numpy as np

from zoo.errors import unknown
from zoo.presets.schema import PresetError

DTYPES = {"float16": h5py.h5t.IEEE_F16LE, "float32": h5py.h5t.IEEE_F32LE}
# HDF5 File Format Specification 3.0, section II.A: signature, version 0 of everything, 8-byte addresses.
_SUPERBLOCK = b"\x89HDF\r\n\x1a\n" + bytes([0, 0, 0, 0, 0, 8, 8, 0])
_NONE = b"\xff" * 8


def encode(weights: Mapping[str, Any], dtype: str, where: str) -> bytes:
    """Return the HDF5 file, the same bytes for the same weights.

    Args:
        weights: variable path, such as `"stack/forward_0/cell/kernel"`, -> array of floats of any shape.
        dtype: `"float32"` or `"float16"`: what the numbers are rounded to.
        where: what error messages begin with.

    Raises:
        PresetError: a name that no HDF5 file can hold, values that are not finite, not floats, or too large
            for `dtype`.
    """
    if dtype not in DTYPES:
        raise PresetError(f"{where}: {unknown('dtype', dtype, DTYPES)}")
    _tree(weights, where)
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver="earliest") as file:
        for name, value in weights.items():
            array = np.asarray(value)
            if array.dtype.kind != "f":
                raise PresetError(f"{where}: {name!r} has dtype {array.dtype}: give an array of floats")
            if not np.isfinite(array).all():
                raise PresetError(f"{where}: {name!r} holds NaN or infinity: train again from finite weights")
            with np.errstate(over="ignore"):
                stored = array.astype(f"<f{np.dtype(dtype).itemsize}")
            if not np.isfinite(stored).all():
                largest = float(np.abs(array).max())
                raise PresetError(f"{where}: {name!r} reaches {largest:.3g}: too large for {dtype}")
            file.create_dataset(name, data=stored, track_times=False)
    return buffer.getvalue()


def decode(blob: bytes, shapes: Mapping[str, tuple[int, ...]], where: str) -> dict[str, np.ndarray]:
    """Return the arrays of an HDF5 file as float32, in the order of `shapes`.

    Args:
        blob: the whole file.
        shapes: variable path -> shape: exactly what the file must hold.
        where: what error messages begin with: the file.

    Raises:
        PresetError: a name too many or too few, a link, another type, layout or shape, a value that is
            not finite, a damaged file.
    """
    tree = _tree(shapes, where)
    wanted = sum(math.prod(shape) for shape in shapes.values()) * 2
    if wanted > len(blob):
        raise PresetError(f"{where}: {len(blob)} bytes cannot hold the network's {wanted // 2} parameters")
    base, free_space, end, driver = (blob[at : at + 8] for at in (24, 32, 40, 48))
    if (
        blob[:16] != _SUPERBLOCK
        or base != bytes(8)
        or end != len(blob).to_bytes(8, "little")
        or (free_space, driver) != (_NONE, _NONE)
    ):
        raise PresetError(f"{where}: not an HDF5 file of the plain form that presets have, or cut short")
    try:
        with h5py.File(io.BytesIO(blob), "r") as file:
            found = dict(_walk(file, tree, shapes, where))
    except PresetError:
        raise
    except Exception as error:  # on a damaged file h5py raises nearly anything
        raise PresetError(f"{where}: damaged HDF5 file ({type(error).__name__}): fetch it again") from None
    return {name: found[name] for name in shapes}


def _tree(names: Iterable[str], where: str) -> dict[str, Any]:
    """Return the groups as nested dictionaries that end in the full names of the datasets."""
    tree: dict[str, Any] = {}
    for name in names:
        *groups, last = name.split("/")
        if not all(re.fullmatch(r"(?!\.+$)[\w.-]+", part, re.ASCII) for part in (*groups, last)):
            raise PresetError(f"{where}: {name!r} is no variable path: use letters, digits, _ . - and /")
        branch = tree
        for group in groups:
            branch = branch.setdefault(group, {})
            if isinstance(branch, str):
                break
        if isinstance(branch, str) or last in branch:
            raise PresetError(f"{where}: {name!r} is both a variable and the path to another: rename one")
        branch[last] = name
    return tree


def _walk(
    group: h5py.Group, tree: dict[str, Any], shapes: Mapping[str, tuple[int, ...]], where: str
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (name, array) of everything below `group`, which must hold just what `tree` says."""
    path = group.name.rstrip("/")
    names: set[str] = set()

    def collect(name: bytes) -> bool | None:
        names.add(name.decode("utf-8", "replace"))
        return True if len(names) > len(tree) else None  # one too many is enough to know; True ends the walk

    group.id.links.iterate(collect)
    for name in sorted(names - tree.keys()):
        raise PresetError(f"{where}: {f'{path}/{name}'[:200]!r} is no variable of the network")
    for name in sorted(tree.keys() - names):
        raise PresetError(f"{where}: {f'{path}/{name}'!r} is missing: it belongs to another network")
    for name, below in tree.items():
        place = f"{where}: {f'{path}/{name}'!r}"
        if group.id.links.get_info(name.encode()).type != h5py.h5l.TYPE_HARD:
            raise PresetError(f"{place} is a link: no link is followed")
        item = group[name]
        if not isinstance(item, h5py.Group if isinstance(below, dict) else h5py.Dataset):
            raise PresetError(f"{place} is a {type(item).__name__.lower()}: it belongs to another network")
        if isinstance(below, dict):
            yield from _walk(item, below, shapes, where)
        else:
            yield below, _array(item, tuple(shapes[below]), place)


def _array(dataset: h5py.Dataset, shape: tuple[int, ...], place: str) -> np.ndarray:
    """Return the float32 array of one dataset; everything is checked before a number is read."""
    layout = dataset.id.get_create_plist()
    if (
        layout.get_layout() != h5py.h5d.CONTIGUOUS  # chunked, compact or virtual
        or layout.get_external_count()
        or layout.get_nfilters()
    ):
        raise PresetError(f"{place} is chunked, compressed, virtual or external: only plain storage is read")
    stored = dataset.id.get_type()
    if stored not in DTYPES.values():
        raise PresetError(f"{place} is of a type other than little-endian {' or '.join(DTYPES)}")
    if dataset.shape != shape:
        raise PresetError(f"{place} has shape {dataset.shape}, the network needs {shape}")
    if dataset.id.get_storage_size() != math.prod(shape) * stored.get_size():
        raise PresetError(f"{place} has no or too few numbers stored")
    array = np.asarray(dataset[()], np.float32)
    if not np.isfinite(array).all():
        raise PresetError(f"{place} holds NaN or infinity: its maker has to save finite weights")
    return array
