"""What each ingredient of the usual fine-tuning adds: one at a time taken away.

    OMP_NUM_THREADS=1 python benchmarks/ingredients.py
    python benchmarks/ingredients.py --show

MiniLM on 4,000 training texts of BANKING77, all layers, two epochs, judged by 2,000 other training
texts. All rows but the last are one plain loop over `transformers`' own model, so that each thing
can be taken away alone, also those that payoff's engine always has. The last row is payoff's recipe
on the same rows. Processor seconds are those of the training. Every result is a line in
results/ingredients.jsonl as soon as it is there, and is not computed again.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import record
from data_sets import bench_of, rows

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "ingredients.jsonl"
N_LEARNT, N_JUDGED, EPOCHS, BATCH = 4000, 2000, 2, 32
MOST_TOKENS = 128
OWN = "payoff's fine-tune"


@dataclass(frozen=True)
class Ingredients:
    """What a training has."""

    head_start: bool = True
    pooling: str = "mean"
    smoothing: float = 0.1
    buckets: bool = True
    table_frozen: bool = True
    learning_rate: float = 2e-4
    head_learning_rate: float = 2e-3
    interpolated: float = 0.75


ALL = Ingredients()
WITHOUT = {
    "all": ALL,
    "head started at random": replace(ALL, head_start=False),
    "first token instead of the mean": replace(ALL, pooling="first"),
    "no label smoothing": replace(ALL, smoothing=0.0),
    "texts in any order": replace(ALL, buckets=False),
    "token table trained too": replace(ALL, table_frozen=False),
    "one rate, 2e-4, for all": replace(ALL, head_learning_rate=2e-4),
    "half the rates": replace(ALL, learning_rate=1e-4, head_learning_rate=1e-3),
    "twice the rates": replace(ALL, learning_rate=4e-4, head_learning_rate=4e-3),
    "layers as tuned, not part of the way": replace(ALL, interpolated=1.0),
    "none of them": Ingredients(False, "first", 0.0, False, False, 1e-4, 1e-4, 1.0),
}


def plain(bench: Any, with_these: Ingredients) -> dict[str, float]:
    """One training by the plain loop."""
    import torch
    from torch.nn import functional
    from transformers import AutoModel

    from payoff.adapt.recipes.start_head import start_head

    torch.manual_seed(bench.seed)
    opened = bench.opened("minilm-l6")
    model = AutoModel.from_pretrained(opened.folder).eval()
    pretrained = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    head = torch.nn.Linear(model.config.hidden_size, len(bench.labels))
    if with_these.head_start:
        start = start_head(bench, "minilm-l6", bench.train)
        with torch.no_grad():
            head.weight.copy_(torch.from_numpy(start.weight))
            head.bias.copy_(torch.from_numpy(start.bias))
    for name, parameter in model.named_parameters():
        if with_these.table_frozen and name.startswith("embeddings"):
            parameter.requires_grad_(False)
    lengths = opened.tokens.lengths
    ids = np.split(opened.tokens.ids, np.cumsum(lengths)[:-1])

    def logits(batch: np.ndarray) -> Any:
        longest = max(len(ids[row]) for row in batch)
        tokens = torch.zeros(len(batch), longest, dtype=torch.long)
        mask = torch.zeros(len(batch), longest)
        for place, row in enumerate(batch):
            tokens[place, : len(ids[row])] = torch.from_numpy(ids[row].astype(np.int64))
            mask[place, : len(ids[row])] = 1
        hidden = model(input_ids=tokens, attention_mask=mask).last_hidden_state
        if with_these.pooling == "first":
            return head(functional.normalize(hidden[:, 0]))
        mean = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return head(functional.normalize(mean))

    batches = [
        batch for epoch in range(EPOCHS) for batch in _batches(bench, lengths, with_these, epoch)
    ]
    rates = (with_these.learning_rate, with_these.head_learning_rate)
    parts = ([p for p in model.parameters() if p.requires_grad], list(head.parameters()))
    optimiser = torch.optim.AdamW(
        [{"params": part, "lr": rate} for part, rate in zip(parts, rates, strict=True)],
        weight_decay=0.01,
    )
    warm = 0.1 * len(batches)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: min((step + 1) / warm, (len(batches) - step) / (len(batches) - warm)),
    )
    started = time.process_time()
    for batch in batches:
        loss = functional.cross_entropy(
            logits(batch),
            torch.from_numpy(bench.targets[batch]),
            label_smoothing=with_these.smoothing,
        )
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for part in parts for p in part], 1.0)
        optimiser.step()
        schedule.step()
    cpu_s = time.process_time() - started
    tuned, share = model.state_dict(), with_these.interpolated
    model.load_state_dict(
        {
            name: pretrained[name] + share * (tensor - pretrained[name])
            if tensor.is_floating_point()
            else tensor
            for name, tensor in tuned.items()
        }
    )
    with torch.inference_mode():
        order = bench.validation[np.argsort(lengths[bench.validation])]
        found = np.concatenate(
            [logits(order[i : i + 64]).numpy().argmax(1) for i in range(0, len(order), 64)]
        )
    return {"accuracy": float((found == bench.targets[order]).mean()), "cpu_s": cpu_s}


def _batches(
    bench: Any, lengths: np.ndarray, with_these: Ingredients, epoch: int
) -> Iterator[np.ndarray]:
    rng = np.random.default_rng((bench.seed, epoch))
    order = rng.permutation(bench.train)
    if with_these.buckets:
        order = order[np.argsort(lengths[order], kind="stable")]
    cut = [order[i : i + BATCH] for i in range(0, len(order), BATCH)]
    for place in rng.permutation(len(cut)):
        yield cut[place]


def own(bench: Any) -> dict[str, float]:
    """The recipe, by payoff's engine."""
    from payoff.adapt.recipes import recipe_named

    recipe = recipe_named("fine-tune")
    usual = recipe.standard(bench)[0]
    settings = {**dict(usual.settings), "epochs": float(EPOCHS)}
    attempt = recipe.start(replace(usual, settings=tuple(settings.items())), bench)
    attempt.training  # noqa: B018  (the head and the lowest activations)
    started = time.process_time()
    attempt.advance(1.0)
    cpu_s = time.process_time() - started
    right = attempt.logits(bench.validation).argmax(1) == bench.targets[bench.validation]
    return {"accuracy": float(right.mean()), "cpu_s": cpu_s}


def show() -> None:
    """Means and spreads over seeds."""
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    for line in record.latest(RESULTS):
        found[line["change"]].append(line["result"])
    for change, results in found.items():
        accuracy = [100 * result["accuracy"] for result in results]
        spread = f" ± {statistics.stdev(accuracy):.2f}" if len(results) > 1 else ""
        cpu_s = statistics.median(result["cpu_s"] for result in results)
        told = f"{statistics.fmean(accuracy):.2f}{spread} %, {cpu_s:.0f} processor s"
        print(f"{change:40} {told} (n={len(results)})")


def main() -> None:
    """Read the command line."""
    from sklearn.model_selection import train_test_split

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    if options.show:
        show()
        return
    for seed in options.seeds:
        texts, labels = rows(options.data, "banking77", "train")
        split = train_test_split(
            texts, labels, test_size=N_JUDGED, train_size=N_LEARNT, stratify=labels,
            random_state=seed,
        )  # fmt: skip
        learnt, judged = (split[0], split[2]), (split[1], split[3])
        with tempfile.TemporaryDirectory() as place:
            bench = bench_of(learnt, judged, backbone="minilm-l6", seed=seed, folder=place)
            for change in (*WITHOUT, OWN):
                key = {"change": change, "seed": seed}
                if any(key.items() <= line.items() for line in record.lines(RESULTS)):
                    continue
                result = own(bench) if change == OWN else plain(bench, WITHOUT[change])
                record.append(RESULTS, key, result, "python benchmarks/ingredients.py")
                print(key, result, flush=True)


if __name__ == "__main__":
    main()
