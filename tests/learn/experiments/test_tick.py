"""What a schedule does with experiments: everything once, however often and by whomever."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from payoff.learn.experiments import book
from payoff.learn.experiments.course import EXAMPLE, Course
from payoff.learn.experiments.experiment import Experiment
from payoff.learn.experiments.look import Look
from payoff.learn.experiments.recommendation import Advice, Recommendation
from payoff.learn.experiments.tick import tick
from payoff.learn.experiments.undoing import OVERTAKEN
from payoff.learn.journal import Journal
from payoff.learn.tables import experiment_events
from payoff.learn.versions import RELEASED, history, note_made, release, released, roll_back

NEW = EXAMPLE.experiment.treatment


def begun(journal: Journal, **rules: Any) -> Course:
    experiment = Experiment.from_dict(EXAMPLE.experiment.as_dict() | rules)
    return book.start(journal, experiment, EXAMPLE.policy)


def events(journal: Journal) -> list[str]:
    with journal.reading() as connection:
        return [str(one) for one in connection.execute(select(experiment_events.c.event)).scalars()]


def advising(advice: Advice, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks that advise this, whatever was seen."""
    look_now = book.look_now

    def look(journal: Journal, course: Course) -> Look:
        return replace(look_now(journal, course), recommendation=Recommendation(advice, "seen"))

    monkeypatch.setattr(book, "look_now", look)


def while_looking(then: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, just after a look was taken and before anything is done, something else happens."""
    look_now, todo = book.look_now, [then]

    def look(journal: Journal, course: Course) -> Look:
        found = look_now(journal, course)
        if todo:
            todo.pop()()
        return found

    monkeypatch.setattr(book, "look_now", look)


def test_an_experiment_ramps_by_itself(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        assert tick(journal) == []
        course = begun(journal, step_days=1e-9)
        (found,) = tick(journal)
        assert (found.done, found.after.share) == ("ramped", 0.05)
        assert found.before.stages == course.stages
        assert found.as_dict()["done"] == "ramped"
        shares = [one.after.share for _ in range(5) for one in tick(journal)]
        assert shares == [0.25, 0.5, 0.5, 0.5, 0.5]
    with Journal.open(books_url) as journal:
        assert [one.done for one in tick(journal)] == ["waited"]


def test_the_time_of_a_step_is_kept(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        begun(journal)
        assert [one.done for one in tick(journal)] == ["waited"]
        assert events(journal) == ["started"]


def test_two_machines_ramp_once(books_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal.open(books_url) as journal, Journal.open(books_url) as second:
        begun(journal, step_days=1e-9)
        while_looking(lambda: tick(second), monkeypatch)
        (found,) = tick(journal)
        assert events(journal) == ["started", "ramped"]
        assert [stage.share for stage in found.after.stages] == [0.01, 0.05]


def test_a_promotion_is_released_once(books_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal.open(books_url) as journal, Journal.open(books_url) as second:
        note_made(journal, "support", NEW, {"artifact": "support.2.payoff", "version": 2})
        begun(journal)
        begun(journal, name="another", model="other")
        advising(Advice.PROMOTE, monkeypatch)
        assert [one.done for one in tick(journal, promoting=False)] == ["waited", "waited"]
        assert released(journal, "support") is None
        while_looking(lambda: tick(second), monkeypatch)
        assert [one.done for one in tick(journal)] == ["promoted", "promoted"]
        assert events(journal).count("promoted") == 2
        releases = [
            one
            for one in history(journal, "support")
            if (one.event, one.artifact_sha256) == (RELEASED, NEW)
        ]
        assert len(releases) == 1
        assert releases[0].facts["artifact"] == "support.2.payoff"
        assert releases[0].facts["experiment"] == "new-head"
        assert tick(journal) == []


def test_what_was_rolled_back_stays_so(books_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal.open(books_url) as journal:
        release(journal, "support", EXAMPLE.experiment.control)
        begun(journal)
        advising(Advice.PROMOTE, monkeypatch)
        tick(journal)
        roll_back(journal, "support")
        assert tick(journal) == []
        now = released(journal, "support")
        assert now is not None
        assert now.artifact_sha256 == EXAMPLE.experiment.control


def test_a_promotion_that_is_rolled_back_at_once_stays_so(
    books_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    act_on = book.act_on

    def acted(journal: Journal, *looked: Any, **how: Any) -> Course:
        found = act_on(journal, *looked, **how)
        roll_back(journal, "support")  # by somebody, before the tick has come to its end
        return found

    with Journal.open(books_url) as journal:
        release(journal, "support", EXAMPLE.experiment.control)
        begun(journal)
        advising(Advice.PROMOTE, monkeypatch)
        monkeypatch.setattr(book, "act_on", acted)
        assert [one.done for one in tick(journal)] == ["promoted"]
        now = released(journal, "support")
        assert now is not None
        assert now.artifact_sha256 == EXAMPLE.experiment.control


@pytest.mark.parametrize("rolled_back", [False, True])
def test_what_people_released_meanwhile_is_not_replaced(
    books_url: str, monkeypatch: pytest.MonkeyPatch, rolled_back: bool
) -> None:
    """The treatment was compared with the control, and with nothing else."""
    with Journal.open(books_url) as journal:
        other = "c" * 64
        if rolled_back:
            release(journal, "support", other)
        release(journal, "support", EXAMPLE.experiment.control)
        begun(journal)
        if rolled_back:
            roll_back(journal, "support")
        else:
            release(journal, "support", other)
        advising(Advice.PROMOTE, monkeypatch)
        (found,) = tick(journal)
        assert (found.done, found.after.facts) == ("stopped", OVERTAKEN)
        now = released(journal, "support")
        assert now is not None
        assert now.artifact_sha256 == other
        assert tick(journal) == []


def test_harm_is_stopped_and_released_nowhere(
    books_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Journal.open(books_url) as journal:
        begun(journal)
        advising(Advice.HARMFUL, monkeypatch)
        (found,) = tick(journal)
        assert (found.done, found.after.share) == ("stopped", 0.0)
        assert released(journal, "support") is None
