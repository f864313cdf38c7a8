"""Kinds of requests, and how many came of each, so that those that were labelled can be weighed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import case, func, select

from payoff.learn.acted import ACTED
from payoff.learn.journal import Journal
from payoff.learn.tables import decisions

_EDGES = (*(round(0.05 * step, 2) for step in range(1, 20)), 0.98, 0.99, 0.995)


class Kind(NamedTuple):
    """Requests that were decided alike, by a model that was about as sure of them.

    Args:
        handed: Whether they were handed over.
        sureness: Number of the interval of the probability of the likeliest label, rising.

    Example:
        >>> Kind.of(False, 0.97) < Kind.of(False, 0.999), Kind.of(True, 0.31).sureness
        (True, 6)
    """

    handed: bool
    sureness: int

    @classmethod
    def of(cls, handed: bool, probability: float) -> Kind:
        """The kind of one request."""
        return cls(handed, bisect_right(_EDGES, probability))


def kinds_asked(
    journal: Journal, *, since: str = "", until: str = "", without: Collection[str] = ()
) -> dict[Kind, int]:
    """How many requests of each kind came.

    What is labelled is rarely a fair sample of what was asked: this says how to weigh it. What a
    shadow decided beside another version is not counted.

    Args:
        journal: Where they are.
        since: From this time on, as the journal writes it; from the first one where empty.
        until: Up to this time; up to the last one where empty.
        without: SHA-256 of artifacts: what they decided is not counted.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     kinds_asked(journal)
        {}
    """
    handed = case((decisions.c.action == "handoff", 1), else_=0)
    below = [(decisions.c.probability < edge, number) for number, edge in enumerate(_EDGES)]
    sureness = case(*below, else_=len(_EDGES))
    wanted = (
        select(handed.label("handed"), sureness.label("sureness"), func.count(decisions.c.id))
        .where(decisions.c.time_utc >= since, ACTED)
        .group_by("handed", "sureness")
    )
    if until:
        wanted = wanted.where(decisions.c.time_utc <= until)
    if without:
        wanted = wanted.where(decisions.c.artifact_sha256.not_in(sorted(without)))
    with journal.reading() as connection:
        rows = connection.execute(wanted).all()
    return {Kind(bool(over), int(sure)): int(n) for over, sure, n in sorted(rows)}
