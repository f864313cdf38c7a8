"""Stacking: the mix of several recipes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import optimize
from tests.adapt.recipes import test_contract as contract
from tests.adapt.tiny_backbones import messages

from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.stacked import Stacked, fit_blend
from payoff.adapt.workbench import Workbench
from payoff.artifact.artifact import Artifact
from payoff.artifact.calibration import Calibration
from payoff.artifact.runtime import open_tier
from payoff.artifact.runtime.stacked import Blend, log_probabilities
from payoff.artifact.write import write_artifact
from payoff.core.errors import AdaptError, ArtifactError

Make = Callable[..., Any]


@pytest.fixture
def make(make_bench: Make, bert_folder: Path, table_folder: Path) -> Callable[..., Workbench]:
    def bench(name: str, **options: Any) -> Workbench:
        texts, targets, n_train = contract.learn_from(name)
        backbones = [bert_folder, table_folder]
        made: Workbench = make_bench(texts, targets, backbones, n_train=n_train, **options)
        return made

    return bench


@pytest.mark.parametrize("name", contract.DATA)
def test_the_contract(name: str, make: Make, tmp_path: Path) -> None:
    contract.test_a_recipe_keeps_its_promises(Stacked(), name, make, tmp_path)


def test_the_contract_on_all_rows(make: Make) -> None:
    contract.test_training_on_all_rows_sees_them_all(Stacked(), make)
    contract.test_candidates_are_told_apart(Stacked(), make)


def test_a_member_that_trains_an_encoder(make: Make, tmp_path: Path) -> None:
    bench = make("two classes")
    contract.check(Stacked(), bench, tmp_path, members="lora+bag-of-words", folds=2)
    stack = json.loads((tmp_path / "tier" / "stack.json").read_text("utf-8"))
    assert [member["kind"] for member in stack["members"]] == ["tokens", "ngrams"]


def test_settings_of_a_member_can_be_named(make: Make) -> None:
    bench = make("two classes")
    (candidate,) = Stacked().standard(bench)
    told = candidate.having("members", "lora[rank=2,epochs=1.0]+bag-of-words")
    plain = candidate.having("members", "lora+bag-of-words")
    (_, lora), (_, words) = Stacked().members(told, bench)
    (_, usual), (_, as_usual) = Stacked().members(plain, bench)
    assert words == as_usual
    assert lora == usual.having("rank", 2).having("epochs", 1.0) != usual


def test_only_what_the_backbones_allow_is_stacked(make: Make) -> None:
    bench = make("two classes")
    encoder, table = bench.backbones
    for backbones, expected in (
        ((encoder, table), "bag-of-words+static-head+frozen-head"),
        ((encoder,), "bag-of-words+frozen-head"),
        ((table,), "bag-of-words+static-head"),
    ):
        (usual,) = Stacked().standard(replace(bench, backbones=backbones, _opened={}))
        assert usual["members"] == expected
    assert Stacked().standard(replace(bench, backbones=(), _opened={})) == []


@pytest.mark.parametrize(("each", "searched"), [(20, False), (21, True)])
def test_a_search_tries_it_where_rows_are_many(
    each: int, searched: bool, make_bench: Make, bert_folder: Path, table_folder: Path
) -> None:
    texts, targets = messages([each + 5, each + 5])
    bench = make_bench(texts, targets, [bert_folder, table_folder], n_train=2 * each)
    found = Stacked().candidates(bench)
    assert [(c["members"], c["folds"], c.last, c.backbone) for c in found] == [
        ("fine-tune[depth=1]+bag-of-words", 2, True, bench.backbones[0])
    ] * searched


def test_two_folds_take_twice_as_long_as_their_members(make: Make) -> None:
    """Each half of the rows once, and all of them once."""
    bench = make("two classes")
    bench.opened(bench.backbones[0]).trunk.prepare(())
    (usual,) = Stacked().standard(bench)
    candidate = usual.having("folds", 2)
    members = Stacked().members(candidate, bench)
    alone = sum(recipe.seconds(member, bench) for recipe, member in members)
    assert Stacked().seconds(candidate, bench) - 0.2 == pytest.approx(2 * alone)


def test_encoding_is_counted_once(make: Make) -> None:
    bench = make("two classes")
    (candidate,) = Stacked().standard(bench)
    trunk = bench.opened(bench.backbones[0]).trunk
    trunk.forward_seconds = 100.0
    unencoded = Stacked().seconds(candidate, bench)
    trunk.prepare(())
    assert unencoded - Stacked().seconds(candidate, bench) == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"members": "bag-of-words"}, "PF406"),
        ({"members": "bag-of-words+bag-of-words"}, "PF406"),
        ({"members": "bag-of-words+stacked"}, "PF406"),
        ({"members": "bag-of-words+lora[rank=4"}, "PF406"),
        ({"members": "bag-of-words+lora[ranks=4]"}, "PF406"),
        ({"members": "bag-of-words+lora[rank=four]"}, "PF406"),
        ({"members": "bag-of-words+frozen-heat"}, "PF401"),
        ({"members": "bag-of-words+self-training"}, "PF405"),
        ({"folds": 1}, "PF406"),
    ],
)
def test_what_cannot_be_stacked_is_told(settings: dict[str, Any], code: str, make: Make) -> None:
    bench = make("two classes")
    (usual,) = Stacked().standard(bench)
    changed = tuple((dict(usual.settings) | settings).items())
    with pytest.raises(AdaptError) as told:
        Stacked().start(Candidate("stacked", usual.backbone, changed), bench)
    assert told.value.code == code


def test_each_row_is_answered_by_members_that_did_not_see_it(
    make_bench: Make, table_folder: Path
) -> None:
    """Texts say nothing of their classes: rows that were learnt by heart would show."""
    texts, targets = messages([60, 60], noise=0.0)
    targets = np.random.default_rng(0).permutation(targets)
    bench = make_bench(texts, targets, [table_folder], n_train=90)
    attempt = Stacked().start(Stacked().standard(bench)[0], bench)
    recipe, member = attempt.members[0]
    apart = attempt._apart(recipe, member, np.arange(90) % 5)
    assert 0.3 < (apart.argmax(1) == bench.train_targets).mean() < 0.7
    seen = recipe.start(member, bench)
    seen.advance(1.0)
    assert (seen.logits(bench.train).argmax(1) == bench.train_targets).mean() > 0.9


def answers(n: int, n_labels: int, skill: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, n_labels, n)
    noise = np.random.default_rng(seed).normal(size=(n, n_labels))
    return noise + skill * np.eye(n_labels)[truth], truth


def loss(logits: np.ndarray, truth: np.ndarray) -> float:
    return float(-log_probabilities(logits, 1.0)[np.arange(len(truth)), truth].mean())


def test_the_mix_is_better_than_its_members_on_new_rows() -> None:
    made = [answers(1000, 4, skill, seed) for skill, seed in ((2.0, 1), (1.6, 2), (0.0, 3))]
    truth = made[0][1]
    blend = fit_blend([one[:500] for one, _ in made], truth[:500], n_labels=4)
    new = [one[500:] for one, _ in made]
    mixed = loss(blend(new), truth[500:])
    alone = [loss(one / t, truth[500:]) for one, t in zip(new, blend.temperatures, strict=True)]
    assert mixed < min(alone) - 0.05
    assert min(blend.weights[:2]) > 0.5
    assert blend.weights[2] < 1 / 3


def test_with_few_rows_all_have_nearly_an_equal_say() -> None:
    made = [answers(6, 2, skill, seed) for skill, seed in ((3.0, 1), (0.5, 2))]
    blend = fit_blend([one for one, _ in made], made[0][1], n_labels=2)
    assert all(abs(weight - 0.5) < 0.45 for weight in blend.weights)
    assert max(map(abs, blend.bias)) < 0.1
    none = np.zeros((0, 2))
    assert fit_blend([none, none], np.zeros(0, np.int64), n_labels=2) == Blend(
        (1.0, 1.0), (0.5, 0.5), (0.0, 0.0)
    )


def test_the_mix_minimises_what_its_docstring_says() -> None:
    made = [answers(80, 3, skill, seed) for skill, seed in ((1.0, 1), (1.5, 2))]
    logits, truth = [one for one, _ in made], made[0][1]
    blend = fit_blend(logits, truth, n_labels=3)

    def objective(values: np.ndarray) -> float:
        moved = Blend(blend.temperatures, tuple(values[:2]), tuple(values[2:]))
        parts = [log_probabilities(*p) for p in zip(logits, blend.temperatures, strict=True)]
        mixed = sum(w * part for w, part in zip(moved.weights, parts, strict=True))
        scores = mixed + np.array(moved.bias)
        scores -= np.log(np.exp(scores).sum(axis=1, keepdims=True))
        prior = sum((w - 0.5) ** 2 for w in moved.weights) / 0.5**2
        prior += sum(b**2 for b in moved.bias) / 0.25**2
        return float(prior / 2 - scores[np.arange(80), truth].sum())

    at = np.array([*blend.weights, *blend.bias])
    best = optimize.minimize(objective, at, method="Nelder-Mead", options={"xatol": 1e-6})
    assert objective(at) - best.fun < 1e-4


@pytest.fixture
def tier(make: Make, tmp_path: Path) -> tuple[Any, Path, Workbench]:
    bench = make("two classes")
    (candidate,) = Stacked().standard(bench)
    attempt = Stacked().start(candidate, bench)
    attempt.advance(1.0)
    (tmp_path / "saved").mkdir()
    attempt.save(tmp_path / "saved")
    return (
        Stacked().export(candidate, bench, tmp_path / "saved", tmp_path / "tier"),
        tmp_path / "tier",
        bench,
    )


def test_an_artifact_serves_a_stack(tier: tuple[Any, Path, Workbench], tmp_path: Path) -> None:
    spec, folder, bench = tier
    texts = list(bench.texts[:20])
    expected = open_tier(spec, lambda name: (folder / name).read_bytes()).logits(texts)
    path = write_artifact(
        tmp_path / "stack.payoff",
        name="stack",
        labels=bench.labels,
        tiers=[(spec, folder)],
        calibrations=[Calibration()],
        documents={},
        seed=0,
        data_fingerprint="",
    )
    with Artifact.open(path, threads=1) as artifact:
        np.testing.assert_allclose(artifact.logits(texts), expected, atol=1e-5)
        assert artifact.logits([]).shape == (0, 2)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda stack: "[", "it is no JSON"),
        (lambda stack: "[]", "no JSON object"),
        (lambda stack: json.dumps(stack | {"weights": [1.0]}), "one above 0 a member"),
        (lambda stack: json.dumps(stack | {"temperatures": [0.0, 1.0, 1.0]}), "one above 0"),
        (lambda stack: json.dumps(stack | {"bias": [True, 0.0]}), "bias"),
        (lambda stack: json.dumps(stack | {"bias": [0.0]}), "1 labels"),
        (lambda stack: json.dumps(stack | {"members": []}), "at least one"),
        (lambda stack: json.dumps(stack | {"members": stack["members"][:2]}), "2 members"),
        (
            lambda stack: json.dumps(
                stack | {"members": [stack["members"][0] | {"kind": "stacked"}]}
            ),
            "a kind among",
        ),
        (
            lambda stack: json.dumps(stack | {"members": stack["members"][::-1]}),
            "lacks",
        ),
    ],
)
def test_a_stack_that_cannot_be_meant_is_told(
    change: Callable[[Any], str], told: str, tier: tuple[Any, Path, Workbench]
) -> None:
    spec, folder, _ = tier
    path = folder / "stack.json"
    path.write_text(change(json.loads(path.read_text("utf-8"))), "utf-8")
    with pytest.raises(ArtifactError, match="PF504") as error:
        open_tier(spec, lambda name: (folder / name).read_bytes(), n_labels=2)
    assert told in str(error.value)
