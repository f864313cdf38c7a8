"""Promised floors over many draws: how often the limit is broken that was said to hold.

    python benchmarks/guarantee.py --world simulated
    python benchmarks/guarantee.py --world banking77          # a head on frozen vectors, as trained
    python benchmarks/guarantee.py --show

A world is a set of requests whose labels are all known, so that the share of errors of any policy
is known exactly. Each draw takes rows from it with replacement, fits the calibration and the floor
on them as a search does (cross-fitted, then once more on all), and looks up the policy's true share
of errors in the whole world. A limit that is promised with 95 % confidence may be broken in 5 % of
the draws. Every result is a line in results/guarantee.jsonl and is not computed again.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import record
from data_sets import bench_of, rows

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "guarantee.jsonl"
N_TRAIN, N_WORLD, N_SIMULATED, N_LABELS = 4000, 4000, 20_000, 10
N_COMPARED = 50  # draws that also look up the share of errors without the floor


@dataclass(frozen=True)
class World:
    """Requests with their labels: all there are.

    Args:
        logits: ``(n, k)``.
        truth: ``(n,)``.
        likely: How often each comes, ``(n,)``, summing to 1.
    """

    logits: Any
    truth: Any
    likely: Any

    def with_share(self, label: int, share: float) -> World:
        """The same where one label makes up so much of the requests."""
        mine = self.truth == label
        likely = np.where(mine, share / mine.sum(), (1 - share) / (~mine).sum())
        return World(self.logits, self.truth, likely)


def simulated(seed: int) -> World:
    """Labels as normal clouds, scored by a model that is somewhat wrong and far too sure."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 1.6, (N_LABELS, 5))
    truth = rng.integers(0, N_LABELS, N_SIMULATED)
    seen = centres[truth] + rng.normal(0, 1, (N_SIMULATED, 5))
    known = centres + rng.normal(0, 0.3, centres.shape)
    logits = -1.5 * ((seen[:, None, :] - known[None]) ** 2).sum(axis=2)
    return World(logits, truth, np.full(N_SIMULATED, 1 / N_SIMULATED))


def real(data: Path, name: str, recipe: str, backbone: str, seed: int) -> World:
    """What a recipe says of rows of a data set that it was not trained on."""
    from payoff.adapt.recipes import recipe_named

    parts = [rows(data, name, part) for part in ("train", "test")]
    texts, labels = ([entry for part in parts for entry in part[column]] for column in (0, 1))
    order = np.random.default_rng(seed).permutation(len(texts))
    learnt, rest = (
        ([texts[i] for i in part], [labels[i] for i in part])
        for part in (order[:N_TRAIN], order[N_TRAIN : N_TRAIN + N_WORLD])
    )
    with tempfile.TemporaryDirectory() as folder:
        bench = bench_of(learnt, rest, backbone=backbone, seed=seed, folder=folder)
        made = recipe_named(recipe)
        attempt = made.start(made.standard(bench)[0], bench)
        attempt.advance(1.0)
        logits = attempt.logits(bench.validation).astype(np.float64)
    truth = bench.targets[bench.validation]
    return World(logits, truth, np.full(len(truth), 1 / len(truth)))


def cases(world: World) -> dict[str, dict[str, Any]]:
    """What is promised, and on how many rows."""
    by_accuracy = np.argsort(_accuracies(world))
    hard, usual = int(by_accuracy[0]), int(by_accuracy[len(by_accuracy) // 2])
    other = np.ones(world.logits.shape[1])
    other[: len(other) // 2] = 3.0  # half of the labels come three times as often as in the rows
    return {
        "missed, all": {"at_most": 0.03, "n": 500},
        "missed, one label": {  # the hardest one: the floor must bite
            "at_most": 0.05,
            "n": 600,
            "label": hard,
            "world": world.with_share(hard, 0.2),
        },
        "wrong action, all": {"at_most": 0.05, "n": 500, "kind": "wrong action"},
        "wrong action, one label": {
            "at_most": 0.10,
            "n": 600,
            "label": usual,
            "kind": "wrong action",
            "world": world.with_share(usual, 0.2),
        },
        "missed, all, another mix": {"at_most": 0.03, "n": 800, "shift": other},
        "missed, all, in the mean": {"at_most": 0.03, "n": 200, "confidence": None},
    }


def _accuracies(world: World) -> Any:
    hits = world.logits.argmax(axis=1) == world.truth
    return np.bincount(world.truth, hits) / np.bincount(world.truth)


def broken(world: World, case: dict[str, Any], draws: int, seed: int) -> dict[str, Any]:
    """Over so many draws: how often the promise was made, and how often it was broken."""
    from payoff.core.errors import EconomicsError
    from payoff.economics.floor import Floor
    from payoff.economics.held_floors import hold_floors
    from payoff.economics.payoff import Payoff
    from payoff.economics.policy import Policy
    from payoff.evidence.calibration import cross_fitted, fit_temperature

    world = case.get("world", world)
    names = tuple(f"label {i:02}" for i in range(world.logits.shape[1]))
    worth = Payoff(correct=3.20, wrong=-7.50, handoff=-4.10, currency="USD").matrix(names)
    policy = Policy(names, worth, case.get("shift"))
    label = names[case["label"]] if "label" in case else None
    floor = Floor(
        label,
        case.get("kind", "missed"),
        at_most=case["at_most"],
        confidence=case.get("confidence", 0.95),
    )
    shares, handed, before, refused = [], [], [], 0
    started = time.perf_counter()
    for draw in range(draws):
        rng = np.random.default_rng([seed, draw])
        chosen = rng.choice(len(world.truth), case["n"], p=world.likely)
        logits, truth = world.logits[chosen], world.truth[chosen]
        try:
            held = hold_floors(policy, [floor], cross_fitted(logits, truth), truth, seed=draw)
        except EconomicsError as error:
            if error.code != "PF640":
                raise
            refused += 1
            continue
        calibration = fit_temperature(logits, truth)
        shares.append(_true_share(floor, held.policy, calibration, world))
        handed.append(held.handed_share)
        if len(before) < N_COMPARED:
            before.append(_true_share(floor, policy, calibration, world))
    over = int(np.sum(np.array(shares) > floor.at_most))
    allowed = 1.0 if floor.confidence is None else 1 - floor.confidence
    return {
        "floor": str(floor),
        "rows": case["n"],
        "draws": draws,
        "promised": len(shares),
        "refused": refused,
        "broken": over,
        "broken_share": over / draws,
        "allowed_share": None if floor.confidence is None else allowed,
        "standard_error": math.sqrt(allowed * (1 - allowed) / draws),
        "mean_share_of_errors": float(np.mean(shares)) if shares else None,
        "mean_share_without_floor": float(np.mean(before)) if before else None,
        "mean_handed_share": float(np.mean(handed)) if handed else None,
        "seconds": time.perf_counter() - started,
    }


def _true_share(floor: Any, policy: Any, calibration: Any, world: World) -> float:
    """The policy's share of errors in the whole world, its mix as the policy expects it."""
    actions = policy.decide(calibration.apply(world.logits)).actions
    likely = world.likely
    if policy.prior_shift is not None:
        likely = likely * policy.prior_shift[world.truth]
    counted = floor.counted(policy.labels, world.truth, actions)
    errors = floor.cells(policy.labels)[world.truth, actions] & counted
    total = float(likely[counted].sum())
    return float(likely[errors].sum()) / total if total > 0 else 0.0


def run(options: argparse.Namespace) -> None:
    """All that is not there yet."""
    command = f"python benchmarks/guarantee.py --world {options.world} --draws {options.draws}"
    if options.world == "simulated":
        world = simulated(options.seed)
    else:
        world = real(options.data, options.world, options.recipe, options.backbone, options.seed)
    print(f"{options.world}: {world.logits.shape}, accuracy {_accuracies(world).mean():.3f}")
    for name, case in cases(world).items():
        key = {
            "world": options.world,
            "recipe": None if options.world == "simulated" else options.recipe,
            "case": name,
            "draws": options.draws,
            "seed": options.seed,
        }
        if options.only and options.only not in name:
            continue
        if any(key.items() <= line.items() for line in record.lines(RESULTS)):
            continue
        result = broken(world, case, options.draws, options.seed)
        record.append(RESULTS, key, result, command)
        print(name, result, flush=True)


def show() -> None:
    """A row a promise."""
    print(f"{'world':22}{'promise':70}{'rows':>6}{'made':>7}{'broken':>8}{'allowed':>9}")
    for line in record.lines(RESULTS):
        found = line["result"]
        allowed = found["allowed_share"]
        told = f"{allowed:.1%}" if allowed else f"mean {found['mean_share_of_errors']:.4f}"
        print(
            f"{line['world'] + ' ' + (line['recipe'] or ''):22}{found['floor'][:68]:70}"
            f"{found['rows']:>6}{found['promised']:>7}{found['broken_share']:>8.1%}{told:>9}"
        )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--world", default="simulated", help="simulated, or a data set")
    parser.add_argument("--recipe", default="static-head")
    parser.add_argument("--backbone", default="wordllama-256")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    if options.show:
        show()
    else:
        run(options)


if __name__ == "__main__":
    main()
