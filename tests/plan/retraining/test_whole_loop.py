"""The whole loop, its time compressed: launch, drift, alert, labels, new version, promotion."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from tests.plan.retraining.market import Market, written

from payoff.economics.desk import Desk, load
from payoff.learn.entry import Entry, packed_probabilities, text_hash
from payoff.learn.experiments import book, course_events
from payoff.learn.experiments.assignment import TREATMENT, arm_of
from payoff.learn.experiments.contest import contest_of, past_of
from payoff.learn.experiments.experiment import Experiment
from payoff.learn.experiments.recommendation import Advice
from payoff.learn.experiments.sizing import size_of
from payoff.learn.feedback import Feedback, take
from payoff.learn.journal import Journal
from payoff.learn.watching.watch import watch
from payoff.learn.watching.watched_model import watched_model
from payoff.plan.project import Project
from payoff.plan.retraining.retrain import Wish, retrain
from payoff.plan.retraining.retrained import Outcome
from payoff.plan.retraining.whether_it_pays import whether_it_pays

QUICK = Wish(minutes=1.0, only=("bag-of-words",))
LAUNCH = datetime(2026, 3, 2, tzinfo=UTC)
USUAL = {"billing": 80, "card": 80, "refund": 80}
CHANGED = {"billing": 60, "card": 60, "refund": 60, "loan": 60}


def at(day: float) -> str:
    return (LAUNCH + timedelta(days=day)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Days:
    """Days of the market, each with its requests spread over it."""

    def __init__(self, market: Market, journal: Journal) -> None:
        self.market = market
        self.journal = journal
        self.day = 0

    def pass_one(self, counts: dict[str, int], arms: dict[str, Desk] | None = None) -> list[str]:
        """Decide on a day's requests, in an experiment by the arm of each customer."""
        market, course = self.market, book.running_on(self.journal, "desk") if arms else None
        labels = market.rng.permutation([label for label, n in counts.items() for _ in range(n)])
        entries, texts = [], {}
        for number, label in enumerate(labels):
            request_id = f"d{self.day}-{number}"
            text = written(label, market.rng, 100_000 * self.day + number)
            customer = f"c-{market.rng.integers(400)}"
            arm = arm_of(course, customer, request_id) if course else ""
            desk = (arms or {}).get(arm, market.desk)
            (done,), said = desk.decide_fully([text])
            market.truth[request_id], texts[request_id] = str(label), text
            entries.append(
                Entry(
                    request_id=request_id,
                    artifact_sha256=desk.artifact.sha256,
                    text_sha256=text_hash(text),
                    action=done.action,
                    label=done.label,
                    probability=done.probability,
                    worth=float(done.worth),
                    currency="USD",
                    latency_ms=1.0,
                    time_utc=at(self.day + number / len(labels)),
                    customer=customer,
                    experiment=course.experiment.name if course else "",
                    arm=arm,
                    probabilities=packed_probabilities(said[0]),
                )
            )
        self.journal.append(entries, texts=texts)
        self.day += 1
        return list(texts)

    def label(self, ids: list[str], person: str) -> None:
        """Honest labels, as they are known at the end of the day."""
        truth = self.market.truth
        told = [
            Feedback(i, truth[i], source="person", person=person, time_utc=at(self.day))
            for i in ids
        ]
        take(self.journal, told)

    def profit_each(self, ids: list[str]) -> float:
        """What requests were truly worth, by the project's payoff: restated by hand."""
        worth = {entry.request_id: entry for entry in self.journal.read(100_000)}
        earned = [
            -1.0
            if (action := worth[i].action) == "handoff"
            else 3.0
            if action == self.market.truth[i]
            else -7.0
            for i in ids
        ]
        return float(np.mean(earned))


def test_from_launch_over_drift_to_a_promoted_version(
    folder: Path,
    project: Project,
    journal: Journal,
    market: Market,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    days = Days(market, journal)
    for clock in (book, course_events):
        monkeypatch.setattr(clock, "now_utc", lambda: at(days.day))
    model = watched_model(folder / "desk.payoff")

    # Launch: two quiet weeks, in which nobody is woken.
    for _ in range(12):
        ids = days.pass_one(USUAL)
        assert not watch(journal, model, now=at(days.day)).raised
    good = days.profit_each(ids)

    # Drift: customers begin to ask for loans, which the model has never heard of.
    drifted: list[str] = []
    raised: tuple[str, ...] = ()
    first = days.day
    while not raised:
        assert days.day < first + 14, "nobody was told within two weeks"
        ids = days.pass_one(CHANGED)
        days.label(ids[::12], "ann")  # a sample, chosen by nobody
        drifted += ids
        watched = watch(journal, model, now=at(days.day))
        raised = watched.raised
    bad = days.profit_each(drifted)
    assert bad < good - 0.5
    assert watched.loss is not None
    assert watched.loss.a_day > 0

    # Labels are bought where they pay, and a new version is made.
    days.label(drifted[:600], "ann")
    assert whether_it_pays(project, journal, QUICK).pays
    found = retrain(project, journal, QUICK)
    assert found.outcome is Outcome.BETTER, found.sentence
    assert found.artifact is not None
    assert "loan" in found.new_classes

    # It proves itself on some customers first, then decides for all.
    contest = contest_of(folder / "desk.payoff", found.artifact)
    past = past_of(journal, contest)
    assert past is not None
    size = size_of(gain=0.5, spread=past.spread, requests_per_day=past.per_day)
    experiment = Experiment(
        name="loans",
        model=contest.model,
        control=contest.control,
        treatment=contest.treatment,
        currency=contest.currency,
        low=contest.low,
        high=contest.high,
        planned_information=size.planned_information,
        horizon_days=60.0,
    )
    course = book.start(journal, experiment, contest.policy)
    with load(found.artifact) as newer:
        arms = {TREATMENT: newer}
        while course.running:
            assert days.day < first + 80, "the experiment came to no end"
            ids = days.pass_one(CHANGED, arms)
            days.label(ids, "ann")
            look = book.look_now(journal, course)
            course = book.act_on(journal, course, look, promoting=True)
        assert course.over == "promoted"
        assert look.recommendation.advice is Advice.PROMOTE
        assert look.gain.low > 0

        # Profit is back, and what was forecast comes about.
        market.desk = newer
        ids = [i for _ in range(5) for i in days.pass_one(CHANGED)]
    back = days.profit_each(ids)
    assert back > bad + 0.5
    forecast = found.judged.new_each
    assert back == pytest.approx(forecast, abs=0.25)
