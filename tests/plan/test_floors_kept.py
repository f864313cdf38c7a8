"""Floors and people's capacity from the terms to the artifact, the report and the what-if."""

from __future__ import annotations

from pathlib import Path

import pytest

import payoff
from payoff.core.errors import EconomicsError
from payoff.data.dataset import Dataset
from payoff.economics.floor import Floor
from payoff.economics.payoff import Payoff
from payoff.economics.person import Person
from payoff.economics.traffic import Traffic
from payoff.plan.kept import Kept
from payoff.plan.plan import Plan
from payoff.plan.search import search
from payoff.plan.standing import Standing
from payoff.plan.stated_terms import terms_of
from payoff.plan.terms import Terms
from payoff.plan.what_if import standing

TRAFFIC = Traffic(1000)


def found(requests: Dataset, runs: Path, *floors: Floor, capacity: float | None = None) -> Plan:
    person = Person(4, 30, capacity_per_month=capacity)
    worth = Payoff(correct=3.0, wrong=-6.0, currency="USD", person=person)
    terms = Terms(worth, TRAFFIC, floors=floors)
    only = ["bag-of-words"]
    return search(requests, worth, traffic=TRAFFIC, minutes=0.3, only=only, runs=runs, terms=terms)


def test_a_floor_is_served_and_confirmed_on_test_rows(requests: Dataset, runs: Path) -> None:
    floor = Floor(None, at_most=0.2, confidence=0.6)
    plan = found(requests, runs, floor)
    told = [entry for entry in plan.summary["findings"] if entry["code"] == "PF680"]
    assert [entry["status"] for entry in told] == ["passed"]
    assert str(floor) in told[0]["detail"]
    assert plan.summary["calibration"]["choice"]["method"] == "temperature"
    assert terms_of(Kept.read(plan.folder).sections, Path()).floors == (floor,)
    same = next(one for one in standing(plan.folder).contenders if one.kind == "model")
    assert same.automated_share == plan.summary["decision"]["automated_share"]
    held = Kept.read(plan.folder)
    strict = {"floors": [Floor("refund", at_most=0.0001).as_dict()]}
    terms = terms_of({**held.sections, **strict}, Path())
    with pytest.raises(EconomicsError, match="PF640"):
        Standing.of(held, terms)


def test_what_people_can_take_is_priced(requests: Dataset, runs: Path) -> None:
    plan = found(requests, runs, capacity=20)
    with payoff.load(plan.artifact) as desk:
        assert desk.policy.penalties is not None
        assert (desk.policy.penalties[:, -1] > 0).all()
        assert (desk.policy.penalties[:, :-1] == 0).all()
    same = next(one for one in standing(plan.folder).contenders if one.kind == "model")
    assert same.automated_share == plan.summary["decision"]["automated_share"]


def test_a_floor_that_no_model_can_promise_is_an_error(requests: Dataset, runs: Path) -> None:
    with pytest.raises(EconomicsError, match=r"PF640.*about 29956 rows of 'refund'"):
        found(requests, runs, Floor("refund", at_most=0.0001))
