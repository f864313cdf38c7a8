"""Segments whose requests are worth something else: `payoff predict` and `payoff evaluate`."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.economics.pair_artifact import LABELS, VALUES, pair_artifact

from payoff.economics.policy import Policy

Cli = Callable[..., Any]


def test_segments_are_told_apart_where_the_artifact_values_them(
    cli: Cli, artifact: Path, tickets: Path, tmp_path: Path
) -> None:
    plain = cli("predict", artifact, "--text", "I lost my card", "--segment", "vip")
    assert "--segment changed nothing" in plain.err
    assert "segment" not in plain.out
    place = tmp_path / "segments"
    place.mkdir()
    policy = Policy(
        LABELS,
        VALUES,
        segment_values={"vip": np.array([[3.0, -900, -1.0], [-900, 3.0, -1.0]])},
    )
    valued = pair_artifact(place, policy)
    said = cli("predict", valued, "--text", "good", "--segment", "vip")
    assert said.out.split()[-1] == "vip"
    assert "handoff" in said.out
    rows = place / "rows.csv"
    rows.write_text("t,l,s\ngood,good,vip\ngood,good,free\n", "utf-8")
    told = list(csv.DictReader(
        cli("predict", valued, rows, "--text", "t", "--segment", "s").out.splitlines()
    ))  # fmt: skip
    assert [(row["action"], row["segment"]) for row in told] == [("handoff", "vip"), ("good", "")]
    named = ("--text", "t", "--label", "l", "--seconds", "0", "--json")
    apart = cli("evaluate", valued, rows, *named, "--segment", "s")
    alike = cli("evaluate", valued, rows, *named)
    assert apart.json["profit_per_1000"]["amount"] == pytest.approx(1000)
    assert alike.json["profit_per_1000"]["amount"] == pytest.approx(3000)
    assert "--segment tells them" in alike.err
