"""The conclusion of a search: choose, train on all, report on rows that took no part."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from payoff.artifact.tier import TierSpec
from payoff.artifact.write import write_artifact
from payoff.core.errors import AdaptError, EconomicsError
from payoff.core.files import write_json, write_text
from payoff.core.findings import Finding
from payoff.data.splits import Split
from payoff.economics.baselines import Baseline, do_nothing, llm_api, llm_hosting, people_only
from payoff.economics.desk import policy_document
from payoff.economics.hosting import Hosting
from payoff.economics.worlds import Worlds
from payoff.evidence.evidence import Evidence
from payoff.plan.card import artifact_documents
from payoff.plan.clock import Clock
from payoff.plan.comparison import Comparison, Reported
from payoff.plan.judging import Judge
from payoff.plan.keeping import Keeper
from payoff.plan.ladder import Tried
from payoff.plan.options import Logits, Option, Workshop, tier_logits
from payoff.plan.parts import Parts
from payoff.plan.plan import Plan
from payoff.plan.summary import summarise
from payoff.plan.terms import Terms

_SPARE_SECONDS = 5.0
UNSTATED_LLM = "gpt-5-mini"
"""The API that is priced where the terms name none; its accuracy is then unknown."""


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
    judge = Judge(workshop.terms.payoff, workshop.judge.policy, parts.test_targets)
    first = _report(
        workshop,
        chosen,
        tier_logits(spec, folder, parts.test_texts),
        judge,
        worlds=worlds,
        n_rows=n_rows,
    )
    others = [
        _report(
            workshop,
            option,
            option.logits(parts.test_texts),
            judge,
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
        baselines=_baselines(workshop, parts, worlds),
        parts=parts,
        cut=cut,
        findings=findings,
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
            "policy.json": policy_document(judge.policy, workshop.terms.currency),
            **artifact_documents(comparison, workshop, summary, project=project),
        },
        seed=workshop.bench.seed,
        data_fingerprint=comparison.learnt_fingerprint,
    )
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
        started = time.perf_counter()
        keeper = Keeper(workshop.run, key, bench.progress)
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
    spec, folder = workshop.export(candidate, all_rows, "-all")
    if chosen.precision != "fp32":
        spec, folder = workshop.compress(chosen.precision, spec, folder)
    return spec, folder, len(bench.texts)


def _report(
    workshop: Workshop,
    option: Option,
    logits: Logits,
    judge: Judge,
    *,
    worlds: Worlds,
    n_rows: int,
) -> Reported:
    probabilities = option.calibration.apply(logits)
    costs = workshop.costs(option.hosting, option.tried.seconds)
    return Reported(
        option,
        logits,
        Evidence.of(
            "test",
            logits,
            judge.truth,
            probabilities=probabilities,
            latency=option.evidence.latency,
            footprint=option.evidence.footprint,
            training_s=option.tried.seconds,
            machine=option.evidence.machine,
        ),
        workshop.forecast(
            option.name, judge.outcome(probabilities), worlds, costs, option.reference
        ),
        judge.policy.decide(probabilities).actions,
        n_rows,
        float(judge.worths(probabilities).mean()),
        judge.argmax_value(probabilities),
    )


def _baselines(workshop: Workshop, parts: Parts, worlds: Worlds) -> tuple[Baseline, ...]:
    payoff = workshop.terms.payoff
    return (
        do_nothing(payoff, worlds),
        people_only(payoff, parts.labels, worlds),
        _api(workshop, parts, worlds),
    )


def price_api(terms: Terms, parts: Parts) -> Hosting:
    """What the API that the terms name would cost, or one that stands for it.

    Raises:
        EconomicsError: PF605 or PF607 where it cannot be priced.
    """
    return llm_hosting(
        terms.llm.get("model", UNSTATED_LLM),
        labels=parts.labels,
        currency=terms.currency,
        on=terms.on,
        rates=terms.rates,
        characters_per_text=float(np.mean([len(text) for text in parts.learnt_texts])),
    )


def _api(workshop: Workshop, parts: Parts, worlds: Worlds) -> Baseline:
    """An LLM API; priced where it can be, valued where its accuracy is stated."""
    terms = workshop.terms
    model = terms.llm.get("model", UNSTATED_LLM)
    try:
        hosting = price_api(terms, parts)
    except EconomicsError as error:
        if "model" in terms.llm:
            raise
        return Baseline(f"LLM API {model}", None, reason=str(error))
    return llm_api(
        terms.payoff, parts.labels, worlds, hosting=hosting, accuracy=terms.llm.get("accuracy")
    )
