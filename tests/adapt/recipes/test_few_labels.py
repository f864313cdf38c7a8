"""Recipes for no labels and few labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.adapt.recipes.test_contract import learn_from
from tests.adapt.tiny_backbones import messages

from payoff.adapt.engine.encode import encode
from payoff.adapt.recipes.contrastive import Contrastive
from payoff.adapt.recipes.frozen_head import FrozenHead
from payoff.adapt.recipes.linear import LinearHead, fit_logistic
from payoff.adapt.recipes.named_fit import Fit, fit_named, helpful_names
from payoff.adapt.recipes.named_head import NamedHead
from payoff.adapt.recipes.neighbours import (
    NeighbourBlend,
    Neighbours,
    NeighboursAttempt,
    choose_mix,
    nearest,
)
from payoff.adapt.recipes.prototypes import Prototypes, class_prototypes
from payoff.adapt.recipes.recipe import Candidate, Recipe
from payoff.adapt.recipes.shrunk_head import Discriminant, ShrunkHead, fit_shrunk
from payoff.adapt.recipes.zero_shot import (
    TEMPLATES,
    TEMPLATES_CHINESE,
    ZeroShot,
    label_texts,
    label_vectors,
    words,
)
from payoff.adapt.workbench import Workbench
from payoff.core.errors import AdaptError

Make = Callable[..., Any]
ALL: list[Recipe] = [
    ZeroShot(),
    Prototypes(),
    NamedHead(),
    ShrunkHead(),
    Contrastive(),
    Neighbours(),
    FrozenHead(),
]
NAMELESS = ALL[5:]  # they learn from rows alone, `Neighbours` where rows are many


def named(recipe: Recipe) -> str:
    return recipe.name


@pytest.fixture
def make(make_bench: Make, bert_folder: Path, table_folder: Path) -> Callable[..., Workbench]:
    def bench(name: str, **options: Any) -> Workbench:
        texts, targets, n_train = learn_from(name)
        made: Workbench = make_bench(
            texts, targets, [bert_folder, table_folder], n_train=n_train, **options
        )
        return made

    return bench


def short(recipe: Recipe, bench: Workbench) -> Candidate:
    """The usual candidate, with few steps."""
    (candidate,) = recipe.standard(bench)
    settings = tuple((k, 6 if k == "steps" else v) for k, v in candidate.settings)
    return replace(candidate, settings=settings)


def logits(recipe: Recipe, bench: Workbench) -> np.ndarray:
    attempt = recipe.start(short(recipe, bench), bench)
    attempt.advance(1.0)
    return attempt.logits(np.arange(len(bench.texts)))


@pytest.mark.parametrize("recipe", ALL, ids=named)
def test_a_label_without_rows_is_no_failure(
    recipe: Recipe, make: Callable[..., Workbench], tmp_path: Path
) -> None:
    full = make("two texts a class")
    labels = ("never seen", *full.labels, "nor this")
    bench = replace(full, labels=labels, targets=full.targets + 1)
    candidate = short(recipe, bench)
    attempt = recipe.start(candidate, bench)
    attempt.advance(1.0)
    found = attempt.logits(bench.validation)
    assert found.shape == (len(bench.validation), 7)
    assert np.isfinite(found).all()
    if recipe.name == "frozen-head":
        assert not np.isin(found.argmax(1), [0, 6]).any(), "it is not chosen unseen"
    if recipe.name == "prototypes":
        zero = logits(ZeroShot(), bench)[bench.validation]
        np.testing.assert_allclose(found[:, [0, 6]], zero[:, [0, 6]], rtol=1e-5)
    attempt.save(tmp_path)
    recipe.export(candidate, bench, tmp_path, tmp_path / "tier")


@pytest.mark.parametrize("recipe", NAMELESS, ids=named)
def test_with_many_rows_a_label_is_not_chosen_unseen(
    recipe: Recipe, make: Callable[..., Workbench]
) -> None:
    full = make("two classes")
    labels = ("never seen", *full.labels)
    bench = replace(full, labels=labels, targets=full.targets + 1)
    assert len(bench.train) > 5 * len(labels), "else its name would count"
    assert logits(recipe, bench).argmax(1).min() == 1


@pytest.mark.parametrize("recipe", NAMELESS, ids=named)
def test_rows_of_one_label_alone_are_refused(
    recipe: Recipe, make: Callable[..., Workbench]
) -> None:
    full = make("two classes")
    bench = replace(full, train=full.train[full.train_targets == 1])
    with pytest.raises(AdaptError, match=r"PF405.*1 of 2 labels occurs"):
        logits(recipe, bench)


@pytest.mark.parametrize("recipe", ALL, ids=named)
def test_only_encoders_are_used(recipe: Recipe, make: Callable[..., Workbench]) -> None:
    bench = make("two classes")
    (candidate,) = recipe.standard(bench)
    assert candidate.backbone == bench.backbones[0]
    assert candidate.recipe == recipe.name


@pytest.mark.parametrize(
    ("recipe", "most"),
    [
        (NamedHead(), 50),
        (Contrastive(), 20),
        (Prototypes(), 0),
        (ShrunkHead(), 0),
        (Neighbours(), 0),
        (ZeroShot(), 0),
    ],
    ids=["named-head", "contrastive", "prototypes", "shrunk-head", "neighbours", "zero-shot"],
)
def test_they_are_searched_where_labels_are_few(
    recipe: Recipe, most: int, make: Callable[..., Workbench]
) -> None:
    bench = make("two classes")
    for n_train, expected in ((2 * most, recipe.standard(bench)), (2 * most + 1, [])):
        rows = replace(bench, train=np.arange(n_train) % len(bench.texts))
        assert recipe.candidates(rows) == (expected if most else [])


# Zero-shot.


def test_zero_shot_does_not_look_at_the_training_rows(make: Callable[..., Workbench]) -> None:
    bench = make("two classes")
    nothing = replace(bench, train=bench.train[:0])
    found = logits(ZeroShot(), bench)
    np.testing.assert_array_equal(logits(ZeroShot(), nothing), found)
    np.testing.assert_array_equal(logits(ZeroShot(), bench.on_all_rows()), found)


def test_zero_shot_is_the_mean_over_templates(make: Callable[..., Workbench]) -> None:
    bench = make("two classes")
    opened = bench.opened(bench.backbones[0])
    vectors = encode(opened, [t.format("label 01") for t in TEMPLATES])
    mean = vectors.astype(np.float64).mean(axis=0)
    expected = 20 * opened.trunk.pooled() @ (mean / np.linalg.norm(mean))
    np.testing.assert_allclose(logits(ZeroShot(), bench)[:, 1], expected, atol=1e-4)


def test_a_description_counts_as_much_as_the_name(make: Callable[..., Workbench]) -> None:
    bench = make("two classes")
    told = replace(bench, descriptions={"label 01": "please tell me about ba co", "other": "x"})
    backbone = bench.backbones[0]
    plain, found = (label_vectors(b, backbone) for b in (bench, told))
    np.testing.assert_allclose(found[0], plain[0], atol=1e-6)
    (description,) = encode(bench.opened(backbone), ["please tell me about ba co"])
    both = plain[1] + description
    np.testing.assert_allclose(found[1], both / np.linalg.norm(both), atol=1e-5)
    assert told.on_all_rows().descriptions == told.descriptions


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("card_arrival", "card arrival"),
        ("lost-or-stolen__card", "lost or stolen card"),
        ("CardArrival", "card arrival"),
        ("cardArrival2", "card arrival2"),
        ("HTTPError", "HTTP error"),
        ("Refund Request", "refund request"),
        ("退款", "退款"),
        ("__", "__"),
        ("{x}", "{x}"),
    ],
)
def test_names_become_words(label: str, expected: str) -> None:
    assert words(label) == expected
    assert label_texts(label)[0] == expected


def test_templates_are_of_the_names_script() -> None:
    assert len(label_texts("退款")) == len(TEMPLATES_CHINESE) == len(TEMPLATES)
    assert all("退款" in text and text.isprintable() for text in label_texts("退款"))
    assert not any("about" in text for text in label_texts("退款"))
    assert any("about" in text for text in label_texts("refund"))


# Prototypes.


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    found: np.ndarray = (one * other).sum(1) / lengths
    return found


def test_prototypes_go_from_names_to_means_as_rows_grow(make: Callable[..., Workbench]) -> None:
    bench = make("two classes")
    pooled = bench.opened(bench.backbones[0]).trunk.pooled()
    name = label_vectors(bench, bench.backbones[0])
    means = np.stack([pooled[bench.train][bench.train_targets == c].mean(0) for c in (0, 1)])
    to_names, to_means = [], []
    for n in (0, 1, 3, 30):
        rows = np.concatenate([np.flatnonzero(bench.train_targets == c)[:n] for c in (0, 1)])
        found = class_prototypes(pooled[rows], bench.targets[rows], name, names=1.0)
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0)
        to_names.append(cosines(found, name).mean())
        to_means.append(cosines(found, means).mean())
    assert to_names[0] == pytest.approx(1.0)
    assert to_names == sorted(to_names, reverse=True)
    assert to_means == sorted(to_means)
    assert to_means[-1] > 0.999


def test_a_name_counts_as_so_many_rows() -> None:
    rows = np.array([[1.0, 0.0], [0.6, 0.8]])
    name = np.array([[0.0, 1.0], [-1.0, 0.0]])
    found = class_prototypes(rows, np.array([0, 0]), name, names=2.5)
    expected = np.array([1.6, 0.8 + 2.5])
    np.testing.assert_allclose(found, [expected / np.linalg.norm(expected), [-1.0, 0.0]])


# Shrunk head.


def classes_of_normals(counts: list[int], *, draw: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    targets = np.repeat(np.arange(len(counts)), counts)
    mixing = rng.normal(size=(6, 6))
    means = rng.normal(size=(len(counts), 6)) * 2
    rows = np.random.default_rng([1, draw]).normal(size=(len(targets), 6))
    return means[targets] + rows @ mixing, targets


@pytest.mark.parametrize("shrinkage", [0.05, 0.4, 1.0])
@pytest.mark.parametrize("counts", [[9] * 4, [40, 9, 3, 14]], ids=["even", "uneven"])
def test_it_is_the_discriminant_of_scikit_learn(shrinkage: float, counts: list[int]) -> None:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    rows, targets = classes_of_normals(counts)
    other = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage).fit(rows, targets)
    head = Discriminant.of(rows, targets, n_labels=4).head(shrinkage, prior=0.0)
    new = np.random.default_rng(1).normal(size=(50, 6)) * 3
    ours, theirs = head(new).astype(np.float64), other.decision_function(new)
    np.testing.assert_allclose(
        ours - ours.mean(axis=1, keepdims=True),
        theirs - theirs.mean(axis=1, keepdims=True),
        rtol=1e-4,
        atol=1e-4,
    )


def test_the_prior_is_smoothed() -> None:
    rows, targets = classes_of_normals([30, 2])
    found = Discriminant.of(rows, targets, n_labels=2)
    plain, smooth, even = (found.head(0.5, prior=p).bias for p in (0.0, 10.0, 1e9))
    assert plain[0] - plain[1] - (even[0] - even[1]) == pytest.approx(np.log(30 / 2))
    assert smooth[0] - smooth[1] - (even[0] - even[1]) == pytest.approx(np.log(40 / 12))


def test_with_one_row_a_class_the_nearest_row_wins() -> None:
    rows = np.random.default_rng(0).normal(size=(5, 8))
    head = Discriminant.of(rows, np.arange(5), n_labels=5).head(0.3, prior=10.0)
    new = np.random.default_rng(1).normal(size=(40, 8))
    nearest_row = ((new[:, None] - rows) ** 2).sum(axis=2).argmin(axis=1)
    np.testing.assert_array_equal(head(new).argmax(axis=1), nearest_row)


def test_names_are_moved_to_the_rows_and_counted() -> None:
    rows = np.array([[1.0, 0.0], [3.0, 0.0], [0.0, 5.0]])
    name = np.array([[10.0, 1.0], [10.0, -1.0], [13.0, 0.0]])
    found = Discriminant.of(rows, np.array([0, 0, 1]), n_labels=3).with_names(name, 3.0)
    # Mean of the names (11, 0); mean of the classes that have rows (1, 2.5).
    moved = name + np.array([1.0, 2.5]) - np.array([11.0, 0.0])
    np.testing.assert_allclose(found.means[0], (np.array([4.0, 0.0]) + 3 * moved[0]) / 5)
    np.testing.assert_allclose(found.means[1], (np.array([0.0, 5.0]) + 3 * moved[1]) / 4)
    np.testing.assert_allclose(found.means[2], moved[2])


@pytest.mark.parametrize("n_rows", [0, 1, 3])
def test_labels_without_rows_are_known_by_their_names(n_rows: int) -> None:
    name = np.eye(4)
    rows = np.tile(name[:1], (n_rows, 1))
    head = fit_shrunk(rows, np.zeros(n_rows, np.int64), name, prior=10.0, seed=0)
    np.testing.assert_array_equal(head(name)[1:].argmax(axis=1), [1, 2, 3])
    assert np.isfinite(head(name)).all()
    no_prior = Discriminant.of(rows, np.zeros(n_rows, np.int64), n_labels=4).head(1.0, prior=0.0)
    assert np.isfinite(no_prior(name)).all()


def test_what_is_chosen_serves_rows_left_out() -> None:
    rows, targets = classes_of_normals([12] * 4)
    new, truth = classes_of_normals([300] * 4, draw=1)

    def right(head: LinearHead) -> float:
        return float((head(new).argmax(1) == truth).mean())

    names = np.zeros((4, 6))  # they say nothing
    near = Discriminant.of(rows, targets, n_labels=4).head(1.0, prior=0.0)
    assert right(fit_shrunk(rows, targets, names, prior=0.0, seed=0)) > right(near) + 0.02


# Named head.


def test_a_name_is_as_good_as_so_many_equal_rows() -> None:
    rows, targets = classes_of_normals([4] * 3)
    name = np.random.default_rng(1).normal(size=(3, rows.shape[1]))
    thrice = np.concatenate([rows, name, name, name])
    classes = np.concatenate([targets, *[np.arange(3)] * 3])
    told = fit_named(rows, targets, name, strength=10.0, names=3.0)
    shown = fit_logistic(thrice, classes, n_labels=3, strength=10.0)
    np.testing.assert_allclose(told(rows), shown(rows), atol=0.02)


def test_names_count_where_they_help_and_not_where_they_mislead() -> None:
    rows, targets = classes_of_normals([3] * 4)
    means = np.stack([rows[targets == label].mean(axis=0) for label in range(4)])

    def chosen(named: np.ndarray, classes: np.ndarray = targets) -> float:
        return helpful_names(rows, classes, named, strength=10.0, names=1.0, seed=0)

    assert chosen(means) == 1.0
    assert chosen(20 * means[[1, 2, 3, 0]]) == 0.0
    assert chosen(20 * means[[1, 2, 3, 0]], np.minimum(targets, 2)) == 1.0, "one has no row"


def test_without_names_a_named_head_is_a_frozen_head() -> None:
    rows, targets = classes_of_normals([4] * 3)
    plain = fit_logistic(rows, targets, n_labels=3, strength=10.0)
    told = fit_named(rows, targets, np.ones((3, rows.shape[1])), strength=10.0, names=0.0)
    np.testing.assert_array_equal(told.weight, plain.weight)
    assert helpful_names(rows, targets, np.eye(3), strength=10.0, names=0.0, seed=0) == 0.0


# Neighbours.


def logistic(n_labels: int, strength: float) -> Fit:
    return partial(fit_logistic, n_labels=n_labels, strength=strength)


def unit(rows: np.ndarray) -> np.ndarray:
    normalised: np.ndarray = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return normalised


def test_nearest_are_found_in_pieces_too(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    rows, new = unit(rng.normal(size=(40, 5))), unit(rng.normal(size=(17, 5)))
    monkeypatch.setattr("payoff.adapt.recipes.neighbours._PIECE", 90)
    similarity, found = nearest(new, rows, 6)
    np.testing.assert_array_equal(found, np.argsort(-(new @ rows.T), axis=1)[:, :6])
    np.testing.assert_allclose(similarity, -np.sort(-(new @ rows.T), axis=1)[:, :6], atol=1e-6)
    assert nearest(new, rows, 100)[1].shape == (17, 40)


def test_neighbours_are_trusted_where_a_line_cannot_part_the_classes() -> None:
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 300)
    wheel = unit(np.stack([np.cos(angle), np.sin(angle)], axis=1))
    by_sector = (angle / (2 * np.pi) * 12).astype(np.int64) % 2
    by_side = (wheel[:, 0] > 0).astype(np.int64)
    sector, side = (
        choose_mix(wheel, targets, logistic(2, 10.0), seed=0) for targets in (by_sector, by_side)
    )
    assert sector.share == 0.8
    assert side.share < 0.8
    assert "5 of 5 folds" in sector.chosen


def test_where_there_is_nothing_to_choose_by_it_says_so(
    make_bench: Make, bert_folder: Path, tmp_path: Path
) -> None:
    texts, targets = messages([1, 1, 1])
    bench = make_bench(texts, targets, [bert_folder], n_train=3)
    (candidate,) = Neighbours().standard(bench)
    attempt = NeighboursAttempt(candidate, bench)
    attempt.advance(1.0)
    attempt.save(tmp_path)
    assert json.loads((tmp_path / "mix.json").read_text("utf-8"))["chosen"].startswith("fixed: ")
    restored = NeighbourBlend.restore(tmp_path)
    assert (restored.k, restored.share) == (5, 0.2)
    assert (attempt.logits(bench.train).argmax(1) == bench.train_targets).all()


def test_one_fold_is_enough_where_rows_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payoff.adapt.recipes.neighbours._ONE_FOLD", 50)
    rows = unit(np.random.default_rng(0).normal(size=(60, 4)))
    mix = choose_mix(rows, np.arange(60) % 3, logistic(3, 1.0), seed=0)
    assert "1 of 5 folds" in mix.chosen


def test_more_rows_than_a_model_should_carry_are_refused(make: Callable[..., Workbench]) -> None:
    bench = replace(make("two classes"), train=np.zeros(50_001, np.int64))
    (candidate,) = Neighbours().standard(bench)
    with pytest.raises(AdaptError, match=r"PF405.*50,001 training rows"):
        Neighbours().start(candidate, bench)


def test_scores_are_finite_where_a_probability_is_nothing() -> None:
    head = LinearHead(np.array([[300.0], [-300.0]], np.float32), np.zeros(2, np.float32))
    one = np.ones((1, 1), np.float32)
    blend = NeighbourBlend(head, one, np.zeros(1, np.int64), 1, 0.05, 0.2)
    np.testing.assert_allclose(blend(one), [[0.0, np.log(1e-12)]], atol=1e-5)


# Contrastive.


def test_contrastive_needs_two_rows_of_a_label(make_bench: Make, bert_folder: Path) -> None:
    texts, targets = messages([1, 1, 1])
    bench = make_bench(texts, targets, [bert_folder], n_train=3)
    with pytest.raises(AdaptError, match=r"PF405.*no label has two training rows"):
        logits(Contrastive(), bench)


def test_contrastive_goes_on_where_it_was_saved(
    make: Callable[..., Workbench], tmp_path: Path
) -> None:
    bench = make("twelve classes")
    recipe = Contrastive()
    candidate = short(recipe, bench)
    whole = recipe.start(candidate, bench)
    whole.advance(1.0)
    first = recipe.start(candidate, bench)
    first.advance(0.34)
    first.save(tmp_path)
    second = recipe.start(candidate, bench)
    second.restore(tmp_path)
    rows = bench.validation
    np.testing.assert_array_equal(second.logits(rows), first.logits(rows))
    second.advance(1.0)
    np.testing.assert_array_equal(second.logits(rows), whole.logits(rows))
