"""What counts of all that was told, restated, wherever payoff reckons with it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from payoff.core.errors import ServiceError
from payoff.economics.policy import Policy
from payoff.learn.entry import Entry, packed_probabilities
from payoff.learn.experiments.outcomes import requests_before
from payoff.learn.feedback import Feedback, take
from payoff.learn.journal import Journal
from payoff.learn.labelled import labelled_requests
from payoff.learn.migrations import migrate
from payoff.learn.outcomes import outcomes, realised
from payoff.learn.told import ANOTHER, Word, told_worth
from payoff.learn.watching.journal_window import labelled_since, newest
from payoff.learn.watching.watched_model import WatchedModel

LABELS = ("a", "b", "c")
VALUES = np.array([[3.0, -7.0, -6.0, -1.0], [-8.0, 4.0, -5.0, -1.5], [-2.0, -3.0, 2.0, -0.5]])
POLICY = Policy(LABELS, VALUES, segment_values={"vip": 10 * VALUES})
MODEL = WatchedModel(name="m", sha256="s" * 64, policy=POLICY, currency="USD")
ACTIONS = ("a", "b", "c", "handoff")
MONEY = (-2.5, 0.0, 7.25)


@dataclass(frozen=True)
class Said:
    """One piece of feedback as the test draws it: minutes after an hour, and its content."""

    request: int
    minute: int
    label: str
    correct: bool | None
    worth: float | None
    teller: str


def feedback(one: Said, number: int) -> Feedback:
    zone = timedelta(hours=number % 3)  # the same moment, written in another zone
    moment = datetime(2026, 11, 30, 8, one.minute, tzinfo=UTC) + zone
    written = moment.replace(tzinfo=None).isoformat() + f"+0{number % 3}:00"
    return Feedback(
        f"r-{one.request}", one.label, one.correct, one.worth, "person", one.teller, None,
        f"f-{number}", written,
    )  # fmt: skip


said = st.builds(
    Said,
    request=st.integers(0, 2),
    minute=st.integers(0, 2),
    label=st.sampled_from(("", "", "a", "b", "c", "unheard of")),
    correct=st.sampled_from((None, None, True, False)),
    worth=st.sampled_from((None, None, None, *MONEY)),
    teller=st.sampled_from(("ann", "bob")),
).filter(lambda one: bool(one.label) or one.correct is not None or one.worth is not None)


def last(told: Sequence[Said], request: int) -> Said | None:
    """The rule in other words: go through the times, and in each through the arrivals."""
    found = None
    for minute in range(3):
        for one in told:
            if one.request == request and one.minute == minute:
                found = one
    return found


def amount(word: Said | None, action: str, segment: str) -> float:
    """What the action earned, restated with lists."""
    if word is None:
        return math.nan
    if word.worth is not None:
        return word.worth
    table = [[10 * x if segment == "vip" else x for x in row] for row in VALUES.tolist()]
    column = ACTIONS.index(action)
    if word.label in LABELS:
        return table[LABELS.index(word.label)][column]
    if not word.label and word.correct and action != "handoff":
        return table[column][column]
    others = [row[column] for i, row in enumerate(table) if ACTIONS[i] != action]
    return sum(others) / len(others)


def journal_with(
    told: Sequence[Said], actions: Sequence[str], segments: Sequence[str], twice: int
) -> Journal:
    journal = Journal.open("sqlite://")
    p = np.array([0.5, 0.3, 0.2])
    plain = Entry(
        "r", "s" * 64, "t", "a", "a", 0.5, 1.0, "USD", 2.0, "2026-11-29T10:00:00.000000Z",
        cost=0.25, probabilities=packed_probabilities(p),
    )  # fmt: skip
    entries = [
        replace(plain, request_id=f"r-{i}", action=action, segment=segment)
        for i, (action, segment) in enumerate(zip(actions, segments, strict=True))
    ]
    early, late = entries[:1], entries[1:]  # feedback comes before some of its decisions
    journal.append(early)
    rows = [feedback(one, number) for number, one in enumerate(told)]
    take(journal, rows[: len(rows) // 2])
    take(journal, rows[: twice % (len(rows) + 1)])  # again what was taken, or is to come
    take(journal, rows)
    journal.append(late)
    return journal


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    told=st.lists(said, max_size=9),
    actions=st.lists(st.sampled_from(ACTIONS), min_size=3, max_size=3),
    segments=st.lists(st.sampled_from(("", "vip", "unheard of")), min_size=3, max_size=3),
    twice=st.integers(0, 9),
)
def test_everybody_reckons_with_the_same_word(
    told: list[Said], actions: list[str], segments: list[str], twice: int
) -> None:
    words = [last(told, i) for i in range(3)]
    true = [amount(*each) for each in zip(words, actions, segments, strict=True)]
    with journal_with(told, actions, segments, twice) as journal:
        days = realised(outcomes(journal, "2026-11-01"), POLICY)
        compared = requests_before(journal, "s" * 64, POLICY).realised
        window = newest(journal, MODEL, 10, after_id=0).window
        gaps, _ = labelled_since(journal, MODEL, after_id=0, since_utc="2026-11-30")
        votes = {one.request_id: one for block in labelled_requests(journal) for one in block}
    known = [one for one in true if not math.isnan(one)]
    assert days.get("2026-11-29", (0, 0.0)) == pytest.approx((len(known), sum(known)))
    assert compared == pytest.approx([one - 0.25 for one in true], nan_ok=True)
    assert window.realised == pytest.approx(true, nan_ok=True)
    expected = [one - e for one, e in zip(true, window.expected, strict=True)]
    assert sorted(gaps) == pytest.approx(sorted(one for one in expected if not math.isnan(one)))
    for i in range(3):
        labelled = [one for one in told if one.label]
        newest_label = last(labelled, i)
        found = votes.get(f"r-{i}")
        assert (found is None) == (newest_label is None)
        for without in ("", "ann"):
            rest = last([one for one in labelled if one.teller != without], i)
            vote = None if found is None else found.newest(without=[without])
            assert (vote and (vote.label, vote.teller)) == (rest and (rest.label, rest.teller))


def test_a_mean_over_others_is_told_where_no_label_is() -> None:
    words = [Word(correct=False), Word("unheard of"), Word(correct=True), Word()]
    found = told_worth(POLICY, words, ["a", "a", "handoff", "a"], ["", "vip", "", ""])
    assert found == pytest.approx([(-8 - 2) / 2, 10 * (-8 - 2) / 2, -1.0, math.nan], nan_ok=True)
    assert np.isnan(told_worth(POLICY, [Word("a")], ["gone"], [""])).all()
    assert Word(correct=True).truth("handoff") == ANOTHER


@pytest.mark.parametrize("time", ["yesterday", "2026-13-01", "0001-01-01T00:00:00+09:00"])
def test_a_time_that_is_none_is_refused(time: str) -> None:
    with pytest.raises(ServiceError, match="PF716") as caught:
        Feedback("r-1", label="a", time_utc=time)
    assert "ISO" in str(caught.value) or "2026-11-30" in str(caught.value)


def test_times_of_an_older_journal_are_settled(books_url: str) -> None:
    times = ["2026-01-02T00:00:00Z", "yesterday", "2026-01-01", "2026-01-01T01:00:00+02:00"]
    older = create_engine(books_url if "://" in books_url else f"sqlite:///{books_url}")
    with older.begin() as connection:
        migrate(connection, "2026-01-01T00:00:00Z", up_to=8)
        for number, time in enumerate(times):
            row = {"f": f"f-{number}", "t": time, "l": f"label {number}"}
            connection.execute(
                text(
                    "INSERT INTO feedback"
                    " (feedback_id, request_id, time_utc, label, source, person)"
                    " VALUES (:f, 'r-1', :t, :l, 'person', 'ann')"
                ),
                row,
            )
    older.dispose()
    for order in itertools.repeat((0, 2, 3, 1), 2):  # opened twice: settled once
        with Journal.open(books_url) as journal:
            ((found,),) = labelled_requests(journal)
            assert found.newest() is not None
            assert found.votes[0].label == f"label {order[0]}"
            with journal.reading() as connection:
                rows = connection.execute(
                    text("SELECT label FROM feedback ORDER BY time_utc DESC, id")
                ).scalars()
                assert list(rows) == [f"label {n}" for n in order]
