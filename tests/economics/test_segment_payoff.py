"""Payoffs by segment: restated row by row, through policy, floors, people, cascade and forecast."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.economics.pair_artifact import LABELS, VALUES, pair_artifact
from tests.economics.tiers import drawn, policy_of, tiers_of

from payoff.artifact.artifact import Artifact
from payoff.core.errors import DataError, EconomicsError, PayoffError
from payoff.data.dataset import Dataset
from payoff.economics.capacity import within_capacity
from payoff.economics.cascades.cascade import Cascade
from payoff.economics.cascades.cascade_policy import CascadePolicy
from payoff.economics.cascades.cascade_search import best_cascade
from payoff.economics.class_value import ClassValue
from payoff.economics.dearer import dearer_mistakes, dearer_people
from payoff.economics.desk import Desk
from payoff.economics.evaluate import evaluate
from payoff.economics.floor import Floor
from payoff.economics.held_floors import confirm_floors, hold_floors
from payoff.economics.outcome import Outcome
from payoff.economics.payoff import Payoff
from payoff.economics.person import Person
from payoff.economics.policy import Policy
from payoff.economics.segment_value import SegmentValue
from payoff.economics.value_tables import ValueTables

AB = ("a", "b")
VIP = {"vip": SegmentValue(correct=9.0, wrong=-50.0, handoff=-1.0)}
PLAIN = Payoff(3.0, -7.0, -2.0, currency="USD", segments=VIP)


def by_segment(policy: Policy, names: Any, decide: Any) -> np.ndarray:
    """What policies of one segment alone do with their own rows, put together."""
    out = np.zeros(len(names))
    for name in set(names):
        values = policy.segment_values.get(name, policy.values)
        rows = np.array([own == name for own in names])
        out[rows] = decide(replace(policy, values=values, segment_values={}), rows)
    return out


def test_a_figure_of_a_segment_replaces_the_same_one() -> None:
    vip = PLAIN.matrix(AB), PLAIN.of_segment("vip").matrix(AB)
    assert vip[0].tolist() == [[3, -7, -2], [-7, 3, -2]]
    assert vip[1].tolist() == [[9, -50, -1], [-50, 9, -1]]
    assert float(PLAIN.of(truth="a", action="b", segment="vip")) == -50
    assert float(PLAIN.of(truth="a", action="b", segment="free")) == -7
    assert float(PLAIN.of(truth="a", action="handoff", segment="vip")) == -1


def test_classes_of_the_segment_stand_above_those_of_the_payoff_figure_by_figure() -> None:
    worth = Payoff(
        3, -7, -2, currency="USD",
        classes={"a": ClassValue(wrong=-20, correct=5)},
        segments={"vip": SegmentValue(wrong=-50, classes={"a": ClassValue(wrong=-90)})},
    )  # fmt: skip
    assert worth.of_segment("vip").matrix(AB).tolist() == [[5, -90, -2], [-50, 3, -2]]


def test_people_are_paid_once_whatever_the_segment() -> None:
    worth = Payoff(
        3, -7, currency="USD", person=Person(6, 30, 0.1),
        segments={"vip": SegmentValue(wrong=-50)},
    )  # fmt: skip
    truth, handed = np.array([0, 0]), np.array([2, 2])
    names = np.array(["vip", ""])
    done = Outcome.of_actions(worth, AB, truth, handed, names)
    # Right 9 times of 10, before a wage that the forecast takes off: 6 minutes at 30 an hour.
    assert done.gross_values == pytest.approx([0.9 * 3 - 0.1 * 50, 0.9 * 3 - 0.1 * 7])
    net = Policy.from_payoff(worth, AB).realised(truth, handed, names)
    assert net == pytest.approx(done.gross_values - 3.0)


@given(st.integers(0, 10**6))
def test_a_policy_of_segments_is_a_policy_for_each(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, k = 60, 3
    values = rng.normal(0, 5, (k, k + 1))
    own = {name: rng.normal(0, 5, (k, k + 1)) for name in ("vip", "clinics")}
    penalties = rng.uniform(0, 2, (k, k + 1))
    shift = rng.uniform(0.5, 2, k)
    policy = Policy(("x", "y", "z"), values, shift, penalties, segment_values=own)
    p = rng.dirichlet(np.ones(k), n)
    names = rng.choice(["vip", "clinics", "free", ""], n)
    truth = rng.integers(0, k, n)
    done = policy.decide(p, names)
    assert (
        done.actions == by_segment(policy, names, lambda one, r: one.decide(p[r]).actions)
    ).all()
    argmax = policy.argmax(p, names)
    assert (argmax.values == by_segment(policy, names, lambda o, r: o.argmax(p[r]).values)).all()
    expected = by_segment(policy, names, lambda o, r: o.realised(truth[r], done.actions[r]))
    assert policy.realised(truth, done.actions, names) == pytest.approx(expected)
    again = Policy.from_dict(policy.to_dict())
    assert (again.decide(p, names).actions == done.actions).all()
    assert again.to_dict() == policy.to_dict()


def test_without_segments_names_change_nothing() -> None:
    policy = policy_of(2)
    p = np.array([[0.9, 0.1], [0.5, 0.5]])
    assert (policy.decide(p, np.array(["x", "y"])).values == policy.decide(p).values).all()
    assert "segments" not in policy.to_dict()


def test_people_go_where_a_handoff_is_worth_most() -> None:
    policy = Policy.from_payoff(PLAIN, AB)
    p = np.full((4, 2), 0.5)  # a guess loses 2 in general, and 20.5 for a vip
    held = within_capacity(policy, p, 0.5, np.array(["vip", "", "vip", ""]))
    done = held.policy.decide(p, np.array(["vip", "", "vip", ""])).actions
    assert (done == 2).tolist() == [True, False, True, False]


def test_a_floor_is_held_on_decisions_by_segment() -> None:
    rng = np.random.default_rng(0)
    truth, (p,) = drawn(rng, 600, (2.5,), 2)
    names = np.where(rng.random(600) < 0.5, "vip", "")
    general = Policy(AB, np.array([[3.0, -1.0, -2.0], [-1.0, 3.0, -2.0]]))
    policy = replace(general, segment_values={"vip": np.array([[3.0, -40, -2], [-40, 3.0, -2]])})
    floor = Floor("a", at_most=0.05)
    held = hold_floors(policy, [floor], p, truth, segments=names)
    done = held.policy.decide(p, names).actions
    errors = int(((truth == 0) & (done == 1)).sum())
    assert held.floors[0].errors == errors
    assert held.value == pytest.approx(policy.realised(truth, done, names).mean())
    told = confirm_floors(held.policy, [floor], p, truth, segments=names)[0]
    assert f"{errors} of {int((truth == 0).sum())}" in told.detail


def test_a_cascade_asks_more_about_those_whose_errors_are_dear() -> None:
    truth, said = drawn(np.random.default_rng(1), 1200, (2.0, 3.5), 3)
    names = np.where(np.arange(1200) % 2 == 0, "vip", "")
    plain = policy_of(3)
    dear = plain.values.copy()
    dear[dear == -6.0] = -60.0
    dear[:, -1] = -2.0
    policy = replace(plain, segment_values={"vip": dear})
    tiers = tiers_of(said, (0.0, 0.4))
    found = best_cascade(tiers, policy, truth, at_least=2, segments=names)
    asked = found.judged.tiers == 1
    assert asked[names == "vip"].mean() > asked[names == ""].mean() + 0.1
    blind = best_cascade(tiers, plain, truth, at_least=2)
    worth = policy.realised(truth, plain.decide(blind.judged.probabilities).actions, names)
    assert found.valued.value > float((worth - blind.judged.costs).mean())
    by_hand = policy.realised(truth, found.judged.actions, names)
    assert found.judged.worths == pytest.approx(by_hand)
    fitted = Cascade.fit(tiers, policy, truth, segments=names)
    done = fitted.policy.answer(policy, 1200, lambda tier, rows: said[tier][rows], names)
    again = CascadePolicy.from_dict(fitted.policy.to_dict())
    repeated = again.answer(policy, 1200, lambda tier, rows: said[tier][rows], names)
    assert (repeated.tiers == done.tiers).all()


def test_dearer_mistakes_and_people_are_dearer_in_every_segment() -> None:
    worth = replace(PLAIN, segments={"vip": SegmentValue(wrong=-50, handoff=-4)})
    assert dearer_mistakes(worth, 2).of_segment("vip").matrix(AB)[0].tolist() == [3, -100, -4]
    assert dearer_people(worth, 1.5).of_segment("vip").matrix(AB)[0].tolist() == [3, -50, -6]


def test_an_api_is_as_often_right_in_every_segment() -> None:
    truth, names = np.array([0, 1]), np.array(["vip", ""])
    done = Outcome.of_accuracy(PLAIN, AB, truth, 0.8, names)
    assert done.gross_values == pytest.approx([0.8 * 9 - 0.2 * 50, 0.8 * 3 - 0.2 * 7])


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"vip": {"wrng": -5}}, "PF202 payoff.toml [value.segments.vip]: key 'wrng' is unknown"),
        ({"vip": {}}, "PF203 payoff.toml [value.segments.vip]: it says nothing"),
        ({"vip": -5}, "PF203 payoff.toml [value.segments.vip]: it is -5"),
        ({"vip": {"wrong": float("nan")}}, "PF203 payoff.toml [value.segments.vip]: 'wrong'"),
        ({" ": {"wrong": -5}}, "its name is empty"),
        ({"vip": {"classes": {"a": {"wrong": "x"}}}}, "[value.segments.vip.classes.a]"),
        ({"vip": {"classes": 3}}, "'classes' is 3"),
    ],
)
def test_what_is_wrong_with_a_segment_is_told(table: Any, told: str) -> None:
    plain = {"currency": "USD", "correct": 3, "wrong": -7, "handoff": -2}
    with pytest.raises(PayoffError) as caught:
        Payoff.from_dict({**plain, "segments": table})
    assert told in str(caught.value)


def test_contradictions_are_told() -> None:
    with pytest.raises(PayoffError, match="both 'handoff' and"):
        Payoff(3, -7, currency="USD", person=Person(4, 30), segments=VIP)
    cells = {"a": {"a": 1.0, "b": -1.0, "handoff": 0.0}, "b": {"a": -1.0, "b": 1.0, "handoff": 0.0}}
    with pytest.raises(PayoffError, match="beside a full matrix it would not count"):
        Payoff(0, 0, currency="USD", matrix_values=cells, segments=VIP)


def test_labels_and_segments_must_be_in_the_data() -> None:
    names = np.array(["vip", "free"])
    PLAIN.check_fits(AB, names)
    with pytest.raises(PayoffError, match=r"PF203 .*no column of t\.csv says which segment"):
        PLAIN.check_fits(AB, None, source="t.csv")
    odd = replace(PLAIN, segments={"vips": SegmentValue(wrong=-9)})
    with pytest.raises(PayoffError, match=r"segments: free, vip\)\. Did you mean 'vip'"):
        odd.check_fits(AB, names)
    lacks = SegmentValue(classes={"c": ClassValue(wrong=-9)})
    with pytest.raises(PayoffError, match="label 'c' is not in"):
        replace(PLAIN, segments={"vip": lacks}).check_fits(AB, names)


def test_it_is_read_back_as_it_was_written() -> None:
    worth = replace(PLAIN, segments={"vip": SegmentValue(-1, classes={"a": ClassValue(wrong=-9)})})
    assert Payoff.from_dict(worth.as_dict()) == worth


def test_tables_and_names_that_do_not_fit_are_refused() -> None:
    with pytest.raises(EconomicsError, match="PF613 policy values of the segment 'vip'"):
        Policy(AB, np.eye(2, 3), segment_values={"vip": np.eye(3, 4)})
    policy = Policy.from_payoff(PLAIN, AB)
    with pytest.raises(EconomicsError, match="PF614 segments: 1 for 2 requests"):
        policy.decide(np.full((2, 2), 0.5), np.array(["vip"]))
    assert ValueTables(np.eye(2, 3)).codes(np.array(["vip"]), 3).tolist() == [0, 0, 0]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Rather sure of one of two labels; a vip's errors are a hundred times as dear."""
    general = VALUES
    vip = {"vip": np.array([[3.0, -700.0, -1.0], [-700.0, 3.0, -1.0]])}
    artifact = Artifact.open(pair_artifact(tmp_path))
    return Desk(artifact, Policy(LABELS, general, segment_values=vip), "USD")


def test_a_desk_decides_by_the_customers_segment(desk: Desk) -> None:
    assert [desk.decide("good", segment=name).action for name in (None, "free", "vip")] == [
        "good",
        "good",
        "handoff",
    ]
    said = desk.decide_many(["good"] * 3, segments=["vip", None, "unheard of"])
    assert [one.segment for one in said] == ["vip", "", ""]
    assert [one.action for one in said] == ["handoff", "good", "good"]
    assert said[0].as_dict()["segment"] == "vip"
    assert "segment" not in said[1].as_dict()
    p = desk.decide("good").probability
    assert float(said[1].worth) == pytest.approx(3 * p - 7 * (1 - p), abs=1e-6)
    with pytest.raises(DataError, match="PF112 pairs: 1 segments for 2 texts"):
        desk.decide_many(["good", "bad"], segments=["vip"])


def test_evaluating_counts_each_row_by_its_segment(desk: Desk) -> None:
    rows = pl.DataFrame({"t": ["good", "good"], "l": ["good", "good"], "s": ["vip", "free"]})
    told = evaluate(desk, Dataset.from_frame(rows, text="t", label="l", segment="s"), seconds=0)
    assert told.profit_per_1000 == pytest.approx(1000 * (-1 + 3) / 2)
    plain = evaluate(desk, Dataset.from_frame(rows, text="t", label="l"), seconds=0)
    assert plain.profit_per_1000 == pytest.approx(3000)
