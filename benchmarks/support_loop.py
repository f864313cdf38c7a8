"""The whole loop at the support desk: launch, drift, alert, labels, new version, promotion, profit.

Nothing but the shipped code decides: `watch` raises the alert, the review queue says which labels
are worth their price, `whether_it_pays` says whether to retrain, `retrain` makes, judges and
forecasts the new version, and the book of experiments ramps and promotes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from payoff.economics.desk import Desk, load
from payoff.learn.experiments.assignment import TREATMENT
from payoff.learn.experiments.begin import begin
from payoff.learn.experiments.course import Course
from payoff.learn.experiments.tick import tick
from payoff.learn.journal import Journal
from payoff.learn.versions import release
from payoff.learn.watching.watch import watch
from payoff.learn.watching.watched_model import WatchedModel, watched_model
from payoff.plan.project import Project
from payoff.plan.retraining.gathered import GatheringRules
from payoff.plan.retraining.retrain import Wish, retrain
from payoff.plan.retraining.retrained import Retrained
from payoff.plan.retraining.whether_it_pays import Estimate, whether_it_pays
from support_desk import (
    MINUTES,
    RECIPES,
    Customers,
    SupportDesk,
    at,
    changed_mix,
    usual_mix,
    without_label_study,
)

_MOST_DAYS = 40


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much of everything there is.

    Args:
        a_day: Requests a day.
        quiet_days: Before the drift.
        gathering_days: After the alert, until the retraining.
        closed: Share of the requests whose ticket tells what they were about.
        bought_a_day: Labels that a person gives a day at most.
        judge_share: Share of the labels that judge.
        after_days: After the promotion.
    """

    a_day: int = 500
    quiet_days: int = 3
    gathering_days: int = 5
    closed: float = 0.9
    bought_a_day: int = 30
    judge_share: float = 0.75
    after_days: int = 20


@dataclass(frozen=True, kw_only=True)
class Loop:
    """What happened. Money is a request's, where nothing else is said.

    Args:
        quiet_alerts: Alerts before the drift.
        days_to_alert: From the drift on.
        loss_a_day: That the alert tells.
        quiet: Profit before the drift.
        drifted: Profit from the drift to the experiment.
        bought: Labels that were bought.
        bought_for: What they cost.
        bought_worth: What the review queue said that they are worth.
        estimate: Whether retraining pays.
        retrained: The new version, with its forecast.
        course: Its experiment.
        experiment_days: From its start to its end.
        after: Profit after the promotion.
        after_error: Standard error of that, from chance alone.
        n_after: Requests after the promotion.
    """

    quiet_alerts: int
    days_to_alert: int
    loss_a_day: float
    quiet: float
    drifted: float
    bought: int
    bought_for: float
    bought_worth: float
    estimate: Estimate
    retrained: Retrained
    course: Course
    experiment_days: int
    after: float
    after_error: float
    n_after: int

    @property
    def forecast(self) -> float:
        """What a request was forecast to bring with the new version."""
        return self.retrained.judged.new_each

    @property
    def off_by(self) -> float:
        """Profit after the promotion less the forecast, as a share of the forecast."""
        return (self.after - self.forecast) / self.forecast

    def as_dict(self) -> dict[str, Any]:
        """Figures for a line of results."""
        _, low, high = self.retrained.judged.forecast_each
        told = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {key: one for key, one in told.items() if isinstance(one, int | float)} | {
            "outcome": self.retrained.outcome.value,
            "over": self.course.over,
            "shares": [one.share for one in self.course.stages],
            "forecast": self.forecast,
            "forecast_low": low,
            "forecast_high": high,
            "n_judges": self.retrained.judged.n,
            "n_learnt": len(self.retrained.gathered.learnt),
            "off_by": self.off_by,
        }


class OldVersionKeptError(Exception):
    """The retraining made nothing to put to the test.

    Args:
        retrained: What it found, and why it kept the old version.
    """

    def __init__(self, retrained: Retrained) -> None:
        super().__init__(retrained.sentence)
        self.retrained = retrained


def whole_loop(folder: Path, project: Project, seed: int, sizes: Sizes) -> Loop:
    """From the launch to the time after the promotion.

    Args:
        folder: The project's, with its first version; the journal goes there.
        project: As `support_desk.launched` made it.
        seed: Of all that customers write, and of which tickets tell something.
        sizes: How much of everything.

    Raises:
        OldVersionKeptError: Where the loop ends with the retraining.
    """
    first = folder / f"{project.name}.payoff"
    with Journal.open(folder / f"{project.name}.journal.db") as journal, load(first) as usual:
        rng = np.random.default_rng((seed, 1))  # not the customers' stream
        desk = SupportDesk(project, journal, usual, Customers(seed), rng)
        with desk.clock(), without_label_study():
            release(journal, project.name, usual.artifact.sha256, {"artifact": first.name})
            return _passed(desk, watched_model(first), first, sizes)


def _passed(desk: SupportDesk, model: WatchedModel, first: Path, sizes: Sizes) -> Loop:
    quiet_alerts, quiet = _quiet(desk, model, sizes)
    drift = _Drift(desk, model, sizes)
    rules = GatheringRules(judge_share=sizes.judge_share)
    wish = Wish(minutes=MINUTES, only=RECIPES, rules=rules)
    estimate = whether_it_pays(desk.project, desk.journal, wish)
    found = retrain(desk.project, desk.journal, wish)
    if found.artifact is None:
        raise OldVersionKeptError(found)
    begun = desk.day
    with load(found.artifact) as newer:
        course = _experiment(desk, first, found.artifact, newer, sizes)
        ended = desk.day
        if course.over == "promoted":
            desk.desk = newer
        after = [
            one
            for _ in range(sizes.after_days)
            for one in desk.pass_day(sizes.a_day, changed_mix())
        ]
        profits = desk.profits(after)
    return Loop(
        quiet_alerts=quiet_alerts,
        days_to_alert=drift.days_to_alert,
        loss_a_day=drift.loss_a_day,
        quiet=quiet,
        drifted=drift.profit,
        bought=drift.bought,
        bought_for=drift.bought * float(desk.project.terms.label_price or 0.0),
        bought_worth=drift.bought_worth,
        estimate=estimate,
        retrained=found,
        course=course,
        experiment_days=ended - begun,
        after=float(profits.mean()),
        after_error=float(profits.std() / np.sqrt(len(profits))),
        n_after=len(profits),
    )


def _quiet(desk: SupportDesk, model: WatchedModel, sizes: Sizes) -> tuple[int, float]:
    """Days like those of the project's rows: how many alerts there were, and the profit."""
    alerts, asked = 0, []
    for _ in range(sizes.quiet_days):
        ids = desk.pass_day(sizes.a_day, usual_mix())
        desk.close_tickets(ids, sizes.closed)
        alerts += len(watch(desk.journal, model, now=at(desk.day), topics=False).raised)
        asked += ids
    return alerts, float(desk.profits(asked).mean())


class _Drift:
    """Days of another mix and a new intent, until the alert and until labels are gathered."""

    def __init__(self, desk: SupportDesk, model: WatchedModel, sizes: Sizes) -> None:
        self.days_to_alert = self.bought = 0
        self.bought_worth = self.loss_a_day = 0.0
        asked: list[str] = []
        while not self.days_to_alert:
            asked += self._day(desk, sizes)
            watched = watch(desk.journal, model, now=at(desk.day), topics=False)
            assert desk.day < _MOST_DAYS, "nobody was told of the loss"
            if watched.raised:
                self.days_to_alert = desk.day - sizes.quiet_days
                self.loss_a_day = watched.alerts[0].alert.a_day
        for _ in range(sizes.gathering_days):
            asked += self._day(desk, sizes)
            n, worth = desk.buy_labels(sizes.bought_a_day)
            self.bought += n
            self.bought_worth += worth
        self.profit = float(desk.profits(asked).mean())

    def _day(self, desk: SupportDesk, sizes: Sizes) -> list[str]:
        ids = desk.pass_day(sizes.a_day, changed_mix())
        desk.close_tickets(ids, sizes.closed)
        return ids


def _experiment(desk: SupportDesk, first: Path, second: Path, newer: Desk, sizes: Sizes) -> Course:
    """As `payoff retrain --start` begins it, with a `payoff compare tick` a day."""
    name = second.name.removesuffix(".payoff").replace(".", "-")
    monthly = desk.project.terms.traffic.per_month
    course, _ = begin(desk.journal, first, second, name=name, requests_per_month=monthly)
    while course.running:
        ids = desk.pass_day(sizes.a_day, changed_mix(), {TREATMENT: newer})
        desk.close_tickets(ids, sizes.closed)
        (done,) = tick(desk.journal)
        course = done.after
    return course
