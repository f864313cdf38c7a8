"""The picture of smaller forms: what it draws and says, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from tests.plan.report.test_pictures import words_in

from payoff.plan.report.charts.sheet import Sheet
from payoff.plan.report.charts.sizes import draw_sizes, forms_of
from payoff.plan.report.readings import read_sizes


def form(way: str, mb: float, lost: float, status: str = "behind another") -> dict[str, Any]:
    return {"model": "m", "way": way, "size_bytes": mb * 1e6, "lost": lost, "status": status}


def summary_of(*forms: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"compression": {"forms": list(forms), **more}}


WHOLE = form("fp32", 90.0, 0.0, "on the frontier")
SMALL = form("int8", 22.5, 0.25, "chosen")


@pytest.mark.parametrize("narrow", [False, True])
def test_every_form_with_room_has_its_name(narrow: bool) -> None:
    student = form("fp32", 40.0, 1.0) | {"model": "student"}
    drawn = draw_sizes(summary_of(WHOLE, SMALL, student), Sheet(narrow=narrow))
    assert drawn is not None
    assert {"as trained", "int8", "student, as trained"} <= set(words_in(drawn))


def test_a_form_whose_figures_are_unknown_is_left_out() -> None:
    broken = [SMALL | {"size_bytes": None}, SMALL | {"lost": float("nan")}]
    assert [one.name for one in forms_of(summary_of(WHOLE, *broken))] == ["as trained"]
    assert draw_sizes(summary_of(*broken), Sheet()) is None
    assert draw_sizes({"compression": None}, Sheet()) is None


def test_it_is_read_as_a_sentence() -> None:
    told = read_sizes(summary_of(WHOLE, SMALL, lost_on_test=0.5))
    assert told == (
        "Of 2 forms of the model the one that earns most has 22.5 MB in place of 90.0; it loses "
        "0.25 points of accuracy on validation rows, 0.50 on test rows."
    )
    assert read_sizes(summary_of(WHOLE, SMALL)).endswith("on validation rows.")
    as_it_is = read_sizes(summary_of(WHOLE | {"status": "chosen"}, SMALL | {"status": "behind"}))
    assert as_it_is == "The model earns most as it is: none of 1 other forms earns more."
    assert read_sizes(summary_of(WHOLE)) == "The model was not made smaller."
