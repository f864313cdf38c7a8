"""Weeks of a made-up shop in a journal: decisions, feedback, costs, drift, alerts, experiments.

What is written is written by the code that a service writes with; only the times of experiments'
events are put back afterwards.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select, update

from payoff.core.money import Money
from payoff.economics.actions import HANDOFF
from payoff.economics.costs import CostLine, Step
from payoff.economics.desk import Desk
from payoff.learn.booking import Booking
from payoff.learn.entry import Entry, packed_probabilities
from payoff.learn.experiments import book
from payoff.learn.experiments.assignment import TREATMENT, arm_of
from payoff.learn.experiments.experiment import Experiment, Mode
from payoff.learn.experiments.hold_back import HoldBack
from payoff.learn.experiments.rehearsal import Market, draw
from payoff.learn.feedback import Feedback, take
from payoff.learn.journal import Journal
from payoff.learn.tables import experiment_events
from payoff.learn.versions import release
from payoff.learn.watching.watch import watch
from payoff.learn.watching.watched import Watched
from payoff.learn.watching.watched_model import model_of

USUAL = (
    "Where is my {}? I asked about it on day {}",
    "Please help me with {} number {}",
    "我的 {} 怎么还没有处理？已经第 {} 天了",
)
NEW = ("Can I pay into my crypto wallet with coin {}?", "crypto wallet transfer of coin {} stuck")


def at(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def probabilities(
    desk: Desk, n: int, rng: np.random.Generator, sharp: float
) -> NDArray[np.float64]:
    """Calibrated by construction: what is true is drawn from them. The first labels come most."""
    k = len(desk.labels)
    logits = rng.normal(size=(n, k))
    common = 1.0 / np.arange(1, k + 1)
    main = rng.choice(k, n, p=common / common.sum())
    logits[np.arange(n), main] += sharp * rng.gamma(2.0, 0.5, n)
    raised = np.exp(logits)
    made: NDArray[np.float64] = raised / raised.sum(axis=1, keepdims=True)
    return made


def decide(
    journal: Journal,
    desk: Desk,
    begin: datetime,
    days: float,
    n: int,
    *,
    sharp: float = 9.0,
    told: float = 0.1,
    new_topic: float = 0.0,
    seed: int = 0,
    texts: bool = True,
) -> None:
    """Decisions over some days, of which some have feedback.

    Args:
        sharp: How sure the model is.
        told: Share with feedback.
        new_topic: Share of texts of a topic that the model does not know.
        texts: Whether they are kept.
    """
    rng = np.random.default_rng(seed)
    p = probabilities(desk, n, rng, sharp)
    new = rng.random(n) < new_topic
    p[new] = probabilities(desk, int(new.sum()), rng, 0.0)
    truth = (p.cumsum(axis=1)[:, :-1] < rng.random(n)[:, None]).sum(axis=1)
    done = desk.policy.decide(p)
    actions = (*desk.labels, HANDOFF)
    entries, said, feedback = [], {}, []
    for i in range(n):
        name = f"shop-{seed}-{i}"
        label = desk.labels[int(p[i].argmax())]
        moment = begin + timedelta(days=days * i / n)
        tier = desk.artifact.tiers[0 if p[i].max() > 0.6 else -1].name
        entries.append(
            Entry(
                name, desk.artifact.sha256, "t", actions[done.actions[i]], label,
                float(p[i].max()), float(done.values[i]), desk.currency,
                float(rng.gamma(4.0, 2.0)), at(moment), customer=f"c{i % 97}", tier=tier,
                probabilities=packed_probabilities(p[i]),
            )
        )  # fmt: skip
        form = NEW[i % 2] if new[i] else USUAL[i % 3]
        said[name] = form.format(i) if new[i] else form.format(label, i)
        if rng.random() < told:
            when = at(moment + timedelta(minutes=20))
            feedback.append(Feedback(name, label=desk.labels[truth[i]], time_utc=when))
    journal.append(entries, texts=said if texts else {})
    take(journal, feedback)


def spend(journal: Journal, now: datetime, currency: str) -> None:
    """Costs of three months, one line of them without a price."""
    bookings = []
    for back in range(3):
        month = (now.replace(day=1) - timedelta(days=30 * back)).replace(day=1, hour=0)
        for step, what, quantity, unit, price in (
            (Step.INFERENCE, "this machine", 300 + 60 * back, "hour", "0.05"),
            (Step.LABELS, "label by a person", 80, "label", "0.08"),
            (Step.TRAINING, "this machine", 2 + back, "hour", "0.05"),
        ):
            line = CostLine(
                step, what, quantity, unit, Money.of(price, currency), as_of=None,
                source="payoff.toml", measured=True,
            )  # fmt: skip
            bookings.append(Booking(f"{step}-{back}", "shop", line, time_utc=at(month)))
    line = CostLine(
        Step.INFERENCE, "another machine", 3, "hour", Money.of("0", currency), as_of=None,
        source="payoff.toml", measured=True, note="no price is stated: [machine]",
    )  # fmt: skip
    bookings.append(Booking("unpriced", "shop", line, time_utc=at(now)))
    journal.book(bookings)


def compare(
    journal: Journal,
    desk: Desk,
    name: str,
    now: datetime,
    days: int,
    *,
    effect: float,
    mode: Mode = Mode.LIVE,
    shares: tuple[float, ...] = (0.01, 0.05, 0.25, 0.5),
    per_day: float = 200.0,
) -> None:
    """A rehearsed experiment of so many days that ends now, a day a share at first."""
    market = Market(requests_per_day=per_day, label_share=0.6)
    rules = Experiment(
        name=name, model=desk.name, control="c" * 64, treatment="b" * 64,
        currency=desk.currency, low=-25.0, high=3.0, mode=mode,
        planned_information=per_day * 28 * 0.2,
    )  # fmt: skip
    course = book.start(journal, rules, desk.policy)
    steps = [one for one in shares if one > course.share] if mode is Mode.LIVE else []
    for share in steps:
        book.ramp(journal, name, share)
    begin = now - timedelta(days=days)
    _put_back(journal, name, [begin + timedelta(days=n) for n in range(len(steps) + 1)])
    course = book.course_of(journal, name)
    drawn = draw(market, days, effect=effect, seed=len(name))
    since = np.arange(len(course.stages))
    stage = np.clip(np.searchsorted(since, drawn.day, side="right") - 1, 0, None)
    share = np.array([one.share for one in course.stages])[stage]
    treated = drawn.bucket[drawn.customer] < share
    entries, feedback = [], []
    for i in range(len(drawn.day)):
        moment = begin + timedelta(days=float(drawn.day[i]))
        action = HANDOFF if drawn.handed_over[i] else desk.labels[0]
        both = ((False, ""), (True, "#shadow")) if mode is Mode.SHADOW else ((treated[i], ""),)
        for arm, end in both:
            entries.append(
                Entry(
                    f"{name}-{i}{end}", rules.treatment if arm else rules.control, "t", action,
                    desk.labels[0], 0.9, float(drawn.expected[i]), desk.currency, 3.0, at(moment),
                    customer=f"{name}-{drawn.customer[i]}", experiment=name,
                    arm="treatment" if arm else "control",
                )
            )  # fmt: skip
        if drawn.told_day[i] <= days:
            earned = drawn.treatment[i] if treated[i] else drawn.control[i]
            feedback.append(Feedback(f"{name}-{i}", worth=float(earned), time_utc=at(moment)))
    journal.append(entries)
    take(journal, feedback)


def promote_bad(journal: Journal, desk: Desk, now: datetime, *, days: int = 6) -> None:
    """A version was promoted so many days ago, and customers say that it is a bad one."""
    if book.running_on(journal, desk.name) is not None:
        book.stop(journal)
    name, new = "kinder-words", "b" * 64
    rules = Experiment(
        name=name, model=desk.name, control=desk.artifact.sha256, treatment=new,
        currency=desk.currency, low=-25.0, high=3.0, planned_information=900.0,
        hold_back=HoldBack(),
    )  # fmt: skip
    release(journal, desk.name, desk.artifact.sha256)
    book.start(journal, rules, desk.policy)
    book.promote(journal, name, why="it earned more")
    begin = now - timedelta(days=days)
    _put_back(journal, f"{name}-hold-back", [begin])
    course = book.course_of(journal, f"{name}-hold-back")
    drawn = draw(Market(requests_per_day=300.0, customers=1500), days, effect=-6.0, seed=5)
    entries, feedback = [], []
    for i in range(len(drawn.day)):
        arm = arm_of(course, f"{name}-{drawn.customer[i]}", "")
        moment = at(begin + timedelta(days=float(drawn.day[i])))
        entries.append(
            Entry(
                f"{name}-{i}", new if arm == TREATMENT else desk.artifact.sha256, "t",
                HANDOFF if drawn.handed_over[i] else desk.labels[0], desk.labels[0], 0.9,
                float(drawn.expected[i]), desk.currency, 3.0, moment,
                customer=f"{name}-{drawn.customer[i]}", experiment=course.experiment.name, arm=arm,
            )
        )  # fmt: skip
        earned = (drawn.treatment if arm == TREATMENT else drawn.control)[i]
        feedback.append(Feedback(f"{name}-{i}", worth=float(earned), time_utc=moment))
    journal.append(entries)
    take(journal, feedback)


def _put_back(journal: Journal, name: str, times: list[datetime]) -> None:
    """Give the events of an experiment the times that they have in the story."""
    with journal.writing() as connection:
        mine = select(experiment_events.c.id).where(experiment_events.c.experiment == name)
        ids = connection.execute(mine.order_by(experiment_events.c.id)).scalars().all()
        for number, moment in zip(ids, times, strict=True):
            change = update(experiment_events).where(experiment_events.c.id == number)
            connection.execute(change.values(time_utc=at(moment)))


def end(journal: Journal, name: str, now: datetime) -> None:
    """Stop or promote an experiment as a look says, at a time in the past."""
    course = book.course_of(journal, name)
    look = book.look_now(journal, course)
    book.stop(journal, name, why=look.recommendation.sentence, look=look)
    times = [datetime.fromisoformat(stage.since_utc) for stage in course.stages]
    _put_back(journal, name, [*times, now])


def look_for_drift(journal: Journal, desk: Desk) -> Watched:
    """What ``payoff watch`` does."""
    return watch(journal, model_of(desk.artifact))


def weeks(journal: Journal, desk: Desk, now: datetime | None = None, *, scale: float = 1.0) -> None:
    """The whole story: five quiet weeks, then a week of drift, and two experiments."""
    now = now or datetime.now(UTC)

    def n(usual: int) -> int:
        return round(usual * scale)

    decide(journal, desk, now - timedelta(days=40), 33, n(3300), seed=1)
    decide(journal, desk, now - timedelta(days=7), 7, n(1400), sharp=3.0, new_topic=0.04, seed=2)
    spend(journal, now, desk.currency)
    pace = 200.0 * scale
    compare(journal, desk, "cheaper-model", now - timedelta(days=20), 10, effect=-2.0, per_day=pace)
    end(journal, "cheaper-model", now - timedelta(days=20))
    compare(journal, desk, "more-labels", now, 14, effect=1.2, per_day=pace)
    look_for_drift(journal, desk)
