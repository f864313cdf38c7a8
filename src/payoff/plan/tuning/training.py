"""Training one candidate rung by rung: kept, booked, and never begun beyond the budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.recipes.recipe import Attempt, Candidate, Recipe
from payoff.adapt.workbench import Workbench
from payoff.core.errors import AdaptError
from payoff.plan.asking import allow, booked, price_attempt
from payoff.plan.cascades.together import started
from payoff.plan.keeping import Keeper
from payoff.plan.ladder import rung
from payoff.plan.runs import Run
from payoff.plan.trackers.tracking import tell_rung, training_of

Judged = Callable[[float, NDArray[np.float32], float], bool]
"""From a rung's share, its validation logits and the seconds so far to whether it goes on."""


def trained(
    recipe: Recipe,
    candidate: Candidate,
    bench: Workbench,
    run: Run,
    *,
    processes: int = 1,
    judged: Judged | None = None,
    texts: Sequence[str] = (),
) -> tuple[Attempt, float]:
    """The training, kept at every rung; and its seconds, those of before included.

    Args:
        recipe: Of the candidate.
        candidate: Which.
        bench: The rows and who listens.
        run: Where rungs are kept; its meter books them, and is asked before each.
        processes: How many share each step.
        judged: Told each rung's share, validation logits and seconds; where it gives False, the
            training ends there.
        texts: What an endpoint will be asked about besides, for the budget.

    Raises:
        AdaptError: PF402 where training fails, or what came out scores with no finite numbers; the
            rungs before it stay.
        EconomicsError: PF620 before the budget would be exceeded, PF629 where it cannot be held.

    Example:
        >>> trained(recipe, candidate, bench, run)[1]  # doctest: +SKIP
        41.7
    """
    meter = run.meter
    noted = None if meter is None else lambda: meter.tick(candidate.name)
    keeper = Keeper(run, candidate.key, bench.progress, noted=noted)
    if run.recorded(rung(candidate, recipe.rungs[-1])) is not None:
        processes = 1  # it is trained already
    missing = [share for share in recipe.rungs if run.recorded(rung(candidate, share)) is None]

    def ask_budget(share: float) -> None:
        expected = recipe.seconds(candidate, bench) * share
        allow(run, recipe, candidate, bench, expected, texts=texts)

    if missing:
        ask_budget(missing[0])  # before a backbone is loaded, or another process is begun
    seconds = 0.0
    with (
        training_of(bench, candidate),
        started(recipe, candidate, replace(bench, progress=keeper), processes=processes) as attempt,
    ):
        price_attempt(attempt)
        for share in recipe.rungs:
            key = rung(candidate, share)
            kept = run.recorded(key)
            if kept is not None:
                attempt.restore(run.attempt(key))
                seconds, logits = kept[0]["seconds"], kept[1]
            else:
                if share != missing[0]:
                    ask_budget(share)
                with booked(run, recipe, candidate, bench):
                    begun = time.perf_counter()
                    keeper.advance(attempt, share)
                    logits = attempt.logits(bench.validation)
                    if not np.isfinite(logits).all():  # nothing of it is kept
                        raise AdaptError(
                            "PF402", candidate.name, "its scores are not finite numbers"
                        )
                    seconds += time.perf_counter() - begun + keeper.earlier_s
                    result = {"share": share, "seconds": seconds, "started_s": 0.0}
                    run.record(key, result, logits, attempt.save)
                    keeper.forget()
            tell_rung(bench, share, logits, seconds)
            if judged is not None and not judged(share, logits, seconds):
                break
    return getattr(attempt, "attempt", attempt), seconds
