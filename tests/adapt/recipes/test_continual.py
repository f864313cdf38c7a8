"""The recipe that learns rows that came later without losing what it knew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.adapt.recipes.test_contract import check
from tests.adapt.tiny_backbones import messages

from payoff.adapt.recipes.continual import ContinualTuning
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.workbench import Workbench
from payoff.core.errors import AdaptError

Make = Callable[..., Any]
SECOND, FOURTH = 1, 3  # come later: in the middle of the labels, and at their end


def workbench(make_bench: Make, folder: Path, later: tuple[int, ...]) -> Workbench:
    texts, targets = messages([60] * 4)
    new = messages([25] * 4, seed=7)
    n_train = len(texts)
    made: Workbench = make_bench(
        texts + new[0], np.concatenate([targets, new[1]]), [folder], n_train=n_train
    )
    return replace(made, later=np.flatnonzero(np.isin(targets, later)))


def test_labels_that_came_later_are_learnt_and_the_others_kept(
    make_bench: Make, bert_folder: Path, tmp_path: Path
) -> None:
    bench = workbench(make_bench, bert_folder, (SECOND, FOURTH))
    recipe = ContinualTuning()
    attempt = recipe.start(recipe.standard(bench)[0], bench)
    truth = bench.targets[bench.validation]
    new = np.isin(truth, (SECOND, FOURTH))

    attempt.advance(0.5)
    first = attempt.logits(bench.validation).argmax(1)
    assert not np.isin(first, (SECOND, FOURTH)).any()
    assert (first == truth)[~new].mean() > 0.6
    assert attempt.forgotten() is None

    attempt.advance(1.0)
    second = attempt.logits(bench.validation).argmax(1)
    assert (second == truth)[new].mean() > 0.5
    lost = attempt.forgotten()
    assert lost is not None
    assert set(lost.by_class) == {0, 2}
    assert lost.mean == pytest.approx(
        np.mean(
            [(first == c)[truth == c].mean() - (second == c)[truth == c].mean() for c in (0, 2)]
        )
    )
    assert lost.mean < 0.3


def test_it_keeps_the_promises_of_a_recipe_with_later_rows_too(
    make_bench: Make, bert_folder: Path, tmp_path: Path
) -> None:
    check(ContinualTuning(), workbench(make_bench, bert_folder, (SECOND,)), tmp_path)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_it_goes_on_where_it_was_saved(
    make_bench: Make, bert_folder: Path, share: float, tmp_path: Path
) -> None:
    bench = workbench(make_bench, bert_folder, (SECOND,))
    recipe = ContinualTuning()
    candidate: Candidate = recipe.standard(bench)[0]
    whole, half, rest = (recipe.start(candidate, bench) for _ in range(3))
    whole.advance(1.0)
    half.advance(share)
    half.keep(tmp_path)
    rest.take_up(tmp_path)
    rest.advance(1.0)
    rows = bench.validation
    np.testing.assert_array_equal(whole.logits(rows), rest.logits(rows))


def test_one_earlier_label_is_refused(make_bench: Make, bert_folder: Path) -> None:
    bench = workbench(make_bench, bert_folder, (1, 2, 3))
    recipe = ContinualTuning()
    with pytest.raises(AdaptError, match=r"PF405.*60 earlier rows"):
        recipe.start(recipe.standard(bench)[0], bench)
