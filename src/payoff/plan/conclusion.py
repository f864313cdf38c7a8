"""The conclusion of a search: choose, train on all, report on rows that took no part."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from payoff.core.errors import AdaptError, EconomicsError
from payoff.core.files import write_json, write_text
from payoff.core.findings import Finding
from payoff.economics.held_floors import confirm_floors
from payoff.learn.watching.watched_model import REFERENCE
from payoff.plan.card import artifact_documents
from payoff.plan.cascades.cascade_option import CascadeOption
from payoff.plan.choice import expected_recipe
from payoff.plan.clock import Clock
from payoff.plan.comparison import Comparison, Reported
from payoff.plan.keeping import Keeper
from payoff.plan.kept import Kept, KeptOption
from payoff.plan.labels.label_answer import LabelAnswer
from payoff.plan.labels.label_study import study_labels
from payoff.plan.ladder import Tried
from payoff.plan.launch_reference import launch_reference
from payoff.plan.options import Option, Workshop
from payoff.plan.outlook import Outlook
from payoff.plan.parts import Parts
from payoff.plan.plan import Plan
from payoff.plan.prepared import Prepared
from payoff.plan.shipped import ShippedModel, timed_together, write_plan
from payoff.plan.summary import summarise
from payoff.plan.tested import Tested

_SPARE_SECONDS = 5.0


def conclude(
    prepared: Prepared,
    chosen: Option | CascadeOption,
    options: Sequence[Option],
    tried: Sequence[Tried],
    *,
    cascade: CascadeOption | None = None,
    no_cascade: str = "",
    sections: Mapping[str, Any] = MappingProxyType({}),
) -> Plan:
    """Finish a job whose choice is made.

    Args:
        prepared: The job.
        chosen: The choice, made on validation rows: one of the options, or their cascade.
        options: All options.
        tried: All candidates.
        cascade: The best cascade of the options; None where there is none.
        no_cascade: Why there is none.
        sections: What the summary tells besides.
    """
    workshop, parts, cut, clock = (
        prepared.workshop,
        prepared.parts,
        prepared.cut,
        prepared.clock,
    )
    name, worlds, findings = prepared.job.name, prepared.worlds, prepared.findings
    say = workshop.bench.progress.say
    say(f"chosen on validation: {chosen.name}")
    served = {one.name: _trained_on_all(workshop, one, clock) for one in chosen.tiers}
    tiers = [served[one.name] for one in chosen.tiers]
    tested = {one.name: Tested.of(workshop, one, served.get(one.name), parts) for one in options}
    told: dict[str, Any] = {
        "truth": parts.test_targets,
        "worlds": worlds,
        "segments": parts.test_segments,
    }
    reported = [tested[one.name].reported(workshop, one, **told) for one in options]
    answered = None
    if cascade is not None:
        said = [tested[one.name] for one in cascade.tiers]
        answered = cascade.plan.answered([one.probabilities for one in said], parts.test_segments)
        evidence = cascade.evidence
        if cascade is chosen:
            evidence, finding = timed_together(workshop, cascade, tiers)
            findings = (*findings, finding)
        done = Tested.together(answered, said)
        reported.append(done.reported(workshop, cascade, measured=evidence, **told))
    reported.sort(key=lambda one: one.option is not chosen)
    first = reported[0]
    reference, finding = launch_reference(
        first, parts, answered=answered if cascade is chosen else None, seed=workshop.bench.seed
    )
    findings = (*findings, finding)
    comparison = Comparison(
        chosen=first,
        reported=tuple(reported),
        tried=tuple(tried),
        baselines=workshop.reckoning.baselines(worlds, parts.test_segments),
        parts=parts,
        cut=cut,
        findings=(*findings, *_floors_kept(workshop, first, parts)),
        seconds=clock.spent(),
        mean_requests=float(worlds.requests.mean()),
        learnt_fingerprint=cut.train.concat(cut.validation).fingerprint,
        answered=answered,
        no_cascade=no_cascade,
    )
    summary = summarise(comparison, workshop, name=name, worlds=worlds) | dict(sections)
    documents = artifact_documents(comparison, workshop, summary, project=prepared.job.project)
    if reference is not None:
        documents[REFERENCE] = reference
    artifact = write_plan(
        workshop.run.folder / f"{name}.payoff",
        workshop,
        chosen,
        tiers,
        name=name,
        documents=documents,
        data_fingerprint=comparison.learnt_fingerprint,
    )
    kept = _keep(comparison, options, tested, workshop)
    outlook = Outlook.of(
        kept,
        workshop.terms,
        baselines=comparison.baselines,
        cascades=isinstance(chosen, CascadeOption),
    )
    summary |= outlook.as_dict()
    learning = [one for one in chosen.tiers if one.spec.kind != "endpoint"]
    dearest = (learning or chosen.tiers)[-1]  # of a cascade: what labels it learns from decides
    studied = study_labels(workshop, dearest, tried, clock, n_now=served[dearest.name].n_rows)
    studied.write(workshop.run.folder)
    answer = LabelAnswer.of(studied, workshop.terms, workshop.judge, worlds)
    summary["labels"] = answer.as_dict()
    summary["findings"] += [finding.as_dict() for finding in answer.findings]
    write_json(workshop.run.folder / "summary.json", summary)
    from payoff.plan.report.render import render

    write_text(workshop.run.folder / "report.html", render(summary))
    workshop.run.tidy()
    if workshop.run.meter is not None:
        workshop.run.meter.book("choosing, exporting and measuring")
    return Plan(
        name=chosen.name,
        forecast=first.forecast,
        evidence=first.evidence,
        summary=summary,
        artifact=artifact,
        folder=workshop.run.folder,
    )


def _keep(
    comparison: Comparison,
    options: Sequence[Option],
    tested: Mapping[str, Tested],
    workshop: Workshop,
) -> Kept:
    """Keep what a later what-if reckons with, in the order in which it was chosen from."""
    models = [
        KeptOption(
            measured.name,
            measured.recipe,
            measured.evidence,
            measured.training_s,
            measured.validation,
            tested[measured.name].probabilities.astype(np.float32),
            tokens=measured.tokens,
        )
        for measured in (option.measured for option in options)
    ]
    kept = Kept.of(
        workshop.reckoning,
        models,
        chosen=comparison.chosen.option.name,
        expected=expected_recipe(workshop.bench, [model.recipe for model in models]),
        seed=workshop.bench.seed,
        validation_truth=workshop.judge.truth,
        test_truth=comparison.parts.test_targets,
        validation_segments=workshop.judge.segments,
        test_segments=comparison.parts.test_segments,
    )
    kept.write(workshop.run.folder)
    return kept


def _trained_on_all(workshop: Workshop, chosen: Option, clock: Clock) -> ShippedModel:
    """The choice trained on training and validation rows, where the time allows it.

    The calibration stays the one that was fitted on validation rows, which the model did not know
    then; whether it still holds is what the test rows tell.
    """
    bench = workshop.bench
    candidate = chosen.candidate
    key = f"{candidate.key}-all"
    all_rows = bench.on_all_rows()
    kept = ShippedModel(chosen.spec, chosen.folder, len(bench.train))
    if chosen.spec.kind == "endpoint":
        return kept  # nothing is trained, and with other examples all would be asked again
    expected = chosen.tried.seconds * len(bench.texts) / len(bench.train)
    if workshop.run.recorded(key) is None:
        if clock.budget_s - clock.spent() < expected + _SPARE_SECONDS:
            bench.progress.say(
                f"kept as trained on {len(bench.train)} rows: training it on all "
                f"{len(bench.texts)} would take about {expected:.0f} s more than is left"
            )
            return kept
        bench.progress.say(f"training {candidate.name} on all {len(bench.texts)} rows")
        meter = workshop.run.meter
        if meter is not None:
            meter.book("choosing, exporting and measuring")
            try:
                meter.allow(f"{candidate.name} on all rows", expected)
            except EconomicsError as error:
                bench.progress.say(f"kept as trained on {len(bench.train)} rows: {error}")
                return kept
        started = time.perf_counter()
        noted = None if meter is None else lambda: meter.tick(f"{candidate.name} on all rows")
        keeper = Keeper(workshop.run, key, bench.progress, noted=noted)
        recipe = workshop.recipes[candidate.recipe]
        attempt = recipe.start(candidate, replace(all_rows, progress=keeper))
        try:
            keeper.advance(attempt, 1.0)
        except AdaptError as error:
            bench.progress.say(f"kept as chosen: on all rows, {error}")
            return kept
        seconds = time.perf_counter() - started + keeper.earlier_s
        result = {"share": 1.0, "seconds": seconds, "started_s": 0.0}
        workshop.run.record(key, result, np.zeros((0, len(bench.labels))), attempt.save)
        keeper.forget()
        if meter is not None:
            meter.book(f"{candidate.name} on all rows")
    spec, folder = workshop.export(candidate, all_rows, "-all")
    if chosen.precision != "fp32":
        spec, folder = workshop.compress(chosen.precision, spec, folder)
    return ShippedModel(spec, folder, len(bench.texts))


def _floors_kept(workshop: Workshop, first: Reported, parts: Parts) -> tuple[Finding, ...]:
    """Whether the test rows prove what was promised of the model that will serve."""
    return confirm_floors(
        first.option.policy,
        workshop.terms.floors,
        first.probabilities,
        parts.test_targets,
        segments=parts.test_segments,
    )
