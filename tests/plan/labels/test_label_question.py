"""Asking a finished run about labels: what it kept, under its terms and under changed ones."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.plan.label_run import SIZES, write_label_run

from payoff.core.errors import ProjectError
from payoff.economics.payoff import Payoff
from payoff.economics.traffic import Traffic
from payoff.plan.labels.label_evidence import LabelEvidence
from payoff.plan.labels.label_question import LabelQuestion
from payoff.plan.terms import Terms

TERMS = Terms(
    Payoff(3, -7, -2, currency="USD"), Traffic(4_000, 3_000, 6_000), on=date(2026, 11, 22)
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    write_label_run(folder, TERMS)
    return folder


def ask(folder: Path, *changes: str) -> dict[str, Any]:
    return LabelQuestion.of(folder, changes).answer.as_dict()


def test_what_is_kept_comes_back(run: Path) -> None:
    kept = LabelEvidence.read(run)
    assert kept.chosen == "chosen"
    assert kept.n_now == 2000
    (one,) = kept.studied
    assert one.sizes.tolist() == SIZES.tolist()
    assert one.below.shape == (3, 4, 900, 3)
    assert one.below.dtype == np.float32


def test_the_points_are_the_worths_of_the_policys_decisions(run: Path) -> None:
    """Restated: act as the likeliest label where that beats −2, right +3, wrong −7."""
    told, kept = ask(run), LabelEvidence.read(run)
    truth = np.arange(900) % 3
    for place, point in enumerate(told["curve"]["points"][:-1]):
        worths = []
        for draw in range(3):
            table = kept.studied[0].below[draw, place]
            act = table.max(axis=1) * 10 - 7 > -2
            right = table.argmax(axis=1) == truth
            worths.append(np.where(act, np.where(right, 3.0, -7.0), -2.0).mean())
        assert point["labels"] == SIZES[place]
        assert point["mean"] == pytest.approx(np.mean(worths))


def test_changed_terms_change_the_answer(run: Path) -> None:
    free, cheap, dear = (ask(run, f"labels.price_each={price}") for price in (0, 0.5, 500))
    assert free["purchase"]["at_limit"]
    assert free["purchase"]["labels"] == 4 * 1600 - 2000
    assert cheap["purchase"]["labels"] > dear["purchase"]["labels"] == 0
    assert "Buy no labels at 500.00 USD each" in dear["sentence"]
    more = ask(run, "traffic.per_month=40000")
    assert more["next_label"]["mean"] == pytest.approx(10 * ask(run)["next_label"]["mean"])
    longer = ask(run, "search.horizon_months=24")
    assert longer["next_label"]["mean"] == pytest.approx(2 * ask(run)["next_label"]["mean"])


def test_a_proxy_is_told_as_one(tmp_path: Path) -> None:
    evidence = write_label_run(tmp_path, TERMS, own=False, proxy=True)
    told = ask(tmp_path)
    assert told["cheap"] == "cheap"
    assert "chosen was not trained on fewer labels: cheap was" in told["curve"]["basis"]
    assert told["crossing"] is None
    question = LabelQuestion.of(tmp_path)
    room = [
        3.0 - question.judge.scored(table).value
        for table in (evidence.served, evidence.studied[0].whole)
    ]
    last = told["curve"]["points"][-1]["mean"]
    assert 3.0 - last == pytest.approx(room[0], rel=0.02), (
        "at all rows it is the choice's own worth"
    )


def test_two_curves_tell_where_one_overtakes_the_other(tmp_path: Path) -> None:
    write_label_run(tmp_path, TERMS, proxy=True)
    told = ask(tmp_path)
    crossing = told["crossing"]
    assert crossing["labels"] is not None, crossing["doubt"]
    assert crossing["low"] <= crossing["labels"] <= crossing["high"]
    assert told["crossing_sentence"].startswith("chosen earns more than cheap from about ")
    assert told["curve"]["basis"] == ""


def test_what_was_not_measured_is_told(tmp_path: Path) -> None:
    write_label_run(tmp_path, TERMS, own=False, reason="chosen: it would take about 90 s")
    told = ask(tmp_path)
    assert told["doubt"] == "chosen: it would take about 90 s"
    assert told["next_label"] is None
    assert told["curve"] == {"doubt": told["doubt"], "basis": "", "points": [], "line": []}


def test_a_run_that_kept_none_is_told(tmp_path: Path, run: Path) -> None:
    with pytest.raises(ProjectError) as told:
        LabelEvidence.read(tmp_path)
    assert told.value.code == "PF292"
    (tmp_path / "label_curve.json").write_text((run / "label_curve.json").read_text())
    (tmp_path / "label_curve.npz").write_bytes(b"PK")
    with pytest.raises(ProjectError) as told:
        LabelEvidence.read(tmp_path)
    assert told.value.code == "PF292"
