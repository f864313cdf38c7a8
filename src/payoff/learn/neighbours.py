"""Neighbours: other models that write to the same journal, which are no business of a model."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, true

from payoff.learn.journal import Journal
from payoff.learn.other_models import artifacts_of_others
from payoff.learn.tables import costs, decisions
from payoff.learn.versions import models_with_versions


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


def neighbours_of(journal: Journal, model: str) -> Neighbours:
    """The other models of a journal, as far as anything was noted of their versions.

    A service notes the versions that it is started with, and each that is released; whoever starts
    an experiment notes both. An artifact that served under two names belongs to both.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> from payoff.learn.versions import release
        >>> with Journal.open("sqlite://") as journal:
        ...     _ = release(journal, "topic", "a" * 64), release(journal, "mood", "b" * 64)
        ...     neighbours_of(journal, "topic").names
        frozenset({'mood'})
    """
    names = frozenset(models_with_versions(journal)) - {model}
    return Neighbours(names, artifacts_of_others(journal, [model]))
