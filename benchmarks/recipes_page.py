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
TRAINER = "Trainer, tuned"
WITH_MORE_TEXTS = ("distil", "distil-encoder", "self-training", "simcse", "tsdae")
TOLD = (-1, 10)  # labels a class of the tables of every recipe; the picture has the others
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


def under(about: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table below what is said of it; nothing where there are no rows."""
    return f"{about}\n\n{table(heads, rows)}" if rows else ""


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
    """Seconds and accuracy against the tuned Trainer of the same machine."""
    machines: dict[str, dict[tuple[str, int], dict[str, float]]] = defaultdict(dict)
    for line in record.lines(HERE / "results" / "time_to_quality.jsonl"):
        machines[line["machine"]][line["way"], line["seed"]] = line["result"]
    tables = [
        _time_table(machine, found)
        for machine, found in machines.items()
        if any(way == TRAINER for way, _ in found)
    ]
    return "\n\n".join(
        [
            "**Time to quality.** payoff's seconds hold everything, the encoding of the texts too; "
            "the Trainer's hold its training alone.",
            *tables,
        ]
        if tables
        else []
    )


def _time_table(machine: str, found: dict[tuple[str, int], dict[str, float]]) -> str:
    by_way: dict[str, list[dict[str, float]]] = defaultdict(list)
    for (way, _), result in found.items():
        by_way[way].append(result)
    base = statistics.median(r["seconds"] for r in by_way[TRAINER])
    rows = []
    for way, results in sorted(by_way.items(), key=lambda one: one[1][0]["seconds"]):
        seconds = statistics.median(r["seconds"] for r in results)
        scores = [100 * r["accuracy"] for r in results]
        cells = [spread(scores), f"{seconds:.0f} s", f"1/{base / seconds:.1f}", f"{len(results)}"]
        rows.append([way, *cells])
    heads = [f"BANKING77, test rows; {machine}", "accuracy, %", "time", "of the Trainer's", "seeds"]
    return table(heads, rows)


def labels_curve(name: str, judged: str) -> str:
    """Accuracy by recipe and labels a class."""
    found: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    seeds = set()
    for line in lines("labels_curve"):
        with_texts = "unlabelled" in line
        if (line["judged"], line["set"], with_texts) != (judged, name, False):
            continue
        if "accuracy" in line["result"]:
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
        f"**Over the number of labels.** Accuracy in per cent, up to {len(seeds)} "
        f"{'seed' if len(seeds) == 1 else 'seeds'}, the usual settings of their commit"
        f"{_since_then(name, judged)}.\n\n{table(heads, rows)}"
    )


def left_alone(name: str) -> str:
    """The same of the recipes that `labels_curve` does not have; those with more texts are told."""
    above = {line["recipe"] for line in lines("labels_curve") if "unlabelled" not in line}
    found = {
        recipe: cells for recipe, cells in _by_recipe("adaptation", name).items()
        if recipe not in above
    }  # fmt: skip
    sizes = sorted({each for cells in found.values() for each in cells}, key=lambda n: n or 1 << 30)
    rows = [
        [
            f"`{recipe}`" + (" with more texts" if recipe in WITH_MORE_TEXTS else ""),
            *(spread(list(cells[each].values())) if each in cells else "–" for each in sizes),
        ]
        for recipe, cells in sorted(found.items())
    ]
    about = (
        "The same of the recipes that a search leaves alone; one seed where no spread is told. "
        "Those with more texts had 2,000 without labels, or the training texts alone where all are "
        "labelled."
    )
    heads = [f"{name}, test rows", *(f"{each or 'all'} a class" for each in sizes)]
    return under(about, heads, rows)


def below_zero_shot(name: str) -> str:
    """Which recipes are no better than the zero-shot solution of the same backbone, and where."""
    curve, others = _by_recipe("labels_curve", name), _by_recipe("adaptation", name)
    zero = statistics.fmean(value for by in curve["zero-shot"].values() for value in by.values())
    found: dict[int, list[str]] = defaultdict(list)
    for recipe, cells in {**others, **curve}.items():
        if recipe in ("zero-shot", "bag-of-words", "static-head"):
            continue  # itself, and those of another backbone or none
        for each, by in cells.items():
            if statistics.fmean(by.values()) <= zero:
                found[each].append(f"`{recipe}`")
    sizes = sorted(
        {each for cells in others.values() for each in cells}, key=lambda n: n or 1 << 30
    )
    told = "".join(
        f"with {each or 'all'} a class {', '.join(sorted(found[each]))}; "
        for each in sizes
        if found[each]
    )
    clear = ", ".join(str(each or "all") for each in sizes if not found[each])
    told += f"with {clear} a class none"
    return (
        f"**Beside zero-shot.** Recipes that are not above the {zero:.1f} % of MiniLM's zero-shot "
        f"solution: {told}. `bag-of-words` and `static-head` have another backbone or none."
    )


def _by_recipe(benchmark: str, name: str) -> dict[str, dict[int, dict[int, float]]]:
    """Accuracy in per cent on all test rows, by recipe, labels a class and seed."""
    found: dict[str, dict[int, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    for line in lines(benchmark):
        whole = line.get("part", "quality") == "quality" and line.get("judged", "test") == "test"
        whole = whole and "unlabelled" not in line
        small = line.get("backbone", "minilm-l6") == "minilm-l6" or line["recipe"] == "distil"
        known = "accuracy" in line["result"]  # a recipe may refuse so few rows
        if whole and line["set"] == name and line["labels"] >= 0 and small and known:
            score = 100 * line["result"]["accuracy"]
            found[line["recipe"]][line["labels"]][line["seed"]] = score
    return found


def _since_then(name: str, judged: str) -> str:
    """What `contrastive` was measured with, where that is not usual any more, and `stacked`."""
    from payoff.adapt.recipes.contrastive import Contrastive

    usual = dict(Contrastive.defaults)["temperature"]
    had = {
        line["result"]["settings"]["temperature"]
        for line in lines("labels_curve")
        if (line["judged"], line["set"], line["recipe"]) == (judged, name, "contrastive")
        and "settings" in line["result"]
    }
    told = ", ".join(f"{one:g}" for one in sorted(had - {usual}))
    notes = [f"`contrastive` at a temperature of {told}, now {usual:g}"] if told else []
    stacks = {
        line["result"]["settings"]["members"]
        for line in lines("labels_curve")
        if (line["judged"], line["set"], line["recipe"]) == (judged, name, "stacked")
    }
    notes += [f"`stacked` of `{one}`" for one in sorted(stacks)]
    return f" ({'; '.join(notes)})" if notes else ""


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
    told = (
        "**Few labels, beside setfit.** `contrastive` with its usual settings, the mean of two "
        "tunings; its time holds the encoding of the texts."
    )
    return f"{told}\n\n{table(heads, rows)}" if rows else ""


def quality() -> str:
    """What each recipe reaches and takes, by data set and labels a class, the best first."""
    found: dict[tuple[str, int, int], dict[tuple[str, str], list[dict[str, Any]]]]
    found = defaultdict(lambda: defaultdict(list))
    for line in lines("adaptation"):
        if (
            line["part"] == "quality"
            and line["labels"] in TOLD
            and ("+" not in line["backbone"] or "distil" in line["recipe"])
        ):
            of = line["set"], line.get("judged", 0), line["labels"]
            found[of][line["recipe"], line["backbone"]].append(line["result"])
    tables = []
    for (name, judged, each), recipes in sorted(found.items()):
        rows = []
        for (recipe, backbone), results in sorted(
            recipes.items(), key=lambda one: -statistics.fmean(r["accuracy"] for r in one[1])
        ):
            share = next((r["trained_share"] for r in results if r["trained_share"]), None)
            rows.append(
                [
                    f"`{recipe}`",
                    backbone.replace("+", ", taught by ") or "–",
                    spread([100 * r["accuracy"] for r in results]),
                    spread([100 * r["macro_f1"] for r in results]),
                    f"{statistics.median(r['cpu_s'] for r in results):.0f}",
                    "head" if share is None else f"{share:.2%}",
                    str(len(results)),
                ]
            )
        labels = {-1: "no labels", 0: "all labels"}.get(each, f"{each} a class")
        heads = [
            f"{name}, {labels}, {f'{judged} test rows' if judged else 'test rows'}",
            "backbone",
            "accuracy, %",
            "macro-F1, %",
            "processor seconds",
            "weights trained",
            "seeds",
        ]
        tables.append(table(heads, rows))
    told = "\n\n".join(tables)
    return (
        "**Every recipe.** Usual settings; texts encoded beforehand; one thread. Those that "
        f"learn from texts alone had 2,000 more texts without labels.\n\n{told}"
        if told
        else ""
    )


def published() -> str:
    """The splits that others publish on."""
    newest: dict[tuple[tuple[str, str, str, str, int, str], int], dict[str, Any]] = {}
    for line in record.lines(HERE / "results" / "published.jsonl"):
        if "judged" in line:  # by validation rows, to choose settings
            continue
        of = line["set"], line["part"], line["backbone"], line["recipe"]
        teacher = line["result"]["settings"].get("teacher", "")
        newest[(*of, line.get("unlabelled", 0), teacher), line["seed"]] = line["result"]
    found: dict[tuple[str, str, str, str, int, str], list[dict[str, Any]]] = defaultdict(list)
    for (key, _), result in newest.items():
        found[key].append(result)
    rows = [
        [
            f"{name}, {part.removeprefix('fewshot_train_').replace('train', 'all')} a class"
            + (f", and {unlabelled:,} texts without labels" if unlabelled else ""),
            backbone,
            f"`{recipe}`"
            + "".join(
                f" {name}={results[0]['settings'][name]}"
                for name in ("teacher", "depth")
                if results[0]["settings"].get(name)
            ),
            spread([100 * r["accuracy"] for r in results], 2),
            spread([100 * r["macro_f1"] for r in results], 2),
            str(len(results)),
        ]
        for (name, part, backbone, recipe, unlabelled, _), results in sorted(found.items())
    ]
    heads = ["test rows", "backbone", "recipe", "accuracy, %", "macro-F1, %", "seeds"]
    about = (
        "**On the splits that others publish on.** A seed moves the training alone; the rows are "
        "those of the data sets' own files."
    )
    return under(about, heads, rows)


def tried() -> str:
    """What was tried on validation rows, the best of each data set first."""
    found = [
        line
        for line in record.lines(HERE / "results" / "published.jsonl")
        if line.get("judged") == "validation"
    ]
    used: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in found:
        used[line["recipe"]].append(line["result"]["settings"])
    scores: dict[tuple[str, ...], dict[int, dict[str, Any]]] = defaultdict(dict)
    for line in found:
        recipe, settings = line["recipe"], line["result"]["settings"]
        told = [
            f"{name}={value}"
            for name, value in settings.items()
            if name in ("members", "teacher") or any(one.get(name) != value for one in used[recipe])
        ]
        rows = (
            f"{line['set']}, {line['part'].removeprefix('fewshot_train_').replace('train', 'all')}"
        )
        if "unlabelled" in line:
            told.append("with texts without labels")
        of = f"{rows} a class", line["backbone"], f"`{recipe}`", ", ".join(told) or "–"
        scores[of][line["seed"]] = line["result"]
    shown = [
        (
            [*of, *(spread([100 * r[f] for r in by.values()]) for f in ("accuracy", "macro_f1"))],
            statistics.fmean(r["accuracy"] for r in by.values()),
        )
        for of, by in scores.items()
    ]
    shown.sort(key=lambda one: (*one[0][:2], -one[1]))
    heads = ["validation rows", "backbone", "recipe", "settings", "accuracy, %", "macro-F1, %"]
    about = (
        "**What was tried.** Settings are chosen on validation rows; the test rows above took no "
        "part."
    )
    return under(about, heads, [row for row, _ in shown])


def automatic() -> str:
    """How far the automatic choice is behind the best recipe in hindsight."""
    found: dict[int, dict[int, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    taken: dict[int, list[str]] = defaultdict(list)
    taught: dict[int, dict[int, float]] = defaultdict(dict)  # the choice that had more texts
    for line in lines("labels_curve"):
        result = line["result"]
        if (line["judged"], line["set"]) != ("test", "banking77") or "accuracy" not in result:
            continue
        if "unlabelled" in line:
            if line["recipe"] == "automatic":
                taught[line["labels"]][line["seed"]] = 100 * result["accuracy"]
            continue
        found[line["labels"]][line["seed"]][line["recipe"]] = 100 * result["accuracy"]
        if line["recipe"] == "automatic":
            taken[line["labels"]].append(result["recipe"])
    rows, with_texts = [], []
    for each in sorted(taken, key=lambda n: n or 1 << 30):
        seeds = [by for by in found[each].values() if "automatic" in by]
        others = sorted(set.intersection(*(set(by) for by in seeds)) - {"automatic"})
        mean = {r: statistics.fmean(by[r] for by in seeds) for r in [*others, "automatic"]}
        best = max(others, key=lambda recipe: mean[recipe])
        alone = {n: by["automatic"] for n, by in found[each].items() if "automatic" in by}
        rows.append(
            [
                f"{each or 'all'} a class",
                ", ".join(f"`{recipe}`" for recipe in dict.fromkeys(taken[each])),
                f"{mean['automatic']:.1f}",
                f"`{best}` {mean[best]:.1f}",
                f"{mean['automatic'] - mean[best]:+.1f}",
                str(len(seeds)),
                _ahead(each, alone, more_texts=False),
            ]
        )
        if taught[each]:
            with_texts.append(
                [
                    f"{each} a class",
                    spread(list(taught[each].values())),
                    spread([alone[seed] for seed in taught[each]]),
                    _ahead(each, taught[each], more_texts=True),
                    str(len(taught[each])),
                ]
            )
    heads = [
        "banking77, test rows",
        "chosen",
        "accuracy, %",
        "best in hindsight",
        "ahead",
        "seeds",
        "best of the others",
    ]
    about = (
        "**The automatic choice.** Means over seeds; the best in hindsight is the recipe of the "
        "highest mean on the test rows, of those in the table above, and *ahead* is by how many "
        "points the choice was above it. *Others* are the recipes that a search leaves alone and "
        "that learn from the same rows: by how much the best was above the choice (in so many "
        "seeds)."
    )
    more = under(
        "With 2,000 texts without labels besides:",
        [
            "banking77, test rows",
            "accuracy, %",
            "without these texts",
            "best of the others with them",
            "seeds",
        ],
        with_texts,
    )
    return "\n\n".join(part for part in (under(about, heads, rows), more) if part)


def _ahead(each: int, chosen: dict[int, float], *, more_texts: bool) -> str:
    """The best recipe of benchmarks/adaptation.py on the same rows, and its lead on the choice.

    That is the mean over the seeds of both.
    """
    gaps: dict[str, list[float]] = defaultdict(list)
    above = {line["recipe"] for line in lines("labels_curve")} - set(WITH_MORE_TEXTS)
    for line in lines("adaptation"):
        recipe = line.get("recipe", "")
        of = line["part"], line.get("set"), line.get("labels")
        theirs = of == ("quality", "banking77", each) and "judged" not in line
        fits = (recipe in WITH_MORE_TEXTS) == more_texts and recipe not in above
        alone = more_texts or "+" not in line.get("backbone", "")
        if theirs and fits and alone and line["seed"] in chosen:
            gaps[recipe].append(100 * line["result"]["accuracy"] - chosen[line["seed"]])
    if not gaps:
        return "–"
    best = max(gaps, key=lambda recipe: statistics.fmean(gaps[recipe]))
    return f"`{best}` {statistics.fmean(gaps[best]):+.1f} ({len(gaps[best])})"


def students() -> str:
    """Beside the usual recipe its student, which learnt from texts without labels too."""
    found: dict[tuple[str, int, int], dict[str, dict[int, dict[str, float]]]]
    found = defaultdict(lambda: defaultdict(dict))
    for line in lines("labels_curve"):
        if line["judged"] == "validation" and "unlabelled" in line:
            of = line["set"], line["labels"], line["unlabelled"]
            found[of][line["recipe"]][line["seed"]] = line["result"]
    rows = []
    for (name, each, _), by_recipe in sorted(found.items()):
        student = by_recipe.get("distil-encoder", {})
        usual = next((recipe for recipe in by_recipe if recipe != "distil-encoder"), "")
        seeds = student.keys() & by_recipe[usual].keys() if usual else []
        if seeds:
            scores = [
                spread([100 * results[seed]["accuracy"] for seed in sorted(seeds)])
                for results in (by_recipe[usual], student)
            ]
            rows.append([f"{name}, {each} a class", f"`{usual}`", *scores, str(len(seeds))])
    heads = ["validation rows", "usual recipe", "its accuracy, %", "its student's, %", "seeds"]
    about = (
        "**Students.** `distil-encoder`, taught by the usual recipe for so few labels, with 2,000 "
        "texts without labels. This chose what a search expects to be best (decision 34)."
    )
    return under(about, heads, rows)


def shared_backbone() -> str:
    """Memory and time of adapter models that share their backbone, or do not."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in lines("shared_backbone"):
        found[line["way"]].append(line["result"])
    figures = {
        "resident_mb": "MB, all five",
        "further_mb": "MB, a further one",
        "decide_cpu_ms": "ms of processor a decision",
        "further_load_cpu_ms": "ms to load a further one",
    }
    names = {"folded": "merged (the default)", "apart": "`merged=0`"}
    rows = [
        [names[way], *(f"{statistics.median(r[f] for r in results):.3g}" for f in figures)]
        for way, results in found.items()
    ]
    told = table(["five LoRA models on MiniLM", *figures.values()], rows) if rows else ""
    return f"**Several models, one backbone.** Medians of the rounds.\n\n{told}" if rows else ""


def ingredients() -> str:
    """What each part of the usual fine-tuning adds."""
    found: dict[str, dict[int, dict[str, float]]] = defaultdict(dict)
    for line in lines("ingredients"):
        found[line["change"]][line["seed"]] = line["result"]
    if "all" not in found:
        return ""
    rows = []
    for change, results in found.items():
        seeds = [seed for seed in results if seed in found["all"]]
        behind = [
            100 * (results[seed]["accuracy"] - found["all"][seed]["accuracy"]) for seed in seeds
        ]
        rows.append(
            [
                change,
                spread([100 * result["accuracy"] for result in results.values()]),
                "–" if change == "all" else spread(behind).replace("-", "−"),
                f"{statistics.median(result['cpu_s'] for result in results.values()):.0f}",
                str(len(results)),
            ]
        )
    heads = ["one ingredient away", "accuracy, %", "points more", "processor seconds", "seeds"]
    return (
        "**What each ingredient adds.** Fine-tuning of all layers on 4,000 texts of BANKING77, two "
        "epochs, judged by 2,000 validation rows; differences within a seed. A plain loop "
        "over `transformers`' model; the last row is payoff's engine.\n\n"
        f"{table(heads, rows)}"
    )


def continual() -> str:
    """What learning later labels costs on the earlier ones."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for line in lines("continual"):
        if line["judged"] == "test":
            settings = line["result"].get("settings")
            way = "all at once"
            if settings is not None:
                way = f"{settings['kept_texts']:,} kept, distillation {settings['distillation']:g}"
            for figure, value in line["result"].items():
                if isinstance(value, float):
                    found[way][figure].append(100 * value)
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
    return under("**Labels that come over time.**", heads, rows)


def main() -> None:
    """Write the page."""
    parts = [
        throughput(),
        time_to_quality(),
        labels_curve("banking77", "test"),
        left_alone("banking77"),
        below_zero_shot("banking77"),
        automatic(),
        students(),
        published(),
        tried(),
        few_shot_peers(),
        quality(),
        ingredients(),
        continual(),
        shared_backbone(),
    ]
    text = "\n\n".join(part for part in parts if part) or "Not measured yet."
    head, rest = PAGE.read_text("utf-8").split(BEGIN, 1)
    tail = rest.split(END, 1)[1]
    PAGE.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}", "utf-8")


if __name__ == "__main__":
    main()
