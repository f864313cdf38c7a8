"""The review queue and what the dashboard adds up, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from sqlalchemy import delete, insert

from payoff.core.money import Money
from payoff.economics.costs import labels_line
from payoff.economics.policy import Policy
from payoff.learn import tally as tallying
from payoff.learn.booking import Booking
from payoff.learn.entry import Entry, packed_probabilities
from payoff.learn.events import alert_log, experiment_log
from payoff.learn.feedback import Feedback, take, told_of
from payoff.learn.journal import Journal
from payoff.learn.month_costs import month_costs
from payoff.learn.outcomes import confusions, outcomes, realised, told_by_source
from payoff.learn.review import labelled, request_to_review, waiting, worth_of_label
from payoff.learn.tables import decisions, experiment_events
from payoff.learn.tally import Tally, newest_latencies_ms

LABELS = ("a", "b", "c")
VALUES = np.array([[3.0, -7.0, -6.0, -1.0], [-8.0, 4.0, -5.0, -1.5], [-2.0, -3.0, 2.0, -0.5]])
POLICY = Policy(LABELS, VALUES, segment_values={"vip": 10 * VALUES})
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def entry(number: int, p: list[float] | None = None, **changes: object) -> Entry:
    said = np.array(p or [0.5, 0.3, 0.2])
    made = Entry(
        f"r-{number}",
        "s" * 64,
        "t" * 64,
        "handoff",
        LABELS[int(said.argmax())],
        float(said.max()),
        -1.0,
        "USD",
        2.0,
        time_utc=f"2026-11-{number % 30 + 1:02d}T10:00:00.000000Z",
        probabilities=packed_probabilities(said),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_the_worth_of_a_label_is_that_of_perfect_information() -> None:
    rows = np.random.default_rng(0).dirichlet([0.5] * 3, 50)
    restated = []
    for p in rows:
        known = sum(p[i] * max(VALUES[i]) for i in range(3))
        blind = max(sum(p[i] * VALUES[i][a] for i in range(3)) for a in range(4))
        restated.append(known - blind)
    assert worth_of_label(rows, VALUES) == pytest.approx(restated)
    assert worth_of_label(np.eye(3), VALUES) == pytest.approx([0, 0, 0])
    assert (worth_of_label(rows, VALUES) >= 0).all()


def test_what_waits_is_in_the_order_of_its_worth(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        unsure, sure = [0.4, 0.35, 0.25], [0.98, 0.01, 0.01]
        entries = [
            entry(1, sure),
            entry(2, unsure),
            entry(3, unsure, segment="vip"),
            entry(4, unsure, action="a"),
            entry(5, unsure),
            entry(6, unsure),
            entry(7, probabilities=None),
            entry(8, [0.5, 0.5]),
        ]
        journal.append(entries, texts={"r-1": "one", "r-2": "two"})
        take(journal, [Feedback("r-5", label="b"), Feedback("r-6", correct=True)])
        found = waiting(journal, POLICY)
        assert [one.request_id for one in found] == ["r-3", "r-2", "r-6", "r-1", "r-7", "r-8"]
        assert found[0].worth == pytest.approx(10 * found[1].worth, abs=1e-5)
        assert [label for label, _ in found[1].suggestions] == ["a", "b", "c"]
        assert [one.text for one in found[1:4]] == ["two", None, "one"]
        assert found[-1].worth == 0.0
        again = request_to_review(journal, POLICY, "r-5")
        assert again is not None
        assert again.worth == found[1].worth
        assert request_to_review(journal, POLICY, "r-99") is None
        assert request_to_review(journal, POLICY, "r-5\0") is None


def test_a_label_of_a_person_is_written_once(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        journal.append([entry(1), entry(2)])
        form = {"person": "ann", "seconds": 6.0, "sent_as": "form-1"}
        for n_new in (2, 0):
            told = labelled(["r-1", "r-2", "r-1"], "b", **form)  # type: ignore[arg-type]
            assert take(journal, told).n_new == n_new
        (first,) = told_of(journal, ["r-1"])
        assert (first.label, first.source, first.person) == ("b", "person", "ann")
        assert waiting(journal, POLICY) == []


def test_a_tally_adds_each_decision_once(books_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallying, "_BLOCK", 3)
    with Journal.open(books_url) as journal:
        tally = Tally(journal)
        assert tally.read(NOW) == []
        journal.append([entry(n, worth=n / 4, cost=0.5) for n in range(10)])
        journal.append([entry(40, time_utc="2026-09-01T00:00:00.000000Z")])
        for _ in range(2):
            found = tally.read(NOW)
            assert [one.day for one in found] == [f"2026-11-{n + 1:02d}" for n in range(10)]
            assert [(one.n, one.worth, one.cost) for one in found] == [
                (1, n / 4, 0.5) for n in range(10)
            ]
        journal.append([entry(11, worth=1.0, time_utc="2026-11-01T11:00:00.000000Z")])
        assert tally.read(NOW)[0].worth == 1.0
        assert Tally(journal).read(NOW) == tally.read(NOW)
        assert tally.read(datetime(2026, 12, 9, tzinfo=UTC))[0].day == "2026-11-09"
        assert list(newest_latencies_ms(journal, 5)) == [2.0] * 5
        with journal.writing() as connection:
            connection.execute(delete(decisions))
        assert Tally(journal).read(NOW) == []


def test_outcomes_are_priced_by_the_newest_word(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        acts = ["a", "a", "b", "handoff", "a", "a"]
        journal.append([entry(n, action=act) for n, act in enumerate(acts)])
        journal.append([entry(50, action="c", segment="vip")])
        told = [
            ("r-0", {"label": "c"}),
            ("r-0", {"label": "b", "time_utc": "2099-01-01T00:00:00.000000Z"}),
            ("r-0", {"label": "c"}),
            ("r-1", {"correct": True}),
            ("r-2", {"worth": 1.25}),
            ("r-3", {"label": "b"}),
            ("r-4", {"correct": False}),
            ("r-5", {"label": "unknown"}),
            ("r-50", {"label": "a"}),
            ("r-99", {"label": "a"}),
        ]
        take(journal, [Feedback(key, **said) for key, said in told])  # type: ignore[arg-type]
        found = outcomes(journal, "2026-11-01")
        days = realised(found, POLICY)
        expected = {1: VALUES[1, 0], 2: VALUES[0, 0], 3: 1.25, 4: VALUES[1, 3]}
        expected[5] = expected[6] = float(np.mean(np.delete(VALUES[:, 0], 0)))
        expected[21] = 10 * VALUES[0, 2]
        assert days == {f"2026-11-{n:02d}": (1, worth) for n, worth in expected.items()}
        lost = [(one.truth, one.action, one.n, one.lost) for one in confusions(found, POLICY)]
        vip = 10 * (VALUES[0].max() - VALUES[0, 2])
        assert lost == [("a", "c", 1, vip), ("b", "a", 1, VALUES[1].max() - VALUES[1, 0])]
        assert outcomes(journal, "2026-12-01") == []
        assert told_by_source(journal, "2026-11-01") == [("system", 10)]


def test_costs_of_a_month_and_events(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        lines = [labels_line(n, Money.of("0.08", "USD")) for n in (3, 4, 5)]
        days = ("2026-11-01", "2026-11-30", "2026-10-31")
        journal.book(
            [
                Booking(f"b-{day}", "p", line, time_utc=f"{day}T23:59:59.000000Z")
                for day, line in zip(days, lines, strict=True)
            ]
        )
        (cost,) = month_costs(journal, "2026-11")
        assert (cost.n_lines, cost.currency) == (2, "USD")
        assert cost.amount == pytest.approx(0.56)
        rows = [
            {"experiment": "e", "time_utc": f"2026-11-0{n}", "event": "started", "facts": facts}
            for n, facts in enumerate(('{"share": 0.05}', "no JSON", "[1]"), 1)
        ]
        with journal.writing() as connection:
            connection.execute(insert(experiment_events), rows)
        facts = [dict(one.facts) for one in experiment_log(journal)]
        assert facts == [{"facts": [1]}, {"facts": "no JSON"}, {"share": 0.05}]
        assert alert_log(journal) == []
