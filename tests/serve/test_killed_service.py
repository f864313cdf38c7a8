"""A service that is killed under load loses nothing that it has acknowledged.

``PAYOFF_KILLS=50 pytest tests/serve/test_killed_service.py`` kills it fifty times.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from payoff.learn.journal import Journal

from .test_run import running

N_KILLS = int(os.environ.get("PAYOFF_KILLS", "4"))
N_CLIENTS = 6
N_TOLD = 4
"""Acknowledged outcomes that a round waits for, however slow the machine is, before the kill."""

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals")


class Caller(threading.Thread):
    """Asks and tells until the service is gone, and knows what was acknowledged."""

    def __init__(self, url: str, name: str) -> None:
        super().__init__(name=name)
        self.url = url
        self.decided: dict[str, str] = {}
        self.told: list[str] = []
        self.open: list[str] = []

    def run(self) -> None:
        with httpx.Client(base_url=self.url, timeout=30) as client:
            try:
                for number in range(1_000_000):
                    self._ask(client, f"{self.name}-{number}")
            except httpx.TransportError:
                return

    def _ask(self, client: httpx.Client, request_id: str) -> None:
        body = {"text": f"card {request_id}", "request_id": request_id, "customer": self.name}
        self.open.append(request_id)
        answer = client.post("/v1/decide", json=body)
        assert answer.status_code == 200, answer.text
        self.decided[request_id] = answer.json()["decision"]["action"]
        one = {"request_id": request_id, "label": "card", "feedback_id": f"f-{request_id}"}
        done = client.post("/v1/feedback", json={"feedback": [one]})
        assert done.json() == {"n_new": 1, "n_known": 0, "unknown": []}
        self.told.append(one["feedback_id"])


@contextmanager
def callers(url: str, round_: int) -> Iterator[list[Caller]]:
    found = [Caller(url, f"{round_}-{n}") for n in range(N_CLIENTS)]
    for one in found:
        one.start()
    try:
        yield found
    finally:
        for one in found:
            one.join(60)


def until_some_are_told(all_callers: list[Caller]) -> None:
    deadline = time.monotonic() + 60
    while sum(len(one.told) for one in all_callers) < N_TOLD:
        assert time.monotonic() < deadline, "nobody is answered"
        time.sleep(0.005)


def kept(path: Path) -> tuple[dict[str, str], set[str]]:
    """What the database holds, once it has passed its own check."""
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = database.execute("SELECT request_id, action FROM decisions").fetchall()
        told = database.execute("SELECT feedback_id FROM feedback").fetchall()
    assert len(dict(rows)) == len(rows)
    assert len(set(told)) == len(told)
    return dict(rows), {row[0] for row in told}


def test_nothing_that_was_acknowledged_is_lost(artifact: Path, tmp_path: Path) -> None:
    chance = random.Random(0)
    decided: dict[str, str] = {}
    told: set[str] = set()
    asked: set[str] = set()
    for round_ in range(N_KILLS):
        (tmp_path / "told.txt").unlink(missing_ok=True)
        with running(artifact, tmp_path) as (process, url), callers(url, round_) as all_callers:
            until_some_are_told(all_callers)
            time.sleep(1.3 * chance.random())
            process.send_signal(signal.SIGKILL)
            process.wait(30)
        for one in all_callers:
            assert not one.is_alive()
            decided |= one.decided
            told |= set(one.told)
            asked |= set(one.open)
        rows, feedback = kept(tmp_path / "j.sqlite")
        assert decided.items() <= rows.items()
        assert told <= feedback
        assert set(rows) <= asked
    assert len(told) >= N_TOLD * N_KILLS
    (tmp_path / "told.txt").unlink()
    with running(artifact, tmp_path) as (_, url):
        for request_id in sorted(asked)[:50]:  # sent again, nothing is written twice
            body = {"text": f"card {request_id}", "request_id": request_id}
            assert httpx.post(f"{url}/v1/decide", json=body, timeout=30).status_code == 200
    with Journal.open(tmp_path / "j.sqlite") as journal:
        assert journal.count() <= len(asked)
