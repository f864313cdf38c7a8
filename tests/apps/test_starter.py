from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payoff.apps.starter import Starter, project_toml, toml_string
from payoff.core.errors import PayoffError
from payoff.economics.prices.llm import price_llm_call
from payoff.plan.project import SCHEMA, Project

NEEDED: dict[str, Any] = {
    "path": "tickets.csv",
    "text": "message",
    "label": "intent",
    "correct": 3.2,
    "wrong": -7.5,
    "per_month": 40_000,
}


def read(tmp_path: Path, **answers: Any) -> Project:
    (tmp_path / "payoff.toml").write_text(project_toml(Starter(**NEEDED | answers)), "utf-8")
    return Project.read(tmp_path)


def test_a_handoff_value_is_written(tmp_path: Path) -> None:
    payoff = read(tmp_path, handoff=-4.1).terms.payoff
    assert (payoff.correct, payoff.wrong, payoff.handoff) == (3.2, -7.5, -4.1)
    assert payoff.person is None


def test_a_person_is_written_in_place_of_a_handoff_value(tmp_path: Path) -> None:
    project = read(tmp_path, minutes=4, wage_per_hour=30, low=20_000, high=70_000)
    assert project.terms.payoff.handoff is None
    assert project.terms.payoff.person is not None
    assert project.terms.payoff.person.cost_each == 2.0
    assert (project.terms.traffic.low, project.terms.traffic.high) == (20_000, 70_000)


def test_every_line_that_is_commented_out_is_accepted_too(tmp_path: Path) -> None:
    """Uncommented in turn, each section of the file holds only keys that the project knows."""
    text = project_toml(Starter(**NEEDED, minutes=4, wage_per_hour=30))
    shown: dict[str, set[str]] = {"": set()}
    section = ""
    for line in text.splitlines():
        bare = line.removeprefix("# ")
        if head := re.match(r"\[+([\w.]+)\]+", bare):
            section = head[1].split(".")[0]
            if bare.startswith("[[") and "." not in head[1]:  # a list of its own
                shown[""].add(section)
                section = "inside"
                continue
            shown.setdefault(section, set())
            if "." in head[1]:
                shown[section].add(head[1].split(".")[1])
                section = "inside"
        elif (key := re.match(r"(\w+) = ", bare)) and section != "inside":
            shown[section].add(key[1])
        elif not bare:
            section = "" if section == "inside" else section
    for name, keys in SCHEMA.items():
        known = set(keys) or shown[name]  # [mix] takes any label
        assert shown[name] - {"truth", "action", "value"} <= known, name
        assert known <= shown[name], name


@given(st.text())
def test_any_text_survives_toml(text: str) -> None:
    text = text.encode("utf-8", "replace").decode("utf-8")
    assert tomllib.loads(f"a = {toml_string(text)}") == {"a": text}


@pytest.mark.parametrize(
    ("answers", "where"),
    [
        ({}, "[value.handoff]"),
        ({"minutes": 4}, "[person]"),
        ({"wage_per_hour": 4}, "[person]"),
        ({"handoff": -1, "minutes": 4, "wage_per_hour": 30}, "[value.handoff]"),
        ({"handoff": -1, "low": 1}, "[traffic]"),
        ({"handoff": -1, "low": 50_000, "high": 60_000}, "[traffic]"),
        ({"handoff": -1, "per_month": 0}, "[traffic.per_month]"),
        ({"handoff": -1, "search_minutes": -1}, "[search.minutes]"),
    ],
)
def test_wrong_answers_are_told(answers: dict[str, Any], where: str) -> None:
    with pytest.raises(PayoffError) as told:
        Starter(**NEEDED | answers)
    assert told.value.code == "PF203"
    assert told.value.where.endswith(where)


def test_what_more_is_said_of_a_person_is_written(tmp_path: Path) -> None:
    said = {"error_rate": 0.02, "delay_cost": 0.5, "capacity_per_month": 6000}
    person = read(tmp_path, minutes=4, wage_per_hour=30, **said).terms.payoff.person
    assert person is not None
    assert (person.error_rate, person.delay_cost, person.capacity_per_month) == (0.02, 0.5, 6000)
    only = read(tmp_path, minutes=4, wage_per_hour=30, error_rate=0.1).terms.payoff.person
    assert only is not None
    assert (only.error_rate, only.delay_cost, only.capacity_per_month) == (0.1, 0.0, None)


@pytest.mark.parametrize(
    ("answers", "code", "told"),
    [
        ({"handoff": -2, "currency": "usd"}, "PF610", "Did you mean 'USD'"),
        ({"handoff": -2, "currency": "XYZ"}, "PF610", "no currency in use"),
        ({"minutes": -4, "wage_per_hour": 30}, "PF203", "'minutes' is -4"),
        ({"minutes": 4, "wage_per_hour": 30, "error_rate": 2}, "PF203", "from 0 to 1"),
        ({"minutes": 4, "wage_per_hour": 30, "capacity_per_month": 0}, "PF203", "is 0"),
        ({"handoff": -2, "error_rate": 0.1}, "PF203", "without minutes"),
        ({"handoff": -2, "correct": float("nan")}, "PF203", "'correct' is nan"),
        ({"handoff": float("inf")}, "PF203", "'handoff' is inf"),
        ({"handoff": -2, "per_month": float("nan")}, "PF203", "'per_month' is nan"),
        ({"handoff": -2, "low": 0, "high": 50_000}, "PF203", "'low' is 0"),
        ({"handoff": -2, "search_minutes": float("inf")}, "PF203", "'minutes' is inf"),
        ({"handoff": -2, "name": "a/b"}, "PF203", "[name]"),
    ],
)
def test_wrong_answers_are_told_before_anything_is_written(
    answers: dict[str, Any], code: str, told: str
) -> None:
    with pytest.raises(PayoffError) as caught:
        Starter(**NEEDED | answers)
    assert caught.value.code == code
    assert told in str(caught.value)


def test_the_language_model_that_is_named_has_a_price() -> None:
    (model,) = re.findall(r'^# model = "(.+?)"', project_toml(Starter(**NEEDED, handoff=-2)), re.M)
    cost = price_llm_call(model, input_tokens=1000, output_tokens=10, on=date(2026, 11, 22)).cost
    assert float(cost) > 0
