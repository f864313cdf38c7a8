"""How long until a model is as good as a well-called Trainer's: BANKING77, MiniLM, in turn.

    python benchmarks/time_to_quality.py --seeds 0
    python benchmarks/time_to_quality.py --show

The opponent is `transformers.Trainer` with mean pooling, label smoothing, a rate that suits them
and batches of like lengths, three epochs. Both train in mixed precision where the processor has it.
payoff's seconds hold everything: tokens, the pass of the encoder, the head, the training. Settings
were chosen on validation rows; accuracy is on the test rows. Nothing else may compute meanwhile.
Every result is a line in results/time_to_quality.jsonl.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import opponents
import record
from data_sets import Rows, bench_of, rows

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "time_to_quality.jsonl"
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "frozen head": ("frozen-head", {}),
    "frozen head and neighbours": ("neighbours", {}),
    "last layer, 1 epoch": ("fine-tune", {"depth": 5, "epochs": 1.0}),
    "last two layers, 1 epoch": ("fine-tune", {"depth": 4, "epochs": 1.0}),
    "upper half, 1 epoch": ("fine-tune", {"depth": 3, "epochs": 1.0}),
    "upper half, 2 epochs": ("fine-tune", {"depth": 3, "epochs": 2.0}),
    "all layers, 2 epochs": ("fine-tune", {"depth": 0, "epochs": 2.0}),
    "upper half and bags of words, stacked": (
        "stacked",
        {"members": "fine-tune[depth=3]+bag-of-words", "folds": 2},
    ),
    "all layers, 2 epochs, mean of 3": ("averaged", {"depth": 0, "epochs": 2.0, "members": 3}),
}


def ours(way: str, learnt: Rows, judged: Rows, seed: int) -> dict[str, float]:
    """Seconds on the learnt rows, of which no judged one is any; then the accuracy on those."""
    from payoff.adapt.recipes import recipe_named

    recipe, settings = WAYS[way]
    made = recipe_named(recipe)
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder, name) for name in ("learnt", "saved", "both")]
        for place in places:
            place.mkdir()
        bench, both = (
            bench_of(learnt, others, backbone="minilm-l6", seed=seed, folder=str(place))
            for others, place in ((([], []), places[0]), (judged, places[2]))
        )
        bench.opened("minilm-l6").encoder  # noqa: B018  (reading weights is not training)
        started = time.perf_counter()
        usual = made.standard(bench)[0]
        changed = tuple({**dict(usual.settings), **settings}.items())
        candidate = replace(usual, settings=changed)
        attempt = made.start(candidate, bench)
        attempt.advance(1.0)
        seconds = time.perf_counter() - started
        attempt.save(places[1])
        trained = made.start(candidate, both)
        trained.restore(places[1])
        right = trained.logits(both.validation).argmax(1) == both.targets[both.validation]
    return {"seconds": seconds, "accuracy": float(right.mean())}


def theirs(learnt: Rows, judged: Rows, seed: int) -> dict[str, float]:
    """The tuned Trainer; its seconds are those of training alone."""
    from payoff.adapt.backbones.installation import ensure

    done = opponents.trainer(ensure("minilm-l6"), *learnt, judged[0], seed=seed)
    right = [a == b for a, b in zip(done.predicted, judged[1], strict=True)]
    return {"seconds": done.seconds, "accuracy": sum(right) / len(right)}


def show() -> None:
    """Means over seeds, and the share of the Trainer's seconds."""
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    for line in record.latest(RESULTS):
        found[line["way"]].append(line["result"])
    base = statistics.median(r["seconds"] for r in found["Trainer, tuned"])
    for way, results in found.items():
        scores = [100 * r["accuracy"] for r in results]
        spread = f" ± {statistics.stdev(scores):.2f}" if len(scores) > 1 else ""
        seconds = statistics.median(r["seconds"] for r in results)
        print(
            f"{way:24} {statistics.fmean(scores):.2f}{spread} %  {seconds:.0f} s, "
            f"1/{base / seconds:.1f} of the Trainer's (n={len(results)})"
        )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--ways", nargs="+", default=[*WAYS, "Trainer, tuned"])
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    if options.show:
        show()
        return
    learnt, judged = (rows(options.data, "banking77", part) for part in ("train", "test"))
    for seed in options.seeds:
        for way in options.ways:
            key = {"way": way, "seed": seed}
            if record.is_done(RESULTS, key):
                continue
            result = (
                theirs(learnt, judged, seed)
                if way == "Trainer, tuned"
                else ours(way, learnt, judged, seed)
            )
            record.append(RESULTS, key, result, "python benchmarks/time_to_quality.py")
            print(key, result, flush=True)


if __name__ == "__main__":
    main()
