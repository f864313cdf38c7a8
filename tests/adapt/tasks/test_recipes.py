"""Every recipe that says it learns a task keeps what recipes promise, for that task too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.adapt import task_samples
from tests.adapt.recipes.test_contract import check

from payoff.adapt.recipes import recipe_named, recipes
from payoff.adapt.recipes.needs import need_task, tasks_of
from payoff.adapt.recipes.start_head import start_head
from payoff.adapt.tasks import TASKS, task_named
from payoff.adapt.workbench import Workbench
from payoff.core.errors import AdaptError

Make = Callable[..., Workbench]
ABLE = [recipe.name for recipe in recipes() if "multi-label" in tasks_of(recipe)]


@pytest.fixture
def make(make_bench: Callable[..., Any], bert_folder: Path, table_folder: Path) -> Make:
    def bench(task: str, n: int = 45, **options: Any) -> Workbench:
        texts, cells = getattr(task_samples, task.replace("-", "_"))(n)
        read = task_named(task).read(cells, "target")
        made: Workbench = make_bench(texts, np.zeros(n, np.int64), [bert_folder, table_folder])
        return replace(
            made,
            targets=read.targets,
            labels=read.labels,
            task=task_named(task).fitted(read.targets[made.train]),
            **options,
        )

    return bench


@pytest.mark.parametrize("task", TASKS[1:])
@pytest.mark.parametrize("recipe", ABLE)
def test_a_recipe_keeps_its_promises(recipe: str, task: str, make: Make, tmp_path: Path) -> None:
    check(recipe_named(recipe), make(task), tmp_path, epochs=2.0)


def test_those_that_learn_every_task_are_those_with_no_objective_of_their_own() -> None:
    heads = {"bag-of-words", "frozen-head", "static-head"}
    tuned = {"fine-tune", "lora", "adalora", "adapter", "ia3", "bitfit", "averaged"}
    prompts = {"prefix-tuning", "prompt-tuning", "p-tuning"}
    assert heads | tuned | prompts <= set(ABLE)
    assert not {"focal", "balanced", "contrast", "mixup", "zero-shot", "tsdae"} & set(ABLE)


def test_another_recipe_names_those_that_can() -> None:
    need_task(recipe_named("lora"), "ordinal", recipes())
    need_task(recipe_named("focal"), "classes", recipes())
    with pytest.raises(AdaptError, match="PF405 recipe 'r-drop': it learns classes, not ordinal"):
        need_task(recipe_named("r-drop"), "ordinal", recipes())


@pytest.mark.parametrize("task", TASKS[1:])
def test_fine_tuning_starts_from_the_tasks_head_and_goes_down(task: str, make: Make) -> None:
    bench = make(task, 90)
    recipe = recipe_named("fine-tune")
    candidate = recipe.standard(bench)[0]
    attempt: Any = recipe.start(candidate, bench)
    opened = bench.opened(candidate.backbone)
    head = start_head(bench, candidate.backbone, bench.train)
    start = head(opened.trunk.pooled()[bench.train])
    np.testing.assert_allclose(attempt.logits(bench.train), start, atol=2e-3)

    def loss() -> float:
        quality = bench.task.measure(attempt.logits(bench.train), bench.train_targets).as_dict()
        return float(quality.get("log_loss") or quality["mae"])

    before = loss()
    attempt.advance(1.0)
    assert loss() < before


def test_the_unit_of_a_number_does_not_matter(make: Make, tmp_path: Path) -> None:
    outputs = []
    for unit in (1.0, 1e6):
        bench = make("regression")
        targets = bench.targets * unit
        bench = replace(
            bench,
            targets=targets,
            task=task_named("regression").fitted(targets[bench.train]),
            folder=tmp_path / str(unit),
        )
        recipe = recipe_named("bitfit")
        attempt = recipe.start(recipe.standard(bench)[0], bench)
        attempt.advance(0.34)
        outputs.append(attempt.logits(bench.validation))
    np.testing.assert_allclose(*outputs, atol=1e-4)
