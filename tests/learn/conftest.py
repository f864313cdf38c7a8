"""Databases for the journal: SQLite, and a PostgreSQL server of the tests' own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

_PLACES = "/usr/lib/postgresql"  # where Debian keeps the programs of each version


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server that listens on a socket in a folder, and on no port.

    Args:
        folder: Holds its data and its socket.
        programs: Where ``initdb`` and ``pg_ctl`` are.
        user: Who runs it, since it refuses to be run by root; None for whoever runs the tests.
    """

    folder: Path
    programs: Path
    user: str | None

    def run(self, program: str, *arguments: str) -> None:
        """Run one of its programs to its end."""
        # Its output goes to a file: a server that was begun would keep a pipe open.
        with (self.folder / "log").open("ab") as log:
            done = subprocess.run(
                [str(self.programs / program), *arguments],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                user=self.user,
                timeout=60,
                check=False,
            )
        if done.returncode != 0:
            told = (self.folder / "log").read_text("utf-8", "replace")[-2000:]
            raise RuntimeError(f"{program} ended with {done.returncode}: {told}")

    def start(self) -> None:
        """Make an empty cluster and begin to listen."""
        data = str(self.folder / "data")
        kind = ("--locale=C", "-E", "UTF8")
        self.run("initdb", "-D", data, "-U", "tests", "-A", "trust", "--no-sync", *kind)
        self.begin_to_listen()

    def begin_to_listen(self) -> None:
        """Go on after `stop`."""
        data = str(self.folder / "data")
        options = f"-k {self.folder} -c listen_addresses='' -c fsync=off"
        log = str(self.folder / "server.log")
        self.run("pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "start")

    def stop(self) -> None:
        """End it and all that is connected."""
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")

    def new_database(self, *options: str) -> str:
        """The URL of an empty database, made with more options of ``createdb``."""
        name = f"books_{uuid.uuid4().hex}"
        self.run("createdb", "-h", str(self.folder), "-U", "tests", *options, name)
        return f"postgresql+psycopg://tests@/{name}?host={self.folder}"


def programs() -> Path | None:
    """Where the programs of the newest PostgreSQL are; None where there is none."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    versions = [p for p in Path(_PLACES).glob("*/bin/initdb") if p.parts[-3].isdecimal()]
    return max(versions, key=lambda p: int(p.parts[-3])).parent if versions else None


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A server for the session; skipped where there is none, or no driver."""
    pytest.importorskip("psycopg", reason="pip install 'psycopg[binary]'")
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL is not installed (on Debian: apt-get install postgresql)")
    user = None
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's path must be short
    if os.geteuid() == 0:
        user = "postgres"  # made by the package
        shutil.chown(folder, user)
    server = Server(folder, found, user)
    try:
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """For tests of what does not depend on the database."""
    return str(tmp_path / "books.db")


@pytest.fixture(params=["sqlite", "postgresql"])
def books_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a journal may live: each test with this is run on both databases."""
    if request.param == "sqlite":
        return str(tmp_path / "books.db")
    server = request.getfixturevalue("postgresql")
    assert isinstance(server, Server)
    return server.new_database()
