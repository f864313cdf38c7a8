"""Recipes over the number of labels: how good each is with 1, 2, 5, … labels a class.

    python benchmarks/labels_curve.py --judged validation
    python benchmarks/labels_curve.py --judged test
    python benchmarks/labels_curve.py --show
    python benchmarks/labels_curve.py --judged test --plot   # docs/assets/labels_curve.svg

Seconds are not kept here (benchmarks/adaptation.py has them): the activations of all texts are
computed once and shared by all recipes, sizes and seeds. ``validation`` judges by 2,000 training
rows that are never learnt from; what is concluded from there is reported on ``test``.
``automatic`` has the learnt rows alone: it takes the candidate that is best on some of them, as
`payoff run` judges where all errors cost the same and time does not matter, and trains it on all
of them. With `--unlabelled 2000` all have so many other texts of the pool without labels besides.
Every result is a line in results/labels_curve.jsonl as soon as it is there, and is not
computed again.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import record
from data_sets import Rows, bench_of, draw, rows

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "labels_curve.jsonl"
PICTURE = HERE.parent / "docs" / "assets" / "labels_curve.svg"
N_VALIDATION = 2000
SIZES = (1, 2, 5, 10, 20, 50, 0)
RECIPES = (
    "zero-shot",
    "bag-of-words",
    "static-head",
    "prototypes",
    "named-head",
    "shrunk-head",
    "neighbours",
    "frozen-head",
    "contrastive",
    "fine-tune",
    "stacked",
    "automatic",
)
PANELS = {
    "few trained weights": (
        "adalora",
        "adapter",
        "bitfit",
        "ia3",
        "lora",
        "p-tuning",
        "prefix-tuning",
        "prompt-tuning",
    ),
    "other losses, averages and noise": (
        "averaged",
        "balanced",
        "contrast",
        "fgm",
        "focal",
        "freelb",
        "mixup",
        "noise-robust",
        "r-drop",
    ),
    "made-up texts, texts without labels, teachers": (
        "augmented",
        "distil",
        "distil-encoder",
        "self-training",
        "simcse",
        "tsdae",
    ),
}
BACKBONES_BESIDE = {"static-head": "wordllama-256"}
LEAST_LABELS = {"stacked": 50}
MOST_LABELS = {"contrastive": 50}  # a class: beyond, it has no reason
# These with the settings of a search:
SEARCHED = ("distil-encoder", "fine-tune", "stacked")


def parts(data: Path, name: str, judged: str) -> tuple[Rows, Rows]:
    """Rows to draw from, and rows to judge by."""
    from sklearn.model_selection import train_test_split

    texts, labels = rows(data, name, "train")
    if judged == "test":
        return (texts, labels), rows(data, name, "test")
    cut = train_test_split(texts, labels, test_size=N_VALIDATION, stratify=labels, random_state=0)
    return (cut[0], cut[2]), (cut[1], cut[3])


def score(recipe: str, bench: Any, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Accuracy and log loss on the judged rows; None where the recipe refuses such data."""
    from sklearn.metrics import f1_score

    from payoff.adapt.recipes import recipe_named
    from payoff.core.errors import AdaptError

    try:
        candidate = automatic(bench) if recipe == "automatic" else usual(recipe, bench)
        changed = {**dict(candidate.settings), **settings}
        candidate = replace(candidate, settings=tuple(changed.items()))
        attempt = recipe_named(candidate.recipe).start(candidate, bench)
        attempt.advance(1.0)
    except AdaptError as error:
        return {"refused": str(error)}
    logits = attempt.logits(bench.validation).astype(np.float64)
    truth = bench.targets[bench.validation]
    predicted = logits.argmax(1)
    logits -= logits.max(1, keepdims=True)
    losses = np.log(np.exp(logits).sum(1)) - logits[np.arange(len(truth)), truth]
    return {
        "accuracy": float((predicted == truth).mean()),
        "macro_f1": float(f1_score(truth, predicted, average="macro")),
        "log_loss": float(losses.mean()),
        "n_train": len(bench.train),
        "recipe": candidate.recipe,
        "settings": changed,
    }


def sensible(recipe: str, each: int) -> bool:
    """Whether anybody would use a recipe with so many labels a class."""
    n = each or 10**9
    return LEAST_LABELS.get(recipe, 1) <= n <= MOST_LABELS.get(recipe, 10**9)


def usual(recipe: str, bench: Any) -> Any:
    """A recipe's usual candidate, or the first that a search tries."""
    from payoff.adapt.recipes import recipe_named

    if recipe in BACKBONES_BESIDE:
        bench = replace(bench, backbones=(BACKBONES_BESIDE[recipe],))
    made = recipe_named(recipe)
    return (made.candidates if recipe in SEARCHED else made.standard)(bench)[0]


def automatic(bench: Any) -> Any:
    """The usual recipe for so many rows a label, unless some of the rows clearly object.

    Of each recipe what a search tries, and the usual one with its usual settings if it is not among
    those.
    """
    from payoff.adapt.recipes import recipe_named, recipes
    from payoff.adapt.recipes.folds import folds
    from payoff.adapt.recipes.usual import MANY_ROWS, TAUGHT, usual_recipe
    from payoff.evidence.calibration import cross_fitted
    from payoff.plan.score import Score, foremost

    targets = bench.train_targets
    expected = usual_recipe(len(targets), len(bench.labels))
    if bench.unlabelled and expected != MANY_ROWS:
        expected = TAUGHT
    fold = folds(targets, 5, seed=bench.seed)
    if not (fold >= 0).any():
        return usual(expected, bench)
    judged = bench.train[fold == 0]
    cut = replace(bench, train=bench.train[fold != 0], validation=judged)
    both = replace(cut, backbones=(*bench.backbones, "wordllama-256"))
    tried = [c for recipe in recipes() for c in recipe.candidates(both) if not c.only_if_short]
    if all(candidate.recipe != expected for candidate in tried):
        tried.append(usual(expected, cut))
    truth, scores = bench.targets[judged], []
    for candidate in tried:
        attempt = recipe_named(candidate.recipe).start(candidate, cut)
        attempt.advance(1.0)
        found = cross_fitted(attempt.logits(judged), truth, seed=bench.seed)
        right = (found.argmax(1) == truth).astype(float)
        losses = -np.log(np.maximum(found[np.arange(len(truth)), truth], 1e-12))
        scores.append(Score(right, losses))
        print(f"  {candidate.name}: {right.mean():.4f}, loss {losses.mean():.4f}", flush=True)
    place = foremost(scores)
    mine = [n for n, candidate in enumerate(tried) if candidate.recipe == expected]
    mine_first = mine[foremost([scores[n] for n in mine])]
    if expected != MANY_ROWS and not scores[mine_first].clearly_behind(scores[place]):
        place = mine_first
    return tried[place]


def run(options: argparse.Namespace) -> None:
    """All that is not there yet."""
    command = f"python benchmarks/labels_curve.py --judged {options.judged}"
    settings = dict(pair.split("=") for pair in options.set)
    typed = {name: number(value) for name, value in settings.items()}
    for name in options.sets:
        pool, judged = parts(options.data, name, options.judged)
        with tempfile.TemporaryDirectory() as folder:
            base = bench_of(pool, judged, backbone=options.backbone, seed=0, folder=folder)
            for seed in options.seeds:
                for each in options.labels:
                    chosen = np.array(draw(pool[1], each, seed))
                    bench = replace(base, train=chosen, seed=seed)
                    if options.unlabelled:
                        bench = with_texts(bench, len(pool[0]), options.unlabelled)
                    for recipe in options.recipes:
                        if not sensible(recipe, each):
                            continue
                        key = {
                            "set": name,
                            "judged": options.judged,
                            "backbone": options.backbone,
                            "labels": each,
                            "recipe": recipe + options.tag,
                            "seed": seed,
                        }
                        if options.unlabelled:
                            key["unlabelled"] = options.unlabelled
                        if _is_there(key, options.again):
                            continue
                        result = score(recipe, bench, typed)
                        record.append(RESULTS, key, result, command)
                        print(key, result, flush=True)


def number(told: str) -> Any:
    """A setting as a number where it is one."""
    try:
        return float(told)
    except ValueError:
        return told


def with_texts(bench: Any, n_pool: int, n: int) -> Any:
    """The same with texts of the pool without their labels, drawn from those not learnt from."""
    rest = np.setdiff1d(np.arange(n_pool), bench.train)
    drawn = np.random.default_rng([bench.seed, 1]).permutation(rest)[:n]
    return bench.with_more(tuple(bench.texts[row] for row in drawn))


def _is_there(key: dict[str, Any], again: bool) -> bool:
    if again:
        return record.is_done(RESULTS, key)
    return any(
        key.items() <= line.items() and ("unlabelled" in key) == ("unlabelled" in line)
        for line in record.lines(RESULTS)
    )


def means(
    judged: str, name: str, backbone: str, unlabelled: int = 0
) -> dict[str, dict[int, list[float]]]:
    """Accuracies by recipe and labels a class."""
    found: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for line in record.latest(RESULTS):
        if (line["judged"], line["set"], line["backbone"]) != (judged, name, backbone):
            continue
        if line.get("unlabelled", 0) != unlabelled:
            continue
        if "accuracy" in line["result"]:
            found[line["recipe"]][line["labels"]].append(line["result"]["accuracy"])
    return found


def show(options: argparse.Namespace) -> None:
    """A table a data set: recipes by labels a class."""
    for name in options.sets:
        found = means(options.judged, name, options.backbone, options.unlabelled)
        print(f"{name}, {options.backbone}, {options.judged} rows, accuracy in per cent")
        print(f"{'labels a class':24}" + "".join(f"{each or 'all':>14}" for each in SIZES))
        for recipe, by_size in sorted(found.items()):
            cells = []
            for each in SIZES:
                values = [100 * value for value in by_size.get(each, [])]
                spread = f" ±{statistics.stdev(values):.1f}" if len(values) > 1 else ""
                cells.append(f"{statistics.fmean(values):.1f}{spread}" if values else "–")
            print(f"{recipe:24}" + "".join(f"{cell:>14}" for cell in cells))


def others(name: str) -> dict[str, dict[int, list[float]]]:
    """The same of the recipes that benchmarks/adaptation.py measures, on test rows."""
    found: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for line in record.latest(HERE / "results" / "adaptation.jsonl"):
        if line["part"] == "quality" and line["set"] == name and "judged" not in line:
            found[line["recipe"]][line["labels"]].append(line["result"]["accuracy"])
    return found


def plot(options: argparse.Namespace) -> None:
    """Accuracy over labels a class, a line a recipe, in panels; the automatic choice in each."""
    import altair as alt

    name = options.sets[0]
    texts, labels = rows(options.data, name, "train")
    n_all = round(len(texts) / len(set(labels)))
    found = means(options.judged, name, options.backbone)
    more = others(name)
    panels = {"what payoff run tries, and others for few labels": sorted({*found} - {"automatic"})}
    for title, recipes in PANELS.items():
        panels[title] = [recipe for recipe in recipes if recipe in more]
        found |= {recipe: more[recipe] for recipe in panels[title]}
    charts = []
    for title, recipes in panels.items():
        points, chosen = (
            [
                {"recipe": one, "labels": each or n_all, "accuracy": 100 * statistics.fmean(values)}
                for one in some
                for each, values in sorted(found[one].items(), key=lambda by: by[0] or n_all)
                if each >= 0
            ]
            for some in (recipes, ["automatic"])
        )
        x = alt.X(
            "labels:Q",
            title="labels a class",
            scale=alt.Scale(type="log", domain=[1, n_all], nice=False),
            axis=alt.Axis(values=[*(each for each in SIZES if each), n_all], format="d"),
        )
        y = alt.Y("accuracy:Q", title="accuracy, %", scale=alt.Scale(zero=False))
        color = alt.Color("recipe:N", title=None, scale=alt.Scale(scheme="tableau20"))
        each = alt.Chart(alt.Data(values=points)).mark_line(point=True).encode(x, y, color)
        dashes = alt.Chart(alt.Data(values=chosen)).mark_line(
            color="black", strokeDash=[2, 4], strokeWidth=3
        )
        layers = alt.layer(each, dashes.encode(x, y))
        charts.append(layers.properties(width=360, height=260, title=title))
    grid = alt.vconcat(
        *(
            alt.hconcat(*charts[n : n + 2]).resolve_scale(color="independent")
            for n in range(0, len(charts), 2)
        )
    ).resolve_scale(color="independent")
    told = f"{name}, {options.backbone}, {options.judged} rows; dotted: the automatic choice"
    room = {"left": 5, "right": 30, "top": 5, "bottom": 5}  # letters are wider than is reckoned
    grid.properties(title=told, padding=room).save(str(PICTURE))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--sets", nargs="+", default=["banking77"])
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES))
    parser.add_argument("--backbone", default="minilm-l6")
    parser.add_argument("--labels", nargs="+", type=int, default=list(SIZES), help="0 is all")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--judged", choices=("validation", "test"), default="validation")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings")
    parser.add_argument("--tag", default="", help="added to the recipe's name with --set")
    parser.add_argument("--unlabelled", type=int, default=0, help="texts without labels besides")
    parser.add_argument("--again", action="store_true", help="what other commits measured too")
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--plot", action="store_true")
    options = parser.parse_args()
    if options.show:
        show(options)
    elif options.plot:
        plot(options)
    else:
        run(options)


if __name__ == "__main__":
    main()
