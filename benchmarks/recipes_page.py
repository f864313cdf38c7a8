"""Put what was measured of the recipes into docs/recipes.md.

python benchmarks/recipes_page.py
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import record

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "recipes.md"
BEGIN, END = "<!-- figures:begin -->", "<!-- figures:end -->"


def lines(name: str) -> list[dict[str, Any]]:
    """The newest results of one benchmark."""
    return record.latest(HERE / "results" / f"{name}.jsonl")


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Mean and standard deviation over seeds."""
    more = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.{digits}f}{more}"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown, the first column to the left."""
    out = [f"| {' | '.join(heads)} |", f"|---|{'---:|' * (len(heads) - 1)}"]
    return "\n".join([*out, *(f"| {' | '.join(row)} |" for row in rows)])


def throughput() -> str:
    """Training, texts a second, and over the peers of the same run."""
    found: dict[str, dict[int, float]] = defaultdict(dict)
    for line in lines("adaptation"):
        if line["part"] == "throughput":
            found[line["method"]][line["round"]] = line["result"]["texts_per_s"]
    if not found:
        return ""
    peers = [
        "peft LoRA in the Trainer, grouped" if "LoRA" in method else "Trainer, tuned"
        for method in found
    ]
    rows = []
    for method, peer in zip(found, peers, strict=True):
        ratios = [found[method][turn] / found[peer][turn] for turn in found[method]]
        own = statistics.median(found[method].values())
        rows.append([method, f"{own:.0f}", f"{statistics.median(ratios):.2f}"])
    told = table(["one epoch of BANKING77 texts", "texts/s", "over the grouped peer"], rows)
    return (
        "**Throughput.** Medians of three rounds, all methods in turn. *Tuned* and *grouped* put "
        "texts of like lengths together. The activations below the upper half were cached "
        f"beforehand.\n\n{told}"
    )


def time_to_quality() -> str:
    """Seconds and accuracy against the tuned Trainer."""
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    for line in lines("time_to_quality"):
        found[line["way"]].append(line["result"])
    if "Trainer, tuned" not in found:
        return ""
    base = statistics.median(r["seconds"] for r in found["Trainer, tuned"])
    rows = []
    for way, results in found.items():
        seconds = statistics.median(r["seconds"] for r in results)
        scores = [100 * r["accuracy"] for r in results]
        cells = [spread(scores), f"{seconds:.0f} s", f"1/{base / seconds:.1f}", f"{len(results)}"]
        rows.append([way, *cells])
    heads = ["BANKING77, test rows", "accuracy, %", "time", "of the Trainer's", "seeds"]
    return (
        "**Time to quality.** payoff's seconds hold everything, the encoding of the texts too; the "
        f"Trainer's hold its training alone.\n\n{table(heads, rows)}"
    )


def labels_curve(name: str, judged: str) -> str:
    """Accuracy by recipe and labels a class."""
    found: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    seeds = set()
    for line in lines("labels_curve"):
        if line["judged"] == judged and line["set"] == name and "accuracy" in line["result"]:
            found[line["recipe"]][line["labels"]].append(100 * line["result"]["accuracy"])
            seeds.add(line["seed"])
    if not found:
        return ""
    sizes = sorted({each for cells in found.values() for each in cells}, key=lambda n: n or 1 << 30)
    rows = []
    for recipe, cells in sorted(found.items()):
        shown = [spread(cells[each]) if each in cells else "–" for each in sizes]
        rows.append([f"`{recipe}`", *shown])
    heads = [f"{name}, {judged} rows", *(f"{each or 'all'} a class" for each in sizes)]
    return (
        f"**Over the number of labels.** Accuracy in per cent, {len(seeds)} "
        f"{'seed' if len(seeds) == 1 else 'seeds'}, usual settings.\n\n{table(heads, rows)}"
    )


def few_shot_peers() -> str:
    """Against setfit."""
    found: dict[tuple[int, str], list[dict[str, float]]] = defaultdict(list)
    for line in lines("few_shot_peers"):
        found[line["labels"], line["method"]].append(line["result"])
    rows = [
        [
            method,
            str(each),
            spread([100 * r["accuracy"] for r in results]),
            f"{statistics.median(r['seconds'] for r in results):.0f} s",
        ]
        for (each, method), results in sorted(found.items())
    ]
    heads = ["BANKING77, test rows", "labels a class", "accuracy, %", "time"]
    return f"**Few labels, beside setfit.**\n\n{table(heads, rows)}" if rows else ""


def quality() -> str:
    """What each recipe reaches, by data set, backbone and labels a class."""
    found: dict[tuple[str, str, int, str], list[dict[str, Any]]] = defaultdict(list)
    for line in lines("adaptation"):
        if line["part"] == "quality":
            key = (line["set"], line["backbone"], line["labels"], line["recipe"])
            found[key].append(line["result"])
    rows = []
    for (name, backbone, each, recipe), results in sorted(found.items()):
        share = next((r["trained_share"] for r in results if r["trained_share"]), None)
        rows.append(
            [
                f"{name}, {backbone}, {each or 'all'} a class",
                f"`{recipe}`",
                "head" if share is None else f"{share:.2%}",
                spread([100 * r["accuracy"] for r in results]),
                spread([100 * r["macro_f1"] for r in results]),
                f"{statistics.median(r['seconds'] for r in results):.0f} s",
                str(len(results)),
            ]
        )
    heads = ["test rows", "recipe", "trained", "accuracy, %", "macro-F1, %", "time", "seeds"]
    return f"**Quality and cost.**\n\n{table(heads, rows)}" if rows else ""


def ingredients() -> str:
    """What each part of the usual fine-tuning adds."""
    found: dict[str, list[float]] = defaultdict(list)
    for line in lines("adaptation"):
        if line["part"] == "ingredients":
            found[line["change"]].append(100 * line["result"]["accuracy"])
    rows = [[change, spread(scores), str(len(scores))] for change, scores in found.items()]
    heads = ["fine-tuning of the upper half, one thing changed", "accuracy, %", "seeds"]
    told = table(heads, rows)
    return (
        f"**What each ingredient adds.** BANKING77, 2,000 validation rows.\n\n{told}"
        if rows
        else ""
    )


def continual() -> str:
    """What learning later labels costs on the earlier ones."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for line in lines("continual"):
        if line["judged"] == "test":
            for figure, value in line["result"].items():
                if isinstance(value, float):
                    found[line["way"]][figure].append(100 * value)
    figures = ("old_before", "old_after", "new_after")
    rows = [
        [way, *(spread(by[f], 2) if f in by else "–" for f in figures), str(len(by["old_after"]))]
        for way, by in found.items()
    ]
    heads = [
        "CLINC150, 30 of 150 intents later",
        "old before, %",
        "old after",
        "new after",
        "seeds",
    ]
    return f"**Labels that come over time.**\n\n{table(heads, rows)}" if rows else ""


def main() -> None:
    """Write the page."""
    parts = [
        throughput(),
        time_to_quality(),
        labels_curve("banking77", "test"),
        labels_curve("banking77", "validation"),
        few_shot_peers(),
        quality(),
        ingredients(),
        continual(),
    ]
    text = "\n\n".join(part for part in parts if part) or "Not measured yet."
    head, rest = PAGE.read_text("utf-8").split(BEGIN, 1)
    tail = rest.split(END, 1)[1]
    PAGE.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}", "utf-8")


if __name__ == "__main__":
    main()
