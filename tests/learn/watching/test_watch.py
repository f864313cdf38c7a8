from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import insert, select, update
from tests.learn.watching.requests_of import LABELS, POLICY, requests_of

from payoff.core.errors import ServiceError
from payoff.core.findings import Status
from payoff.learn.entry import Entry, packed_probabilities
from payoff.learn.journal import Journal
from payoff.learn.tables import decisions, feedback, settings, texts
from payoff.learn.watching.alert import Alert
from payoff.learn.watching.alert_book import AlertBook
from payoff.learn.watching.journal_window import newest, oldest, series
from payoff.learn.watching.watch import watch
from payoff.learn.watching.watched import Watched
from payoff.learn.watching.watched_model import WatchedModel, forecast_worth
from payoff.learn.watching.window import Window

SHA = "5" * 64
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
PER_DAY = 400
MODEL = WatchedModel(name="desk", sha256=SHA, policy=POLICY, currency="EUR", calibration_error=0.01)


def at(day: float) -> str:
    return (BEGIN + timedelta(days=day)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def write(
    journal: Journal,
    window: Window,
    day: float,
    *,
    labels: int = 0,
    said: Sequence[str] = (),
    kept: bool = True,
) -> None:
    """Requests of a window from a day on, some of them labelled by a person."""
    n = len(window)
    names = [f"{day:g}/{i}" for i in range(n)]
    done = (*LABELS, "handoff")
    entries = [
        Entry(
            request_id=names[i],
            artifact_sha256=SHA,
            text_sha256="t",
            action=done[window.actions[i]],
            label=LABELS[window.probabilities[i].argmax()],
            probability=float(window.probabilities[i].max()),
            worth=float(window.expected[i]),
            currency="EUR",
            latency_ms=1.0,
            time_utc=at(day + i / PER_DAY),
            probabilities=packed_probabilities(window.probabilities[i]) if kept else None,
        )
        for i in range(n)
    ]
    journal.append(entries)
    assert window.truth is not None
    rows = [row(names[i], LABELS[window.truth[i]], day + i / PER_DAY) for i in range(labels)]
    with journal.writing() as connection:
        if rows:
            connection.execute(insert(feedback), rows)
        kept_texts = [
            {"request_id": name, "text": text, "redacted": 0}
            for name, text in zip(names, said, strict=False)
        ]
        if kept_texts:
            connection.execute(insert(texts), kept_texts)


def row(name: str, label: str, day: float, **more: Any) -> dict[str, Any]:
    return {
        "feedback_id": f"f-{name}-{day}",
        "request_id": name,
        "time_utc": at(day),
        "label": label,
        "correct": None,
        "worth": None,
        "source": "person",
        "person": "ann",
    } | more


def status(found: Watched, code: str) -> Status:
    return next(finding.status for finding in found.findings if finding.code == code)


def test_before_there_are_enough_requests_nothing_is_told(sqlite_url: str) -> None:
    with Journal.open(sqlite_url) as journal:
        write(journal, requests_of(999, 0), 0)
        found = watch(journal, MODEL, now=at(3))
        assert found.loss is None
        assert found.findings == ()
        assert found.advice.startswith("Wait: 999 of the first 1,000")
        assert found.as_dict()["loss"] is None


def test_a_quiet_journal_is_quiet_and_says_what_it_cannot_see(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        write(journal, requests_of(4000, 0), 0)
        found = watch(journal, MODEL, now=at(10))
        assert found.loss is not None
        assert found.loss.n_requests == 2000
        assert found.loss.per_day == pytest.approx(PER_DAY, rel=0.01)
        assert (found.raised, found.over, found.alerts) == ((), (), ())
        assert status(found, "PF753") is Status.NOT_APPLICABLE
        assert status(found, "PF754") is Status.NOT_CHECKED
        assert status(found, "PF755") is Status.PASSED
        assert status(found, "PF756") is Status.PASSED
        assert status(found, "PF757") is Status.PASSED
        assert status(found, "PF758") is Status.NOT_CHECKED
        assert status(found, "PF759") is Status.NOT_APPLICABLE
        assert "label some requests" in found.advice
        lost = Alert(
            key="loss other", model="other", a_day=90.0, low=50.0, high=130.0, currency="EUR",
            cause="Why.", since="2026-11-03", n_requests=2000, n_labels=0,
        )  # fmt: skip
        AlertBook(journal).put_up(lost)
        beside = watch(journal, MODEL, now=at(10))
        assert [state.alert.model for state in beside.alerts] == ["other"]
        assert beside.advice == found.advice  # what another model loses is no loss of this one


def test_stranger_texts_raise_one_alert_that_ends_when_they_end(sqlite_url: str) -> None:
    with Journal.open(sqlite_url) as journal:
        write(journal, requests_of(3000, 0), 0)
        write(journal, requests_of(2000, 1, sharpness=2.0), 8)
        found = watch(journal, MODEL, now=at(13))
        assert len(found.raised) == 1
        alert = found.alerts[0].alert
        assert alert.a_day > 0
        assert alert.low < alert.a_day < alert.high
        assert alert.since in ("2026-11-09", "2026-11-10")
        assert found.drift is not None
        assert found.drift.main.cause == "strange"
        assert status(found, "PF756") is Status.FAILED
        assert "train again" in found.advice
        again = watch(journal, MODEL, now=at(13.1))
        assert (again.raised, again.over, len(again.alerts)) == ((), (), 1)
        write(journal, requests_of(2400, 2), 13)
        last = watch(journal, MODEL, now=at(19.1))
        assert last.over == (again.alerts[0].alert.key,)
        quiet = watch(journal, MODEL, now=at(19.2))
        assert (quiet.raised, quiet.over) == ((), ())
        assert quiet.alerts[0].is_over


def test_a_changed_meaning_is_told_by_labels(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        write(journal, requests_of(3000, 0), 0)
        window = requests_of(2000, 3)
        assert window.truth is not None
        turned = np.where(np.arange(2000) % 2 == 0, (window.truth + 1) % 4, window.truth)
        write(journal, replace(window, truth=turned), 8, labels=200)
        found = watch(journal, MODEL, now=at(13))
        assert len(found.raised) == 1
        assert found.drift is not None
        assert found.drift.main.cause == "meaning"
        assert status(found, "PF754") is Status.FAILED
        assert found.loss is not None
        assert found.loss.n_labels == 200


def test_a_label_from_the_future_silences_nobody(sqlite_url: str) -> None:
    """One wrong year in a table, and all labels of now would be older than a month."""
    with Journal.open(sqlite_url) as journal:
        write(journal, requests_of(3000, 0), 0)
        window = requests_of(2000, 3)
        assert window.truth is not None
        turned = np.where(np.arange(2000) % 2 == 0, (window.truth + 1) % 4, window.truth)
        write(journal, replace(window, truth=turned), 8, labels=200)
        with journal.writing() as connection:
            newest_one = select(feedback.c.id).order_by(feedback.c.id.desc()).limit(1)
            number = connection.execute(newest_one).scalar_one()
            change = update(feedback).where(feedback.c.id == number)
            connection.execute(change.values(time_utc="2206-11-30T08:00:00.000000Z"))
        found = watch(journal, MODEL, now=at(13))
        assert found.alarms[1].sure
        assert status(found, "PF754") is Status.FAILED


def test_the_forecast_is_held_to_account(sqlite_url: str) -> None:
    dear = WatchedModel(
        name="desk", sha256=SHA, policy=POLICY, currency="EUR", forecast=3.1, calibration_error=0.01
    )
    with Journal.open(sqlite_url) as journal:
        write(journal, requests_of(4000, 0), 0)
        found = watch(journal, dear, now=at(10))
        assert found.against == "forecast"
        assert status(found, "PF753") is Status.FAILED
        assert found.raised == ()  # nothing has changed since it was launched
        assert found.drift is not None
        assert found.drift.main.cause == "launch"


def test_the_reference_stays_what_it_was(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        write(journal, requests_of(1500, 0), 0)
        first = watch(journal, MODEL, now=at(4)).loss
        with journal.writing() as connection:
            connection.execute(
                update(decisions).values(probabilities=None).where(decisions.c.id < 900)
            )
        second = watch(journal, MODEL, now=at(4)).loss
        assert first is not None
        assert second is not None
        assert first.awaited == second.awaited
        with journal.writing() as connection:
            mine = settings.c.name == f"reference:{SHA}"
            connection.execute(update(settings).where(mine).values(value="{}"))
        with pytest.raises(ServiceError, match="PF750"):
            watch(journal, MODEL, now=at(4))


def test_decisions_without_probabilities_are_left_out_and_told(sqlite_url: str) -> None:
    with Journal.open(sqlite_url) as journal:
        write(journal, requests_of(2000, 0), 0)
        write(journal, requests_of(300, 1), 6, kept=False)
        found = watch(journal, MODEL, now=at(8))
        assert status(found, "PF757") is Status.FAILED
        assert found.loss is not None
        assert found.loss.n_requests == 1000


def test_first_requests_without_probabilities_are_passed_over(sqlite_url: str) -> None:
    """They were written by an earlier payoff: later ones tell what is usual."""
    with Journal.open(sqlite_url) as journal:
        write(journal, requests_of(1200, 0), 0, kept=False)
        write(journal, requests_of(999, 1), 3)
        found = watch(journal, MODEL, now=at(6))
        assert (found.loss, found.n_decisions) == (None, 2199)
        assert found.advice.startswith(
            "Wait: 999 of the first 1,000 requests have come, 1,200 more"
        )
        write(journal, requests_of(501, 2), 6)
        first = oldest(journal, MODEL, 1000)
        assert (len(first.window), first.left_out, int(first.ids[0])) == (1000, 0, 1201)
        found = watch(journal, MODEL, now=at(8))
        assert found.loss is not None
        assert found.loss.n_requests == 500
        assert found.reference == "the first 1,000 requests, whatever they were"


def test_feedback_counts_once_and_the_last_word_counts(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        window = requests_of(300, 0)
        write(journal, window, 0)
        acted = [int(i) for i in np.flatnonzero(window.actions < 4)[:4]]
        right, wrong, paid, strange = (f"0/{i}" for i in acted)
        rows = [
            row(right, "refund", 1),
            row(right, "", 2, correct=1),
            row(wrong, "", 1, correct=0),
            row(paid, "refund", 1, worth=12.5),
            row(strange, "what nobody taught", 1),
            row("no such request", "refund", 1),
        ]
        with journal.writing() as connection:
            connection.execute(insert(feedback), rows)
        told = newest(journal, MODEL, 300, after_id=0).window.realised
        assert told[acted].tolist() == [3.2, pytest.approx(-7.5), 12.5, pytest.approx(-7.5)]
        assert np.isnan(told).sum() == 296


def test_arrays_are_in_the_order_of_the_journal(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        window = requests_of(700, 0)
        write(journal, window, 0)
        last = newest(journal, MODEL, 100, after_id=0)
        assert last.window.expected == pytest.approx(window.expected[-100:], abs=1e-5)
        first = oldest(journal, MODEL, 50)
        assert first.window.expected == pytest.approx(window.expected[:50], abs=1e-5)
        made = series(journal, MODEL, after_id=int(first.ids[-1]), since_utc="")
        assert made.worths == pytest.approx(window.expected[50:])
        assert np.unique(made.days).tolist() == [20758, 20759]
        other = WatchedModel(name="other", sha256="6" * 64, policy=POLICY, currency="EUR")
        assert len(newest(journal, other, 100, after_id=0).window) == 0


def test_new_topics_are_found_where_texts_are_kept(sqlite_url: str) -> None:
    rng = np.random.default_rng(0)
    asked = ("where is my card", "the transfer failed", "I want a refund", "close my account")

    def usual(n: int) -> list[str]:
        return [f"{rng.choice(asked)} please {rng.integers(50)}" for _ in range(n)]

    with Journal.open(sqlite_url) as journal:
        write(journal, requests_of(1000, 0), 0, said=usual(1000))
        window = requests_of(2000, 1)
        unsure = np.argsort(window.probabilities.max(axis=1))[:80]
        said = usual(2000)
        for i in unsure[:70]:
            said[i] = f"{rng.choice(['do you take', 'pay by'])} crypto wallet {rng.integers(9)}"
        write(journal, window, 3, said=said)
        found = watch(journal, MODEL, now=at(9))
        assert any("crypto" in topic.name for topic in found.topics)
        assert status(found, "PF758") is Status.FAILED
        assert watch(journal, MODEL, now=at(9), topics=False).topics == ()


def test_a_look_at_a_hundred_thousand_decisions_takes_about_a_second(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "books.db") as journal:
        window = requests_of(20_000, 0)
        for turn in range(5):
            write(journal, window, turn * 50)
        found = watch(journal, MODEL, now=at(250))
        assert found.n_decisions == 100_000
        begin = time.process_time()
        watch(journal, MODEL, now=at(250))
        assert time.process_time() - begin < 3


def test_the_forecast_of_an_artifact_is_read_without_its_costs() -> None:
    steps = [
        {"name": "right answers", "amount": 100_000.0},
        {"name": "wrong answers", "amount": -20_000.0},
        {"name": "handed over", "amount": 9_000.0},
        {"name": "people", "amount": -12_000.0},
        {"name": "inference", "amount": -2_000.0},
        {"name": "profit", "amount": 75_000.0},
    ]
    forecast = {"profit": {"mean": 75_000.0}, "per_request": {"mean": 1.5}, "waterfall": steps}
    assert forecast_worth({"forecast": forecast}) == pytest.approx(77_000 / 50_000)
    assert forecast_worth({}) is None
    assert forecast_worth({"forecast": forecast | {"per_request": {"mean": 0.0}}}) is None
    assert forecast_worth({"forecast": forecast | {"per_request": {"mean": -1.5}}}) is None
