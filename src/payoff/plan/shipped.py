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
from payoff.evidence.latency import measure_latency
from payoff.plan.cascade_option import CascadeOption
from payoff.plan.options import Option, Workshop

_TITLE = "The models of the cascade answer together as fast as was reckoned"
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

    Its machines were counted from what each model takes alone; here the whole is timed. An API
    is not asked again: its answers were paid for once.

    Args:
        workshop: Made its options.
        chosen: The cascade.
        models: Its models, as they are shipped.

    Returns:
        The cascade's evidence with the measured latency and size, and PF622.
    """
    reckoned = chosen.evidence
    assert reckoned.latency is not None
    assert reckoned.footprint is not None
    if any(model.spec.kind == "endpoint" for model in models):
        detail = "one of its models is somebody else's: it is not asked again"
        return reckoned, Finding("PF622", _TITLE, Status.NOT_CHECKED, detail)
    texts = [workshop.bench.texts[row] for row in workshop.bench.validation]
    trial = workshop.run.folder / "trial-cascade.payoff"
    try:
        write_plan(trial, workshop, chosen, models, name="trial", documents={})
        with load(trial) as desk:
            size_bytes = desk.artifact.size_bytes
            latency = measure_latency(desk.probabilities, texts, threads=physical_cores())
    finally:
        trial.unlink(missing_ok=True)
    limit = workshop.terms.latency_limit_ms
    slow = latency.texts_per_s < _ROOM * reckoned.latency.texts_per_s
    late = limit is not None and latency.p95_ms > limit
    finding = Finding(
        "PF622",
        _TITLE,
        Status.FAILED if slow or late else Status.PASSED,
        f"95 % of single answers within {latency.p95_ms:.1f} ms (reckoned "
        f"{reckoned.latency.p95_ms:.1f}), {latency.texts_per_s:,.0f} texts a second (reckoned "
        f"{reckoned.latency.texts_per_s:,.0f})",
        mend="Measure again on a machine that does nothing else; if it stays so slow, take the "
        "single model: payoff run with --recipe."
        if slow or late
        else "",
    )
    footprint = replace(reckoned.footprint, artifact_bytes=size_bytes)
    return replace(reckoned, latency=latency, footprint=footprint), finding
