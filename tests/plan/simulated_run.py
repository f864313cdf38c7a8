"""The evidence of a run without the run: probabilities of simulated models of known quality."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tests.economics.tiers import drawn

from payoff import __version__
from payoff.core.files import write_json
from payoff.evidence.evidence import Evidence
from payoff.evidence.footprint import Footprint
from payoff.evidence.latency import Latency
from payoff.plan.kept import Kept, KeptOption
from payoff.plan.reckoning import Reckoning
from payoff.plan.standing import Standing
from payoff.plan.terms import Terms

LABELS = ("billing", "card", "refund")


def kept_of(
    terms: Terms,
    labels: tuple[str, ...] = LABELS,
    *,
    accuracies: tuple[float, ...] = (0.8, 0.9, 0.95),
    n_validation: int = 150,
    n_test: int = 240,
    seed: int = 0,
    expected: str = "",
) -> Kept:
    """A run that compared models which are right so often, the better ones slower.

    They err together: where a better one errs, the others do too, so that a cascade brings little.
    """
    rng = np.random.default_rng(seed)
    k = len(labels)
    truth = {"validation": np.arange(n_validation) % k, "test": np.arange(n_test) % k}
    hard = {part: rng.random(len(targets)) for part, targets in truth.items()}

    def probabilities(accuracy: float, part: str) -> Any:
        targets = truth[part]
        likely = np.where(hard[part] < accuracy, targets, (targets + 1) % k)
        sure = rng.uniform(accuracy - 0.1, accuracy + 0.049, len(targets))
        table = np.repeat(((1.0 - sure) / (k - 1))[:, None], k, axis=1)
        table[np.arange(len(targets)), likely] = sure
        return table.astype(np.float32)

    options = []
    for number, accuracy in enumerate(accuracies):
        validation = probabilities(accuracy, "validation")
        evidence = Evidence.of(
            "validation",
            np.log(validation),
            truth["validation"],
            probabilities=validation.astype(np.float64),
            latency=Latency(2.0 + number, 4.0 + 2 * number, 400.0 / (1 + number), 64, 100, 2),
            footprint=Footprint(10**6 * (1 + 20 * number), 2 * 10**8, 0.5),
            training_s=60.0 * (1 + number),
        )
        tested = probabilities(accuracy, "test")
        options.append(
            KeptOption(
                f"model {number}",
                f"recipe {number}",
                evidence,
                60.0 * (1 + number),
                validation,
                tested,
            )
        )
    reckoning = Reckoning(terms, labels, 1000, np.full(k, 800 // k), 260.0, 60.0)
    return Kept.of(
        reckoning,
        options,
        chosen=f"model {len(options) - 1}",
        expected=expected,
        seed=seed,
        validation_truth=truth["validation"],
        test_truth=truth["test"],
    )


def kept_apart(
    terms: Terms, skills: tuple[float, ...] = (2.2, 2.4, 2.6), *, n: int = 240, seed: int = 0
) -> Kept:
    """A run whose models see the truth through noise of their own: a cascade of them pays."""
    rng = np.random.default_rng(seed)
    plain = kept_of(terms, accuracies=(0.9,) * len(skills), n_validation=n, n_test=n, seed=seed)
    validation, test = (drawn(rng, n, skills, len(LABELS)) for _ in range(2))
    options = [
        replace(
            option,
            validation=validation[1][number].astype(np.float32),
            test=test[1][number].astype(np.float32),
        )
        for number, option in enumerate(plain.options)
    ]
    return replace(
        plain, validation_truth=validation[0], test_truth=test[0], options=tuple(options)
    )


def write_run(
    folder: Path, terms: Terms, labels: tuple[str, ...] = LABELS, **simulated: Any
) -> Kept:
    """A finished run's folder: what it kept, and a summary of what it reported."""
    kept = kept_of(terms, labels, **simulated)
    kept.write(folder)
    stands = Standing.of(kept, terms)
    told = stands.as_dict()
    plans = [plan | {"why": plan["why_not"]} for plan in told["plans"]]
    model = stands.recommended == stands.chosen
    decision = told | {
        "plan": stands.chosen,
        "recommended": "model" if model else stands.recommended,
    }
    made = {"versions": {"payoff": __version__}, "prices": stands.prices}
    summary = {"currency": terms.currency, "decision": decision, "plans": plans}
    write_json(folder / "summary.json", summary | {"reproduce": made, "accounts": told["accounts"]})
    return kept
