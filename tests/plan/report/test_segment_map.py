from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from payoff.core.errors import ProjectError
from payoff.plan.report.charts.segment_map import HUES, draw_segment_map, map_of, save_map
from payoff.plan.report.charts.sheet import Sheet
from payoff.plan.report.segment_page import segment_page

HOSTILE = "<script>alert(1)</script>"


def summary_of(k: int, n: int = 40, *, name: str = "segment") -> dict:
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(k), n)
    middles = rng.normal(size=(k, 2)) * 6
    plane = middles[codes] + rng.normal(size=(len(codes), 2))
    named = [{"name": f"{name} {s}", "note": "9%"} for s in range(k)]
    return {"map": map_of(plane, codes, named), "sentence": "Enter it.", "title": "Map"}


@pytest.mark.parametrize("narrow", [False, True])
def test_every_segment_is_named_where_there_is_room(narrow: bool) -> None:
    drawn = draw_segment_map(summary_of(5), Sheet(narrow=narrow))
    assert drawn is not None
    assert all(f"segment {s}" in drawn for s in range(5))
    assert "http" not in drawn.replace("http://www.w3.org", "")


def test_names_do_not_overlap() -> None:
    drawn = draw_segment_map(summary_of(14), Sheet())
    boxes = []
    for x, y, anchor, text in re.findall(
        r'<text text-anchor="(\w+)"[^>]*transform="translate\(([\d.]+),([\d.]+)\)"[^>]*>([^<]+)<',
        drawn,
    ):
        anchor, left, top = x, float(y), float(anchor)
        width = 6.6 * len(text)
        left -= {"start": 0, "middle": width / 2, "end": width}[anchor]
        boxes.append((left, top, left + width, top + 12))
    assert len(boxes) >= 8
    for i, one in enumerate(boxes):
        for other in boxes[:i]:
            apart = one[0] >= other[2] or other[0] >= one[2] or one[1] >= other[3]
            assert apart or other[1] >= one[3]


def test_many_rows_are_sampled_and_said() -> None:
    found = summary_of(4, 1000)["map"]
    assert len(found["dots"]) == 1500
    assert found["n_rows"] == 4000


def test_a_lone_place_is_drawn_too() -> None:
    found = {"map": map_of(np.zeros((6, 2)), np.repeat([0, 1], 3), [{"name": "a"}, {"name": "b"}])}
    assert "<svg" in (draw_segment_map(found, Sheet()) or "")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_picture_on_its_own_has_the_colours_of_its_theme(tmp_path: Path, theme: str) -> None:
    path = save_map(summary_of(3), tmp_path / "map.svg", theme=theme)
    svg = path.read_text("utf-8")
    assert "var(--" not in svg
    assert all(hue in svg for hue in HUES[theme][:3])


def test_a_page_holds_both_themes_and_reads_nothing_as_markup() -> None:
    page = segment_page(
        summary_of(3, name=HOSTILE)
        | {
            "title": HOSTILE,
            "notes": [HOSTILE],
            "table": {"columns": ["segment", "rows"], "rows": [[HOSTILE, "3"]], "right": ["rows"]},
        }
    )
    assert "<script" not in page
    assert "prefers-color-scheme:dark" in page
    assert HUES["dark"][0] in page
    assert '<td class="right">3</td>' in page


def test_an_ending_that_is_no_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="PF290"):
        save_map(summary_of(2), tmp_path / "map.pdf")


def test_both_themes_have_as_many_hues_that_stand_out() -> None:
    assert len(HUES["light"]) == len(HUES["dark"]) == len(set(HUES["light"]))

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for theme, ground in (("light", "#fbfaf7"), ("dark", "#11151b")):
        for hue in HUES[theme]:
            one, other = sorted((luminance(hue), luminance(ground)))
            assert (other + 0.05) / (one + 0.05) >= 3  # WCAG 2.1, 1.4.11
