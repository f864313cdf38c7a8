"""Texts of several windows, for all recipes: what is trained is what is served."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.adapt.recipes.test_contract import by_recipe, check
from tests.adapt.tiny_backbones import messages

from payoff.adapt.backbones.find import find
from payoff.adapt.backbones.installation import installed
from payoff.adapt.engine.tokens import tokenise
from payoff.adapt.recipes import recipes
from payoff.adapt.recipes.recipe import Recipe
from payoff.artifact.runtime import open_tier
from payoff.artifact.runtime.long_texts import MAX_PIECES

Make = Callable[..., Any]


def long_messages(counts: list[int], *, seed: int = 0, **how: Any) -> tuple[list[str], np.ndarray]:
    """As `messages`; a third are short, the others several windows of 64 tokens of the tiny ones.

    What tells the class stands at the end: before it are messages of no class of these.
    """
    texts, targets = messages(counts, seed=seed, **how)
    rng = np.random.default_rng(seed)
    other = messages([0] * len(counts) + [200], seed=seed + 1, **how)[0]
    join = "" if how.get("chinese") else " "
    return [
        join.join([*rng.choice(other, int(rng.integers(10, 25))), text]) if i % 3 else text
        for i, text in enumerate(texts)
    ], targets


@by_recipe
@pytest.mark.parametrize("chinese", [False, True])
def test_long_texts_keep_the_promises(
    recipe: Recipe,
    chinese: bool,
    make_bench: Make,
    mpnet_folder: Path,
    bert_folder: Path,
    table_folder: Path,
    tmp_path: Path,
) -> None:
    texts, targets = long_messages([20, 20], chinese=chinese)
    folders = [mpnet_folder if chinese else bert_folder, table_folder]
    bench = make_bench(texts, targets, folders, n_train=30)
    bench = replace(bench, unlabelled=tuple(long_messages([8, 8], seed=5, chinese=chinese)[0]))
    opened = bench.opened(str(folders[0]))
    assert opened.max_tokens == 64
    assert opened.tokens.n_cut == 0
    assert np.bincount(opened.tokens.pieces_of(np.arange(40))[1]).argmax() > 1
    check(recipe, bench, tmp_path, epochs=2.0, steps=5)


def test_logits_of_a_text_do_not_depend_on_what_it_is_asked_with(
    make_bench: Make, mpnet_folder: Path, tmp_path: Path
) -> None:
    texts, targets = long_messages([20, 20])
    bench = make_bench(texts, targets, [mpnet_folder])
    recipe = next(recipe for recipe in recipes() if recipe.name == "fine-tune")
    candidate = recipe.standard(bench)[0]
    attempt = recipe.start(candidate, bench)
    attempt.advance(1.0)
    together = attempt.logits(np.arange(40))
    alone = np.concatenate([attempt.logits(np.array([row])) for row in range(40)])
    np.testing.assert_allclose(together, alone, atol=1e-4)
    attempt.save(tmp_path)
    spec = recipe.export(candidate, bench, tmp_path, tmp_path / "tier")
    logits = open_tier(spec, lambda name: (tmp_path / "tier" / name).read_bytes(), threads=1).logits
    assert (spec.settings["max_tokens"], spec.settings["max_pieces"]) == (64, 8)
    np.testing.assert_allclose(logits(texts), together, atol=1e-3)
    np.testing.assert_allclose(logits(texts[:7]), together[:7], atol=1e-3)


def test_what_only_the_end_of_a_long_text_says_is_learnt(
    make_bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not installed(find("minilm-l6")):
        pytest.skip("minilm-l6 is not installed: payoff backbones install minilm-l6")
    rng = np.random.default_rng(0)
    said = (
        ["I want my money back.", "Please refund what I paid.", "Send me a refund."],
        ["I cannot log in.", "My password is not accepted.", "The sign-in page shuts me out."],
    )
    small_talk = [
        "The weather has been fine here all week.",
        "We went to the sea with the children on Sunday.",
        "My sister sends you her regards.",
        "The new garden looks lovely in the evening light.",
        "Last night we watched a film about a lighthouse.",
        "The bakery on the corner has opened again.",
    ]
    targets = np.arange(30) % 2
    texts = [
        " ".join([*rng.choice(small_talk, 34), str(rng.choice(said[target]))]) for target in targets
    ]
    recipe = next(recipe for recipe in recipes() if recipe.name == "frozen-head")
    right = {}
    for max_pieces in (MAX_PIECES, 1):
        monkeypatch.setattr("payoff.adapt.workbench.MAX_PIECES", max_pieces)
        bench = make_bench(
            texts, targets, ["minilm-l6"], n_train=18, folder=f"activations-{max_pieces}"
        )
        opened = bench.opened("minilm-l6")
        uncut = tokenise(texts, opened.tokenizer, max_tokens=10_000).lengths
        assert uncut.min() > 300 > opened.max_tokens == 256
        attempt = recipe.start(recipe.standard(bench)[0], bench)
        attempt.advance(1.0)
        answers = attempt.logits(bench.validation).argmax(1)
        right[max_pieces] = (answers == targets[bench.validation]).mean()
    assert right[MAX_PIECES] >= max(0.85, right[1] + 0.2), right
