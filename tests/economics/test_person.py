"""Person and class values: what the people cost, and figures that make no sense."""

from __future__ import annotations

import math

import pytest

from payoff.core.errors import PayoffError, Problems, ProjectError
from payoff.economics.class_value import ClassValue
from payoff.economics.person import Person
from payoff.economics.stated import Stated


def test_cost_of_one_request_is_time_times_wage() -> None:
    assert Person(6, 25).cost_each == pytest.approx(2.5)  # a tenth of an hour
    assert Person(0, 25).cost_each == 0.0


def test_all_wrong_figures_are_told_at_once() -> None:
    with pytest.raises(Problems) as caught:
        Person(-1, math.nan, 1.5, delay_cost=-2, capacity_per_month=-3)
    told = [problem.found for problem in caught.value.problems]
    assert len(told) == 5
    assert all(problem.code == "PF203" for problem in caught.value.problems)
    assert "'error_rate' is 1.5" in told


@pytest.mark.parametrize("value", [True, "4", None, [1]])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(ProjectError, match=r"PF203 .*'minutes' is"):
        Person(value, 30)  # type: ignore[arg-type]


def test_person_survives_a_round_trip() -> None:
    person = Person(4, 30, 0.02, delay_cost=0.1, capacity_per_month=900)
    assert Person.from_dict(person.as_dict()) == person


def test_unknown_and_missing_keys_are_told_together() -> None:
    with pytest.raises(Problems) as caught:
        Person.from_dict({"minuts": 4})
    codes = [problem.code for problem in caught.value.problems]
    assert codes == ["PF202", "PF203", "PF203"]
    assert "Did you mean 'minutes'?" in str(caught.value)


def test_class_value_writes_only_what_is_set() -> None:
    assert ClassValue(correct=1.0, handoff=-2.0).as_dict() == {"correct": 1.0, "handoff": -2.0}


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"at_least": 0.0, "at_most": 1.0}, "from 0 to 1"),
        ({"above": 2.0}, "above 2"),
        ({"at_least": 3.0}, "3 or more"),
        ({}, "finite"),
    ],
)
def test_stated_says_which_numbers_it_takes(limits: dict[str, float], expected: str) -> None:
    stated = Stated("here")
    assert math.isnan(stated.number("x", -math.inf, **limits))
    with pytest.raises(PayoffError, match=expected):
        stated.raise_all()


def test_people_who_can_answer_nothing_are_refused_where_they_are_stated() -> None:
    with pytest.raises(ProjectError, match=r"PF203.*nothing handed over would be answered"):
        Person.from_dict({"minutes": 4, "wage_per_hour": 30, "capacity_per_month": 0})
    assert Person(4, 30, capacity_per_month=0).capacity_per_month == 0  # a plan without people
