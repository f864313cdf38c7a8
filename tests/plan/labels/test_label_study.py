"""Measuring the label curve in a search: nested subsets, its share of the time, going on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from payoff.data.dataset import Dataset
from payoff.economics.payoff import Payoff
from payoff.economics.traffic import Traffic
from payoff.plan.labels import label_study
from payoff.plan.labels.label_evidence import LabelEvidence
from payoff.plan.labels.label_question import LabelQuestion
from payoff.plan.labels.label_study import nested_order, subset_sizes
from payoff.plan.plan import Plan
from payoff.plan.runs import Run
from payoff.plan.search import search


class Killed(BaseException):
    """The process is gone."""


def run(requests: Dataset, worth: Payoff, runs: Path, **changes: Any) -> Plan:
    options = {"traffic": Traffic(40_000), "minutes": 600, "runs": runs} | changes
    return search(requests, worth, only=("bag-of-words",), **options)


def test_beginnings_hold_the_labels_in_proportion() -> None:
    targets = np.repeat([0, 1, 2], [600, 300, 100])
    order = nested_order(targets, np.arange(1000), seed=[0, 1])
    assert sorted(order.tolist()) == list(range(1000))
    assert set(targets[order[:3]].tolist()) == {0, 1, 2}
    for n in (50, 200, 500):
        counts = np.bincount(targets[order[:n]], minlength=3)
        assert counts == pytest.approx(n * np.array([0.6, 0.3, 0.1]), abs=3)
    assert (order != nested_order(targets, np.arange(1000), seed=[0, 2])).any()
    assert (order == nested_order(targets, np.arange(1000), seed=[0, 1])).all()


@pytest.mark.parametrize(
    ("n_train", "n_labels", "sizes"),
    [(8000, 77, [500, 1000, 2000, 4000, 8000]), (320, 10, [20, 40, 80, 160, 320]), (100, 40, [])],
)
def test_sizes_grow_alike_and_hold_each_label_twice(
    n_train: int, n_labels: int, sizes: list[int]
) -> None:
    assert subset_sizes(n_train, n_labels).tolist() == sizes


def test_a_search_measures_and_keeps_it(requests: Dataset, worth: Payoff, tmp_path: Path) -> None:
    plan = run(requests, worth, tmp_path)
    evidence = LabelEvidence.read(plan.folder)
    (one,) = evidence.studied
    assert one.name == evidence.chosen
    assert one.sizes[-1] == plan.summary["split"]["train"]
    assert evidence.n_now == plan.summary["split"]["train"] + plan.summary["split"]["validation"]
    told = plan.summary["labels"]
    assert [point["labels"] for point in told["curve"]["points"]] == one.sizes.tolist()
    again = json.loads(json.dumps(LabelQuestion.of(plan.folder).answer.as_dict()))
    assert again["curve"]["points"] == told["curve"]["points"], "a later question says the same"
    assert again["sentence"] == told["sentence"]
    finding = next(f for f in plan.summary["findings"] if f["code"] == "PF623")
    assert finding["status"] == ("not checked" if told["doubt"] else "passed")
    assert plan.summary["search"]["stopped_by"] == "end"


def test_killed_in_the_middle_it_goes_on(
    requests: Dataset, worth: Payoff, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[str] = []
    record = Run.record

    def counted(self: Run, key: str, *others: Any) -> None:
        record(self, key, *others)
        if "-labels-" in key:
            trained.append(key)
            if len(trained) == 5:
                raise Killed

    monkeypatch.setattr(Run, "record", counted)
    with pytest.raises(Killed):
        run(requests, worth, tmp_path / "killed")
    plan = run(requests, worth, tmp_path / "killed")
    n_draws = len(LabelEvidence.read(plan.folder).studied[0].below)
    assert len(trained) == len(set(trained)) == 4 * n_draws, "nothing is trained twice"
    monkeypatch.setattr(Run, "record", record)
    whole = run(requests, worth, tmp_path / "whole")
    shared = min(n_draws, len(LabelEvidence.read(whole.folder).studied[0].below))
    one, other = (LabelEvidence.read(p.folder).studied[0].below[:shared] for p in (plan, whole))
    assert (one == other).all()


def test_what_does_not_fit_its_share_is_left_out(
    requests: Dataset, worth: Payoff, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_study, "SHARE", 0.0)
    plan = run(requests, worth, tmp_path)
    told = plan.summary["labels"]
    assert "0 s are left" in told["doubt"]
    assert told["sentence"].startswith("Whether more labels would pay cannot be told: bag-of-words")
    assert LabelEvidence.read(plan.folder).studied == ()
