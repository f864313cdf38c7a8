"""Whether a schedule is to retrain now, and which version waits for its experiment."""

from __future__ import annotations

from pathlib import Path

from tests.plan.retraining.market import Market

from payoff.core.files import write_json
from payoff.learn.experiments import book
from payoff.learn.experiments.course import EXAMPLE
from payoff.learn.experiments.experiment import Experiment
from payoff.learn.journal import Journal
from payoff.learn.versions import note_made, release
from payoff.plan.project import Project
from payoff.plan.retraining.due import unproved, whether_due

NOW = "2026-06-01T00:00:00.000000Z"
DAY_S = 86_400.0


def test_nothing_is_due_without_labels(project: Project, journal: Journal, market: Market) -> None:
    found = whether_due(project, journal, now=NOW, when_it_pays=True)
    assert (found.due, found.estimate) == (False, None)
    assert found.why == "Not due: no request was labelled."
    market.label(market.ask({"card": 20}), "ann")
    found = whether_due(project, journal, now=NOW, every_s=DAY_S)
    assert not found.due
    assert "more labels are needed" in found.why


def test_what_pays_is_due(folder: Path, project: Project, journal: Journal, market: Market) -> None:
    market.label(market.ask({"billing": 60, "card": 60, "refund": 60, "loan": 120}), "ann")
    found = whether_due(project, journal, now=NOW, when_it_pays=True)
    assert found.due, found.why
    assert found.why.startswith("Retrain: ")
    assert found.estimate is not None
    assert found.as_dict()["estimate"]["pays"]
    assert whether_due(project, journal, now=NOW, every_s=DAY_S).due  # there was none before

    # The last one ended a moment ago: what it left on the disk says so.
    write_json(folder / "runs" / "desk-1" / "retraining.json", {"lineage": {}})
    soon = whether_due(project, journal, now="2026-01-01T00:00:00.000000Z", every_s=DAY_S)
    assert not soon.due
    assert soon.why.startswith("Not due: the last retraining ended on ")
    assert soon.last_utc
    later = whether_due(project, journal, now="2999-01-01T00:00:00.000000Z", every_s=DAY_S)
    assert later.due
    assert later.why.startswith("Due: ")
    assert later.why.endswith(" labels are new.")

    # One that was killed goes on, whatever the calendar says.
    write_json(folder / "runs" / "retraining-desk.json", {"until": 3})
    assert whether_due(project, journal, now="2026-01-01T00:00:00.000000Z", every_s=DAY_S).due

    # Not while an experiment decides who is right.
    rules = EXAMPLE.experiment.as_dict() | {"model": "desk"}
    book.start(journal, Experiment.from_dict(rules), EXAMPLE.policy)
    running = whether_due(project, journal, now=NOW, when_it_pays=True)
    assert (running.due, running.why) == (
        False,
        "Not due: the experiment 'new-head' is running.",
    )


def test_what_does_not_pay_is_not_due(project: Project, journal: Journal, market: Market) -> None:
    market.label(market.ask({"billing": 50, "card": 50, "refund": 50}), "ann")
    found = whether_due(project, journal, now=NOW, when_it_pays=True)
    assert found.estimate is not None
    assert found.due == found.estimate.pays
    calm = whether_due(project, journal, now=NOW)
    assert (calm.due, calm.why) == (True, "Due: 150 labels are new.")


def test_a_better_version_waits_for_its_experiment(project: Project, journal: Journal) -> None:
    assert unproved(project, journal) is None
    new = EXAMPLE.experiment.treatment
    note_made(journal, "desk", "c" * 64, {"version": 2, "outcome": "not better"})
    assert unproved(project, journal) is None
    note_made(journal, "desk", new, {"version": 3, "outcome": "better"})
    found = unproved(project, journal)
    assert found is not None
    assert found.artifact_sha256 == new
    release(journal, "desk", new)
    assert unproved(project, journal) is None
    release(journal, "desk", "c" * 64)
    assert unproved(project, journal) is not None
    rules = EXAMPLE.experiment.as_dict() | {"model": "desk"}
    book.start(journal, Experiment.from_dict(rules), EXAMPLE.policy)
    book.stop(journal)
    assert unproved(project, journal) is None  # it had its chance
