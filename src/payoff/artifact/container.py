"""The zip that an artifact is packed in: one content, one sequence of bytes.

Any tool can unpack it, but only this layout is read: members stored, in a row, without gaps,
comments or extra fields, dated 1980-01-01. So no byte of the file can differ without being seen,
no two readers can understand it differently, and no size in it can lie: a zip bomb is refused from
its directory. Layout: APPNOTE 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, NamedTuple

from payoff.core.errors import ArtifactError

MAX_BYTES = 0xFFFF_FFFF
"""Format 1 has 32-bit sizes: an artifact is smaller than 4 GiB."""

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_VERSION = 20
_MADE_BY_UNIX = 3 << 8 | _VERSION
_DATE = 1 << 5 | 1
_MODE = 0o100644 << 16
_MOST_DIRECTORY_BYTES = 4_000_000


class Packed(NamedTuple):
    """One member inside the zip: where its header starts, and how many bytes follow."""

    name: str
    size_bytes: int
    crc32: int
    offset: int

    @property
    def start(self) -> int:
        """Where its content starts."""
        return self.offset + _LOCAL.size + len(self.name.encode())

    @property
    def end(self) -> int:
        """Where the next member starts."""
        return self.start + self.size_bytes


def local_header(entry: Packed) -> bytes:
    """What stands before a member's content.

    Example:
        >>> len(local_header(Packed("a.txt", 3, 0, 0)))
        35
    """
    name, size = entry.name.encode(), entry.size_bytes
    fields = (_VERSION, 0, 0, 0, _DATE, entry.crc32, size, size, len(name), 0)
    return _LOCAL.pack(b"PK\x03\x04", *fields) + name


def directory(entries: Sequence[Packed]) -> bytes:
    """What stands after the last member's content.

    Example:
        >>> len(directory([]))
        22
    """
    central = b"".join(_central(entry) for entry in entries)
    start = entries[-1].end if entries else 0
    n = len(entries)
    return central + _END.pack(b"PK\x05\x06", 0, 0, n, n, len(central), start, 0)


def _central(entry: Packed) -> bytes:
    name, size = entry.name.encode(), entry.size_bytes
    fields = (_MADE_BY_UNIX, _VERSION, 0, 0, 0, _DATE, entry.crc32, size, size, len(name))
    return _CENTRAL.pack(b"PK\x01\x02", *fields, 0, 0, 0, 0, _MODE, entry.offset) + name


def read_directory(file: BinaryIO, path: Path) -> list[Packed]:
    """All members of a zip, once every byte around them is known to be as it must.

    Raises:
        ArtifactError: PF501 where it is no zip or was cut short; PF502 where it is one of
            another layout.

    Example:
        >>> import io
        >>> entry = Packed("a", 2, 0, 0)
        >>> packed = local_header(entry) + b"hi" + directory([entry])
        >>> [found.name for found in read_directory(io.BytesIO(packed), Path("a.payoff"))]
        ['a']
    """
    total = file.seek(0, 2)
    file.seek(max(0, total - _END.size))
    tail = file.read(_END.size)
    if len(tail) < _END.size or tail[:4] != b"PK\x05\x06":
        raise ArtifactError(
            "PF501",
            str(path),
            "it is no zip of payoff, or was cut short",
            expected="a NAME.payoff file",
            mend="Copy it again from where it was made.",
        )
    *_, directory_bytes, start, _ = _END.unpack(tail)
    if start + directory_bytes + _END.size != total or directory_bytes > _MOST_DIRECTORY_BYTES:
        raise _other(path, "its directory is not where it must be")
    file.seek(start)
    raw = file.read()
    entries = _entries(raw[: -_END.size], path)
    if not entries or directory(entries) != raw:
        raise _other(path, "its directory has fields that payoff does not write")
    joints = [0, *(entry.end for entry in entries)], [*(e.offset for e in entries), start]
    if joints[0] != joints[1]:
        raise _other(path, "there are gaps between its members, or they overlap")
    for entry in entries:
        file.seek(entry.offset)
        if file.read(entry.start - entry.offset) != local_header(entry):
            raise _other(path, f"the header of '{entry.name}' differs from the directory")
    return entries


def _entries(raw: bytes, path: Path) -> list[Packed]:
    entries, at = [], 0
    while at < len(raw):
        if len(raw) - at < _CENTRAL.size or raw[at : at + 4] != b"PK\x01\x02":
            raise _other(path, "its directory is broken")
        fields = _CENTRAL.unpack_from(raw, at)
        method, crc32, size_bytes, name_bytes, offset = (fields[i] for i in (4, 7, 9, 10, 16))
        name = raw[at + _CENTRAL.size : at + _CENTRAL.size + name_bytes]
        if method:
            raise _other(path, f"member {name[:80]!r} is compressed or encrypted")
        if not name.isascii():
            raise _other(path, f"member {name[:80]!r} has an unsafe name")
        entries.append(Packed(name.decode("ascii"), size_bytes, crc32, offset))
        at += _CENTRAL.size + name_bytes + fields[11] + fields[12]
    names = sorted(entry.name for entry in entries)
    twice = [one for one, other in pairwise(names) if one == other]
    if twice:
        raise _other(path, f"member '{twice[0]}' is there twice")
    return entries


def _other(path: Path, found: str) -> ArtifactError:
    return ArtifactError(
        "PF502",
        str(path),
        found,
        expected="a zip as payoff writes it",
        mend="Copy it again; if you packed it yourself, unpack it and give the folder.",
    )
