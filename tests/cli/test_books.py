"""Verbs that ask an endpoint book what it charges, within the month's budget."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.artifact.chat_server import ChatServer, said, serving
from tests.serve.budgeted import budgeted

from payoff.learn.journal import Journal

Cli = Callable[..., Any]


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
        charged = Decimal(sum(read + 2 * written for read, written in server.charged)) / 1000
        with Journal.open(tmp_path / "desk.journal.db") as journal:
            booked = sum((one.line.amount.amount for one in journal.bookings()), Decimal(0))
        assert booked == charged > 0
        texts = [part for n in range(80) for part in ("--text", f"what is it {n}")]
        beyond = cli("predict", artifact, *texts, "--json")
        assert beyond.json["error"]["code"] == "PF820"
        assert sum(read + 2 * written for read, written in server.charged) <= 800


def test_a_service_is_refused_by_its_budget_and_let_by_more(cli: Cli, tmp_path: Path) -> None:
    artifact = budgeted(tmp_path, per_month=0.0, per_hour=0.01)
    refused = cli("serve", artifact, "--port", "0", "--json", "--quiet")
    assert (refused.code, refused.json["error"]["code"]) == (2, "PF630")
    assert "--budget" in refused.json["error"]["mend"]
    again = cli("serve", artifact, "--port", "0", "--budget", "0", "--json", "--quiet")
    assert again.json["error"]["code"] == "PF630"
    both = cli("serve", artifact, "--no-journal", "--budget", "5", "--json", "--quiet")
    assert both.json["error"]["code"] == "PF290"
