"""What a service meets in the world: a full disk, a database that stops, callers of all kinds."""

from __future__ import annotations

import os
import resource
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from fastapi import Request
from tests.learn.conftest import Server, programs

from payoff.economics.desk import Desk
from payoff.learn.journal import Journal
from payoff.learn.tidier import Tidier
from payoff.serve.app import create_app
from payoff.serve.bodies import read_body
from payoff.serve.connection import PatientProtocol

from .conftest import answering
from .test_app import error

Serve = Callable[..., httpx.Client]
TEXT = {"text": "someone took my card"}


def test_a_full_disk_is_told_and_survived(serve: Serve, journal: Journal) -> None:
    client = serve(journal=journal)
    with journal._engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 4}")
    statuses = []
    for number in range(200):
        answer = client.post("/v1/decide", json={**TEXT, "request_id": f"r-{number}"})
        statuses.append(answer.status_code)
        if answer.status_code != 200:
            break
    assert statuses[-1] == 507
    assert error(answer)["code"] == "PF704"
    assert answer.headers["retry-after"] == "30"
    assert journal.count() == len(statuses) - 1
    assert client.get("/healthz").status_code == 200
    with journal._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 100000")
    assert client.post("/v1/decide", json={**TEXT, "request_id": "later"}).status_code == 200
    assert client.get("/readyz").status_code == 200
    assert journal.count() == len(statuses)


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A PostgreSQL server of this test's own, for it is stopped."""
    pytest.importorskip("psycopg", reason="pip install 'psycopg[binary]'")
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL is not installed (on Debian: apt-get install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    user = None
    if os.geteuid() == 0:
        user = "postgres"
        shutil.chown(folder, user)
    server = Server(folder, found, user)
    try:
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder)


def test_a_database_that_stops_and_comes_back(own_server: Server, desk: Desk) -> None:
    with Journal.open(own_server.new_database()) as journal:
        with answering(create_app(desk, journal=journal)) as client:
            assert client.post("/v1/decide", json={**TEXT, "request_id": "a"}).status_code == 200
            own_server.stop()
            gone = client.post("/v1/decide", json={**TEXT, "request_id": "b"}, timeout=60)
            assert gone.status_code in (500, 503)
            assert error(gone)["code"] in ("PF703", "PF705", "PF706")
            assert client.get("/readyz", timeout=60).status_code == 503
            assert client.get("/healthz").status_code == 200
            own_server.begin_to_listen()
            for request_id in ("b", "a"):
                back = client.post("/v1/decide", json={**TEXT, "request_id": request_id})
                assert back.status_code == 200
        assert [entry.request_id for entry in journal.read()] == ["a", "b"]


def whole_answer(raw: socket.socket) -> bytes:
    """Head and body of an answer, which may come apart."""
    with raw.makefile("rb") as stream:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = stream.readline()
            assert line, head
            head += line
        length = head.lower().split(b"content-length:")[1].split(b"\r")[0]
        return head + stream.read(int(length))


def test_a_body_in_drops_is_let_go(desk: Desk) -> None:
    app = create_app(desk)

    @app.post("/slow")
    async def slow(request: Request) -> dict[str, int]:
        return {"n": len(await read_body(request, 1000, within_s=0.2))}

    with answering(app) as client:
        assert client.post("/slow", content=b"abc").json() == {"n": 3}
        port = client.base_url.port
        assert port
        with socket.create_connection(("127.0.0.1", port), timeout=20) as raw:
            raw.sendall(b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{")
            told = whole_answer(raw)
        assert b" 408 " in told
        assert b"PF715" in told
        assert b"1 bytes came in 0.2 s" in told


def test_a_head_in_drops_is_let_go_and_others_are_not(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PatientProtocol, "patience_s", 0.3)
    with answering(create_app(desk), http=PatientProtocol) as client:
        port = client.base_url.port
        assert port
        silent = socket.create_connection(("127.0.0.1", port), timeout=20)
        drops = socket.create_connection(("127.0.0.1", port), timeout=20)
        drops.sendall(b"GET /healthz HT")
        end = time.monotonic() + 1.0
        while time.monotonic() < end:  # one connection all the while, longer than the patience
            assert client.get("/healthz").status_code == 200
            time.sleep(0.02)
        with silent, drops:
            assert silent.recv(100) == b""
            assert drops.recv(100) == b""


def test_thousands_of_connections_do_not_keep_others_out(serve: Serve) -> None:
    client = serve()
    port = client.base_url.port
    assert port
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    n = min(4000, (soft - 500) // 2)  # both ends are in this process
    held: list[socket.socket] = []
    try:
        held.extend(socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(n))
        for one in held[::2]:
            one.sendall(b"GET /healthz HT")
        assert client.post("/v1/decide", json=TEXT, timeout=30).status_code == 200
        assert client.get("/healthz", timeout=30).status_code == 200
    finally:
        for one in held:
            one.close()


def test_a_huge_body_is_refused_before_it_is_read(serve: Serve) -> None:
    client = serve()
    port = client.base_url.port
    assert port
    with socket.create_connection(("127.0.0.1", port), timeout=20) as raw:
        raw.sendall(b"POST /v1/decide HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n")
        told = whole_answer(raw)
    assert b" 413 " in told
    assert b"PF702" in told
    assert client.get("/healthz").status_code == 200


def test_callers_that_vanish_do_no_harm(serve: Serve, journal: Journal) -> None:
    client = serve(journal=journal)
    port = client.base_url.port
    assert port
    body = b'{"text": "card"}'
    head = f"POST /v1/decide HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()

    def vanish(number: int) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as raw:
            raw.sendall((head + body)[: len(head) + (number % 3) * 8])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(vanish, range(60)))
    assert client.post("/v1/decide", json=TEXT).status_code == 200


def test_the_log_of_a_busy_journal_is_moved_aside(tmp_path: Path) -> None:
    from .test_app import until

    path = tmp_path / "books.db"
    with Journal.open(path, tidied_aside=True) as journal:
        assert journal._tidier is not None
        journal._tidier.close()
        with journal.writing() as connection:
            connection.exec_driver_sql("CREATE TABLE big (x BLOB)")
            connection.exec_driver_sql("INSERT INTO big VALUES (zeroblob(3000000))")
        assert path.stat().st_size < 1_000_000
        tidier = Tidier(path, most_bytes=1_000_000, every_s=0.01)
        until(lambda: path.stat().st_size > 3_000_000)
        tidier.close()
        tidier.close()
