"""The tidier: what SQLite wrote ahead is moved into its file, by a thread of its own."""

from __future__ import annotations

import logging
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

_LOG = logging.getLogger("payoff.learn")
_EVERY_S = 10.0  # each time makes some callers wait for the disk
_MOST_BYTES = 4_000_000


class Tidier:
    """Makes checkpoints of an SQLite database in WAL mode while others write.

    A passive checkpoint waits for nobody and nobody waits for it
    (https://sqlite.org/wal.html#ckpt). What is written ahead is as durable as what was moved.

    Args:
        path: The database's file.
        most_bytes: A log beyond that is moved.
        every_s: How often it is looked at.

    Example:
        >>> tidier = Tidier(Path("journal.db"))  # doctest: +SKIP
        >>> tidier.close()  # doctest: +SKIP
    """

    def __init__(
        self, path: Path, *, most_bytes: int = _MOST_BYTES, every_s: float = _EVERY_S
    ) -> None:
        self._path = path
        self._log = path.with_name(path.name + "-wal")
        self._most_bytes = most_bytes
        self._every_s = every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="payoff-tidier", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; closing twice does no harm."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._every_s):
            try:
                if self._log.stat().st_size > self._most_bytes:
                    with closing(sqlite3.connect(self._path)) as connection:
                        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").close()
            except (OSError, sqlite3.Error) as error:  # writers meet it too, and tell it better
                _LOG.warning("the journal's log could not be moved: %s", error)
