"""The files of a preset folder as bytes: which may be there; read following no link, written at once."""

import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from zoo.presets.schema import PresetError

MB = 2**20
CONFIG, WEIGHTS, PREPROCESSOR = "config.json", "model.weights.h5", "preprocessor.json"
METADATA, CARD, ASSETS = "metadata.json", "README.md", "assets"
LIMITS = {CONFIG: MB, WEIGHTS: 512 * MB, PREPROCESSOR: MB, METADATA: MB, CARD: MB}  # bytes
MAX_ASSETS, ASSET_LIMIT = 16, 16 * MB
AGAIN = "fetch the preset again"


def limit(name: str, folder: Path) -> int:
    """Return the most bytes that a file may have.

    Args:
        name: one of `LIMITS`, or `assets/` and a plain file name.
        folder: what the error message begins with.

    Raises:
        PresetError: a preset holds no file of that name.
    """
    if name in LIMITS:
        return LIMITS[name]
    if re.fullmatch(rf"{ASSETS}/[A-Za-z0-9][A-Za-z0-9._-]{{0,99}}", name):
        return ASSET_LIMIT
    raise PresetError(f"{folder}: {name[:120]!r} is no file of a preset: remove or rename it")


def load(folder: Path) -> dict[str, bytes]:
    """Return the content of every file of a preset folder, name (`assets/x` for assets) -> bytes.

    The folder itself may be reached through a link, as its user named it; nothing in it may be one.

    Raises:
        PresetError: no folder; a file that is unknown, too large, linked or no regular file.
    """
    with _opened(folder) as top:
        names = _names(top, folder)
        files = {name: _bytes(top, name, folder) for name in sorted(names - {ASSETS})}
        if ASSETS in names:
            with _opened(folder / ASSETS, within=top) as inner:
                for name in sorted(_names(inner, folder, f"{ASSETS}/")):
                    files[name] = _bytes(inner, name, folder)
    return files


def load_file(folder: Path, name: str) -> bytes:
    """Return the content of one file at the top of a preset folder, as `load` would."""
    with _opened(folder) as top:
        return _bytes(top, name, folder)


def save(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a new folder, whole or not at all: a hidden one beside it is filled, flushed and renamed.

    Whatever is raised, nothing stays behind; a killed process may leave the hidden `.NAME.*.partial` alone.

    Raises:
        PresetError: the folder exists, or cannot be written.
    """
    refuse_existing(folder)
    partial = folder.parent / f".{folder.name}.{secrets.token_hex(4)}.partial"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        for name, blob in files.items():
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            with open(partial / name, "xb") as file:
                file.write(blob)
                file.flush()
                os.fsync(file.fileno())
        for path in {(partial / name).parent for name in files}:
            flush(path)
        os.rename(partial, folder)  # fails where another folder with files has appeared meanwhile
        flush(folder.parent)
    except (OSError, ValueError) as error:
        raise PresetError(f"{folder} cannot be written ({_reason(error)}): choose another place") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def refuse_existing(folder: Path) -> None:
    """Raise PresetError where anything exists under that name, a dangling link too."""
    if os.path.lexists(folder):
        raise PresetError(f"{folder} exists and is left as it is: choose another name")


@contextmanager
def _opened(path: Path, within: int | None = None) -> Iterator[int]:
    """Open a folder; one `within` another (a descriptor) must not be a link."""
    link = 0 if within is None else os.O_NOFOLLOW
    name = path if within is None else path.name
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | link, dir_fd=within)
    except (OSError, ValueError) as error:
        raise PresetError(f"{path}: no folder that can be read ({_reason(error)})") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _names(descriptor: int, folder: Path, prefix: str = "") -> set[str]:
    """Return `prefix` + the names in an open folder, after checking that each may be there."""
    names = set()
    with os.scandir(descriptor) as entries:
        for entry in entries:
            name = f"{prefix}{entry.name}"
            if name == ASSETS:
                if not entry.is_dir(follow_symlinks=False):
                    raise PresetError(f"{folder / name}: a link, or no folder: {AGAIN}")
            else:
                limit(name, folder)
                if not entry.is_file(follow_symlinks=False):
                    raise PresetError(f"{folder / name}: a link, or no regular file: {AGAIN}")
            if len(names) == MAX_ASSETS:
                raise PresetError(f"{folder / prefix}: more than {MAX_ASSETS} files: remove what is no asset")
            names.add(name)
    return names


def _bytes(descriptor: int, name: str, folder: Path) -> bytes:
    """Return the content of a regular file of an open folder, never following a link or waiting on a pipe."""
    path, flags = folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        with open(os.open(path.name, flags, dir_fd=descriptor), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise PresetError(f"{path}: a link, or no regular file: {AGAIN}")
            if status.st_size > limit(name, folder):
                raise PresetError(
                    f"{path}: {status.st_size} bytes, at most {limit(name, folder)} are allowed"
                )
            return file.read(status.st_size)
    except OSError as error:
        raise PresetError(f"{path}: cannot be read ({_reason(error)}): {AGAIN}") from error


def flush(folder: Path) -> None:
    """Have the system put the entries of a folder on the disk, as a rename needs that is to survive a crash."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
