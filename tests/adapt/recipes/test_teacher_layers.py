"""A student starts where its teacher ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.adapt.tiny_backbones import messages

from payoff.adapt.compress import compress_by
from payoff.adapt.recipes import recipe_named
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.teacher_layers import with_layers_of
from payoff.adapt.workbench import Workbench
from payoff.artifact.artifact import Artifact
from payoff.artifact.calibration import Calibration
from payoff.artifact.runtime import open_tier
from payoff.artifact.tier import TierSpec
from payoff.artifact.write import write_artifact
from payoff.core.errors import AdaptError


@pytest.fixture
def bench(make_bench: Callable[..., Any], bert_folder: Path) -> Workbench:
    texts, targets = messages([40, 40, 40])
    made: Workbench = make_bench(texts, targets, [bert_folder], n_train=90)
    return made


def written(bench: Workbench, spec: TierSpec, folder: Path, target: Path) -> Path:
    return write_artifact(
        target,
        name="teacher",
        labels=bench.labels,
        tiers=[(spec, folder)],
        calibrations=[Calibration()],
        documents={},
        seed=0,
        data_fingerprint="",
    )


@pytest.fixture
def teacher(bench: Workbench, tmp_path: Path) -> tuple[Path, Any]:
    """A fine-tuned encoder as an artifact, and its attempt."""
    recipe = recipe_named("fine-tune")
    candidate = recipe.standard(bench)[0].having("depth", 0).having("tuned", 1.0)
    attempt = recipe.start(candidate, bench)
    attempt.advance(1.0)
    (tmp_path / "attempt").mkdir()
    attempt.save(tmp_path / "attempt")
    spec = recipe.export(candidate, bench, tmp_path / "attempt", tmp_path / "files")
    return written(bench, spec, tmp_path / "files", tmp_path / "teacher.payoff"), attempt


def student_of(bench: Workbench, path: Path, **settings: Any) -> Candidate:
    candidate = recipe_named("distil-encoder").standard(bench)[0]
    told = {"teacher": str(path), "start": 1, "depth": 0, "tuned": 1.0, **settings}
    for name, value in told.items():
        candidate = candidate.having(name, value)
    return candidate


def test_the_layers_are_the_teachers_and_the_rest_is_shared(
    bench: Workbench, teacher: tuple[Path, Any]
) -> None:
    path, attempt = teacher
    encoder = bench.opened(bench.backbones[0]).encoder
    before = [p.detach().clone() for p in encoder.layers.parameters()]
    student = with_layers_of(str(path), encoder, "distil-encoder")
    trained = attempt.served().layers
    for mine, theirs in zip(student.layers.parameters(), trained.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    assert any(
        not torch.equal(mine, old)
        for mine, old in zip(student.layers.parameters(), before, strict=True)
    )
    for now, old in zip(encoder.layers.parameters(), before, strict=True):
        assert torch.equal(now, old), "the backbone is as it was"
    assert student.words is encoder.words


def test_a_student_that_learns_nothing_says_what_its_teacher_says(
    bench: Workbench, teacher: tuple[Path, Any]
) -> None:
    path, _ = teacher
    recipe = recipe_named("distil-encoder")
    attempt = recipe.start(student_of(bench, path, epochs=0.01, learning_rate=1e-9), bench)
    attempt.advance(1.0)
    with Artifact.open(path) as artifact:
        said = artifact.logits([bench.texts[row] for row in bench.validation])
    assert (attempt.logits(bench.validation).argmax(1) == said.argmax(1)).mean() > 0.9


def test_it_is_exported_when_the_teacher_is_gone(
    bench: Workbench, teacher: tuple[Path, Any], tmp_path: Path
) -> None:
    path, _ = teacher
    recipe = recipe_named("distil-encoder")
    candidate = student_of(bench, path, bits=4)
    attempt = recipe.start(candidate, bench)
    attempt.advance(1.0)
    (tmp_path / "student").mkdir()
    attempt.save(tmp_path / "student")
    wanted = attempt.logits(bench.validation)
    path.rename(tmp_path / "elsewhere.payoff")
    spec = recipe.export(candidate, bench, tmp_path / "student", tmp_path / "small")
    runtime = open_tier(spec, lambda name: (tmp_path / "small" / name).read_bytes(), threads=1)
    texts = [bench.texts[row] for row in bench.validation]
    np.testing.assert_allclose(runtime.logits(texts), wanted, atol=1e-4)


def test_what_it_cannot_start_from_is_told(
    bench: Workbench, teacher: tuple[Path, Any], tmp_path: Path, make_bench: Callable[..., Any]
) -> None:
    path, _ = teacher
    encoder = bench.opened(bench.backbones[0]).encoder
    with pytest.raises(AdaptError, match=r"PF406.*'start'.*the path of an artifact"):
        with_layers_of("minilm-l6", encoder, "distil-encoder")
    with Artifact.open(path) as artifact:
        spec = artifact.tiers[0]
    small = compress_by("prune", spec, tmp_path / "files", tmp_path / "pruned", texts=bench.texts)
    other = written(bench, small, tmp_path / "pruned", tmp_path / "pruned.payoff")
    with pytest.raises(AdaptError, match=r"PF406.*'start'"):
        with_layers_of(str(other), encoder, "distil-encoder")
    with pytest.raises(AdaptError, match=r"PF406.*'tuned'"):
        recipe_named("distil-encoder").start(student_of(bench, path, tuned=0.5), bench)
