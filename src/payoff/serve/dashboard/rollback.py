"""Going back: the versions of a model with their history, and the button that withdraws one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from payoff.core.errors import ServiceError
from payoff.learn.version_rows import VersionRow, version_rows
from payoff.learn.versions import history
from payoff.serve.dashboard.entrance import Visitor
from payoff.serve.dashboard.form import Form

if TYPE_CHECKING:
    from payoff.core.errors import PayoffError
    from payoff.learn.journal import Journal
    from payoff.serve.releases import Releases
    from payoff.serve.served_model import ServedModel

_MOST_WHY = 1000


@dataclass(frozen=True, slots=True)
class VersionHistory:
    """What the page shows of a model's versions.

    Args:
        model: Its name.
        rows: A row for each version, the newest first.
        now: The one that is released; None where none is.
        before: The one that going back brings again; None where there is none.
        serving: SHA-256 of the one that decides in this process.
        trouble: Why that is another one than the released one; None where it is not.
    """

    model: str
    rows: Sequence[VersionRow]
    now: VersionRow | None
    before: VersionRow | None
    serving: str
    trouble: PayoffError | None


def version_history(model: ServedModel, journal: Journal) -> VersionHistory:
    """All that happened to the versions of a model.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.
    """
    rows = version_rows(history(journal, model.name))
    states = {one.state: one for one in rows}
    now, before = states.get("released"), states.get("before")
    return VersionHistory(model.name, rows, now, before, model.sha256, model.trouble)


def check_admin(visitor: Visitor) -> None:
    """Refuse whoever may not change what is served.

    Raises:
        ServiceError: PF789.

    Example:
        >>> check_admin(Visitor("visit", "token", name="Ann", is_in=True))
        Traceback (most recent call last):
        ...
        payoff.core.errors.ServiceError: PF789 Ann: the key does not allow it (expected admin).
    """
    if not visitor.is_admin:
        raise ServiceError("PF789", visitor.name, "the key does not allow it", expected="admin")


async def go_back(model: ServedModel, releases: Releases, form: Form, visitor: Visitor) -> str:
    """Withdraw the version that a form names; gives the SHA-256 of the one that is released now.

    Raises:
        ServiceError: PF789 where the visitor may not; as `Releases.roll_back`.
    """
    check_admin(visitor)
    facts = {"by": visitor.name, "why": form.one("why").strip()[:_MOST_WHY]}
    told = {key: value for key, value in facts.items() if value}
    done = await releases.roll_back(model, form.one("artifact_sha256"), told)
    return done.artifact_sha256
