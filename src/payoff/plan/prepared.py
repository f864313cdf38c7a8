"""Prepared: a job whose rows are cut and whose terms are checked, before anything is trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import numpy as np

from payoff.adapt.backbones.find import find
from payoff.adapt.recipes.recipe import Recipe
from payoff.adapt.workbench import Workbench
from payoff.core.errors import DataError, ProjectError, did_you_mean, raise_all
from payoff.core.extras import require
from payoff.core.findings import Finding
from payoff.core.progress import Progress
from payoff.data.inspection import inspect
from payoff.data.later import came_later
from payoff.data.splits import Split, split
from payoff.economics.floor import floor_problems
from payoff.economics.worlds import Worlds
from payoff.plan.clock import Clock
from payoff.plan.job import Job
from payoff.plan.judging import Judge
from payoff.plan.ladder import Ladder, Tried
from payoff.plan.learning_inputs import learning_inputs
from payoff.plan.options import Workshop
from payoff.plan.parts import Parts, parts_of, segments_of, validation_share
from payoff.plan.reckoning import Reckoning
from payoff.plan.runs import Run
from payoff.plan.search_runs import SearchRuns
from payoff.plan.terms import Terms

_ENVELOPE_BYTES = 200  # of a request beside its text
_MEASURING_S = 24.0  # quick options and the report
_MEASURING_S_A_MEGABYTE = 0.25  # seen here: four options of an encoder, 29 s at 91 MB, 115 at 471


@dataclass(frozen=True)
class Prepared:
    """What is at hand when a job begins.

    Args:
        job: The job.
        cut: How its rows were cut.
        parts: The rows to learn from, to choose by and to report on.
        clock: The budget.
        workshop: Trains nothing yet.
    """

    job: Job
    cut: Split
    parts: Parts
    clock: Clock
    workshop: Workshop

    @classmethod
    def of(cls, job: Job, recipes: dict[str, Recipe], choosing: Mapping[str, Any]) -> Prepared:
        """Cut the rows, check the terms, and find the run of these inputs or begin it.

        Args:
            job: The job.
            recipes: Name to recipe.
            choosing: What else determines what is chosen, as plain values.

        Raises:
            DataError: PF104 or PF106 where the rows cannot be learnt from.
            EconomicsError: PF605 or PF607 where the LLM API that the terms name has no price;
                PF601 or PF605 where no host has one.
            MachineError: PF803 where the extra ``tune`` is not installed.
        """
        require("torch", "tune", "training")
        terms, dataset = job.terms, job.dataset
        share = validation_share(dataset, job.test)
        cut = split(dataset, test_set=job.test, seed=job.seed, validation=share)
        parts = parts_of(cut)
        _require_judges(parts, cut)
        # What does not fit is told before training.
        terms.payoff.check_fits(parts.labels, segments_of(dataset), source=dataset.source)
        raise_all(floor_problems(terms.floors, parts.labels))
        backbones = tuple(dict.fromkeys(job.backbones)) or suited_backbones(parts.train_texts)
        told = checked_descriptions(job.descriptions, parts.labels)
        learning = learning_inputs(
            dataset, job.test, job.seed, backbones, unlabelled=job.unlabelled, descriptions=told
        )
        later = came_later(cut.train)
        if len(later):
            learning["later"] = sha256(later.tobytes()).hexdigest()
        choosing = {"terms": terms.as_dict(), "minutes": job.minutes, **choosing}
        run = Run.open(job.runs, job.name, learning=learning, choosing=choosing)
        run = replace(run, meter=job.meter)
        reckoning = _reckoning(terms, parts)
        reckoning.check_hosts()
        if "model" in terms.llm:
            reckoning.price_api()  # what is wrong with it is told now, not after the work
        clock = _clock(job.minutes, backbones, run, job.progress)
        bench = bench_of(parts, backbones, run, seed=job.seed, progress=job.progress)
        bench = replace(bench, unlabelled=tuple(job.unlabelled), descriptions=told, later=later)
        workshop = _workshop(recipes, parts, reckoning, run, bench)
        if job.meter is not None:
            job.meter.book("reading and checking the rows")
        return cls(job, cut, parts, clock, workshop)

    def after(self, tried: Sequence[Tried]) -> Prepared:
        """The same, once candidates were tried: their training is among the costs of all plans."""
        seconds = [one.seconds for one in tried if one.seconds > 0]
        if not seconds:
            return self
        searched = SearchRuns(len(seconds), float(sum(seconds)))
        reckoning = replace(self.workshop.reckoning, searched=searched)
        return replace(self, workshop=replace(self.workshop, reckoning=reckoning))

    def ladder(
        self, recipes: Mapping[str, Recipe] | None = None, *, named: Collection[str] = ()
    ) -> Ladder:
        """What tries the candidates of all recipes of the workshop, or only of these.

        Args:
            recipes: Name to recipe.
            named: Recipes that somebody asked for, as `Ladder` has it.
        """
        workshop = self.workshop
        return Ladder(
            dict(workshop.recipes if recipes is None else recipes),
            workshop.bench,
            workshop.run,
            self.clock,
            workshop.judge.score,
            worth_of_perfection=workshop.judge.perfect_value(),
            worth_a_second=workshop.cost_per_hour / 3600 / workshop.terms.requests,
            named=named,
            asked=self.parts.test_texts,
        )

    @property
    def worlds(self) -> Worlds:
        """Drawn over the test rows."""
        return self.workshop.reckoning.worlds(self.parts.test_targets, self.job.seed)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the report tells of the data, the payoff and the prices."""
        terms, dataset = self.job.terms, self.job.dataset
        return (
            *inspect(dataset, test_set=self.job.test),
            *self.parts.findings,
            *terms.payoff.check(self.parts.labels, source=dataset.source),
            *terms.prices.check(terms.on),
            *(() if terms.rates is None else terms.rates.check(terms.on)),
        )


def _require_judges(parts: Parts, cut: Split) -> None:
    """Refuse parts without a row to choose by or to report on, before anything is trained."""
    for name, left, whole in (
        ("validation", len(parts.validation), cut.validation),
        ("test", len(parts.test_texts), cut.test),
    ):
        if not left:
            raise DataError(
                "PF106",
                whole.source,
                f"none of its {len(whole):,} {name} rows has a label that training has",
                expected=f"labels among {', '.join(map(repr, parts.labels[:10]))}",
                mend="Check that its label column is the right one.",
            )


def _clock(minutes: float, backbones: Sequence[str], run: Run, listener: Progress) -> Clock:
    """The budget, less what exporting and measuring will take and what was spent before."""
    if run.spent_before_s:
        listener.say(f"going on with {run.folder}, {run.spent_before_s:.0f} s of it spent before")
    megabytes = sum(b.laid_bytes for b in map(find, backbones) if b.family == "encoder") / 1e6
    measuring = _MEASURING_S + _MEASURING_S_A_MEGABYTE * megabytes
    budget = minutes * 60
    return Clock(budget, reserve_s=min(0.3 * budget, measuring), before_s=run.spent_before_s)


def bench_of(
    parts: Parts, backbones: tuple[str, ...], run: Run, *, seed: int, progress: Progress
) -> Workbench:
    """A workbench over the rows to learn from, with activations kept in the run's folder."""
    return Workbench(
        texts=parts.learnt_texts,
        targets=parts.learnt_targets,
        labels=parts.labels,
        train=parts.train,
        validation=parts.validation,
        backbones=backbones,
        folder=run.activations,
        seed=seed,
        progress=progress,
    )


def _workshop(
    wanted: dict[str, Recipe], parts: Parts, reckoning: Reckoning, run: Run, bench: Workbench
) -> Workshop:
    truth = parts.learnt_targets[parts.validation]
    judge = Judge(
        reckoning.terms.payoff,
        reckoning.policy(),
        truth,
        bench.seed,
        parts.validation_segments,
    )
    worlds = reckoning.worlds(truth, bench.seed)
    return Workshop(wanted, bench, run, judge, reckoning, worlds)


def _reckoning(terms: Terms, parts: Parts) -> Reckoning:
    texts = [parts.learnt_texts[row] for row in parts.validation]
    return Reckoning(
        terms,
        parts.labels,
        n_labelled=len(parts.learnt_texts),
        training_counts=np.bincount(parts.learnt_targets[parts.train], minlength=len(parts.labels)),
        request_bytes=float(np.mean([len(text.encode()) for text in texts])) + _ENVELOPE_BYTES,
        characters_per_text=float(np.mean([len(text) for text in parts.learnt_texts])),
    )


def suited_backbones(texts: Sequence[str]) -> tuple[str, ...]:
    """Backbones that know the script of the texts: a multilingual one from 2 % of letters on.

    Example:
        >>> suited_backbones(["where is my card"])
        ('minilm-l6', 'wordllama-256')
        >>> suited_backbones(["我的卡在哪里"])
        ('e5-small-multi', 'wordllama-256')
    """
    letters = Counter("latin" if c < "ɐ" else "other" for t in texts for c in t if c.isalpha())
    foreign = letters["other"] / max(1, letters.total())
    return ("e5-small-multi" if foreign > 0.02 else "minilm-l6", "wordllama-256")


def checked_descriptions(
    descriptions: Mapping[str, str], labels: Sequence[str]
) -> Mapping[str, str]:
    """The same descriptions.

    Raises:
        Problems: PF203 for each that is of a label that the data lack.

    Example:
        >>> checked_descriptions({"refund": "Money back"}, ["card", "refund"])
        {'refund': 'Money back'}
    """
    raise_all(
        ProjectError(
            "PF203",
            "descriptions",
            f"label '{label}' does not occur in the rows to learn from",
            mend=did_you_mean(label, list(labels)) or "Correct or remove it.",
        )
        for label in descriptions
        if label not in labels
    )
    return descriptions
