"""Quality on the splits that others publish on: test rows, three seeds, settings fixed before.

    python benchmarks/published.py
    python benchmarks/published.py --only banking77 mpnet-base
    python benchmarks/published.py --judged validation --only clinc150 train --seeds 0 \
        --recipe fine-tune --set tuned=0.8 --set tuned=1 depth=3
    python benchmarks/published.py --show

With `--unlabelled`, few-label rows are learnt beside the other training texts without their labels,
as CPFT does (Zhang et al. 2021, section 3.1): `python benchmarks/published.py --unlabelled
--only clinc150 fewshot_train_10 --recipe self-training`.

The few-label rows are those of the data sets' own few-shot files; a seed moves the training alone.
Settings are chosen on validation rows: the data set's own, or else 2,000 training rows that are
then not learnt from. The activations of a data set and backbone are computed once and stay in the
benchmark's runs folder, so that seconds are not kept here. Every result is a line in
results/published.jsonl as soon as it is there, and is not computed again.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import record
from data_sets import Rows, bench_of, rows

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "published.jsonl"
LAST_TWO = {"depth": 10, "tuned": 1}
N_VALIDATION = 2000

Row = tuple[str, dict[str, Any]]
WANTED: dict[tuple[str, str, str], list[Row]] = {
    ("banking77", "fewshot_train_5", "minilm-l6"): [("named-head", {}), ("contrastive", {})],
    ("banking77", "fewshot_train_10", "minilm-l6"): [("named-head", {}), ("contrastive", {})],
    ("clinc150", "fewshot_train_5", "minilm-l6"): [("named-head", {}), ("contrastive", {})],
    ("clinc150", "fewshot_train_10", "minilm-l6"): [("named-head", {}), ("contrastive", {})],
    ("tweeteval_emotion", "train", "minilm-l6"): [
        ("frozen-head", {}),
        ("fine-tune", {}),
        ("averaged", {}),
    ],
    ("banking77", "train", "minilm-l6"): [
        ("frozen-head", {}),
        ("neighbours", {}),
        ("fine-tune", {}),
        ("averaged", {}),
    ],
    ("clinc150", "train", "minilm-l6"): [
        ("frozen-head", {}),
        ("neighbours", {}),
        ("fine-tune", {"depth": 3}),
    ],
    ("zh_waimai_10k", "train", "e5-small-multi"): [("frozen-head", {}), ("fine-tune", LAST_TWO)],
    ("banking77", "train", "mpnet-base"): [
        ("frozen-head", {}),
        ("neighbours", {}),
        ("fine-tune", {}),
    ],
}


def candidate_of(recipe: str, settings: dict[str, Any], bench: Any) -> Any:
    """The recipe's usual candidate with these settings in place of its own."""
    from payoff.adapt.recipes import recipe_named

    usual = recipe_named(recipe).standard(bench)[0]
    return replace(usual, settings=tuple({**dict(usual.settings), **settings}.items()))


def score(candidate: Any, bench: Any) -> dict[str, Any]:
    """Accuracy and macro-F1 on the test rows."""
    from sklearn.metrics import f1_score

    from payoff.adapt.recipes import recipe_named

    attempt = recipe_named(candidate.recipe).start(candidate, bench)
    attempt.advance(1.0)
    predicted = attempt.logits(bench.validation).argmax(1)
    truth = bench.targets[bench.validation]
    return {
        "accuracy": float((predicted == truth).mean()),
        "macro_f1": float(f1_score(truth, predicted, average="macro")),
        "n_train": len(bench.train),
        "settings": dict(candidate.settings),
    }


def parts(data: Path, name: str, part: str, judged: str) -> tuple[Rows, Rows]:
    """Rows to learn from, and rows to judge by."""
    from sklearn.model_selection import train_test_split

    learnt = rows(data, name, part)
    if judged == "test":
        return learnt, rows(data, name, "test")
    if (data / name / "valid.csv").exists():
        return learnt, rows(data, name, "valid")
    texts, labels = rows(data, name, "train")
    cut = train_test_split(texts, labels, test_size=N_VALIDATION, stratify=labels, random_state=0)
    if part == "train":
        return (cut[0], cut[2]), (cut[1], cut[3])
    taken = set(learnt[0])
    left = [pair for pair in zip(cut[1], cut[3], strict=True) if pair[0] not in taken]
    return learnt, ([text for text, _ in left], [label for _, label in left])


def others(data: Path, name: str, learnt: Rows, judged: Rows) -> tuple[str, ...]:
    """Training texts that are neither learnt with their labels nor judged by."""
    taken = {*learnt[0], *judged[0]}
    return tuple(dict.fromkeys(t for t in rows(data, name, "train")[0] if t not in taken))


def run(options: argparse.Namespace) -> None:
    """All that is wanted and not there yet."""
    command = f"python benchmarks/published.py --judged {options.judged}"
    tried = [
        {name: _value(value) for name, value in (pair.split("=", 1) for pair in settings)}
        for settings in options.set or [[]]
    ]
    done = [(key_of(line), line["result"]["settings"]) for line in record.lines(RESULTS)]
    for (name, part, backbone), recipes in WANTED.items():
        if not set(options.only) <= {name, part, backbone}:
            continue
        if options.recipe:
            recipes = [(options.recipe, changed) for changed in tried]
        folder = HERE / "runs" / "published" / f"{name}-{part}-{options.judged}"
        folder.mkdir(parents=True, exist_ok=True)
        learnt, judged = parts(options.data, name, part, options.judged)
        bench = bench_of(learnt, judged, backbone=backbone, seed=0, folder=str(folder))
        if options.unlabelled:
            bench = replace(bench, unlabelled=others(options.data, name, learnt, judged))
        left = []
        for seed in options.seeds:
            for recipe, settings in recipes:
                candidate = candidate_of(recipe, settings, bench)
                key = {
                    "set": name,
                    "part": part,
                    "backbone": backbone,
                    "recipe": recipe,
                    "seed": seed,
                    **judged_as(options.judged),
                    **({"unlabelled": len(bench.unlabelled)} if options.unlabelled else {}),
                }
                if (key, dict(candidate.settings)) not in done:
                    left.append((candidate, key))
        depths = {dict(candidate.settings).get("depth", 0) for candidate, _ in left}
        if left:
            bench.opened(backbone).trunk.prepare(depths)
        for candidate, key in left:
            result = score(candidate, replace(bench, seed=key["seed"]))
            record.append(RESULTS, key, result, command)
            print(key, result, flush=True)


def _value(told: str) -> Any:
    """A number where it is one, else the text as it stands."""
    try:
        return json.loads(told)
    except json.JSONDecodeError:
        return told


def judged_as(judged: str) -> dict[str, str]:
    """What tells results on validation rows apart; those on test rows have nothing more."""
    return {"judged": judged} if judged != "test" else {}


def key_of(line: dict[str, Any]) -> dict[str, Any]:
    """What tells a result apart."""
    names = ("set", "part", "backbone", "recipe", "seed", "judged", "unlabelled")
    return {name: line[name] for name in names if name in line}


def show(judged: str) -> None:
    """Means and spreads over seeds."""
    found: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for line in record.lines(RESULTS) if judged == "validation" else record.latest(RESULTS):
        if line.get("judged", "test") == judged:
            told = [line["set"], line["part"], line["backbone"], line["recipe"]]
            if "unlabelled" in line:
                told.append(f"and {line['unlabelled']} texts without labels")
            if judged == "validation":
                told += [f"{name}={value}" for name, value in line["result"]["settings"].items()]
            found[tuple(told)].append(line["result"])
    for key, results in sorted(found.items()):
        parts = []
        for figure in ("accuracy", "macro_f1"):
            values = [100 * result[figure] for result in results]
            spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
            parts.append(f"{figure} {statistics.fmean(values):.2f}{spread}")
        print(f"{' '.join(key):60} {', '.join(parts)} (n={len(results)})")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument(
        "--only", nargs="*", default=[], help="a set, a part, a backbone: what is of all of them"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--judged", choices=("test", "validation"), default="test")
    parser.add_argument("--unlabelled", action="store_true", help="learn from these too")
    parser.add_argument("--recipe", help="this one alone")
    parser.add_argument(
        "--set", nargs="+", action="append", metavar="NAME=VALUE", help="settings of it, each a try"
    )
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    if options.show:
        show(options.judged)
    else:
        run(options)


if __name__ == "__main__":
    main()
