"""``payoff tune --recipe api --dry-run``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
COLUMNS = ("--text", "message", "--label", "intent", "--recipe", "api", "--quiet")


@pytest.fixture(autouse=True)
def nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setenv("PAYOFF_ENDPOINT", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("PAYOFF_ENDPOINT_MODEL", "gpt-4o-mini")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def test_a_job_is_priced_and_nothing_is_sent(cli: Cli, tickets: Path) -> None:
    ran = cli("tune", tickets, *COLUMNS, "--dry-run", "--set", "max_money=0.5")
    assert ran.code == 0, ran.err
    for told in (
        "gpt-4o-mini at http://127.0.0.1:9/v1",
        "Nothing was sent",
        "bytes are counted",
        "genai-prices",
        "Cap: 0.50 USD, 0.00 USD used",
        "Cap: 2,000,000 tokens, 0 used",
    ):
        assert told in ran.out
    facts = cli("tune", tickets, *COLUMNS, "--dry-run", "--json").json
    assert facts["n_requests"] == facts["n_texts"] > 5
    assert facts["counted_by"] == "bytes"
    read, written = facts["tokens_read"]["at_most"], facts["tokens_written"]["at_most"]
    each = facts["price"]["read_per_million"], facts["price"]["written_per_million"]
    at_most = (read * each[0] + written * each[1]) / 1e6
    assert facts["money"]["at_most"] == pytest.approx(at_most, abs=1e-6)
    assert facts["money"]["at_most_repeated"] == pytest.approx(6 * at_most, abs=1e-5)
    more = cli("tune", tickets, *COLUMNS, "--dry-run", "--report", "--json").json
    assert more["n_requests"] > facts["n_requests"]


def test_without_a_price_it_says_so(
    cli: Cli, tickets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYOFF_ENDPOINT_MODEL", "nobody-sells-this")
    ran = cli("tune", tickets, *COLUMNS, "--dry-run")
    assert ran.code == 0, ran.err
    assert "unknown" in ran.out
    assert "No price: nobody knows what a token of 'nobody-sells-this' costs." in ran.out


def test_what_it_cannot_be_used_with(cli: Cli, tickets: Path) -> None:
    for more, told in (
        (("--trials", "3"), "--trials cannot be used with it"),
        (("--recipe", "bag-of-words"), "PF405"),
        (("--task", "ordinal"), "--dry-run cannot be used with it"),
    ):
        ran = cli("tune", tickets, *COLUMNS, "--dry-run", *more)
        assert ran.code != 0
        assert told in ran.err
