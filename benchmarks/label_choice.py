"""Which texts to label first: does choosing them by the worth of their labels beat chance?

    python benchmarks/label_choice.py --set banking77
    python benchmarks/label_choice.py --show

So many rows a label are known; so many more are then chosen from rows whose labels are hidden, by
each way of choosing, and a head on frozen vectors learns from both. All ways start from the same
rows and are judged on the same 2,000 rows, which are training rows of the data set that are
never learnt from: by the worth of a request under a payoff of three scalars, calibrated as in
`payoff run`. ``worth`` is what `payoff plan --labels --texts` does. Every result is a line in
results/label_choice.jsonl.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import record
from data_sets import bench_of, rows

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "label_choice.jsonl"
N_VALIDATION, N_POOL = 2000, 3000
MONEY = {"correct": 3.0, "wrong": -7.0, "handoff": -2.0}
STRENGTH = 10.0
WAYS = ("none", "random", "uncertain", "value", "spread", "worth")
"""None more; by chance; smallest margin of the two likeliest; highest value of the truth; as
`worth` but as though each text's truth were worth the same; the product's."""


def chosen(
    way: str, probabilities: Any, policy: Any, vectors: Any, count: int, rng: np.random.Generator
) -> Any:
    """Places in the pool."""
    from payoff.economics.labels.text_worth import choose_texts, value_of_truth

    n = len(probabilities)
    if way == "none":
        return np.zeros(0, np.int64)
    if way == "random":
        return rng.choice(n, count, replace=False)
    values = value_of_truth(policy, probabilities)
    if way == "uncertain":
        ordered = np.sort(probabilities, axis=1)
        return np.argsort(ordered[:, -1] - ordered[:, -2], kind="stable")[:count]
    if way == "value":
        return np.argsort(-values, kind="stable")[:count]
    return choose_texts(np.ones(n) if way == "spread" else values, vectors, count).rows


def run(name: str, data: Path, seeds: int, each: int, count: int, backbone: str) -> None:
    """All ways, for so many draws of the rows."""
    texts, labels = rows(data, name, "train")
    with tempfile.TemporaryDirectory() as folder:
        bench = bench_of((texts, labels), ([], []), backbone=backbone, seed=0, folder=folder)
        vectors = bench.opened(backbone).trunk.pooled()
    for seed in range(seeds):
        told = _draw(vectors, bench.targets, bench.labels, seed, each, count)
        for way, value in told:
            key = {
                "set": name,
                "backbone": backbone,
                "each": each,
                "count": count,
                "way": way,
                "seed": seed,
            }
            command = f"python benchmarks/label_choice.py --set {name}"
            record.append(RESULTS, key, {"worth_of_a_request": value}, command)
            print(name, seed, way, round(value, 4), flush=True)


def _draw(
    vectors: Any, targets: Any, labels: tuple[str, ...], seed: int, each: int, count: int
) -> list[tuple[str, float]]:
    from payoff.adapt.recipes.linear import fit_logistic
    from payoff.economics.payoff import Payoff
    from payoff.economics.policy import Policy
    from payoff.plan.judging import Judge

    rng = np.random.default_rng(seed)
    order = rng.permutation(len(targets))
    validation, rest = order[:N_VALIDATION], order[N_VALIDATION:]
    start, pool = rest[: each * len(labels)], rest[each * len(labels) :][:N_POOL]
    payoff = Payoff(**MONEY, currency="USD")
    policy = Policy.from_payoff(payoff, labels)
    judge = Judge(payoff, policy, targets[validation], seed)

    def head(learnt: Any) -> Callable[[Any], Any]:
        return fit_logistic(
            vectors[learnt], targets[learnt], n_labels=len(labels), strength=STRENGTH
        )

    first = head(start)
    calibration = judge.calibrated(first(vectors[validation])).calibration
    probabilities = calibration.apply(first(vectors[pool]))
    told = []
    for way in WAYS:
        more = pool[chosen(way, probabilities, policy, vectors[pool], count, rng)]
        learnt = head(np.concatenate([start, more]))
        told.append((way, judge.score(learnt(vectors[validation])).value))
    return told


def show() -> None:
    """Mean worth of a request by each way, and its lead over chance, seed by seed."""
    by: dict[tuple[Any, ...], dict[str, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    for one in record.latest(RESULTS):
        key = (one["set"], one["each"], one["count"])
        by[key][one["way"]][one["seed"]] = one["result"]["worth_of_a_request"]
    print("| set | rows known a label | chosen | way | USD a request | beyond chance | ± s.e. |")
    print("|---|---|---|---|---|---|---|")
    for (name, each, count), ways in by.items():
        for way, values in ways.items():
            leads = [value - ways["random"][seed] for seed, value in values.items()]
            error = statistics.stdev(leads) / len(leads) ** 0.5 if len(leads) > 1 else float("nan")
            print(
                f"| {name} | {each} | {count} | {way} | {statistics.mean(values.values()):.2f} "
                f"| {statistics.mean(leads):+.2f} | {error:.2f} |"
            )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--set", default="banking77")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--each", type=int, default=5)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--backbone", default="minilm-l6")
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    if options.show:
        show()
    else:
        run(
            options.set,
            options.data,
            options.seeds,
            options.each,
            options.count,
            options.backbone,
        )


if __name__ == "__main__":
    main()
