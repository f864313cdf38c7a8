"""A promotion that loses is taken back: once, with its alert, and never against people's will."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from payoff.core.errors import ServiceError
from payoff.economics.actions import HANDOFF
from payoff.learn.entry import Entry, now_utc
from payoff.learn.experiments import book, undoing
from payoff.learn.experiments.assignment import arm_of
from payoff.learn.experiments.course import EXAMPLE, Course
from payoff.learn.experiments.hold_back import HoldBack
from payoff.learn.experiments.look import Look
from payoff.learn.experiments.recommendation import Advice, Recommendation
from payoff.learn.experiments.rehearsal import Market, draw
from payoff.learn.experiments.tick import tick
from payoff.learn.feedback import Feedback, take
from payoff.learn.journal import Journal
from payoff.learn.tables import experiment_events
from payoff.learn.versions import WITHDRAWN, history, release, released, roll_back, withdraw
from payoff.learn.watching.alert_book import AlertBook
from payoff.learn.watching.notify.channel import Message
from payoff.learn.watching.notify.deliver import deliver

OLD, NEW = EXAMPLE.experiment.control, EXAMPLE.experiment.treatment
HELD = "new-head-hold-back"


def begun(journal: Journal, rule: HoldBack | None, name: str = "new-head") -> None:
    rules = replace(EXAMPLE.experiment, name=name, hold_back=rule)
    book.start(journal, rules, EXAMPLE.policy)


def promoted(journal: Journal, rule: HoldBack | None = None) -> Course:
    """The hold-back of a version that was promoted."""
    release(journal, "support", OLD, {"artifact": "support.payoff"})
    begun(journal, rule or HoldBack())
    book.promote(journal, "new-head")
    return book.course_of(journal)


def serving(journal: Journal) -> str:
    now = released(journal, "support")
    assert now is not None
    return now.artifact_sha256


def events(journal: Journal) -> list[tuple[str, str]]:
    wanted = select(experiment_events.c.experiment, experiment_events.c.event)
    with journal.reading() as connection:
        return [(one, two) for one, two in connection.execute(wanted.order_by("id"))]


def advising(advice: Advice, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks that advise this, whatever was seen."""
    look_now = book.look_now

    def look(journal: Journal, course: Course) -> Look:
        return replace(look_now(journal, course), recommendation=Recommendation(advice, "seen"))

    monkeypatch.setattr(book, "look_now", look)


MARKET = Market(requests_per_day=300.0, customers=1500)


def decide(journal: Journal, begin: str, course: Course | None, day: int, effect: float) -> None:
    """What customers ask on a day after a moment, each decided by its arm, and what came of it."""
    found = draw(MARKET, 1, effect=effect, seed=100 + day)
    first = datetime.fromisoformat(begin) + timedelta(days=day)
    entries, told = [], []
    for i, customer in enumerate(found.customer):
        arm = "" if course is None else arm_of(course, f"c{customer}", "")
        moment = (first + timedelta(days=float(found.day[i]))).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        earned = float((found.treatment if arm == "treatment" else found.control)[i])
        entries.append(
            Entry(
                f"r{day}-{i}", NEW if arm == "treatment" else OLD, "t",
                HANDOFF if found.handed_over[i] else "a", "a", 0.9, float(found.expected[i]),
                "USD", 3.0, moment, customer=f"c{customer}", arm=arm,
                experiment="" if course is None else course.experiment.name,
            )
        )  # fmt: skip
        told.append(Feedback(f"r{day}-{i}", worth=earned, time_utc=moment))
    journal.append(entries)
    take(journal, told)


def later(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    """So many days go by."""
    then = (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    monkeypatch.setattr(book, "now_utc", lambda: then)


def test_a_promotion_begins_its_hold_back(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        course = promoted(journal, HoldBack(share=0.1, days=14))
        assert serving(journal) == NEW
        assert events(journal) == [
            ("new-head", "started"), ("new-head", "promoted"), (HELD, "started"),
        ]  # fmt: skip
        assert (course.experiment.name, course.running, course.share) == (HELD, True, 0.9)
        assert course.size == {}  # no request came yet: nobody can promise anything
        assert book.running_on(journal, "support") is not None
    with Journal.open(books_url) as journal:  # a restart forgets nothing
        assert book.course_of(journal).as_dict() == course.as_dict()
        assert [one.done for one in tick(journal)] == ["waited"]


def test_without_one_nobody_is_held_back(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        begun(journal, None)
        book.promote(journal)
        assert book.running_on(journal, "support") is None


def test_a_bad_version_is_rolled_back_by_what_customers_told(
    books_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Journal.open(books_url) as journal:
        for day in range(-5, 0):
            decide(journal, now_utc(), None, day, 0.0)
        course = promoted(journal)
    day, found = 0, None
    while book_is_open(books_url):  # each day by another process
        assert day < 28, "nobody rolled it back"
        with Journal.open(books_url) as journal:
            decide(journal, course.since_utc, course, day, -6.0)
            day += 1
            later(monkeypatch, day)
            (found,) = tick(journal)
    with Journal.open(books_url) as journal:
        assert found is not None
        assert found.done == "rolled back"
        assert found.look.gain.high < 0
        assert serving(journal) == OLD
        *_, withdrawn, again = history(journal, "support")
        assert (withdrawn.event, withdrawn.artifact_sha256) == (WITHDRAWN, NEW)
        assert withdrawn.facts["by"] == undoing.BY
        assert withdrawn.facts["why"].startswith("Roll back: it loses ")
        assert withdrawn.facts["experiment"] == HELD
        assert again.facts["artifact"] == "support.payoff"
        lost = 6.0 * found.look.treatment.requests
        assert lost <= course.size["most_lost"]
        # The alert has the money, and is told once.
        (state,) = AlertBook(journal).states().values()
        assert (state.alert.key, state.stands) == (f"rollback {HELD}", False)
        assert 0 < state.alert.low < 6.0 * 300 * 1.2
        assert state.alert.low < 6.0 * 300 < state.alert.high
        heard = Listener()
        for _ in range(2):
            deliver(AlertBook(journal), [heard])
        assert [(one.event, one.alert.mended) for one in heard.told] == [("raised", True)]
        assert heard.told[0].body == state.alert.sentence
        # Nothing flips back: no look, no restart and no schedule promotes it again.
        assert tick(journal) == []
        assert serving(journal) == OLD
        assert [event for _, event in events(journal)].count("rolled back") == 1


def book_is_open(books_url: str) -> bool:
    with Journal.open(books_url) as journal:
        return book.course_of(journal, HELD).running


class Listener:
    """A channel that remembers what it was told."""

    name = "listener"

    def __init__(self) -> None:
        self.told: list[Message] = []

    def send(self, message: Message) -> None:
        self.told.append(message)


def test_two_machines_roll_back_once(books_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal.open(books_url) as journal, Journal.open(books_url) as second:
        promoted(journal)
        advising(Advice.ROLL_BACK, monkeypatch)
        look_now, todo = book.look_now, [lambda: tick(second)]

        def look(book_of: Journal, course: Course) -> Look:
            found = look_now(book_of, course)
            if todo:
                todo.pop()()
            return found

        monkeypatch.setattr(book, "look_now", look)
        (found,) = tick(journal)
        assert found.done == "rolled back"
        assert [one.event for one in history(journal, "support")].count(WITHDRAWN) == 1
        assert len(AlertBook(journal).states()) == 1


def test_what_is_killed_in_between_has_done_nothing(
    books_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with Journal.open(books_url) as journal:
        promoted(journal)
        advising(Advice.ROLL_BACK, monkeypatch)
        with monkeypatch.context() as moment:
            moment.setattr(undoing, "put_up_within", killed)
            with pytest.raises(KeyboardInterrupt):
                tick(journal)
    with Journal.open(books_url) as journal:
        assert serving(journal) == NEW
        assert book.course_of(journal).running
        assert AlertBook(journal).states() == {}
        assert [one.done for one in tick(journal)] == ["rolled back"]
        assert serving(journal) == OLD
        assert len(AlertBook(journal).states()) == 1


def test_after_its_days_it_is_kept(books_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal.open(books_url) as journal:
        promoted(journal)
        later(monkeypatch, 27)
        assert [one.done for one in tick(journal)] == ["waited"]
        later(monkeypatch, 28.1)
        (found,) = tick(journal)
        assert (found.done, found.after.share) == ("kept", 1.0)
        assert found.after.facts["why"] == "Keep: after 28 days no loss is sure."
        assert serving(journal) == NEW
        assert AlertBook(journal).states() == {}


def other_version(journal: Journal) -> str:
    release(journal, "support", "c" * 64)
    return "c" * 64


def by_hand(journal: Journal) -> str:
    roll_back(journal, "support", {"by": "ann"})
    return OLD


def without_the_old(journal: Journal) -> str:
    withdraw(journal, "support", OLD)
    return NEW


@pytest.mark.parametrize("done", [other_version, by_hand, without_the_old])
def test_what_people_do_is_never_undone(
    books_url: str, monkeypatch: pytest.MonkeyPatch, done: Callable[[Journal], str]
) -> None:
    with Journal.open(books_url) as journal:
        promoted(journal)
        wanted = done(journal)
        advising(Advice.ROLL_BACK, monkeypatch)
        (found,) = tick(journal)
        assert (found.done, found.after.facts) == ("stopped", undoing.OVERTAKEN)
        assert serving(journal) == wanted
        assert AlertBook(journal).states() == {}
        assert tick(journal) == []


def test_the_next_experiment_waits_unless_the_promotion_is_undone(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        promoted(journal)
        with pytest.raises(ServiceError, match=f"PF731 .*'{HELD}' is running"):
            begun(journal, None, "next")
        roll_back(journal, "support")
        begun(journal, None, "next")
        assert [(one.experiment.name, one.over) for one in book.courses(journal)] == [
            ("new-head", "promoted"), (HELD, "stopped"), ("next", ""),
        ]  # fmt: skip


@pytest.mark.parametrize("end", [book.stop, book.promote])
def test_ended_by_hand_the_promotion_stays(books_url: str, end: Callable[..., Course]) -> None:
    with Journal.open(books_url) as journal:
        promoted(journal)
        before = history(journal, "support")
        over = end(journal, why="sure enough")
        assert (over.over, over.share, over.facts["why"]) == ("kept", 1.0, "sure enough")
        assert history(journal, "support") == before
        assert book.running_on(journal, "support") is None


def test_who_stayed_is_drawn_anew(books_url: str) -> None:
    """Whom chance put into the control before is no likelier to be held back."""
    with Journal.open(books_url) as journal:
        after = promoted(journal, HoldBack(share=0.5))
        before = replace(
            book.course_of(journal, "new-head"),
            over="",
            stages=(replace(EXAMPLE.stages[0], share=0.5),),
        )
        arms = np.array(
            [
                [arm_of(one, f"c{i}", "") == "control" for i in range(2000)]
                for one in (before, after)
            ]
        )
    assert abs(np.corrcoef(arms)[0, 1]) < 0.1
