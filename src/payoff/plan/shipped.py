"""Shipped: a chosen plan as an artifact, of one model or of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from payoff.artifact.runtime.threads import physical_cores
from payoff.artifact.tier import TierSpec
from payoff.artifact.write import write_artifact
from payoff.core.findings import Finding, Status
from payoff.economics.desk import load, policy_document
from payoff.evidence.evidence import Evidence
from payoff.evidence.footprint import measure_footprint
from payoff.evidence.latency import measure_latency
from payoff.plan.cascades.cascade_option import CascadeOption
from payoff.plan.options import Option, Workshop

_TITLE = "The models of the cascade take together what was reckoned"
_ROOM = 0.6  # of what a machine can take is planned for


@dataclass(frozen=True)
class ShippedModel:
    """One model as it goes into the artifact.

    Args:
        spec: Its tier.
        folder: Where the tier's files are.
        n_rows: Rows that it learnt from.
    """

    spec: TierSpec
    folder: Path
    n_rows: int


def write_plan(
    target: Path,
    workshop: Workshop,
    chosen: Option | CascadeOption,
    models: Sequence[ShippedModel],
    *,
    name: str,
    documents: Mapping[str, Any],
    data_fingerprint: str = "",
) -> Path:
    """Write a plan's artifact.

    Args:
        target: The file to write.
        workshop: Made its options.
        chosen: The plan: one model, or a cascade.
        models: Its models, in the order in which they are asked.
        name: Name of the artifact.
        documents: Other members by name.
        data_fingerprint: SHA-256 of the rows that its models learnt from.

    Raises:
        MachineError: PF801 on a full disk, PF802 where writing is forbidden.
    """
    cascade = chosen.plan.cascade.policy if isinstance(chosen, CascadeOption) else None
    specs = [model.spec for model in models]
    if cascade is not None:
        specs = [replace(spec, name=tier) for spec, tier in zip(specs, cascade.tiers, strict=True)]
    policy = policy_document(chosen.policy, workshop.terms.currency, cascade=cascade)
    return write_artifact(
        target,
        name=name,
        labels=workshop.bench.labels,
        tiers=[(spec, model.folder) for spec, model in zip(specs, models, strict=True)],
        calibrations=[tier.calibration for tier in chosen.tiers],
        documents={"policy.json": policy, **documents},
        seed=workshop.bench.seed,
        data_fingerprint=data_fingerprint,
    )


def timed_together(
    workshop: Workshop, chosen: CascadeOption, models: Sequence[ShippedModel]
) -> tuple[Evidence, Finding]:
    """What a cascade takes when all its models answer from one artifact, and whether that holds.

    Its machines were counted from what each model takes alone; here the whole is measured: memory
    and start with all its models, and its speed. An API is not asked again: its answers were paid
    for once.

    Args:
        workshop: Made its options.
        chosen: The cascade.
        models: Its models, as they are shipped.

    Returns:
        The cascade's evidence with what was measured of the whole, and PF622.

    Raises:
        MachineError: PF807 where the artifact does not answer in a fresh process.
    """
    reckoned = chosen.evidence
    assert reckoned.latency is not None
    assert reckoned.footprint is not None
    texts = [workshop.bench.texts[row] for row in workshop.bench.validation]
    asks_others = any(model.spec.kind == "endpoint" for model in models)
    trial = workshop.run.folder / "trial-cascade.payoff"
    latency = reckoned.latency
    try:
        write_plan(trial, workshop, chosen, models, name="trial", documents={})
        footprint = measure_footprint(trial, text=texts[0])
        if not asks_others:
            with load(trial) as desk:
                latency = measure_latency(desk.probabilities, texts, threads=physical_cores())
    finally:
        trial.unlink(missing_ok=True)
    measured = replace(reckoned, latency=latency, footprint=footprint)
    limit_ms = workshop.terms.latency_limit_ms
    return measured, held_together(reckoned, measured, limit_ms, asks_others=asks_others)


def held_together(
    reckoned: Evidence, measured: Evidence, limit_ms: float | None, *, asks_others: bool
) -> Finding:
    """PF622: whether the whole is as fast, and as small, as was reckoned from its models.

    Args:
        reckoned: With latency and footprint, from those of the models alone.
        measured: The same of the whole.
        limit_ms: What 95 % of the answers must not exceed; None is no limit.
        asks_others: Whether one of the models is somebody else's, so that speed was not measured.

    Example:
        >>> held_together(evidence, evidence, None, asks_others=False).status  # doctest: +SKIP
        <Status.PASSED: 'passed'>
    """
    before, after = reckoned.latency, measured.latency
    planned, taken = reckoned.footprint, measured.footprint
    assert before is not None
    assert after is not None
    assert planned is not None
    assert taken is not None
    memory = taken.peak_rss_bytes, planned.peak_rss_bytes
    large = memory[0] is not None and memory[1] is not None and memory[0] > memory[1]
    held = "not known" if memory[0] is None else f"{memory[0] / 1e6:,.0f} MB"
    told = f"{held} of memory (reckoned {(memory[1] or 0) / 1e6:,.0f} MB)"
    if asks_others and not large:
        detail = f"{told}; one of its models is somebody else's: it is not asked again"
        return Finding("PF622", _TITLE, Status.NOT_CHECKED, detail)
    slow = after.texts_per_s < _ROOM * before.texts_per_s
    late = limit_ms is not None and after.p95_ms > limit_ms
    failed = slow or late or large
    return Finding(
        "PF622",
        _TITLE,
        Status.FAILED if failed else Status.PASSED,
        f"95 % of single answers within {after.p95_ms:.1f} ms (reckoned {before.p95_ms:.1f}), "
        f"{after.texts_per_s:,.0f} texts a second (reckoned {before.texts_per_s:,.0f}), {told}",
        mend="Measure again on a machine that does nothing else; if it stays so, take the single "
        "model: payoff run with --recipe."
        if failed
        else "",
    )
