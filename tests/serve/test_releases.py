"""What serves is what the journal says is released, whoever wrote it there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from payoff.core.errors import PayoffError, ServiceError
from payoff.economics.desk import POLICY, Desk, load
from payoff.learn.api_keys import make_key
from payoff.learn.experiments import book
from payoff.learn.experiments.assignment import arm_of
from payoff.learn.experiments.book import promote, start
from payoff.learn.experiments.experiment import Experiment
from payoff.learn.experiments.hold_back import HoldBack
from payoff.learn.experiments.tick import tick
from payoff.learn.feedback import Feedback, take
from payoff.learn.journal import Journal
from payoff.learn.versions import (
    PLACE,
    history,
    note_made,
    note_place,
    release,
    released,
    roll_back,
)
from payoff.learn.watching.alert_book import AlertBook
from payoff.serve import experiments as experiments_module
from payoff.serve import releases as module
from payoff.serve.app import create_app
from payoff.serve.client import Client

from .conftest import answering
from .other_versions import another


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.05)
    monkeypatch.setattr(experiments_module, "_FRESH_S", 0.05)


@pytest.fixture
def newer(artifact: Path, tmp_path: Path) -> tuple[Path, str]:
    path = tmp_path / "tickets.2.payoff"
    return path, another(artifact, path, seed=2)


@pytest.fixture
def old(artifact: Path, tmp_path: Path) -> Iterator[Desk]:
    """The frozen artifact as a file that a test may replace."""
    path = tmp_path / "tickets.payoff"
    another(artifact, path, seed=1)
    with load(path, threads=1) as desk:
        yield desk


def model_of(client: httpx.Client, **headers: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/v1/models", headers=headers).json()["models"][0]
    return found


def until(done: Callable[[], bool]) -> None:
    for _ in range(10_000):
        if done():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come to that in 100 s")


def serves(client: httpx.Client, sha256: str) -> Callable[[], bool]:
    return lambda: model_of(client)["sha256"] == sha256


def test_what_serves_first_is_noted_once(old: Desk, journal: Journal) -> None:
    for _ in range(2):
        with answering(create_app(old, journal=journal)) as client:
            assert model_of(client)["trouble"] is None
    (event,) = history(journal, old.name)
    assert event.event == "released"
    assert event.artifact_sha256 == old.artifact.sha256
    assert event.facts[PLACE] == str(old.artifact.path.resolve())


def test_a_release_and_a_roll_back_elsewhere_are_followed(
    old: Desk, journal: Journal, newer: tuple[Path, str]
) -> None:
    path, sha256 = newer
    with answering(create_app(old, journal=journal)) as client:
        release(journal, old.name, sha256, {PLACE: str(path)})
        until(serves(client, sha256))
        answer = client.post("/v1/decide", json={"text": "card", "request_id": "r-1"})
        assert answer.status_code == 200
        roll_back(journal, old.name, {"why": "it loses money"})
        until(serves(client, old.artifact.sha256))
        assert client.post("/v1/decide", json={"text": "card"}).status_code == 200
    first, second = journal.read()
    assert (first.artifact_sha256, second.artifact_sha256) == (sha256, old.artifact.sha256)


def test_what_is_released_serves_from_the_first_request(
    old: Desk, journal: Journal, newer: tuple[Path, str]
) -> None:
    path, sha256 = newer
    release(journal, old.name, old.artifact.sha256, {PLACE: str(old.artifact.path)})
    # The project lay elsewhere when it was noted: it is found by its name beside the old one.
    release(journal, old.name, sha256, {PLACE: f"/moved/away/{path.name}"})
    with answering(create_app(old, journal=journal)) as client:
        assert model_of(client)["sha256"] == sha256


def another_file(path: Path, artifact: Path) -> None:
    another(artifact, path, seed=3)


def cut(path: Path, artifact: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def altered(path: Path, artifact: Path) -> None:
    content = bytearray(path.read_bytes())
    at = content.index(b'"offsets"') if b'"offsets"' in content else len(content) // 2
    content[at + 2] ^= 1
    path.write_bytes(bytes(content))


def gone(path: Path, artifact: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("spoil", [another_file, cut, altered, gone])
def test_what_cannot_be_opened_leaves_the_present_one_serving(
    old: Desk,
    journal: Journal,
    newer: tuple[Path, str],
    artifact: Path,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[Path, Path], None],
) -> None:
    path, sha256 = newer
    whole = path.read_bytes()
    spoil(path, artifact)
    with answering(create_app(old, journal=journal)) as client:
        release(journal, old.name, sha256, {PLACE: str(path)})
        until(lambda: model_of(client)["trouble"] is not None)
        found = model_of(client)
        assert found["sha256"] == old.artifact.sha256
        assert found["trouble"]["code"] == "PF785"
        assert client.post("/v1/decide", json={"text": "card"}).status_code == 200
        assert 'payoff_release_missing{model="tickets"} 1.0' in client.get("/metrics").text
        time.sleep(0.3)  # several looks: it is told once
        told = [one.message for one in caplog.records if "PF785" in one.message]
        assert len(told) == 1
        path.write_bytes(whole)  # put back, it is served after all
        until(serves(client, sha256))
        assert model_of(client)["trouble"] is None
        assert 'payoff_release_missing{model="tickets"} 0.0' in client.get("/metrics").text


def test_an_unsigned_version_is_not_served_where_keys_are_trusted(
    old: Desk,
    journal: Journal,
    newer: tuple[Path, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cryptography = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    from cryptography.hazmat.primitives import serialization

    public = cryptography.Ed25519PrivateKey.generate().public_key()
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (tmp_path / "trusted.pem").write_bytes(pem)
    path, sha256 = newer
    with answering(create_app(old, journal=journal)) as client:
        monkeypatch.setenv("PAYOFF_TRUSTED_KEYS", str(tmp_path / "trusted.pem"))
        release(journal, old.name, sha256, {PLACE: str(path)})
        until(lambda: model_of(client)["trouble"] is not None)
        assert "PF508" in model_of(client)["trouble"]["found"]
        assert model_of(client)["sha256"] == old.artifact.sha256


def policy_of(desk: Desk, labels: list[str]) -> bytes:
    """The desk's policy for other labels, as many."""
    document = json.loads(desk.artifact.read(POLICY))
    text = json.dumps(document)
    for before, after in zip(desk.labels, labels, strict=True):
        text = text.replace(f'"{before}"', f'"{after}"')
    return text.encode()


def test_labels_may_come_and_go_but_not_all(
    old: Desk, journal: Journal, artifact: Path, tmp_path: Path
) -> None:
    some, none = tmp_path / "some.payoff", tmp_path / "none.payoff"
    kept = ["billing", "card", "zebra"]
    sha_some = another(artifact, some, 5, labels=tuple(kept), policy=policy_of(old, kept))
    other = ["x", "y", "z"]
    sha_none = another(artifact, none, 6, labels=tuple(other), policy=policy_of(old, other))
    with answering(create_app(old, journal=journal)) as client:
        release(journal, old.name, sha_some, {PLACE: str(some)})
        until(serves(client, sha_some))
        assert model_of(client)["labels"] == kept
        release(journal, old.name, sha_none, {PLACE: str(none)})
        until(lambda: model_of(client)["trouble"] is not None)
        assert model_of(client)["trouble"]["code"] == "PF786"
        assert model_of(client)["sha256"] == sha_some
        answer = client.post("/v1/decide", json={"text": "card"}).json()["decision"]
        assert answer["action"] in (*kept, "handoff")


def test_other_money_is_no_version_and_another_name_is(
    old: Desk, journal: Journal, artifact: Path, tmp_path: Path
) -> None:
    document = json.loads(old.artifact.read(POLICY)) | {"currency": "EUR"}
    path, named = tmp_path / "euro.payoff", tmp_path / "named.payoff"
    sha256 = another(artifact, path, 7, policy=json.dumps(document).encode())
    other = another(artifact, named, 8, name="candidate")
    with answering(create_app(old, journal=journal)) as client:
        release(journal, old.name, sha256, {PLACE: str(path)})
        until(lambda: model_of(client)["trouble"] is not None)
        assert model_of(client)["trouble"]["code"] == "PF786"
        assert model_of(client)["sha256"] == old.artifact.sha256
        release(journal, old.name, other, {PLACE: str(named)})
        until(serves(client, other))
        assert model_of(client)["name"] == old.name
        body = {"text": "card", "model": old.name}
        assert client.post("/v1/decide", json=body).status_code == 200
        assert f'model="{old.name}",tier="",version="{other[:12]}"' in client.get("/metrics").text


def test_what_a_service_is_started_with_is_released_once(
    old: Desk, journal: Journal, artifact: Path, newer: tuple[Path, str]
) -> None:
    """A new file is wanted; the old one named after a promotion is not, and begins nothing."""
    with answering(create_app(old, journal=journal)):
        pass
    sha256 = another(artifact, old.artifact.path, seed=9)
    with load(old.artifact.path, threads=1) as desk:
        with answering(create_app(desk, journal=journal)) as client:
            assert model_of(client)["sha256"] == sha256
        promoted = newer[1]
        release(journal, old.name, promoted, {PLACE: str(newer[0])})
        with answering(create_app(desk, journal=journal)) as client:
            assert model_of(client)["sha256"] == promoted
            assert set(model_of(client)["versions"]) == {promoted, sha256}
    done = [(one.artifact_sha256, one.facts.get("why", "")) for one in history(journal, old.name)]
    begun = "a service was started with it"
    assert done == [(old.artifact.sha256, begun), (sha256, begun), (promoted, "")]


def test_the_file_of_a_promoted_version_may_be_replaced_too(
    old: Desk, journal: Journal, artifact: Path, newer: tuple[Path, str]
) -> None:
    path, sha256 = newer
    release(journal, old.name, old.artifact.sha256, {PLACE: str(old.artifact.path)})
    release(journal, old.name, sha256, {PLACE: str(path)})
    replaced = another(artifact, path, seed=9)
    with (
        load(path, threads=1) as desk,
        answering(create_app(old, journal=journal, versions=[desk])) as client,
    ):
        assert model_of(client)["sha256"] == replaced
    now = released(journal, old.name)
    assert now is not None
    assert now.facts["why"] == "its file was replaced"


def experiment(old: Desk, treatment: str) -> Experiment:
    return Experiment(
        name="second",
        model=old.name,
        control=old.artifact.sha256,
        treatment=treatment,
        currency=old.currency,
        low=-25.0,
        high=10.0,
        ramp=(0.5, 1.0),
        planned_information=100.0,
    )


def arms(client: httpx.Client, journal: Journal, tag: str) -> set[tuple[str, str]]:
    for number in range(30):
        body = {"text": "card", "request_id": f"{tag}-{number}"}
        assert client.post("/v1/decide", json=body).status_code == 200
    mine = [one for one in journal.read(1000) if one.request_id.startswith(f"{tag}-")]
    return {(one.artifact_sha256, one.arm) for one in mine}


def test_a_promotion_is_a_release_and_a_roll_back_ends_it(
    old: Desk, journal: Journal, newer: tuple[Path, str]
) -> None:
    path, sha256 = newer
    first = old.artifact.sha256
    with answering(create_app(old, journal=journal)) as client:
        # The arm is opened by the service, from where it was noted to lie.
        note_place(journal, old.name, sha256, str(path))
        start(journal, experiment(old, sha256), old.policy)
        until(lambda: sha256 in model_of(client)["versions"])
        time.sleep(0.1)
        assert arms(client, journal, "a") == {(first, "control"), (sha256, "treatment")}
        promote(journal, "second", why="it earns more")
        until(serves(client, sha256))
        time.sleep(0.1)
        assert arms(client, journal, "b") == {(sha256, "")}
        event = released(journal, old.name)
        assert event is not None
        assert event.facts["experiment"] == "second"
        assert event.facts[PLACE] == str(path)
        roll_back(journal, old.name)
        until(serves(client, first))
        assert arms(client, journal, "c") == {(first, "")}
    # Begun again, it is still the control that serves: the promotion has no word of its own.
    with answering(create_app(old, journal=journal)) as client:
        assert arms(client, journal, "d") == {(first, "")}


def test_a_promoted_version_that_loses_is_rolled_back_while_the_service_runs(
    old: Desk, journal: Journal, newer: tuple[Path, str]
) -> None:
    path, sha256 = newer
    first = old.artifact.sha256
    release(journal, old.name, first, {PLACE: str(old.artifact.path)})
    note_place(journal, old.name, sha256, str(path))
    held = replace(experiment(old, sha256), hold_back=HoldBack(share=0.5))
    start(journal, held, old.policy)
    with answering(create_app(old, journal=journal)) as client:
        promote(journal, "second", why="it earns more")
        until(serves(client, sha256))
        until(lambda: arms(client, journal, f"a{time.monotonic_ns()}") == both(first, sha256))
    # A restart in between forgets nothing: customers stay where they were.
    with answering(create_app(old, journal=journal)) as client:
        assert model_of(client)["sha256"] == sha256
        before = {e.request_id: e.arm for e in journal.read(10_000) if e.arm}
        assert arms(client, journal, "b") == both(first, sha256)
        for number in range(200):
            body = {"text": "card", "request_id": f"c{number}"}
            assert client.post("/v1/decide", json=body).status_code == 200
        mine = [one for one in journal.read(10_000) if one.experiment == "second-hold-back"]
        course = book.course_of(journal, "second-hold-back")
        assert {one.arm == arm_of(course, "", one.request_id) for one in mine} == {True}
        assert before.items() <= {one.request_id: one.arm for one in mine}.items()
        worth = {"treatment": -25.0, "control": 3.0}
        take(journal, [Feedback(one.request_id, worth=worth[one.arm]) for one in mine])
        (found,) = tick(journal)
        assert found.done == "rolled back"
        until(serves(client, first))
        assert arms(client, journal, "d") == {(first, "")}
        assert tick(journal) == []
    now = released(journal, old.name)
    assert now is not None
    assert now.artifact_sha256 == first
    (alert,) = AlertBook(journal).states().values()
    assert alert.alert.low > 0


def both(first: str, second: str) -> set[tuple[str, str]]:
    return {(first, "control"), (second, "treatment")}


def test_a_release_meanwhile_leaves_an_experiment_alone(
    old: Desk, journal: Journal, newer: tuple[Path, str], artifact: Path, tmp_path: Path
) -> None:
    path, sha256 = newer
    third = tmp_path / "tickets.3.payoff"
    other = another(artifact, third, seed=3)
    with answering(create_app(old, journal=journal)) as client:
        note_place(journal, old.name, sha256, str(path))
        start(journal, experiment(old, sha256), old.policy)
        until(lambda: sha256 in model_of(client)["versions"])
        release(journal, old.name, other, {PLACE: str(third)})
        until(serves(client, other))
        assert arms(client, journal, "a") == {(other, "")}


@pytest.fixture
def keyed(old: Desk, journal: Journal) -> Iterator[tuple[httpx.Client, str, str]]:
    """A service with a key of the scope admin and one that may decide."""
    admin = make_key(journal, "ops", ["admin"])[1]
    shop = make_key(journal, "shop", ["decide", "feedback"])[1]
    with answering(create_app(old, journal=journal)) as client:
        yield client, admin, shop


def test_released_and_rolled_back_over_http(
    keyed: tuple[httpx.Client, str, str], old: Desk, journal: Journal, newer: tuple[Path, str]
) -> None:
    client, admin, shop = keyed
    path, sha256 = newer
    first = old.artifact.sha256
    note_made(journal, old.name, sha256, {PLACE: str(path), "version": 2})
    url = str(client.base_url)
    with Client(url, key=shop) as asking, pytest.raises(PayoffError, match="PF719"):
        asking.release(old.name, sha256)
    with Client(url, key=admin) as ops:
        with pytest.raises(PayoffError, match="PF787"):
            ops.release(old.name, "f" * 64)
        with pytest.raises(PayoffError, match="PF711"):
            ops.release("nobody", sha256)
        with pytest.raises(PayoffError, match="PF772"):
            ops.roll_back(old.name, first)
        told = [ops.release(old.name, sha256, why="it earns more") for _ in range(2)]
        assert told[0] == told[1]
        assert told[0]["released"] == told[0]["serving"] == sha256
        with pytest.raises(PayoffError, match="PF788"):
            ops.roll_back(old.name, first)
        back = [ops.roll_back(old.name, sha256, why="it does not") for _ in range(2)]
        assert back[0] == back[1]
        assert back[0]["released"] == back[0]["serving"] == first
    events = [(e.event, e.artifact_sha256, e.facts.get("why")) for e in history(journal, old.name)]
    assert events == [
        ("released", first, "a service was started with it"),
        ("made", sha256, None),
        ("released", sha256, "it earns more"),
        ("withdrawn", sha256, "it does not"),
        ("released", first, "a service was started with it"),
    ]
    assert history(journal, old.name)[2].facts["by"] == "ops"


def test_what_cannot_serve_is_not_released(
    keyed: tuple[httpx.Client, str, str], old: Desk, journal: Journal, newer: tuple[Path, str]
) -> None:
    client, admin, _ = keyed
    path, sha256 = newer
    headers = {"authorization": f"Bearer {admin}"}
    path.unlink()
    note_made(journal, old.name, sha256, {PLACE: str(path)})
    before = history(journal, old.name)
    for body, status, code in (
        ({"artifact_sha256": sha256}, 409, "PF785"),
        ({"artifact_sha256": "A" * 64}, 422, "PF701"),
        ({"artifact_sha256": sha256, "more": 1}, 422, "PF701"),
        ({}, 422, "PF701"),
    ):
        for verb in ("release", "rollback"):
            answer = client.post(f"/v1/models/{old.name}/{verb}", json=body, headers=headers)
            wanted = (409, "PF788") if (verb, status) == ("rollback", 409) else (status, code)
            assert (answer.status_code, answer.json()["error"]["code"]) == wanted
    assert history(journal, old.name) == before
    # Gone back to what is gone: refused before anything is noted.
    release(journal, old.name, sha256, {PLACE: str(path)})
    release(journal, old.name, old.artifact.sha256)
    url = f"/v1/models/{old.name}/rollback"
    body = {"artifact_sha256": old.artifact.sha256}
    before = history(journal, old.name)
    answer = client.post(url, json=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "PF785")
    assert history(journal, old.name) == before


def test_without_keys_nothing_is_released_over_http(old: Desk, journal: Journal) -> None:
    body = {"artifact_sha256": old.artifact.sha256}
    with answering(create_app(old, journal=journal)) as client:
        for verb in ("release", "rollback"):
            answer = client.post(f"/v1/models/{old.name}/{verb}", json=body)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "PF789")
    with answering(create_app(old)) as client:
        assert client.post(f"/v1/models/{old.name}/release", json=body).status_code == 404


def test_it_is_in_the_schema(keyed: tuple[httpx.Client, str, str]) -> None:
    client, admin, _ = keyed
    told = client.get("/openapi.json", headers={"authorization": f"Bearer {admin}"}).json()
    for verb in ("release", "rollback"):
        post = told["paths"][f"/v1/models/{{name}}/{verb}"]["post"]
        schema = post["requestBody"]["content"]["application/json"]["schema"]
        assert schema["examples"]
        assert {"401", "403", "404", "409", "422"} <= set(post["responses"])


def test_a_journal_that_fails_ends_nothing(
    old: Desk, journal: Journal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from payoff.learn import versions

    def locked(*_: Any, **__: Any) -> Any:
        raise ServiceError("PF703", "journal", "it is locked")

    with answering(create_app(old, journal=journal)) as client:
        monkeypatch.setattr(versions, "history", locked)
        until(lambda: any("could not be followed" in one.message for one in caplog.records))
        assert client.post("/v1/decide", json={"text": "card"}).status_code == 200
        monkeypatch.setattr(versions, "history", lambda *_: 1 / 0)
        until(lambda: any("PF799" in one.message for one in caplog.records))
        assert client.post("/v1/decide", json={"text": "card"}).status_code == 200
