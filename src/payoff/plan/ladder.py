"""Successive halving of candidates on expected profit (Jamieson & Talwalkar 2016).

Cheap candidates first; those that can be paused are judged at each rung, and the best third goes
on, with whatever the validation rows cannot tell from the best (as in a race, Maron & Moore 1994;
`score` has what they can tell).
Those that combine others come last, and must leave time to be trained on all rows as well.
A candidate is not begun when it does not fit into the time left, or when what it is expected to
gain (`stopping`) would not pay for it; both are said.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.recipes.recipe import Candidate, Recipe
from payoff.adapt.workbench import Workbench
from payoff.core.errors import AdaptError, PayoffError
from payoff.plan.asking import allow, asks_endpoint, booked, price_attempt
from payoff.plan.clock import Clock
from payoff.plan.keeping import Keeper
from payoff.plan.runs import Run
from payoff.plan.score import Score, foremost
from payoff.plan.stopping import HeldBack, expected_gain
from payoff.plan.trackers.tracking import tell_rung, training_of

_KEEP_ONE_OF = 3
_OF_ONE_CANDIDATE = ("PF808", "PF813", "PF815")
"""Too little memory; an endpoint that does not answer, or whose cap is reached: others go on."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A candidate after the search.

    Args:
        candidate: Which.
        status: ``"trained"``, ``"stopped"`` at a rung, ``"failed"`` or ``"not run"``.
        why: Why it was stopped, failed or not run; empty where trained.
        share: Share of its work that was done.
        seconds: Time it took.
        score: On the validation rows; None if unknown.
        logits: On validation, ``(n_validation, n_labels)``; None if unknown.
        started_s: When it began, in seconds since the search began; NaN if it did not.
        held_back: What was not begun of it; None where nothing was left out for time or worth.
    """

    candidate: Candidate
    status: str
    why: str = ""
    share: float = 0.0
    seconds: float = 0.0
    score: Score | None = None
    logits: NDArray[np.float32] | None = None
    started_s: float = math.nan
    held_back: HeldBack | None = None

    @property
    def value(self) -> float:
        """Mean value of a request on validation; NaN if unknown."""
        return self.score.value if self.score else math.nan

    def clearly_behind(self, other: Tried) -> bool:
        """Whether the validation rows tell it from ``other``, and against it."""
        assert self.score is not None
        assert other.score is not None
        return self.score.clearly_behind(other.score)

    def behind(self, winner: Tried) -> str:
        """In what it lost against ``winner``, as people read it."""
        assert self.score is not None
        assert winner.score is not None
        gap = winner.value - self.value
        if gap > 0:
            return f"behind {winner.candidate.name} by {gap:.4f} a request"
        return (
            f"not told from {winner.candidate.name} by its worth, and behind it in "
            f"log loss by {self.score.loss - winner.score.loss:.4f}"
        )


def best_tried(tried: Sequence[Tried]) -> Tried:
    """The best of some trained candidates."""
    scores = [t.score for t in tried if t.score is not None]
    return tried[foremost(scores)]


@dataclass
class Ladder:
    """Climbs all candidates of all recipes within a budget.

    Args:
        recipes: Name to recipe.
        bench: The shared workbench.
        run: Where every result is kept.
        clock: What is left of the budget.
        judge: What the validation rows say of logits.
        worth_of_perfection: Value of a request if every answer were right.
        worth_a_second: What a candidate's second costs, over what a request's value earns in the
            horizon: ``seconds * worth_a_second`` is in value a request.
        named: Recipes that somebody asked for: one that a search leaves alone by itself is tried
            with its usual settings.
        asked: Texts beside the validation rows that an endpoint will be asked about, for the
            budget.
    """

    recipes: dict[str, Recipe]
    bench: Workbench
    run: Run
    clock: Clock
    judge: Callable[[NDArray[np.float32]], Score]
    worth_of_perfection: float
    worth_a_second: float
    named: Collection[str] = ()
    asked: Sequence[str] = ()

    def climb(self) -> list[Tried]:
        """Try what pays, the cheapest first.

        Raises:
            AdaptError: PF405 where a recipe that was named lacks what it needs.
            EconomicsError: PF620 where the budget does not hold what comes next, PF629 where it
                cannot be held.
        """
        candidates = [c for r in self.recipes.values() for c in self._candidates(r)]
        simple = [c for c in candidates if len(self._recipe(c).rungs) == 1 and not c.last]
        simple.sort(key=lambda c: self._seconds(c))
        for candidate in simple:
            recipe = self._recipe(candidate)
            if asks_endpoint(recipe):  # what its answers may cost must fit before all else
                allow(self.run, recipe, candidate, self.bench, 0.0, texts=self.asked)
        done: list[Tried] = []
        for candidate in simple:
            done.append(self._try(candidate, 1.0, done))
        paused = [c for c in candidates if len(self._recipe(c).rungs) > 1 and not c.last]
        done += self._halve(self._fitting(paused), done)
        for candidate in candidates:
            if candidate.last:
                done.append(self._try(candidate, 1.0, done))
        return done

    def _candidates(self, recipe: Recipe) -> list[Candidate]:
        found = recipe.candidates(self.bench)
        if found or recipe.name not in self.named:
            return found
        found = recipe.standard(self.bench)
        needed = getattr(recipe, "needs", "")
        if not found and needed:
            raise AdaptError(
                "PF405",
                f"recipe '{recipe.name}'",
                "there is nothing for it to work with",
                expected=needed,
                mend="Give it what it needs, or leave it out; docs/recipes.md says more.",
            )
        return found

    def _fitting(self, candidates: list[Candidate]) -> list[Candidate]:
        """Those to try: the short ones only where no other of their recipe fits the time."""
        usual = [c for c in candidates if not c.only_if_short]
        able = {c.recipe for c in usual if not self._too_long(c, None)}
        return usual + [c for c in candidates if c.only_if_short and c.recipe not in able]

    def _halve(self, climbing: list[Candidate], before: list[Tried]) -> list[Tried]:
        latest: dict[Candidate, Tried] = {}
        for share in sorted({s for c in climbing for s in self._recipe(c).rungs}):
            for candidate in climbing:
                latest[candidate] = self._try(candidate, share, before, latest.get(candidate))
            good = [c for c in climbing if latest[c].status == "trained"]
            if share >= 1.0 or not good:
                break
            good.sort(key=lambda c: latest[c].value, reverse=True)
            # The best of those that can be finished: work that is broken off is of no use.
            able = [c for c in good if not self._too_long(c, latest[c])] or good
            first = best_tried([latest[c] for c in able])
            n_best = math.ceil(len(good) / _KEEP_ONE_OF)
            climbing = [
                c
                for place, c in enumerate(able)
                if place < n_best or not latest[c].clearly_behind(first)
            ]
            for loser in (c for c in good if c not in climbing):
                why = (
                    f"{latest[loser].behind(first)} at {share:.0%} of the work"
                    if loser in able
                    else f"at {share:.0%} of the work, {self._too_long(loser, latest[loser])}"
                )
                latest[loser] = replace(
                    latest[loser],
                    status="stopped",
                    why=why,
                    held_back=None if loser in able else self._late(loser, latest[loser], before),
                )
        return list(latest.values())

    def _try(
        self, candidate: Candidate, share: float, others: list[Tried], sofar: Tried | None = None
    ) -> Tried:
        kept = self._kept(candidate, share)
        if kept is not None:
            self._track(kept)
            return kept
        refusal = self._refusal(candidate, share, others, sofar)
        if refusal:
            why, held_back = refusal
            self.bench.progress.say(f"{candidate.name}: not run, {why}")
            return replace(
                sofar or Tried(candidate, ""), status="not run", why=why, held_back=held_back
            )
        seconds = self._seconds(candidate) * (share - (sofar.share if sofar else 0.0))
        recipe = self._recipe(candidate)
        allow(self.run, recipe, candidate, self.bench, seconds, texts=self.asked)
        started = self.clock.spent()
        try:
            with (
                training_of(self.bench, candidate),
                booked(self.run, recipe, candidate, self.bench),
            ):
                tried = self._train(candidate, share, started, sofar)
        except PayoffError as error:
            if not isinstance(error, AdaptError) and error.code not in _OF_ONE_CANDIDATE:
                raise
            self.bench.progress.say(f"{candidate.name}: {error}")
            return Tried(candidate, "failed", str(error), started_s=started)
        self.bench.progress.say(
            f"{candidate.name}: {tried.value:.3f} a request on validation, {tried.seconds:.0f} s"
        )
        self._track(tried)
        return tried

    def _track(self, tried: Tried) -> None:
        """Tell a tracker, if there is one, what the validation rows say."""
        assert tried.logits is not None
        with training_of(self.bench, tried.candidate):
            tell_rung(self.bench, tried.share, tried.logits, tried.seconds)

    def _train(
        self, candidate: Candidate, share: float, started: float, sofar: Tried | None
    ) -> Tried:
        begun = time.perf_counter()
        keeper = Keeper(
            self.run,
            candidate.key,
            self.bench.progress,
            noted=lambda: self._note(candidate),
        )
        attempt = self._recipe(candidate).start(candidate, replace(self.bench, progress=keeper))
        price_attempt(attempt)
        if sofar is not None and sofar.share > 0:
            attempt.restore(self.run.attempt(rung(candidate, sofar.share)))
        keeper.advance(attempt, share)
        logits = attempt.logits(self.bench.validation)
        seconds = time.perf_counter() - begun + (sofar.seconds if sofar else 0.0)
        seconds += keeper.earlier_s
        if not np.isfinite(logits).all():
            raise AdaptError("PF402", candidate.name, "its scores are not finite numbers")
        tried = Tried(
            candidate,
            "trained",
            share=share,
            seconds=seconds,
            score=self.judge(logits),
            logits=logits,
            started_s=sofar.started_s if sofar else started,
        )
        result = {"share": share, "seconds": seconds, "started_s": tried.started_s}
        self.run.record(rung(candidate, share), result, logits, attempt.save)
        keeper.forget()
        self.run.note_spent(self.clock.spent())
        return tried

    def _note(self, candidate: Candidate) -> None:
        """Keep and book what was used so far; stop where the budget does not hold a minute more."""
        self.run.note_spent(self.clock.spent())
        if self.run.meter is not None:
            self.run.meter.tick(candidate.name)

    def _kept(self, candidate: Candidate, share: float) -> Tried | None:
        """The result of an earlier process at just this rung."""
        kept = self.run.recorded(rung(candidate, share))
        if kept is None:
            return None
        result, logits = kept
        return Tried(
            candidate,
            "trained",
            share=result["share"],
            seconds=result["seconds"],
            score=self.judge(logits),
            logits=logits,
            started_s=result["started_s"],
        )

    def _refusal(
        self, candidate: Candidate, share: float, others: list[Tried], sofar: Tried | None
    ) -> tuple[str, HeldBack] | None:
        """Why it should not be begun; None if it should."""
        too_long = self._too_long(candidate, sofar)
        if too_long:
            return too_long, self._late(candidate, sofar, others)
        seconds = self._seconds(candidate) * (share - (sofar.share if sofar else 0.0))
        scores = _scores(others)
        if not scores:
            return None
        cost = seconds * self.worth_a_second
        gain = expected_gain(scores, self.worth_of_perfection)
        free = cost == 0.0 and self.worth_of_perfection > max(score.value for score in scores)
        if free or gain > cost:
            return None
        why = (
            f"what it is expected to gain ({gain:.4f} a request) would not pay for its "
            f"{seconds:.0f} s"
        )
        return why, HeldBack("worth", seconds, gain)

    def _late(self, candidate: Candidate, sofar: Tried | None, others: list[Tried]) -> HeldBack:
        """What does not fit the time left."""
        scores = _scores(others)
        gain = expected_gain(scores, self.worth_of_perfection) if scores else None
        rest = self._seconds(candidate) * (1.0 - (sofar.share if sofar else 0.0))
        return HeldBack("minutes", rest, gain)

    def _too_long(self, candidate: Candidate, sofar: Tried | None) -> str:
        """Why it cannot be finished in the time left; empty if it can."""
        rest = self._seconds(candidate) * (1.0 - (sofar.share if sofar else 0.0))
        again = ""
        if candidate.last:
            rest += self._seconds(candidate) * len(self.bench.texts) / len(self.bench.train)
            again = ", on all rows too,"
        left = self.clock.left()
        if rest <= left:
            return ""
        return f"it would take about {rest:.0f} s{again} and {max(left, 0):.0f} s are left"

    def _seconds(self, candidate: Candidate) -> float:
        return self._recipe(candidate).seconds(candidate, self.bench)

    def _recipe(self, candidate: Candidate) -> Recipe:
        return self.recipes[candidate.recipe]


def _scores(tried: list[Tried]) -> list[Score]:
    return [t.score for t in tried if t.status == "trained" and t.score is not None]


def rung(candidate: Candidate, share: float) -> str:
    """Where a rung is kept: each apart, so that whoever goes on judges by the same scores."""
    return candidate.key if share >= 1.0 else f"{candidate.key}-at-{share:g}"
