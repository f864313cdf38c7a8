"""The review queue: what waits for a person, what is worth most to know first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Select, exists, func, select

from payoff.economics.actions import HANDOFF
from payoff.learn.acted import ACTED
from payoff.learn.asked import AUDIT_SHARE, draw_audit, labels_hash
from payoff.learn.entry import read_probabilities, text_hash
from payoff.learn.feedback import Feedback
from payoff.learn.journal import Journal
from payoff.learn.neighbours import NOBODY, Neighbours
from payoff.learn.tables import asked, audit_rounds, decisions, feedback, texts

if TYPE_CHECKING:
    from payoff.economics.policy import Policy

MOST_WAITING = 2_000
"""Requests that are put in order, the newest."""

_MOST_DECISIONS = 200_000
_N_SUGGESTIONS = 6


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that waits for a person.

    Args:
        request_id: Of the decision.
        time_utc: When it was handed over.
        text: What the customer wrote; None where the journal does not keep it.
        segment: Of the customer, where its own worth decided.
        suggestions: The most probable labels with their probabilities.
        worth: What it is worth to know its label, in the policy's money; 0 where the journal does
            not keep probabilities that the policy can be applied to.
        by_chance: Whether it was drawn (`payoff.learn.asked`), and not asked for its worth.
        rank: Its worth, or of one that was drawn the worth of the one that it comes behind.
    """

    request_id: str
    time_utc: str
    text: str | None
    segment: str
    suggestions: tuple[tuple[str, float], ...]
    worth: float = 0.0
    by_chance: bool = False
    rank: float = 0.0

    @property
    def order(self) -> tuple[float, bool, str]:
        """Sorts what is worth most first, and what was drawn in between."""
        return (-self.rank, self.by_chance, self.request_id)


def worth_of_label(
    probabilities: NDArray[np.float64], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What it is worth to know the true label of each request before acting.

    ``Σ_i p_i · max_a M[i, a] − max_a Σ_i p_i · M[i, a]``: the expected value of perfect
    information (Howard 1966, "Information value theory", IEEE Trans. SSC 2(1)). The probabilities
    are taken as the journal has them, that is with the mix of labels already allowed for.

    Args:
        probabilities: ``(n, k)``.
        values: Money per request, ``(k, k+1)``: true labels by actions.

    Returns:
        Money, 0 or more, ``(n,)``.

    Example:
        >>> values = np.array([[3.0, -7.0, -2.0], [-7.0, 3.0, -2.0]])
        >>> worth_of_label(np.array([[1.0, 0.0], [0.5, 0.5]]), values).tolist()
        [0.0, 5.0]
    """
    known = probabilities @ values.max(axis=1)
    worth: NDArray[np.float64] = known - (probabilities @ values).max(axis=1)
    return np.maximum(worth, 0.0)


def waiting(
    journal: Journal,
    policy: Policy,
    *,
    audit_share: float = AUDIT_SHARE,
    beside: Neighbours = NOBODY,
) -> list[Waiting]:
    """What waits for a person: handed over, or drawn by chance, and no person has told its label.

    The newest `MOST_WAITING` of each among the newest 200,000 decisions. What was drawn comes in
    random order, one behind so many others that it makes up its share of each beginning of the
    queue: however far people come, what they label of it is a fair sample. Programs that label do
    not end its waiting, so that people check them too.

    Args:
        journal: Of the decisions.
        policy: What is worth what.
        audit_share: Share of the queue that is drawn; 0 for none.
        beside: Other models that write to the journal, whose requests are left out.

    Returns:
        What is worth most first.

    Raises:
        ServiceError: PF798 where the share is none; PF703 to PF706 where the database fails.

    Example:
        >>> policy = Policy(("a", "b"), np.eye(2, 3))  # doctest: +SKIP
        >>> waiting(journal, policy)[0].worth  # doctest: +SKIP
        5.25
    """
    draw_audit(journal, policy, audit_share=audit_share)
    told = (feedback.c.request_id == decisions.c.request_id) & (feedback.c.label != "")
    by_person = told & (feedback.c.source == "person")
    first = select(func.coalesce(func.max(decisions.c.id), 0) - _MOST_DECISIONS).scalar_subquery()
    own = ACTED & beside.decided() & (decisions.c.id > first)
    newest = _wanted().where(own).order_by(decisions.c.id.desc())
    mine = audit_rounds.c.labels_sha256 == labels_hash(policy.labels)
    drawn = (
        newest.join(asked, asked.c.request_id == decisions.c.request_id)
        .join(audit_rounds, audit_rounds.c.id == asked.c.round_id)
        .where(mine, ~exists().where(by_person))
    )
    handed = newest.where(decisions.c.action == HANDOFF, ~exists().where(told))
    with journal.reading() as connection:
        lots = connection.execute(drawn.limit(MOST_WAITING)).mappings().all()
        rows = connection.execute(handed.limit(MOST_WAITING)).mappings().all()
    names = {row["request_id"] for row in lots}
    by_worth = _priced([row for row in rows if row["request_id"] not in names], policy)
    ranked = sorted((replace(one, rank=one.worth) for one in by_worth), key=lambda one: one.order)
    drawn_ones = _priced(lots, policy) if audit_share else []
    return _mixed(ranked, drawn_ones, audit_share, salt=journal.salt)


def _mixed(
    ranked: list[Waiting], lots: list[Waiting], audit_share: float, *, salt: str
) -> list[Waiting]:
    """Both in one order: what was drawn by lot behind each so many others, and then the rest."""
    lots = sorted(lots, key=lambda one: text_hash(one.request_id, salt))
    behind = (1 - audit_share) / audit_share if audit_share else 0.0
    places = [math.ceil((number + 1) * behind) - 1 for number in range(len(lots))]
    drawn = [
        replace(one, by_chance=True, rank=ranked[place].rank if place < len(ranked) else -1.0 - i)
        for i, (one, place) in enumerate(zip(lots, places, strict=True))
    ]
    return sorted([*ranked, *drawn], key=lambda one: one.order)


def request_to_review(journal: Journal, policy: Policy, request_id: str) -> Waiting | None:
    """One request, also where a person has labelled it already; None where there is none.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     request_to_review(journal, None, "r-1")
    """
    if "\0" in request_id:  # PostgreSQL takes no such text, not even to compare it
        return None
    with journal.reading() as connection:
        wanted = _wanted().where(decisions.c.request_id == request_id)
        rows = connection.execute(wanted).mappings().all()
        lot = select(asked.c.request_id).where(asked.c.request_id == request_id)
        by_chance = connection.execute(lot).first() is not None
    found = _priced(rows, policy)
    return replace(found[0], by_chance=by_chance) if found else None


def labelled(
    request_ids: Sequence[str], label: str, *, person: str, seconds: float | None, sent_as: str
) -> list[Feedback]:
    """What a person says of one request or of several, as feedback.

    Args:
        request_ids: Of requests that have the same label.
        label: Which.
        person: Who says so.
        seconds: That it took for all of them together.
        sent_as: Names the form that was sent: sent again, it is written once.

    Example:
        >>> first, second = labelled(["r-1", "r-2"], "refund", person="ann", seconds=4.0,
        ...                          sent_as="form-1")
        >>> first.seconds, first.feedback_id == second.feedback_id
        (2.0, False)
    """
    each = None if seconds is None else seconds / len(request_ids)
    return [
        Feedback(
            request_id,
            label=label,
            source="person",
            person=person[:200],
            seconds=each,
            feedback_id=f"review-{text_hash(chr(31).join((sent_as, request_id, label)))}",
        )
        for request_id in dict.fromkeys(request_ids)
    ]


def _wanted() -> Select[Any]:
    names = ("request_id", "time_utc", "segment", "label", "probability", "probabilities")
    return select(*(decisions.c[name] for name in names), texts.c.text).join_from(
        decisions, texts, texts.c.request_id == decisions.c.request_id, isouter=True
    )


def _priced(rows: Sequence[Any], policy: Policy) -> list[Waiting]:
    """The rows with their suggestions, and with what their labels are worth."""
    made: list[Waiting] = []
    by_segment: dict[str, list[int]] = {}
    known: dict[int, NDArray[np.float64]] = {}
    for number, row in enumerate(rows):
        said = _probabilities(row, policy.labels)
        pairs: tuple[tuple[str, float], ...] = ((row["label"], float(row["probability"])),)
        if said is not None:
            known[number] = said
            by_segment.setdefault(row["segment"], []).append(number)
            best = np.argsort(-said, kind="stable")[:_N_SUGGESTIONS]
            pairs = tuple((policy.labels[j], float(said[j])) for j in best)
        about = (row["request_id"], row["time_utc"], row["text"], row["segment"])
        made.append(Waiting(*about, pairs))
    for segment, numbers in by_segment.items():
        values = policy.segment_values.get(segment, policy.values)
        worth = worth_of_label(np.stack([known[number] for number in numbers]), values)
        for number, one in zip(numbers, worth, strict=True):
            made[number] = replace(made[number], worth=round(float(one), 6))
    return made


def _probabilities(row: Any, labels: tuple[str, ...]) -> NDArray[np.float64] | None:
    """What the version that decided said, where it is about these labels."""
    if row["probabilities"] is None:
        return None
    said = read_probabilities(row["probabilities"])
    if len(said) != len(labels) or labels[int(said.argmax())] != row["label"]:
        return None
    return said
