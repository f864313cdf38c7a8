"""Tuning by several processes: the same trial as by one, also when it is gone on with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.adapt.tiny_backbones import messages

from payoff.adapt.backbones.find import find
from payoff.adapt.backbones.installation import installed
from payoff.adapt.recipes import recipe_named
from payoff.adapt.workbench import Workbench
from payoff.artifact.runtime import open_tier
from payoff.core.errors import AdaptError
from payoff.core.progress import Silent
from payoff.data.dataset import Dataset
from payoff.plan.cascades.together import started
from payoff.plan.tuning.tune import Trial, tune

TEXTS = ["my card is lost", "where is my money", "bacofe duda please"]


def logits(trial: Trial) -> np.ndarray:
    return open_tier(trial.spec, lambda name: (trial.folder / name).read_bytes()).logits(TEXTS)


class Stops(Silent):
    """Ends the first process within the second rung."""

    def step(self, what: str, done: float, total: float) -> None:
        if what == "fine-tuning" and done / total > 0.5:
            raise KeyboardInterrupt


def test_two_processes_stopped_and_gone_on_with_end_where_one_does(
    requests: Dataset, tmp_path: Path, backbones: tuple[str, str]
) -> None:
    how = {"backbone": backbones[0], "settings": {"epochs": 3}}
    alone = tune(requests, "contrast", runs=tmp_path / "one", **how)  # type: ignore[arg-type]
    how |= {"runs": tmp_path / "two", "processes": 2}
    with pytest.raises(KeyboardInterrupt):
        tune(requests, "contrast", progress=Stops(), **how)  # type: ignore[arg-type]
    both = tune(requests, "contrast", **how)  # type: ignore[arg-type]
    np.testing.assert_allclose(logits(both), logits(alone), atol=1e-3)
    assert both.evidence.quality.accuracy == alone.evidence.quality.accuracy
    assert both.trained_share == alone.trained_share
    trained = [next((tmp_path / name).glob("trained-*/candidates")) for name in ("one", "two")]
    assert len({tuple(sorted(p.name for p in folder.iterdir())) for folder in trained}) == 1


def test_a_real_encoder_ends_where_one_process_does(tmp_path: Path) -> None:
    if not installed(find("minilm-l6")):
        pytest.skip("minilm-l6 is not installed: payoff backbones install minilm-l6")
    texts, targets = messages([16, 16])
    rows = np.arange(32)
    bench = Workbench(
        tuple(texts), targets, ("a", "b"), rows, rows[:0], ("minilm-l6",), tmp_path / "trunk"
    )
    recipe = recipe_named("contrast")
    (usual,) = recipe.standard(bench)
    settings = dict(usual.settings) | {"depth": 4, "epochs": 3.0}
    candidate = replace(usual, settings=tuple(settings.items()))
    found = []
    for processes in (1, 2):
        with started(recipe, candidate, bench, processes=processes) as attempt:
            attempt.advance(1.0)
            inner = getattr(attempt, "attempt", attempt)
            found.append(inner.training.classifier.state_dict())
    for name, alone in found[0].items():
        difference = (alone - found[1][name]).abs()
        if name.endswith("qkv.bias"):
            difference[384:768] = 0.0  # of the keys: its gradient is 0 but for rounding
        assert float(difference.max()) < 1e-5, name


def test_a_recipe_of_one_step_has_nothing_to_share(requests: Dataset, tmp_path: Path) -> None:
    with pytest.raises(AdaptError, match=r"PF405 recipe 'bag-of-words' in 2 processes"):
        tune(requests, "bag-of-words", runs=tmp_path, processes=2)
