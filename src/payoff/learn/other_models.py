"""Other models: which artifacts of a shared journal are versions of somebody else's model."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select

from payoff.learn.journal import Journal
from payoff.learn.tables import versions


def artifacts_of_others(journal: Journal, models: Collection[str]) -> frozenset[str]:
    """SHA-256 of the artifacts that the journal knows as versions of other models alone.

    One service answers for several models and writes one journal: what is labelled of one says
    nothing about another. An artifact that nothing was noted of is nobody else's.

    Args:
        journal: Where versions are noted.
        models: Whose own versions are left out.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> from payoff.learn.versions import release
        >>> with Journal.open("sqlite://") as journal:
        ...     _ = release(journal, "mood", "a" * 64)
        ...     _ = release(journal, "topic", "b" * 64)
        ...     [one[:3] for one in artifacts_of_others(journal, ["topic"])]
        ['aaa']
    """
    wanted = select(versions.c.model, versions.c.artifact_sha256).distinct()
    with journal.reading() as connection:
        noted = [tuple(row) for row in connection.execute(wanted)]
    own = {sha256 for name, sha256 in noted if name in models}
    return frozenset(sha256 for _, sha256 in noted if sha256) - own
