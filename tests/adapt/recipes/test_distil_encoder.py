"""An encoder that learns from a teacher."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.adapt.recipes import test_contract as contract

from payoff.adapt.recipes import recipe_named
from payoff.adapt.recipes.bag_of_words import NgramAttempt
from payoff.adapt.recipes.distil import Distil
from payoff.adapt.recipes.distil_encoder import DistilEncoder
from payoff.adapt.recipes.folds import folds
from payoff.adapt.recipes.linear import log_loss
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.teacher import (
    ArtifactTeacher,
    HeadTeacher,
    RecipeTeacher,
    calibrated,
    lesson,
    teacher_of,
)
from payoff.adapt.workbench import Workbench
from payoff.artifact.artifact import Artifact, write_artifact
from payoff.artifact.calibration import Calibration
from payoff.artifact.runtime.ngrams import NgramRuntime, NgramVectoriser
from payoff.artifact.tier import TierSpec
from payoff.core.errors import AdaptError, ArtifactError
from payoff.economics.cascades.cascade_gain import Gain
from payoff.economics.cascades.cascade_policy import CascadePolicy
from payoff.economics.desk import policy_document
from payoff.economics.policy import Policy

Make = Callable[..., Any]


def cascade(folder: Path) -> Path:
    """Two models, of which the second is asked where the first knows nothing."""
    tiers = []
    for name, words, score in (("small", ["bad", "good"], 4.0), ("large", ["awful", "fine"], 2.0)):
        (folder / name).mkdir()
        runtime = NgramRuntime(
            NgramVectoriser(words, [], [1.0, 1.0], word=(1, 1)), score * np.eye(2), [0.0, 0.0]
        )
        members = runtime.save(folder / name)
        tiers.append((TierSpec(name, "ngrams", members=members), folder / name))
    policy = Policy(("bad", "good"), np.array([[3.0, -7.0, -1.0], [-7.0, 3.0, -1.0]]))
    ends = np.array([-10.0, 10.0])
    gain = Gain(np.eye(5)[0], np.zeros(2), -3.5, ends, ends, "linear")  # asks where regret is 3.5
    asked = CascadePolicy(("small", "large"), (0.0, 0.1), (gain,))
    return write_artifact(
        folder / "both.payoff",
        name="both",
        labels=policy.labels,
        tiers=tiers,
        calibrations=[Calibration(), Calibration()],
        documents={"policy.json": policy_document(policy, "USD", cascade=asked)},
        seed=0,
        data_fingerprint="",
    )


@pytest.fixture
def make(make_bench: Make, bert_folder: Path, mpnet_folder: Path) -> Callable[..., Workbench]:
    """Two encoders, and some texts without labels."""

    def bench(name: str = "two classes", **options: Any) -> Workbench:
        texts, targets, n_train = contract.learn_from(name)
        backbones = [bert_folder, mpnet_folder]
        made: Workbench = make_bench(texts, targets, backbones, n_train=n_train, **options)
        return replace(made, unlabelled=tuple(contract.unlabelled(name)))

    return bench


class Fixed:
    """A teacher that always says the same."""

    def __init__(self, probabilities: list[float]) -> None:
        self.probabilities = np.array(probabilities)
        self.asked: list[str] = []

    def seconds(self, bench: Workbench) -> float:
        return 0.0

    def of_training(self, bench: Workbench) -> np.ndarray:
        self.asked.append("training")
        return np.tile(self.probabilities, (len(bench.train), 1))

    def of_unlabelled(self, bench: Workbench) -> np.ndarray:
        self.asked.append("unlabelled")
        return np.tile(self.probabilities, (len(bench.unlabelled), 1))


class Standing(DistilEncoder):
    """The recipe with another usual candidate."""

    def __init__(self, candidate: Candidate) -> None:
        self.candidate = candidate

    def standard(self, bench: Workbench) -> list[Candidate]:
        return [self.candidate]


class TestLesson:
    def test_a_training_text_gets_label_and_teacher_another_the_teacher_alone(
        self, make: Make
    ) -> None:
        bench = make()
        found = lesson(Fixed([0.9, 0.1]), bench, truth=0.4)
        n = len(bench.train)
        assert found.shape == (n + len(bench.unlabelled), 2)
        for row, target in zip(found[:n], bench.train_targets, strict=True):
            wanted = [0.4 * (target == 0) + 0.6 * 0.9, 0.4 * (target == 1) + 0.6 * 0.1]
            np.testing.assert_allclose(row, wanted)
        np.testing.assert_allclose(found[n:], [[0.9, 0.1]] * len(bench.unlabelled))

    def test_a_teacher_is_not_asked_what_the_labels_say(self, make: Make) -> None:
        teacher = Fixed([0.5, 0.5])
        lesson(teacher, make(), truth=1.0)
        assert teacher.asked == ["unlabelled"]

    @pytest.mark.parametrize("truth", [-0.1, 1.01, float("nan")])
    def test_a_share_is_a_share(self, truth: float, make: Make) -> None:
        with pytest.raises(AdaptError, match="PF406 setting 'truth'"):
            lesson(Fixed([0.5, 0.5]), make(), truth=truth)


class TestTeachers:
    def test_the_name_says_what_it_is(self, make: Make, tmp_path: Path) -> None:
        bench = make()
        encoder = bench.backbones[0]
        assert teacher_of(encoder, "distil", bench) == HeadTeacher(encoder)
        found = teacher_of(f"lora@{encoder}", "distil", bench)
        assert isinstance(found, RecipeTeacher)
        assert (found.recipe.name, found.backbone) == ("lora", encoder)
        assert isinstance(teacher_of("bag-of-words", "distil", bench), RecipeTeacher)
        (tmp_path / "some.payoff").mkdir()
        found = teacher_of(str(tmp_path / "some.payoff"), "distil", bench)
        assert isinstance(found, ArtifactTeacher)

    def test_settings_of_a_teacher_stand_in_brackets(self, make: Make) -> None:
        bench = make()
        strong = teacher_of("bag-of-words[C=100]", "distil", bench).of_training(bench)
        weak = teacher_of("bag-of-words[C=0.001]", "distil", bench).of_training(bench)
        assert strong.max(axis=1).mean() > weak.max(axis=1).mean() + 0.1
        of = teacher_of(f"lora[rank=2]@{bench.backbones[0]}", "distil", bench)
        assert isinstance(of, RecipeTeacher)
        assert (of.recipe.name, of.backbone, of.settings) == ("lora", bench.backbones[0], "rank=2")

    @pytest.mark.parametrize("settings", ["rnak=2", "rank=two"])
    def test_a_setting_that_it_does_not_have_is_refused(self, settings: str, make: Make) -> None:
        bench = make()
        teacher = teacher_of(f"lora[{settings}]@{bench.backbones[0]}", "distil", bench)
        with pytest.raises(AdaptError, match=r"PF406 recipe 'distil', teacher 'lora'"):
            teacher.seconds(bench)

    def test_an_unknown_recipe_is_refused(self, make: Make) -> None:
        with pytest.raises(AdaptError, match="PF401"):
            teacher_of("loar@minilm-l6", "distil", make())

    def test_a_recipe_that_cannot_is_refused(self, make: Make) -> None:
        bench = make()
        with pytest.raises(AdaptError, match=r"PF405 recipe 'distil', teacher 'static-head'"):
            teacher_of("static-head", "distil", bench).of_training(bench)

    def test_an_artifact_that_is_not_there_is_refused(self, make: Make) -> None:
        bench = make()
        candidate = DistilEncoder().standard(bench)[0].having("teacher", "nowhere.payoff")
        with pytest.raises(ArtifactError, match="PF501"):
            DistilEncoder().start(candidate, bench)
        assert not any(bench.opened(name).trunk.is_prepared() for name in bench.backbones)

    def test_a_recipe_teaches_what_it_says_of_these_texts(self, make: Make) -> None:
        bench = make("twelve classes")
        teacher = teacher_of("bag-of-words", "distil", bench)
        recipe = recipe_named("bag-of-words")

        def logits(train: np.ndarray, rows: np.ndarray) -> np.ndarray:
            alone = recipe.start(recipe.standard(bench)[0], replace(bench, train=train))
            alone.advance(1.0)
            return alone.logits(rows).astype(float)

        held = folds(bench.train_targets, 5, seed=bench.seed) == 0
        asked, truth = bench.train[held], bench.train_targets[held]
        grid = np.geomspace(0.05, 5.0, 400)
        temperature = grid[
            np.argmin([log_loss(logits(bench.train[~held], asked) / t, truth) for t in grid[::8]])
            * 8
        ]
        scores = np.exp(logits(bench.train, bench.train) / temperature)
        np.testing.assert_allclose(
            teacher.of_training(bench), scores / scores.sum(1, keepdims=True), atol=0.05
        )
        assert teacher.of_unlabelled(bench).shape == (len(bench.unlabelled), 12)

    def test_what_was_trained_teaches_further_students(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bench = make("twelve classes")
        first = teacher_of("bag-of-words", "distil", bench).of_training(bench)
        monkeypatch.setattr(NgramAttempt, "advance", lambda *a: pytest.fail("trained again"))
        more = bench.with_more(("a text that nobody labelled",))
        again = teacher_of("bag-of-words", "distil", more)
        np.testing.assert_array_equal(again.of_training(more), first)
        assert len(again.of_unlabelled(more)) == len(bench.unlabelled) + 1
        for other in (replace(bench, seed=1), replace(bench, train=bench.train[:-1])):
            with pytest.raises(pytest.fail.Exception, match="trained again"):
                teacher_of("bag-of-words", "distil", other).of_training(other)

    def test_a_teacher_is_not_calibrated_by_rows_that_it_saw(self, make: Make) -> None:
        bench = make("twelve classes")
        seen = []

        def without(left: np.ndarray, asked: np.ndarray) -> np.ndarray:
            seen.append((set(left.tolist()), set(asked.tolist())))
            return np.eye(12, dtype=np.float32)[bench.targets[asked]]

        calibrated(bench, without)
        ((left, asked),) = seen
        assert asked
        assert not left & asked
        assert left | asked <= set(bench.train.tolist())
        one_each = np.array([np.flatnonzero(bench.targets == label)[0] for label in range(12)])
        assert calibrated(replace(bench, train=one_each), without) == Calibration()
        assert len(seen) == 1

    def test_an_artifact_teaches_its_labels_in_our_order(
        self, make: Make, repository: Path
    ) -> None:
        path = repository / "tests/artifact/frozen/format-1.zip"
        with Artifact.open(path) as larger:
            known = larger.labels
            bench = replace(make(), labels=(known[2], known[0]), unlabelled=("card lost", "hello"))
            said = larger.probabilities(bench.unlabelled)[:, [2, 0]]
        teacher = teacher_of(str(path), "distil", bench)
        found = teacher.of_unlabelled(bench)
        np.testing.assert_allclose(found, said / said.sum(axis=1, keepdims=True))
        assert teacher.of_training(bench).shape == (len(bench.train), 2)

        strange = replace(bench, labels=(known[0], "elsewhere"))
        with pytest.raises(AdaptError, match=r"PF405 .*\.zip: it does not know 'elsewhere'"):
            teacher.of_training(strange)

    def test_a_cascade_teaches_by_the_model_that_answers(self, make: Make, tmp_path: Path) -> None:
        """The first knows two words, the second two others and nothing of those of the first."""
        path = cascade(tmp_path)
        texts = ("bad", "good", "awful", "fine")
        bench = replace(make(), labels=("bad", "good"), unlabelled=texts)
        found = teacher_of(str(path), "distil", bench).of_unlabelled(bench)
        sure, last = 1 / (1 + np.exp(-4.0)), 1 / (1 + np.exp(-2.0))
        np.testing.assert_allclose(found[:, 0], [sure, 1 - sure, last, 1 - last])


class TestTheStudent:
    def test_it_learns_what_the_teacher_says_even_against_the_labels(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bench = make()
        candidate = DistilEncoder().standard(bench)[0].having("truth", 0.0)
        candidate = candidate.having("tuned", 1.0)
        inverted = 1 - bench.targets

        class Contrary(Fixed):
            def of_training(self, bench: Workbench) -> np.ndarray:
                return np.eye(2)[inverted[bench.train]]

        monkeypatch.setattr(
            "payoff.adapt.recipes.distil_encoder.teacher_of", lambda *a: Contrary([0.5, 0.5])
        )
        attempt = DistilEncoder().start(candidate, bench)
        attempt.advance(1.0)
        said = attempt.logits(bench.validation).argmax(1)
        assert (said == inverted[bench.validation]).mean() > 0.7

    @pytest.mark.parametrize("teacher", ["mpnet", "prototypes@mpnet", "bag-of-words"])
    def test_the_contract_with_other_teachers(
        self, teacher: str, make: Make, mpnet_folder: Path, tmp_path: Path
    ) -> None:
        told = teacher.replace("mpnet", str(mpnet_folder))
        contract.check(DistilEncoder(), make("twelve classes"), tmp_path, teacher=told)

    def test_texts_are_made_up_for_the_teacher_to_label(
        self, make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        bench = make("twelve classes")
        candidate = DistilEncoder().standard(bench)[0].having("made", 2).having("epochs", 1.0)
        teacher = Fixed([1 / 12] * 12)
        with monkeypatch.context() as patch:
            patch.setattr("payoff.adapt.recipes.distil_encoder.teacher_of", lambda *a: teacher)
            attempt = DistilEncoder().start(candidate, bench)
            assert attempt.taught_on is not None
            n_more = len(attempt.taught_on.unlabelled) - len(bench.unlabelled)
            assert 0 < n_more <= 2 * len(bench.train)
            assert attempt.lesson.shape == (len(attempt.rows()), 12)
            assert len(attempt.rows()) == len(bench.train) + len(bench.unlabelled) + n_more
        judged = {bench.texts[row] for row in bench.validation}
        learnt = {bench.texts[row] for row in bench.train}
        assert not judged & set(attempt.taught_on.unlabelled) - learnt
        kept = Standing(candidate.having("teacher", "bag-of-words"))
        contract.check(kept, bench, tmp_path)
        with pytest.raises(AdaptError, match="PF406 setting 'made': -1"):
            DistilEncoder().start(candidate.having("made", -1), bench)

    @pytest.mark.parametrize("smaller", [{"layers": 1}, {"bits": 4}, {"neurons": 12, "bits": 6}])
    def test_the_contract_of_a_smaller_student(
        self, smaller: dict[str, int], make: Make, tmp_path: Path
    ) -> None:
        bench = make("two classes")
        whole = DistilEncoder().standard(bench)[0].having("tuned", 1.0)
        candidate = whole
        for name, value in smaller.items():
            candidate = candidate.having(name, value)
        kept = Standing(candidate)
        _, logits = contract.check(kept, bench, tmp_path)
        assert (logits.argmax(1) == bench.targets[bench.validation]).mean() > 0.7
        sizes = []
        for one, place in ((candidate, "tier"), (whole, "whole")):
            if place == "whole":
                attempt = kept.start(one, bench)
                attempt.advance(0.0)
                (tmp_path / "saved whole").mkdir()
                attempt.save(tmp_path / "saved whole")
                kept.export(one, bench, tmp_path / "saved whole", tmp_path / place)
            sizes.append((tmp_path / place / "model.onnx").stat().st_size)
        assert (sizes[0] < sizes[1]) == (smaller.keys() != {"bits"})

    @pytest.mark.parametrize("wrong", [{"tuned": 0.75}, {"depth": 1}])
    def test_a_smaller_student_is_all_trained_and_served(
        self, wrong: dict[str, float], make: Make
    ) -> None:
        bench = make()
        candidate = DistilEncoder().standard(bench)[0].having("tuned", 1.0).having("bits", 4)
        for name, value in wrong.items():
            candidate = candidate.having(name, value)
        with pytest.raises(AdaptError, match=rf"PF406 .*setting '{next(iter(wrong))}'"):
            DistilEncoder().start(candidate, bench)

    def test_a_teacher_is_asked_once_also_where_a_student_goes_on(
        self, make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        bench = make()
        candidate = DistilEncoder().standard(bench)[0]
        teacher = Fixed([0.3, 0.7])
        monkeypatch.setattr("payoff.adapt.recipes.distil_encoder.teacher_of", lambda *a: teacher)
        whole, first, second = (DistilEncoder().start(candidate, bench) for _ in range(3))
        whole.advance(1.0)
        first.advance(0.4)
        first.keep(tmp_path)
        asked = len(teacher.asked)
        second.take_up(tmp_path)
        second.advance(1.0)
        assert len(teacher.asked) == asked
        np.testing.assert_array_equal(
            second.logits(bench.validation), whole.logits(bench.validation)
        )

    def test_the_largest_encoder_teaches(self, make: Make) -> None:
        bench = make()
        teachers = {candidate["teacher"] for candidate in DistilEncoder().standard(bench)}
        sizes = {
            name: bench.opened(name).encoder.shape.layers * bench.opened(name).encoder.shape.width
            for name in bench.backbones
        }
        assert teachers == {max(bench.backbones, key=lambda name: sizes[name])}

    def test_a_static_student_takes_any_teacher(
        self, make_bench: Make, bert_folder: Path, table_folder: Path, tmp_path: Path
    ) -> None:
        texts, targets, n_train = contract.learn_from("two classes")
        bench = make_bench(texts, targets, [bert_folder, table_folder], n_train=n_train)
        contract.check(Distil(), bench, tmp_path, teacher="bag-of-words")


def test_a_search_tries_a_student_of_the_usual_recipe(make: Callable[..., Workbench]) -> None:
    few = make("two texts a class")
    found = DistilEncoder().candidates(few)
    assert [c.backbone for c in found] == list(few.backbones)
    assert {c["teacher"] for c in found} == {"named-head"}
    assert all(c.last for c in found), "its teacher is trained first"
    assert len({c.name for c in found}) == len(found)
    assert DistilEncoder().candidates(replace(few, unlabelled=())) == []
    many = replace(few, train=np.resize(few.train, 21 * len(few.labels)))
    assert DistilEncoder().candidates(many) == []
