from __future__ import annotations

import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import Table, func, select

from payoff.core.errors import MachineError, ServiceError
from payoff.learn import forgetting
from payoff.learn.api_keys import all_keys, make_key
from payoff.learn.backup import back_up, restore
from payoff.learn.entry import Entry, customer_hash
from payoff.learn.feedback import Feedback, take, told_of
from payoff.learn.forgetting import Forgotten, forget_customer, forget_old
from payoff.learn.journal import Journal
from payoff.learn.parquet import write_parquet
from payoff.learn.tables import decisions, feedback

OLD = "2020-01-01T00:00:00.000000Z"


def entry(number: int, journal: Journal, **changes: object) -> Entry:
    facts: dict[str, object] = {
        "request_id": f"r-{number}",
        "artifact_sha256": "a",
        "text_sha256": f"t-{number}",
        "action": "退款",
        "label": "退款",
        "probability": 1 / 3,
        "worth": 3.2,
        "currency": "CNY",
        "latency_ms": 4.0,
        "customer": customer_hash("ann" if number % 2 else "bob", journal.salt),
        "probabilities": bytes(range(12)),
    }
    return Entry(**facts | changes)  # type: ignore[arg-type]


def filled(journal: Journal) -> None:
    entries = [entry(number, journal) for number in range(2500)]
    journal.append(entries, texts={e.request_id: f"text {e.request_id} 我" for e in entries})
    take(journal, [Feedback(f"r-{n}", label="x", feedback_id=f"f-{n}") for n in range(10)])
    make_key(journal, "shop", ["decide"])


def texts(journal: Journal) -> dict[str, str]:
    with journal.reading() as connection:
        rows = connection.exec_driver_sql("SELECT request_id, text FROM texts").all()
    return {row[0]: row[1] for row in rows}


def all_of(journal: Journal) -> tuple[object, ...]:
    told = told_of(journal, [f"r-{n}" for n in range(20)])
    return journal.read(10_000), texts(journal), told, all_keys(journal), journal.salt


def test_a_backup_comes_back_whole_in_either_database(
    books_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with Journal.open(tmp_path / "first.db") as journal:
        filled(journal)
        made = back_up(journal, tmp_path / "kept.zip")
        before = all_of(journal)
    assert (made.rows["decisions"], made.rows["feedback"], made.rows["texts"]) == (2500, 10, 2500)
    with Journal.open(books_url) as journal:
        assert restore(tmp_path / "kept.zip", journal) == made
        assert all_of(journal) == before
        assert journal.append([entry(9999, journal)]) == 1  # numbered behind those that came back
        assert back_up(journal, tmp_path / "again.zip").n_rows == made.n_rows + 1
    with Journal.open(tmp_path / "third.db") as journal:
        restore(tmp_path / "again.zip", journal)
        assert journal.count() == 2501


def test_a_backup_is_of_one_moment_while_others_write(books_url: str, tmp_path: Path) -> None:
    ended = threading.Event()
    with Journal.open(books_url) as journal, Journal.open(books_url) as other:

        def write() -> None:
            number = 0
            while not ended.is_set():
                other.append([entry(number, other)], texts={f"r-{number}": "text"})
                number += 1

        thread = threading.Thread(target=write)
        thread.start()
        try:
            made = [back_up(journal, tmp_path / f"{n}.zip") for n in range(5)]
        finally:
            ended.set()
            thread.join()
    assert all(one.rows["texts"] == one.rows["decisions"] for one in made)
    assert made[-1].rows["decisions"] > 0


def test_a_journal_that_holds_something_is_left_alone(books_url: str, tmp_path: Path) -> None:
    with Journal.open(books_url) as journal:
        filled(journal)
        back_up(journal, tmp_path / "kept.zip")
        before = all_of(journal)
        with pytest.raises(ServiceError, match="PF726"):
            restore(tmp_path / "kept.zip", journal)
        assert all_of(journal) == before


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _rewritten(path: Path, change: Callable[[str, bytes], bytes]) -> None:
    with zipfile.ZipFile(path) as zipped:
        members = {name: change(name, zipped.read(name)) for name in zipped.namelist()}
    with zipfile.ZipFile(path, "w") as zipped:
        for name, content in members.items():
            zipped.writestr(name, content)


def _altered(path: Path) -> None:
    _rewritten(path, lambda name, c: c.replace(b"3.2", b"9.9") if name == "decisions.jsonl" else c)


def _row_lost(path: Path) -> None:
    _rewritten(path, lambda name, c: c[: c.index(b"\n") + 1] if name == "texts.jsonl" else c)


def _newer(path: Path) -> None:
    def change(name: str, content: bytes) -> bytes:
        if name != "backup.json":
            return content
        return json.dumps(json.loads(content) | {"number": 99}).encode()

    _rewritten(path, change)


@pytest.mark.parametrize(
    "spoil",
    [
        _cut,
        _altered,
        _row_lost,
        _newer,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"{}"),
        lambda path: path.unlink(),
    ],
)
def test_a_spoilt_backup_brings_nothing_back(
    books_url: str, tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    path = tmp_path / "kept.zip"
    with Journal.open(tmp_path / "first.db") as journal:
        filled(journal)
        back_up(journal, path)
    spoil(path)
    with Journal.open(books_url) as journal:
        salt = journal.salt
        with pytest.raises(ServiceError, match="PF725"):
            restore(path, journal)
        assert journal.count() == 0
        assert not texts(journal)
    with Journal.open(books_url) as journal:
        assert journal.salt == salt


def _with_line(name: str, line: bytes) -> Callable[[Path], object]:
    return lambda path: _rewritten(path, lambda n, c: line + b"\n" + c if n == name else c)


def _other_facts(facts: object) -> Callable[[Path], object]:
    content = json.dumps(facts).encode()
    return lambda path: _rewritten(path, lambda n, c: content if n == "backup.json" else c)


@pytest.mark.parametrize(
    "spoil",
    [
        _with_line("decisions.jsonl", b"[1]"),
        _with_line("decisions.jsonl", b"3"),
        _with_line("decisions.jsonl", b'{"probabilities": "x"}'),
        _with_line("decisions.jsonl", b"\xff\xfe"),
        _other_facts([1]),
        _other_facts({"format": 1, "number": 9, "made_utc": "", "tables": []}),
        _other_facts({"format": 1, "number": 9, "made_utc": "", "tables": {"decisions": 3}}),
    ],
)
def test_a_backup_that_says_something_else_is_refused(
    tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    path = tmp_path / "kept.zip"
    with Journal.open(tmp_path / "first.db") as journal:
        journal.append([entry(1, journal)])
        back_up(journal, path)
    spoil(path)
    with Journal.open(tmp_path / "second.db") as journal:
        with pytest.raises(ServiceError, match="PF725"):
            restore(path, journal)
        assert journal.count() == 0


@contextmanager
def suppress_broken() -> Iterator[list[str]]:
    """Gives the code of the error that there was, if any."""
    found: list[str] = []
    try:
        yield found
    except ServiceError as error:
        found.append(error.code)


def test_whichever_byte_of_a_backup_is_broken_it_is_told(tmp_path: Path) -> None:
    """A disk that loses bits breaks the compressed part, the heads, or the list of members."""
    path = tmp_path / "kept.zip"
    with Journal.open(tmp_path / "first.db") as journal:
        journal.append([entry(n, journal) for n in range(20)])
        whole = back_up(journal, path)
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        with Journal.open("sqlite://") as journal:
            with suppress_broken() as broken:
                assert restore(path, journal) == whole  # what it says of itself nobody reads
            assert broken in ([], ["PF725"]), place
            assert journal.count() == (0 if broken else 20)


def test_a_backup_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "first.db") as journal:
        filled(journal)
        with pytest.raises(MachineError, match="PF801"):
            back_up(journal, _full(tmp_path))
    assert not list(tmp_path.glob("*.zip"))
    assert not list(tmp_path.glob("*.part"))


def _full(folder: Path) -> Path:
    """A place where nothing has room: its part is the device that is always full."""
    (folder / ".kept.zip.part").symlink_to("/dev/full")
    return folder / "kept.zip"


def test_one_customer_is_forgotten_and_the_sums_stay(books_url: str, tmp_path: Path) -> None:
    with Journal.open(books_url) as journal:
        filled(journal)
        done = forget_customer(journal, "ann")
        assert (done.n_decisions, done.n_texts) == (1250, 1250)
        left = journal.read(10_000)
        assert len(left) == 2500
        assert sum(e.worth for e in left) == pytest.approx(2500 * 3.2)
        of_ann = [e for e in left if int(e.request_id[2:]) % 2]
        assert {(e.customer, e.text_sha256, e.probabilities) for e in of_ann} == {("", "", None)}
        assert set(texts(journal)) == {f"r-{n}" for n in range(0, 2500, 2)}
        assert forget_customer(journal, "ann").n_decisions == 0
        assert forget_customer(journal, "nobody").n_decisions == 0


def test_what_is_forgotten_leaves_no_trace_in_the_file(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "books.db") as journal:
        secret = {f"r-{n}": f"my card is 4000-1234-{n}" for n in (1, 2)}
        journal.append([entry(1, journal), entry(2, journal)], texts=secret)
        forget_customer(journal, "ann")
    content = b"".join(p.read_bytes() for p in tmp_path.iterdir())
    assert b"4000-1234-2" in content
    assert b"4000-1234-1" not in content


def test_what_is_forgotten_leaves_no_trace_while_a_service_holds_the_file(tmp_path: Path) -> None:
    """What SQLite wrote ahead lies beside its file until somebody moves it."""
    path = tmp_path / "books.db"
    with Journal.open(path, tidied_aside=True) as service:
        secret = {f"r-{n}": f"my card is 4000-1234-{n}" for n in (1, 2, 4)}
        old = entry(4, service, time_utc=OLD)
        service.append([entry(1, service), entry(2, service), old], texts=secret)
        with Journal.open(path) as journal:
            forget_customer(journal, "ann")
            forget_old(journal, texts_days=30)
        content = b"".join(p.read_bytes() for p in tmp_path.iterdir())
        assert b"4000-1234-2" in content
        assert b"4000-1234-1" not in content
        assert b"4000-1234-4" not in content
        assert service.append([entry(6, service)]) == 1


def test_it_is_told_where_somebody_holds_on_to_what_was_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "books.db"
    with Journal.open(path) as service, Journal.open(path, timeout_s=0.05) as journal:
        service.append([entry(1, service)], texts={"r-1": "my card is 4000-1234-1"})
        with service.reading() as connection:
            connection.exec_driver_sql("BEGIN")
            connection.exec_driver_sql("SELECT * FROM decisions").all()
            with pytest.raises(ServiceError, match="PF703"):
                forget_customer(journal, "ann")
            connection.exec_driver_sql("ROLLBACK")
        assert not texts(service)
        assert forget_customer(journal, "ann").n_decisions == 0  # again, and the trace is gone
        content = b"".join(p.read_bytes() for p in tmp_path.iterdir())
        assert b"4000-1234-1" not in content


def test_to_forget_nobody_is_to_forget_nothing(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        journal.append([entry(1, journal, customer="")], texts={"r-1": "text"})
        before = journal.read()
        assert forget_customer(journal, "") == Forgotten(0, 0)
        assert journal.read() == before
        assert texts(journal) == {"r-1": "text"}


@pytest.mark.parametrize("days", [630_000, 1e9, float("inf")])
def test_nothing_is_older_than_many_centuries(tmp_path: Path, days: float) -> None:
    with Journal.open(tmp_path / "books.db") as journal:
        journal.append([entry(1, journal)], texts={"r-1": "text"})
        assert forget_old(journal, texts_days=days, decisions_days=days) == Forgotten(0, 0)


def test_rows_are_never_numbered_again(books_url: str) -> None:
    """Watching, the draw of the queue and retraining remember by numbers how far they have come."""

    def newest(table: Table) -> int:
        with journal.reading() as connection:
            return int(connection.execute(select(func.max(table.c.id))).scalar_one())

    with Journal.open(books_url) as journal:
        for turn in range(2):
            made = [entry(10 * turn + n, journal, time_utc=OLD) for n in range(5)]
            journal.append(made)
            take(journal, [Feedback(one.request_id, label="x") for one in made])
            numbers = newest(decisions), newest(feedback)
            assert numbers == (5 * (turn + 1), 5 * (turn + 1))
            forget_old(journal, decisions_days=30)
            assert journal.count() == 0


def test_old_texts_and_old_decisions_are_forgotten(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        entries = [entry(n, journal, time_utc=OLD if n < 3 else "") for n in range(5)]
        journal.append(entries, texts={e.request_id: "text" for e in entries})
        take(journal, [Feedback(f"r-{n}", label="x") for n in range(5)])
        assert forget_old(journal, texts_days=30).n_texts == 3
        assert journal.count() == 5
        done = forget_old(journal, decisions_days=30)
        assert (done.n_decisions, done.n_texts, done.n_feedback) == (3, 0, 3)
        assert [e.request_id for e in journal.read()] == ["r-3", "r-4"]
        assert len(texts(journal)) == 2
        nothing = forget_old(journal)
        assert (nothing.n_decisions, nothing.n_texts) == (0, 0)


@pytest.mark.parametrize("only_texts", [False, True])
def test_others_write_while_much_is_forgotten(
    books_url: str, monkeypatch: pytest.MonkeyPatch, only_texts: bool
) -> None:
    """A year at once would keep a service from answering for longer than it waits."""
    with Journal.open(books_url) as journal, Journal.open(books_url, timeout_s=0.2) as service:
        made = [entry(n, journal, time_utc=OLD if n % 5 else "") for n in range(25)]
        journal.append(made, texts={one.request_id: "text" for one in made})
        take(journal, [Feedback(one.request_id, label="x") for one in made])
        written: list[int] = []

        def in_between(_: float) -> None:
            written.append(service.append([entry(100 + len(written), service)]))

        monkeypatch.setattr(forgetting, "_BLOCK", 4)
        monkeypatch.setattr(forgetting.time, "sleep", in_between)
        days = {"texts_days": 30} if only_texts else {"decisions_days": 30}
        done = forget_old(journal, **days)  # type: ignore[arg-type]
        assert done == (Forgotten(0, 20) if only_texts else Forgotten(20, 20, 20))
        assert written == [1] * 5
        assert len(texts(journal)) == 5
        assert journal.count() == (30 if only_texts else 10)


def test_what_was_told_of_no_decision_is_forgotten_in_its_time(books_url: str) -> None:
    """Of requests that were never decided, or whose decision went before the word on it came."""
    with Journal.open(books_url) as journal:
        journal.append([entry(1, journal)])
        take(journal, [Feedback(name, label="x", time_utc=OLD) for name in ("r-1", "r-8")])
        take(journal, [Feedback("r-9", label="x")])
        assert forget_old(journal, decisions_days=30) == Forgotten(0, 0, 1)
        assert [one.request_id for one in told_of(journal, ["r-1", "r-8", "r-9"])] == ["r-1", "r-9"]


def test_parquet_has_what_the_journal_has(books_url: str, tmp_path: Path) -> None:
    with Journal.open(books_url) as journal:
        filled(journal)
        rows = write_parquet(journal, tmp_path / "out")
        found = pl.read_parquet(tmp_path / "out" / "decisions.parquet")
        assert rows == {"decisions": 2500, "feedback": 10, "costs": 0}
        entries = journal.read(10_000)
        assert found["request_id"].to_list() == [e.request_id for e in entries]
        assert found["probability"].to_list() == [e.probability for e in entries]
        assert found["probabilities"].to_list() == [e.probabilities for e in entries]
    assert pl.read_parquet(tmp_path / "out" / "costs.parquet").height == 0
    assert {p.suffix for p in (tmp_path / "out").iterdir()} == {".parquet"}
