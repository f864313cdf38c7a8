"""Files written whole or not at all, with a full disk told as what it is."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from payoff.core.errors import MachineError

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_RIGHT = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextmanager
def disk_errors(where: Path | str) -> Iterator[None]:
    """Translate a full, read-only or forbidden disk into PF801 or PF802.

    Example:
        >>> with disk_errors("report.html"):
        ...     raise OSError(errno.ENOSPC, "No space left on device")
        Traceback (most recent call last):
        ...
        payoff.core.errors.MachineError: PF801 report.html: the disk is full; nothing was left\
 half-written. Free some space, then run the same command again.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise MachineError(
                "PF801",
                str(where),
                "the disk is full; nothing was left half-written",
                mend="Free some space, then run the same command again.",
            ) from error
        if error.errno in _NO_RIGHT:
            raise MachineError(
                "PF802",
                str(where),
                f"it cannot be written ({os.strerror(error.errno or 0)})",
                mend="Choose a folder that you may write to.",
            ) from error
        raise


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old or the new content, never a part.

    Raises:
        MachineError: PF801 on a full disk, PF802 where writing is forbidden, or where there is a
            folder, or a file for a folder.

    Example:
        >>> with tempfile.TemporaryDirectory() as place:
        ...     write_bytes(Path(place) / "new" / "file", b"whole")
        ...     (Path(place) / "new" / "file").read_bytes()
        b'whole'
    """
    with disk_errors(path), _places(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, 0o644)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


@contextmanager
def _places(path: Path) -> Iterator[None]:
    """Tell a place where no file can be as PF802."""
    try:
        yield
    except (IsADirectoryError, NotADirectoryError, FileExistsError) as error:
        folder = isinstance(error, IsADirectoryError)
        raise MachineError(
            "PF802",
            str(path),
            "it is a folder" if folder else "a part of the path is a file, and no folder",
            mend="Name a file, in a folder or where one can be made.",
        ) from error


def write_text(path: Path, content: str) -> None:
    """`write_bytes` in UTF-8.

    Example:
        >>> with tempfile.TemporaryDirectory() as place:
        ...     write_text(Path(place) / "note", "退款")
        ...     (Path(place) / "note").stat().st_size
        6
    """
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Write JSON that is stable, readable and ends with a newline.

    Example:
        >>> with tempfile.TemporaryDirectory() as place:
        ...     write_json(Path(place) / "facts.json", {"n": 3})
        ...     json.loads((Path(place) / "facts.json").read_text("utf-8"))
        {'n': 3}
    """
    write_text(path, to_json(content))


def to_json(content: Any) -> str:
    r"""JSON with two spaces and sorted keys; NaN is refused rather than written.

    Example:
        >>> to_json({"b": 1, "a": "退款"})
        '{\n  "a": "退款",\n  "b": 1\n}\n'
    """
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A folder that appears at ``target`` complete, or not at all.

    Yields:
        An empty folder beside ``target`` to fill. On success it replaces ``target``;
        on any error, also Ctrl-C, it is removed.

    Example:
        >>> with tempfile.TemporaryDirectory() as place:
        ...     with whole_folder(Path(place) / "made") as draft:
        ...         _ = (draft / "a").write_text("1", "utf-8")
        ...     [path.name for path in (Path(place) / "made").iterdir()]
        ['a']
    """
    with disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
        try:
            yield draft
            os.chmod(draft, 0o755)
            if target.exists():
                old = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.old."))
                os.replace(target, old / "old")
                try:
                    os.replace(draft, target)
                except BaseException:
                    os.replace(old / "old", target)
                    raise
                finally:
                    shutil.rmtree(old, ignore_errors=True)
            else:
                os.replace(draft, target)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
