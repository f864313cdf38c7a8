"""What the pages show."""

from __future__ import annotations

import hashlib
import html
import re
import string
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from payoff.core.errors import ServiceError
from payoff.economics.desk import Desk
from payoff.learn.feedback import told_of
from payoff.learn.journal import Journal
from payoff.learn.tables import audit_rounds
from payoff.plan.report.charts.sheet import FONT
from payoff.plan.report.theme import css_variables
from payoff.serve.app import create_app
from payoff.serve.dashboard.overview import Expected, expected_profit
from payoff.serve.dashboard.words import LANGUAGES, chosen_language, messages

from .conftest import NASTY, House

Open = Callable[..., House]
STATIC = "src/payoff/serve/dashboard/static"


@pytest.fixture
def home(house: Open, busy: None) -> House:
    opened = house()
    opened.sign_in()
    return opened


def test_the_overview_tells_what_was_earned(home: House, desk: Desk) -> None:
    shown = home.look()
    worth = sum(entry.worth for entry in home.journal.read())
    assert f"{worth:,.2f} USD" in shown
    assert "The artifact holds no forecast." in shown
    assert "2 of them are known by feedback" in shown
    lost = 3.2 - -7.5  # a card that was taken for a refund
    assert f"{lost:.2f} USD" in shown
    assert "No budget is stated." in shown


def test_an_empty_journal_is_told(house: Open) -> None:
    home = house(texts=[])
    home.sign_in()
    assert "No decisions yet." in home.look()
    assert "No decisions yet." in home.look("/decisions")
    assert "Nothing is booked." in home.look("/costs")
    assert "payoff compare start" in home.look("/experiments")
    assert "0 of the first 1,000 requests have come." in home.look("/drift")
    assert "Nothing waits." in home.client.get("/dashboard/review").text
    assert home.client.get("/dashboard/versions").status_code == 200


def test_texts_are_shown_as_texts(home: House) -> None:
    shown = home.client.get("/dashboard/review?request=wait-3").text
    assert html.escape(NASTY)[:20] in shown
    assert "<script>alert" not in shown
    assert "<b>bold" not in shown
    token = home.token("/dashboard/try")
    tried = home.client.post("/dashboard/try", data={"token": token, "text": NASTY}).text
    assert "<script>alert" not in tried
    assert "&lt;script&gt;" in tried
    queries = "?after=<script>alert(1)</script>&done=<script>&label=<img src=x>&n=<b>&lang=<i>"
    assert "<script>alert" not in home.client.get(f"/dashboard/review{queries}").text
    assert "<img" not in home.client.get(f"/dashboard/review{queries}").text
    assert home.client.get("/dashboard?model=<script>").status_code == 404


def test_no_page_names_another_host(home: House) -> None:
    token = home.token("/dashboard/try")
    figures = ("", "/decisions", "/costs", "/experiments", "/drift")
    pages = [home.look(path) for path in (*figures, "/review", "/versions", "/try")]
    pages.append(home.client.post("/dashboard/try", data={"token": token, "text": "card"}).text)
    pages.append(home.client.get("/dashboard/static/dashboard.css").text)
    for shown in pages:
        assert not re.search(r"https?://|[\"'(]//", shown)
        assert " style=" not in shown
        assert not re.search(r"<script(?![^>]*src=)", shown)


def test_a_label_is_written_once_and_can_be_changed(home: House) -> None:
    form = {
        "token": home.token("/dashboard/review"),
        "request_id": "wait-0",
        "label": "card",
        "also": ["wait-1", "wait-2"],
        "sent_as": "form-1",
        "shown_at": "0",
    }
    for _ in range(2):
        assert home.client.post("/dashboard/review", data=form).status_code == 303
    told = told_of(home.journal, ["wait-0", "wait-1", "wait-2"])
    assert [(one.request_id, one.label, one.source, one.person) for one in told] == [
        (f"wait-{n}", "card", "person", "Ann") for n in range(3)
    ]
    for number, label in enumerate(("refund", "card")):
        changed = {**form, "label": label, "also": [], "sent_as": f"again-{number}"}
        home.client.post("/dashboard/review", data=changed)
    labels = [one.label for one in told_of(home.journal, ["wait-0"])]
    assert labels == ["card", "refund", "card"]


@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        ({"label": "no such label"}, 422, "PF766"),
        ({"label": ""}, 422, "PF766"),
        ({"request_id": "nobody"}, 404, "PF767"),
        ({"also": ["nobody"]}, 404, "PF767"),
    ],
)
def test_what_cannot_be_labelled(
    home: House, wrong: dict[str, Any], status: int, code: str
) -> None:
    form = {"token": home.token("/dashboard/review"), "request_id": "wait-0", "label": "card"}
    answer = home.client.post("/dashboard/review", data={**form, **wrong})
    assert answer.status_code == status
    assert code in answer.text
    assert told_of(home.journal, ["wait-0"]) == []


@pytest.mark.parametrize("body", [b"\xff\xfe", b"a=%ff", b"&".join([b"a=1"] * 300)])
def test_what_is_no_form_is_refused(home: House, body: bytes) -> None:
    assert home.client.post("/dashboard/review", content=body).status_code in (403, 422)
    assert home.client.post("/dashboard/login", content=b"x" * 10_000).status_code == 413


def test_a_trial_adds_up_and_is_not_written_down(home: House, desk: Desk) -> None:
    before = home.journal.count()
    form = {"token": home.token("/dashboard/try"), "text": "someone took my card"}
    shown = home.client.post("/dashboard/try", data=form).text
    decision = desk.decide("someone took my card")
    assert f"{decision.probability:.0%}" in shown
    assert f"{float(decision.worth):,.2f} USD" in shown
    assert "speaks for it" in shown
    assert home.journal.count() == before
    for text, code in (("", "PF105"), ("a\0b", "PF105")):
        answer = home.client.post("/dashboard/try", data={**form, "text": text})
        assert code in answer.text
        assert answer.status_code == 422


def test_json_of_the_queue(home: House) -> None:
    headers = {"authorization": f"Bearer {home.key}"}
    assert home.client.get("/v1/review/next").status_code == 401
    found = home.client.get("/v1/review/next?limit=2", headers=headers).json()
    assert found["n_waiting"] == 4
    worth = [one["worth"] for one in found["requests"]]
    assert worth == sorted(worth, reverse=True)
    assert len(worth) == 2
    assert home.client.get("/v1/review/next?limit=0", headers=headers).status_code == 422
    first = found["requests"][0]["request_id"]
    body = {"labels": [{"request_id": first, "label": "card", "feedback_id": "f-1"}]}
    told = [home.client.post("/v1/review", json=body, headers=headers).json() for _ in range(2)]
    assert [(one["n_new"], one["n_known"]) for one in told] == [(1, 0), (0, 1)]
    assert told_of(home.journal, [first])[0].person == "Ann"
    body["labels"][0]["label"] = "refnd"
    wrong = home.client.post("/v1/review", json=body, headers=headers)
    assert wrong.status_code == 422
    assert wrong.json()["error"]["mend"] == "Did you mean 'refund'?"


def drawn_of(home: House) -> tuple[list[str], list[str]]:
    """Those that were drawn by chance, and the others."""
    found = home.client.get("/v1/review/next?limit=200").json()["requests"]
    drawn = [one["request_id"] for one in found if one["by_chance"]]
    return drawn, [one["request_id"] for one in found if not one["by_chance"]]


def test_what_was_drawn_by_chance_is_marked(house: Open, acted: None) -> None:
    home = house(keyed=False, audit_share=0.5)
    drawn, asked = drawn_of(home)
    assert drawn
    assert asked
    shown = home.client.get(f"/dashboard/review?request={drawn[0]}").text
    assert '<span class="badge drawn">drawn at random</span>' in shown
    assert 'aria-describedby="drawn-why"' in shown
    assert 'id="drawn-why">Drawn at random to check the model' in shown
    n = len(drawn) + len(asked)
    assert f"{n} requests wait. {len(drawn)} of them were drawn at random." in shown
    other = home.client.get(f"/dashboard/review?request={asked[0]}").text
    assert '<span class="badge">asked for its worth</span>' in other
    assert "drawn-why" not in other
    chinese = home.client.get(f"/dashboard/review?request={drawn[0]}&lang=zh").text
    assert "随机抽取</span>" in chinese
    assert "按价值挑选" in home.client.get(f"/dashboard/review?request={asked[0]}&lang=zh").text


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_the_share_that_is_drawn_is_that_of_the_service(
    house: Open, acted: None, share: float
) -> None:
    home = house(keyed=False, audit_share=share)
    drawn, _ = drawn_of(home)
    with home.journal.reading() as connection:
        lots = connection.execute(select(audit_rounds.c.audit_share)).scalars().all()
    assert lots == ([share] if share else [])
    assert bool(drawn) == bool(share)
    page = home.client.get("/dashboard/review").text
    assert ("were drawn at random" in page) == bool(share)


def test_a_share_that_is_none_is_refused_at_the_start(desk: Desk, journal: Journal) -> None:
    with pytest.raises(ServiceError, match="PF798"):
        create_app(desk, journal=journal, audit_share=1.0)


def test_all_languages_say_the_same_things() -> None:
    def fields(text: str) -> set[str | None]:
        return {field for _, field, _, _ in string.Formatter().parse(text)} - {None}

    english = messages("en")
    for language in LANGUAGES:
        other = messages(language)
        assert list(other) == list(english)
        assert all(fields(other[key]) == fields(english[key]) for key in english)


def test_every_message_is_used(repository: Path) -> None:
    templates = repository / "src/payoff/serve/dashboard/templates"
    text = "".join(path.read_text("utf-8") for path in templates.glob("*.html"))
    built = ("theme.", "nav.", "source.", "overview.", "try.not_", "range.", "step.", "advice.")
    built += (
        "status.",
        "cell.",
        "check.",
        "cause.",
        "feature.",
        "drift.against_",
        "drift.usual_",
        "drift.mix_",
        "experiments.",
        "rollback.state_",
    )
    unused = [k for k in messages("en") if f'"{k}"' not in text and f"'{k}'" not in text]
    assert [key for key in unused if not key.startswith(built)] == []


def test_the_language_is_chosen_and_remembered(home: House) -> None:
    assert "Overview" in home.client.get("/dashboard").text
    assert "总览" in home.client.get("/dashboard", headers={"accept-language": "zh"}).text
    assert "总览" in home.client.get("/dashboard?lang=zh&theme=dark").text
    later = home.client.get("/dashboard").text
    assert 'lang="zh-CN" data-theme="dark"' in later
    assert chosen_language("", "zh;q=x, en;q=0.1, ,;;") == "en"


def test_colours_are_those_of_the_report(repository: Path) -> None:
    css = (repository / STATIC / "dashboard.css").read_text("utf-8")
    assert f"--font:{FONT};" in css
    for theme in ("light", "dark"):
        assert css_variables(theme) in css


def test_vendored_files_are_as_they_were_published(repository: Path) -> None:
    for folder in (f"{STATIC}/uplot", "tests/serve/dashboard/axe"):
        lines = (repository / folder / "README.md").read_text("utf-8")
        sums = dict(re.findall(r"\| `(.+?)` \| `([0-9a-f]{64})` \|", lines))
        assert sums
        for name, sha256 in sums.items():
            content = (repository / folder / name).read_bytes()
            assert hashlib.sha256(content).hexdigest() == sha256


def test_the_forecast_is_read_where_there_is_one() -> None:
    profit = {"currency": "EUR", "mean": 30.0, "quantiles": {"0.05": 10.0, "0.95": 50.0}}

    def desk(document: Any, name: str = "costs.json") -> Any:
        artifact = SimpleNamespace(documents=(name,), read_json=lambda _: document)
        return SimpleNamespace(artifact=artifact, currency="EUR")

    assert expected_profit(desk({"forecast": {"profit": profit}})) == Expected(30.0, 10.0, 50.0)
    others: list[Any] = [{}, [], {"forecast": None}, {"forecast": {"profit": {"mean": "x"}}}]
    for other in others:
        assert expected_profit(desk(other)) is None
    assert expected_profit(desk({}, "card.md")) is None
    dollars = {"forecast": {"profit": {**profit, "currency": "USD"}}}
    assert expected_profit(desk(dollars)) is None
