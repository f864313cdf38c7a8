"""payoff versions: list, release and roll back, checked before anything is noted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.serve.other_versions import another

from payoff.learn.journal import Journal
from payoff.learn.versions import history, note_made, released

Run = Callable[..., Any]


@pytest.fixture
def shop(artifact: Path, tmp_path: Path) -> tuple[Path, str, str]:
    """A folder with two versions, and their SHA-256."""
    first = another(artifact, tmp_path / "topics.payoff", 1)
    second = another(artifact, tmp_path / "topics.2.payoff", 2)
    with Journal.open(tmp_path / "j.db") as journal:
        facts = {"artifact": "topics.2.payoff", "version": 2, "accuracy": 0.875}
        gain = {"gain_month": {"mean": 12.5, "currency": "USD"}}
        note_made(journal, "topics", second, facts | gain)
    return tmp_path, first, second


def test_a_version_is_released_and_restored_by_one_command(
    cli: Run, shop: tuple[Path, str, str]
) -> None:
    folder, first, second = shop
    book = ("--journal", folder / "j.db")
    done = cli("versions", "release", folder / "topics.payoff", *book, "--json").json
    assert (done["model"], done["released"]) == ("topics", first)
    done = cli("versions", "release", second[:10], *book, "--why", "it earns more")
    assert f"version {second[:12]} is released" in done.out
    listed = cli("versions", *book, "--json").json["models"]["topics"]
    assert [(one["artifact_sha256"], one["state"]) for one in listed] == [
        (second, "released"),
        (first, "before"),
    ]
    assert (listed[0]["number"], listed[0]["accuracy"], listed[0]["gain_month"]) == (2, 0.875, 12.5)
    assert listed[0]["why"] == "it earns more"
    shown = cli("versions", "list", *book).out
    assert second[:12] in shown
    assert "87.5%" in shown
    back = cli("versions", "rollback", *book, "--why", "it does not", "--json").json
    assert back["released"] == first
    assert cli("versions", *book, "--json").json["models"]["topics"][1]["state"] == "withdrawn"
    again = cli("versions", "rollback", *book)
    assert again.code == 2
    assert "PF772" in again.err


def test_what_cannot_be_had_is_not_noted(cli: Run, shop: tuple[Path, str, str]) -> None:
    folder, first, second = shop
    book = ("--journal", folder / "j.db")
    cli("versions", "release", folder / "topics.payoff", *book)
    with Journal.open(folder / "j.db") as journal:
        before = history(journal, "topics")
    path = folder / "topics.2.payoff"
    whole = path.read_bytes()
    path.write_bytes((folder / "topics.payoff").read_bytes())
    foreign = folder / "foreign.payoff"
    another(path, foreign, 3, name="foreign")
    for words, code in (
        (("release", second), "PF785"),
        (("release", "ffffffff"), "PF787"),
        (("release", second[:3]), "PF787"),
        (("release", second, "--model", "topcs"), "PF711"),
        (("release", path, "--model", "other"), "PF711"),
        (("release", foreign), "PF711"),
    ):
        done = cli("versions", *words, *book)
        assert done.code != 0
        assert code in done.err
    path.write_bytes(whole[:-50])
    assert "PF5" in cli("versions", "release", path, *book).err
    with Journal.open(folder / "j.db") as journal:
        assert history(journal, "topics") == before
    # Made under another name, it is a version of the model that is named.
    done = cli("versions", "release", foreign, "--model", "topics", *book, "--json").json
    assert done["model"] == "topics"
    cli("versions", "rollback", *book)
    # Where the artifact lies on another machine, it can be said.
    assert cli("versions", "release", second, "--elsewhere", *book).code == 0
    with Journal.open(folder / "j.db") as journal:
        now = released(journal, "topics")
    assert now is not None
    assert now.artifact_sha256 == second
    (folder / "topics.payoff").unlink()
    gone = cli("versions", "rollback", *book)
    assert "PF785" in gone.err
    assert cli("versions", "rollback", "--elsewhere", *book, "--json").json["released"] == first


def test_the_model_is_named_where_there_are_several(cli: Run, tmp_path: Path) -> None:
    book = ("--journal", tmp_path / "j.db")
    assert "PF293" in cli("versions", *book).err
    with Journal.open(tmp_path / "j.db") as journal:
        assert "Nothing was made" in cli("versions", *book).out
        assert "PF711" in cli("versions", "rollback", *book).err
        for name in ("a", "b"):
            note_made(journal, name, name * 64, {})
    done = cli("versions", "rollback", *book)
    assert "PF711" in done.err
    assert "a or b" in done.err
    assert set(cli("versions", *book, "--json").json["models"]) == {"a", "b"}
