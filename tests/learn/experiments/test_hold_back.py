"""Who is held back, as a project states it or as an experiment does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from payoff.core.errors import Problems, ProjectError, ServiceError
from payoff.learn.experiments.course import EXAMPLE
from payoff.learn.experiments.experiment import Experiment
from payoff.learn.experiments.hold_back import HoldBack, stated_hold_back


@pytest.mark.parametrize("share", [0.0, -0.1, 0.51, 1.0, float("nan")])
def test_a_share_that_cannot_be_held_back(share: float) -> None:
    with pytest.raises(ServiceError, match=r"PF730 experiment \[hold_back.share\]"):
        HoldBack(share=share)


@pytest.mark.parametrize("days", [0.0, -1.0, float("inf"), float("nan")])
def test_a_time_for_which_nobody_can_be_held_back(days: float) -> None:
    with pytest.raises(ServiceError, match=r"PF730 experiment \[hold_back.days\]"):
        HoldBack(days=days)


@pytest.mark.parametrize(
    ("section", "given", "found"),
    [
        ({}, {}, HoldBack()),
        ({"hold_back": 0.1, "hold_back_days": 14}, {}, HoldBack(share=0.1, days=14)),
        ({"hold_back": 0}, {}, None),
        ({"hold_back": 0}, {"share": 0.2}, HoldBack(share=0.2)),
        ({"hold_back": 0.1}, {"share": 0.0}, None),
        ({"hold_back": 0.1}, {"days": 3.0}, HoldBack(share=0.1, days=3)),
    ],
)
def test_what_is_stated_and_what_goes_before_it(
    section: dict[str, Any], given: dict[str, float], found: HoldBack | None
) -> None:
    assert stated_hold_back(section, **given) == found


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ({"hold_back": 0.6}, r"PF203 payoff.toml \[experiment\]: 'hold_back' is 0.6"),
        ({"hold_back": "all"}, "PF203"),
        ({"hold_back_days": 0}, "PF203"),
        ({"holdback": 0.1}, r"PF202.*'holdback'.*Did you mean 'hold_back'"),
    ],
)
def test_what_cannot_be_stated(section: dict[str, Any], told: str) -> None:
    with pytest.raises(ProjectError, match=told):
        stated_hold_back(section)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(Problems) as found:
        stated_hold_back({"hold_back": 2, "hold_back_days": -1, "hold": 1})
    assert [one.code for one in found.value.problems] == ["PF202", "PF203", "PF203"]


def test_it_goes_into_the_journal_and_comes_back() -> None:
    rules = replace(EXAMPLE.experiment, hold_back=HoldBack(share=0.1, days=14))
    assert Experiment.from_dict(rules.as_dict()) == rules
    older = {key: one for key, one in EXAMPLE.experiment.as_dict().items() if key != "hold_back"}
    assert Experiment.from_dict(older).hold_back is None  # begun by an earlier payoff
