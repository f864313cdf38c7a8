"""Checks: what a look at requests found, as findings; what could not be checked is said."""

from __future__ import annotations

from collections.abc import Sequence

from payoff.core.findings import Finding, Status
from payoff.core.money import format_money
from payoff.learn.watching.alarm import Alarm
from payoff.learn.watching.drift import SURPRISING, Drift, Mark
from payoff.learn.watching.expected_loss import ExpectedLoss
from payoff.learn.watching.feature import PREDICTED
from payoff.learn.watching.notify.deliver import Delivery
from payoff.learn.watching.reference import Reference
from payoff.learn.watching.topics import NewTopic

LEAST_LABELS = 30
"""Labels below which nothing is said about what they would tell."""


def checks(
    reference: Reference,
    loss: ExpectedLoss,
    drift: Drift,
    label_alarm: Alarm,
    *,
    currency: str,
    left_out: int,
    topics: Sequence[NewTopic] | None,
    deliveries: Sequence[Delivery] | None,
) -> tuple[Finding, ...]:
    """The findings of one look.

    A change of the requests that costs nothing passes: drift explains, and raises no alarm.

    Args:
        reference: What was awaited.
        loss: Of the window.
        drift: What explains it.
        label_alarm: What labels say.
        currency: Of the money.
        left_out: Decisions without the probability of every label.
        topics: New topics; None where they could not be looked for.
        deliveries: What channels were told; None where there is no channel.

    Example:
        >>> LEAST_LABELS
        30
    """
    return (
        _forecast(reference, loss, currency),
        _meaning(loss, label_alarm),
        _mix(reference, loss, drift, currency),
        _looks(reference, loss, drift, currency),
        _whole(loss, left_out),
        _topics(topics, currency),
        _told(deliveries),
    )


def _forecast(reference: Reference, loss: ExpectedLoss, currency: str) -> Finding:
    code, title = "PF753", "The model earns what was forecast"
    if reference.forecast is None:
        return Finding(code, title, Status.NOT_APPLICABLE, "The artifact holds no forecast.")
    low, high = loss.interval_a_day
    day = format_money(loss.a_day, currency)
    detail = (
        f"{day} a day less than forecast "
        f"({format_money(low, currency)} to {format_money(high, currency)})."
    )
    if low > reference.least_gap * loss.per_day:
        return Finding(code, title, Status.FAILED, detail, "See what explains it.")
    return Finding(code, title, Status.PASSED, detail)


def _meaning(loss: ExpectedLoss, alarm: Alarm) -> Finding:
    code, title = "PF754", "Probabilities still mean what they say"
    if alarm.sure:
        detail = f"Labels say that a request earns {-loss.correction:.4g} less than expected."
        mend = "Label requests of now and train again."
        return Finding(code, title, Status.FAILED, detail, mend, n_affected=loss.n_labels)
    if loss.n_labels < LEAST_LABELS:
        detail = (
            f"{loss.n_labels} labels of these requests are known: texts that look as before and "
            "mean something else would not be seen."
        )
        mend = f"Label {LEAST_LABELS} requests at least, better 200."
        return Finding(code, title, Status.NOT_CHECKED, detail, mend)
    detail = f"{loss.n_labels} labels do not contradict them."
    return Finding(code, title, Status.PASSED, detail)


def _mix(reference: Reference, loss: ExpectedLoss, drift: Drift, currency: str) -> Finding:
    code, title = "PF755", "The mix of labels is as it was"
    mark = drift.mark(PREDICTED)
    part = next(part for part in drift.parts if part.cause == "mix")
    moved = mark is not None and mark.surprise >= SURPRISING
    if not moved:
        return Finding(code, title, Status.PASSED, "No label's share has changed beyond chance.")
    costs = f"It costs {format_money(part.loss * loss.per_day, currency)} a day."
    if part.loss > reference.least_gap:
        mend = "State the new mix in payoff.toml [mix] and run `payoff run` again."
        return Finding(code, title, Status.FAILED, f"{part.detail} {costs}", mend)
    return Finding(code, title, Status.PASSED, f"{part.detail} {costs}")


def _looks(reference: Reference, loss: ExpectedLoss, drift: Drift, currency: str) -> Finding:
    code, title = "PF756", "Requests look as they did"
    part = next(part for part in drift.parts if part.cause == "strange")
    strange = [
        mark for mark in drift.marks if mark.feature != PREDICTED and mark.surprise >= SURPRISING
    ]
    if not strange:
        return Finding(code, title, Status.PASSED, "Nothing about them has changed beyond chance.")
    said = "; ".join(_of(mark) for mark in strange[:3])
    costs = f"It costs {format_money(part.loss * loss.per_day, currency)} a day"
    if part.loss > reference.least_gap:
        mend = "Label requests of now and train again."
        return Finding(code, title, Status.FAILED, f"{costs}: {said}.", mend)
    return Finding(code, title, Status.PASSED, f"{costs}: {said}.")


def _of(mark: Mark) -> str:
    return f"{mark.feature}, {mark.moved:.0%} moved, mostly to '{mark.grown}'"


def _whole(loss: ExpectedLoss, left_out: int) -> Finding:
    code, title = "PF757", "Decisions carry the probability of every label"
    if not left_out:
        return Finding(code, title, Status.PASSED)
    return Finding(
        code,
        title,
        Status.FAILED,
        f"{left_out:,} of {left_out + loss.n_requests:,} decisions do not, and are left out.",
        "Serve with a version of payoff that keeps them.",
        n_affected=left_out,
    )


def _topics(topics: Sequence[NewTopic] | None, currency: str) -> Finding:
    code, title = "PF758", "No new topic is among the unsure requests"
    if topics is None:
        detail = "No text is kept, or there are no 1,000 earlier requests to compare with."
        mend = "Serve with texts kept, and let the service run."
        return Finding(code, title, Status.NOT_CHECKED, detail, mend)
    if not topics:
        return Finding(code, title, Status.PASSED)
    rows = tuple({"topic": one.name, "n": one.n, "text": one.examples[0]} for one in topics[:3])
    at_stake = format_money(sum(one.at_stake for one in topics), currency)
    detail = f"{len(topics)} of them, with {at_stake} at stake."
    mend = "Look at the examples: is one a new label?"
    n = sum(one.n for one in topics)
    return Finding(code, title, Status.FAILED, detail, mend, rows, n)


def _told(deliveries: Sequence[Delivery] | None) -> Finding:
    code, title = "PF759", "Whoever was to be told of an alert was told"
    if deliveries is None:
        return Finding(code, title, Status.NOT_APPLICABLE, "No channel is named.")
    failed = [one for one in deliveries if one.failure]
    if not failed:
        return Finding(code, title, Status.PASSED)
    detail = "; ".join(one.failure for one in failed[:3])
    mend = "It is tried again at the next look."
    return Finding(code, title, Status.FAILED, detail, mend, n_affected=len(failed))
