"""The review queue: what waits for a person, what is worth most to know first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Select, exists, func, select

from payoff.economics.actions import HANDOFF
from payoff.learn.acted import ACTED
from payoff.learn.entry import read_probabilities
from payoff.learn.feedback import Feedback
from payoff.learn.journal import Journal
from payoff.learn.tables import decisions, feedback, texts

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
    """

    request_id: str
    time_utc: str
    text: str | None
    segment: str
    suggestions: tuple[tuple[str, float], ...]
    worth: float = 0.0

    @property
    def order(self) -> tuple[float, str]:
        """Sorts what is worth most first."""
        return (-self.worth, self.request_id)


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


def waiting(journal: Journal, policy: Policy) -> list[Waiting]:
    """What waits for a person: handed over, and nobody has told its label.

    The newest `MOST_WAITING` among the newest 200,000 decisions.

    Args:
        journal: Of the decisions.
        policy: What is worth what.

    Returns:
        What is worth most first.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> policy = Policy(("a", "b"), np.eye(2, 3))  # doctest: +SKIP
        >>> waiting(journal, policy)[0].worth  # doctest: +SKIP
        5.25
    """
    told = (feedback.c.request_id == decisions.c.request_id) & (feedback.c.label != "")
    first = select(func.coalesce(func.max(decisions.c.id), 0) - _MOST_DECISIONS).scalar_subquery()
    wanted = (
        _wanted()
        .where(decisions.c.action == HANDOFF, ACTED, decisions.c.id > first)
        .where(~exists().where(told))
        .order_by(decisions.c.id.desc())
        .limit(MOST_WAITING)
    )
    with journal.reading() as connection:
        rows = connection.execute(wanted).mappings().all()
    return sorted(_priced(rows, policy), key=lambda one: one.order)


def request_to_review(journal: Journal, policy: Policy, request_id: str) -> Waiting | None:
    """One request, also where a person has labelled it already; None where there is none.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     request_to_review(journal, None, "r-1")
    """
    with journal.reading() as connection:
        wanted = _wanted().where(decisions.c.request_id == request_id)
        rows = connection.execute(wanted).mappings().all()
    return next(iter(_priced(rows, policy)), None) if rows else None


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
    from payoff.learn.entry import text_hash

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
