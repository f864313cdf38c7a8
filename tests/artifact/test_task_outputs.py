"""What the outputs of a tier mean, and the folder that says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import special

from payoff.artifact.runtime.ngrams import NgramRuntime, NgramVectoriser
from payoff.artifact.task_model import SPEC_FILE, TaskModel, read_spec, write_spec
from payoff.artifact.task_outputs import (
    answers,
    grade_probabilities,
    label_probabilities,
    median_grades,
)
from payoff.artifact.tier import TierSpec
from payoff.core.errors import ArtifactError

TEXTS = ["late again", "so rude", "late and rude"]


def test_probabilities_are_those_of_scipy_and_never_overflow() -> None:
    outputs = np.random.default_rng(0).normal(size=(20, 4)) * 300
    np.testing.assert_allclose(label_probabilities(outputs), special.expit(outputs))
    np.testing.assert_allclose(grade_probabilities(outputs), special.softmax(outputs, axis=1))


def test_the_median_is_the_grade_of_least_expected_distance() -> None:
    p = np.random.default_rng(1).dirichlet(np.ones(5), 200)
    place = np.arange(5)
    away = p @ np.abs(place[:, None] - place[None, :])
    np.testing.assert_array_equal(median_grades(p), away.argmin(axis=1))


@pytest.mark.parametrize(
    ("task", "code"),
    [
        ({"name": "entities"}, "PF503"),
        ({}, "PF503"),
        ({"name": "multi-label", "labels": ["a", "b"]}, "PF504"),
        ({"name": "multi-label", "labels": ["a"], "thresholds": [0.5, 0.5]}, "PF504"),
        ({"name": "ordinal", "labels": ["a"]}, "PF504"),
        ({"name": "regression", "mean": None, "scale": 1.0}, "PF504"),
    ],
)
def test_a_task_that_cannot_be_read(task: dict[str, Any], code: str) -> None:
    with pytest.raises(ArtifactError) as told:
        answers(task, [[0.0, 1.0]])
    assert told.value.code == code


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An n-gram tier of two labels that are their own words."""
    vectoriser = NgramVectoriser.fit(TEXTS, min_df=1)
    weights = np.zeros((vectoriser.n_features, 2))
    for label, word in enumerate(("late", "rude")):
        weights[vectoriser.words.index(word), label] = 20.0
    NgramRuntime(vectoriser, weights, np.full(2, -1.0)).save(tmp_path)
    task = {"name": "multi-label", "labels": ["late", "rude"], "thresholds": [0.5, 0.5]}
    write_spec(TierSpec("words", "ngrams", settings={"task": task}), tmp_path)
    return tmp_path


def test_a_folder_answers(folder: Path) -> None:
    model = TaskModel.open(folder)
    assert model.answers(TEXTS) == [("late",), ("rude",), ("late", "rude")]
    assert model.answers(["fine"]) == [()]
    assert read_spec(folder).settings["task"]["labels"] == ["late", "rude"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "PF501"),
        ("{", "PF504"),
        ("[]", "PF504"),
        ('{"name": "a", "kind": "ngrams", "members": []}', "PF504"),
        ('{"name": "a", "kind": "dreams", "members": [], "settings": {}}', "PF503"),
        ('{"name": "a", "kind": "ngrams", "members": [], "settings": {}}', "PF504"),
        ('{"name": "a", "kind": "ngrams", "members": [], "settings": {"task": 1}}', "PF504"),
    ],
)
def test_a_folder_that_cannot_be_opened(folder: Path, content: str | None, code: str) -> None:
    (folder / SPEC_FILE).unlink()
    if content is not None:
        (folder / SPEC_FILE).write_text(content, "utf-8")
    with pytest.raises(ArtifactError) as told:
        TaskModel.open(folder)
    assert told.value.code == code
