"""Thousands of callers who connect and say nothing, or next to nothing, at a real service.

``PAYOFF_CONNECTIONS=10000 pytest tests/serve/test_connections.py`` holds so many at once.
"""

from __future__ import annotations

import os
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tests.serve import test_run
from tests.serve.conftest import answering

from payoff.economics.desk import Desk
from payoff.serve import connection
from payoff.serve.app import create_app
from payoff.serve.connection import bounded, most_connections

N = int(os.environ.get("PAYOFF_CONNECTIONS", "1000"))
SPARE = 500
PATIENT = """
from payoff.serve.connection import PatientProtocol
PatientProtocol.patience_s = 3600.0  # so that all of them are there at once, however slow this is
"""
A_SOURCE = 20_000  # connections from one address: there are some 28,000 ports


@contextmanager
def more_files(n: int) -> Iterator[None]:
    """As many open files as are needed here, where the system allows them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < n + SPARE:
        pytest.skip(f"{n:,} connections need more than the {hard:,} files that are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, n + SPARE), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def asked(url: str) -> int:
    """The status that a healthy caller gets, on a connection of its own."""
    body = {"text": "我要退款"}
    answer = httpx.post(f"{url}/v1/decide", json=body, timeout=120)
    if answer.status_code == 503:
        assert answer.headers["retry-after"]
        assert answer.json()["error"]["code"] == "PF707"
    return answer.status_code


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs many loopback addresses")
def test_idle_and_slow_callers_keep_nobody_out(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[socket.socket] = []
    monkeypatch.setattr(test_run, "PROGRAM", PATIENT + test_run.PROGRAM)
    with more_files(N), test_run.running(artifact, tmp_path) as (process, url):
        port = int(url.rsplit(":", 1)[1])
        assert asked(url) == 200
        try:
            begun = time.monotonic()
            for number in range(N):
                source = (f"127.0.0.{2 + number // A_SOURCE + number % 4}", 0)
                one = socket.create_connection(("127.0.0.1", port), 120, source_address=source)
                held.append(one)
                if number % 2:
                    one.sendall(b"POST /v1/decide HT")
                if number % 500 == 499:
                    assert asked(url) in (200, 503)
            took = time.monotonic() - begun
            for one in held[1::20]:
                one.sendall(b"TP/1.1\r\nX-Slow: ")
            statuses = [asked(url) for _ in range(10)]
            assert set(statuses) <= {200, 503}
            place = Path(f"/proc/{process.pid}")
            files = len(list((place / "fd").iterdir()))
            (rss,) = [x for x in (place / "status").read_text().splitlines() if "VmRSS" in x]
            print(f"{N:,} connections in {took:.1f} s: {files:,} files, {rss}, {statuses}")
            assert files >= N
        finally:
            for one in held:
                one.close()
        end = time.monotonic() + 120
        while asked(url) != 200:
            assert time.monotonic() < end
            time.sleep(0.1)
        assert process.poll() is None


def test_one_too_many_is_told_when_to_come_back(desk: Desk) -> None:
    with answering(create_app(desk), http=bounded(8)) as client:
        port = client.base_url.port
        assert port
        held = [socket.create_connection(("127.0.0.1", port), 60) for _ in range(8)]
        for one in held:  # each has its place for sure once it is answered
            one.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b" 200 " in one.recv(4096)
        with socket.create_connection(("127.0.0.1", port), 60) as late:
            told = b""
            while chunk := late.recv(4096):
                told += chunk
        assert told.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1\r\n" in told
        assert b"PF707" in told
        assert b"more than 8 connections" in told
        for one in held:
            one.close()
        end = time.monotonic() + 60
        while True:
            answer = client.get("/healthz", timeout=60)
            if answer.status_code == 200:
                break
            assert time.monotonic() < end


def test_as_many_files_as_are_allowed() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        most = most_connections()
        raised, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert most is not None
        assert raised > 256
        assert most == raised - connection._SPARE
        assert most_connections() == most
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
