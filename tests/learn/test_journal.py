from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, update

from payoff.core.errors import MachineError, ServiceError
from payoff.learn.entry import Entry, customer_hash, now_utc, text_hash
from payoff.learn.journal import Journal
from payoff.learn.migrations import MIGRATIONS, migrate
from payoff.learn.tables import TABLES, decisions

ENTRY = Entry("r", "a" * 64, text_hash("退款"), "refund", "refund", 0.97, 3.25, "USD", 1.5)


FIRST_COLUMNS = [
    "id",
    "request_id",
    "time_utc",
    "artifact_sha256",
    "text_sha256",
    "action",
    "label",
    "probability",
    "worth",
    "currency",
    "latency_ms",
]
"""Of decisions, as the first payoff wrote them."""


def entry(request_id: str, **changes: object) -> Entry:
    return replace(ENTRY, request_id=request_id, **changes)  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def code(path: Path | str, **options: float) -> str:
    with pytest.raises(ServiceError) as caught:
        Journal.open(path, **options).close()
    return caught.value.code


def test_what_was_appended_is_read_in_order(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        entries = [entry(f"r-{i}", worth=i / 3) for i in range(5)]
        assert journal.append(entries) == 5
        assert journal.count() == 5
        assert journal.read() == entries
        assert journal.read(limit=2) == entries[-2:]
        assert journal.append([]) == 0
        if "://" in books_url:
            assert books_url.rsplit("/", 1)[1].split("?")[0] in repr(journal)
        else:
            assert repr(journal) == f"Journal({books_url!r})"
    with Journal.open(books_url) as journal:
        assert journal.read() == entries


def test_text_itself_is_nowhere_in_the_file(path: Path) -> None:
    secret = "my card number is 4000-1234"
    with Journal.open(path) as journal:
        journal.append([entry("r", text_sha256=text_hash(secret))])
    assert not any(
        b"4000-1234" in file.read_bytes() for file in path.parent.iterdir() if file.is_file()
    )


def test_the_same_request_is_written_once(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        assert journal.append([ENTRY, entry("s"), ENTRY]) == 2
        assert journal.append([entry("r", worth=99.0), entry("t")]) == 1
        assert [e.request_id for e in journal.read()] == ["r", "s", "t"]
        assert journal.read()[0] == ENTRY


def test_a_request_id_with_another_text_is_refused_and_nothing_is_written(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        journal.append([ENTRY])
        other = entry("r", text_sha256=text_hash("other"))
        with pytest.raises(ServiceError, match="PF709"):
            journal.append([entry("new"), other])
        with pytest.raises(ServiceError, match="PF709"):
            journal.append([entry("x"), entry("x", text_sha256=text_hash("other"))])
        assert journal.count() == 1


def test_many_at_once(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        entries = [entry(f"r-{i}") for i in range(1300)]
        assert journal.append(entries) == 1300
        assert journal.append(entries) == 0


def test_is_durable_when_append_returns(path: Path) -> None:
    program = (
        "import sys, os\n"
        "from payoff.learn.journal import Journal\n"
        "from payoff.learn.entry import Entry\n"
        "journal = Journal.open(sys.argv[1])\n"
        "for i in range(5):\n"
        "    journal.append([Entry(f'r-{i}', 'a', 't', 'x', 'x', 0.5, 1.0, 'USD', 1.0)])\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert done.returncode == -9
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    database.close()
    with Journal.open(path) as journal:
        assert journal.count() == 5


def test_threads_write_together(books_url: str) -> None:
    with Journal.open(books_url) as journal:

        def work(number: int) -> None:
            for i in range(20):
                journal.append([entry(f"{number}-{i}"), entry(f"shared-{i}")])

        threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert journal.count() == 6 * 20 + 20


def test_processes_write_together(books_url: str) -> None:
    program = (
        "import sys\n"
        "from dataclasses import replace\n"
        "from payoff.learn.journal import Journal\n"
        "from payoff.learn.entry import Entry\n"
        "e = Entry('r', 'a', 't', 'x', 'x', 0.5, 1.0, 'USD', 1.0)\n"
        "with Journal.open(sys.argv[1]) as journal:\n"
        "    for i in range(20):\n"
        "        journal.append([replace(e, request_id=f'{sys.argv[2]}-{i}'),\n"
        "                        replace(e, request_id=f'shared-{i}')])\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, books_url, str(n)]) for n in range(3)
    ]
    assert [process.wait(timeout=60) for process in running] == [0, 0, 0]
    with Journal.open(books_url) as journal:
        assert journal.count() == 3 * 20 + 20


def test_locked_by_somebody_else(path: Path) -> None:
    with Journal.open(path, timeout_s=0.05) as journal:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ServiceError, match="PF703"):
            journal.append([ENTRY])
        with pytest.raises(ServiceError, match="PF703"):
            journal.check()
        assert journal.count() == 0
        assert code(path, timeout_s=0.05) == "PF703"
        other.execute("ROLLBACK")
        other.close()
        journal.check()
        assert journal.append([ENTRY]) == 1


def test_full_disk_loses_nothing_and_recovers(path: Path) -> None:
    with Journal.open(path) as journal:
        journal.append([ENTRY])
        with journal._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 8")
        with pytest.raises(ServiceError, match="PF704"):
            journal.append([entry(f"r-{i}", action="x" * 900) for i in range(200)])
        assert journal.count() == 1
        with journal._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 100000")
        assert journal.append([entry("s")]) == 1


@pytest.mark.skipif(os.name == "nt", reason="permissions")
def test_places_that_cannot_be_written(path: Path, tmp_path: Path) -> None:
    assert code(tmp_path / "no" / "such" / "folder.sqlite") == "PF705"
    assert code(tmp_path) == "PF705"
    Journal.open(path).close()
    uri = f"sqlite:///file:{path}?mode=ro&uri=true"
    assert code(uri) == "PF705"


def test_what_is_no_journal(path: Path) -> None:
    path.write_bytes(b"this is not a database at all, " * 100)
    assert code(path) == "PF706"
    assert path.read_bytes().startswith(b"this is not")


def test_a_newer_journal_is_left_alone(path: Path) -> None:
    Journal.open(path).close()
    with sqlite3.connect(path) as database:
        database.execute("INSERT INTO migrations VALUES (99, 'future', '2030')")
    database.close()
    assert code(path) == "PF706"


@pytest.mark.parametrize("url", ["nothing://x/y", "://", "oracle+nothing://u:secret@h/db"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(ServiceError, match="PF706") as caught:
        Journal.open(url)
    assert "secret" not in str(caught.value)


def test_a_database_that_does_not_answer_hides_its_password() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(ServiceError, match="PF706") as caught:
        Journal.open("postgresql+psycopg://user:secret@127.0.0.1:1/none")
    assert "secret" not in str(caught.value)


def test_migrations_are_numbered_and_noted(path: Path) -> None:
    Journal.open(path).close()
    Journal.open(path).close()
    with sqlite3.connect(path) as database:
        noted = database.execute("SELECT number, name FROM migrations").fetchall()
    database.close()
    assert noted == [(step.number, step.name) for step in MIGRATIONS]
    assert [number for number, _ in noted] == list(range(1, len(MIGRATIONS) + 1))


@pytest.mark.parametrize("number", range(1, len(MIGRATIONS)))
def test_a_journal_of_every_earlier_number_comes_forward(books_url: str, number: int) -> None:
    url = books_url if "://" in books_url else f"sqlite:///{books_url}"
    older = create_engine(url)
    with older.begin() as connection:
        migrate(connection, now_utc(), up_to=number)
        found = [column["name"] for column in inspect(connection).get_columns("decisions")]
        assert (found == FIRST_COLUMNS) == (number < 4), "a released step was changed"
        connection.exec_driver_sql(
            "INSERT INTO decisions (request_id, time_utc, artifact_sha256, text_sha256, action,"
            " label, probability, worth, currency, latency_ms) VALUES ('old',"
            " '2026-01-01T00:00:00Z', 'a', 't', 'refund', 'refund', 0.5, 1.0, 'USD', 2.0)"
        )
        connection.commit()
    older.dispose()
    with Journal.open(books_url) as journal:
        old = Entry(
            "old", "a", "t", "refund", "refund", 0.5, 1.0, "USD", 2.0, "2026-01-01T00:00:00Z"
        )
        assert journal.read() == [old]
        whole = entry("new", customer="c" * 32, tier="base", cost=0.25, probabilities=b"1234")
        assert journal.append([whole]) == 1
        assert journal.read(1) == [whole]
        assert len(journal.salt) == 32
    with Journal.open(books_url) as journal:
        inside = inspect(journal._engine)
        for table in TABLES.sorted_tables:
            assert {c["name"] for c in inside.get_columns(table.name)} == set(table.c.keys())


def test_the_name_of_a_customer_is_hashed_with_a_secret(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        salt = journal.salt
    with Journal.open(books_url) as journal:
        assert journal.salt == salt
    assert customer_hash("ann", salt) == customer_hash("ann", salt)
    assert (
        len({customer_hash("ann", salt), customer_hash("ann", "x"), customer_hash("b", salt)}) == 3
    )


def test_times_sort_as_text() -> None:
    times = [now_utc() for _ in range(100)]
    assert times == sorted(times)
    assert ENTRY.time_utc < entry("later", time_utc="").time_utc


def test_a_missing_driver_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MachineError, match=r"PF803 psycopg.*pip install 'payoff\[postgres\]'"):
        Journal.open("postgresql+psycopg://nobody@/nothing")


def test_whoever_waits_too_long_for_another_writer_is_told(books_url: str) -> None:
    """A restore or a long forgetting holds the database: nobody waits for it for ever."""
    held, ends = threading.Event(), threading.Event()

    def hold() -> None:
        with Journal.open(books_url) as other, other.writing():
            held.set()
            ends.wait(20)

    with Journal.open(books_url, timeout_s=0.2) as journal:
        thread = threading.Thread(target=hold)
        thread.start()
        assert held.wait(20)
        release = threading.Timer(3.0, ends.set)
        release.start()
        begun = time.monotonic()
        try:
            with pytest.raises(ServiceError, match="PF703"):
                journal.append([ENTRY])
            assert time.monotonic() - begun < 2.0
        finally:
            release.cancel()
            ends.set()
            thread.join()
        assert journal.append([ENTRY]) == 1


def test_a_database_that_may_only_be_read_is_told(books_url: str) -> None:
    only = {"sqlite": "PRAGMA query_only = ON", "postgresql": "SET TRANSACTION READ ONLY"}
    nothing = update(decisions).values(worth=0.0)

    def write() -> None:
        with journal.writing() as connection:
            connection.exec_driver_sql(only[connection.dialect.name])
            connection.execute(nothing)

    with Journal.open(books_url) as journal, pytest.raises(ServiceError, match="PF705"):
        write()
