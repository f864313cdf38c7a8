"""Neighbours: other models that write to the same journal, which are no business of a model."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, select, true

from payoff.learn.journal import Journal
from payoff.learn.tables import costs, decisions, versions


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What the journal has noted of other models.

    Args:
        names: Of the models; their costs are booked under these.
        artifacts: SHA-256 of their versions.

    Example:
        >>> str(Neighbours(frozenset({"mood"})).spent())[:22], NOBODY.names
        ('(costs.project NOT IN ', frozenset())
    """

    names: frozenset[str] = frozenset()
    artifacts: frozenset[str] = frozenset()

    def decided(self) -> ColumnElement[bool]:
        """The condition that a decision is none of theirs."""
        if not self.artifacts:
            return true()
        return decisions.c.artifact_sha256.not_in(sorted(self.artifacts))

    def spent(self) -> ColumnElement[bool]:
        """The condition that a cost line is none of theirs."""
        if not self.names:
            return true()
        return costs.c.project.not_in(sorted(self.names))


NOBODY = Neighbours()
"""Where a model has the journal for itself."""


def neighbours_of(journal: Journal, *models: str) -> Neighbours:
    """The other models of a journal, as far as anything was noted of their versions.

    A service notes the versions that it is started with, and each that is released; whoever starts
    an experiment notes both. An artifact that served under two names belongs to both, and one that
    nothing was noted of is nobody else's.

    Args:
        journal: Where versions are noted.
        models: Names of the model whose neighbours are wanted.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> from payoff.learn.versions import release
        >>> with Journal.open("sqlite://") as journal:
        ...     _ = release(journal, "topic", "a" * 64), release(journal, "mood", "b" * 64)
        ...     neighbours_of(journal, "topic").names
        frozenset({'mood'})
    """
    wanted = select(versions.c.model, versions.c.artifact_sha256).distinct()
    with journal.reading() as connection:
        noted = [(str(row[0]), str(row[1])) for row in connection.execute(wanted)]
    own = {sha256 for name, sha256 in noted if name in models}
    return Neighbours(
        frozenset(name for name, _ in noted) - set(models),
        frozenset(sha256 for _, sha256 in noted if sha256) - own,
    )
