"""Two models in one journal: each has pages of its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.learn.watching.test_alert_book import ALERT
from tests.serve.other_versions import another

from payoff.core.money import Money
from payoff.economics.costs import labels_line
from payoff.economics.desk import Desk, load
from payoff.learn.booking import Booking
from payoff.learn.journal import Journal
from payoff.learn.tally import Tally
from payoff.learn.versions import release
from payoff.learn.watching.alert_book import AlertBook, alert_key
from payoff.serve.bodies import DecideRequest
from payoff.serve.dashboard.drift import watching
from payoff.serve.dashboard.overview import overview
from payoff.serve.dashboard.span import span_of
from payoff.serve.dashboard.subject import Subject
from payoff.serve.dashboard.versions import versions
from payoff.serve.service import Service

from .conftest import House

pytest.importorskip("jinja2", reason="pip install 'payoff[dashboard]'")


def hand_over(desk: Desk, journal: Journal, name: str, n: int) -> None:
    """Requests that a person has to look at."""
    asked = DecideRequest(texts=["my card"] * n, request_id=name)
    (answer,) = Service(desk, journal).answer_all([(asked, 0.0)])
    handed = [replace(one, action="handoff") for one in answer.decisions]
    Service(desk, journal).write_down([replace(answer, decisions=handed)])


@pytest.fixture
def shared(artifact: Path, desk: Desk, journal: Journal, tmp_path: Path) -> Path:
    """The model `mood` has decided on 2 requests with the version before, on 4 with this one."""
    for seed, n in ((1, 2), (2, 4)):
        sha256 = another(artifact, tmp_path / "mood.payoff", seed, name="mood")
        with load(tmp_path / "mood.payoff", threads=1) as mood:
            hand_over(mood, journal, f"mood-{seed}", n)
            release(journal, "mood", sha256)
    hand_over(desk, journal, "tickets", 3)
    release(journal, "tickets", desk.artifact.sha256)
    line = labels_line(10, Money.of("1.00", desk.currency))
    journal.book([Booking(name, name, line) for name in ("mood", "tickets")])
    return tmp_path / "mood.payoff"


def test_what_is_told_of_a_model_is_its_own(shared: Path, desk: Desk, journal: Journal) -> None:
    for name, n in (("tickets", 3), ("mood", 6)):
        with load(shared, threads=1) as mood:
            subject = Subject(desk if name == "tickets" else mood, journal, Tally(journal))
            found = overview(subject, span_of("30"))
            assert (found.today.n, found.month.n, found.n_latencies) == (n, n, n)
            assert found.costs.total == 10.0
            assert found.profit == pytest.approx(found.month.worth - 10.0)
            assert sum(one.n for one in versions(subject).decided) == n


def test_alerts_of_a_version_with_a_name_of_its_own_are_shown(desk: Desk, journal: Journal) -> None:
    """A service gives it the name of the model; whoever watches the file knows only its own."""
    desk.name = "support"
    key = alert_key("tickets", desk.artifact.sha256)
    AlertBook(journal).put_up(replace(ALERT, key=key, model="tickets"))
    AlertBook(journal).put_up(replace(ALERT, key="loss mood", model="mood"))
    subject = Subject(desk, journal, Tally(journal))
    assert [one.alert.key for one in watching(subject, span_of("7")).alerts] == [key]
    assert [one.name for one in versions(subject).alerts] == [key]


def test_the_pages_and_the_queue_of_each(
    shared: Path, house: Callable[..., House], journal: Journal
) -> None:
    with load(shared, threads=1) as mood:
        home = house(keyed=False, texts=[], more=[(mood, journal)])
        for name, n in (("tickets", 3), ("mood", 6)):
            told = home.client.get(f"/v1/review/next?model={name}").json()
            assert told["n_waiting"] == n
            assert f"{n} requests wait" in home.look(f"/review?model={name}")
            shown = home.look(f"/decisions?model={name}")
            assert re.search(rf"handoff.{{0,300}}?>{n}<", shown, re.DOTALL)
