"""Watch: one look at a journal, cheap enough to be taken every hour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from payoff.learn.entry import now_utc
from payoff.learn.journal import Journal
from payoff.learn.watching.alarm import DAYS, Alarm, label_alarm, worth_alarm
from payoff.learn.watching.alert import Alert
from payoff.learn.watching.alert_book import AlertBook, AlertState, alert_key
from payoff.learn.watching.checks import LEAST_LABELS, checks
from payoff.learn.watching.drift import Drift, explained
from payoff.learn.watching.expected_loss import ExpectedLoss, expected_loss, mix_now
from payoff.learn.watching.journal_topics import topics_of
from payoff.learn.watching.journal_window import Requests, count, labelled_since, newest, series
from payoff.learn.watching.kept_reference import FIRST_REQUESTS, KeptReference, kept_reference
from payoff.learn.watching.notify.channel import Channel
from payoff.learn.watching.notify.deliver import deliver
from payoff.learn.watching.reference import Reference
from payoff.learn.watching.topics import NewTopic
from payoff.learn.watching.watched import Watched
from payoff.learn.watching.watched_model import WatchedModel

WINDOW = 2000
"""Requests that a loss is told from."""
LEAST_AFTER = 500
"""Requests after an alert before it can be said to be over."""
_BACK = 0.25


def watch(
    journal: Journal,
    model: WatchedModel,
    *,
    channels: Sequence[Channel] = (),
    now: str = "",
    topics: bool = True,
) -> Watched:
    """Look once: the loss a day, what explains it, and whom to tell.

    An alert is raised where a loss against the quiet period is sure (`worth_alarm`, `label_alarm`:
    at most one quiet month in twenty has one, however often one looks). It is over where the
    requests after it may be worth what they were before it, and the loss is at most a quarter of
    what it was or too small to speak of; where there were labels when it was raised, labels must
    say so.

    Args:
        journal: Decisions, feedback and alerts.
        model: Which version.
        channels: Whom to tell.
        now: The time, as the journal writes it; now where empty.
        topics: Whether to look for new topics, where texts are kept.

    Raises:
        ServiceError: PF703 to PF706 where the journal fails; PF750 or PF752 where something in it
            is broken.

    Example:
        >>> from payoff.economics.policy import Policy
        >>> policy = Policy(("a", "b"), np.eye(2, 3))
        >>> model = WatchedModel(name="m", sha256="0" * 64, policy=policy, currency="EUR")
        >>> with Journal.open("sqlite://") as journal:
        ...     watch(journal, model).advice
        'Wait: 0 of the first 1,000 requests have come, and nothing can be told before.'
    """
    now = now or now_utc()
    book = AlertBook(journal, now=now)
    n_decisions = count(journal, model)
    kept = kept_reference(journal, model)
    recent = None if kept is None else newest(journal, model, WINDOW, after_id=kept.until_id)
    if kept is None or recent is None or not len(recent.window):
        needed = FIRST_REQUESTS + (kept is not None)
        if kept is not None and kept.of_launch:
            needed = 1
        return Watched(
            model=model.name,
            currency=model.currency,
            time_utc=now,
            n_decisions=n_decisions,
            n_needed=needed,
            n_whole=count(journal, model, whole=True),
            reference="" if kept is None else str(kept),
            alerts=_sorted(book),
            deliveries=tuple(deliver(book, channels, now=now)),
        )
    look = _Look(journal, model, book, kept, recent, now)
    loss, drift = look.measure()
    alarms = look.alarms()
    raised = look.raise_alert(loss, drift, alarms)
    over = () if raised else look.end_alert()
    found = look.topics() if topics else None
    told = tuple(deliver(book, channels, now=now))
    return Watched(
        model=model.name,
        currency=model.currency,
        time_utc=now,
        n_decisions=n_decisions,
        n_needed=FIRST_REQUESTS,
        loss=loss,
        against=look.against,
        reference=str(kept),
        drift=drift,
        alarms=alarms,
        raised=raised,
        over=over,
        alerts=_sorted(book),
        topics=found or (),
        findings=checks(
            kept.reference,
            loss,
            drift,
            alarms[1],
            currency=model.currency,
            left_out=recent.left_out,
            topics=found,
            deliveries=told if channels else None,
        ),
        deliveries=told,
    )


@dataclass(frozen=True, eq=False, slots=True)
class _Look:
    """What one look works with."""

    journal: Journal
    model: WatchedModel
    book: AlertBook
    kept: KeptReference
    recent: Requests
    now: str

    @property
    def key(self) -> str:
        """Of the model's alert: one a version, so that a new version starts anew."""
        return alert_key(self.model.name, self.model.sha256)

    @property
    def reference(self) -> Reference:
        return self.kept.reference

    @property
    def against(self) -> str:
        """What the loss is held against."""
        if self.reference.forecast is not None:
            return "forecast"
        return "test rows" if self.kept.of_launch else "quiet period"

    def state(self) -> AlertState | None:
        return self.book.states().get(self.key)

    def measure(self) -> tuple[ExpectedLoss, Drift]:
        window, reference = self.recent.window, self.reference
        mix = mix_now(window, reference)
        loss = expected_loss(window, reference, mix=mix)
        return loss, explained(window, reference, loss, mix=mix)

    def alarms(self) -> tuple[Alarm, Alarm]:
        """From expected worth and from labels, of the last month or since the last alert ended."""
        since = earlier(self.now, DAYS)
        state = self.state()
        if state is not None and state.is_over:
            since = max(since, state.time_utc)
        after = self.kept.until_id
        made = series(self.journal, self.model, after_id=after, since_utc=since)
        gaps, days = labelled_since(
            self.journal, self.model, after_id=after, since_utc=since, until_utc=self.now
        )
        return (
            worth_alarm(made.worths, made.days, self.reference),
            label_alarm(gaps, days, self.reference),
        )

    def raise_alert(
        self, loss: ExpectedLoss, drift: Drift, alarms: tuple[Alarm, ...]
    ) -> tuple[str, ...]:
        """The keys of what was raised."""
        sure = [alarm for alarm in alarms if alarm.sure and alarm.since is not None]
        if not sure:
            return ()
        launch = (self.reference.awaited - self.reference.worth) * loss.per_day
        low, high = loss.interval_a_day
        # What the forecast promised beyond the quiet period is told by a finding of its own.
        causes = [part for part in drift.parts if part.cause != "launch"]
        began = min(alarm.since for alarm in sure if alarm.since is not None)
        alert = Alert(
            key=self.key,
            model=self.model.name,
            a_day=loss.a_day - launch,
            low=low - launch,
            high=high - launch,
            currency=self.model.currency,
            cause=causes[0].detail,
            since=str(np.datetime64(began, "D")),
            n_requests=loss.n_requests,
            n_labels=loss.n_labels,
        )
        return (self.key,) if self.book.put_up(alert) else ()

    def end_alert(self) -> tuple[str, ...]:
        """The keys of what has ended."""
        state = self.state()
        if state is None or state.is_over:
            return ()
        after = newest(
            self.journal,
            self.model,
            WINDOW,
            after_id=self.kept.until_id,
            since_utc=state.time_utc,
        ).window
        if len(after) < LEAST_AFTER:
            return ()
        loss = expected_loss(after, self.reference)
        if state.alert.n_labels >= LEAST_LABELS > loss.n_labels:
            return ()
        back = self.reference.worth - loss.worth + loss.cost
        surely = self.reference.worth - loss.high + loss.cost
        small = max(self.reference.least_gap, _BACK * state.alert.a_day / loss.per_day)
        if surely > 0 or back > small:
            return ()
        facts = {"a_day": back * loss.per_day, "n_requests": loss.n_requests}
        return (self.key,) if self.book.end(self.key, facts) else ()

    def topics(self) -> tuple[NewTopic, ...] | None:
        """None where no text is kept, or there are no earlier requests to compare with."""
        return topics_of(self.journal, self.model, self.kept, self.recent)


def earlier(time_utc: str, days: float) -> str:
    """A time so many days before another, as the journal writes it.

    Example:
        >>> earlier("2026-11-30T08:00:00.000000Z", 30)
        '2026-10-31T08:00:00.000000Z'
    """
    then = datetime.fromisoformat(time_utc.replace("Z", "+00:00")) - timedelta(days=days)
    return then.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _sorted(book: AlertBook) -> tuple[AlertState, ...]:
    """Those that stand first, the latest of them first."""
    states = book.states().values()
    return tuple(sorted(states, key=lambda state: (not state.stands, -state.number)))
