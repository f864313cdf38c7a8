"""Tick: what is due of the experiments that run, for a schedule that calls it now and then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from payoff.learn.experiments import book
from payoff.learn.experiments.course import PROMOTED, Course
from payoff.learn.experiments.look import Look
from payoff.learn.journal import Journal


@dataclass(frozen=True, slots=True)
class Tick:
    """What became of one experiment at a tick.

    Args:
        before: As it stood when it was looked at.
        look: What was seen.
        after: As it stands now.
        hold_back: The one that began with its promotion; None where there is none.
    """

    before: Course
    look: Look
    after: Course
    hold_back: Course | None = None

    @property
    def done(self) -> str:
        """``"waited"``, ``"ramped"``, ``"stopped"`` or ``"promoted"``, by whomever it was done.

        Of a hold-back ``"waited"``, ``"kept"``, ``"rolled back"``, or ``"stopped"`` where another
        version was released meanwhile.
        """
        if self.after.over:
            return self.after.over
        return "ramped" if self.after.stages != self.before.stages else "waited"

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        held = None if self.hold_back is None else self.hold_back.as_dict()
        told = {"done": self.done, "look": self.look.as_dict(), "hold_back": held}
        return self.after.as_dict() | told


def tick(journal: Journal, *, promoting: bool = True) -> list[Tick]:
    """Look at every experiment that runs, and do what is due: ramp, stop, promote, roll back.

    Called twice, or by two machines at once, it does everything once: each step is taken only from
    where the experiment stood when it was looked at, in one transaction, and who comes second finds
    it done. A promotion is noted as a release of the model's version. A promotion that surely loses
    by its hold-back is taken back (`payoff.learn.experiments.undoing`).

    Args:
        journal: Where experiments run.
        promoting: Promote too; without it that is left to people.

    Returns:
        One an experiment that ran, in the order in which they began.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> from payoff.learn.experiments.course import EXAMPLE
        >>> with Journal.open("sqlite://") as journal:
        ...     _ = book.start(journal, EXAMPLE.experiment, EXAMPLE.policy)
        ...     [one.done for one in tick(journal)]
        ['waited']
    """
    return [_ticked(journal, one, promoting) for one in book.courses(journal) if one.running]


def _ticked(journal: Journal, before: Course, promoting: bool) -> Tick:
    look = book.look_now(journal, before)
    after = book.act_on(journal, before, look, promoting=promoting)
    if after.over != PROMOTED:
        return Tick(before, look, after)
    return Tick(before, look, after, book.running_on(journal, after.experiment.model))
