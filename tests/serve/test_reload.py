"""Sixteen clients without pause while versions come and go: no error, none lost, none twice."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import httpx
import pytest

from payoff.artifact.artifact import Artifact
from payoff.learn.api_keys import make_key
from payoff.learn.journal import Journal
from payoff.learn.versions import RELEASED, history, note_place
from payoff.serve.client import Client

from .other_versions import another
from .test_run import running

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs SIGHUP")
NAME = "tickets"


@dataclass(frozen=True)
class Answered:
    """An answer as its caller saw it, in UTC."""

    request_id: str
    sha256: str
    sent: str
    received: str


@dataclass
class Crowd:
    """Clients that ask without pause."""

    url: str
    key: str
    ended: threading.Event = field(default_factory=threading.Event)
    answers: list[Answered] = field(default_factory=list)

    def ask(self, number: int) -> None:
        """Ask until all is over; half of them by the other protocol."""
        headers = {"authorization": f"Bearer {self.key}"}
        with httpx.Client(base_url=self.url, headers=headers, timeout=300) as client:
            asked = 0
            while not self.ended.is_set():
                sent, text = now(), f"card {number} {asked}"
                if number % 2:
                    told = client.post("/v1/decide", json={"text": text})
                    assert told.status_code == 200, told.text
                    found = told.json()["request_id"], ""
                else:
                    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [text]}
                    told = client.post(f"/v2/models/{NAME}/infer", json={"inputs": [tensor]})
                    assert told.status_code == 200, told.text
                    content = told.json()
                    # One of several texts is called by its number in the journal.
                    found = f"{content['parameters']['request_id']}/0", content["model_version"]
                self.answers.append(Answered(*found, sent, now()))
                asked += 1


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def until(done: Callable[[], bool]) -> None:
    for _ in range(30_000):
        if done():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come to that in five minutes")


def test_no_request_is_lost_while_versions_come_and_go(artifact: Path, tmp_path: Path) -> None:
    path, second = tmp_path / "tickets.payoff", tmp_path / "tickets.2.payoff"
    first_sha, second_sha = another(artifact, path, 1), another(artifact, second, 2)
    with Journal.open(tmp_path / "j.sqlite") as journal:
        shop, ops = make_key(journal, "shop", ["decide"])[1], make_key(journal, "ops", ["admin"])[1]
        note_place(journal, NAME, second_sha, str(second))
    replaced: list[tuple[str, str]] = []  # a version, and from when on nothing is sent to it
    with running(path, tmp_path) as (process, url):
        crowd = Crowd(url, shop)

        def serving(sha256: str) -> bool:
            return client.models()[0]["sha256"] == sha256

        with ThreadPoolExecutor(16) as pool, Client(url, key=ops, timeout_s=300) as client:
            jobs = [pool.submit(crowd.ask, number) for number in range(16)]
            try:
                until(lambda: len(crowd.answers) > 50)
                assert client.release(NAME, second_sha)["serving"] == second_sha
                replaced.append((first_sha, now()))
                until(lambda: any(one.sha256 == second_sha for one in crowd.answers))
                assert client.roll_back(NAME, second_sha)["serving"] == first_sha
                replaced.append((second_sha, now()))
                before = first_sha
                for seed in range(10, 20):
                    after = another(artifact, path, seed)
                    os.kill(process.pid, signal.SIGHUP)
                    until(partial(serving, after))
                    replaced.append((before, now()))
                    before = after
                n = len(crowd.answers)
                until(lambda: len(crowd.answers) > n + 50)
            finally:
                crowd.ended.set()
            for job in jobs:
                job.result()
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        assert "Traceback" not in err
    with Journal.open(tmp_path / "j.sqlite") as journal:
        entries = {one.request_id: one.artifact_sha256 for one in journal.read(1_000_000)}
        assert journal.count() == len(entries) == len(crowd.answers)
        events = [one for one in history(journal, NAME) if one.event == RELEASED]
    assert len(events) == 13
    spans = [
        (one.artifact_sha256, one.time_utc, end)
        for one, (sha256, end) in zip(events, [*replaced, (before, "9999")], strict=True)
        if one.artifact_sha256 == sha256
    ]
    assert len(spans) == 13
    for one in crowd.answers:
        sha256 = entries[one.request_id]
        assert one.sha256 in ("", sha256)
        assert any(
            sha256 == version and since <= one.received and one.sent <= end
            for version, since, end in spans
        ), one
    assert {entries[one.request_id] for one in crowd.answers} == {sha for sha, _, _ in spans}


def test_a_broken_file_leaves_the_old_one_serving(artifact: Path, tmp_path: Path) -> None:
    path = tmp_path / "tickets.payoff"
    first = another(artifact, path, 1)
    whole = path.read_bytes()
    with (
        running(path, tmp_path) as (process, url),
        httpx.Client(base_url=url, timeout=300) as client,
    ):
        path.write_bytes(whole[: len(whole) // 2])
        os.kill(process.pid, signal.SIGHUP)
        path_after = tmp_path / "after.payoff"
        after = another(artifact, path_after, 2)
        for _ in range(20):
            assert client.post("/v1/decide", json={"text": "card"}).status_code == 200
        assert client.get("/v1/models").json()["models"][0]["sha256"] == first
        assert process.stderr is not None
        told = process.stderr.readline()
        while "PF785" not in told:
            assert told, "it ended"
            told = process.stderr.readline()
        assert f"goes on with {first[:12]}" in told
        path_after.replace(path)
        os.kill(process.pid, signal.SIGHUP)
        until(lambda: client.get("/v1/models").json()["models"][0]["sha256"] == after)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=300)
    assert process.returncode == 0
    with Journal.open(tmp_path / "j.sqlite") as journal:
        assert [one.artifact_sha256 for one in history(journal, NAME)] == [first, after]
    with Artifact.open(path) as found:
        assert found.sha256 == after
