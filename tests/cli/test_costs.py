"""``payoff costs``: the books as people and machines read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from payoff.cli.main import run_command_line
from payoff.core.money import Money
from payoff.economics.costs import CostLine, Step
from payoff.learn.booking import Booking
from payoff.learn.journal import Journal

PROJECT = """
name = "support"
[data]
path = "tickets.csv"
text = "message"
label = "intent"
[value]
currency = "USD"
correct = 3
wrong = -7
handoff = -2
[traffic]
per_month = 1000
[currency]
as_of = 2026-11-01
source = "ECB"
rates = {EUR = 1.10}
[machine]
price_per_hour = 0.10
country = "FR"
[budget]
per_month = 30
"""


def book(path: Path, *bookings: tuple[str, float, str, str, str]) -> None:
    with Journal.open(path) as journal:
        for name, quantity, price, currency, month in bookings:
            line = CostLine(
                Step.TRAINING, f"candidate {name}", quantity, "hour", Money.of(price, currency),
                as_of=None, source="payoff.toml [machine]", measured=True,
            )  # fmt: skip
            time_utc = f"{month}-15T10:00:00.000000Z"
            journal.book([Booking(name, "support", line, cpu_s=3600.0, time_utc=time_utc)])


@pytest.fixture
def project(tickets: Path) -> Path:
    (tickets.parent / "payoff.toml").write_text(PROJECT, "utf-8")
    book(
        tickets.parent / "support.journal.db",
        ("a", 2.0, "0.10", "USD", "2026-11"),
        ("b", 10.0, "1.00", "EUR", "2026-11"),
        ("c", 5.0, "0.10", "USD", "2026-12"),
    )
    return tickets.parent


def asked(*words: str, capsys: pytest.CaptureFixture[str]) -> Any:
    assert run_command_line(["costs", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_months_against_the_budget(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = asked(str(project), capsys=capsys)
    assert [m["month"] for m in told["months"]] == ["2026-11", "2026-12"]
    november, december = told["months"]
    assert float(november["total"]) == pytest.approx(2 * 0.10 + 10 * 1.10)
    assert float(november["left"]) == pytest.approx(30 - 11.20)
    assert float(december["total"]) == 0.5
    # two hours of one processor at 3.9725 W in France, 56.039 g/kWh
    assert november["energy"]["kwh"] == pytest.approx(2 * 3.9725e-3)
    assert november["energy"]["grams_co2e"] == pytest.approx(2 * 3.9725e-3 * 56.039)
    assert told["findings"][0]["status"] == "passed"
    only = asked(str(project), "--month", "2026-12", capsys=capsys)
    assert only["months"] == [december]


def test_for_people(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["costs", str(project)]) == 0
    out = capsys.readouterr().out
    assert "11.20 USD" in out
    assert "30.00 USD, of which 18.80 USD are left" in out
    assert "g CO2e" in out
    assert run_command_line(["costs", str(project), "--month", "2020-01"]) == 0
    assert "Nothing is booked in 2020-01." in capsys.readouterr().out


def test_several_journals_count_each_booking_once(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = project / "support.journal.db"
    other = tmp_path / "other.journal.db"
    book(other, ("c", 5.0, "0.10", "USD", "2026-12"), ("d", 1.0, "0.10", "USD", "2026-12"))
    told = asked(str(project), str(own), str(other), f"sqlite:///{other}", capsys=capsys)
    assert float(told["months"][1]["total"]) == pytest.approx(0.6)
    alone = asked(str(other), capsys=capsys)
    assert (alone["currency"], alone["budget_per_month"]) == ("USD", None)
    assert asked(str(tmp_path / "other.payoff"), capsys=capsys) == alone


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--month", "11-2026"], "PF290"),
        (["--month", "2026-13"], "PF290"),
        (["--currency", "EUR"], "PF290"),
    ],
)
def test_wrong_words(
    project: Path, words: list[str], code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["costs", str(project), *words]) == 2
    assert code in capsys.readouterr().err


def test_no_journal_and_no_rate(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["costs", str(tmp_path / "none.payoff")]) == 2
    assert "PF293" in capsys.readouterr().err
    assert not (tmp_path / "none.journal.db").exists()
    assert (
        run_command_line(["costs", str(project / "support.journal.db"), "--currency", "USD"]) == 2
    )
    assert "PF605" in capsys.readouterr().err


def test_a_run_books_into_the_journal_of_its_project(
    tickets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    project = PROJECT + "[labels]\nprice_each = 0.08\n[search]\nminutes = 1\n"
    (tickets.parent / "payoff.toml").write_text(project, "utf-8")
    words = ["run", str(tickets.parent), "--recipe", "bag-of-words", "--json", "-q"]
    assert run_command_line(words) == 0
    capsys.readouterr()
    (month,) = asked(str(tickets.parent), capsys=capsys)["months"]
    by_step = {line["step"]: line for line in month["lines"]}
    assert by_step["labels"]["quantity"] == 90
    assert float(by_step["labels"]["amount"]) == pytest.approx(7.20)
    assert 0 < float(month["total"]) - 7.20 < 0.01
    poor = project.replace("per_month = 30", "per_month = 0.0000001")
    (tickets.parent / "payoff.toml").write_text(poor.replace("correct = 3", "correct = 4"), "utf-8")
    assert run_command_line([*words, "--seed", "5"]) == 2
    assert "PF620" in capsys.readouterr().out


def test_an_hour_without_a_price_needs_no_rate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "tickets.journal.db"
    book(path, ("a", 2.0, "0", "USD", "2026-11"), ("b", 10.0, "0.30", "VND", "2026-11"))
    told = asked(str(path), capsys=capsys)
    assert told["currency"] == "VND"
    assert float(told["months"][0]["total"]) == 3.0
