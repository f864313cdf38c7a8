"""``payoff compare``: an experiment from its size to its end, as people and machines see it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import insert

from payoff.artifact.artifact import Artifact, write_artifact
from payoff.cli.main import run_command_line
from payoff.learn.entry import Entry
from payoff.learn.experiments import book
from payoff.learn.journal import Journal
from payoff.learn.tables import feedback

DAY = timedelta(days=1)


@pytest.fixture
def candidate(artifact: Path, tmp_path: Path) -> Path:
    """The same model under another name: another artifact of the same task."""
    with Artifact.open(artifact) as old:
        tier, document = old.tiers[0], old.read_json("policy.json")
        calibrations, labels = list(old.calibrations), old.labels
    return write_artifact(
        tmp_path / "candidate.payoff",
        name="candidate",
        labels=labels,
        tiers=[(tier, artifact.parent / "tier")],
        calibrations=calibrations,
        documents={"policy.json": document},
        seed=0,
        data_fingerprint="1" * 64,
    )


def said(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> Any:
    capsys.readouterr()
    assert run_command_line([*map(str, arguments), "--json"]) == code
    return json.loads(capsys.readouterr().out)


def decide(journal: Path, n: int, *, days: tuple[float, float], experiment: bool) -> None:
    """Decisions of some days from now, each with its true label told."""
    rng = np.random.default_rng(0)
    labels = ("billing", "card", "refund")
    now = datetime.now(UTC)
    times = np.sort(rng.uniform(*days, n))
    with Journal.open(journal) as opened:
        course = book.course_of(opened) if experiment else None
        entries, told = [], []
        for number, day in enumerate(times):
            customer = f"c{rng.integers(0, n // 3)}"
            arm = ""
            if course is not None:
                from payoff.learn.experiments.assignment import arm_of

                arm = arm_of(course, customer, "")
            truth = labels[rng.integers(3)]
            right = rng.random() < (0.95 if arm == "treatment" else 0.7)
            action = truth if right else labels[(labels.index(truth) + 1) % 3]
            moment = (now + float(day) * DAY).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            key = f"{experiment}-{number}"
            entries.append(
                Entry(
                    key, CONTROL_OF[str(journal)], "t", action, action, 0.9, 1.0, "USD", 3.0,
                    moment, customer=customer, arm=arm,
                    experiment=course.experiment.name if course else "",
                )
            )  # fmt: skip
            told.append(
                {"feedback_id": key, "request_id": key, "time_utc": moment, "label": truth,
                 "correct": None, "worth": None, "source": "person", "person": "p",
                 "seconds": None}
            )  # fmt: skip
        opened.append(entries)
        with opened.writing() as connection:
            connection.execute(insert(feedback), told)


CONTROL_OF: dict[str, str] = {}


def test_an_experiment_from_its_size_to_its_end(
    artifact: Path, candidate: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = tmp_path / "topics.journal.db"
    with Artifact.open(artifact) as old:
        CONTROL_OF[str(journal)] = old.sha256
    decide(journal, 900, days=(-9.0, -0.1), experiment=False)
    size = said(capsys, "compare", "size", artifact, "--journal", journal, "--gain", 1)
    assert size["past"]["requests"] == 900
    assert size["size"]["gain"] == 1.0
    assert size["size"]["days"] > 3

    start = ("compare", "start", artifact, candidate, "--journal", journal, "--name", "better")
    begun = said(capsys, *start, "--gain", 1, "--slow-ms", 500)
    assert begun["share"] == 0.01
    assert begun["experiment"]["guardrails"]["slow_ms"] == 500
    assert begun["experiment"]["planned_information"] == begun["size"]["planned_information"]
    assert said(capsys, *start, "--gain", 1, code=2)["error"]["code"] == "PF735"

    status = ("compare", "status", "--journal", journal)
    assert said(capsys, *status)["look"]["recommendation"]["advice"] == "wait"
    with Journal.open(journal) as opened:
        book.ramp(opened, "better", 0.5)
    decide(journal, 3000, days=(0.1, 9.0), experiment=True)
    look = said(capsys, *status, "--act")["look"]
    assert look["gain_per_request"]["low"] > 0
    assert look["arms"]["treatment"]["known"] == 1.0
    assert run_command_line([*map(str, status)]) == 0
    text = capsys.readouterr().out
    assert "treatment" in text
    assert "gain a month" in text
    assert "50% treated" in text

    assert (
        run_command_line([*map(str, ("compare", "stop", "--journal", journal, "--promote"))]) == 0
    )
    text = capsys.readouterr().out
    assert "the treatment decides on all requests" in text
    assert "'better-hold-back' has begun: 5% of the customers stay with the old version" in text
    assert "The worst that the new version can cost until it is rolled back" in text
    over = said(capsys, *status, "--name", "better")
    assert over["over"] == "promoted"
    assert over["facts"]["why"] == "by hand"

    held = said(capsys, *status, "--act")
    assert (held["experiment"]["mode"], held["share"]) == ("hold back", 0.95)
    assert run_command_line([*map(str, status)]) == 0
    assert "5% held back" in capsys.readouterr().out
    ended = said(capsys, "compare", "stop", "--journal", journal)
    assert (ended["over"], ended["share"]) == ("kept", 1.0)
    assert said(capsys, "compare", "stop", "--journal", journal, code=2)["error"]["code"] == "PF733"


@pytest.mark.parametrize(
    ("options", "held"),
    [
        ((), {"share": 0.05, "days": 28.0}),
        (("--hold-back", 0.2, "--hold-back-days", 14), {"share": 0.2, "days": 14.0}),
        (("--hold-back", 0), None),
    ],
)
def test_who_is_held_back_is_stated_at_the_start(
    artifact: Path,
    candidate: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[object, ...],
    held: dict[str, float] | None,
) -> None:
    journal = tmp_path / "j.db"
    start = ("compare", "start", artifact, candidate, "--journal", journal, "--name", "better")
    begun = said(capsys, *start, "--per-month", 30_000, *options)
    assert begun["experiment"]["hold_back"] == held
    ended = said(capsys, "compare", "stop", "--journal", journal, "--promote")
    assert (ended["hold_back"] is None) == (held is None)
    if held is not None:
        assert ended["hold_back"]["experiment"]["ramp"] == [1 - held["share"]]
        assert ended["hold_back"]["size"] == {}  # nobody has asked anything yet


def test_without_a_past_the_figures_are_asked_for(
    artifact: Path, candidate: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = said(capsys, "compare", "size", artifact, code=2)
    assert told["error"]["code"] == "PF290"
    assert "--per-month" in told["error"]["where"]
    size = said(capsys, "compare", "size", artifact, "--per-month", 30_000)
    assert size["past"] is None
    assert size["size"]["days"] == 28
    assert size["size"]["spread"] == 5.0  # half of what lies between -7 and 3
    assert run_command_line(["compare", "size", str(artifact), "--per-month", "30000"]) == 0
    assert "28 days (4.0 weeks" in capsys.readouterr().out
    both = ("compare", "size", artifact, "--per-month", 1, "--gain", 1, "--weeks", 2)
    assert said(capsys, *both, code=2)["error"]["code"] == "PF290"
    journal = tmp_path / "new.db"
    start = ("compare", "start", artifact, candidate, "--journal", journal, "--name", "x")
    shadow = said(capsys, *start, "--mode", "shadow", "--per-month", 30_000)
    assert shadow["share"] == 0.0
    assert run_command_line(["compare", "status", "--journal", str(journal)]) == 0
    assert "in the shadow" in capsys.readouterr().out
    wrong = (*start[:-1], "y", "--step-days", 0, "--per-month", 9000)
    assert said(capsys, *wrong, code=2)["error"]["code"] == "PF730"


def test_what_is_not_there_or_the_same(
    artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = said(capsys, "compare", "status", "--journal", tmp_path / "no.db", code=2)
    assert missing["error"]["code"] == "PF293"
    assert not (tmp_path / "no.db").exists()
    journal = tmp_path / "empty.db"
    Journal.open(journal).close()
    assert (
        said(capsys, "compare", "status", "--journal", journal, code=2)["error"]["code"] == "PF732"
    )
    same = ("compare", "start", artifact, artifact, "--journal", journal, "--name", "x")
    assert said(capsys, *same, code=2)["error"]["code"] == "PF736"
