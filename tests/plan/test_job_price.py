"""A job priced before it is begun, held against what it then cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.artifact.chat_server import ChatServer, said, serving

from payoff.core.errors import AdaptError, MachineError
from payoff.core.money import Money
from payoff.data.dataset import Dataset
from payoff.plan.job_price import job_price
from payoff.plan.tuning.tune import tune

Make = Callable[..., Any]
PRICES = {"input_price": 1000.0, "output_price": 2000.0}  # for a million tokens


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    with serving(ChatServer(lambda messages: said("card"))) as running:
        running.key = "mine"
        monkeypatch.setenv("PAYOFF_ENDPOINT", running.url)
        monkeypatch.setenv("PAYOFF_ENDPOINT_MODEL", "tiny")
        monkeypatch.setenv("OPENAI_API_KEY", "mine")
        yield running


@pytest.fixture
def tickets(tmp_path: Path) -> Dataset:
    lines = [f"{w} number {n},{w}" for n in range(30) for w in ("card", "refund")]
    path = tmp_path / "tickets.csv"
    path.write_text("\n".join(["message,intent", *lines]) + "\n", "utf-8")
    return Dataset.from_csv(path, text="message", label="intent")


def test_the_price_covers_what_the_job_then_costs(
    server: ChatServer, tickets: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    how: dict[str, Any] = {"settings": PRICES, "report": True, "runs": tmp_path / "runs"}
    monkeypatch.delenv("OPENAI_API_KEY")
    before = job_price(tickets, "api", **how)
    assert not server.bodies, "nothing is sent, and no key is needed"
    monkeypatch.setenv("OPENAI_API_KEY", "mine")
    job = before.job
    assert job.n_requests == job.n_questions == job.n_texts > 10
    assert before.at_most == Money.of(job.read_at_most, "USD") * 0.001 + (
        Money.of(job.written_at_most, "USD") * 0.002
    )
    assert before.expected is not None
    assert before.at_most_repeated == before.at_most * 6  # type: ignore[operator]
    tune(tickets, "api", **how)
    assert len(server.bodies) == job.n_requests
    charged = Money.of(sum(read + 2 * written for read, written in server.charged), "USD") * 0.001
    assert charged <= before.expected <= before.at_most  # type: ignore[operator]
    after = job_price(tickets, "api", **how)
    assert (after.job.n_requests, after.job.n_kept) == (0, job.n_questions)
    assert after.at_most == Money.of(0, "USD")
    facts = after.as_dict()
    (cap,) = facts["caps"]
    assert cap["tokens"] == {"cap": 2_000_000, "used": sum(map(sum, server.charged))}
    assert facts["price"]["written_per_million"] == 2000.0


def test_the_report_is_within_the_runs_cap(
    server: ChatServer, tickets: Dataset, tmp_path: Path
) -> None:
    how: dict[str, Any] = {"runs": tmp_path / "runs"}
    tune(tickets, "api", settings={**PRICES, "max_money": 5.0}, **how)
    spent = sum(read + 2 * written for read, written in server.charged)
    cap = (spent + 300) / 1000  # room for one or two more
    with pytest.raises(MachineError, match="PF815"):
        tune(tickets, "api", settings={**PRICES, "max_money": cap}, report=True, **how)
    assert sum(read + 2 * written for read, written in server.charged) <= spent + 300


def test_what_cannot_be_priced_is_told(
    server: ChatServer, tickets: Dataset, tmp_path: Path
) -> None:
    how: dict[str, Any] = {"runs": tmp_path / "runs"}
    found = job_price(tickets, "api", settings={"max_money": 1.0}, **how)
    assert (found.price, found.expected, found.at_most_repeated) == (None, None, None)
    assert "cap of 1.00 USD" in found.why
    assert found.as_dict()["money"] is None
    assert "nobody knows" in job_price(tickets, "api", **how).why
    with pytest.raises(MachineError, match="PF817"):
        tune(tickets, "api", settings={"max_money": 1.0}, **how)
    with pytest.raises(AdaptError, match=r"PF405.*asks no endpoint"):
        job_price(tickets, "bag-of-words", **how)
    assert not server.bodies
