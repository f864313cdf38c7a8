"""The page of the review queue: one request at a time, and those that look the same beside it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from payoff.core.errors import ServiceError
from payoff.learn.asked import audit_share_of
from payoff.learn.feedback import take
from payoff.learn.neighbours import neighbours_of
from payoff.learn.review import MOST_WAITING, Waiting, labelled, request_to_review, waiting
from payoff.serve.review import check_label

if TYPE_CHECKING:
    from payoff.economics.desk import Desk
    from payoff.learn.journal import Journal
    from payoff.serve.dashboard.form import Form

_MOST_ALIKE = 12
_MOST_S = 3600.0


@dataclass(frozen=True, slots=True)
class Queue:
    """What the page shows.

    Args:
        n: How many wait.
        n_drawn: How many of them were drawn by chance.
        is_cut: Whether there may be more, which are not put in order yet.
        current: The request to label; None where nothing waits.
        after: Where the queue goes on when it is skipped.
        alike: Others whose first suggestion is the same.
        labels: All labels.
        sent_as: Names the form, so that what is sent twice is written once.
        shown_at: When it was made, seconds.
    """

    n: int
    n_drawn: int
    is_cut: bool
    current: Waiting | None
    after: str
    alike: Sequence[Waiting]
    labels: Sequence[str]
    sent_as: str
    shown_at: float


def queue(
    desk: Desk,
    journal: Journal,
    *,
    after: str = "",
    request_id: str = "",
    audit_share: float | None = None,
) -> Queue:
    """The request that is worth most to label, or one that is asked for.

    Args:
        desk: What is served.
        journal: Of its decisions.
        after: Of the request that was skipped last, as `Queue.after` has it; empty for none.
        request_id: Of the one that is asked for, which may be labelled already.
        audit_share: Share of the queue that is drawn by chance; None takes what the project states.

    Raises:
        ServiceError: PF767 where there is none of that id; PF703 to PF706 where the database fails.
    """
    share = audit_share_of(desk.artifact, audit_share)
    beside = neighbours_of(journal, desk.name)
    found = waiting(journal, desk.policy, audit_share=share, beside=beside)
    later = [one for one in found if one.order > _position(after)]
    current = next(iter(later or found), None)
    if request_id:
        current = _known(desk, journal, request_id)
    alike: list[Waiting] = []
    if current is not None and current.text is not None:
        label = current.suggestions[0][0]
        same = [one for one in found if one.suggestions[0][0] == label and one.text is not None]
        # What was drawn is looked at one by one: what is ticked in passing would be no sample.
        others = [one for one in same if one.request_id != current.request_id]
        alike = [one for one in others if not one.by_chance][:_MOST_ALIKE]
    return Queue(
        n=len(found),
        n_drawn=sum(one.by_chance for one in found),
        is_cut=len(found) == MOST_WAITING,
        current=current,
        after="" if current is None else _written(current),
        alike=alike,
        labels=desk.labels,
        sent_as=secrets.token_hex(8),
        shown_at=time.time(),
    )


def label(desk: Desk, journal: Journal, form: Form, person: str) -> tuple[str, int]:
    """Write down what a person chose, for one request and for those that were ticked.

    Args:
        desk: What is served.
        journal: Where it is written.
        form: As the page sends it.
        person: Who chose.

    Returns:
        The label, and for how many requests it was chosen.

    Raises:
        ServiceError: PF766 where there is no such label; PF767 where a request is not in the
            journal; PF703 to PF706 where the database fails.
    """
    chosen = check_label(form.one("other").strip() or form.one("label"), desk.labels)
    ids = [form.one("request_id"), *form.all("also")[:_MOST_ALIKE]]
    for request_id in ids:
        _known(desk, journal, request_id)
    told = labelled(
        ids, chosen, person=person, seconds=_seconds(form), sent_as=form.one("sent_as")[:100]
    )
    take(journal, told)
    return chosen, len(told)


def _known(desk: Desk, journal: Journal, request_id: str) -> Waiting:
    found = request_to_review(journal, desk.policy, request_id)
    if found is None:
        raise ServiceError("PF767", "request", f"there is no '{request_id[:100]}'")
    return found


def _written(one: Waiting) -> str:
    """The place of a request in the queue, as `_position` reads it."""
    return f"{one.rank!r}:{int(one.by_chance)}:{one.request_id}"


def _position(after: str) -> tuple[float, bool, str]:
    """Where the queue goes on; at its beginning where that makes no sense."""
    try:
        rank, by_chance, request_id = after.split(":", 2)
        return (-float(rank), bool(int(by_chance)), request_id)
    except ValueError:
        return (float("-inf"), False, "")


def _seconds(form: Form) -> float | None:
    """How long the form was looked at; None where that is not known."""
    try:
        seconds = time.time() - float(form.one("shown_at"))
    except ValueError:
        return None
    return round(seconds, 1) if 0 <= seconds <= _MOST_S else None
