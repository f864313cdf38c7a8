"""Averaging of weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.adapt.recipes import test_contract as contract

from payoff.adapt.recipes.averaged import Averaged, AveragedAttempt
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.tuned import TuneAttempt
from payoff.adapt.workbench import Workbench
from payoff.core.errors import AdaptError

Make = Callable[..., Any]
RECIPE = Averaged()


@pytest.fixture
def make(make_bench: Make, bert_folder: Path, table_folder: Path) -> Callable[..., Workbench]:
    def bench(name: str, **options: Any) -> Workbench:
        texts, targets, n_train = contract.learn_from(name)
        backbones = [bert_folder, table_folder]
        made: Workbench = make_bench(texts, targets, backbones, n_train=n_train, **options)
        return made

    return bench


def candidate(bench: Workbench, **settings: Any) -> Candidate:
    usual = RECIPE.standard(bench)[0]
    return replace(usual, settings=tuple((dict(usual.settings) | settings).items()))


def attempt(bench: Workbench, **settings: Any) -> AveragedAttempt:
    return RECIPE.start(candidate(bench, **({"epochs": 3.0, "members": 2} | settings)), bench)


@pytest.mark.parametrize("name", contract.DATA)
def test_the_contract(name: str, make: Make, tmp_path: Path) -> None:
    contract.test_a_recipe_keeps_its_promises(RECIPE, name, make, tmp_path)


def test_the_contract_with_checkpoints(make: Make, tmp_path: Path) -> None:
    bench = make("twelve classes")

    class Three(Averaged):
        defaults = (("members", 2), ("checkpoints", 3))

    contract.check(Three(), bench, tmp_path)


def test_weights_are_the_mean_of_trainings_in_other_orders(make: Make) -> None:
    bench = make("twelve classes")
    ours = attempt(bench, members=3)
    ours.advance(1.0)
    members = [ours._member(number) for number in range(3)]
    for member in members:
        member.advance(1.0)
    states = [member.classifier.state_dict() for member in members]
    for name, value in ours.training.classifier.state_dict().items():
        parts = torch.stack([state[name] for state in states])
        torch.testing.assert_close(value, parts.mean(dim=0))
        assert not torch.equal(parts[0], parts[1])


def test_all_members_start_alike(make: Make) -> None:
    ours = attempt(make("two classes"))
    states = [ours._member(number).classifier.state_dict() for number in range(2)]
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name])


def test_checkpoints_are_spread_over_the_second_half(make: Make) -> None:
    bench = make("twelve classes")
    ours = attempt(bench, members=1, checkpoints=2, epochs=4.0)
    ours.advance(1.0)
    one = ours._member(0)
    states = []
    for share in (0.75, 1.0):
        one.advance(share)
        states.append({n: v.clone() for n, v in one.classifier.state_dict().items()})
    for name, value in ours.training.classifier.state_dict().items():
        torch.testing.assert_close(value, (states[0][name] + states[1][name]) / 2)


def test_one_member_and_one_checkpoint_is_a_plain_fine_tuning(make: Make) -> None:
    bench = make("two classes")
    ours = attempt(bench, members=1)
    plain = TuneAttempt(RECIPE, ours.candidate, bench)
    for training in (ours, plain):
        training.advance(1.0)
    np.testing.assert_array_equal(ours.logits(bench.validation), plain.logits(bench.validation))


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("checkpoints", [1, 2])
def test_going_on_from_a_file_gives_the_very_same(
    make: Make, tmp_path: Path, share: float, checkpoints: int
) -> None:
    bench = make("two classes")
    whole, first, second = (attempt(bench, checkpoints=checkpoints) for _ in range(3))
    whole.advance(1.0)
    first.advance(share)
    early = first.logits(bench.validation)
    first.save(tmp_path)
    second.restore(tmp_path)
    np.testing.assert_array_equal(second.logits(bench.validation), early)
    second.advance(1.0)
    last = second.logits(bench.validation)
    np.testing.assert_array_equal(last, whole.logits(bench.validation))
    assert not np.array_equal(last, early)


def test_work_is_shared_evenly(make: Make) -> None:
    training = attempt(make("two classes")).training
    steps = training.member.n_steps
    training.advance(0.25)
    assert (training.number, training.member.step) == (0, round(steps / 2))
    training.advance(0.75)
    assert (training.number, training.member.step) == (1, round(steps / 2))
    assert training.n_averaged == 1
    training.advance(0.3)
    assert (training.number, training.member.step) == (1, round(steps / 2)), "it never goes back"


def test_members_cost_what_they_cost(make: Make) -> None:
    bench = make("two classes")
    bench.opened(bench.backbones[0]).trunk.forward_seconds = 60.0
    one, four = (RECIPE.seconds(candidate(bench, members=n), bench) for n in (1, 4))
    assert 3 * one < four < 4 * one


def test_only_an_encoder_can_be_averaged(make: Make) -> None:
    bench = make("two classes")
    assert [c.backbone for c in RECIPE.standard(bench)] == [bench.backbones[0]]
    assert RECIPE.candidates(bench) == []
    with pytest.raises(AdaptError, match="PF405 recipe 'averaged'"):
        RECIPE.start(replace(candidate(bench), backbone=bench.backbones[1]), bench)
