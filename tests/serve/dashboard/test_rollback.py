"""The page of versions: what happened to each, and the button that goes back."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from payoff.economics.desk import Desk
from payoff.learn.api_keys import make_key
from payoff.learn.journal import Journal
from payoff.learn.versions import PLACE, history, note_made, release, released

from ..other_versions import another
from .conftest import House

Open = Callable[..., House]
VERSIONS, BACK = "/dashboard/versions", "/dashboard/versions/rollback"


@pytest.fixture
def second(desk: Desk, artifact: Path, tmp_path: Path, journal: Journal) -> str:
    """A second version, released after the first one."""
    path = tmp_path / "second.payoff"
    sha256 = another(artifact, path, 2)
    release(journal, desk.name, desk.artifact.sha256, {PLACE: str(artifact), "why": "the first"})
    gain = {"mean": 834.5, "currency": "USD"}
    facts = {PLACE: str(path), "version": 2, "accuracy": 0.914, "gain_month": gain}
    note_made(journal, desk.name, sha256, facts)
    release(journal, desk.name, sha256, {"why": "<b>more</b> money", "by": "Ann"})
    return sha256


@pytest.fixture
def admin(house: Open, second: str, journal: Journal) -> House:
    key = make_key(journal, "Olga", ["admin"])[1]
    opened = house()
    home = House(opened.client, opened.journal, key)
    assert home.sign_in().status_code == 303
    return home


def form_of(home: House) -> dict[str, str]:
    page = home.client.get(BACK).text
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="([0-9a-f]{64})">', page)
    return dict(fields)


def test_the_history_is_shown(admin: House, desk: Desk, second: str) -> None:
    shown = admin.client.get(VERSIONS).text
    for told in (second[:12], desk.artifact.sha256[:12], "91.4%", "834.50 USD", "No. 2"):
        assert told in shown
    assert "&lt;b&gt;more&lt;/b&gt; money" in shown
    assert f"Roll back to {desk.artifact.sha256[:12]}" in shown
    assert "回退到" in admin.client.get(f"{VERSIONS}?lang=zh").text


def test_it_goes_back_once_with_a_confirmation(admin: House, desk: Desk, second: str) -> None:
    form = form_of(admin)
    assert form["artifact_sha256"] == second
    for _ in range(2):
        answer = admin.client.post(BACK, data={**form, "why": " it loses money "})
        assert answer.status_code == 303
    shown = admin.client.get(answer.headers["location"]).text
    assert f"Version {desk.artifact.sha256[:12]} is released again." in shown
    events = history(admin.journal, desk.name)
    assert [one.event for one in events] == [
        "released",
        "made",
        "released",
        "withdrawn",
        "released",
    ]
    assert events[3].facts == {"by": "Olga", "why": "it loses money"}
    now = admin.client.get("/v1/models", headers={"authorization": f"Bearer {admin.key}"}).json()
    assert now["models"][0]["sha256"] == desk.artifact.sha256
    assert "none to go back to" in admin.client.get(BACK).text


@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        ({"token": "0" * 64}, 403, "PF762"),
        ({"token": ""}, 403, "PF762"),
        ({"artifact_sha256": "f" * 64}, 409, "PF788"),
        ({"artifact_sha256": ""}, 409, "PF788"),
    ],
)
def test_forms_that_are_refused(
    admin: House, desk: Desk, second: str, wrong: dict[str, Any], status: int, code: str
) -> None:
    answer = admin.client.post(BACK, data={**form_of(admin), **wrong})
    assert (answer.status_code, code in answer.text) == (status, True)
    other = {"origin": "https://elsewhere.example"}
    answer = admin.client.post(BACK, data=form_of(admin), headers=other)
    assert (answer.status_code, "PF762" in answer.text) == (403, True)
    now = released(admin.journal, desk.name)
    assert now is not None
    assert now.artifact_sha256 == second


def test_who_may_only_review_sees_no_button(
    house: Open, second: str, desk: Desk, journal: Journal
) -> None:
    home = house()
    home.sign_in()
    shown = home.client.get(VERSIONS).text
    assert "A key of the scope admin may roll back." in shown
    assert BACK not in shown
    assert home.client.get(BACK).status_code == 403
    form = {"token": home.token("/dashboard/try"), "artifact_sha256": second}
    answer = home.client.post(BACK, data=form)
    assert (answer.status_code, "PF789" in answer.text) == (403, True)
    now = released(journal, desk.name)
    assert now is not None
    assert now.artifact_sha256 == second


def test_whoever_is_not_signed_in_is_sent_to_the_door(house: Open, second: str) -> None:
    home = house()
    for answer in (home.client.get(BACK), home.client.post(BACK, data={})):
        assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard/login")


@pytest.mark.browser
@pytest.mark.parametrize("script", [True, False])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_by_keyboard_with_and_without_script(
    chromium: Any,
    admin: House,
    repository: Path,
    desk: Desk,
    second: str,
    language: str,
    script: bool,
) -> None:
    context = chromium.new_context(locale="en-GB", java_script_enabled=script)
    page = context.new_page()
    page.set_default_timeout(120_000)
    problems: list[str] = []
    page.on("console", lambda one: problems.append(one.text) if one.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.set_viewport_size({"width": 360, "height": 800})
    page.goto(f"{admin.base}/dashboard/login?lang={language}")
    page.locator("#key").focus()
    page.keyboard.type(admin.key)
    page.keyboard.press("Enter")
    page.wait_for_url("**/dashboard")
    page.goto(f"{admin.base}{VERSIONS}")
    look(page, repository, script)
    page.locator("main a.button").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/rollback")
    look(page, repository, script)
    page.locator("#why").focus()
    page.keyboard.type("it loses money")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**done=*")
    assert desk.artifact.sha256[:12] in page.locator("[role=status]").inner_text()
    look(page, repository, script)
    now = released(admin.journal, desk.name)
    assert now is not None
    assert now.artifact_sha256 == desk.artifact.sha256
    assert problems == []
    context.close()


def look(page: Any, repository: Path, script: bool) -> None:
    """No violation that axe knows, and nothing wider than the window; axe is a script itself."""
    if not script:
        return
    axe = (repository / "tests/serve/dashboard/axe/axe.min.js").read_text("utf-8")
    page.evaluate(f"() => {{ {axe} }}")
    found = page.evaluate(
        "() => window.axe.run(document, {resultTypes: ['violations']})"
        ".then(r => r.violations.map(v => [v.id, v.nodes.map(n => n.html).slice(0, 3)]))"
    )
    assert found == []
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
