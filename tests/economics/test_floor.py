from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payoff.core.errors import PayoffError, Problems, ProjectError
from payoff.economics.floor import Floor, floors_of

LABELS = ("a", "b", "c")


@pytest.mark.parametrize(
    ("floor", "words"),
    [
        (Floor("a", at_most=0.01), "at most 1% of a answered as something else, with 95%"),
        (Floor(None, at_most=0.005), "at most 0.5% of all requests answered wrongly, with 95%"),
        (Floor("a", "wrong action", at_most=0.1), "of what is answered as a wrong, with"),
        (Floor(None, "wrong action", at_most=0.1, confidence=0.999), "of all answers wrong, with"),
        (Floor("a", at_most=0.01, confidence=None), "answered as something else on average"),
    ],
)
def test_says_what_it_promises(floor: Floor, words: str) -> None:
    assert words in str(floor)


def test_errors_by_hand() -> None:
    missed, wrong = Floor("b", at_most=0.1), Floor("b", "wrong action", at_most=0.1)
    assert np.argwhere(missed.cells(LABELS)).tolist() == [[1, 0], [1, 2]]
    assert np.argwhere(wrong.cells(LABELS)).tolist() == [[0, 1], [2, 1]]
    every = Floor(None, at_most=0.1).cells(LABELS)
    assert every.sum() == 6
    assert not every[:, 3].any(), "handing over is no error"
    np.testing.assert_array_equal(every, Floor(None, "wrong action", at_most=0.1).cells(LABELS))


def test_rows_counted_by_hand() -> None:
    truth, actions = np.array([0, 1, 1, 2]), np.array([1, 1, 3, 0])
    counted = {
        (label, kind): Floor(label, kind, at_most=0.1).counted(LABELS, truth, actions).tolist()
        for label in ("b", None)
        for kind in ("missed", "wrong action")
    }
    assert counted[("b", "missed")] == [False, True, True, False]
    assert counted[("b", "wrong action")] == [True, True, False, False]
    assert counted[(None, "missed")] == [True] * 4
    assert counted[(None, "wrong action")] == [True, True, False, True]


@given(
    label=st.sampled_from(["a", None]),
    kind=st.sampled_from(["missed", "wrong action"]),
    seed=st.integers(0, 10**6),
)
def test_every_error_is_of_a_counted_row(label: str | None, kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, actions = rng.integers(0, 3, 20), rng.integers(0, 4, (5, 20))
    floor = Floor(label, kind, at_most=0.1)  # type: ignore[arg-type]
    errors = floor.cells(LABELS)[truth, actions]
    counted = floor.counted(LABELS, truth, actions)
    assert counted.shape == errors.shape == (5, 20)
    assert not (errors & ~counted).any()


def test_round_trip_and_toml() -> None:
    for floor in (Floor("a", at_most=0.1), Floor(None, at_most=0.02, confidence=None)):
        assert Floor.from_dict(json.loads(json.dumps(floor.as_dict()))) == floor
    assert Floor.from_dict({"at_most": 0.1, "confidence": 0}).confidence is None


@pytest.mark.parametrize(
    ("table", "part"),
    [
        ({"label": "a"}, "'at_most' is missing"),
        ({"at_most": 0}, "above 0"),
        ({"at_most": 1.0}, "below 1"),
        ({"at_most": float("nan")}, "at_most"),
        ({"at_most": "1%"}, "at_most"),
        ({"at_most": 0.1, "confidence": 1.0}, "below 1"),
        ({"at_most": 0.1, "confidence": 0.3}, "above 0.5"),
        ({"at_most": 0.1, "kind": "mised"}, "'mised' is unknown"),
        ({"at_most": 0.1, "kind": 3}, "text in quotes"),
        ({"at_most": 0.1, "label": 3}, "text in quotes"),
        ({"at_most": 0.1, "kind": "wrong action", "confidence": 0}, "confidence"),
        ({"at_most": 0.1, "lable": "a"}, "Did you mean 'label'"),
    ],
)
def test_what_is_no_floor_is_refused(table: dict[str, object], part: str) -> None:
    with pytest.raises(PayoffError, match=part) as caught:
        Floor.from_dict(table)
    assert caught.value.code in ("PF202", "PF203")


def test_a_label_that_the_data_lack() -> None:
    with pytest.raises(ProjectError, match=r"PF203.*'card_stolem'.*Did you mean 'card_stolen'"):
        Floor("card_stolem", at_most=0.1).place(("card_lost", "card_stolen"))


def test_all_that_is_wrong_with_all_floors_is_told_at_once() -> None:
    tables = [{"at_most": 2}, 0.05, {"at_most": 0.05}, {"at_most": 0.1, "kind": "x", "to": 1}]
    with pytest.raises(Problems) as caught:
        floors_of(tables)
    codes = [problem.code for problem in caught.value.problems]
    assert codes == ["PF203", "PF203", "PF202"]
    assert floors_of([]) == ()
