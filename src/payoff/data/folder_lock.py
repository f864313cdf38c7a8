"""One process at a time fills a folder; what a killed one left behind is swept."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from payoff.core.files import disk_errors
from payoff.core.progress import Progress

_POLL_S = 0.2


@contextmanager
def folder_lock(target: Path, progress: Progress) -> Iterator[None]:
    """Hold the right to fill ``target``; wait, saying so, while another process holds it.

    The lock belongs to the process: it ends with it, however it ends. Drafts that a killed
    process left beside ``target`` are removed.

    Raises:
        MachineError: PF801 on a full disk, PF802 where the folder cannot be written.

    Example:
        >>> import tempfile
        >>> from payoff.core.progress import Silent
        >>> with tempfile.TemporaryDirectory() as name, folder_lock(Path(name) / "a", Silent()):
        ...     print(sorted(path.name for path in Path(name).iterdir()))
        ['.lock-a']
    """
    with disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(target.parent / f".lock-{target.name}", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not _try_lock(handle):
            progress.say(f"Another process is filling {target}; waiting for it.")
            while not _try_lock(handle):
                time.sleep(_POLL_S)
        _sweep(target)
        yield
    finally:
        os.close(handle)


def _sweep(target: Path) -> None:
    """Remove drafts of `payoff.core.files.whole_folder` that nobody fills any more."""
    draft = re.compile(rf"\.{re.escape(target.name)}\.(old\.)?[a-z0-9_]{{8}}")
    for path in target.parent.iterdir():
        if draft.fullmatch(path.name) and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)


if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
