"""Compress: the form of a model that earns most on its host, from the whole one to a few MB."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from payoff.adapt.recipes import recipe_named
from payoff.artifact.write import write_artifact
from payoff.core.errors import AdaptError
from payoff.core.extras import require
from payoff.plan.choice import foremost
from payoff.plan.compressing.limits import Limits
from payoff.plan.compressing.section import section_of
from payoff.plan.compressing.students import Students
from payoff.plan.compressing.walk import Walk, Walked
from payoff.plan.conclusion import conclude
from payoff.plan.job import Job
from payoff.plan.ladder import Tried, best_tried
from payoff.plan.options import Option, Workshop
from payoff.plan.plan import Plan
from payoff.plan.prepared import Prepared

_DISTIL = "distil-encoder"
_TO_WALK = 0.4
"""Share of the budget that students leave for the walk."""


@dataclass(frozen=True)
class Compressed:
    """What came of it.

    Args:
        plan: The form that earns most, with forecast, artifact and report from test rows.
        walked: All forms on validation rows.
    """

    plan: Plan
    walked: Walked

    @property
    def sentence(self) -> str:
        """What was gained and lost, in words."""
        told = self.plan.summary["compression"]
        form = next(one for one in told["forms"] if one["status"] == "chosen")
        whole = told["forms"][0]
        if len(told["forms"]) == 1 and not told["refused"]:
            return "The model is kept as it is: no compressor serves one of its kind."
        if form is whole:
            return "The model earns most as it is: no smaller form of it earns more on its host."
        return (
            f"{form['name']}: {form['size_bytes'] / 1e6:.1f} MB in place of "
            f"{whole['size_bytes'] / 1e6:.1f} (1/{told['smaller']:.1f}), {form['p50_ms']:.2f} ms "
            f"in place of {whole['p50_ms']:.2f}, "
            f"{form['lost']:+.2f} points lost on validation rows and "
            f"{told['lost_on_test']:+.2f} on test rows"
        )

    def as_dict(self) -> dict[str, Any]:
        """The plan's summary, whose section ``compression`` tells all forms."""
        return dict(self.plan.summary)


def compress(
    job: Job,
    recipe: str,
    *,
    limits: Limits | None = None,
    students: bool = True,
) -> Compressed:
    """Find the smaller form of a model that earns most.

    The model is trained as `payoff.search` trains it, or taken from a run of the same rows and
    seed that did. Every form is measured on validation rows; that of the highest expected profit
    among those within the limits is taken, the smallest of equals, and reported on test rows.

    Args:
        job: Rows, terms, budget.
        recipe: How the model is adapted.
        limits: What must hold.
        students: Train smaller models too, which the model teaches.

    Raises:
        AdaptError: PF401 for an unknown recipe; PF403 where it could not be trained; PF415
            where none of its forms is within the limits.
        As `payoff.search` besides.
    """
    require("torch", "tune", "training")
    limits = limits or Limits()
    recipes = {recipe: recipe_named(recipe), _DISTIL: recipe_named(_DISTIL)}
    choosing = {
        "compressing": [recipe, students],
        "limits": [limits.most_lost, limits.largest_mb, limits.slowest_ms],
    }
    prepared = Prepared.of(job, recipes, choosing)
    models = [_whole(prepared, recipe)]
    if students:
        models += _students(prepared, models[0])
    prepared = prepared.after(models)
    walked = Walk(prepared.workshop, prepared.clock, limits).through(models)
    within = limits.within(walked.options, walked.whole)
    chosen = earns_most(within, job.terms.risk_aversion)
    section = section_of(
        walked, chosen, limits, lost_on_test=_lost_on_test(prepared, walked, chosen)
    )
    plan = conclude(prepared, chosen, walked.options, models, sections={"compression": section})
    return Compressed(plan, walked)


def earns_most(options: Sequence[Option], aversion: float) -> Option:
    """The highest expected profit on validation rows; of equals the smallest artifact.

    Args:
        options: At least one.
        aversion: λ, as `choice.foremost` has it.
    """
    by_size = sorted(options, key=_size)
    return by_size[foremost([option.forecast.profit for option in by_size], aversion)]


def _lost_on_test(prepared: Prepared, walked: Walked, chosen: Option) -> float:
    """Points of accuracy on test rows, both models as they learnt from the same rows."""
    parts = prepared.parts

    def right(option: Option) -> float:
        runtime = prepared.workshop.opened(option.candidate, option.spec, option.folder)
        said = runtime.logits(parts.test_texts).argmax(axis=1)
        return float((said == parts.test_targets).mean())

    return 100 * (right(walked.whole) - right(chosen))


def _size(option: Option) -> int:
    assert option.evidence.footprint is not None
    return option.evidence.footprint.artifact_bytes


def _whole(prepared: Prepared, recipe: str) -> Tried:
    """The model to be compressed.

    Raises:
        AdaptError: PF403.
    """
    own = {recipe: prepared.workshop.recipes[recipe]}
    tried = prepared.ladder(own, named=(recipe,)).climb()
    trained = [t for t in tried if t.status == "trained"]
    if not trained:
        told = "; ".join(f"{t.candidate.name}: {t.why}" for t in tried)
        raise AdaptError(
            "PF403",
            f"recipe '{recipe}'",
            told or "it has no candidate for these rows and backbones",
            mend="Give more minutes, or another recipe or backbone.",
        )
    return best_tried(trained)


def _students(prepared: Prepared, whole: Tried) -> list[Tried]:
    """Smaller models that it teaches, as far as the budget goes."""
    if not whole.candidate.backbone:
        return []
    teacher = _as_teacher(prepared.workshop, whole)
    ladder = prepared.ladder({_DISTIL: Students(teacher, whole.candidate.backbone)})
    clock = prepared.clock
    ladder.clock = replace(clock, reserve_s=clock.reserve_s + _TO_WALK * clock.budget_s)
    ladder.worth_a_second = 0.0  # what a student gains is size and speed, which scores do not tell
    return [one for one in ladder.climb() if one.status == "trained"]


def _as_teacher(workshop: Workshop, whole: Tried) -> Path:
    """The model as an artifact, which students ask."""
    assert whole.logits is not None
    path = workshop.run.trained / "teachers" / f"{whole.candidate.key}.payoff"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_artifact(
            path,
            name="teacher",
            labels=workshop.bench.labels,
            tiers=[workshop.export(whole.candidate, workshop.bench)],
            calibrations=[workshop.judge.calibrated(whole.logits).calibration],
            documents={},
            seed=workshop.bench.seed,
            data_fingerprint="",
        )
    return path
