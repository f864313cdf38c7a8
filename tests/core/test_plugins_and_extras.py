from __future__ import annotations

import sys
from pathlib import Path

import pytest

from payoff.core.errors import AdaptError, MachineError
from payoff.core.extras import require
from payoff.core.findings import Finding, Status, count_by_status
from payoff.core.progress import Silent
from payoff.core.registry import Registry


def test_an_entry_is_loaded_by_its_name() -> None:
    registry = Registry("payoff.recipes", "recipe")
    assert registry.names == tuple(sorted(registry.names))
    assert registry.get("bag-of-words").__name__ == "BagOfWords"


def test_an_unknown_entry_is_told_with_the_near_one() -> None:
    with pytest.raises(
        AdaptError, match=r"PF401 recipe 'bag-of-word'.*Did you mean 'bag-of-words'"
    ):
        Registry("payoff.recipes", "recipe").get("bag-of-word")
    with pytest.raises(AdaptError, match="payoff is not installed"):
        Registry("payoff.nothing", "thing").get("x")


def test_a_library_that_is_there_is_imported() -> None:
    assert require("json", "tune", "this") is sys.modules["json"]


def test_a_library_that_lacks_a_library_itself_is_not_told_as_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_installed.py").write_text("import nothing_of_that_name\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="nothing_of_that_name"):
        require("half_installed", "tune", "this")
    with pytest.raises(MachineError, match="PF803"):
        require("no_such_package.part", "tune", "this")


def test_findings_as_plain_values_and_counted() -> None:
    failed = Finding("PF151", "t", Status.FAILED, rows=({"row": 1},), n_affected=1)
    assert failed.failed
    assert failed.as_dict()["status"] == "failed"
    assert failed.as_dict()["rows"] == [{"row": 1}]
    unknown = Finding("PF151", "t", Status.NOT_CHECKED)
    assert not unknown.failed
    assert count_by_status([failed, unknown, unknown]) == {
        "passed": 0,
        "failed": 1,
        "not applicable": 0,
        "not checked": 2,
    }


def test_nobody_listens_to_silence(capsys: pytest.CaptureFixture[str]) -> None:
    Silent().step("work", 1, 2)
    Silent().say("hello")
    assert capsys.readouterr() == ("", "")
