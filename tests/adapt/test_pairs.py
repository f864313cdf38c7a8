"""Pairs of texts: one separator in training and serving, and it is the tokenizer's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.adapt import task_samples
from tests.adapt.recipes.test_contract import check

from payoff.adapt.backbones.find import find
from payoff.adapt.backbones.installation import ensure, installed
from payoff.adapt.backbones.separator import separator_of
from payoff.adapt.backbones.tokenizer import load_tokenizer
from payoff.adapt.engine.tokens import tokenise
from payoff.adapt.recipes import recipe_named
from payoff.adapt.workbench import Workbench
from payoff.core.pair import joined
from payoff.core.progress import Silent

Make = Callable[..., Workbench]
REAL = {"minilm-l6": "[SEP]", "mpnet-base": "</s></s>", "e5-small-multi": "</s></s>"}


def texts_of(n: int, **options: Any) -> tuple[list[str], np.ndarray]:
    first, second, cells = task_samples.pairs(n, **options)
    targets = np.array([cell == "open" for cell in cells], dtype=np.int64)
    return [joined(a, b) for a, b in zip(first, second, strict=True)], targets


@pytest.mark.parametrize("recipe", ["bag-of-words", "static-head", "frozen-head", "fine-tune"])
def test_what_is_trained_is_what_is_served(
    recipe: str, make_bench: Make, bert_folder: Path, table_folder: Path, tmp_path: Path
) -> None:
    texts, targets = texts_of(60)
    texts[-3:] = ["where is it " * 60 + texts[0], texts[1] + " now" * 90, "alone"]
    bench = make_bench(texts, targets, [bert_folder, table_folder], n_train=40)
    check(recipe_named(recipe), bench, tmp_path, epochs=2.0)


def test_the_separator_stands_in_the_tier(
    make_bench: Make, bert_folder: Path, tmp_path: Path
) -> None:
    texts, targets = texts_of(30)
    recipe = recipe_named("frozen-head")
    for name, rows, expected in (
        ("pairs", texts, "[SEP]"),
        ("single", [text.partition("\x1f")[0] for text in texts], None),
    ):
        bench = make_bench(rows, targets, [bert_folder], folder=name)
        candidate = recipe.standard(bench)[0]
        attempt = recipe.start(candidate, bench)
        attempt.advance(1.0)
        (tmp_path / f"saved {name}").mkdir()
        attempt.save(tmp_path / f"saved {name}")
        spec = recipe.export(candidate, bench, tmp_path / f"saved {name}", tmp_path / name / "t")
        assert spec.settings.get("separator") == expected


@pytest.mark.parametrize("recipe", ["bag-of-words", "static-head", "frozen-head"])
def test_the_second_text_is_read(
    recipe: str, make_bench: Make, bert_folder: Path, table_folder: Path
) -> None:
    texts, targets = texts_of(180)
    firsts = [text.split("\x1f")[0] for text in texts]
    right = []
    for name, rows in (("pairs", texts), ("firsts", firsts)):
        bench = make_bench(rows, targets, [bert_folder, table_folder], folder=name)
        attempt = recipe_named(recipe).start(recipe_named(recipe).standard(bench)[0], bench)
        attempt.advance(1.0)
        said = attempt.logits(bench.validation).argmax(1)
        right.append(float((said == targets[bench.validation]).mean()))
    assert right[0] > 0.9
    assert right[1] < 0.7


def test_a_tokenizer_without_pairs_ends_the_first_text_as_a_single_one(
    bert_folder: Path, table_folder: Path
) -> None:
    assert separator_of(load_tokenizer(bert_folder)) == "[SEP]"
    assert separator_of(load_tokenizer(table_folder)) == "\n"


@pytest.mark.parametrize("name", REAL)
def test_real_tokenizers_see_a_pair_as_one_of_their_own(name: str) -> None:
    if not installed(find(name)):
        pytest.skip(f"{name} is not installed: payoff backbones install {name}")
    tokenizer = load_tokenizer(ensure(name, Silent()))
    assert separator_of(tokenizer) == REAL[name]
    for first, second in (("Is it open?", "Open until six."), ("几点开门？", "六点。"), ("", "a")):
        own = tokenizer.encode(first, second).ids
        ours = tokenise([joined(first, second)], tokenizer, max_tokens=128, separator=REAL[name])
        assert ours.of(0).tolist() == own
