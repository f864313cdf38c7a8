"""Trials: a model that hangs keeps nobody waiting but those who try it."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path

import httpx
import pytest
from tests.artifact.chat_server import ChatServer, Fault, said, serving
from tests.serve.budgeted import budgeted
from tests.serve.conftest import answering

from payoff.economics.desk import load
from payoff.learn.journal import Journal
from payoff.serve.app import create_app
from payoff.serve.dashboard import pages
from payoff.serve.endpoints import keep_answering

pytest.importorskip("jinja2", reason="pip install 'payoff[dashboard]'")


def test_trials_of_an_endpoint_that_hangs_keep_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "TRIAL_S", 2.0)
    told = {"feedback": [{"request_id": "r", "correct": True}]}
    statuses: list[int] = []
    with serving(ChatServer(lambda messages: said("good"))) as server:
        monkeypatch.setenv("PAYOFF_ENDPOINT", server.url)
        server.faults.extend(Fault(delay_s=4.0) for _ in range(9))
        path = budgeted(tmp_path, per_month=None, url=server.url)
        with load(path, threads=1) as desk, Journal.open(tmp_path / "j.db") as journal:
            keep_answering(desk)
            with answering(create_app(desk, journal=journal, dashboard=True)) as client:
                shown = client.get("/dashboard/try").text
                token = re.findall(r'name="token" value="([0-9a-f]{64})"', shown)[0]
                form = {"token": token, "text": "what is it"}

                def attempt() -> None:
                    answer = httpx.post(
                        client.base_url.join("/dashboard/try"),
                        data=form,
                        cookies=dict(client.cookies),
                        timeout=60,
                    )
                    statuses.append(answer.status_code)

                threads = [threading.Thread(target=attempt) for _ in range(3)]
                for thread in threads:
                    thread.start()
                while not server.bodies:
                    time.sleep(0.01)
                begun = time.perf_counter()
                assert client.get("/readyz").status_code == 200
                assert client.post("/v1/feedback", json=told).status_code == 200
                assert client.get("/v1/review/next").status_code == 200
                assert time.perf_counter() - begun < 1.5
                for thread in threads:
                    thread.join()
                assert statuses == [504] * 3
                assert time.perf_counter() - begun < 3.5
