"""Learning over time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.adapt.tiny_backbones import messages, tiny_model
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch.nn import functional

from payoff.adapt.backbones.tokenizer import load_tokenizer
from payoff.adapt.continual import (
    Continual,
    Forgetting,
    Memory,
    _shift,
    extend,
    forgetting,
    remember,
    widened,
)
from payoff.adapt.engine.architectures import load
from payoff.adapt.engine.batches import pack
from payoff.adapt.engine.classifier import Classifier, classifier_logits, classifier_vectors
from payoff.adapt.engine.finetuning import FineTuning, Schedule
from payoff.adapt.engine.objectives.cross_entropy import CrossEntropy
from payoff.adapt.engine.objectives.remembering import Remembering, fisher
from payoff.adapt.engine.tokens import tokenise
from payoff.adapt.engine.trunk import Trunk
from payoff.adapt.recipes.linear import fit_logistic
from payoff.core.errors import AdaptError
from payoff.core.progress import Silent

N_OLD, N_ALL = 4, 6
PLAN = Schedule(depth=1, epochs=4.0, batch_texts=16, learning_rate=1e-3, head_learning_rate=1e-2)
NAIVE = Continual(kept_texts=0, replay=0.0, balance=False)


@dataclass(frozen=True)
class World:
    """Four classes are known; two more come."""

    trunk: Trunk
    targets: np.ndarray
    old: np.ndarray
    new: np.ndarray
    judged: np.ndarray
    classifier: Classifier

    def before(self) -> np.ndarray:
        return classifier_logits(self.classifier, self.trunk, self.judged).argmax(1)

    def learnt(self, how: Continual, **plan: Any) -> tuple[Forgetting, float]:
        """What the old classes lost, and accuracy on the new ones."""
        memory = remember(self.classifier, self.trunk, self.targets, rows=self.old, how=how)
        training = extend(
            memory,
            self.trunk,
            self.targets,
            rows=self.new,
            n_labels=N_ALL,
            how=how,
            schedule=replace(PLAN, **plan),
        )
        training.advance(1.0)
        after = classifier_logits(training.classifier, self.trunk, self.judged).argmax(1)
        truth = self.targets[self.judged]
        old = truth < N_OLD
        lost = forgetting(self.before()[old], after[old], truth[old])
        return lost, float((after == truth)[~old].mean())


def of_known_words(folder: Path, texts: list[str]) -> Path:
    """A tiny encoder with a word a token: training a tokenizer gives another one each time."""
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    words = sorted({word for text in texts for word in text.split() if word.isalpha()})
    known = {word: place for place, word in enumerate([*marks, *words])}
    tokenizer = Tokenizer(models.WordLevel(known, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    tiny_model("bert", vocabulary=len(known), seed=1).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    texts, targets = messages([130] * N_ALL)
    folder = of_known_words(tmp_path_factory.mktemp("words"), texts)
    tokens = tokenise(texts, load_tokenizer(folder), max_tokens=32)
    trunk = Trunk(load(folder), tokens, Silent(), folder=tmp_path_factory.mktemp("trunk"))
    place = np.array([(targets[:i] == targets[i]).sum() for i in range(len(targets))])
    train, known = place < 100, targets < N_OLD
    old, new = np.flatnonzero(train & known), np.flatnonzero(train & ~known)
    head = fit_logistic(trunk.pooled()[old], targets[old], n_labels=N_OLD, strength=10.0)
    classifier = Classifier(trunk.encoder, PLAN.depth, head.weight, head.bias)
    tuning = FineTuning(classifier, trunk, targets, rows=old, schedule=PLAN, progress=Silent())
    tuning.advance(1.0)
    return World(trunk, targets, old, new, np.flatnonzero(~train), classifier)


@pytest.fixture(scope="module")
def naive(world: World) -> Forgetting:
    return world.learnt(NAIVE)[0]


def test_the_old_classes_were_known(world: World) -> None:
    truth = world.targets[world.judged]
    assert (world.before() == truth)[truth < N_OLD].mean() > 0.9


def test_naive_training_forgets(naive: Forgetting) -> None:
    assert naive.mean > 0.2
    assert naive.worst >= naive.mean


@pytest.mark.parametrize(
    "how",
    [
        replace(NAIVE, consolidation=1000.0),
        replace(NAIVE, distillation=5.0),
        replace(NAIVE, kept_texts=40, replay=1.0),
    ],
    ids=["consolidation", "distillation", "replay"],
)
def test_each_way_of_remembering_helps(world: World, naive: Forgetting, how: Continual) -> None:
    lost, new = world.learnt(how)
    assert lost.mean < naive.mean - 0.05
    assert new > 0.6, "the new classes are learnt all the same"


def test_replay_keeps_what_was_known(world: World) -> None:
    lost, new = world.learnt(Continual(kept_texts=80))
    assert lost.mean <= 0.05
    assert new > 0.7


def test_the_old_classifier_is_left_as_it_was(world: World) -> None:
    before = {n: v.clone() for n, v in world.classifier.state_dict().items()}
    world.learnt(Continual(kept_texts=20, consolidation=10.0), epochs=1.0)
    for name, value in world.classifier.state_dict().items():
        assert torch.equal(value, before[name])


def test_an_extension_goes_on_from_where_it_was_saved(world: World) -> None:
    how = Continual(kept_texts=20, consolidation=10.0)
    memory = remember(world.classifier, world.trunk, world.targets, rows=world.old, how=how)

    def begun() -> FineTuning:
        return extend(
            memory, world.trunk, world.targets,
            rows=world.new, n_labels=N_ALL, how=how, schedule=PLAN,
        )  # fmt: skip

    whole, first, second = begun(), begun(), begun()
    whole.advance(0.3)
    first.advance(0.1)
    second.resume(first.state())
    second.advance(0.3)
    for name, value in whole.classifier.state_dict().items():
        assert torch.equal(value, second.classifier.state_dict()[name])


def test_texts_of_old_classes_can_come_too(world: World) -> None:
    how = Continual(kept_texts=20)
    memory = remember(world.classifier, world.trunk, world.targets, rows=world.old[:80], how=how)
    training = extend(
        memory, world.trunk, world.targets,
        rows=world.old[80:], n_labels=N_OLD, how=how, schedule=PLAN,
    )  # fmt: skip
    training.advance(0.1)
    assert training.classifier.head.out_features == N_OLD


class TestWidening:
    def test_old_rows_and_layers_stay_and_new_ones_draw_level(self, world: World) -> None:
        old = world.classifier
        wide = widened(old, world.trunk, world.targets, rows=world.new, n_labels=N_ALL)
        state = wide.state_dict()
        for name, value in old.state_dict().items():
            assert torch.equal(state[name][: len(value)], value)
        length = old.head.weight.detach().norm(dim=1).mean()
        torch.testing.assert_close(wide.head.weight.detach()[N_OLD:].norm(dim=1), length.repeat(2))
        logits = classifier_logits(wide, world.trunk, world.new)
        for label in (4, 5):
            own = logits[world.targets[world.new] == label]
            best = own[:, :N_OLD].max(axis=1).mean()
            assert own[:, label].mean() == pytest.approx(best, abs=1e-3)

    def test_one_new_class_points_to_its_mean(self, world: World) -> None:
        rows = world.new[world.targets[world.new] == 4]
        wide = widened(world.classifier, world.trunk, world.targets, rows=rows, n_labels=5)
        mean = classifier_vectors(world.classifier, world.trunk, rows).mean(axis=0)
        row = wide.head.weight.detach().numpy()[4]
        assert row @ mean / np.linalg.norm(row) / np.linalg.norm(mean) == pytest.approx(1, abs=1e-4)

    def test_a_new_class_without_texts_is_refused(self, world: World) -> None:
        with pytest.raises(AdaptError, match=r"PF405 .* 1 of 3 new classes .* first is 6"):
            widened(world.classifier, world.trunk, world.targets, rows=world.new, n_labels=7)

    def test_no_texts_are_refused(self, world: World) -> None:
        memory = Memory(world.classifier, world.old[:0], np.full(N_OLD, 100))
        with pytest.raises(AdaptError, match="PF405"):
            extend(
                memory, world.trunk, world.targets,
                rows=world.old[:0], n_labels=N_OLD, how=Continual(), schedule=PLAN,
            )  # fmt: skip


class TestRemembering:
    def test_fisher_is_the_mean_of_squared_slopes(self, world: World) -> None:
        """Of the bias it can be said by hand: the slope is answer minus drawn label."""
        rows = world.old[:30]
        found = fisher(world.classifier, world.trunk, rows, seed=3)
        assert found.keys() == dict(world.classifier.named_parameters()).keys()
        generator = torch.Generator().manual_seed(3)
        expected = np.zeros(N_OLD)
        for row in rows:
            logits = classifier_logits(world.classifier, world.trunk, np.array([row]))
            answer = torch.from_numpy(logits).softmax(dim=1)
            drawn = torch.multinomial(answer, 1, generator=generator)[0, 0]
            expected += (answer[0].numpy() - np.eye(N_OLD)[drawn]) ** 2 / 30
        np.testing.assert_allclose(found["head.bias"].numpy(), expected, rtol=1e-3, atol=1e-7)

    def test_the_penalty_restated(self, world: World) -> None:
        wide = widened(world.classifier, world.trunk, world.targets, rows=world.new, n_labels=6)
        before = {n: v.detach().clone() for n, v in world.classifier.named_parameters()}
        mattered = {n: torch.full_like(v, 2.0) for n, v in before.items()}
        keeping = Remembering(CrossEntropy(), consolidation=3.0, weights=before, fisher=mattered)
        assert keeping.moved(wide).item() == 0.0, "new rows of the head are free"
        with torch.no_grad():
            wide.head.weight[:, 0] += 0.5
            wide.head.bias[-1] += 9.0
        assert keeping.moved(wide).item() == pytest.approx(N_OLD * 2.0 * 0.25, rel=1e-5)

    def test_distillation_restated(self) -> None:
        now = torch.tensor([[1.0, 0.0, 5.0], [0.5, 2.0, -1.0]])
        before = torch.tensor([[0.0, 1.0], [0.5, 2.0]])
        keeping = Remembering(CrossEntropy(), distillation=1.0, answers=before, temperature=2.0)
        p = functional.softmax(before / 2, dim=1)
        q = functional.softmax(now[:, :2] / 2, dim=1)
        expected = 4 * (p * (p / q).log()).sum(dim=1).mean()
        torch.testing.assert_close(keeping.unlike(now, before), expected)

    def test_the_parts_add_up(self, world: World) -> None:
        wide = widened(world.classifier, world.trunk, world.targets, rows=world.new, n_labels=6)
        with torch.no_grad():
            wide.head.weight += 0.1
        before = {n: v.detach().clone() for n, v in world.classifier.named_parameters()}
        mattered = {n: torch.ones_like(v) for n, v in before.items()}
        answers = torch.randn(len(world.targets), N_OLD, generator=torch.Generator())
        batch = pack(world.trunk.tokens, world.new[:16])
        hidden = world.trunk.below(wide.depth, batch)
        targets = torch.from_numpy(world.targets[batch.rows])
        arguments = (wide, hidden, batch, targets)
        keeping = Remembering(
            CrossEntropy(),
            consolidation=0.3,
            weights=before,
            fisher=mattered,
            distillation=0.7,
            answers=answers,
        )
        with torch.no_grad():
            expected = (
                CrossEntropy()(*arguments)
                + 0.15 * keeping.moved(wide)
                + 0.7 * keeping.unlike(wide(hidden, batch), answers[batch.rows])
            )
            torch.testing.assert_close(keeping(*arguments), expected)
            torch.testing.assert_close(
                replace(keeping, objective=None)(*arguments), expected
            )  # smoothed cross-entropy is its own too
            shift = torch.arange(6.0)
            shifted = functional.cross_entropy(wide(hidden, batch) + shift, targets)
            own = Remembering(smoothing=0.0, shift=shift)
            torch.testing.assert_close(own(*arguments), shifted)


def test_the_shift_is_how_much_less_often_a_class_is_met() -> None:
    """Class 0 had 40 texts of which 10 are met, class 1 none that is met, class 2 is new."""
    stream = np.repeat([0, 2], [10, 20])
    found = _shift(np.array([40, 5]), np.repeat(2, 20), stream, n_labels=3)
    np.testing.assert_allclose(found.numpy(), np.log([0.25, 0.1, 1.0]), rtol=1e-6)


def test_what_was_kept_before_may_stay_kept(world: World) -> None:
    how = Continual(kept_texts=60)
    before = remember(world.classifier, world.trunk, world.targets, rows=world.old, how=how)
    wide = widened(world.classifier, world.trunk, world.targets, rows=world.new, n_labels=N_ALL)
    after = remember(wide, world.trunk, world.targets, rows=world.new, how=how, before=before)
    assert after.n_seen.tolist() == [100] * N_ALL
    assert set(after.kept.tolist()) <= {*before.kept.tolist(), *world.new.tolist()}
    counts = np.bincount(world.targets[after.kept])
    assert counts.sum() == 60
    assert counts.min() >= 8


def test_kept_texts_are_spread_over_classes_and_repeated_evenly(world: World) -> None:
    how = Continual(kept_texts=22, replay=1.0)
    memory = remember(world.classifier, world.trunk, world.targets, rows=world.old, how=how)
    assert len(memory.kept) == 22
    assert set(memory.kept.tolist()) <= set(world.old.tolist())
    counts = np.bincount(world.targets[memory.kept])
    assert counts.max() - counts.min() <= 2
    training = extend(
        memory, world.trunk, world.targets,
        rows=world.new, n_labels=N_ALL, how=how, schedule=PLAN,
    )  # fmt: skip
    seen = np.bincount(training.rows, minlength=len(world.targets))
    assert (seen[world.new] == 1).all()
    assert seen[memory.kept].sum() == len(world.new)
    assert set(seen[memory.kept].tolist()) == {9, 10}


def test_forgetting_is_counted_class_by_class() -> None:
    truth = np.array([0, 0, 0, 0, 2, 2, 3])
    before = np.array([0, 0, 0, 1, 2, 0, 3])
    after = np.array([0, 1, 1, 1, 2, 2, 3])
    lost = forgetting(before, after, truth)
    assert lost.by_class == {0: 0.5, 2: -0.5, 3: 0.0}
    assert lost.worst == 0.5
    assert lost.mean == pytest.approx(0.0)


def test_nothing_changed_is_nothing_lost() -> None:
    answers = np.array([0, 1, 1, 2])
    assert forgetting(answers, answers, np.array([0, 1, 2, 2])).mean == 0.0
