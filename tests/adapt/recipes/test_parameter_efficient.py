"""The recipes that train a small part of the weights keep what every recipe promises."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.adapt.recipes.test_contract import check, files, learn_from
from tests.adapt.tiny_backbones import messages

from payoff.adapt.recipes.adalora import AdaLora
from payoff.adapt.recipes.bitfit import BitFit
from payoff.adapt.recipes.bottleneck_adapter import BottleneckAdapter
from payoff.adapt.recipes.ia3 import Ia3
from payoff.adapt.recipes.lora import Lora
from payoff.adapt.recipes.p_tuning import PTuning
from payoff.adapt.recipes.prefix_tuning import PrefixTuning
from payoff.adapt.recipes.prompt_tuning import PromptTuning
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.start_head import start_head
from payoff.adapt.recipes.tuned import TuneAttempt, Tuned
from payoff.adapt.workbench import Workbench
from payoff.core.errors import AdaptError

MakeBench = Callable[..., Workbench]
RECIPES = {
    "lora": Lora,
    "adalora": AdaLora,
    "ia3": Ia3,
    "adapter": BottleneckAdapter,
    "bitfit": BitFit,
    "prefix-tuning": PrefixTuning,
    "prompt-tuning": PromptTuning,
    "p-tuning": PTuning,
}
every = pytest.mark.parametrize("recipe", [kind() for kind in RECIPES.values()], ids=list(RECIPES))


@pytest.fixture(params=["bert", "mpnet"])
def folder(request: pytest.FixtureRequest, bert_folder: Path, mpnet_folder: Path) -> Path:
    return bert_folder if request.param == "bert" else mpnet_folder


@every
@pytest.mark.parametrize("name", ["twelve classes", "two texts a class"])
def test_the_contract(
    recipe: Tuned, folder: Path, name: str, make_bench: MakeBench, tmp_path: Path
) -> None:
    texts, targets, n_train = learn_from(name)
    bench, again = (
        make_bench(texts, targets, [folder], n_train=n_train, folder=place)
        for place in ("activations", "elsewhere")
    )
    candidate, logits = check(recipe, bench, tmp_path)
    second = recipe.start(candidate, again)
    second.advance(1.0)
    np.testing.assert_array_equal(second.logits(bench.validation), logits)
    (tmp_path / "saved again").mkdir()
    second.save(tmp_path / "saved again")
    recipe.export(candidate, again, tmp_path / "saved again", tmp_path / "tier again")
    assert files(tmp_path / "tier again") == files(tmp_path / "tier")


@every
def test_names_and_settings(recipe: Tuned, bert_folder: Path, make_bench: MakeBench) -> None:
    assert RECIPES[recipe.name] is type(recipe)
    texts, targets = messages([10, 10])
    bench = make_bench(texts, targets, [bert_folder])
    assert recipe.candidates(bench) == []
    (candidate,) = recipe.standard(bench)
    assert candidate["depth"] == 1
    assert recipe.schedule(candidate, bench).learning_rate == candidate["rate"]
    assert {name for name, _ in candidate.settings} == {
        "depth",
        "epochs",
        *(name for name, _ in recipe.defaults),
    }


@every
def test_a_small_part_is_trained_and_saved(
    recipe: Tuned, bert_folder: Path, make_bench: MakeBench, tmp_path: Path
) -> None:
    texts, targets = messages([10, 10])
    bench = make_bench(texts, targets, [bert_folder])
    small = {"rank": 2, "start_rank": 3, "size": 4, "vectors": 4, "inner": 4}
    (usual,) = recipe.standard(bench)
    settings = tuple((name, small.get(name, value)) for name, value in usual.settings)
    attempt = recipe.start(Candidate(recipe.name, usual.backbone, settings), bench)
    attempt.advance(0.05)
    attempt.save(tmp_path)
    classifier = attempt.training.classifier
    assert classifier.trained_share() < 0.1
    state = torch.load(tmp_path / "training.pt", weights_only=True)["classifier"]
    n_saved = sum(value.numel() for value in state.values() if isinstance(value, torch.Tensor))
    trained = sum(p.numel() for p in classifier.parameters() if p.requires_grad)
    assert n_saved == trained


def test_a_longer_text_takes_longer(bert_folder: Path, make_bench: MakeBench) -> None:
    texts, targets = messages([10, 10])
    bench = make_bench(texts, targets, [bert_folder])
    recipe = PromptTuning()
    (candidate,) = recipe.standard(bench)
    tokens = bench.opened(str(bert_folder)).tokens
    expected = Tuned.seconds(recipe, candidate, bench) * (1 + 20 / tokens.lengths.mean())
    assert recipe.seconds(candidate, bench) == pytest.approx(expected)


def _with(bench: Workbench, recipe: Tuned, **changed: Any) -> TuneAttempt:
    (usual,) = recipe.standard(bench)
    settings = tuple((name, changed.get(name, value)) for name, value in usual.settings)
    return recipe.start(Candidate(recipe.name, usual.backbone, settings), bench)


@pytest.mark.parametrize(
    ("recipe", "changed"),
    [
        (Lora(), {"rank": 0}),
        (Lora(), {"targets": "qkv+all"}),
        (AdaLora(), {"start_rank": 2}),
        (BottleneckAdapter(), {"size": -1}),
        (PrefixTuning(), {"vectors": 0}),
        (PTuning(), {"inner": 0}),
    ],
)
def test_settings_that_cannot_be_meant_are_told(
    recipe: Tuned, changed: dict[str, Any], bert_folder: Path, make_bench: MakeBench
) -> None:
    texts, targets = messages([10, 10])
    bench = make_bench(texts, targets, [bert_folder])
    with pytest.raises(AdaptError, match=f"PF406 setting '{next(iter(changed))}'"):
        _with(bench, recipe, **changed).advance(1.0)


def test_only_those_that_are_said_are_adapted(bert_folder: Path, make_bench: MakeBench) -> None:
    texts, targets = messages([10, 10])
    bench = make_bench(texts, targets, [bert_folder])
    attempt = _with(bench, Lora(), targets="qkv+down")
    named = {
        name.split(".")[2]
        for name, weight in attempt.training.classifier.named_parameters()
        if weight.requires_grad and name.startswith("layers")
    }
    assert named == {"qkv", "down"}


def test_without_peft_its_extra_is_told(
    bert_folder: Path, make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib

    from payoff.core.errors import MachineError

    def missing(name: str, package: str | None = None) -> Any:
        if name == "peft":
            raise ModuleNotFoundError("No module named 'peft'", name="peft")
        return sys.modules[name]

    texts, targets = messages([10, 10])
    bench = make_bench(texts, targets, [bert_folder])
    attempt = _with(bench, Lora())
    start_head(bench, str(bert_folder), bench.train)
    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(MachineError, match=r"PF803 peft.*payoff\[tune\]"):
        attempt.advance(1.0)
