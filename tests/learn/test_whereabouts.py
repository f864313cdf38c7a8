"""Where a version lies: where it was noted, or beside it, and never another version."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from payoff.core.errors import ServiceError
from payoff.learn.whereabouts import located, marks, sha256_at


def artifact(path: Path, content: bytes) -> str:
    """A folder that looks like an artifact; its SHA-256, reckoned by hand."""
    path.mkdir(parents=True)
    (path / "manifest.json").write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def test_it_is_found_where_it_was_noted_and_after_a_move(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    sha256 = artifact(here / "a.payoff", b"{}")
    assert sha256_at(here / "a.payoff") == sha256
    assert located(sha256, str(here / "a.payoff")) == here / "a.payoff"
    assert located(sha256, "a.payoff", [there, here]) == here / "a.payoff"
    assert located(sha256, "/old/project/a.payoff", [there, here]) == here / "a.payoff"


def test_another_version_under_the_same_name_is_none(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    other = artifact(here / "a.payoff", b"{}")
    wanted = artifact(there / "a.payoff", b'{"seed": 1}')
    assert located(wanted, str(here / "a.payoff"), [here, there]) == there / "a.payoff"
    with pytest.raises(ServiceError, match=f"PF785.*its SHA-256 is {other[:12]}") as caught:
        located(wanted, str(here / "a.payoff"), [here])
    assert "there is none" not in str(caught.value)
    with pytest.raises(ServiceError, match=r"PF785.*nobody noted"):
        located(wanted, "", [here, there])
    (here / "broken.payoff").write_bytes(b"no zip")
    with pytest.raises(ServiceError, match=r"PF785.*broken\.payoff: PF50"):
        located(wanted, "broken.payoff", [here])


def test_marks_change_with_what_lies_there(tmp_path: Path) -> None:
    assert marks("a", [tmp_path]) == ()
    (tmp_path / "a").write_bytes(b"1")
    first = marks("a", [tmp_path])
    assert [one[0] for one in first] == [str(tmp_path / "a")]
    (tmp_path / "a").write_bytes(b"12")
    assert marks("a", [tmp_path]) != first
