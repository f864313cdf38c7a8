"""Several models in one service: opened, named, each with its journal."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from payoff.core.errors import ServiceError
from payoff.serve.models import Models
from payoff.serve.run import _opened, run


def test_a_journal_named_twice_is_opened_once(artifact: Path, tmp_path: Path) -> None:
    with ExitStack() as stack:
        wanted = [(artifact, tmp_path / "a.db"), (artifact, None), (artifact, tmp_path / "a.db")]
        ((_, one), (_, none), (_, again)), versions = _opened(wanted, 1, stack)
        assert one is again is not None
        assert not versions
        assert none is None


def test_two_artifacts_of_one_name_are_refused(
    artifact: Path, cli: Callable[..., Any], tmp_path: Path
) -> None:
    with pytest.raises(ServiceError, match="PF712 service: 'tickets' is the name of several"):
        run(artifact, port=0, threads=1, more=[(artifact, None)])
    ran = cli("serve", artifact, artifact, "--port", "0", "--journal", tmp_path / "j.db")
    assert ran.code != 0
    assert "PF712" in ran.err
    assert ran.err.count("j.db") == 1, "one journal for both"


def test_cli_wants_an_artifact(cli: Callable[..., Any]) -> None:
    assert cli("serve").code == 2


def test_names_are_found(desk: Any) -> None:
    models = Models([desk])
    assert models.of(None) is desk is models.of("tickets")
    assert list(models) == [desk]
    for wrong in ("", "ticket", "x" * 500):
        with pytest.raises(ServiceError, match="PF711") as caught:
            models.of(wrong)
        assert len(str(caught.value)) < 400
