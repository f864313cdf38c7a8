"""What every recipe promises, checked for all that are registered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.adapt.tiny_backbones import messages

from payoff.adapt.backbones.find import find
from payoff.adapt.backbones.installation import installed
from payoff.adapt.recipes import recipes
from payoff.adapt.recipes.recipe import Candidate, Recipe
from payoff.adapt.workbench import Workbench
from payoff.artifact.runtime import open_tier

Make = Callable[..., Any]
APART = {"prompted", "api", "masked"}
"""They need a decoder, an endpoint, or a language-model head: their own tests check the same."""

RECIPES = [recipe for recipe in recipes() if recipe.name not in APART]
by_recipe = pytest.mark.parametrize("recipe", RECIPES, ids=[recipe.name for recipe in RECIPES])

KNOWS_NAMES_ONLY = {"zero-shot"}
"""Recipes that no row teaches anything; the labels here have names without a meaning."""

DATA: dict[str, tuple[list[int], dict[str, Any]]] = {
    "two classes": ([30, 30], {}),
    "twelve classes": ([5] * 12, {}),
    "fifty to one": ([100, 2], {}),
    "two texts a class": ([2] * 5, {}),
    "Chinese": ([20] * 4, {"chinese": True}),
}


def learn_from(name: str) -> tuple[list[str], np.ndarray, int]:
    """Texts to learn from, each class among them, then twenty of the same kind to judge by."""
    counts, how = DATA[name]
    texts, targets = messages(counts, **how)
    new = messages([10, 10] + [0] * (len(counts) - 2), seed=7, **how)
    return texts + new[0], np.concatenate([targets, new[1]]), len(texts)


def unlabelled(name: str) -> list[str]:
    """More texts of the same kind, for recipes that learn from those too."""
    counts, how = DATA[name]
    return messages([5] * len(counts), seed=11, **how)[0]


@pytest.fixture
def make(make_bench: Make, bert_folder: Path, table_folder: Path) -> Callable[..., Workbench]:
    def bench(name: str, **options: Any) -> Workbench:
        texts, targets, n_train = learn_from(name)
        made: Workbench = make_bench(
            texts, targets, [bert_folder, table_folder], n_train=n_train, **options
        )
        return replace(made, unlabelled=tuple(unlabelled(name)))

    return bench


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def check(
    recipe: Recipe, bench: Workbench, folder: Path, **settings: Any
) -> tuple[Candidate, np.ndarray]:
    """Everything that the protocol says of one training; returns the candidate and its logits."""
    candidate = recipe.standard(bench)[0]
    changed = tuple((name, settings.get(name, value)) for name, value in candidate.settings)
    candidate = replace(candidate, settings=changed)
    rows = bench.validation
    assert recipe.seconds(candidate, bench) > 0

    attempt = recipe.start(candidate, bench)
    for share in recipe.rungs:
        attempt.advance(share)
        logits = attempt.logits(rows)
        assert logits.shape == (len(rows), len(bench.labels))
        assert logits.dtype == np.float32
        assert np.isfinite(logits).all()

    saved = folder / "saved"
    saved.mkdir()
    attempt.save(saved)
    restored = recipe.start(candidate, bench)
    restored.restore(saved)
    np.testing.assert_array_equal(restored.logits(rows), logits)

    spec = recipe.export(candidate, bench, saved, folder / "tier")
    runtime = open_tier(
        spec,
        lambda name: (folder / "tier" / name).read_bytes(),
        n_labels=len(bench.labels),
        threads=1,
    )
    served = runtime.logits([bench.texts[row] for row in rows])
    np.testing.assert_allclose(served, logits, atol=1e-3)
    assert (served.argmax(1) == logits.argmax(1)).all()
    return candidate, logits


def check_repeated(
    recipe: Recipe, candidate: Candidate, again: Workbench, logits: np.ndarray, folder: Path
) -> None:
    """The same seed gives the same logits and the same bytes."""
    second = recipe.start(candidate, again)
    second.advance(1.0)
    np.testing.assert_array_equal(second.logits(again.validation), logits)
    (folder / "saved again").mkdir()
    second.save(folder / "saved again")
    recipe.export(candidate, again, folder / "saved again", folder / "tier again")
    assert files(folder / "tier again") == files(folder / "tier")


@by_recipe
@pytest.mark.parametrize("name", DATA)
def test_a_recipe_keeps_its_promises(
    recipe: Recipe, name: str, make: Callable[..., Workbench], tmp_path: Path
) -> None:
    bench = make(name)
    candidate, logits = check(recipe, bench, tmp_path)
    check_repeated(recipe, candidate, make(name, folder="elsewhere"), logits, tmp_path)
    right = (logits.argmax(1) == bench.targets[bench.validation]).mean()
    if name == "two classes" and recipe.name not in KNOWS_NAMES_ONLY:
        assert right > 0.7, "it learns what can be learnt"


@by_recipe
def test_candidates_are_told_apart(recipe: Recipe, make: Callable[..., Workbench]) -> None:
    bench = make("two classes")
    candidates = recipe.candidates(bench)
    assert recipe.standard(bench)
    assert {c.backbone for c in recipe.standard(bench)} <= {"", *bench.backbones}
    for usual in recipe.standard(bench):
        assert usual.recipe == recipe.name
        assert dict(usual.settings).keys() >= {n for c in candidates for n, _ in c.settings}
    assert all(candidate.recipe == recipe.name for candidate in candidates)
    for keys in ({c.key for c in candidates}, {c.name for c in candidates}):
        assert len(keys) == len(candidates)
    assert recipe.candidates(bench) == candidates
    assert recipe.rungs[-1] == 1.0
    assert list(recipe.rungs) == sorted(set(recipe.rungs))


@by_recipe
def test_training_on_all_rows_sees_them_all(recipe: Recipe, make: Callable[..., Workbench]) -> None:
    bench = make("two texts a class")
    candidate = recipe.standard(bench)[0]
    logits = []
    for where in (bench, bench.on_all_rows()):
        attempt = recipe.start(candidate, where)
        attempt.advance(1.0)
        logits.append(attempt.logits(bench.validation))
    assert np.array_equal(*logits) is (recipe.name in KNOWS_NAMES_ONLY)


@by_recipe
def test_real_backbones_keep_the_promises_too(
    recipe: Recipe, make_bench: Make, tmp_path: Path
) -> None:
    names = ["minilm-l6", "wordllama-256"]
    for name in names:
        if not installed(find(name)):
            pytest.skip(f"{name} is not installed: payoff backbones install {name}")
    texts, targets = messages([15] * 4, seed=3)  # few, since this trains a real encoder
    bench = make_bench(texts, targets, names, n_train=40)
    bench = replace(bench, unlabelled=tuple(messages([5] * 4, seed=11)[0]))
    _, logits = check(recipe, bench, tmp_path, epochs=4.0, steps=10)
    assert recipe.name in KNOWS_NAMES_ONLY or (logits.argmax(1) == targets[40:]).mean() > 0.5
