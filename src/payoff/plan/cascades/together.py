"""One attempt trained by several processes of this machine (`engine.team`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.recipes import recipe_named
from payoff.adapt.recipes.recipe import Attempt, Candidate, Recipe
from payoff.adapt.workbench import Workbench
from payoff.artifact.runtime.threads import physical_cores
from payoff.core.errors import AdaptError
from payoff.core.progress import Silent

if TYPE_CHECKING:
    from payoff.adapt.engine.team import Team
    from payoff.adapt.recipes.tuned import TuneAttempt


@contextmanager
def started(
    recipe: Recipe, candidate: Candidate, bench: Workbench, *, processes: int = 1
) -> Iterator[Attempt]:
    """Begin a candidate, whose steps are shared by ``processes`` while the block lasts.

    What comes out is what one process trains, but for rounding; only this process writes.

    Args:
        recipe: Of the candidate; more than one process find it by its name.
        candidate: Which.
        bench: The rows and who listens.
        processes: How many; with 1 it is just begun.

    Raises:
        AdaptError: PF405 where the recipe does not train step by step; PF410 where a process does
            not start or is gone.

    Example:
        >>> with started(recipe, candidate, bench, processes=2) as attempt:  # doctest: +SKIP
        ...     attempt.advance(1.0)
    """
    attempt = recipe.start(candidate, bench)
    if processes == 1:
        yield attempt
        return
    from payoff.adapt.engine.parallel import led
    from payoff.adapt.recipes.tuned import TuneAttempt

    if not isinstance(attempt, TuneAttempt):
        raise AdaptError(
            "PF405",
            f"recipe '{candidate.recipe}' in {processes} processes",
            "it does not train step by step, so that there is nothing to share",
            mend="Leave --processes out.",
        )
    silent = replace(bench, progress=Silent(), _opened={})
    with led(processes, follow, (candidate, silent)) as team:
        yield Led(attempt, team)


def follow(team: Team, candidate: Candidate, bench: Workbench) -> None:
    """Do what the first process does with its attempt, but measure and write nothing."""
    attempt: Any = recipe_named(candidate.recipe).start(candidate, bench)
    with _share_of_threads(team.size):
        while (order := team.hear())[0] != "end":
            what, value = order
            if what == "advance":
                attempt.advance(value)
            else:
                getattr(attempt, what)(Path(value))


@dataclass
class Led:
    """An attempt that other processes follow.

    Args:
        attempt: This process's.
        team: Those who follow.
    """

    attempt: TuneAttempt
    team: Team

    def advance(self, share: float) -> None:
        """Train up to ``share`` together."""
        self._order("advance", share)
        with _share_of_threads(self.team.size):
            self.attempt.advance(share)

    def logits(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """``(len(rows), n_labels)``, from this process."""
        return self.attempt.logits(rows)

    def save(self, folder: Path) -> None:
        """Write it, from this process."""
        self.attempt.save(folder)

    def keep(self, folder: Path) -> None:
        """Write it within `advance`, from this process."""
        self.attempt.keep(folder)

    def restore(self, folder: Path) -> None:
        """Go on from what `save` wrote, in all processes."""
        self._order("restore", str(folder))
        self.attempt.restore(folder)

    def take_up(self, folder: Path) -> None:
        """Go on from what `keep` wrote, in all processes."""
        self._order("take_up", str(folder))
        self.attempt.take_up(folder)

    def _order(self, what: str, value: Any) -> None:
        _ = self.attempt.training  # what is computed once is there before the others look for it
        self.team.tell(what, value)


@contextmanager
def _share_of_threads(n_processes: int) -> Iterator[None]:
    """Each process its share of the cores."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(max(1, min(before, physical_cores() // n_processes)))
    try:
        yield
    finally:
        torch.set_num_threads(before)
