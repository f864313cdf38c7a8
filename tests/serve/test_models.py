"""Several models in one service: opened, named, each with its journal."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from payoff.core.errors import ServiceError
from payoff.economics.desk import load
from payoff.learn.feedback import told_of
from payoff.learn.journal import Journal
from payoff.serve.app import create_app
from payoff.serve.client import Client
from payoff.serve.models import Models
from payoff.serve.run import _opened, run

from .conftest import answering
from .other_versions import another


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


def test_feedback_goes_where_its_decision_is(artifact: Path, tmp_path: Path) -> None:
    """Each artifact has a journal of its own unless one is named for all."""
    another(artifact, tmp_path / "mood.payoff", 7, name="mood")
    with ExitStack() as stack:
        desks = [
            stack.enter_context(load(path, threads=1))
            for path in (artifact, tmp_path / "mood.payoff")
        ]
        books = [stack.enter_context(Journal.open(tmp_path / f"{n}.db")) for n in range(2)]
        app = create_app(desks[0], journal=books[0], more=[(desks[1], books[1])])
        client = stack.enter_context(answering(app))
        for name, request_id in (("tickets", "r-1"), ("mood", "r-2"), ("mood", "r-3")):
            asked = {"text": "my card", "model": name, "request_id": request_id}
            assert client.post("/v1/decide", json=asked).status_code == 200
        told = [
            {"request_id": name, "label": "card", "feedback_id": f"f-{name}"}
            for name in ("r-1", "r-2", "r-3", "r-4")
        ]
        for new in (True, False):
            answer = client.post("/v1/feedback", json={"feedback": told}).json()
            counts = {"n_new": 4 * new, "n_known": 4 * (not new)}
            assert answer == counts | {"unknown": ["r-4"]}
        ids = ["r-1", "r-2", "r-3", "r-4"]
        found = [[one.request_id for one in told_of(book, ids)] for book in books]
        assert found == [["r-1", "r-4"], ["r-2", "r-3"]]
        early = {"model": "mood", "feedback": [{"request_id": "r-9", "correct": True}]}
        assert client.post("/v1/feedback", json=early).json()["unknown"] == ["r-9"]
        assert len(told_of(books[1], ["r-9"])) == 1
        with Client(str(client.base_url)) as desk:
            assert desk.tell("r-2", label="refund", model="mood")
            assert not desk.tell("r-1", label="refund", model="mood")
        wrong = client.post("/v1/feedback", json=early | {"model": "weather"})
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (404, "PF711")


def test_feedback_on_a_model_without_a_journal_is_refused(artifact: Path, tmp_path: Path) -> None:
    another(artifact, tmp_path / "mood.payoff", 7, name="mood")
    with (
        load(artifact, threads=1) as first,
        load(tmp_path / "mood.payoff", threads=1) as second,
        Journal.open(tmp_path / "j.db") as journal,
        answering(create_app(first, journal=journal, more=[(second, None)])) as client,
    ):
        told = {"feedback": [{"request_id": "r-1", "correct": True}]}
        assert client.post("/v1/feedback", json=told).status_code == 200
        refused = client.post("/v1/feedback", json=told | {"model": "mood"})
        assert refused.json()["error"]["code"] == "PF760"


def test_names_are_found(desk: Any) -> None:
    models = Models([desk])
    assert models.of(None) is desk is models.of("tickets")
    assert list(models) == [desk]
    for wrong in ("", "ticket", "x" * 500):
        with pytest.raises(ServiceError, match="PF711") as caught:
            models.of(wrong)
        assert len(str(caught.value)) < 400
