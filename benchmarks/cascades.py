"""Cascades: is the value by which one is chosen the value that it turns out to have?

    python benchmarks/cascades.py                 # every case a line
    python benchmarks/cascades.py --draws 400
    python benchmarks/cascades.py --show

Simulated models see the truth through noise and believe by Bayes' rule. In each draw the best
cascade of at least two of them is looked for on held-out requests; what it is truly worth is
counted on 10,000 others. Told are, in per cent of what a right answer earns:

- `fixed`: how much the cross-fitted value of the chosen tiers is above the truth: that of the best
  of many, which takes the choice as given;
- `nested`: the same of `Cascade.valued`, where tiers were chosen without the request;
- `single`: the same of the best model alone;
- `gain by fixed`, `gain by nested`: what is truly earned above the best model alone (of the
  validation rows) by whoever takes the cascade where that value is the higher one;
- `gain at 1 error`, `gain at 2 errors`: by whoever takes it only where that value is higher by
  more than so many standard errors of the rows' differences;
- `gain as a search`: by a search, which takes it where that value is higher, and where worth cannot
  tell the two apart (two errors) and its log loss is lower;
- `gain of both`: by whoever always knows which of the two is better;
- `taken`: how often the cascade is taken by `nested`, by the two stricter rules, and by a search.

How lucky the drawn requests are as such, for the mean of all models, is taken off the first three:
it is 0 in the mean and only adds noise.

Cases: `apart`, models of like skill that err apart, asked for next to nothing; `partly`, where a
seventh of the noise is a model's own, so that a cascade earns a little; `together`, models that see
the same through more or less noise, so that no cascade earns anything; `dear`, the same but a last
one that costs a fifth of a right answer, so that asking it seldom earns much; `cheap`, the same at
a hundredth of that. Each with a safe and a dangerous payoff, with 300 and 1,000 requests. Results
are lines in results/cascades.jsonl.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import record
from payoff.economics.cascades.cascade import CascadeTier
from payoff.economics.cascades.cascade_outcome import CascadeOutcome
from payoff.economics.cascades.cascade_search import best_cascade
from payoff.economics.outcome import realised
from payoff.economics.policy import Policy
from payoff.evidence.quality import log_losses

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "cascades.jsonl"
N_NEW, N_LABELS, RIGHT = 10_000, 8, 3.0
CASES = {
    "apart": ((2.4, 2.6, 2.8, 2.9, 3.0), (1e-6, 1e-6, 1e-5, 1e-5, 1e-4)),
    "partly": ((2.4, 2.6, 2.8, 2.9, 3.0), (1e-6, 1e-6, 1e-5, 1e-5, 1e-4)),
    "together": ((2.4, 2.6, 2.8, 2.9, 3.0), (1e-6, 1e-6, 1e-5, 1e-5, 1e-4)),
    "dear": ((2.0, 2.4, 2.8, 4.0), (1e-6, 1e-5, 1e-4, 0.6)),
    "cheap": ((2.0, 2.4, 2.8, 4.0), (1e-6, 1e-5, 1e-4, 0.006)),
}
HOW = ("by fixed", "by nested", "at 1 error", "at 2 errors", "as a search", "of both")
TAKEN = ("taken", "taken at 1 error", "taken at 2 errors", "taken as a search")
OWN = {"apart": 1.0, "partly": 0.15}
"""Share of the variance of a model's noise that is its own; 0 where it is not told."""


def policy_of(wrong: float) -> Policy:
    """Right earns 3, handing over costs 2."""
    values = np.full((N_LABELS, N_LABELS + 1), wrong)
    np.fill_diagonal(values, RIGHT)
    values[:, -1] = -2.0
    return Policy(tuple(f"label {i}" for i in range(N_LABELS)), values)


def drawn(rng: np.random.Generator, n: int, case: str) -> tuple[np.ndarray, list[np.ndarray]]:
    """Truth, and what each model believes: its noise is partly that of the better ones."""
    skills, _ = CASES[case]
    truth = rng.integers(0, N_LABELS, n)
    said: list[np.ndarray] = []
    shared, before = np.zeros((n, N_LABELS)), 0.0  # noise of all, and its variance
    own = OWN.get(case, 0.0)
    for skill in sorted(skills, reverse=True):
        variance = 1.0 / skill**2
        more = max((1.0 - own) * variance - before, 0.0)
        shared = shared + rng.normal(size=shared.shape) * np.sqrt(more)
        before += more
        noise = shared + rng.normal(size=shared.shape) * np.sqrt(variance - before)
        seen = np.eye(N_LABELS)[truth] + noise
        raised = np.exp((seen - seen.max(axis=1, keepdims=True)) / variance)
        said.append(raised / raised.sum(axis=1, keepdims=True))
    return truth, said[::-1]


def draw(case: dict[str, Any], seed: int) -> dict[str, float]:
    """One set of held-out requests: what is told, what is true, and who is better."""
    rng = np.random.default_rng(seed)
    policy, costs = policy_of(case["wrong"]), CASES[case["models"]][1]
    truth, said = drawn(rng, case["n"], case["models"])
    new_truth, new_said = drawn(rng, N_NEW, case["models"])

    def alone(rows: np.ndarray, targets: np.ndarray, cost: float) -> float:
        return float(realised(policy.values, targets, policy.decide(rows).actions).mean()) - cost

    told = [alone(p, truth, c) for p, c in zip(said, costs, strict=True)]
    single = int(np.argmax(told))
    true = [alone(p, new_truth, c) for p, c in zip(new_said, costs, strict=True)]
    tiers = [CascadeTier(str(i), p, c) for i, (p, c) in enumerate(zip(said, costs, strict=True))]
    found = best_cascade(tiers, policy, truth, at_least=2, seed=seed)
    places = [int(name) for name in found.policy.tiers]
    done = found.policy.answer(policy, N_NEW, lambda tier, rows: new_said[places[tier]][rows])
    value = CascadeOutcome.of(policy, done, new_truth).value
    fixed, nested = found.judged.value, found.valued.value
    row_leads = found.valued.nets - (
        realised(policy.values, truth, policy.decide(said[single]).actions) - costs[single]
    )
    clear = row_leads.mean() / (row_leads.std() / np.sqrt(case["n"]) + 1e-12)
    losses = (log_losses(said[single], truth), log_losses(found.valued.probabilities, truth))
    surer = clear > -1.96 and losses[1].mean() < losses[0].mean()
    lead, luck = value - true[single], float(np.mean(np.subtract(told, true)))
    return {
        "fixed": fixed - value - luck,
        "nested": nested - value - luck,
        "single": told[single] - true[single] - luck,
        "gain by fixed": lead * (fixed > told[single]),
        "gain by nested": lead * (nested > told[single]),
        "gain at 1 error": lead * (clear > 1.0),
        "gain at 2 errors": lead * (clear > 1.96),
        "gain as a search": lead * (nested > told[single] or surer),
        "gain of both": max(lead, 0.0),
        "taken": float(nested > told[single]),
        "taken at 1 error": float(clear > 1.0),
        "taken at 2 errors": float(clear > 1.96),
        "taken as a search": float(nested > told[single] or surer),
    }


def measure(case: dict[str, Any], draws: int) -> dict[str, Any]:
    """Means over the draws, in per cent of a right answer, and their standard errors."""
    rows = [draw(case, seed) for seed in range(draws)]
    told: dict[str, Any] = {"draws": draws}
    for name in rows[0]:
        unit = 1.0 if name.startswith("taken") else RIGHT
        amounts = np.array([row[name] for row in rows]) * 100 / unit
        told[name] = round(float(amounts.mean()), 3)
        told[f"{name} error"] = round(float(amounts.std() / np.sqrt(draws)), 3)
    return told


def cases() -> Iterator[dict[str, Any]]:
    """What is varied."""
    for n, models, wrong in itertools.product((300, 1000), CASES, (-6.0, -20.0)):
        yield {"models": models, "wrong": wrong, "n": n}


def show() -> None:
    """All results as a table."""
    columns = ("fixed", "nested", "single", *(f"gain {how}" for how in HOW))
    print(f"{'case':28}" + "".join(f"{name:>20}" for name in (*columns, "taken")))
    for line in record.latest(RESULTS):
        told = line["result"]
        name = f"{line['models']}, wrong {line['wrong']:g}, {line['n']}"
        cells = [f"{told[c]:+.2f} ± {told[f'{c} error']:.2f} %" for c in columns]
        taken = " / ".join(f"{told[c]:.0f}" for c in TAKEN)
        print(f"{name:28}" + "".join(f"{c:>20}" for c in (*cells, f"{taken} %")))


def main() -> None:
    """Measure what is not yet measured, then show."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=40)
    parser.add_argument("--show", action="store_true", help="print the results and measure nothing")
    options = parser.parse_args()
    for case in () if options.show else cases():
        key = case | {"n_draws": options.draws}
        if not record.is_done(RESULTS, key):
            command = f"python benchmarks/cascades.py --draws {options.draws}"
            record.append(RESULTS, key, measure(case, options.draws), command)
            print(key, flush=True)
    show()


if __name__ == "__main__":
    main()
