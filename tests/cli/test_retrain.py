"""payoff retrain, and feedback to and from Label Studio."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.plan.retraining.market import Market, make_project

from payoff.economics.desk import load
from payoff.learn.entry import Entry
from payoff.learn.experiments import book
from payoff.learn.experiments.recommendation import Advice, Recommendation
from payoff.learn.journal import Journal
from payoff.learn.versions import history, release, released
from payoff.plan.labels import label_study

Run = Callable[..., Any]


@pytest.fixture
def desk(cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with its first version, and a journal of a market with a new class."""
    monkeypatch.setattr(label_study, "SHARE", 0.0)
    folder = make_project(tmp_path / "desk")
    assert cli("run", "desk", "--recipe", "bag-of-words", "--quiet").code == 0
    with (
        Journal.open(folder / "desk.journal.db") as journal,
        load(folder / "desk.payoff") as opened,
    ):
        market = Market(opened, journal)
        ids = market.ask({"billing": 60, "card": 60, "refund": 60, "loan": 120})
        market.label(ids, "ann", wrong=0.02)
        market.label(market.ask({"billing": 40, "card": 40, "refund": 40}), "mal", wrong=1.0)
        market.ask({"card": 5})
    return folder


def test_a_new_version_and_what_to_do_with_it(cli: Run, desk: Path) -> None:
    when = cli("retrain", "desk", "--dry-run", "--json").json
    assert when["pays"]
    assert set(when["new_classes"]) == {"loan"}
    assert "unknown to the version in use" in cli("retrain", "desk", "--dry-run").out
    assert not (desk / "desk.2.payoff").exists()
    words = ("retrain", "desk", "--recipe", "bag-of-words", "--quiet")
    done = cli(*words)
    assert done.code == 0, done.err
    assert "Put the new version to the test" in done.out
    assert "left out" in done.out
    flat = done.out.replace("\n", " ")
    assert "payoff compare start desk/desk.payoff desk/desk.2.payoff --journal" in flat
    assert "desk/desk.journal.db --name desk-2" in flat
    told = cli(*words, "--json").json
    assert told["outcome"] == "better"
    assert told["new"]["classes"] == ["loan"]
    assert told["next"].startswith("payoff compare start ")
    assert (desk / "desk.2.payoff").exists()
    assert not (desk / "desk.3.payoff").exists()
    assert told["experiment"] is None
    again = cli("retrain", "desk", "--dry-run", "--json").json
    assert (again["pays"], again["n_new"]) == (False, 0)


def test_schedules_bring_a_new_version_out_and_release_it(
    cli: Run, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cron calls, in whatever order and however often, comes to one released version."""
    tick = ("compare", "tick", "--journal", desk / "desk.journal.db")
    assert cli(*tick, "--json").json == {"experiments": []}
    assert "No experiment is running." in cli(*tick).out
    retrain = ("retrain", "desk", "--recipe", "bag-of-words", "--when-it-pays", "--every", "30d")
    made = cli(*retrain, "--json").json
    assert (made["due"], made["outcome"], made["experiment"]) == (True, "better", None)
    assert made["why"].startswith("Retrain: ")

    # Without --start, or where a machine went down in between, the version waits for its test.
    soon = cli(*retrain, "--start", "--json").json
    assert not soon["due"]
    assert soon["why"].startswith("Not due: the last retraining ended on ")
    assert soon["experiment"]["share"] == 0.01
    assert soon["experiment"]["experiment"]["name"] == "desk-2"
    assert soon["experiment"]["experiment"]["treatment"] == made["new"]["sha256"]
    with Journal.open(desk / "desk.journal.db") as journal:  # a service finds both by itself
        placed = {one.artifact_sha256: one.facts["artifact"] for one in history(journal, "desk")}
    control = soon["experiment"]["experiment"]["control"]
    assert Path(placed.pop(control)).name == "desk.payoff"
    assert placed == {made["new"]["sha256"]: "desk.2.payoff"}
    again = cli(*retrain, "--start", "--json").json
    assert (again["due"], again["experiment"]) == (False, None)
    assert again["why"] == "Not due: the experiment 'desk-2' is running."
    out = cli(*retrain)
    assert (out.code, "is running" in out.out) == (0, True)

    look_now = book.look_now
    good = Recommendation(Advice.PROMOTE, "it gains 1.00 USD to 2.00 USD a request")
    monkeypatch.setattr(book, "look_now", lambda *how: replace(look_now(*how), recommendation=good))
    assert [one["done"] for one in cli(*tick, "--no-promote", "--json").json["experiments"]] == [
        "waited"
    ]
    out = cli(*tick).out
    assert "It was promoted on" in out
    assert "5% of the customers stay with the old version for 28 days" in out
    (held,) = cli(*tick, "--json").json["experiments"]
    assert held["experiment"]["name"] == "desk-2-hold-back"
    # A hold-back keeps nobody from retraining.
    with Journal.open(desk / "desk.journal.db") as journal:
        now = released(journal, "desk")
        assert now is not None
        assert now.artifact_sha256 == made["new"]["sha256"]
        assert now.facts["artifact"] == "desk.2.payoff"
    later = cli("retrain", "desk", "--when-it-pays", "--json").json
    assert (later["due"], later["estimate"]["n_new"]) == (False, 0)
    assert "PF746" in cli("retrain", "desk", "--every", "soon").err


def test_what_is_wrong_is_told(cli: Run, desk: Path) -> None:
    assert "PF293" in cli("retrain", "desk", "--journal", "nowhere.db").err
    assert not Path("nowhere.db").exists()
    assert "PF201" in cli("retrain", "nowhere").err
    Journal.open("empty.db").close()
    empty = cli("retrain", "desk", "--journal", "empty.db")
    assert (empty.code, "PF770" in empty.err) == (2, True)
    assert "PF290" in cli("feedback", "--journal", "empty.db").err
    assert "PF293" in cli("feedback", "--journal", "nowhere.db", "--waiting", "out.json").err


def test_review_work_goes_to_label_studio_and_back(cli: Run, desk: Path) -> None:
    books = desk / "desk.journal.db"
    told = cli("feedback", "--journal", books, "--waiting", "out.json", "--json").json
    assert told["n_waiting"] == 5
    tasks = json.loads(Path("out.json").read_text("utf-8"))
    for number, task in enumerate(tasks):
        result = [{"type": "choices", "value": {"choices": ["card"]}}]
        task["annotations"] = [
            {"id": number, "completed_by": 3, "lead_time": 2.5, "result": result}
        ]
    Path("export.json").write_text(json.dumps(tasks), "utf-8")
    words = ("feedback", "export.json", "--label-studio", "--journal", books, "--json")
    assert cli(*words).json == {"n_new": 5, "n_known": 0, "unknown": []}
    assert cli(*words).json["n_known"] == 5
    assert (
        cli("feedback", "--journal", books, "--waiting", "out.json", "--json").json["n_waiting"]
        == 0
    )
    Path("export.json").write_text("{}", "utf-8")
    assert "PF776" in cli(*words).out + cli(*words).err
    assert "PF101" in cli("feedback", "no.json", "--label-studio", "--journal", books).err


def test_only_requests_of_the_model_that_is_meant_go_out(cli: Run) -> None:
    with Journal.open("books.db") as journal:
        for number, (name, sha256) in enumerate((("topic", "a" * 64), ("mood", "b" * 64))):
            release(journal, name, sha256)
            entry = Entry(f"r-{number}", sha256, "t", "handoff", "x", 0.4, -2.0, "USD", 4.0)
            journal.append([entry], texts={entry.request_id: name})
    words = ("feedback", "--journal", "books.db", "--waiting", "out.json", "--json")
    several = cli(*words)
    assert (several.code, "PF711" in several.out) == (2, True)
    assert "mood or topic" in several.out
    assert not Path("out.json").exists()
    assert cli(*words, "--model", "mood").json["n_waiting"] == 1
    (task,) = json.loads(Path("out.json").read_text("utf-8"))
    assert task["data"]["text"] == "mood"
    assert "PF711" in cli(*words, "--model", "moon").out
    Path("rows.csv").write_text("request_id,label\nr-0,x\n", "utf-8")
    misplaced = cli("feedback", "rows.csv", "--journal", "books.db", "--model", "mood")
    assert (misplaced.code, "PF290" in misplaced.err) == (2, True)
