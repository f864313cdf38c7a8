"""The conclusion of a search: choose, train on all, report on rows that took no part."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from payoff.artifact.tier import TierSpec
from payoff.artifact.write import write_artifact
from payoff.core.errors import AdaptError, EconomicsError
from payoff.core.files import write_json, write_text
from payoff.core.findings import Finding
from payoff.data.splits import Split
from payoff.economics.desk import policy_document
from payoff.economics.held_floors import confirm_floors
from payoff.economics.worlds import Worlds
from payoff.evidence.evidence import Evidence
from payoff.plan.card import artifact_documents
from payoff.plan.choice import expected_recipe
from payoff.plan.clock import Clock
from payoff.plan.comparison import Comparison, Reported
from payoff.plan.judging import Judge
from payoff.plan.keeping import Keeper
from payoff.plan.kept import Kept, KeptOption
from payoff.plan.label_answer import LabelAnswer
from payoff.plan.label_study import study_labels
from payoff.plan.ladder import Tried
from payoff.plan.options import Logits, Option, Workshop, tier_logits
from payoff.plan.parts import Parts
from payoff.plan.plan import Plan
from payoff.plan.summary import summarise

_SPARE_SECONDS = 5.0


def conclude(
    workshop: Workshop,
    chosen: Option,
    options: Sequence[Option],
    tried: Sequence[Tried],
    *,
    parts: Parts,
    cut: Split,
    clock: Clock,
    worlds: Worlds,
    findings: tuple[Finding, ...],
    name: str,
    project: str,
) -> Plan:
    """Finish a search whose choice is made.

    Args:
        workshop: Made the options.
        chosen: The choice, made on validation rows.
        options: All options, the choice among them.
        tried: All candidates.
        parts: The rows.
        cut: How they were cut.
        clock: What is left of the budget.
        worlds: Drawn over the test rows.
        findings: What the report tells of data, payoff and prices.
        name: Name of the artifact.
        project: Text of ``payoff.toml``, or empty.
    """
    say = workshop.bench.progress.say
    say(f"chosen on validation: {chosen.name}")
    spec, folder, n_rows = _trained_on_all(workshop, chosen, clock)
    first = _report(
        workshop,
        chosen,
        tier_logits(spec, folder, parts.test_texts),
        parts.test_targets,
        worlds=worlds,
        n_rows=n_rows,
    )
    others = [
        _report(
            workshop,
            option,
            option.logits(parts.test_texts),
            parts.test_targets,
            worlds=worlds,
            n_rows=parts.n_train,
        )
        for option in options
        if option is not chosen
    ]
    comparison = Comparison(
        chosen=first,
        reported=(first, *others),
        tried=tuple(tried),
        baselines=workshop.reckoning.baselines(worlds),
        parts=parts,
        cut=cut,
        findings=(*findings, *_floors_kept(workshop, first, parts)),
        seconds=clock.spent(),
        mean_requests=float(worlds.requests.mean()),
        learnt_fingerprint=cut.train.concat(cut.validation).fingerprint,
    )
    summary = summarise(comparison, workshop, name=name, worlds=worlds)
    artifact = write_artifact(
        workshop.run.folder / f"{name}.payoff",
        name=name,
        labels=parts.labels,
        tiers=[(spec, folder)],
        calibrations=[chosen.calibration],
        documents={
            "policy.json": policy_document(chosen.policy, workshop.terms.currency),
            **artifact_documents(comparison, workshop, summary, project=project),
        },
        seed=workshop.bench.seed,
        data_fingerprint=comparison.learnt_fingerprint,
    )
    _keep(comparison, workshop)
    evidence = study_labels(workshop, chosen, tried, clock, n_now=n_rows)
    evidence.write(workshop.run.folder)
    answer = LabelAnswer.of(evidence, workshop.terms, workshop.judge, worlds)
    summary["labels"] = answer.as_dict()
    summary["findings"] += [finding.as_dict() for finding in answer.findings]
    write_json(workshop.run.folder / "summary.json", summary)
    from payoff.plan.report.render import render

    write_text(workshop.run.folder / "report.html", render(summary))
    return Plan(
        name=chosen.name,
        forecast=first.forecast,
        evidence=first.evidence,
        summary=summary,
        artifact=artifact,
        folder=workshop.run.folder,
    )


def _keep(comparison: Comparison, workshop: Workshop) -> None:
    """Keep what a later what-if reckons with."""
    options = [
        KeptOption(
            reported.option.name,
            reported.option.candidate.recipe,
            reported.option.evidence,
            reported.option.tried.seconds,
            reported.option.probabilities.astype(np.float32),
            reported.option.calibration.apply(reported.logits).astype(np.float32),
        )
        for reported in comparison.reported
    ]
    kept = Kept.of(
        workshop.reckoning,
        options,
        chosen=comparison.chosen.option.name,
        expected=expected_recipe(workshop.bench),
        seed=workshop.bench.seed,
        validation_truth=workshop.judge.truth,
        test_truth=comparison.parts.test_targets,
    )
    kept.write(workshop.run.folder)


def _trained_on_all(workshop: Workshop, chosen: Option, clock: Clock) -> tuple[TierSpec, Path, int]:
    """The choice trained on training and validation rows, where the time allows it.

    The calibration stays the one that was fitted on validation rows, which the model did not know
    then; whether it still holds is what the test rows tell.
    """
    bench = workshop.bench
    candidate = chosen.candidate
    key = f"{candidate.key}-all"
    all_rows = bench.on_all_rows()
    expected = chosen.tried.seconds * len(bench.texts) / len(bench.train)
    if workshop.run.recorded(key) is None:
        if clock.budget_s - clock.spent() < expected + _SPARE_SECONDS:
            bench.progress.say(
                f"kept as trained on {len(bench.train)} rows: training it on all "
                f"{len(bench.texts)} would take about {expected:.0f} s more than is left"
            )
            return chosen.spec, chosen.folder, len(bench.train)
        bench.progress.say(f"training {candidate.name} on all {len(bench.texts)} rows")
        meter = workshop.run.meter
        if meter is not None:
            meter.book("choosing, exporting and measuring")
            try:
                meter.allow(f"{candidate.name} on all rows", expected)
            except EconomicsError as error:
                bench.progress.say(f"kept as trained on {len(bench.train)} rows: {error}")
                return chosen.spec, chosen.folder, len(bench.train)
        started = time.perf_counter()
        noted = None if meter is None else lambda: meter.tick(f"{candidate.name} on all rows")
        keeper = Keeper(workshop.run, key, bench.progress, noted=noted)
        recipe = workshop.recipes[candidate.recipe]
        attempt = recipe.start(candidate, replace(all_rows, progress=keeper))
        try:
            keeper.advance(attempt, 1.0)
        except AdaptError as error:
            bench.progress.say(f"kept as chosen: on all rows, {error}")
            return chosen.spec, chosen.folder, len(bench.train)
        seconds = time.perf_counter() - started + keeper.earlier_s
        result = {"share": 1.0, "seconds": seconds, "started_s": 0.0}
        workshop.run.record(key, result, np.zeros((0, len(bench.labels))), attempt.save)
        keeper.forget()
        if meter is not None:
            meter.book(f"{candidate.name} on all rows")
    spec, folder = workshop.export(candidate, all_rows, "-all")
    if chosen.precision != "fp32":
        spec, folder = workshop.compress(chosen.precision, spec, folder)
    return spec, folder, len(bench.texts)


def _floors_kept(workshop: Workshop, first: Reported, parts: Parts) -> tuple[Finding, ...]:
    """Whether the test rows prove what was promised of the model that will serve."""
    option = first.option
    probabilities = option.calibration.apply(first.logits)
    return confirm_floors(option.policy, workshop.terms.floors, probabilities, parts.test_targets)


def _report(
    workshop: Workshop,
    option: Option,
    logits: Logits,
    truth: NDArray[np.int64],
    *,
    worlds: Worlds,
    n_rows: int,
) -> Reported:
    judge = Judge(workshop.terms.payoff, option.policy, truth)
    probabilities = option.calibration.apply(logits)
    reckoning = workshop.reckoning
    costs = reckoning.costs(option.hosting, option.tried.seconds)
    return Reported(
        option,
        logits,
        Evidence.of(
            "test",
            logits,
            judge.truth,
            probabilities=probabilities,
            calibration=option.evidence.calibration,
            latency=option.evidence.latency,
            footprint=option.evidence.footprint,
            training_s=option.tried.seconds,
            machine=option.evidence.machine,
        ),
        reckoning.forecast(
            option.name, judge.outcome(probabilities), worlds, costs, option.reference
        ),
        judge.policy.decide(probabilities).actions,
        n_rows,
        float(judge.worths(probabilities).mean()),
        judge.argmax_value(probabilities),
    )
