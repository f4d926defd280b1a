"""Checkpoints: numbered folders, each whole or not there at all, whatever kills the writer."""

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from zoo.errors import UserError
from zoo.presets.folder import flush

FORMAT = 1
_NAME = re.compile(r"checkpoint-(\d{6,})")
_TEMPORARY = re.compile(r"\.checkpoint-\d{6,}\.writing")
_FILES = ("state.json", "arrays.npz")


class CheckpointError(UserError):
    """A checkpoint that cannot be used, or a folder of them that another run is writing to."""


@dataclass(frozen=True)
class Checkpoint:
    """What one checkpoint holds: `state` is what JSON can say, `arrays` are arrays by name."""

    state: dict[str, Any]
    arrays: dict[str, np.ndarray]


class Checkpoints:
    """A folder of checkpoints, of which the last `keep` are kept. Use it in a `with` statement.

    A checkpoint is written into a temporary folder, synced to the disk and renamed, so it is whole or it
    does not exist. One process at a time may hold the folder; the lock ends with the process.
    What does not carry the name of a checkpoint and its two files is never touched.

    Args:
        folder: made if it does not exist.
        keep: how many checkpoints stay.

    Raises:
        CheckpointError: another process holds the folder.
    """

    def __init__(self, folder: str | os.PathLike, keep: int = 2):
        self.folder = Path(folder)
        self.keep = keep
        self._lock = None

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise CheckpointError(f"{self.folder}: a file is in the way; choose another --out") from None
        self._lock = _lock(self.folder / ".lock")
        for path in self.folder.iterdir():
            if _TEMPORARY.fullmatch(path.name):
                _remove(path)
        return self

    def __exit__(self, *error: object) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def save(self, state: dict[str, Any], arrays: dict[str, np.ndarray]) -> Path:
        """Write the next checkpoint and remove the ones that are too many; return its folder.

        Raises:
            CheckpointError: it cannot be written, for want of room for one.
        """
        number = max([0, *self._numbers()]) + 1
        path = self._path(number)
        temporary = self.folder / f".{path.name}.writing"
        try:
            temporary.mkdir()
            with open(temporary / "arrays.npz", "wb") as file:
                np.savez(file, **arrays)
                _sync(file)
            content = {"format": FORMAT, "sha256": _digest(temporary / "arrays.npz"), "state": state}
            with open(temporary / "state.json", "w", encoding="utf-8") as file:
                json.dump(content, file)
                _sync(file)
            flush(temporary)
            temporary.rename(path)
        except OSError as error:
            _remove(temporary)
            raise CheckpointError(
                f"{path}: cannot be written ({error.strerror}); make room or choose another --out"
            ) from error
        flush(self.folder)
        for old in sorted(self._numbers())[: -self.keep]:
            _remove(self._path(old))
        return path

    def latest(self) -> Checkpoint | None:
        """Return the newest checkpoint that is whole, or None if there is none at all.

        Damaged ones that are newer than it are removed.

        Raises:
            CheckpointError: there are checkpoints, and none of them is whole.
        """
        damaged = []
        for number in sorted(self._numbers(), reverse=True):
            try:
                checkpoint = _read(self._path(number))
            except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
                damaged.append((self._path(number), error))
                continue
            for path, _ in damaged:
                _remove(path)
            return checkpoint
        if damaged:
            path, error = damaged[0]
            raise CheckpointError(f"{path}: damaged ({error}); choose another --out, or remove {self.folder}")
        return None

    def _numbers(self) -> list[int]:
        names = (_NAME.fullmatch(path.name) for path in self.folder.iterdir())
        return [int(match[1]) for match in names if match]

    def _path(self, number: int) -> Path:
        return self.folder / f"checkpoint-{number:06d}"


def write_atomically(path: Path, text: str) -> None:
    """Write a text file so that whoever reads it sees the old text or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.writing")
    with open(temporary, "w", encoding="utf-8", newline="") as file:
        file.write(text)
        _sync(file)
    temporary.replace(path)


def _read(path: Path) -> Checkpoint:
    content = json.loads((path / "state.json").read_text(encoding="utf-8"))
    if content["format"] != FORMAT:
        raise ValueError(f"format {content['format']!r}, not {FORMAT}")
    if content["sha256"] != _digest(path / "arrays.npz"):
        raise ValueError("arrays.npz is not the file that was written")
    with np.load(path / "arrays.npz", allow_pickle=False) as file:
        return Checkpoint(dict(content["state"]), {name: file[name] for name in file.files})


def _remove(path: Path) -> None:
    """Remove a checkpoint: the state first, so that one half removed is one that does not count."""
    if path.is_symlink() or not path.is_dir() or {each.name for each in path.iterdir()} - set(_FILES):
        return
    for name in _FILES:
        (path / name).unlink(missing_ok=True)
    path.rmdir()


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())


def _lock(path: Path) -> Any:
    """Return an open file that is locked until it is closed, by the end of the process at the latest."""
    try:
        import fcntl
    except ImportError:  # not POSIX: there is no such lock
        return None
    file = path.open("a", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise CheckpointError(f"{path.parent}: another run is writing there; choose another --out") from None
    return file
