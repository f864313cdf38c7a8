"""Recipes that learn from texts without labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.adapt.recipes import test_contract as contract
from tests.adapt.tiny_backbones import messages

from payoff.adapt.engine.encode import encode
from payoff.adapt.recipes import domain_tuned
from payoff.adapt.recipes.distil import Distil
from payoff.adapt.recipes.distil_encoder import DistilEncoder
from payoff.adapt.recipes.domain_tuned import SHARES
from payoff.adapt.recipes.folds import folds
from payoff.adapt.recipes.frozen_head import FrozenHead
from payoff.adapt.recipes.linear import fit_logistic
from payoff.adapt.recipes.named_head import NamedHead
from payoff.adapt.recipes.recipe import Candidate, Recipe
from payoff.adapt.recipes.self_training import SelfTraining, _School, confident
from payoff.adapt.recipes.simcse import SimCse
from payoff.adapt.recipes.tsdae import Tsdae
from payoff.adapt.workbench import Workbench
from payoff.artifact.calibration import Calibration
from payoff.core.errors import AdaptError

Make = Callable[..., Any]
RECIPES: list[Recipe] = [SimCse(), Tsdae(), SelfTraining(), Distil(), DistilEncoder()]
DOMAIN = RECIPES[:2]
ONE_EACH: list[Recipe] = [*RECIPES[:3], DistilEncoder()]
by_recipe = pytest.mark.parametrize("recipe", RECIPES, ids=[recipe.name for recipe in RECIPES])


@pytest.fixture
def make(make_bench: Make, bert_folder: Path, table_folder: Path) -> Callable[..., Workbench]:
    """As the contract's, with forty texts more whose labels are hidden."""

    def bench(name: str, **options: Any) -> Workbench:
        texts, targets, n_train = contract.learn_from(name)
        backbones = [bert_folder, table_folder]
        made: Workbench = make_bench(texts, targets, backbones, n_train=n_train, **options)
        counts, how = contract.DATA[name]
        more = messages([40 // len(counts)] * len(counts), seed=11, **how)[0]
        return replace(made, unlabelled=tuple(more))

    return bench


@by_recipe
def test_a_search_does_not_try_them_of_itself(recipe: Recipe, make: Make) -> None:
    bench = make("two classes")
    assert recipe.candidates(bench) == []
    assert len({candidate.key for candidate in recipe.standard(bench)}) == 1


@by_recipe
def test_unlabelled_texts_make_a_difference(recipe: Recipe, make: Make) -> None:
    bench = make("two classes")
    candidate = recipe.standard(bench)[0]
    if recipe in DOMAIN:  # by itself it keeps of that only what folds of labels favour
        candidate = candidate.having("tuned", 1.0)
    logits = []
    for texts in (bench.unlabelled, bench.unlabelled[:7]):
        attempt = recipe.start(candidate, replace(bench, unlabelled=texts, _opened={}))
        attempt.advance(1.0)
        logits.append(attempt.logits(bench.validation))
    assert not np.array_equal(*logits)


@pytest.mark.parametrize(
    "recipe", [*DOMAIN, Distil(), DistilEncoder()], ids=lambda recipe: recipe.name
)
def test_some_recipes_need_no_unlabelled_texts(recipe: Recipe, make: Make, tmp_path: Path) -> None:
    contract.check(recipe, replace(make("twelve classes"), unlabelled=()), tmp_path)


@pytest.mark.parametrize("recipe", DOMAIN, ids=lambda recipe: recipe.name)
def test_domain_tuning_goes_on_from_where_it_was_saved(
    recipe: SimCse | Tsdae, make: Make, tmp_path: Path
) -> None:
    bench = make("twelve classes")
    candidate = recipe.standard(bench)[0].having("tuned", 1.0)
    whole, first, second = (recipe.start(candidate, bench) for _ in range(3))
    whole.advance(1.0)
    first.advance(0.4)
    early = first.logits(bench.validation)
    assert 0 < first.training.step < first.training.n_steps
    first.save(tmp_path)
    second.restore(tmp_path)
    np.testing.assert_array_equal(second.logits(bench.validation), early)
    second.advance(1.0)
    last = second.logits(bench.validation)
    np.testing.assert_array_equal(last, whole.logits(bench.validation))
    assert not np.array_equal(last, early)


def test_more_texts_take_more_time(make: Make) -> None:
    bench = make("two classes")
    for recipe in RECIPES:
        candidate = recipe.standard(bench)[0]
        opened = bench.opened(bench.backbones[0])
        opened.trunk.forward_seconds = 100.0
        many = replace(bench, unlabelled=bench.unlabelled * 20, _opened={})
        many.opened(bench.backbones[0]).trunk.forward_seconds = 100.0
        assert recipe.seconds(candidate, many) > 1.5 * recipe.seconds(candidate, bench)


def test_unlabelled_texts_are_encoded_as_labelled_ones_are(make: Make) -> None:
    bench = make("twelve classes")
    encoder, table = (bench.opened(name) for name in bench.backbones)
    np.testing.assert_allclose(
        encoder.unlabelled_trunk.pooled(), encode(encoder, bench.unlabelled), atol=1e-5
    )
    swapped = replace(
        bench,
        texts=bench.unlabelled,
        targets=np.zeros(len(bench.unlabelled), np.int64),
        _opened={},
    )
    there = swapped.opened(bench.backbones[1])
    np.testing.assert_array_equal(table.unlabelled_static, there.static)


class TestHowFarTheLayersGo:
    """What was learnt from texts is kept as far as folds of labels favour it."""

    def test_the_share_with_the_lowest_loss_is_served(
        self, make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        recipe, bench = Tsdae(), make("twelve classes")
        candidate = recipe.standard(bench)[0]
        for best in SHARES:
            losses = iter([1.0 if share == best else 2.0 for share in SHARES])
            monkeypatch.setattr(domain_tuned, "held_out_loss", lambda *a, **k: next(losses))  # noqa: B023
            chosen, told = (
                recipe.start(one, bench) for one in (candidate, candidate.having("tuned", best))
            )
            chosen.advance(1.0)
            told.advance(1.0)
            rows = bench.validation
            np.testing.assert_array_equal(chosen.logits(rows), told.logits(rows))
            assert chosen.share == best
            folder = tmp_path / str(best)
            folder.mkdir()
            chosen.save(folder)
            monkeypatch.undo()
            again = recipe.start(candidate, bench)
            again.restore(folder)
            assert again.share == best

    def test_training_that_ruins_the_layers_is_not_kept(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        recipe, bench = SimCse(), make("twelve classes")
        attempt = recipe.start(recipe.standard(bench)[0], bench)
        attempt.advance(1.0)
        noise = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for weight in attempt.training.classifier.layers.parameters():
                weight.add_(torch.randn(weight.shape, generator=noise))
        attempt.logits(bench.validation)
        assert attempt.share <= 0.1

    def test_nothing_is_kept_where_nothing_can_be_judged(self, make: Make) -> None:
        bench = make("two classes")
        rows = np.array([int(np.flatnonzero(bench.targets == label)[0]) for label in (0, 1)])
        few = replace(bench, train=rows)
        attempt = Tsdae().start(Tsdae().standard(few)[0], few)
        attempt.advance(1.0)
        frozen = NamedHead().start(NamedHead().standard(few)[0], few)
        frozen.advance(1.0)
        np.testing.assert_allclose(
            attempt.logits(few.validation), frozen.logits(few.validation), atol=1e-5
        )

    @pytest.mark.parametrize("told", [-0.1, 1.5, "some"])
    def test_other_shares_are_refused(self, told: object, make: Make) -> None:
        bench = make("two classes")
        candidate = Tsdae().standard(bench)[0].having("tuned", told)
        with pytest.raises(AdaptError, match=r"PF406 setting 'tuned'"):
            Tsdae().start(candidate, bench)


class TestRefusals:
    def test_self_training_needs_unlabelled_texts(self, make: Make) -> None:
        bench = make("two classes")
        candidate = SelfTraining().standard(bench)[0]
        without = replace(bench, unlabelled=())
        assert SelfTraining().standard(without) == []
        with pytest.raises(AdaptError, match="PF405 recipe 'self-training': there are no texts"):
            SelfTraining().start(candidate, without)

    def test_self_training_needs_a_label_with_two_rows(self, make: Make) -> None:
        bench = make("two classes")
        rows = np.array([int(np.flatnonzero(bench.targets == label)[0]) for label in (0, 1)])
        few = replace(bench, train=rows)
        attempt = SelfTraining().start(SelfTraining().standard(few)[0], few)
        with pytest.raises(AdaptError, match=r"PF405 .* no label has two training rows"):
            attempt.advance(1.0)

    @pytest.mark.parametrize("recipe", ONE_EACH, ids=lambda recipe: recipe.name)
    def test_an_encoder_is_needed(self, recipe: Recipe, make: Make) -> None:
        bench = make("two classes")
        table = bench.backbones[1]
        usual = recipe.standard(bench)[0]
        assert recipe.standard(replace(bench, backbones=(table,))) == []
        with pytest.raises(AdaptError, match=r"PF405 .* is of the family 'static'"):
            recipe.start(replace(usual, backbone=table), bench)

    def test_distillation_needs_a_static_student_and_somebody_who_can_teach(
        self, make: Make
    ) -> None:
        bench = make("two classes")
        encoder, table = bench.backbones
        assert Distil().standard(replace(bench, backbones=(encoder,))) == []
        (alone,) = Distil().standard(replace(bench, backbones=(table,)))
        assert (alone.backbone, alone["teacher"]) == (table, "bag-of-words")
        attempt = Distil().start(alone, bench)
        attempt.advance(1.0)
        said = attempt.logits(bench.validation).argmax(1)
        assert (said == bench.targets[bench.validation]).mean() > 0.7
        for student, teacher in ((encoder, encoder), (table, table)):
            settings = (("teacher", teacher), ("C", 30.0), ("truth", 0.5))
            with pytest.raises(AdaptError, match="PF405 recipe 'distil'"):
                Distil().start(Candidate("distil", student, settings), bench)


@given(
    logits=arrays(np.float64, (12, 3), elements=st.floats(-6, 6)),
    error=st.floats(0.0, 0.5),
)
def test_as_many_are_taken_as_keep_the_expected_error(logits: np.ndarray, error: float) -> None:
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    rows = confident(p, error=error)
    sure = p[rows].max(axis=1)
    assert len(set(rows.tolist())) == len(rows)
    if len(rows):
        assert (1 - sure).mean() <= error + 1e-9
    rest = np.setdiff1d(np.arange(12), rows)
    if len(rest):
        next_best = p[rest].max()
        assert next_best <= (sure.min() if len(rows) else 1.0)
        assert np.append(1 - sure, 1 - next_best).mean() > error - 1e-9


def clusters(counts: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Six clusters on a sphere, near enough to each other to be mistaken."""
    centres = np.random.default_rng(5).normal(size=(6, 24))
    targets = np.repeat(np.arange(6), counts)
    vectors = centres[targets] + 1.1 * rng.normal(size=(len(targets), 24))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), targets


def test_self_training_is_better_than_its_teacher_and_knows_how_sure_it_is() -> None:
    gains, wrong = [], []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        few, targets = clusters(4, rng)
        many, hidden = clusters(100, rng)
        new, truth = clusters(100, rng)
        school = _School(few, targets, many, 6, 10.0)
        fold = folds(targets, 3, seed=seed)
        accuracy = [
            (school.head(fold, error=0.1, rounds=rounds)(new).argmax(1) == truth).mean()
            for rounds in (0, 2)
        ]
        gains.append(accuracy[1] - accuracy[0])
        apart = [fold == number for number in range(3)]
        heads = [school._teacher(~out) for out in apart]
        heads.append(fit_logistic(few, targets, n_labels=6, strength=10.0))
        guessed = school._judged(heads, apart)[0].apply(heads[-1](many))
        rows = confident(guessed, error=0.05)
        assert len(rows) > 60
        wrong.append((guessed[rows].argmax(1) != hidden[rows]).mean())
    assert np.mean(gains) > 0.02
    assert np.mean(wrong) < 0.08


def test_a_student_follows_its_teacher_where_it_has_seen_no_label(make: Make) -> None:
    bench = make("two texts a class")
    more = messages([60] * 5, seed=21)[0]
    bench = replace(bench, unlabelled=tuple(more))
    teacher = FrozenHead().standard(bench)[0]
    encoder = FrozenHead().start(teacher, bench)
    encoder.advance(1.0)
    answers = Calibration().apply(encoder.logits(bench.validation))
    surprise = []
    for texts in (bench.unlabelled, ()):
        there = replace(bench, unlabelled=texts, _opened={})
        candidate = Distil().standard(there)[0]
        settings = dict(candidate.settings) | {"truth": 0.0}
        student = Distil().start(replace(candidate, settings=tuple(settings.items())), there)
        student.advance(1.0)
        own = Calibration().apply(student.logits(bench.validation))
        surprise.append((answers * np.log(answers / own)).sum(axis=1).mean())
    assert surprise[0] < surprise[1]


def test_texts_of_a_few_classes_do_no_harm() -> None:
    worse = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        few, targets = clusters(4, rng)
        many, hidden = clusters(100, rng)
        new, truth = clusters(100, rng)
        school = _School(few, targets, many[hidden == 0], 6, 10.0)
        fold = folds(targets, 3, seed=seed)
        before, after = (
            (school.head(fold, error=0.1, rounds=rounds)(new).argmax(1) == truth).mean()
            for rounds in (0, 2)
        )
        worse.append(before - after)
    assert np.mean(worse) < 0.01
