"""Text files read line by line: plain, .gz or .xz, strictly UTF-8, every fault told with its line."""

import gzip
import lzma
import zlib
from collections.abc import Iterator
from pathlib import Path

from zoo.errors import UserError

MAX_LINE = 64_000_000
"""The longest line in bytes: a longer one is a fault of the file, not text."""

_OPENERS = {".gz": gzip.open, ".xz": lzma.open}
_SIGNATURES = {
    b"\x1f\x8b": "is gzip-compressed: end its name in .gz, or unpack it",
    b"\xfd7zXZ": "is xz-compressed: end its name in .xz, or unpack it",
    b"PK\x03\x04": "is a zip archive or a spreadsheet: unpack it, or export it as CSV in UTF-8",
    b"\xff\xfe": "is UTF-16: save it as UTF-8",
    b"\xfe\xff": "is UTF-16: save it as UTF-8",
}


def read_lines(path: str | Path, error: type[UserError] = UserError) -> Iterator[tuple[int, str]]:
    r"""Yield `(line number from 1, line with its line end)` of a text file, streaming.

    A name that ends in `.gz` or `.xz` is decompressed. A byte order mark at the start is dropped. Lines end
    in `\n` or `\r\n`.

    Args:
        path: the file.
        error: class of the errors raised.

    Raises:
        error: the path is missing, a folder or unreadable; the file is compressed under a plain name, or
            damaged; a line is not UTF-8, holds a NUL byte or is longer than `MAX_LINE` bytes.
    """
    path = Path(path)
    number = 0
    try:
        if path.is_dir():
            raise error(f"{path}: is a folder; a file is wanted")
        if path.exists() and not path.is_file():
            raise error(f"{path}: is not a regular file")
        with _OPENERS.get(path.suffix.lower(), open)(path, "rb") as stream:
            while raw := stream.readline(MAX_LINE + 1):
                number += 1
                if number == 1:
                    _check_signature(path, raw, error)
                    raw = raw.removeprefix(b"\xef\xbb\xbf")
                yield number, _decode(path, number, raw, error)
    except FileNotFoundError:
        raise error(f"{path}: no such file") from None
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as fault:
        raise error(
            f"{path}: cannot be decompressed after line {number} ({fault}): the file is cut short, damaged "
            f"or not a {path.suffix} file; fetch it again"
        ) from None
    except (OSError, ValueError) as fault:
        if isinstance(fault, UserError):
            raise
        raise error(f"{str(path)!r}: cannot be read: {getattr(fault, 'strerror', None) or fault}") from None


def _check_signature(path: Path, raw: bytes, error: type[UserError]) -> None:
    for signature, fault in _SIGNATURES.items():
        if raw.startswith(signature):
            raise error(f"{path}: {fault}")


def _decode(path: Path, number: int, raw: bytes, error: type[UserError]) -> str:
    if len(raw) > MAX_LINE:
        raise error(f"{path}:{number}: a line longer than {MAX_LINE:,} bytes; is this a text file?")
    if (column := raw.find(b"\0")) >= 0:
        raise error(
            f"{path}:{number}: a NUL byte at byte {column + 1} of the line: not a text file, or not UTF-8"
        )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise error(
            f"{path}:{number}: not UTF-8 (0x{raw[fault.start]:02x} is byte {fault.start + 1} of the line): "
            "save the file as UTF-8, or check that it is a text file"
        ) from None
