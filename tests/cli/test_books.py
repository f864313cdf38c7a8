"""Verbs that ask an endpoint book what it charges, within the month's budget."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.artifact.chat_server import ChatServer, said, serving
from tests.plan.asked_artifact import asked
from tests.plan.label_run import write_label_run
from tests.serve.budgeted import budgeted

from payoff.economics.payoff import Payoff
from payoff.economics.traffic import Traffic
from payoff.learn.journal import Journal
from payoff.plan.terms import Terms

Cli = Callable[..., Any]
PROJECT = "[machine]\nprice_per_hour = 0.0\n[budget]\nper_month = 100\n"


def project(name: str, *, per_month: float) -> str:
    """A whole ``payoff.toml``."""
    return f"""name = "{name}"
[data]
path = "rows.csv"
text = "message"
label = "intent"
[value]
currency = "USD"
correct = 3.0
wrong = -7.0
handoff = -2.0
[traffic]
per_month = 4000
[machine]
price_per_hour = 0.0
[budget]
per_month = {per_month}
"""


def dollars(server: ChatServer) -> Decimal:
    """What the server has charged."""
    return Decimal(sum(read + 2 * written for read, written in server.charged)) / 1000


def booked(journal: Journal) -> Decimal:
    return sum((one.line.amount.amount for one in journal.bookings()), Decimal(0))


def test_predict_and_evaluate_book_an_endpoints_answers(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(ChatServer(lambda messages: said("good"))) as server:
        monkeypatch.setenv("PAYOFF_ENDPOINT", server.url)
        monkeypatch.setenv("PAYOFF_ENDPOINT_PRICE", "1000 2000 USD")
        artifact = budgeted(tmp_path, per_month=0.8, url=server.url)
        how = ("predict", artifact, "--text", "what is it", "--text", "good", "--json")
        tiers = [one["tier"] for one in cli(*how).json["decisions"]]
        assert tiers == ["large", "small"]
        rows = tmp_path / "rows.csv"
        rows.write_text("message,intent\nwhich one,good\nbad,bad\n", "utf-8")
        how = ("evaluate", artifact, rows, "--text", "message", "--label", "intent", "--json")
        assert cli(*how).json["latency_p50_ms"] is None
        assert len(server.bodies) == 2, "no answer is asked for to measure speed"
        with Journal.open(tmp_path / "desk.journal.db") as journal:
            assert booked(journal) == dollars(server) > 0
        texts = [part for n in range(80) for part in ("--text", f"what is it {n}")]
        beyond = cli("predict", artifact, *texts, "--json")
        assert beyond.json["error"]["code"] == "PF620"
        assert len(server.bodies) == 2, "what does not fit is refused before it is asked"
        # Today's payoff.toml counts, not the one that the artifact was made with.
        (tmp_path / "payoff.toml").write_text(project("desk", per_month=500), "utf-8")
        assert cli("predict", artifact, *texts, "--json").code == 0
        assert len(server.bodies) == 82
        with Journal.open(tmp_path / "desk.journal.db") as journal:
            assert booked(journal) == dollars(server)


def test_segment_books_the_answers_of_each_model_that_it_asks(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(ChatServer(lambda messages: said("good"))) as server:
        monkeypatch.setenv("PAYOFF_ENDPOINT", server.url)
        monkeypatch.setenv("PAYOFF_ENDPOINT_PRICE", "1000 2000 USD")
        shared = budgeted(tmp_path, per_month=100, url=server.url)
        own = asked(tmp_path / "own", ("bad", "good"), server.url, project=PROJECT)
        rows = tmp_path / "rows.csv"
        told = [f"which one {n},{'good' if n % 2 else 'bad'},{'ab'[n % 3 == 0]}" for n in range(30)]
        rows.write_text("\n".join(["message,intent,kind", *told]) + "\n", "utf-8")
        how = ("segment", rows, "--text", "message", "--label", "intent", "--column", "kind")
        done = cli(*how, "--with", shared, "--own", f"b={own}", "--json", "-q")
        assert done.code == 0, done.out
        assert len(server.bodies) == 30 + 10
        places = (tmp_path / "desk.journal.db", tmp_path / "own" / "desk.journal.db")
        amounts = []
        for place in places:
            with Journal.open(place) as journal:
                amounts.append(booked(journal))
                assert journal.standing("desk")[1] == [], "nothing is held any more"
        assert min(amounts) > 0
        assert sum(amounts) == dollars(server)
        (tmp_path / "payoff.toml").write_text(project("desk", per_month=1), "utf-8")
        refused = cli(*how, "--with", shared, "--json", "-q")
        assert refused.json["error"]["code"] == "PF620"
        assert len(server.bodies) == 40


def test_the_choice_of_texts_to_label_is_booked_with_the_project_of_the_run(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(ChatServer(lambda messages: said("a"))) as server:
        monkeypatch.setenv("PAYOFF_ENDPOINT", server.url)
        monkeypatch.setenv("PAYOFF_ENDPOINT_PRICE", "1000 2000 USD")
        run = tmp_path / "support" / "runs" / "desk-1"
        worth = Payoff(3, -7, -2, currency="USD")
        kept = write_label_run(run, Terms(worth, Traffic(4_000), on=date(2026, 11, 22)))
        asked(run, tuple("abc")[: kept.served.shape[1]], server.url, project=PROJECT)
        more = tmp_path / "more.csv"
        more.write_text("\n".join(["message", *(f"text {n}" for n in range(12))]) + "\n", "utf-8")
        how = ("plan", run, "--labels", "--texts", more, "--text", "message", "--count", "3")
        assert cli(*how, "--json").json["first"]["n_given"] == 12
        with Journal.open(tmp_path / "support" / "desk.journal.db") as journal:
            assert booked(journal) == dollars(server) > 0
        assert not list(run.glob("*.journal.db"))
        folder = tmp_path / "support"
        (folder / "payoff.toml").write_text(project("desk", per_month=1), "utf-8")
        assert cli(*how, "--json").json["error"]["code"] == "PF620"
        (folder / "payoff.toml").write_text(project("another", per_month=1), "utf-8")
        assert cli(*how, "--json").code == 0, "another project's budget is not this one's"
        assert len(server.bodies) == 24


def test_what_a_killed_command_was_charged_is_booked(tmp_path: Path) -> None:
    n_answered, blocked, go_on = 5, threading.Event(), threading.Event()
    order = itertools.count()

    def choose(messages: list[dict[str, str]]) -> dict[str, Any]:
        if next(order) >= n_answered:
            blocked.set()
            go_on.wait(120)
        return said("good")

    with serving(ChatServer(choose)) as server:
        artifact = asked(tmp_path, ("bad", "good"), server.url, project=PROJECT)
        texts = [part for n in range(40) for part in ("--text", f"which one {n}")]
        environment = os.environ | {
            "PAYOFF_ENDPOINT": server.url,
            "PAYOFF_ENDPOINT_PRICE": "1000 2000 USD",
            "PAYOFF_CACHE": str(tmp_path / "cache"),
        }
        command = [sys.executable, "-m", "payoff.cli.main", "predict", str(artifact), *texts]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        try:
            assert blocked.wait(120)
            with Journal.open(tmp_path / "desk.journal.db") as journal:
                deadline = time.monotonic() + 60
                while len(server.charged) < n_answered or booked(journal) < dollars(server):
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
                process.kill()
                process.wait()
                assert len(server.charged) == n_answered
                assert booked(journal) == dollars(server) > 0
                assert journal.standing("desk")[1] == [], "who has ended holds nothing"
        finally:
            go_on.set()
            process.kill()
            process.wait()


def test_a_service_is_refused_by_its_budget_and_let_by_more(cli: Cli, tmp_path: Path) -> None:
    artifact = budgeted(tmp_path, per_month=0.0, per_hour=0.01)
    refused = cli("serve", artifact, "--port", "0", "--json", "--quiet")
    assert (refused.code, refused.json["error"]["code"]) == (2, "PF630")
    assert "--budget" in refused.json["error"]["mend"]
    again = cli("serve", artifact, "--port", "0", "--budget", "0", "--json", "--quiet")
    assert again.json["error"]["code"] == "PF630"
    both = cli("serve", artifact, "--no-journal", "--budget", "5", "--json", "--quiet")
    assert both.json["error"]["code"] == "PF290"
    drawn = cli("serve", artifact, "--no-journal", "--audit-share", "0.5", "--json", "--quiet")
    assert drawn.json["error"]["code"] == "PF290"
    assert cli("serve", artifact, "--audit-share", "1").code == 2
