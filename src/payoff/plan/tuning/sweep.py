"""A sweep: better settings of one recipe, looked for by Optuna within trials and minutes.

The usual settings are the first trial, and they stay unless the validation rows tell another
trial from them (`score`), so that a sweep does not end below them by chance. A trial is judged at
the recipe's rungs by log loss after calibration that knew none of the rows, and stopped where it
is behind the median of those before it. All trials share one workbench: the activations below the
trained layers and the head from which each starts are computed once.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.recipes import recipe_named
from payoff.adapt.recipes.range import Range
from payoff.adapt.recipes.recipe import Candidate, Recipe
from payoff.adapt.recipes.searched import Searched, optional_settings, with_settings
from payoff.adapt.workbench import Workbench
from payoff.core.errors import AdaptError, PayoffError
from payoff.core.extras import require
from payoff.core.files import to_json, write_json
from payoff.core.progress import Progress, Silent
from payoff.data.dataset import Dataset
from payoff.data.folder_lock import folder_lock
from payoff.evidence.calibration import cross_fitted
from payoff.evidence.quality import log_losses
from payoff.learn.meter import Meter
from payoff.plan.clock import Clock
from payoff.plan.ladder import rung
from payoff.plan.runs import Run
from payoff.plan.score import Score
from payoff.plan.study import Ended, Proposal, Study, opened_study
from payoff.plan.trackers.tracking import ended
from payoff.plan.tuning.training import trained
from payoff.plan.tuning.tune import Trial, candidate_of, prepared, tune

_MEASURING_S = 20.0  # exporting and measuring what was chosen
_MISFITS = 5  # proposals in a row that do not fit into the time left, before it ends
_TOO_LITTLE_MEMORY = "PF808"


@dataclass(frozen=True, slots=True)
class Swept:
    """One trial of a sweep.

    Args:
        number: In order; 0 are the usual settings.
        candidate: Recipe, backbone and settings.
        status: ``"trained"``, ``"stopped"`` at a rung, ``"failed"`` or ``"not run"``.
        why: Why it was stopped, failed or not run; empty where trained.
        share: Share of its work that was done.
        seconds: Seconds that it took.
        loss: Log loss on validation rows in nats, by cross-fitted calibration; None if unknown.
        accuracy: On validation rows; None if unknown.
    """

    number: int
    candidate: Candidate
    status: str
    why: str = ""
    share: float = 0.0
    seconds: float = 0.0
    loss: float | None = None
    accuracy: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "number": self.number,
            "settings": dict(self.candidate.settings),
            "status": self.status,
            "why": self.why,
            "share": self.share,
            "seconds": self.seconds,
            "log_loss": self.loss,
            "accuracy": self.accuracy,
        }


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep found.

    Args:
        best: The chosen settings, exported and measured; the usual ones where none was told from
            them.
        tried: All trials, in order.
        space: Where was looked: setting to range.
        gain: Nats a row by which the best trial is ahead of the usual settings on validation;
            0 where that is the usual one.
        gain_error: Standard error of that difference, from pairs of rows. It does not know that
            the best of several was picked.
        left_usual: Whether the chosen settings are others than the usual.
    """

    best: Trial
    tried: tuple[Swept, ...]
    space: Mapping[str, Range]
    gain: float
    gain_error: float
    left_usual: bool

    @property
    def sentence(self) -> str:
        """What was decided, and why, as people read it."""
        n = sum(trial.status == "trained" for trial in self.tried)
        if self.gain == 0:
            return f"None of {n} trained trials has a lower log loss than the usual settings."
        by = f"by {self.gain:.4f} nats a row (standard error {self.gain_error:.4f})"
        if self.left_usual:
            return f"Better than the usual settings {by}: they are left."
        return f"The best of {n} trials is ahead {by}, which may be chance: the usual ones stay."

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "best": self.best.as_dict(),
            "sentence": self.sentence,
            "left_usual": self.left_usual,
            "gain": self.gain,
            "gain_error": self.gain_error,
            "space": {name: where.as_dict() for name, where in self.space.items()},
            "trials": [trial.as_dict() for trial in self.tried],
        }


def sweep(
    dataset: Dataset,
    recipe: str,
    *,
    backbone: str = "",
    trials: int = 20,
    minutes: float = 10.0,
    settings: Mapping[str, Any] | None = None,
    test: Dataset | None = None,
    unlabelled: Sequence[str] = (),
    descriptions: Mapping[str, str] | None = None,
    report: bool = False,
    seed: int = 0,
    runs: Path | str = "runs",
    progress: Progress | None = None,
    meter: Meter | None = None,
) -> Sweep:
    """Look for better settings of a recipe than the usual ones.

    The same seed, data and versions propose and choose the same, unless the minutes end it.

    Args:
        dataset: Labelled rows.
        recipe: Name of the recipe.
        backbone: Which pretrained model; the one that suits the texts' script where empty.
        trials: Trials in all, the usual settings among them; a study that was begun before is
            gone on with until there are as many.
        minutes: Time budget; a trial that does not fit into what is left is not begun.
        settings: Settings that stay as they are given.
        test: Rows to report on; cut from ``dataset`` where not given.
        unlabelled: More texts of the same kind, for recipes that learn from those too.
        descriptions: Label to what it means, for recipes that start from words.
        report: Measure the chosen settings, and those alone, on the test rows too.
        seed: Seed of everything random.
        runs: Folder of runs; a killed sweep goes on where it stopped.
        progress: Who listens.
        meter: Books what is used and holds the budget; no books are kept where not given.

    Raises:
        DataError: PF104 or PF106 where the rows cannot be learnt from.
        AdaptError: PF401 for an unknown recipe; PF405 where it does not fit the data or the
            backbone; PF406 for a setting that it does not have, or where it says no range; PF403
            where the usual settings do not fit into the minutes; PF402 where they fail.
        EconomicsError: PF620 before the budget would be exceeded.
        MachineError: PF803 where an extra, ``tune`` or ``sweep``, is not installed.

    Example:
        >>> found = sweep(tickets, "lora", trials=12, minutes=5)  # doctest: +SKIP
        >>> found.best.candidate.name  # doctest: +SKIP
        'lora minilm-l6 depth=3 …'
    """
    require("torch", "tune", "training")
    require("optuna", "sweep", "looking for better settings")
    listener = progress or Silent()
    chosen, fixed = recipe_named(recipe), dict(settings or {})
    same: dict[str, Any] = {
        "backbone": backbone,
        "test": test,
        "unlabelled": unlabelled,
        "descriptions": descriptions,
        "seed": seed,
        "runs": runs,
    }
    _, run, bench = prepared(dataset, recipe, **same, progress=listener, verb="sweep")
    run = replace(run, meter=meter)
    usual = candidate_of(chosen, bench, fixed)
    space = _space(chosen, usual, bench, fixed)
    clock = Clock(
        minutes * 60,
        reserve_s=min(0.1 * minutes * 60, _MEASURING_S),
        before_s=run.spent_before_s,
    )
    place = run.folder / "study.db"
    values = _values(chosen, usual, bench, space)
    with (
        folder_lock(place, listener),
        opened_study(place, _name(usual, space), space, values, seed=seed) as study,
    ):
        climb = _Climb(chosen, usual, bench, run, clock, study)
        climb.until(trials)
        tried = tuple(climb.swept(one) for one in study.ended())
    first, ahead, gain, error = _compared(tried, run, bench)
    left = _losses_of(first, run, bench).clearly_behind(_losses_of(ahead, run, bench))
    winner = (ahead if left else first).candidate
    for one in tried:
        if one.candidate != winner:
            ended(listener, one.candidate, "finished")
    best = tune(
        dataset,
        recipe,
        settings=dict(winner.settings),
        report=report,
        progress=listener,
        meter=meter,
        **same,
    )
    found = Sweep(best, tried, space, gain, error, left)
    write_json(run.folder / "sweep.json", found.as_dict())
    (run.folder / "spent.json").unlink(missing_ok=True)  # the next command has its own minutes
    return found


@dataclass
class _Climb:
    """Tries what a study proposes."""

    recipe: Recipe
    usual: Candidate
    bench: Workbench
    run: Run
    clock: Clock
    study: Study
    _misfits: int = field(default=0)

    def until(self, trials: int) -> None:
        """Go on until there are so many trials, or the time is over."""
        while sum(one.status != "not run" for one in self.study.ended()) < trials:
            proposal = self.study.propose()
            candidate = self._candidate(proposal.settings)
            refusal = self._too_long(candidate)
            if not refusal:
                self._misfits = 0
                self._try(proposal, candidate)
                self.run.note_spent(self.clock.spent())
                continue
            if proposal.number == 0:
                raise AdaptError("PF403", candidate.name, refusal, mend="Give more minutes.")
            self._misfits += 1
            self.study.end(proposal, "not run", None, {"why": refusal})
            if self._misfits == _MISFITS:
                self.bench.progress.say(f"the minutes are over: {refusal}")
                return

    def swept(self, one: Ended) -> Swept:
        """A trial as it is shown."""
        return Swept(one.number, self._candidate(one.settings), one.status, **one.facts)

    def _candidate(self, settings: Mapping[str, Any]) -> Candidate:
        return with_settings(self.recipe, self.usual, self.bench, settings)

    def _too_long(self, candidate: Candidate) -> str:
        if self.run.recorded(rung(candidate, 1.0)) is not None:
            return ""
        seconds, left = self.recipe.seconds(candidate, self.bench), self.clock.left()
        if seconds <= left:
            return ""
        return f"it would take about {seconds:.0f} s and {max(left, 0):.0f} s are left"

    def _try(self, proposal: Proposal, candidate: Candidate) -> None:
        facts: dict[str, Any] = {}

        def judged(share: float, logits: NDArray[np.float32], seconds: float) -> bool:
            losses, right = judge(logits, self.bench)
            facts.update(share=share, seconds=seconds)
            facts.update(loss=float(losses.mean()), accuracy=float(right.mean()))
            return self.study.goes_on(proposal, round(100 * share), facts["loss"])

        try:
            trained(self.recipe, candidate, self.bench, self.run, judged=judged)
        except PayoffError as error:
            expected = isinstance(error, AdaptError) or error.code == _TOO_LITTLE_MEMORY
            if proposal.number == 0 or not expected:
                raise
            self.study.end(proposal, "failed", None, facts | {"why": str(error)})
            self._tell(proposal, candidate, str(error))
            return
        if facts["share"] >= 1.0:
            self.study.end(proposal, "trained", facts["loss"], facts)
            self._tell(proposal, candidate, f"log loss {facts['loss']:.4f}")
            return
        why = f"behind the median at {facts['share']:.0%} of the work"
        self.study.end(proposal, "stopped", None, facts | {"why": why})
        ended(self.bench.progress, candidate, "stopped")
        self._tell(proposal, candidate, why)

    def _tell(self, proposal: Proposal, candidate: Candidate, what: str) -> None:
        self.bench.progress.say(f"trial {proposal.number}, {candidate.name}: {what}")


def judge(
    logits: NDArray[np.float32], bench: Workbench
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Log loss of each validation row by cross-fitted calibration, and whether it is right.

    Args:
        logits: ``(n_validation, n_labels)``.
        bench: The rows.

    Returns:
        Both ``(n_validation,)``.
    """
    truth = bench.targets[bench.validation]
    probabilities = cross_fitted(logits, truth, seed=bench.seed)
    return log_losses(probabilities, truth), logits.argmax(1) == truth


def _space(
    recipe: Recipe, usual: Candidate, bench: Workbench, fixed: Mapping[str, Any]
) -> dict[str, Range]:
    """Where to look: what the recipe says, without the settings that were given."""
    said = recipe.space(usual, bench) if isinstance(recipe, Searched) else {}
    space = {name: where for name, where in said.items() if name not in fixed}
    if not space:
        raise AdaptError(
            "PF406",
            f"recipe '{recipe.name}'",
            "there is no setting left to look for" if said else "it says no range of any setting",
            mend="Leave --trials out.",
        )
    values = _values(recipe, usual, bench, space)
    for name, where in space.items():
        if not where.holds(values[name]):
            raise AdaptError(
                "PF406",
                f"recipe '{recipe.name}', setting '{name}'",
                f"its usual value {values[name]!r} is not within its range",
                expected=str(where.as_dict()),
            )
    return space


def _values(
    recipe: Recipe, usual: Candidate, bench: Workbench, space: Mapping[str, Range]
) -> dict[str, Any]:
    """The usual value of each setting."""
    values = dict(usual.settings) | optional_settings(recipe, usual, bench)
    return {name: values.get(name) for name in space}


def _name(usual: Candidate, space: Mapping[str, Range]) -> str:
    """Of the study: another candidate or another space is another study."""
    content = to_json({"usual": usual.name, "space": {n: r.as_dict() for n, r in space.items()}})
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _losses_of(one: Swept, run: Run, bench: Workbench) -> Score:
    """What the validation rows say of a trained trial; worth is not known here."""
    kept = run.recorded(rung(one.candidate, 1.0))
    assert kept is not None
    losses, _ = judge(kept[1], bench)
    return Score(np.zeros(len(losses)), losses)


def _compared(
    tried: Sequence[Swept], run: Run, bench: Workbench
) -> tuple[Swept, Swept, float, float]:
    """The usual settings, the trial of the lowest log loss, its gain and that one's error."""
    done = [one for one in tried if one.status == "trained" and one.loss is not None]
    first = done[0]
    ahead = min(done, key=lambda one: (one.loss, one.number))
    pairs = _losses_of(first, run, bench).losses - _losses_of(ahead, run, bench).losses
    return first, ahead, float(pairs.mean()), float(pairs.std() / math.sqrt(len(pairs)))
