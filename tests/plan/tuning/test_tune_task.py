"""Recipes trained for several labels, for grades and for numbers, measured as they are served."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.adapt import task_samples

from payoff.artifact.task_model import TaskModel
from payoff.core.errors import AdaptError, DataError
from payoff.core.progress import Silent
from payoff.data.dataset import Dataset
from payoff.plan.tuning import tune_task as module
from payoff.plan.tuning.tune_task import TaskTrial, tune_task

FIGURE = {
    "multi-label": lambda quality: quality.micro_f1,
    "ordinal": lambda quality: -quality.mae_grades,
    "regression": lambda quality: -quality.mae,
}
TASKS = tuple(FIGURE)


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "measure_latency", partial(module.measure_latency, seconds=0.05))
        yield


def rows(task: str, n: int = 240, *, seed: int = 0) -> Dataset:
    make: Callable[..., tuple[list[str], list[str]]] = getattr(task_samples, task.replace("-", "_"))
    texts, cells = make(n, seed=seed)
    table = pl.DataFrame({"text": texts, "target": cells})
    return Dataset.from_frame(table, text="text")


def trial(task: str, recipe: str, runs: Path, **options: Any) -> TaskTrial:
    data = options.pop("data", None) or rows(task)
    return tune_task(data, recipe, task, target="target", runs=runs, **options)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("recipe", ["bag-of-words", "frozen-head", "static-head", "fine-tune"])
def test_what_is_measured_is_what_is_served(
    task: str, recipe: str, tmp_path: Path, backbones: tuple[str, str]
) -> None:
    backbone = backbones[1] if recipe == "static-head" else backbones[0]
    data = rows(task)
    done = trial(task, recipe, tmp_path, data=data, backbone=backbone, report=True)
    assert done.report is not None
    for judged in (done.validation, done.report):
        assert FIGURE[task](judged.quality) > FIGURE[task](judged.baseline), "it learns something"
    n = done.n_train + done.validation.quality.n + done.report.quality.n
    assert n == len(data)
    assert (done.trained_share is None) is (recipe != "fine-tune")
    told = json.loads(json.dumps(done.as_dict()))
    assert told["task"]["name"] == task
    assert told["test"]["quality"]["n"] == done.report.quality.n

    served = TaskModel.open(done.folder).answers(data.texts)
    kinds = {"multi-label": tuple, "ordinal": str, "regression": float}
    assert all(isinstance(answer, kinds[task]) for answer in served)
    assert len({str(answer) for answer in served}) > 1


def test_a_recipe_of_classes_alone_names_those_that_learn_the_task(tmp_path: Path) -> None:
    with pytest.raises(AdaptError, match=r"PF405 recipe 'focal'.*frozen-head.*lora") as told:
        trial("ordinal", "focal", tmp_path)
    assert "zero-shot" not in str(told.value)


def test_empty_cells_are_no_label(tmp_path: Path) -> None:
    done = trial("multi-label", "bag-of-words", tmp_path)
    assert () in TaskModel.open(done.folder).answers(rows("multi-label").texts)


def test_a_column_of_lists_is_read(tmp_path: Path) -> None:
    texts, cells = task_samples.multi_label(120)
    table = pl.DataFrame({"text": texts, "tags": [c.split(";") if c else [] for c in cells]})
    data = Dataset.from_frame(table, text="text")
    done = tune_task(data, "bag-of-words", "multi-label", target="tags", runs=tmp_path)
    assert done.labels == task_samples.NAMES


def test_labels_of_the_data_set_are_the_target_unless_said(tmp_path: Path) -> None:
    texts, cells = task_samples.ordinal(120)
    table = pl.DataFrame({"text": texts, "stars": cells})
    data = Dataset.from_frame(table, text="text", label="stars")
    assert tune_task(data, "bag-of-words", "ordinal", runs=tmp_path).labels == tuple("12345")


def test_rows_to_report_on_may_be_given(tmp_path: Path) -> None:
    for task in TASKS:
        test = rows(task, 60, seed=5)
        done = trial(task, "bag-of-words", tmp_path, test=test, report=True)
        assert done.report is not None
        assert done.report.quality.n == 60
        assert FIGURE[task](done.report.quality) > FIGURE[task](done.report.baseline)


def test_near_duplicates_never_stand_in_two_parts() -> None:
    from payoff.adapt.tasks import task_named
    from payoff.plan.tuning.task_parts import task_parts

    texts, cells = task_samples.regression(90)
    texts += [text.upper() + "!" for text in texts]
    table = pl.DataFrame({"text": texts, "target": cells + cells})
    data = Dataset.from_frame(table, text="text")
    parts = task_parts(data, task_named("regression"), target="target")
    learnt = [text.lower().rstrip("!") for text in parts.texts]
    parted = [set(learnt[: parts.n_train]), set(learnt[parts.n_train :])]
    parted.append({text.lower().rstrip("!") for text in parts.test_texts})
    assert all(not one & other for one, other in itertools.combinations(parted, 2))
    assert sum(map(len, parted)) == 90


def test_what_learns_a_task_is_kept_apart_from_other_tasks(tmp_path: Path) -> None:
    texts, cells = task_samples.ordinal(120)
    data = Dataset.from_frame(pl.DataFrame({"text": texts, "y": cells}), text="text")
    folders = {
        tune_task(data, "bag-of-words", task, target="y", runs=tmp_path).folder
        for task in ("ordinal", "regression")
    }
    assert len(folders) == 2


def test_a_killed_training_goes_on(tmp_path: Path, backbones: tuple[str, str]) -> None:
    class Kills(Silent):
        def step(self, what: str, done: float, total: float) -> None:
            if what == "fine-tuning" and done / total > 0.5:
                raise KeyboardInterrupt

    data, options = rows("multi-label", 90), {"backbone": backbones[0]}
    with pytest.raises(KeyboardInterrupt):
        trial("multi-label", "bitfit", tmp_path / "a", data=data, progress=Kills(), **options)
    after = trial("multi-label", "bitfit", tmp_path / "a", data=data, **options)
    whole = trial("multi-label", "bitfit", tmp_path / "b", data=data, **options)
    outputs = [TaskModel.open(t.folder).runtime.logits(data.texts) for t in (after, whole)]
    np.testing.assert_array_equal(*outputs)


@pytest.mark.parametrize(
    ("task", "cells", "code"),
    [
        ("regression", ["1", "two", "3", "4,5"], "PF114"),
        ("regression", ["7"] * 4, "PF104"),
        ("ordinal", ["low", "high"] * 2, "PF114"),
        ("multi-label", [""] * 4, "PF104"),
        ("multi-label", ["a;b", "[1]", "c", ""], "PF114"),
        ("multi-label", ["a;b", "c", "d", "b"], "PF106"),
    ],
)
def test_what_cannot_be_learnt_is_told(
    task: str, cells: list[str], code: str, tmp_path: Path
) -> None:
    table = pl.DataFrame({"text": ["one", "two", "three", "four"], "target": cells})
    with pytest.raises(DataError) as told:
        trial(task, "bag-of-words", tmp_path, data=Dataset.from_frame(table, text="text"))
    assert told.value.code == code


def test_what_is_named_must_be_there(tmp_path: Path) -> None:
    data = rows("ordinal", 20)
    with pytest.raises(AdaptError, match=r"PF407.*Did you mean 'ordinal'"):
        tune_task(data, "lora", "ordinall", target="target", runs=tmp_path)
    with pytest.raises(AdaptError, match="PF407"):
        tune_task(data, "lora", "classes", target="target", runs=tmp_path)
    with pytest.raises(AdaptError, match=r"PF407.*no order"):
        tune_task(data, "lora", "regression", target="target", order="ab", runs=tmp_path)
    with pytest.raises(DataError, match=r"PF103.*'targe'.*Did you mean 'target'"):
        tune_task(data, "lora", "ordinal", target="targe", runs=tmp_path)
    with pytest.raises(DataError, match="PF103"):
        tune_task(data, "lora", "ordinal", runs=tmp_path)


def test_a_listener_is_told_the_figures_of_the_task(tmp_path: Path) -> None:
    class Hears(Silent):
        def __init__(self) -> None:
            self.told: dict[str, float] = {}

        def measured(self, name: str, value: float, step: int) -> None:
            self.told[name] = value

    for task, figure in (("multi-label", "micro_f1"), ("ordinal", "mae_grades")):
        hears = Hears()
        done = trial(task, "bag-of-words", tmp_path, progress=hears)
        served = done.validation.quality.as_dict()[figure]
        assert hears.told[f"validation/{figure}"] == pytest.approx(served, abs=0.02)
        assert "validation/accuracy" not in hears.told or task == "ordinal"
