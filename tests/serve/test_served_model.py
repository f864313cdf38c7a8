"""The versions of a model: who decides, who stays loaded, and who is no version at all."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from payoff.core.errors import ServiceError
from payoff.serve.batches import Batches
from payoff.serve.served_model import ServedModel

CLIENT = SimpleNamespace(model="large", base_url="https://api.test", timeout_s=60.0)


def desk(sha256: str, **changed: Any) -> Any:
    facts: dict[str, Any] = {
        "name": f"made as {sha256}",
        "labels": ("card", "refund"),
        "currency": "USD",
        "reads_pairs": False,
        "closed": False,
    }
    made = SimpleNamespace(**(facts | changed))
    endpoints = changed.get("endpoints", [])
    made.artifact = SimpleNamespace(
        sha256=sha256,
        path=Path(f"{sha256}.payoff"),
        endpoints=lambda: endpoints,
        tiers=[SimpleNamespace(name="api", kind="endpoint") for _ in endpoints],
    )

    def close() -> None:
        made.closed = True

    made.close = close
    return made


def line(one: Any) -> Batches:
    service: Any = SimpleNamespace(
        name=one.name, sha256=one.artifact.sha256, desk=one, journal="the journal"
    )
    return Batches(service)


def model(usual: Any, *others: Any, **more: Any) -> ServedModel:
    return ServedModel(line(usual), [line(one) for one in others], open_line=line, **more)


def put(served: ServedModel, sha256: str) -> Any:
    made = desk(sha256)
    served.check(made)
    served.prepare(made)
    served.add(made)
    return made


def test_the_one_before_and_what_was_named_stay_loaded() -> None:
    served = model(desk("a"), desk("named"))
    assert (served.name, served.sha256, served.versions) == ("made as a", "a", ("a", "named"))
    made = {name: put(served, name) for name in "bcd"}
    assert made["b"].name == "made as a"
    assert made["b"].keeps_answering
    served.switch("b")
    assert served.let_go(["c", "d"]) == []
    served.switch("c")
    (gone,) = served.let_go([])
    assert gone.service.sha256 == "d"
    served.switch("a")
    (gone,) = served.let_go([])
    assert gone.service.sha256 == "b"
    assert served.line("b") is None
    served.end(gone)
    assert made["b"].closed
    assert not made["c"].closed
    assert set(served.versions) == {"a", "c", "named"}
    assert served.name == "made as a"


def test_a_file_that_holds_another_version_keeps_that_one() -> None:
    served = model(desk("a"))
    put(served, "b")
    assert served.files == {Path("a.payoff"): "a"}
    served.note_file(Path("a.payoff"), "b")
    served.note_file(Path("b.payoff"), "b")
    served.switch("b")
    assert served.named == {Path("a.payoff"): "b"}
    put(served, "c")
    served.switch("c")
    assert [one.service.sha256 for one in served.let_go([])] == ["a"]
    assert set(served.files) == {Path("a.payoff"), Path("c.payoff")}


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"currency": "EUR"}, "its money is EUR"),
        ({"reads_pairs": True}, "it reads pairs of texts"),
        ({"labels": ("x", "y")}, "it knows x, y"),
        ({"endpoints": [CLIENT]}, "it asks an endpoint"),
    ],
)
def test_what_is_no_version(changed: dict[str, Any], found: str) -> None:
    served = model(desk("a"))
    with pytest.raises(ServiceError, match=f"PF786 version b: {found}"):
        served.check(desk("b", **changed))
    served.check(desk("b", labels=("refund", "loan")))


def test_endpoints_are_booked_where_books_are_kept() -> None:
    taken: list[Any] = []
    books: Any = SimpleNamespace(take_in=taken.append, let_go=taken.append)
    served = model(desk("a"), desk("other"), books=books)
    assert [one.artifact.sha256 for one in taken] == ["other"]
    newer = desk("b", endpoints=[CLIENT])
    served.check(newer)
    served.prepare(newer)
    assert taken[-1] is newer
