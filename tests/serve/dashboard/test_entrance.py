"""Who gets in, and what a form from elsewhere can do: nothing."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx
import pytest
from fastapi import Request

from payoff.core.errors import MachineError, ServiceError
from payoff.economics.desk import Desk
from payoff.learn.api_keys import make_key, withdraw_key
from payoff.learn.feedback import told_of
from payoff.learn.journal import Journal
from payoff.serve.app import create_app
from payoff.serve.dashboard import frame
from payoff.serve.dashboard.entrance import Entrance
from payoff.serve.dashboard.sessions import Sessions
from payoff.serve.guard import Keys

from ..conftest import answering
from .conftest import House

Open = Callable[..., House]
PAGES = ("", "/review", "/try", "/versions")


def test_without_a_session_every_page_leads_to_the_login(house: Open) -> None:
    home = house()
    for path in PAGES:
        answer = home.client.get(f"/dashboard{path}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard/login")
    for path in ("/review", "/try", "/logout"):
        assert home.client.post(f"/dashboard{path}").status_code == 303
    assert "wait-0" not in home.client.get("/dashboard/login").text


def test_a_key_of_the_scope_review_opens_all_pages(house: Open) -> None:
    home = house()
    before = home.client.get("/dashboard/login").cookies["payoff_visit"]
    done = home.sign_in()
    assert done.status_code == 303
    cookie = done.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/dashboard" in cookie
    assert home.client.cookies["payoff_visit"] != before
    for path in PAGES:
        assert home.client.get(f"/dashboard{path}").status_code == 200
    assert home.client.get("/dashboard/login").status_code == 303


@pytest.mark.parametrize("scopes", [["decide"], ["feedback", "metrics"], ["admin"]])
def test_other_scopes_do_not_open_it_but_admin_does(house: Open, scopes: list[str]) -> None:
    home = house()
    _, key = make_key(home.journal, "other", scopes)
    time.sleep(0)
    form = {"token": home.token(), "key": key}
    answer = home.client.post("/dashboard/login", data=form)
    assert answer.status_code == (303 if scopes == ["admin"] else 403)
    shown = home.client.get("/dashboard").status_code
    assert shown == (200 if scopes == ["admin"] else 303)


def test_a_withdrawn_key_lets_nobody_in(house: Open, desk: Desk, journal: Journal) -> None:
    kept, key = make_key(journal, "old", ["review"])
    withdraw_key(journal, kept.key_id)
    home = house()
    answer = home.client.post("/dashboard/login", data={"token": home.token(), "key": key})
    assert answer.status_code == 403
    assert "PF764" in answer.text


@pytest.mark.parametrize("cookie", ["x" * 43, "", "a" * 10_000, "é" * 43, "../../etc", '"' * 43])
def test_cookies_cannot_be_forged(house: Open, cookie: str) -> None:
    home = house()
    home.sign_in()
    sent = f"payoff_visit={cookie}".encode()
    answer = httpx.get(f"{home.base}/dashboard", headers=[(b"cookie", sent)])
    assert answer.status_code == 303
    changed = home.client.cookies["payoff_visit"]
    flipped = ("A" if changed[0] != "A" else "B") + changed[1:]
    answer = httpx.get(f"{home.base}/dashboard", headers={"cookie": f"payoff_visit={flipped}"})
    assert answer.status_code == 303


def test_signing_out_ends_the_session(house: Open) -> None:
    home = house()
    home.sign_in()
    visit = home.client.cookies["payoff_visit"]
    token = home.token("/dashboard/review")
    assert home.client.post("/dashboard/logout", data={"token": "0" * 64}).status_code == 403
    assert home.client.get("/dashboard").status_code == 200
    assert home.client.post("/dashboard/logout", data={"token": token}).status_code == 303
    again = httpx.get(f"{home.base}/dashboard", headers={"cookie": f"payoff_visit={visit}"})
    assert again.status_code == 303


def test_a_form_with_a_wrong_token_or_from_elsewhere_changes_nothing(house: Open) -> None:
    home = house()
    home.sign_in()
    token = home.token("/dashboard/review")
    good = {"request_id": "wait-0", "label": "card", "sent_as": "f", "shown_at": "0"}
    other = Sessions()
    foreign = other.token(home.client.cookies["payoff_visit"])
    for wrong in ({}, {"token": ""}, {"token": "0" * 64}, {"token": foreign}, {"token": "é"}):
        answer = home.client.post("/dashboard/review", data={**good, **wrong})
        assert answer.status_code == 403
        assert "PF762" in answer.text
    for header in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        form = {**good, "token": token}
        answer = home.client.post("/dashboard/review", data=form, headers=header)
        assert answer.status_code == 403
    assert told_of(home.journal, ["wait-0"]) == []
    right = home.client.post("/dashboard/review", data={**good, "token": token})
    assert right.status_code == 303
    assert len(told_of(home.journal, ["wait-0"])) == 1


def test_login_itself_needs_the_token_and_is_limited(house: Open) -> None:
    home = house()
    assert home.client.post("/dashboard/login", data={"key": home.key}).status_code == 403
    token = home.token()
    tries = [
        home.client.post("/dashboard/login", data={"token": token, "key": f"no{n}"})
        for n in range(7)
    ]
    assert [one.status_code for one in tries[:5]] == [403] * 5
    assert tries[6].status_code == 429
    assert "PF763" in tries[6].text
    assert tries[6].headers["retry-after"]


def test_who_tries_without_end_keeps_nobody_else_out(journal: Journal) -> None:
    """What an address may not try counts for nobody else."""

    def caller(address: str) -> Request:
        return Request({"type": "http", "headers": [], "client": (address, 1)})

    _, key = make_key(journal, "ann", ["review"])
    keys = Keys(journal)
    keys.read()
    entrance = Entrance(keys)
    for _ in range(200):
        with pytest.raises(ServiceError, match=r"PF76[34]"):
            entrance.sign_in(caller("203.0.113.9"), "a guess")
    assert entrance.sign_in(caller("198.51.100.7"), key)
    for number in range(200):  # from many addresses, all of them are slow together
        with pytest.raises(ServiceError, match=r"PF76[34]"):
            entrance.sign_in(caller(f"10.0.0.{number}"), "a guess")
    with pytest.raises(ServiceError, match="PF763"):
        entrance.sign_in(caller("198.51.100.8"), key)


def test_without_keys_it_is_open_on_this_machine_only_and_forms_need_the_token(
    house: Open,
) -> None:
    home = house(keyed=False)
    assert home.client.get("/dashboard/review").status_code == 200
    for host in ("evil.example", "payoff.internal:8000", "127.0.0.1.evil.example"):
        answer = home.client.get("/dashboard/review", headers={"host": host})
        assert answer.status_code == 303
        shown = home.client.get("/dashboard/login", headers={"host": host})
        assert shown.status_code == 403
        assert "PF765" in shown.text
    form = {"request_id": "wait-0", "label": "card"}
    assert home.client.post("/dashboard/review", data=form).status_code == 403
    assert told_of(home.journal, ["wait-0"]) == []
    form["token"] = home.token("/dashboard/review")
    assert home.client.post("/dashboard/review", data=form).status_code == 303
    assert told_of(home.journal, ["wait-0"])[0].person == "local"


def test_headers_of_every_page(house: Open) -> None:
    home = house()
    for path in ("", "/login", "/static/dashboard.css"):
        headers = home.client.get(f"/dashboard{path}").headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
    assert home.client.get("/dashboard/static/..%2fpages.py").status_code == 404
    assert home.client.get("/dashboard/static/README.md").status_code == 404


def test_sessions_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    sessions = Sessions(lambda: now[0])
    visit = sessions.begin("k")
    now[0] = 7_000
    assert sessions.key_of(visit) == "k"
    now[0] = 7_000 + 7_201
    assert sessions.key_of(visit) is None
    visit = sessions.begin("k")
    for _ in range(13):
        now[0] += 3_600
        sessions.key_of(visit)
    assert sessions.key_of(visit) is None


def test_a_dashboard_needs_a_journal_and_jinja2(
    desk: Desk, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ServiceError, match="PF760"):
        create_app(desk, dashboard=True)

    def missing(name: str) -> None:
        raise ModuleNotFoundError(name=name)

    frame.environment.cache_clear()
    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(MachineError, match=r"payoff\[dashboard\]"):
        create_app(desk, journal=journal, dashboard=True)


def test_without_the_switch_there_is_no_dashboard(desk: Desk, journal: Journal) -> None:
    with answering(create_app(desk, journal=journal)) as client:
        assert client.get("/dashboard").status_code == 404
