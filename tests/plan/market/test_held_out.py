from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.plan.conftest import dataset_of

from payoff.artifact.manifest import Manifest, Member
from payoff.artifact.tier import TierSpec
from payoff.core.errors import ProjectError
from payoff.data.splits import split
from payoff.plan.market.held_out import held_out
from payoff.plan.market.measured_service import MeasuredService
from payoff.plan.parts import validation_share


def manifest_of(fingerprint: str) -> Manifest:
    tier = TierSpec("words", "ngrams")
    members = {name: Member("0" * 64, 1) for name in tier.members}
    return Manifest("desk", ("a", "b"), (tier,), members, {}, 5, fingerprint, {"text": {}})


def test_rows_that_it_learnt_from_are_left_out() -> None:
    rows = dataset_of([120, 120, 120, 120])
    cut = split(rows, seed=5, validation=validation_share(rows, None))
    found = held_out(rows, None, manifest_of(cut.train.concat(cut.validation).fingerprint))
    assert found.certain
    assert rows.take(found.rows).fingerprint == cut.test.fingerprint
    assert f"{len(cut.test)} test rows" in found.note


def test_rows_of_a_test_file_are_those_after_the_others() -> None:
    rows, test = dataset_of([120, 120, 120, 120]), dataset_of([20, 20, 20, 20], seed=9)
    cut = split(rows, test_set=test, seed=5, validation=validation_share(rows, test))
    found = held_out(rows, test, manifest_of(cut.train.concat(cut.validation).fingerprint))
    assert found.certain
    assert found.rows.tolist() == list(range(480, 560))


@pytest.mark.parametrize("counts", [[60, 60, 60, 60], [2, 1, 1, 0]])
def test_where_nobody_knows_all_rows_are_taken_and_it_is_said(counts: list[int]) -> None:
    rows = dataset_of(counts)
    found = held_out(rows, None, manifest_of("0" * 64))
    assert not found.certain
    assert np.array_equal(found.rows, np.arange(len(rows)))
    assert "not known" in found.note


def test_a_column_named_for_the_segments_alone_does_not_hide_the_run() -> None:
    rows = dataset_of([120, 120, 120, 120])
    cut = split(rows, seed=5, validation=validation_share(rows, None))
    manifest = manifest_of(cut.train.concat(cut.validation).fingerprint)
    assert held_out(replace(rows, segment="label"), None, manifest).certain


def test_another_seed_is_another_run() -> None:
    rows = dataset_of([120, 120, 120, 120])
    cut = split(rows, seed=5, validation=validation_share(rows, None))
    manifest = manifest_of(cut.train.concat(cut.validation).fingerprint)
    assert not held_out(rows, None, replace(manifest, seed=6)).certain


def test_a_folder_without_a_finished_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="PF291"):
        MeasuredService.open(tmp_path)
