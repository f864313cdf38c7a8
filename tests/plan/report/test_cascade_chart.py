"""The picture of a cascade: what it draws and says, and what it refuses."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from payoff.plan.report.charts.cascade import askings_of, draw_cascade, read_cascade
from payoff.plan.report.charts.sheet import Sheet


def point(names: list[str], cost: float, worth: float, **more: Any) -> dict[str, Any]:
    shares = [1 / len(names)] * len(names)
    return {"tiers": names, "cost": cost, "worth": worth, "shares": shares, **more}


def summary_of(*points: dict[str, Any]) -> dict[str, Any]:
    return {"currency": "USD", "cascade": {"currency": "USD", "points": list(points)}}


WORDS, ENCODER = point(["words"], 1e-7, 1.0), point(["encoder"], 0.008, 2.4)
BOTH = point(["words", "encoder"], 0.002, 2.5, chosen=True, shares=[0.8, 0.2])


def words_in(svg: str) -> list[str]:
    return [e.text or "" for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("text")]


def test_the_sentence_says_what_to_do() -> None:
    told = read_cascade(summary_of(WORDS, BOTH, ENCODER)).replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert told == (
        "Ask “words” first and “encoder” about 20 % of the requests: per 1,000 requests that is "
        "worth 100 USD more than asking “encoder” about all, at 25 % of its cost."
    )
    three = point(["words", "static", "encoder"], 0.01, 2.3, chosen=True, shares=[0.5, 0.3, 0.2])
    told = read_cascade(summary_of(three, ENCODER)).replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert "“static” about 50 % of the requests, then “encoder” about 20 %" in told
    assert "100 USD less than" in told
    assert read_cascade(summary_of(three)).endswith("20\N{NARROW NO-BREAK SPACE}% of the requests.")
    everybody = BOTH | {"shares": [0.0, 1.0]}
    assert read_cascade(summary_of(everybody)) == (
        "Ask “words” and “encoder” about every request and believe them together."
    )
    alone = read_cascade(summary_of(WORDS, ENCODER | {"chosen": True}))
    assert alone == "Ask “encoder” about every request: no other model is worth asking as well."
    assert read_cascade({}) == "No cascade of models was measured."


@pytest.mark.parametrize("narrow", [False, True])
def test_the_chosen_point_and_the_models_alone_are_named(narrow: bool) -> None:
    drawn = draw_cascade(summary_of(WORDS, BOTH, ENCODER), Sheet(narrow=narrow))
    assert drawn is not None
    assert {"words", "encoder", "chosen: a cascade of 2"} <= set(words_in(drawn))
    assert "http" not in drawn
    only = draw_cascade(summary_of(WORDS | {"chosen": True}), Sheet(narrow=narrow))
    assert only is not None
    assert "chosen: words" in words_in(only)


def test_a_name_is_no_markup() -> None:
    drawn = draw_cascade(summary_of(point(["<b>&"], 0.0, 1.0, chosen=True)), Sheet())
    assert drawn is not None
    assert "chosen: <b>&" in words_in(drawn)


@pytest.mark.parametrize(
    "broken",
    [
        {"cost": None},
        {"worth": "much"},
        {"worth": float("nan")},
        {"tiers": []},
        {"tiers": "words"},
        {"shares": [0.5, 0.5]},
        {"shares": [None]},
        {"shares": None},
    ],
)
def test_what_is_not_known_is_not_drawn(broken: dict[str, Any]) -> None:
    assert askings_of(summary_of(WORDS | broken)) == []
    assert draw_cascade(summary_of(WORDS | broken), Sheet()) is None
    assert draw_cascade({"cascade": None}, Sheet()) is None
