"""Pictures: what they draw, what they refuse, and that no word of a user is read as markup."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payoff.plan.report.charts import cash, confusions, frontier, heat_map, tornado
from payoff.plan.report.charts.lettering import Lettering, clean, cut, width_em
from payoff.plan.report.charts.placing import Box, Spot, place_labels
from payoff.plan.report.charts.points import Point, cost_axis, points_of
from payoff.plan.report.charts.segment_map import HUES
from payoff.plan.report.charts.sheet import Sheet
from payoff.plan.report.pictures import PICTURES, picture, save
from payoff.plan.report.theme import THEMES

Make = Callable[..., dict[str, Any]]


def words_in(svg: str) -> list[str]:
    """The texts of a drawing, in order; also says that it is well-formed."""
    root = ElementTree.fromstring(svg)
    return [element.text or "" for element in root.iter() if element.tag.endswith("text")]


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("k", [2, 77])
def test_every_picture_is_plain_svg_in_roles_of_the_theme(
    name: str, k: int, summaries: Make
) -> None:
    drawn = picture(name, summaries(k))
    assert drawn is not None
    for svg in (drawn.wide, drawn.narrow):
        root = ElementTree.fromstring(svg)
        tags = {element.tag for element in root.iter()}
        assert tags <= {"svg", "g", "path", "line", "rect", "text", "circle"}
        assert "http" not in svg
        assert " id=" not in svg
        used = set(re.findall(r"var\(--([a-z0-9-]+)\)", svg))
        assert used
        assert used <= {*THEMES["light"], *(f"segment-{n + 1}" for n in range(len(HUES["light"])))}
        assert not re.search(r"#[0-9a-f]{3,8}\b", svg)
        assert "¦" not in svg


@pytest.mark.parametrize("name", PICTURES)
def test_no_figures_no_picture(name: str) -> None:
    assert picture(name, {}) is None
    assert picture(name, dict.fromkeys(("plans", "months", "confusion", "drivers"))) is None


def test_hostile_and_repeated_names_are_drawn_as_words(summaries: Make) -> None:
    summary = summaries(3)
    evil = "<script>alert('&')</script>"
    summary["confusion"]["labels"] = [evil, "退款", "¦0¦"]
    summary["confusion"]["actions"] = [evil, "退款", "¦0¦", "handoff"]
    summary["plans"][1]["name"] = summary["plans"][0]["name"] = "<b>&twice"
    drawn = picture("heat_map", summary)
    assert drawn is not None
    assert "<script" not in drawn.wide
    shown = words_in(drawn.wide)
    assert "退款" in shown
    assert cut(evil, 13.0) in shown
    plans = picture("frontier", summary)
    assert plans is not None
    assert "<b>&twice" in words_in(plans.wide)


@given(st.text())
def test_lettering_gives_back_any_text_as_one_escaped_line(text: str) -> None:
    lettering = Lettering()
    svg = f"<text>{lettering.put(text, 1e9)}</text>"
    shown = ElementTree.fromstring(lettering.restore(svg)).text or ""
    assert shown == clean(text)
    assert [c for c in text if c.isalnum()] == [c for c in shown if c.isalnum()]


@given(st.text(max_size=60), st.floats(3, 30))
def test_a_cut_text_fits(text: str, limit: float) -> None:
    assert width_em(cut(text, limit)) <= limit + 1e-6


@given(
    st.lists(st.builds(Spot, st.floats(0, 700), st.floats(0, 400), st.floats(20, 200)), max_size=25)
)
def test_labels_cover_neither_each_other_nor_points(spots: list[Spot]) -> None:
    places = place_labels(spots, 700, 400)
    boxes = []
    for spot, place in zip(spots, places, strict=True):
        if place is None:
            continue
        start = {"left": 0.0, "right": -spot.text_px, "center": -spot.text_px / 2}[place.align]
        left, top = spot.x + place.dx + start, spot.y + place.dy - 7.5
        box = Box(left, top, left + spot.text_px, top + 15)
        assert Box(0, 0, 700, 400).holds(box)
        if spot is not spots[0]:
            assert not any(box.distance(o.x, o.y) < 5 for o in spots if o is not spot)
        boxes.append(box)
    assert not any(a.meets(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_the_chosen_plan_is_named_even_in_a_crowd(summaries: Make) -> None:
    summary = summaries(4)
    chosen = summary["plans"][0]
    for copy_no in range(12):
        twin = copy.deepcopy(chosen) | {"name": f"twin {copy_no}", "status": "lost"}
        summary["plans"].append(twin)
    for narrow in (False, True):
        svg = frontier.draw_frontier(summary, Sheet(narrow=narrow))
        assert svg is not None
        shown = words_in(svg)
        assert cut(chosen["name"], 17.0) in shown or chosen["name"] in shown


def test_the_frontier_holds_what_no_other_plan_beats(summaries: Make) -> None:
    points = points_of(summaries(4))
    best = {p.name for p in points if p.best}
    assert best == {"do nothing", "fine-tune minilm-l6 int8"}
    assert len(points) == 9  # the failed plan and the one not run have no place


def test_a_plan_far_below_is_named_with_its_profit(summaries: Make) -> None:
    svg = frontier.draw_frontier(summaries(4), Sheet())
    assert svg is not None
    assert "people only −58k" in words_in(svg)


@given(st.lists(st.floats(0, 1e7), min_size=1, max_size=9))
def test_cost_ticks_stay_apart_and_on_the_axis(costs: list[float]) -> None:
    points = [Point("p", c, 1.0, None, None, False, False) for c in costs]
    axis = cost_axis(points)
    assert all(0 <= axis.at(cost) <= 1 for cost in costs)
    for width in (290.0, 710.0):
        places = [axis.at(tick) * width for tick in axis.ticks(width)]
        assert 1 <= len(places) <= 20
        assert all(b - a >= 25 for a, b in pairwise(places))
        assert places[0] >= 0
        assert places[-1] <= width + 1e-6


def test_the_heat_map_keeps_every_cent(summaries: Make) -> None:
    summary = summaries(77)
    total = sum(cell.money or 0.0 for cell in confusions.cells_of(summary))
    matrix = heat_map.folded(summary)
    assert matrix is not None
    assert matrix.n_folded == 62
    assert len(matrix.rows) == 16
    assert len(matrix.columns) == 17
    assert math.fsum(m or 0.0 for m in matrix.money.values()) == pytest.approx(total)
    assert matrix.colour(15, 15) == "var(--rule)"
    small = heat_map.folded(summary, 7, with_others=False)
    assert small is not None
    assert len(small.rows) == 6
    assert len(small.columns) == 7


def test_a_small_heat_map_keeps_order_and_says_what_is_unknown(summaries: Make) -> None:
    summary = summaries(3)
    summary["confusion"]["money"][1][0] = None
    matrix = heat_map.folded(summary)
    assert matrix is not None
    assert list(matrix.rows) == summary["confusion"]["labels"]
    assert matrix.columns[-1] == "handoff"
    svg = heat_map.draw_heat_map(summary, Sheet())
    assert svg is not None
    assert "?" in words_in(svg)


def test_dearest_are_wrong_answers_in_order(summaries: Make) -> None:
    cells = confusions.dearest(summaries(77))
    amounts = [cell.money or 0.0 for cell in cells]
    assert len(cells) == 12
    assert amounts == sorted(amounts)
    assert all(cell.wrong and cell.action != "handoff" for cell in cells)
    misshapen = {"confusion": {"labels": ["a", "b"], "actions": ["a", "b"], "money": [[1]]}}
    assert [c.money for c in confusions.cells_of(misshapen)] == [1.0, None, None, None]


@pytest.mark.parametrize(
    ("means", "turning"),
    [([-5, -1, 2, 4], 3), ([1, 2, 3], 1), ([-3, -2, -1], None), ([-1, 1, -1, 1], 4)],
)
def test_cash_turns_where_it_stays_up(means: list[float], turning: int | None) -> None:
    summary = {"months": [{"month": i + 1, "cash_mean": m} for i, m in enumerate(means)]}
    assert cash.turning_month(cash.months_of(summary)) == turning
    svg = cash.draw_cash(summary, Sheet())
    assert svg is not None
    said = f"cash turns positive in month {turning}" in words_in(svg)
    assert said is (turning not in (None, 1))


def test_drivers_come_widest_first_and_unknown_ones_stay_out() -> None:
    summary = {
        "drivers": [
            {"name": "narrow", "low_profit": 9, "high_profit": 11, "low_input": 1},
            {"name": "unknown", "low_profit": None, "high_profit": 11},
            {"name": "wide", "low_profit": 30, "high_profit": -2, "low_input": "few"},
        ]
    }
    assert [d.name for d in tornado.drivers_of(summary)] == ["wide", "narrow"]
    svg = tornado.draw_tornado(summary, Sheet())
    assert svg is not None
    assert "at few: 30" in words_in(svg)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_saved_picture_stands_alone(theme: str, tmp_path: Path, summaries: Make) -> None:
    summary = summaries(6, language="zh")
    svg = save("frontier", summary, tmp_path / "plans.svg", theme=theme).read_text("utf-8")
    assert svg.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert "var(--" not in svg
    assert THEMES[theme]["paper"] in svg
    assert "只用人工 −58k" in words_in(svg)
    png = save("dearest", summary, tmp_path / "plans.png", theme=theme, narrow=True).read_bytes()
    assert png.startswith(b"\x89PNG")


def test_saving_refuses_another_ending_and_a_picture_without_figures(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.svg or \.png"):
        save("cash", {}, tmp_path / "cash.gif")
    with pytest.raises(ValueError, match="lacks the figures"):
        save("cash", {}, tmp_path / "cash.svg")
    assert list(tmp_path.iterdir()) == []


def _luminance(colour: str) -> float:
    parts = [c / 255 for c in bytes.fromhex(colour[1:])]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", THEMES)
def test_words_can_be_read_on_their_grounds(theme: str) -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1 for text; 1.4.11: 3 to 1 for marks."""
    roles = THEMES[theme]
    for text in ("ink", "soft", "gain", "loss", "caution"):
        for ground in ("paper", "card"):
            assert _contrast(roles[text], roles[ground]) >= 4.5, (text, ground)
    for ground in ("gain-1", "gain-2", "gain-3", "loss-1", "loss-2", "loss-3", "rule"):
        assert _contrast(roles["ink"], roles[ground]) >= 4.5, ground
    for ground in ("gain", "loss", "gain-4", "loss-4"):
        assert _contrast(roles["on-strong"], roles[ground]) >= 4.5, ground
    assert _contrast(roles["gain-3"], roles["paper"]) >= 2.5


def test_the_label_curve_names_what_is_at_hand_and_what_to_buy(summaries: Make) -> None:
    summary = summaries(3)
    drawn = picture("label_curve", summary)
    assert drawn is not None
    for svg in (drawn.wide, drawn.narrow):
        assert {"now: 8,428", "buy up to 9,628"} <= set(words_in(svg))
        assert svg.count('stroke-dasharray="5,4"') == 1


def test_a_label_curve_that_tells_nothing_shows_its_points_alone(summaries: Make) -> None:
    summary = summaries(3)
    summary["labels"]["curve"]["line"] = []
    drawn = picture("label_curve", summary)
    assert drawn is not None
    assert not any("now" in word for word in words_in(drawn.wide))
    summary["labels"]["curve"]["points"] = []
    assert picture("label_curve", summary) is None
