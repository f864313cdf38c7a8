"""How many requests of each kind came."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.learn.entry import Entry
from payoff.learn.experiments.assignment import shadow_id
from payoff.learn.journal import Journal
from payoff.learn.kinds import Kind, kinds_asked

ENTRY = Entry("r", "a" * 64, "t", "refund", "refund", 0.9, 3.2, "USD", 4.0)
PROBABILITIES = (0.0, 0.049, 0.05, 0.3, 0.35, 0.8999, 0.9, 0.98, 0.995, 1.0)


def test_every_decision_is_counted_in_the_kind_that_it_is_of(books_url: str) -> None:
    """The database and Python put each probability, edges among them, into the same interval."""
    rows = [(p, action) for p in PROBABILITIES for action in ("refund", "handoff", "handoff")]
    with Journal.open(books_url) as journal:
        assert kinds_asked(journal) == {}
        entries = [
            replace(
                ENTRY,
                request_id=f"r-{number}",
                probability=p,
                action=action,
                time_utc=f"2026-01-{1 + number:02d}T00:00:00.000000Z",
            )
            for number, (p, action) in enumerate(rows)
        ]
        journal.append(entries)
        journal.append([replace(ENTRY, request_id=shadow_id("r-0"), experiment="new")])
        found = kinds_asked(journal)
        by_hand: dict[Kind, int] = {}
        for p, action in rows:
            kind = Kind.of(action == "handoff", p)
            by_hand[kind] = by_hand.get(kind, 0) + 1
        assert found == by_hand
        assert sum(found.values()) == len(rows)
        part = kinds_asked(journal, since="2026-01-04", until="2026-01-06T12")
        assert part == {Kind.of(False, 0.049): 1, Kind.of(True, 0.049): 2}
        journal.append([replace(ENTRY, request_id="other", artifact_sha256="b" * 64)])
        assert kinds_asked(journal, without=["b" * 64]) == by_hand != kinds_asked(journal)


@settings(deadline=None)
@given(st.floats(0, 1), st.floats(0, 1))
def test_who_is_surer_is_of_no_lower_kind(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert Kind.of(True, low) <= Kind.of(True, high)
