"""A cascade of a search's options: chosen on validation rows, reported on test rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.artifact.runtime.threads import physical_cores
from payoff.artifact.write import write_artifact
from payoff.core.errors import EconomicsError
from payoff.economics.cascade import Cascade, CascadeTier
from payoff.economics.cascade_frontier import CascadePoint, cascade_frontier
from payoff.economics.cascade_outcome import CascadeOutcome
from payoff.economics.cascade_search import best_cascade
from payoff.economics.costs import PlanCosts, Step
from payoff.economics.desk import load, policy_document
from payoff.economics.forecast import Forecast
from payoff.economics.hosting import Hosting
from payoff.economics.offer import exchange
from payoff.economics.outcome import Outcome
from payoff.economics.prices.llm import price_llm_call
from payoff.economics.worlds import Worlds
from payoff.evidence.calibration import classwise_ece, ece
from payoff.evidence.evidence import Evidence, Rows
from payoff.evidence.footprint import Footprint
from payoff.evidence.latency import Latency, measure_latency
from payoff.evidence.machine import this_machine
from payoff.evidence.quality import measure_quality
from payoff.plan.options import Option, Workshop
from payoff.plan.parts import Parts
from payoff.plan.terms import Terms

Array = NDArray[np.float64]

_MANY = 1e9
"""Times the expected traffic at which whole machines no longer matter to the price of a text."""


@dataclass(frozen=True)
class CascadePlan:
    """A cascade beside the options that it is made of.

    Args:
        options: Its tiers, in the order in which they are asked.
        cascade: Its policy, and what it did with validation rows, cross-fitted.
        frontier: Worth against cost on validation rows.
        hosting: The cheapest way to run all its tiers that holds the limits.
        reference: The cheapest rented machine that holds them, to compare with.
        validation: What was measured on validation rows, cross-fitted.
        forecast: From validation rows: what a choice is made by.
        test: What was measured on test rows.
        test_outcome: What it did with test rows.
        test_forecast: From test rows: what is reported.
    """

    options: tuple[Option, ...]
    cascade: Cascade
    frontier: tuple[CascadePoint, ...]
    hosting: Hosting
    reference: Hosting
    validation: Evidence
    forecast: Forecast
    test: Evidence
    test_outcome: CascadeOutcome
    test_forecast: Forecast

    @property
    def name(self) -> str:
        """What people read."""
        return " → ".join(option.name for option in self.options)

    def as_dict(self) -> dict[str, Any]:
        """Plain values: the section ``cascade`` of a summary."""
        return {
            "name": self.name,
            "currency": self.forecast.profit.currency,
            "tiers": [
                {"name": option.name, "cost": cost, "share": share}
                for option, cost, share in zip(
                    self.options,
                    self.cascade.policy.costs,
                    self.test_outcome.shares(len(self.options)),
                    strict=True,
                )
            ],
            "points": [point.as_dict() for point in self.frontier],
            "worth_each": self.test_outcome.worth,
            "cost_each": self.test_outcome.cost,
            "profit_month": self.test_forecast.profit.as_dict(),
        }


def cascade_of(
    workshop: Workshop, options: Sequence[Option], parts: Parts, worlds: Worlds
) -> CascadePlan:
    """The best cascade of a search's options.

    It may be of one tier: then no other one is worth asking. Its tiers are the options as they
    were trained for the choice, on training rows alone.

    Args:
        workshop: Made the options.
        options: All that were measured. One of an API without a known price is left out, and said.
        parts: The rows.
        worlds: Drawn over the test rows.

    Raises:
        EconomicsError: PF616 where no host holds the limits for all tiers together.
    """
    judge = workshop.judge
    texts = [workshop.bench.texts[row] for row in workshop.bench.validation]
    offered: dict[str, tuple[Option, CascadeTier]] = {}
    for option in options:
        try:
            cost = asking_cost(option, workshop.terms)
        except EconomicsError as error:
            workshop.bench.progress.say(f"{option.name} is no tier: {error}")
            continue
        offered[option.name] = option, CascadeTier(option.name, option.probabilities, cost)
    tiers = [tier for _, tier in offered.values()]
    shift = judge.policy.prior_shift
    shared: dict[str, Any] = {
        "row_weights": None if shift is None else shift[judge.truth],
        "seed": judge.seed,
    }
    cascade = best_cascade(tiers, judge.policy, judge.truth, **shared)
    frontier = cascade_frontier(cascade, tiers, judge.policy, judge.truth, **shared)
    chosen = tuple(offered[name][0] for name in cascade.policy.tiers)
    return _planned(workshop, chosen, cascade, frontier, texts=texts, parts=parts, worlds=worlds)


def asking_cost(option: Option, terms: Terms) -> float:
    """What one more text costs when this option is asked, money.

    For a model of one's own: its measured seconds at the price of the cheapest rented machine that
    holds the limits, as busy as is planned for. That is what a text costs in the long run: of
    traffic so large that whole machines no longer matter. For an API: its tokens.

    Raises:
        EconomicsError: PF607 or PF605 where the API has no price in the currency.
    """
    if option.spec.kind == "endpoint":
        tokens = [option.spec.settings.get(f"{kind}_tokens_a_text") for kind in ("input", "output")]
        if None in tokens:
            raise EconomicsError(
                "PF607", option.name, "how many tokens a text takes was not measured"
            )
        read, written = (math.ceil(float(count or 0.0)) for count in tokens)
        priced = price_llm_call(
            str(option.spec.settings["model"]),
            input_tokens=read,
            output_tokens=written,
            on=terms.on,
        )
        return float(exchange(priced.cost, terms.currency, rates=terms.rates, on=terms.on))
    requests = _MANY * terms.traffic.per_month
    paid = option.reference.cost_by_step(np.array(requests))
    return float(paid.get(Step.INFERENCE, np.zeros(()))) / requests


def write_cascade(plan: CascadePlan, workshop: Workshop, target: Path, *, name: str) -> Path:
    """Write the cascade as an artifact of several tiers.

    Args:
        plan: The cascade.
        workshop: Made its options.
        target: The file to write.
        name: Name of the artifact.

    Raises:
        MachineError: PF801 on a full disk, PF802 where writing is forbidden.
    """
    return _written(workshop, plan.options, plan.cascade, target, name)


def _written(
    workshop: Workshop, options: Sequence[Option], cascade: Cascade, target: Path, name: str
) -> Path:
    policy = policy_document(workshop.judge.policy, workshop.terms.currency, cascade=cascade.policy)
    return write_artifact(
        target,
        name=name,
        labels=workshop.bench.labels,
        tiers=[(replace(option.spec, name=option.name), option.folder) for option in options],
        calibrations=[option.calibration for option in options],
        documents={"policy.json": policy},
        seed=workshop.bench.seed,
        data_fingerprint="",
    )


def _planned(
    workshop: Workshop,
    options: tuple[Option, ...],
    cascade: Cascade,
    frontier: tuple[CascadePoint, ...],
    *,
    texts: Sequence[str],
    parts: Parts,
    worlds: Worlds,
) -> CascadePlan:
    """Measure the cascade as it would be served, and forecast it on both sets of rows."""
    judge, reckoning = workshop.judge, workshop.reckoning
    validation = replace(
        _evidence("validation", cascade.judged, judge.truth, options),
        **_measured(workshop, options, cascade, texts),
    )
    test_said = [option.calibration.apply(option.logits(parts.test_texts)) for option in options]
    test_answered = cascade.policy.answer(
        judge.policy, len(parts.test_texts), lambda t, rows: test_said[t][rows]
    )
    outcome = CascadeOutcome.of(judge.policy, test_answered, parts.test_targets)
    hosting, reference = reckoning.hosting(validation)
    name = " → ".join(option.name for option in options)

    def told(judged: CascadeOutcome, truth: NDArray[np.int64], over: Worlds) -> Forecast:
        done = Outcome.of_actions(workshop.terms.payoff, parts.labels, truth, judged.actions)
        costs = _costs(workshop, options, hosting, judged)
        return reckoning.forecast(name, done, over, costs, reference)

    return CascadePlan(
        options,
        cascade,
        frontier,
        hosting,
        reference,
        validation,
        told(cascade.judged, judge.truth, workshop.worlds),
        _evidence("test", outcome, parts.test_targets, options),
        outcome,
        told(outcome, parts.test_targets, worlds),
    )


def _costs(
    workshop: Workshop, options: Sequence[Option], hosting: Hosting, judged: CascadeOutcome
) -> PlanCosts:
    """All that the cascade costs; an API's tokens for the requests that reach it."""
    training_s = sum(option.tried.seconds for option in options)
    reached = np.cumsum(judged.shares(len(options))[::-1])[::-1]
    tokens = sum(
        share * asking_cost(option, workshop.terms)
        for option, share in zip(options, reached.tolist(), strict=True)
        if option.spec.kind == "endpoint"
    )
    return replace(workshop.reckoning.costs(hosting, training_s), per_request=float(tokens))


def _evidence(
    rows: Rows, done: CascadeOutcome, truth: NDArray[np.int64], options: Sequence[Option]
) -> Evidence:
    probabilities = done.probabilities
    return Evidence(
        rows,
        measure_quality(probabilities, truth),
        ece=ece(probabilities, truth),
        classwise_ece=classwise_ece(probabilities, truth),
        training_s=sum(option.tried.seconds for option in options),
        machine=this_machine(),
    )


def _measured(
    workshop: Workshop, options: Sequence[Option], cascade: Cascade, texts: Sequence[str]
) -> dict[str, Any]:
    """Latency and footprint of the artifact with all tiers.

    Memory and start are the sums of those of the tiers alone, each with a Python of its own: more
    than all of them take together.
    """
    alone = [option.evidence.footprint for option in options]
    memory = [f.peak_rss_bytes for f in alone if f is not None and f.peak_rss_bytes is not None]
    starts = [f.start_s for f in alone if f is not None and f.start_s is not None]
    trial = workshop.run.folder / "trial-cascade.payoff"
    _written(workshop, options, cascade, trial, "trial")
    try:
        size_bytes = trial.stat().st_size
        if any(option.spec.kind == "endpoint" for option in options):
            latency = _added_up(options, cascade.judged)
        else:
            with load(trial) as desk:
                latency = measure_latency(desk.probabilities, texts, threads=physical_cores())
    finally:
        trial.unlink()
    return {"latency": latency, "footprint": Footprint(size_bytes, sum(memory), sum(starts))}


def _added_up(options: Sequence[Option], judged: CascadeOutcome) -> Latency:
    """Latency from that of the tiers alone: measuring it again would pay an API again."""
    alone = [option.evidence.latency for option in options]
    known = [latency for latency in alone if latency is not None]
    reached = np.cumsum(judged.shares(len(options))[::-1])[::-1]
    seconds = float(np.dot(reached, [1.0 / latency.texts_per_s for latency in known]))
    half = np.cumsum([latency.p50_ms for latency in known])[judged.tiers]
    most = np.cumsum([latency.p95_ms for latency in known])[judged.tiers]
    return replace(
        known[-1],
        p50_ms=float(np.percentile(half, 50)),
        p95_ms=float(np.percentile(most, 95)),
        texts_per_s=1.0 / seconds,
    )
