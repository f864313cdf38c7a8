"""A dashboard on a real port, with a journal that tells something, and a real Chromium."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from payoff.economics.desk import Desk, load
from payoff.learn.api_keys import make_key
from payoff.learn.feedback import Feedback, take
from payoff.learn.journal import Journal
from payoff.serve.app import create_app
from payoff.serve.bodies import DecideRequest
from payoff.serve.service import Service

from ..conftest import answering
from . import shop

NASTY = """<script>alert("x")</script> it's "quoted" & <b>bold</b> refund card"""
UNSURE = [
    "card refund billing charged twice hello",
    "refund my card please billing",
    "my card my refund my bill",
    NASTY,
]


@dataclass(frozen=True)
class House:
    """A service with a dashboard.

    Args:
        client: Without a cookie.
        journal: Of its decisions.
        key: Of the scope review, whose name is "Ann"; empty where the service has no keys.
    """

    client: httpx.Client
    journal: Journal
    key: str

    @property
    def base(self) -> str:
        """Where it listens."""
        return str(self.client.base_url).rstrip("/")

    def token(self, page: str = "/dashboard/login") -> str:
        """The token of a page's forms; the client keeps the cookie."""
        found = re.search(r'name="token" value="([0-9a-f]{64})"', self.client.get(page).text)
        assert found
        return found[1]

    def look(self, path: str = "") -> str:
        """A page below /dashboard, once what it shows has been added up."""
        until = time.monotonic() + 60
        while True:
            answer = self.client.get(f"/dashboard{path}")
            assert answer.status_code == 200, answer.text
            if 'class="page-waits"' not in answer.text:
                return answer.text
            assert time.monotonic() < until
            time.sleep(0.1)

    def sign_in(self) -> httpx.Response:
        """Sign in with the key."""
        form = {"token": self.token(), "key": self.key}
        return self.client.post("/dashboard/login", data=form)


def hand_over(desk: Desk, journal: Journal, texts: list[str]) -> list[str]:
    """Write decisions with their texts to the journal, all handed over; gives their ids."""
    import dataclasses

    service = Service(desk, journal, texts="whole")
    ids = []
    for number, text in enumerate(texts):
        asked = DecideRequest(text=text, request_id=f"wait-{number}", customer=f"c{number}")
        (answer,) = service.answer_all([(asked, 0.0)])
        handed = [dataclasses.replace(one, action="handoff") for one in answer.decisions]
        service.write_down([dataclasses.replace(answer, decisions=handed, latency_ms=2.0)])
        ids.append(asked.request_id)
    return ids


@pytest.fixture
def house(desk: Desk, journal: Journal) -> Iterator[Callable[..., House]]:
    """Open a house; ``keyed`` says whether there are keys."""
    with ExitStack() as opened:

        def open_house(
            *,
            keyed: bool = True,
            texts: list[str] | None = None,
            book: Journal | None = None,
            **more: Any,
        ) -> House:
            kept = journal if book is None else book
            key = make_key(kept, "Ann", ["review"])[1] if keyed else ""
            hand_over(desk, kept, UNSURE if texts is None else texts)
            app = create_app(desk, journal=kept, dashboard=True, texts="whole", **more)
            return House(opened.enter_context(answering(app)), kept, key)

        yield open_house


@pytest.fixture
def busy(desk: Desk, journal: Journal) -> None:
    """Decisions by the desk itself, some with feedback."""
    service = Service(desk, journal)
    texts = ["我要退款", "my card is gone", "charged twice", "where is my refund"]
    asked = DecideRequest(texts=texts, request_id="busy")
    service.write_down(service.answer_all([(asked, 0.0)]))
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    take(
        journal,
        [
            Feedback("busy/0", label="card", source="customer", time_utc=now),
            Feedback("busy/1", worth=2.5, time_utc=now),
        ],
    )


@pytest.fixture
def acted(desk: Desk, journal: Journal) -> None:
    """Two hundred requests that the model acted on: chance looks among those."""
    usual = ("my card is gone", "charged twice", "where is my refund", "refund my bill")
    texts = [f"{usual[n % 4]}, case {n}" for n in range(200)]
    service = Service(desk, journal, texts="whole")
    asked = DecideRequest(texts=texts, request_id="acted")
    service.write_down(service.answer_all([(asked, 0.0)]))


@pytest.fixture(scope="session")
def story(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal with weeks in it (`shop.weeks`), written once; each test has a copy."""
    path = tmp_path_factory.mktemp("story") / "journal.sqlite"
    with load(artifact, threads=1) as desk, Journal.open(path) as journal:
        shop.weeks(journal, desk, scale=0.35)
    return path


@pytest.fixture
def shop_home(
    story: Path, desk: Desk, tmp_path: Path, house: Callable[..., House]
) -> Iterator[Callable[..., House]]:
    """Open a house whose journal tells of weeks."""
    path = tmp_path / "story.sqlite"
    shutil.copyfile(story, path)
    with Journal.open(path) as journal:
        yield lambda **more: house(texts=[], book=journal, **more)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A browser; the test is skipped where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("there is no Chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
