from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from payoff.core.errors import ServiceError
from payoff.economics.desk import Desk
from payoff.learn.api_keys import all_keys, make_key, withdraw_key
from payoff.learn.feedback import told_of
from payoff.learn.journal import Journal
from payoff.serve.app import create_app
from payoff.serve.guard import Keys, Rates, scope_of
from payoff.serve.run import run

from .conftest import answering, run_apart
from .test_app import error

Serve = Callable[..., httpx.Client]
TEXT = {"text": "someone took my card"}


def sent(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def test_without_keys_a_service_answers_all(serve: Serve, journal: Journal) -> None:
    client = serve(journal=journal)
    assert client.post("/v1/decide", json=TEXT).status_code == 200
    assert client.post("/v1/decide", json=TEXT, headers=sent("nonsense")).status_code == 200


def test_with_keys_only_those_who_send_a_good_one(desk: Desk, journal: Journal) -> None:
    _, key = make_key(journal, "shop", ["decide"])
    ended, old = make_key(journal, "old", ["decide"], days=-1)
    with answering(create_app(desk, journal=journal)) as client:
        assert client.post("/v1/decide", json=TEXT, headers=sent(key)).status_code == 200
        assert client.get("/v1/models", headers=sent(key)).status_code == 200
        lower = {"Authorization": f"bearer {key}"}
        assert client.post("/v1/decide", json=TEXT, headers=lower).status_code == 200
        wrong = [key[:-1], key + "x", key.upper(), old, "' OR 1=1 --", "é" * 500]
        headers = [{"authorization": f"Bearer {one}".encode()} for one in wrong]
        headers += [
            {},
            {"authorization": b"Bearer"},
            {"authorization": b"Basic YTpi"},
            {"authorization": key.encode()},
        ]
        for one in headers:
            for method, path in [
                ("POST", "/v1/decide"),
                ("POST", "/invocations"),
                ("GET", "/v1/model"),
                ("POST", "/v1/feedback"),
                ("POST", "/v2/models/tickets/infer"),
                ("GET", "/metrics"),
                ("GET", "/docs"),
                ("GET", "/nowhere"),
            ]:
                refused = client.request(method, path, headers=one, json=TEXT)  # type: ignore[arg-type]
                assert refused.status_code == 401, (path, one)
                assert error(refused)["code"] == "PF718"
                assert refused.headers["www-authenticate"] == "Bearer"
        for path in ("/healthz", "/readyz", "/ping"):
            assert client.get(path).status_code == 200
    assert journal.count() == 2
    assert ended.key_id


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        (["decide"], {"decide"}),
        (["feedback"], {"feedback"}),
        (["metrics"], {"metrics"}),
        (["admin"], {"decide", "feedback", "metrics"}),
        (["feedback", "metrics"], {"feedback", "metrics"}),
    ],
)
def test_a_key_allows_what_its_scopes_say(
    desk: Desk, journal: Journal, scopes: list[str], allowed: set[str]
) -> None:
    _, key = make_key(journal, "one", scopes)
    told = {"feedback": [{"request_id": "r", "correct": True}]}
    with answering(create_app(desk, journal=journal)) as client:
        statuses = {
            "decide": client.post("/v1/decide", json=TEXT, headers=sent(key)),
            "feedback": client.post("/v1/feedback", json=told, headers=sent(key)),
            "metrics": client.get("/metrics", headers=sent(key)),
        }
    for scope, response in statuses.items():
        assert response.status_code == (200 if scope in allowed else 403), scope
        if scope not in allowed:
            assert error(response)["code"] == "PF719"


def test_a_key_that_is_withdrawn_is_refused_within_seconds(journal: Journal) -> None:
    now = [0.0]
    keys = Keys(journal, clock=lambda: now[0])
    kept, key = make_key(journal, "shop", ["decide"])
    assert keys.check(key, "decide") == kept
    withdraw_key(journal, kept.key_id)
    now[0] = 4.9
    assert keys.check(key, "decide") == kept
    now[0] = 5.0
    with pytest.raises(ServiceError, match="PF718"):
        keys.check(key, "decide")


def test_keys_are_read_once_for_all_who_ask_and_nobody_waits_while_they_are_good(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, begun, go_on = [0.0], threading.Event(), threading.Event()

    def reading(journal: Journal) -> Any:
        begun.set()
        assert go_on.wait(30)
        return all_keys(journal)

    monkeypatch.setattr("payoff.learn.api_keys.all_keys", reading)
    keys = Keys(journal, clock=lambda: now[0])

    async def ask() -> list[int]:
        """How many of fifty wait for the one that reads."""
        waiting = []
        for now[0] in (0.0, 4.5, 9.6):  # never read, soon too old, too old
            begun.clear()
            go_on.clear()
            tasks = [asyncio.create_task(keys.freshen()) for _ in range(50)]
            assert await asyncio.to_thread(begun.wait, 30)
            begun.clear()
            waiting.append(sum(not one.done() for one in tasks))
            go_on.set()
            await asyncio.gather(*tasks)
            assert not begun.is_set()  # nobody read a second time
        return waiting

    assert run_apart(ask) == [50, 1, 50]


def test_keys_that_cannot_be_read_are_good_for_five_seconds(journal: Journal) -> None:
    now = [0.0]
    keys = Keys(journal, clock=lambda: now[0])
    kept, key = make_key(journal, "shop", ["decide"])
    run_apart(keys.freshen)
    with journal.writing() as connection:
        connection.execute(text("ALTER TABLE api_keys RENAME TO gone"))
    now[0] = 4.9
    run_apart(keys.freshen)
    assert keys.check(key, "decide") == kept
    now[0] = 5.0
    with pytest.raises(ServiceError, match="PF70"):
        run_apart(keys.freshen)
    with pytest.raises(ServiceError, match="PF70"):
        keys.check(key, "decide")


def test_a_caller_that_asks_too_often_waits(desk: Desk, journal: Journal) -> None:
    _, busy = make_key(journal, "busy", ["decide"])
    _, other = make_key(journal, "other", ["decide"])
    with answering(create_app(desk, journal=journal, per_second=0.5)) as client:
        assert client.post("/v1/decide", json=TEXT, headers=sent(busy)).status_code == 200
        refused = client.post("/v1/decide", json=TEXT, headers=sent(busy))
        assert refused.status_code == 429
        assert error(refused)["code"] == "PF720"
        assert refused.headers["retry-after"] == "1"
        assert client.post("/v1/decide", json=TEXT, headers=sent(other)).status_code == 200


def test_rates_are_kept_on_average() -> None:
    now = [0.0]
    rates = Rates(2.0, burst=3, clock=lambda: now[0])
    taken = 0
    for tick in range(1000):
        now[0] = tick / 100
        taken += rates.wait_s("a") == 0.0
    assert taken == 3 + 19  # a burst, and two a second for the rest of ten seconds


def test_every_answer_has_safe_headers(serve: Serve) -> None:
    client = serve()
    for response in (client.get("/healthz"), client.post("/v1/decide", json={}), client.get("/x")):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cache-control"] == "no-store"
        assert "server" not in response.headers or response.headers["server"] == "uvicorn"
        assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("/v1/feedback", "feedback"),
        ("/v1/feedbacks", "decide"),
        ("/v1/review/next", "review"),
        ("/v1/admin/x", "admin"),
        ("/healthz", ""),
        ("/healthz/x", "decide"),
        ("/v2/health/live", ""),
    ],
)
def test_scopes_of_addresses(path: str, scope: str) -> None:
    assert scope_of(path) == scope


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/feedback"),
        ("POST", "/v1/review"),
        ("GET", "/v1/review/next"),
        ("GET", "/metrics"),
        ("POST", "/v1/models/tickets/release"),
        ("POST", "/v1/models/tickets/rollback"),
    ],
)
def test_an_address_with_a_line_break_behind_it_needs_the_same_scope(
    desk: Desk, journal: Journal, method: str, path: str
) -> None:
    """The router lets a line break pass at the end of a path."""
    _, key = make_key(journal, "shop", ["decide"])
    with answering(create_app(desk, journal=journal)) as client:
        for end in ("", "/", "%0A", "/%0A", "%0A%0A", "%0D%0A"):
            refused = client.request(method, f"{path}{end}", headers=sent(key), json={})
            assert refused.status_code in (403, 404), (end, refused.text)
            assert error(refused)["code"] in ("PF719", "PF708"), end


def test_nobody_beyond_this_machine_is_answered_without_keys(artifact: Any, tmp_path: Any) -> None:
    for journal in (None, tmp_path / "books.db"):
        with pytest.raises(ServiceError, match="PF721"):
            run(artifact, host="0.0.0.0", port=0, journal=journal)


def test_feedback_over_http(serve: Serve, journal: Journal) -> None:
    client = serve(journal=journal, max_texts=3)
    client.post("/v1/decide", json={**TEXT, "request_id": "r-1"})
    one = {"request_id": "r-1", "label": "refund", "feedback_id": "f-1", "source": "customer"}
    early = {"request_id": "later/0", "worth": -2, "person": "ann", "seconds": 1.5}
    first = client.post("/v1/feedback", json={"feedback": [one, early]})
    assert first.json() == {"n_new": 2, "n_known": 0, "unknown": ["later/0"]}
    again = client.post("/v1/feedback", json={"feedback": [one]})
    assert again.json() == {"n_new": 0, "n_known": 1, "unknown": []}
    changed = client.post("/v1/feedback", json={"feedback": [{**one, "label": "card"}]})
    assert changed.status_code == 409
    assert error(changed)["code"] == "PF717"
    assert [f.label for f in told_of(journal, ["r-1"])] == ["refund"]
    assert b'payoff_feedback_total{source="customer"} 2.0' in client.get("/metrics").content
    for body, status, code in [
        ({"feedback": [{"request_id": "r-1"}]}, 422, "PF716"),
        ({"feedback": [{"label": "x"}]}, 422, "PF701"),
        ({"feedback": [{"request_id": "a b", "label": "x"}]}, 422, "PF701"),
        ({"feedback": [{**one, "worth": "much"}]}, 422, "PF701"),
        ({"feedback": [{**one, "source": "rumour"}]}, 422, "PF701"),
        ({"feedback": [one] * 4}, 413, "PF702"),
        ({}, 422, "PF701"),
        ([], 422, "PF701"),
    ]:
        refused = client.post("/v1/feedback", json=body)
        assert (refused.status_code, error(refused)["code"]) == (status, code)


def test_figures_count_what_was_decided(serve: Serve, journal: Journal) -> None:
    client = serve(journal=journal)
    client.post("/v1/decide", json={"texts": ["card", "card", "card"]})
    client.post("/v1/decide", json={"text": ""})
    told = client.get("/metrics")
    assert told.headers["content-type"].startswith("text/plain")
    lines = told.text.splitlines()
    decided = [float(x.split()[-1]) for x in lines if x.startswith("payoff_decisions_total{")]
    assert sum(decided) == 3
    assert 'payoff_refused_total{code="PF105"} 1.0' in lines
    assert 'payoff_requests_inside{model="tickets"} 0.0' in lines
    assert 'payoff_decide_seconds_count{model="tickets"} 1.0' in lines


def test_a_service_without_journal_has_no_feedback(serve: Serve) -> None:
    response = serve().post("/v1/feedback", json={"feedback": []})
    assert response.status_code == 404
    assert error(response)["code"] == "PF708"


BROWSER = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64)"}


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},  # a form that is sent
        {"sec-fetch-site": "same-site"},  # another port of this machine
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://["},
        # Its DNS gave it this machine's address.
        {"origin": "http://evil.example:8000", "host": "evil.example:8000"},
        {"host": "evil.example:8000", **BROWSER},
    ],
)
def test_without_keys_no_other_site_sends_anything(
    headers: dict[str, str], serve: Serve, journal: Journal
) -> None:
    for client in (serve(journal=journal), serve()):
        refused = client.post("/v1/decide", json=TEXT, headers=headers)
        assert (refused.status_code, error(refused)["code"]) == (403, "PF724")
        assert client.get("/healthz", headers=headers).status_code == 200
    assert journal.count() == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "support.internal:8000"},  # a program, by whatever name
        {"sec-fetch-site": "same-origin", **BROWSER},
        {"sec-fetch-site": "none", "sec-fetch-mode": "navigate", **BROWSER},
        {"origin": "http://localhost:8000", "host": "localhost:8000", **BROWSER},
        {"host": "[::1]:8000", **BROWSER},
        {"host": "127.0.0.1", **BROWSER},
    ],
)
def test_without_keys_programs_and_own_pages_do(headers: dict[str, str], serve: Serve) -> None:
    assert serve().post("/v1/decide", json=TEXT, headers=headers).status_code == 200


def test_a_link_on_another_site_opens_what_is_only_read(serve: Serve) -> None:
    linked = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", **BROWSER}
    assert serve().get("/v1/models", headers=linked).status_code == 200
    read = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors", **BROWSER}
    assert serve().get("/v1/models", headers=read).status_code == 403


def test_with_a_key_its_sender_is_let_in_from_anywhere(desk: Desk, journal: Journal) -> None:
    _, key = make_key(journal, "shop", ["decide"])
    with answering(create_app(desk, journal=journal)) as client:
        headers = sent(key) | {"origin": "https://shop.example"}
        assert client.post("/v1/decide", json=TEXT, headers=headers).status_code == 200
