"""From feedback to a new version: better, or not written; the old one never touched."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete
from tests.plan.retraining.market import Market

from payoff.artifact.artifact import Artifact
from payoff.cli.main import run_command_line
from payoff.core.errors import ArtifactError, ServiceError
from payoff.core.findings import Status
from payoff.core.progress import Silent
from payoff.economics.desk import load
from payoff.learn.journal import Journal
from payoff.learn.meter import Meter
from payoff.learn.tables import versions
from payoff.learn.versions import MADE, history, release
from payoff.plan.project import Project
from payoff.plan.retraining.gathered import GatheringRules
from payoff.plan.retraining.reproduce import decides_sha256
from payoff.plan.retraining.retrain import Wish, retrain
from payoff.plan.retraining.retrained import Outcome
from payoff.plan.retraining.whether_it_pays import whether_it_pays

QUICK = Wish(minutes=1.0, only=("bag-of-words",))


def drifted(market: Market) -> None:
    """A new class comes up, ann and bob label honestly, and mallory poisons."""
    ids = market.ask({"billing": 60, "card": 60, "refund": 60, "loan": 120})
    market.label(ids, "ann", wrong=0.02)
    market.label(ids[::3], "bob", wrong=0.02)
    more = market.ask({"billing": 40, "card": 40, "refund": 40, "loan": 20})
    market.label(more, "mallory", wrong=1.0)
    market.label(more[::4], "bob")


def test_a_new_intent_is_learnt_and_the_old_ones_are_kept(
    folder: Path, project: Project, journal: Journal, market: Market
) -> None:
    drifted(market)
    before = (folder / "desk.payoff").read_bytes()
    meter = Meter(journal, "desk", project.spending)
    assert whether_it_pays(project, journal, QUICK).pays
    found = retrain(project, journal, QUICK, meter=meter)
    assert found.outcome is Outcome.BETTER, found.sentence
    assert found.artifact == folder / "desk.2.payoff"
    assert (folder / "desk.payoff").read_bytes() == before
    assert found.new_classes == ("loan",)
    assert found.judged.gain_each > 1.0
    assert found.judged.probability > 0.99
    assert {one.label for one in found.changes if one.state == "kept"} == {
        "billing",
        "card",
        "refund",
    }
    with load(found.artifact) as desk:
        assert "loan" in desk.labels
        assert desk.artifact.sha256 == found.new_sha256
    assert [one.name for one in found.gathered.labellers if one.left_out] == ["mallory"]
    lineage = found.gathered.lineage()
    assert set(lineage["by_teller"]) == {"ann", "bob"}
    told = json.loads((found.folder / "retraining.json").read_text("utf-8"))
    assert told["lineage"] == lineage
    assert told["sentence"].startswith("Put the new version to the test")
    rows = json.loads((found.folder / "feedback_rows.json").read_text("utf-8"))
    assert len(rows) == lineage["n_learnt"] + lineage["n_judges"]
    assert "text" not in rows[0]
    noted = history(journal, "desk")
    assert [(one.event, one.artifact_sha256) for one in noted] == [(MADE, found.new_sha256)]
    assert noted[0].facts["artifact"] == "desk.2.payoff"
    assert noted[0].facts["lineage"]["fingerprint"] == found.gathered.fingerprint
    forecast = noted[0].facts["forecast_each"]
    assert forecast["low"] < found.judged.new_each < forecast["high"]
    assert journal.bookings()
    inputs = [
        json.loads(file.read_text("utf-8"))
        for file in (folder / "runs").glob("trained-*/inputs.json")
    ]
    assert sum("later" in one for one in inputs) == 1  # feedback came after the project's rows
    assert not (folder / "runs" / "retraining-desk.json").exists()
    command = found.compare_command("desk.journal.db")
    assert command.startswith("payoff compare start ")
    assert command.endswith("desk.2.payoff --journal desk.journal.db --name desk-2")

    # The same once more trains nothing, and writes no third version.
    again = retrain(project, journal, QUICK)
    assert again.artifact == found.artifact
    assert len(history(journal, "desk")) == 1
    assert not whether_it_pays(project, journal, QUICK).pays

    # From now on the second version is the one in use.
    release(journal, "desk", found.new_sha256, {"artifact": "desk.2.payoff"})
    third = retrain(project, journal, QUICK)
    assert third.old == found.artifact
    assert third.outcome is Outcome.NOT_BETTER
    assert third.artifact is None


def test_a_version_is_made_again_from_what_was_noted_of_it(
    folder: Path, journal: Journal, project: Project, market: Market, tmp_path: Path
) -> None:
    """On a copy without the runs, after more feedback: the command that was noted, and no more."""
    drifted(market)
    made = retrain(project, journal, QUICK)
    assert made.artifact is not None
    (noted,) = history(journal, "desk")
    told = noted.facts["reproduce"]
    assert told["seed"] == project.seed
    assert told["data_fingerprint"] == project.dataset().fingerprint
    assert told["versions"]["payoff"]
    market.label(market.ask({"card": 40, "loan": 40}), "ann")
    copy = Path(shutil.copytree(folder, tmp_path / "again"))
    shutil.rmtree(copy / "runs")
    (copy / "desk.2.payoff").unlink()
    with Journal.open(copy / "desk.journal.db") as fresh, fresh.writing() as connection:
        connection.execute(delete(versions))
    verb, *words = shlex.split(told["command"])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(copy)
        assert verb == "payoff"
        assert run_command_line([*words, "--quiet"]) == 0
    with Journal.open(copy / "desk.journal.db") as fresh:
        (again,) = history(fresh, "desk")
    assert again.facts["lineage"] == noted.facts["lineage"]
    assert again.facts["reproduce"]["decides_sha256"] == told["decides_sha256"]
    with Artifact.open(made.artifact) as old, Artifact.open(copy / "desk.2.payoff") as new:
        assert old.labels == new.labels
        names = set(old.manifest.members)
        assert names == set(new.manifest.members)
        apart = {name for name in names if old.read(name) != new.read(name)}
        # Seconds of a machine, and the money that follows from them, are never the same twice.
        assert apart <= {"card.md", "costs.json", "evidence.json"}
        assert decides_sha256(old) == decides_sha256(new) == told["decides_sha256"]
    with load(folder / "desk.payoff") as first:
        assert decides_sha256(first.artifact) != told["decides_sha256"]


def test_a_version_that_is_not_better_is_not_written(
    folder: Path, project: Project, journal: Journal, market: Market
) -> None:
    market.label(market.ask({"billing": 50, "card": 50, "refund": 50}), "ann")
    found = retrain(project, journal, QUICK)
    assert found.outcome is Outcome.NOT_BETTER
    assert found.sentence.startswith("Keep the old version")
    assert found.artifact is None
    assert found.compare_command("x") == ""
    assert [path.name for path in folder.glob("*.payoff")] == ["desk.payoff"]
    assert (found.folder / "retraining.json").exists()
    assert history(journal, "desk") == []
    anyway = retrain(project, journal, replace(QUICK, anyway=True))
    assert anyway.artifact == folder / "desk.2.payoff"
    assert "as you asked" in anyway.sentence
    assert history(journal, "desk")[0].facts["outcome"] == "not better"


def test_a_version_that_loses_a_class_is_not_written(
    folder: Path, project: Project, journal: Journal, market: Market
) -> None:
    """Everybody calls refunds loans, and the project's own refunds are gone."""
    ids = market.ask({"billing": 40, "card": 40, "refund": 5, "loan": 60})
    market.label(ids, "ann")
    rows = (folder / "rows.csv").read_text("utf-8").splitlines()
    kept = [row for row in rows if not row.endswith(",refund")]
    (folder / "rows.csv").write_text("\n".join(kept) + "\n", "utf-8")
    rules = GatheringRules(trusted=("ann",), fewest_of_new=10)
    found = retrain(Project.read(folder), journal, replace(QUICK, rules=rules))
    assert found.outcome is Outcome.CLASSES_LOST
    assert [one.label for one in found.changes if one.state == "lost"] == ["refund"]
    assert "refund" in found.sentence
    assert found.artifact is None
    scarce = next(one for one in found.findings if one.code == "PF775")
    assert scarce.status is Status.FAILED
    assert "'refund'" in scarce.detail


KILLED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from payoff.learn.journal import Journal
from payoff.plan.labels import label_study
from payoff.plan.project import Project
from payoff.plan.retraining.retrain import Wish, retrain

label_study.SHARE = 0.0

class Killing:
    def say(self, message):
        if message.startswith("chosen on validation"):
            os.kill(os.getpid(), signal.SIGKILL)
    def step(self, what, done, total):
        pass

folder = Path(sys.argv[1])
retrain(Project.read(folder), Journal.open(folder / "desk.journal.db"),
        Wish(minutes=1.0, only=("bag-of-words",)), progress=Killing())
"""


class Listening(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_retraining_goes_on_with_what_it_began_with(
    folder: Path, project: Project, journal: Journal, market: Market
) -> None:
    drifted(market)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    assert (folder / "runs" / "retraining-desk.json").exists()
    assert not (folder / "desk.2.payoff").exists()
    market.label(market.ask({"card": 30}), "ann")  # comes too late for this one
    listener = Listening()
    found = retrain(project, journal, QUICK, progress=listener)
    assert found.outcome is Outcome.BETTER
    assert any(one.startswith("going on with") for one in listener.said)
    trainings = list((folder / "runs").glob("trained-*"))
    assert len(trainings) == 2  # the first version's, and this one's
    assert not (folder / "runs" / "retraining-desk.json").exists()
    assert whether_it_pays(project, journal, QUICK).n_new == 30


def test_nothing_to_learn_from(project: Project, journal: Journal, market: Market) -> None:
    with pytest.raises(ServiceError, match="PF770"):
        retrain(project, journal, QUICK)
    with pytest.raises(ServiceError, match="PF770"):
        whether_it_pays(project, journal, QUICK)
    ids = market.ask({"card": 30}, keep=False)
    market.label(ids, "ann")
    with pytest.raises(ServiceError, match="30 labelled requests 30 have no text"):
        retrain(project, journal, QUICK)


def test_too_few_labels_to_judge_by(project: Project, journal: Journal, market: Market) -> None:
    market.label(market.ask({"card": 20}), "ann")
    with pytest.raises(ServiceError, match="PF771") as caught:
        retrain(project, journal, QUICK)
    assert "more requests" in caught.value.mend
    told = whether_it_pays(project, journal, QUICK)
    assert told.lacking > 0
    assert told.sentence.startswith("Do not retrain yet")


def test_the_version_in_use_must_fit(
    folder: Path, project: Project, journal: Journal, market: Market
) -> None:
    market.label(market.ask({"card": 20}), "ann")
    release(journal, "desk", "f" * 64, {"artifact": "desk.payoff"})
    with pytest.raises(ServiceError, match="PF779"):
        retrain(project, journal, QUICK)
    with pytest.raises(ArtifactError, match="PF501"):
        retrain(project, journal, replace(QUICK, artifact=folder / "nowhere.payoff"))
    rows = (folder / "rows.csv").read_text("utf-8")
    (folder / "rows.csv").write_text(rows.replace(",", ",other ").replace("other label", "label"))
    wish = replace(QUICK, artifact=folder / "desk.payoff")
    with pytest.raises(ServiceError, match="PF779"):
        retrain(Project.read(folder), journal, wish)


def test_what_is_written_lies_over_nothing(
    folder: Path, project: Project, journal: Journal, market: Market
) -> None:
    drifted(market)
    (folder / "desk.2.payoff").write_bytes(b"mine")
    found = retrain(project, journal, QUICK)
    assert found.artifact == folder / "desk.3.payoff"
    assert (folder / "desk.2.payoff").read_bytes() == b"mine"
    assert history(journal, "desk")[0].facts["version"] == 3
