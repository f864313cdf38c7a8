"""Two models in one journal: what is told of one is nothing of the other's. On both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.learn.test_review import POLICY, entry
from tests.learn.watching.test_alert_book import ALERT

from payoff.core.money import Money
from payoff.economics.costs import labels_line
from payoff.learn.booking import Booking
from payoff.learn.events import alert_log, experiment_log
from payoff.learn.experiments import book
from payoff.learn.experiments.course import EXAMPLE
from payoff.learn.feedback import Feedback, take
from payoff.learn.journal import Journal
from payoff.learn.month_costs import month_costs, step_costs
from payoff.learn.neighbours import NOBODY, Neighbours, neighbours_of
from payoff.learn.outcomes import told_by_source
from payoff.learn.review import waiting
from payoff.learn.tally import newest_latencies_ms
from payoff.learn.versions import note_made, note_place, release
from payoff.learn.watching.alert_book import AlertBook

OLD, NEW, OTHER, BOTH = (sign * 64 for sign in "abcd")


@pytest.fixture
def journal(books_url: str) -> Iterator[Journal]:
    """The model `topic` has one version here, `mood` has had two; an artifact served as both."""
    with Journal.open(books_url) as journal:
        release(journal, "mood", OLD)
        release(journal, "mood", NEW)
        release(journal, "topic", OTHER)
        release(journal, "topic", BOTH)
        note_made(journal, "mood", BOTH, {})
        journal.append(
            [
                entry(1, artifact_sha256=OLD, latency_ms=1.0),
                entry(2, artifact_sha256=NEW, latency_ms=2.0),
                entry(3, artifact_sha256=OTHER, latency_ms=3.0),
                entry(4, artifact_sha256=BOTH, latency_ms=4.0),
                entry(5, artifact_sha256="e" * 64, latency_ms=5.0),  # of which nothing is noted
            ]
        )
        line = labels_line(1, Money.of("0.08", "USD"))
        time_utc = "2026-11-30T00:00:00.000000Z"
        journal.book(
            [Booking(name, name, line, time_utc=time_utc) for name in ("mood", "topic", "project")]
        )
        yield journal


def test_neighbours_are_what_was_noted_of_others(journal: Journal) -> None:
    of_topic, of_mood = neighbours_of(journal, "topic"), neighbours_of(journal, "mood")
    assert of_topic == Neighbours(frozenset({"mood"}), frozenset({OLD, NEW}))
    assert of_mood == Neighbours(frozenset({"topic"}), frozenset({OTHER}))
    assert neighbours_of(journal, "new").artifacts == {OLD, NEW, OTHER, BOTH}


def test_the_queue_of_a_model_has_its_own_requests(journal: Journal) -> None:
    def queue(beside: Neighbours) -> set[str]:
        return {one.request_id for one in waiting(journal, POLICY, beside=beside)}

    assert queue(neighbours_of(journal, "topic")) == {"r-3", "r-4", "r-5"}
    assert queue(neighbours_of(journal, "mood")) == {"r-1", "r-2", "r-4", "r-5"}
    assert len(queue(NOBODY)) == 5


def test_times_feedback_and_costs_are_its_own(journal: Journal) -> None:
    beside = neighbours_of(journal, "topic")
    assert newest_latencies_ms(journal, beside=beside) == [5.0, 4.0, 3.0]
    take(journal, [Feedback(f"r-{n}", correct=True) for n in (1, 2, 3, 99)])
    assert told_by_source(journal, "2026-11-01", beside=beside) == [("system", 2)]
    assert told_by_source(journal, "2026-11-01") == [("system", 4)]
    (cost,) = month_costs(journal, "2026-11", beside=beside)
    (step,) = step_costs(journal, beside=beside)
    assert (cost.n_lines, step.n_lines) == (2, 2)
    assert month_costs(journal, "2026-11")[0].n_lines == 3


def test_the_logs_are_its_own(journal: Journal) -> None:
    for name in ("topic", "mood"):
        rules = replace(EXAMPLE.experiment, name=f"new-{name}", model=name)
        book.start(journal, rules, EXAMPLE.policy)
        AlertBook(journal).put_up(replace(ALERT, key=f"loss {name}", model=name))
    AlertBook(journal).silence("loss mood", until_utc="2099-01-01")
    assert [one.name for one in experiment_log(journal, model="topic")] == ["new-topic"]
    assert [one.event for one in alert_log(journal, models=["mood"])] == ["silenced", "raised"]
    assert [one.name for one in alert_log(journal, models=["topic"])] == ["loss topic"]
    assert (len(experiment_log(journal)), len(alert_log(journal))) == (2, 3)
    assert experiment_log(journal, model="other") == alert_log(journal, models=["other"]) == []


def test_a_version_that_two_models_share_belongs_to_both(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        assert neighbours_of(journal, "mood") == NOBODY
        release(journal, "mood", "a" * 64)
        note_made(journal, "mood", "b" * 64, {"artifact": "mood.2.payoff"})
        note_place(journal, "topic", "c" * 64, "topic.payoff")
        release(journal, "topic", "b" * 64)
        assert neighbours_of(journal, "mood").artifacts == {"c" * 64}
        assert neighbours_of(journal, "topic").artifacts == {"a" * 64}
        assert neighbours_of(journal, "mood", "topic") == NOBODY
        everybody = {"a" * 64, "b" * 64, "c" * 64}
        assert neighbours_of(journal) == Neighbours(
            frozenset({"mood", "topic"}), frozenset(everybody)
        )
