"""Text files line by line: what is read, and the fault of every file that is not text."""

import gzip
import lzma
import zlib

import pytest

from zoo.errors import UserError
from zoo.preprocessing import lines

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0"
GOOD = "first\nzweite é\r\nlast".encode()
BIG = b"".join(b"%d a line of the file\n" % (row * 7919 % 10007) for row in range(5000))


@pytest.mark.parametrize(("suffix", "pack"), [("", bytes), (".gz", gzip.compress), (".xz", lzma.compress)])
def test_lines(tmp_path, suffix, pack):
    file = tmp_path / f"a.txt{suffix}"
    file.write_bytes(pack(b"\xef\xbb\xbf" + GOOD))
    assert list(lines.read_lines(file)) == [(1, "first\n"), (2, "zweite é\r\n"), (3, "last")]
    file.write_bytes(pack(b""))
    assert list(lines.read_lines(str(file))) == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", PNG, r"a\.csv:1: not UTF-8 \(0x89 is byte 1"),
        ("a.csv", b"ok\n\xff\xfe", r"a\.csv:2: not UTF-8 \(0xff is byte 1"),
        ("a.csv", "caf\xe9\n".encode("latin-1"), r"a\.csv:1: not UTF-8 \(0xe9 is byte 4 of the line\): save"),
        ("a.csv", "text\n".encode("utf-16"), r"a\.csv: is UTF-16"),
        ("a.csv", b"a\nb\0c\n", r"a\.csv:2: a NUL byte at byte 2"),
        ("a.csv", gzip.compress(GOOD), r"a\.csv: is gzip-compressed: end its name in \.gz"),
        ("a.csv", lzma.compress(GOOD), r"a\.csv: is xz-compressed"),
        ("a.csv", b"PK\x03\x04rest", r"a\.csv: is a zip archive or a spreadsheet"),
        ("a.csv.gz", gzip.compress(BIG)[:-2000], r"a\.csv\.gz: cannot be decompressed after line \d+"),
        ("a.csv.gz", gzip.compress(BIG)[:-9] + b"\0" * 9, r"a\.csv\.gz: cannot be decompressed"),
        ("a.csv.gz", b"plain\n", r"a\.csv\.gz: cannot be decompressed after line 0"),
        ("a.csv.gz", gzip.compress(BIG)[:40] + b"\xff" * 400, r"a\.csv\.gz: cannot be decompressed"),
        ("a.csv.xz", lzma.compress(BIG)[:-2000], r"a\.csv\.xz: cannot be decompressed"),
        ("a.csv.xz", b"plain\n", r"a\.csv\.xz: cannot be decompressed after line 0"),
    ],
)
def test_faults(tmp_path, name, content, message):
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(UserError, match=message) as fault:
        list(lines.read_lines(file))
    assert "\n" not in str(fault.value)


def test_no_file(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        list(lines.read_lines(tmp_path / "none.txt"))
    with pytest.raises(UserError, match="is a folder; a file is wanted"):
        list(lines.read_lines(tmp_path))
    with pytest.raises(UserError, match="not a regular file"):
        list(lines.read_lines("/dev/zero"))
    with pytest.raises(UserError, match="cannot be read"):
        list(lines.read_lines("a\0b.txt"))


def test_endless_line_is_no_text(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "MAX_LINE", 1000)
    file = tmp_path / "bomb.txt.gz"
    packer = zlib.compressobj(wbits=31)
    file.write_bytes(packer.compress(b"a" * 10_000_000) + packer.flush())
    with pytest.raises(UserError, match=r"bomb\.txt\.gz:1: a line longer than 1,000 bytes"):
        list(lines.read_lines(file))
    file.write_bytes(gzip.compress(b"a" * 999 + b"\n" + b"b" * 1000))
    assert [number for number, _ in lines.read_lines(file)] == [1, 2]
