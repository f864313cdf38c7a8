"""What an artifact carries beside its model: evidence, costs, card, bill of materials, licences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from payoff.artifact.model_card import hub_facts, with_front
from payoff.core.money import format_money
from payoff.plan.bill_of_materials import bill_of_materials
from payoff.plan.comparison import Comparison
from payoff.plan.options import Workshop


def artifact_documents(
    comparison: Comparison, workshop: Workshop, summary: Mapping[str, Any], *, project: str
) -> dict[str, Any]:
    """Members of the artifact by name.

    Args:
        comparison: What was found.
        workshop: What made it.
        summary: What the report tells.
        project: Text of ``payoff.toml``, or empty.
    """
    chosen = comparison.chosen
    names = sorted({tier.backbone for tier in chosen.option.tiers} - {""})
    opened = [workshop.bench.opened(name) for name in names]
    evidence = chosen.evidence.as_dict()
    facts = hub_facts(
        name=summary["name"],
        licences=[one.backbone.licence for one in opened],
        languages=[one.backbone.languages for one in opened],
        base_models=[one.backbone.upstream for one in opened if one.backbone.upstream],
        evidence=evidence,
    )
    specs = [tier.spec for tier in chosen.option.tiers]
    documents: dict[str, Any] = {
        "evidence.json": evidence,
        "costs.json": {
            "lines": [line.as_dict() for line in chosen.forecast.lines],
            "forecast": chosen.forecast.as_dict(),
        },
        "card.md": with_front(card(summary, n_trained_on=chosen.n_trained_on), facts),
        "sbom.json": bill_of_materials(
            summary["name"], [(one.backbone, one.folder) for one in opened], specs
        ),
    }
    if project:
        documents["payoff.toml"] = project
    for one in opened:
        licences = one.folder / "licences"
        for path in sorted(p for p in licences.glob("*") if p.is_file()):
            documents[f"licences/{path.name}"] = path.read_bytes()
    return documents


def card(summary: Mapping[str, Any], *, n_trained_on: int) -> str:
    """The model card: what it is for, how good it is, what it was made from, what is unknown.

    Args:
        summary: What the report tells.
        n_trained_on: Rows that the model learnt from.
    """
    decision = summary["decision"]
    plan = next(p for p in summary["plans"] if p["status"] == "chosen")
    money = decision["profit_month"]
    unit = summary["currency"]
    low, high = (format_money(money[end], unit) for end in ("low", "high"))
    reproduce = summary["reproduce"]
    shares = [
        ("accuracy on test rows", plan["accuracy"]),
        ("macro-F1", plan["macro_f1"]),
        ("expected calibration error", plan["ece"]),
        ("share decided without a person", plan["automated_share"]),
        ("accuracy of those", plan["accuracy_automated"]),
    ]
    figures = "\n".join(f"- {name}: {value:.4f}" for name, value in shares if value is not None)
    return f"""# {summary["name"]}

{decision["sentence"]}

## What it is
- plan: {plan["name"]}
- labels: {len(summary["confusion"]["labels"])}
- learnt from {n_trained_on:,} rows; {summary["split"]["how"]}
- forecast: {format_money(money["mean"], unit)} a month (5 to 95 %: {low} to {high})

## How good it is
{figures}

## How it was made
- seed {reproduce["seed"]}, data {reproduce["data_fingerprint"][:16]}
- {", ".join(f"{name} {version}" for name, version in sorted(reproduce["versions"].items()))}
- licences of the pretrained weights: folder `licences/`

## What is not known
- how it does on texts unlike those it was tested on: other languages, other customers, attacks
- how fair it is between groups of people: not measured
"""
