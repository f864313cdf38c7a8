"""A desk whose tier is an endpoint, within a cap in money at the dated price of its model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.artifact.chat_server import ChatServer, said, serving

from payoff.artifact.artifact import write_artifact
from payoff.artifact.calibration import Calibration
from payoff.artifact.runtime.endpoint import Question
from payoff.artifact.runtime.endpoint_client import EndpointClient
from payoff.artifact.tier import TierSpec
from payoff.core.errors import EconomicsError, MachineError
from payoff.core.money import Money
from payoff.economics import endpoint_price
from payoff.economics.desk import Desk, load, policy_document
from payoff.economics.endpoint_price import price_client, token_price
from payoff.economics.policy import Policy
from payoff.economics.prices.llm import LlmPrice

DAY = date(2026, 11, 22)
LABELS = ("bad", "good")
QUESTION = Question((("system", "Sort it."),), "", "", LABELS, 100, 8)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ChatServer]:
    with serving(ChatServer(lambda messages: said("good"))) as running:
        monkeypatch.setenv("PAYOFF_ENDPOINT", running.url)
        monkeypatch.setenv("PAYOFF_ENDPOINT_BOOK", str(tmp_path / "book.db"))
        yield running


@pytest.fixture
def write(server: ChatServer, tmp_path: Path) -> Callable[[str], Path]:
    def artifact(model: str) -> Path:
        (tmp_path / "endpoint.json").write_text(json.dumps(QUESTION.as_dict()), "utf-8")
        settings = {"base_url": server.url, "model": model, "key_variable": "none"}
        return write_artifact(
            tmp_path / f"{model}.payoff",
            name=model,
            labels=LABELS,
            tiers=[(TierSpec(model, "endpoint", settings=settings), tmp_path)],
            calibrations=[Calibration()],
            documents={
                "policy.json": policy_document(
                    Policy(LABELS, np.array([[3.0, -7.0, -1.0], [-7.0, 3.0, -1.0]])), "USD"
                )
            },
            seed=0,
            data_fingerprint="",
        )

    return artifact


def test_the_price_is_that_of_the_list_on_the_day() -> None:
    price = token_price("gpt-4o-mini", on=DAY)
    assert price.read == Money(Decimal("0.00000015"), "USD")
    assert price.written == Money(Decimal("0.0000006"), "USD")
    assert "genai-prices" in price.source
    assert "2026-11-22" in price.source
    with pytest.raises(EconomicsError, match="PF607"):
        token_price("nobody-sells-this", on=DAY)


def test_the_dearest_length_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    def call(model: str, *, input_tokens: int, output_tokens: int, on: date) -> LlmPrice:
        factor = 3 if input_tokens > 50_000 else 1
        return LlmPrice(
            model=model,
            provider="one",
            cost=Money.of(0, "USD"),
            input_cost=Money.of(factor * input_tokens, "USD"),
            output_cost=Money.of((5 - factor) * output_tokens, "USD"),
            on=on,
            source="list",
        )

    monkeypatch.setattr(endpoint_price, "price_llm_call", call)
    assert token_price("x", on=DAY).amounts == (3, 4)


def test_a_stated_price_is_kept_and_an_unknown_one_refused_under_a_cap(
    monkeypatch: pytest.MonkeyPatch, write: Callable[[str], Path]
) -> None:
    unknown = EndpointClient("http://127.0.0.1:9/v1", "nobody-sells-this", key_variable="none")
    price_client(unknown, on=DAY)
    assert unknown.price is None
    monkeypatch.setenv("PAYOFF_ENDPOINT_CAP", "1 USD")
    with pytest.raises(MachineError, match=r"PF817.*the price list does not know it"):
        load(write("nobody-sells-this"))
    monkeypatch.setenv("PAYOFF_ENDPOINT_CAP", "1 EUR")
    with pytest.raises(MachineError, match=r"PF817.*priced in USD"):
        load(write("gpt-4o-mini"))
    monkeypatch.setenv("PAYOFF_ENDPOINT_PRICE", "1 2 EUR")
    with load(write("nobody-sells-this")) as desk:
        runtime: Any = desk.artifact.runtime()
        assert runtime.client.price.source == "PAYOFF_ENDPOINT_PRICE"


def test_a_served_tier_ends_at_its_cap_and_a_restart_does_not_help(
    server: ChatServer, write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYOFF_ENDPOINT_CAP", "0.0005 USD")
    rate = token_price("gpt-4o-mini", on=DAY)  # of the same list; no later price is in it
    server.thoughts = 20

    def decide_until_it_ends(desk: Desk) -> None:
        for number in range(1000):
            assert desk.decide(f"text {len(server.bodies)} {number}").action == "good"

    for _ in range(2):
        with load(write("gpt-4o-mini")) as desk, pytest.raises(MachineError, match="PF815"):
            decide_until_it_ends(desk)
        charged = [rate.cost(read, written) for read, written in server.charged]
        total = sum((one.amount for one in charged), Decimal())
        assert Decimal("0.0004") < total <= Decimal("0.0005")
