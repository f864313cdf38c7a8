"""Subject: the model that a page is about, with its journal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from payoff.learn.neighbours import NOBODY, Neighbours, neighbours_of
from payoff.learn.outcomes import Outcome, outcomes
from payoff.learn.tally import DaySum, Tally
from payoff.serve.dashboard.span import Span

if TYPE_CHECKING:
    from payoff.economics.desk import Desk
    from payoff.learn.journal import Journal


@dataclass(frozen=True, slots=True)
class Subject:
    """What a page is about.

    Args:
        desk: What is served; its policy prices what feedback tells.
        journal: Of its decisions.
        tally: Of that journal.
        others: Other models that this process serves, which are left out, as are those that the
            journal knows.
        budget: The month's, in place of the one that its project states; None for that one.
    """

    desk: Desk
    journal: Journal
    tally: Tally
    others: Neighbours = NOBODY
    budget: float | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What the version is called: as the model that it is a version of, and by its own name.

        Whoever watches its file raises alerts under the second one.
        """
        return self.desk.name, self.desk.artifact.name

    def beside(self) -> Neighbours:
        """Other models that write to the journal: what is served, and what was once.

        Raises:
            ServiceError: PF703 to PF706 where the database fails.
        """
        noted = neighbours_of(self.journal, self.desk.name)
        names, artifacts = self.others.names, self.others.artifacts
        return Neighbours(noted.names | names, noted.artifacts | artifacts)

    def sums(self, span: Span) -> list[DaySum]:
        """The decisions of some days, added up.

        Raises:
            ServiceError: PF703 to PF706 where the database fails.
        """
        found = self.tally.read() if span.since else self.tally.read_all()
        others = self.beside().artifacts
        return [
            one
            for one in found
            if one.day >= span.since
            and one.artifact_sha256 not in others
            and one.currency == self.desk.currency
        ]

    def outcomes(self, since: str) -> list[Outcome]:
        """What feedback tells of the decisions since a day.

        Raises:
            ServiceError: PF703 to PF706 where the database fails.
        """
        found, others = outcomes(self.journal, since), self.beside().artifacts
        return [one for one in found if one.artifact_sha256 not in others]
