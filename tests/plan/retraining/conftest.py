from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.plan.retraining.market import Market, make_project

from payoff.economics.desk import load
from payoff.learn.journal import Journal
from payoff.plan.labels import label_study
from payoff.plan.project import Project
from payoff.plan.search import search


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder whose first version is made."""
    folder = make_project(tmp_path_factory.mktemp("desk"))
    project = Project.read(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(label_study, "SHARE", 0.0)
        plan = search(
            project.dataset(),
            project.terms.payoff,
            traffic=project.terms.traffic,
            terms=project.terms,
            minutes=1.0,
            name="desk",
            runs=folder / "runs",
            only=("bag-of-words",),
            project=project.text,
        )
    plan.save(folder / "desk.payoff")
    return folder


@pytest.fixture(autouse=True)
def no_label_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_study, "SHARE", 0.0)


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return Path(shutil.copytree(made, tmp_path / "desk"))


@pytest.fixture
def project(folder: Path) -> Project:
    return Project.read(folder)


@pytest.fixture
def journal(folder: Path) -> Iterator[Journal]:
    with Journal.open(folder / "desk.journal.db") as opened:
        yield opened


@pytest.fixture
def market(folder: Path, journal: Journal) -> Iterator[Market]:
    with load(folder / "desk.payoff") as desk:
        yield Market(desk, journal)
