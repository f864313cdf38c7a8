"""The books: what is booked is exact, booked once, and added up to the cent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, insert, inspect

from payoff.artifact.runtime.answered_label import Answer
from payoff.artifact.runtime.token_price import TokenPrice
from payoff.core.errors import EconomicsError, Problems, ProjectError, ServiceError
from payoff.core.findings import Status
from payoff.core.money import Money
from payoff.economics.costs import CostLine, Step
from payoff.economics.prices.exchange import ExchangeRates
from payoff.economics.prices.llm import price_llm_call
from payoff.learn.booking import Booking
from payoff.learn.entry import Entry, now_utc
from payoff.learn.hold import Hold
from payoff.learn.journal import Journal
from payoff.learn.meter import Meter
from payoff.learn.migrations import migrate
from payoff.learn.spending import SpendingTerms, spent, total, unpriced
from payoff.learn.tables import decisions

TERMS = SpendingTerms(currency="USD", per_month=1.0, machine_per_hour=0.36)
DAY = date(2026, 11, 22)


def line(quantity: float, price: str, **more: object) -> CostLine:
    facts = {"currency": "USD", "step": Step.LABELS, "what": "labels", "unit": "label"} | more
    return CostLine(
        facts["step"],  # type: ignore[arg-type]
        str(facts["what"]),
        quantity,
        str(facts["unit"]),
        Money.of(price, str(facts["currency"])),
        as_of=None,
        source="stated",
        measured=True,
        note=str(facts.get("note", "")),
    )


def booking(name: str, of: CostLine, day: str = "2026-11-22") -> Booking:
    return Booking(name, "support", of, time_utc=f"{day}T10:00:00.000000Z")


@pytest.fixture
def journal(books_url: str) -> Iterator[Journal]:
    """On SQLite and on PostgreSQL."""
    with Journal.open(books_url) as opened:
        yield opened


def test_a_bill_by_hand(journal: Journal) -> None:
    journal.book(
        [
            booking("a", line(300, "0.08")),  # 24.00
            booking("b", line(0.5, "0.10", step=Step.TRAINING, what="lora", unit="hour")),  # 0.05
            booking("c", line(0.25, "0.10", step=Step.TRAINING, what="lora", unit="hour")),  # 0.025
            booking("d", line(1, "7", step=Step.INFERENCE, what="rent"), "2026-12-01"),
        ]
    )
    rows = spent(journal.bookings(), "USD")
    assert [(r.month, r.what, r.amount.amount, r.n_lines) for r in rows] == [
        ("2026-11", "labels", Decimal("24.00"), 1),
        ("2026-11", "lora", Decimal("0.075"), 2),
        ("2026-12", "rent", Decimal("7"), 1),
    ]
    assert rows[1].quantity == 0.75
    assert total(rows, "USD") == Money.of("31.075", "USD")
    assert [b.booking_id for b in journal.bookings("2026-12")] == ["d"]
    assert journal.bookings("2025") == []
    assert unpriced(rows).status is Status.PASSED
    assert unpriced([]).status is Status.NOT_APPLICABLE


@given(
    st.lists(
        st.tuples(
            st.floats(0, 1e6, allow_nan=False),
            st.decimals(0, 1000, places=6),
            st.sampled_from(["2026-10-31", "2026-11-01", "2026-11-30"]),
        ),
        max_size=30,
    )
)
@settings(max_examples=25, deadline=None)
def test_the_months_add_up_to_the_lines_to_the_cent(
    drawn: list[tuple[float, Decimal, str]],
) -> None:
    with Journal.open("sqlite://") as books:
        books.book(
            [
                booking(f"b-{n}", line(quantity, str(price), what=f"w{n % 3}"), day)
                for n, (quantity, price, day) in enumerate(drawn)
            ]
        )
        by_hand: dict[str, Decimal] = {}
        for quantity, price, day in drawn:
            by_hand[day[:7]] = by_hand.get(day[:7], Decimal(0)) + Decimal(str(quantity)) * price
        for month in ("2026-10", "2026-11"):
            rows = [r for r in spent(books.bookings(), "USD") if r.month == month]
            assert rows == spent(books.bookings(month), "USD")
            assert abs(total(rows, "USD").amount - by_hand.get(month, 0)) < Decimal("0.005")


def test_nothing_is_booked_twice(journal: Journal) -> None:
    one = booking("a", line(3, "0.08"))
    assert journal.book([one, one]) == 1
    later = replace(one, time_utc=now_utc())
    assert journal.book([later, booking("b", line(1, "1"))]) == 1
    assert journal.bookings()[0] == one
    assert len(spent([*journal.bookings(), *journal.bookings()], "USD")) == 1
    with pytest.raises(ServiceError, match="PF713"):
        journal.book([booking("c", line(1, "1")), booking("a", line(4, "0.08"))])
    with pytest.raises(ServiceError, match="PF713"):
        journal.book([booking("e", line(1, "1")), booking("e", line(2, "1"))])
    assert [b.booking_id for b in journal.bookings()] == ["a", "b"]
    assert journal.book([]) == 0


def test_all_that_a_line_says_is_kept(journal: Journal) -> None:
    full = CostLine(
        Step.API, "模型", 0.1 + 0.2, "token", Money.of("0.000000123456789", "USD"), as_of=DAY,
        source="genai-prices", measured=False, note="退款",
    )  # fmt: skip
    kept = Booking("x", "p", full, cpu_s=1.5)
    journal.book([kept])
    assert journal.bookings() == [kept]


PROGRAM = """
import os, sys
from payoff.core.money import Money
from payoff.economics.costs import labels_line
from payoff.learn.booking import Booking
from payoff.learn.journal import Journal
with Journal.open(sys.argv[1]) as journal:
    for i in range(20):
        mine, shared = (Booking(name, "p", labels_line(1, Money.of("0.01", "USD")))
                        for name in (f"{sys.argv[2]}-{i}", f"shared-{i}"))
        journal.book([mine, shared])
    if sys.argv[3] == "killed":
        os.kill(os.getpid(), 9)
"""


def test_processes_book_together_and_one_is_killed(books_url: str) -> None:
    path = books_url
    running = [
        subprocess.Popen([sys.executable, "-c", PROGRAM, path, str(n), how])
        for n, how in enumerate(("killed", "ends"))
    ]
    assert [process.wait(timeout=60) for process in running] == [-signal.SIGKILL, 0]
    with Journal.open(path) as books:
        assert total(spent(books.bookings(), "USD"), "USD") == Money.of("0.60", "USD")


def test_a_process_killed_in_between_books_all_or_nothing(books_url: str) -> None:
    path = books_url
    program = PROGRAM.replace("range(20)", "range(10**6)").replace(
        "journal.book([mine, shared])", "journal.book([mine, shared]); print(i, flush=True)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, path, "0", "ends"], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    for _ in range(5):
        process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    with Journal.open(path) as books:
        ids = [b.booking_id for b in books.bookings()]
    assert len(ids) >= 10
    assert len(ids) % 2 == 0
    assert {i.split("-")[1] for i in ids if i.startswith("0")} == {
        i.split("-")[1] for i in ids if i.startswith("shared")
    }


def test_a_journal_of_decisions_alone_gains_the_books(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    entry = Entry("r-1", "a", "t", "refund", "refund", 0.9, 3.2, "USD", 4.0)
    first = create_engine(f"sqlite:///{path}")
    with first.begin() as connection:  # as the first payoff left it
        migrate(connection, now_utc(), up_to=1)
        known = [column["name"] for column in inspect(connection).get_columns("decisions")]
        row = {name: getattr(entry, name) for name in known if name != "id"}
        connection.execute(insert(decisions), [row])
    first.dispose()
    with Journal.open(path) as books:
        assert books.read() == [entry]
        assert books.book([booking("a", line(1, "1"))]) == 1


# --- currencies ---------------------------------------------------------------------------------


def test_currencies_need_a_dated_rate() -> None:
    euros = booking("a", line(10, "1", currency="EUR"))
    with pytest.raises(EconomicsError, match="PF605"):
        spent([euros], "USD")
    rates = ExchangeRates.of("USD", {"EUR": "1.08"}, as_of=DAY, source="ECB")
    assert spent([euros], "USD", rates=rates)[0].amount == Money.of("10.80", "USD")
    early = booking("b", line(10, "1", currency="EUR"), "2026-11-21")
    with pytest.raises(EconomicsError, match="PF605"):  # no rate was known on that day
        spent([early], "USD", rates=rates)


# --- the meter ----------------------------------------------------------------------------------


def test_time_is_booked_once_at_the_stated_price(journal: Journal) -> None:
    begun = time.monotonic()
    meter = Meter(journal, "support", TERMS)
    sum(range(10**6))
    meter.book("first")
    time.sleep(0.05)
    meter.book("second")
    took = time.monotonic() - begun
    first, second = journal.bookings()
    hours = first.line.quantity + second.line.quantity
    assert second.line.quantity >= 0.05 / 3600
    assert 0.05 <= hours * 3600 <= took
    assert first.line.amount == Money.of("0.36", "USD") * first.line.quantity
    assert first.cpu_s is not None
    assert 0 < first.cpu_s <= took
    assert first.line.step is Step.TRAINING
    assert first.line.measured


def test_an_hour_without_a_price_is_told(journal: Journal) -> None:
    Meter(journal, "support", SpendingTerms(currency="USD")).book("lora")
    rows = spent(journal.bookings(), "USD")
    assert rows[0].amount == Money.of(0, "USD")
    finding = unpriced(rows)
    assert finding.failed
    assert "lora" in finding.detail
    assert "price_per_hour" in finding.mend


def used(quantity: float) -> CostLine:
    """Hours of training at 0.10 USD."""
    return line(quantity, "0.1", step=Step.TRAINING, what="lora", unit="h")


def test_labels_at_hand_are_paid_and_stop_nothing(journal: Journal) -> None:
    meter = Meter(journal, "support", TERMS)
    meter.book_labels([("card?", "card"), ("fee?", "fee")], Money.of("9", "USD"))
    meter.allow("lora", 9_900)
    with pytest.raises(EconomicsError, match=r"0\.0000 USD of 1\.0000 USD are spent"):
        meter.allow("lora", 10_100)


def test_the_budget_stops_what_would_exceed_it(journal: Journal) -> None:
    meter = Meter(journal, "support", TERMS)
    meter.allow("lora", 9_900)  # 0.99 USD
    with pytest.raises(EconomicsError, match="PF620") as caught:
        meter.allow("lora", 10_100)
    told = str(caught.value)
    assert "0.0000 USD of 1.0000 USD are spent" in told
    assert "1.0000 USD are left" in told
    assert "lora would cost about 1.01" in told
    journal.book([replace(booking("a", used(9)), time_utc=now_utc())])  # 0.90 USD
    meter.allow("lora", 990)
    with pytest.raises(EconomicsError, match="PF620"):
        meter.allow("lora", 1_010)
    journal.book([replace(booking("b", used(1)), time_utc=now_utc())])
    before = len(journal.bookings())
    with pytest.raises(EconomicsError, match="PF620"):
        meter.tick("lora")
    assert len(journal.bookings()) == before + 1  # what was used is booked first


def test_the_budget_is_of_one_project_and_one_month(journal: Journal) -> None:
    journal.book(
        [
            replace(booking("a", line(9, "1")), project="another", time_utc=now_utc()),
            booking("b", line(9, "1"), "2020-01-01"),
        ]
    )
    Meter(journal, "support", TERMS).allow("lora", 1000)
    no_budget = SpendingTerms(currency="USD", machine_per_hour=1e9)
    Meter(journal, "support", no_budget).allow("lora", 1000)


def test_a_label_is_bought_once(journal: Journal) -> None:
    meter = Meter(journal, "support", TERMS)
    price = Money.of("0.08", "USD")
    few = [("refund me", "refund"), ("card?", "card"), ("refund me", "refund")]
    assert meter.book_labels(few, price) == 2
    assert meter.book_labels([*few, ("why", "billing")], price) == 1
    assert meter.book_labels([("card?", "billing")], price) == 1  # labelled again, otherwise
    assert total(spent(journal.bookings(), "USD"), "USD") == Money.of("0.32", "USD")


def test_answers_are_booked_once_at_the_dated_price(journal: Journal) -> None:
    meter = Meter(journal, "support", TERMS)
    usage = {
        "model": "gpt-4o-mini",
        "base_url": "https://api.openai.com/v1",
        "n_answers": 10,
        "input_tokens": 2_000_000,
        "output_tokens": 1_000_000,
        "n_unmetered": 0,
    }
    for _ in range(2):
        meter.book_answers(usage, "service-1", on=DAY)
    both = price_llm_call("gpt-4o-mini", input_tokens=2_000_000, output_tokens=1_000_000, on=DAY)
    rows = spent(journal.bookings(), "USD")
    assert [row.quantity for row in rows] == [1_000_000, 2_000_000]
    assert total(rows, "USD").rounded(9) == both.cost.rounded(9)
    assert journal.bookings()[0].line.as_of == DAY
    meter.book_answers({**usage, "model": "no-such-model"}, "service-2", on=DAY)
    finding = unpriced(spent(journal.bookings(), "USD"))
    assert finding.n_affected == 2
    assert "no-such-model" in finding.detail
    meter.book_answers(
        {**usage, "n_answers": 0, "input_tokens": 0, "output_tokens": 0}, "z", on=DAY
    )
    assert len(journal.bookings()) == 4


STATED = TokenPrice.parse("1000 2000 USD", where="here")  # 1 and 2 thousandths of a dollar
WITHIN = {"model": "tiny", "base_url": "http://here/v1", "within": "trained-1", "on": DAY}


def test_each_answer_is_booked_once_for_ever(journal: Journal) -> None:
    meter = Meter(journal, "support", TERMS)
    answers = {
        "one": Answer("card", input_tokens=100, output_tokens=5),
        "two": Answer("fee", input_tokens=90, output_tokens=0),
    }
    for _ in range(2):
        meter.book_paid(answers, **WITHIN, price=STATED)  # type: ignore[arg-type]
    more = answers | {"three": Answer("", input_tokens=70, output_tokens=3, metered=False)}
    dearer = TokenPrice.parse("9000 9000 USD", where="here")
    meter.book_paid(more, **WITHIN, price=dearer)  # type: ignore[arg-type]
    lines = [one.line for one in journal.bookings()]
    assert [line.quantity for line in lines] == [100, 5, 90, 70, 3]
    assert [line.measured for line in lines] == [True, True, True, False, False]
    by_hand = Decimal("0.100") + Decimal("0.010") + Decimal("0.090") + 73 * Decimal("0.009")
    assert total(spent(journal.bookings(), "USD"), "USD").amount == by_hand
    elsewhere = WITHIN | {"within": "trained-2"}  # where it was paid for again
    meter.book_paid({"one": answers["one"]}, **elsewhere, price=STATED)  # type: ignore[arg-type]
    Meter(journal, "other", TERMS).book_paid(answers, **WITHIN, price=STATED)  # type: ignore[arg-type]
    assert len(journal.bookings()) == 5 + 2 + 3
    meter.book_paid({}, **WITHIN)  # type: ignore[arg-type]


def test_answers_use_up_what_is_held_for_them(journal: Journal) -> None:
    meter, other = Meter(journal, "support", TERMS), Meter(journal, "support", TERMS)
    meter.allow("asking", 0.0, besides=Money.of("0.9", "USD"))
    assert (other.left() or Money.of(9, "USD")) <= Money.of("0.1", "USD")
    with pytest.raises(EconomicsError, match="PF620"):
        other.allow("lora", 1_100)  # 0.11 USD
    answers = {"one": Answer("card", input_tokens=400, output_tokens=0)}
    meter.book_paid(answers, **WITHIN, price=STATED)  # type: ignore[arg-type]
    held = journal.standing("support")[1][0].amount
    assert Money.of("0.49", "USD") < held < Money.of("0.51", "USD")
    with pytest.raises(EconomicsError, match="PF620"):
        other.allow("lora", 1_100)
    meter.release()
    other.allow("lora", 1_100)


def test_what_an_endpoint_costs_is_held_in_the_currency_of_the_books(journal: Journal) -> None:
    euros = Meter(journal, "support", replace(TERMS, currency="EUR"))
    with pytest.raises(EconomicsError, match="PF605"):
        euros.allow("asking", 0.0, besides=Money.of(1, "USD"))
    rates = ExchangeRates.of("EUR", {"USD": "0.5"}, as_of=date(2020, 1, 1), source="test")
    euros.terms = replace(euros.terms, rates=rates)
    euros.allow("asking", 0.0, besides=Money.of("1.9", "USD"))
    with pytest.raises(EconomicsError, match="PF620"):
        euros.allow("asking", 0.0, besides=Money.of("2.1", "USD"))


# --- what the project states --------------------------------------------------------------------


def test_terms_are_checked() -> None:
    read = SpendingTerms.from_dict(
        {"per_month": 5},
        {"price_per_hour": 0.1, "watts_per_cpu": 7, "grams_per_kwh": 100, "country": "DE"},
        currency="EUR",
    )
    assert (read.watts_per_cpu.value, read.watts_per_cpu.source) == (7, "payoff.toml [machine]")
    assert read.grams_per_kwh is not None
    assert read.grams_per_kwh.value == 100
    assert SpendingTerms.from_dict({}, {}) == SpendingTerms(currency="USD")
    germany = SpendingTerms.from_dict({}, {"country": "DE"}).grams_per_kwh
    assert germany is not None
    assert germany.value == pytest.approx(380.95)
    with pytest.raises(ProjectError, match="'price_per_hour' is missing"):
        SpendingTerms.from_dict({"per_month": 5}, {})
    with pytest.raises(ProjectError, match=r"PF203.*no carbon"):
        SpendingTerms.from_dict({}, {"country": "D"})
    with pytest.raises(Problems) as caught:
        SpendingTerms.from_dict(
            {"per_month": -1, "per_moth": 3}, {"price_per_hour": float("nan"), "watts_per_cpu": -2}
        )
    assert [problem.code for problem in caught.value.problems] == [
        "PF202", "PF203", "PF203", "PF203",
    ]  # fmt: skip


# --- holds: two runs, one budget ----------------------------------------------------------------


def test_what_one_run_holds_another_cannot_begin(journal: Journal) -> None:
    first, second = Meter(journal, "support", TERMS), Meter(journal, "support", TERMS)
    first.allow("lora", 6_000)  # 0.60 of 1.00 USD
    with pytest.raises(EconomicsError, match="PF620") as caught:
        second.allow("fine-tune", 6_000)
    assert "0.6000 USD of them held for lora" in caught.value.found
    Meter(journal, "other", TERMS).allow("fine-tune", 6_000)  # another project's money
    second.allow("bag-of-words", 3_000)
    first.allow("smaller", 3_000)  # a new hold takes the place of the old one
    first.release()
    second.allow("fine-tune", 9_000)


def test_a_booking_is_not_held_a_second_time(journal: Journal) -> None:
    hour = SpendingTerms(currency="USD", per_month=10.0, machine_per_hour=3600.0)  # 1 USD a second
    meter = Meter(journal, "support", hour)
    meter.allow("lora", 5)
    meter._since -= 4  # four seconds have passed
    meter.book("lora")
    with pytest.raises(EconomicsError, match="PF620") as caught:
        Meter(journal, "support", hour).allow("fine-tune", 9)
    held = float(caught.value.found.split(" USD of them held")[0].rsplit(" ", 1)[1])
    assert held <= 1.0  # of the five seconds four are booked


def test_a_tick_keeps_what_is_held_for_the_rest(journal: Journal) -> None:
    hour = SpendingTerms(currency="USD", per_month=1000.0, machine_per_hour=3600.0)
    meter = Meter(journal, "support", hour)
    meter.allow("lora", 500)
    meter.tick("lora")
    with pytest.raises(EconomicsError, match="PF620"):
        Meter(journal, "support", hour).allow("fine-tune", 600)


HOLDS = """
import sys
from payoff.core.errors import EconomicsError
from payoff.learn.journal import Journal
from payoff.learn.meter import Meter
from payoff.learn.spending import SpendingTerms

terms = SpendingTerms(currency="USD", per_month=1.0, machine_per_hour=0.36)
with Journal.open(sys.argv[1], timeout_s=60.0) as journal:
    meter = Meter(journal, "support", terms)
    sys.stdin.readline()  # all begin together
    try:
        meter.allow("training", 4_000)  # 0.40 USD: two fit into 1.00 USD
        answer = "allowed"
    except EconomicsError as error:
        answer = error.code
    sys.stdout.write(answer + "\\n")
    sys.stdout.flush()
    sys.stdin.readline()  # and hold it until all have asked
"""


def test_of_several_processes_only_those_that_fit_pass_together(
    books_url: str, repository: Path
) -> None:
    path = books_url
    Journal.open(path).close()
    started = [
        subprocess.Popen(
            [sys.executable, "-c", HOLDS, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=repository,
        )
        for _ in range(4)
    ]
    try:
        for process in started:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [process.stdout.readline().strip() for process in started if process.stdout]
    finally:
        for process in started:
            process.communicate("done\n", timeout=60)
    assert sorted(answers) == ["PF620", "PF620", "allowed", "allowed"]
    assert [process.returncode for process in started] == [0, 0, 0, 0]
    with Journal.open(path) as journal:  # they have ended without a word, and hold nothing
        Meter(journal, "support", TERMS).allow("training", 9_900)


def test_a_hold_of_another_machine_ends_with_its_time(journal: Journal) -> None:
    def hold(until: str) -> Hold:
        amount = Money.of("0.9", "USD")
        return Hold("elsewhere|1|x", "support", "a run", amount, until)

    journal.hold(hold(now_utc(60.0)), lambda booked, others: hold(now_utc(60.0)))
    with pytest.raises(EconomicsError, match="PF620"):
        Meter(journal, "support", TERMS).allow("lora", 5_000)
    journal.hold(hold(now_utc(-1.0)), lambda booked, others: hold(now_utc(-1.0)))
    Meter(journal, "support", TERMS).allow("lora", 5_000)
