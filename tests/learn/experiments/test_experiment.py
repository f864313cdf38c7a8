from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from payoff.core.errors import PayoffError, Problems, ServiceError
from payoff.learn.experiments.course import EXAMPLE
from payoff.learn.experiments.experiment import Experiment, Mode
from payoff.learn.experiments.guardrails import Guardrails

PLAIN = EXAMPLE.experiment


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"mode": Mode.BANDIT, "ramp": (0.1, 0.5), "guardrails": Guardrails(slow_ms=200.0)},
        {"mode": Mode.SHADOW, "maturity_days": 3.0, "salt": "s", "minimum_gain": 0.1},
    ],
)
def test_it_goes_through_json_unchanged(rules: dict[str, Any]) -> None:
    experiment = replace(PLAIN, **rules)
    document = json.loads(json.dumps(experiment.as_dict()))
    assert Experiment.from_dict(document) == experiment


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", ""),
        ("name", "two words"),
        ("name", "x" * 101),
        ("model", ""),
        ("treatment", "a" * 64),
        ("low", 3.0),
        ("ramp", ()),
        ("ramp", (0.5, 0.25)),
        ("ramp", (0.0, 0.5)),
        ("ramp", (1.0,)),
        ("ramp", (0.5, 1.5)),
        ("planned_information", 0.0),
        ("step_days", 0.0),
        ("least_days", -1.0),
        ("horizon_days", 3.0),
        ("minimum_gain", -1.0),
        ("confidence", 1.0),
        ("confidence", 0.2),
        ("maturity_days", -1.0),
        ("mode", "lvie"),
    ],
)
def test_a_rule_that_cannot_be_used_is_told(key: str, value: object) -> None:
    with pytest.raises(ServiceError, match="PF730") as caught:
        replace(PLAIN, **{key: value})  # type: ignore[arg-type]
    assert key in caught.value.where


def test_all_wrong_rules_are_told_at_once() -> None:
    with pytest.raises(Problems) as caught:
        replace(PLAIN, name="", currency="dollars", step_days=-1.0)
    assert [one.code for one in caught.value.problems] == ["PF730", "PF730", "PF610"]


@pytest.mark.parametrize("wrong", [{"slow_ms": 0.0}, {"most_slow": 1.0}, {"most_error_cost": -0.1}])
def test_guardrails_that_cannot_be_used(wrong: dict[str, float]) -> None:
    with pytest.raises(ServiceError, match="PF730"):
        Guardrails(**wrong)


def test_an_unknown_or_a_missing_rule_is_told() -> None:
    document = PLAIN.as_dict()
    with pytest.raises(ServiceError, match=r"PF730.*'confidance'.*Did you mean 'confidence'"):
        Experiment.from_dict(document | {"confidance": 0.9})
    del document["treatment"]
    with pytest.raises(PayoffError, match=r"PF730.*treatment"):
        Experiment.from_dict(document)


def test_where_it_starts_and_how_it_ramps() -> None:
    assert PLAIN.first_share == 0.01
    assert replace(PLAIN, mode=Mode.SHADOW).first_share == 0.0
    assert replace(PLAIN, mode=Mode.BANDIT).first_share == 0.5
    assert [PLAIN.next_share(s) for s in (0.0, 0.01, 0.05, 0.25, 0.5)] == [
        0.01, 0.05, 0.25, 0.5, None,
    ]  # fmt: skip
