"""Where the members of an artifact lie: a zip, or the same as a folder."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from payoff.artifact.container import read_directory
from payoff.artifact.manifest import MANIFEST, MAX_MANIFEST_BYTES, is_safe_name
from payoff.artifact.signature import MAX_SIGNATURE_BYTES, SIGNATURE
from payoff.core.errors import ArtifactError

MAX_MEMBERS = 10_000
_CHUNK_BYTES = 1 << 20


class Store(Protocol):
    """Bytes by name, with their true sizes known before anything is read."""

    @property
    def path(self) -> Path:
        """Where the artifact lies."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """Bytes of each member."""

    def chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of one member, about a megabyte at a time."""

    def file(self, name: str) -> Path | None:
        """The member as a file of its own, where it is one."""


class FolderStore:
    """An artifact as a folder.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = (Path(folder) / "a.txt").write_bytes(b"abc")
        ...     FolderStore(Path(folder)).sizes
        {'a.txt': 3}
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sizes = dict(self._walk())

    def _walk(self) -> Iterator[tuple[str, int]]:
        for count, found in enumerate(sorted(self.path.rglob("*")), 1):
            name = found.relative_to(self.path).as_posix()
            status = found.lstat()
            if count > MAX_MEMBERS:
                raise _altered(self.path, f"more than {MAX_MEMBERS:,} files")
            if stat.S_ISDIR(status.st_mode):
                continue
            if not stat.S_ISREG(status.st_mode):
                raise _altered(self.path, f"'{name}' is a link or a device", "plain files only")
            yield name, status.st_size

    def chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of one member, about a megabyte at a time."""
        with (self.path / name).open("rb") as file:
            yield from _limited(file, self.sizes[name])

    def file(self, name: str) -> Path | None:
        """The member itself."""
        return self.path / name


class ZipStore:
    """An artifact as a zip of the layout in `payoff.artifact.container`.

    Example:
        >>> sorted(ZipStore(Path("support.payoff")).sizes)[0]  # doctest: +SKIP
        'calibration.json'
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            entries = read_directory(file, path)
        if len(entries) > MAX_MEMBERS:
            raise _altered(path, f"more than {MAX_MEMBERS:,} members")
        for entry in entries:
            if not is_safe_name(entry.name):
                raise _altered(path, f"member {entry.name[:80]!r} has an unsafe name")
        self.sizes = {entry.name: entry.size_bytes for entry in entries}
        self._starts = {entry.name: entry.start for entry in entries}

    def chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of one member, about a megabyte at a time."""
        with self.path.open("rb") as file:
            file.seek(self._starts[name])
            yield from _limited(file, self.sizes[name])

    def file(self, name: str) -> Path | None:
        """Nothing: a member of a zip is no file of its own."""
        return None


def open_store(path: Path) -> Store:
    """The store at ``path``, with a manifest in it.

    Raises:
        ArtifactError: PF501 where there is none; PF502 where its names or sizes are unsafe.

    Example:
        >>> open_store(Path("support.payoff")).sizes["manifest.json"]  # doctest: +SKIP
        1653
    """
    with _readable(path):
        if not path.exists():
            raise ArtifactError(
                "PF501",
                str(path),
                "there is no such file or folder",
                mend="Give the path of a NAME.payoff, as `payoff run` made it.",
            )
        store: Store = FolderStore(path) if path.is_dir() else ZipStore(path)
    if MANIFEST not in store.sizes:
        raise ArtifactError("PF501", str(path), f"it holds no {MANIFEST}", expected="an artifact")
    if store.sizes[MANIFEST] > MAX_MANIFEST_BYTES:
        raise _altered(path, f"its {MANIFEST} has {store.sizes[MANIFEST]:,} bytes")
    if store.sizes.get(SIGNATURE, 0) > MAX_SIGNATURE_BYTES:
        raise _altered(path, f"its {SIGNATURE} has {store.sizes[SIGNATURE]:,} bytes")
    return store


def read_member(store: Store, name: str) -> bytes:
    """All bytes of one member.

    Raises:
        ArtifactError: PF501 where the file cannot be read; PF502 where it ends too early.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = (Path(folder) / "a.txt").write_bytes(b"abc")
        ...     read_member(FolderStore(Path(folder)), "a.txt")
        b'abc'
    """
    with _readable(store.path):
        return b"".join(store.chunks(name))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ArtifactError(
            "PF501",
            str(path),
            f"it cannot be read ({error.strerror or error})",
            mend="Check the path and its permissions.",
        ) from error


def _limited(file: BinaryIO, size_bytes: int) -> Iterator[bytes]:
    left = size_bytes
    while left:
        chunk = file.read(min(left, _CHUNK_BYTES))
        if not chunk:
            raise ArtifactError(
                "PF502",
                str(file.name),
                f"it ends {left:,} bytes too early",
                mend="Copy the artifact again from where it was made.",
            )
        left -= len(chunk)
        yield chunk


def _altered(path: Path, found: str, expected: str = "") -> ArtifactError:
    return ArtifactError(
        "PF502",
        str(path),
        found,
        expected=expected,
        mend="Copy the artifact again from where it was made; do not use this one.",
    )
