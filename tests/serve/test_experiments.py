"""An experiment as the service runs it: from shadow to promotion."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from payoff.economics.desk import Desk, load
from payoff.learn.entry import customer_hash
from payoff.learn.experiments.assignment import TREATMENT, arm_of
from payoff.learn.experiments.book import promote, ramp, start, stop
from payoff.learn.experiments.course import Course
from payoff.learn.experiments.experiment import Experiment, Mode
from payoff.learn.journal import Journal
from payoff.serve import experiments as module
from payoff.serve.app import create_app
from payoff.serve.run import _opened

from .conftest import answering
from .other_versions import another

N = 60


@pytest.fixture
def newer(desk: Desk, tmp_path: Path) -> Iterator[Desk]:
    """The same model under another seed in its manifest: another artifact."""
    path = tmp_path / "newer.payoff"
    another(desk.artifact.path, path, seed=1)
    with load(path, threads=1) as found:
        assert found.artifact.sha256 != desk.artifact.sha256
        yield found


@pytest.fixture(autouse=True)
def always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FRESH_S", 0.0)
    monkeypatch.setattr("payoff.serve.releases.LOOK_S", 0.05)


def begun(desk: Desk, newer: Desk, journal: Journal, mode: Mode, *, share: float = 0.5) -> Course:
    experiment = Experiment(
        name="newer",
        model=desk.name,
        control=desk.artifact.sha256,
        treatment=newer.artifact.sha256,
        currency=desk.currency,
        low=float(np.min(desk.policy.values)) - 1,
        high=float(np.max(desk.policy.values)) + 1,
        mode=mode,
        ramp=(share, 1.0),
        planned_information=100.0,
    )
    return start(journal, experiment, desk.policy)


def ask_all(client: httpx.Client, tag: str) -> list[dict[str, Any]]:
    found = []
    for number in range(N):
        body = {"text": "card", "request_id": f"{tag}-{number}", "customer": f"c{number % 20}"}
        answer = client.post("/v1/decide", json=body)
        assert answer.status_code == 200, answer.text
        found.append(answer.json())
    return found


def test_customers_are_shared_out_and_stay_where_they_are(
    desk: Desk, newer: Desk, journal: Journal
) -> None:
    course = begun(desk, newer, journal, Mode.LIVE)
    with answering(create_app(desk, journal=journal, versions=[newer])) as client:
        ask_all(client, "a")
    entries = journal.read(1000)
    assert len(entries) == N
    arms = {
        entry.customer: {e.arm for e in entries if e.customer == entry.customer}
        for entry in entries
    }
    assert {len(arm) for arm in arms.values()} == {1}
    assert {entry.arm for entry in entries} == {"control", "treatment"}
    for entry in entries:
        assert entry.experiment == "newer"
        assert entry.arm == arm_of(course, entry.customer, entry.request_id)
        whose = newer if entry.arm == TREATMENT else desk
        assert entry.artifact_sha256 == whose.artifact.sha256


def test_the_other_protocol_is_shared_out_alike(desk: Desk, newer: Desk, journal: Journal) -> None:
    course = begun(desk, newer, journal, Mode.LIVE)
    versions = set()
    with answering(create_app(desk, journal=journal, versions=[newer])) as client:
        for _ in range(30):
            tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["card"]}
            told = client.post(f"/v2/models/{desk.name}/infer", json={"inputs": [tensor]}).json()
            versions.add(told["model_version"])
            (entry,) = journal.read(1)
            assert entry.artifact_sha256 == told["model_version"]
            assert entry.arm == arm_of(course, "", told["parameters"]["request_id"])
        figures = client.get("/metrics").text
    assert versions == {desk.artifact.sha256, newer.artifact.sha256}
    for sha256 in versions:
        assert f'version="{sha256[:12]}"' in figures


def until_served(client: httpx.Client, wanted: Desk) -> dict[str, Any]:
    """What `/v1/models` says once a version decides, or after half a minute."""
    for _ in range(300):
        (facts,) = client.get("/v1/models").json()["models"]
        if facts["versions"][0] == wanted.artifact.sha256:
            break
        time.sleep(0.1)
    return dict(facts)


def test_a_ramp_a_promotion_and_a_stop_are_followed(
    desk: Desk, newer: Desk, journal: Journal
) -> None:
    course = begun(desk, newer, journal, Mode.LIVE, share=0.05)
    treated: Callable[[str], set[str]] = lambda tag: {  # noqa: E731
        e.customer
        for e in journal.read(1000)
        if e.request_id.startswith(tag) and e.artifact_sha256 == newer.artifact.sha256
    }
    with answering(create_app(desk, journal=journal, versions=[newer])) as client:
        ask_all(client, "a")
        ramp(journal, course.experiment.name, 0.6)
        ask_all(client, "b")
        assert treated("a") <= treated("b")
        assert 5 <= len(treated("b")) <= 18
        promote(journal, course.experiment.name)
        served = until_served(client, newer)
        assert served["versions"][0] == newer.artifact.sha256
        ask_all(client, "c")
        assert len(treated("c")) == 20
        promoted = [e for e in journal.read(1000) if e.request_id.startswith("c")]
        assert {e.experiment for e in promoted} == {""}


def test_what_is_stopped_decides_no_more(desk: Desk, newer: Desk, journal: Journal) -> None:
    course = begun(desk, newer, journal, Mode.LIVE)
    with answering(create_app(desk, journal=journal, versions=[newer])) as client:
        ask_all(client, "a")
        stop(journal, course.experiment.name)
        ask_all(client, "b")
    later = [e for e in journal.read(1000) if e.request_id.startswith("b")]
    assert {(e.artifact_sha256, e.experiment) for e in later} == {(desk.artifact.sha256, "")}


def test_a_shadow_is_written_down_and_does_not_act(
    desk: Desk, newer: Desk, journal: Journal
) -> None:
    begun(desk, newer, journal, Mode.SHADOW)
    app = create_app(desk, journal=journal, versions=[newer], texts="whole")
    with answering(app) as client:
        ask_all(client, "a")
        body = {"texts": ["card", "refund"], "request_id": "many", "customer": "c1"}
        assert len(client.post("/v1/decide", json=body).json()["decisions"]) == 2
    entries = journal.read(1000)  # closing waits for what is under way
    own = [e for e in entries if not e.request_id.endswith("#shadow")]
    shadows = {e.request_id: e for e in entries if e.request_id.endswith("#shadow")}
    assert len(own) == len(shadows) == N + 2
    assert "many/1#shadow" in shadows
    for entry in own:
        shadow = shadows[f"{entry.request_id}#shadow"]
        assert (entry.arm, shadow.arm) == ("control", "treatment")
        assert entry.artifact_sha256 == desk.artifact.sha256
        assert shadow.artifact_sha256 == newer.artifact.sha256
        assert (
            shadow.customer
            == entry.customer
            == customer_hash(
                f"c{int(entry.request_id.split('-')[1]) % 20}" if "-" in entry.request_id else "c1",
                journal.salt,
            )
        )


def test_half_an_experiment_is_left_alone_and_told(
    desk: Desk, newer: Desk, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    absent = "f" * 64
    course = begun(desk, newer, journal, Mode.LIVE)
    stop(journal, course.experiment.name)
    half = replace(course.experiment, name="half", treatment=absent)
    start(journal, half, desk.policy)
    with answering(create_app(desk, journal=journal, versions=[newer])) as client:
        ask_all(client, "a")
    assert {e.experiment for e in journal.read(1000)} == {""}
    told = [r.message for r in caplog.records if "is left alone" in r.message]
    assert len(told) == 1
    assert absent[:12] in told[0]


def test_a_service_of_one_version_asks_for_no_experiments(desk: Desk, journal: Journal) -> None:
    with answering(create_app(desk, journal=journal)) as client:
        ask_all(client, "a")
    assert {e.experiment for e in journal.read(1000)} == {""}


def test_an_artifact_with_a_name_that_is_taken_is_a_further_version(
    artifact: Path, newer: Desk, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        wanted = [(artifact, tmp_path / "a.db"), (newer.artifact.path, tmp_path / "b.db")]
        found, versions = _opened(wanted, 1, stack)
        assert len(found) == 1
        assert [one.artifact.sha256 for one in versions] == [newer.artifact.sha256]
    assert not (tmp_path / "b.db").exists()
