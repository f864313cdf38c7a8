from __future__ import annotations

import hashlib
import hmac
import json
import socket
import time

import pytest
from tests.learn.watching.notify.receivers import http_receiver
from tests.learn.watching.test_alert_book import ALERT, NOW

from payoff.core.errors import ServiceError
from payoff.learn.watching.notify.channel import Message
from payoff.learn.watching.notify.webhook import SIGNATURE, Webhook

MESSAGE = Message("raised", 7, NOW, ALERT)


def test_posts_the_figures_signed() -> None:
    with http_receiver() as server:
        url = f"http://127.0.0.1:{server.server_port}/hooks/payoff?token=secret-token"
        webhook = Webhook(url, secret="shared")
        assert "secret-token" not in webhook.name
        assert "hooks" not in webhook.name, "many receivers have their secret in the path"
        other = Webhook(url.replace("hooks", "services"))
        assert other.name != webhook.name == Webhook(url).name
        webhook.send(MESSAGE)
    (path, headers, body) = server.got[0]
    assert path == "/hooks/payoff?token=secret-token"
    told = json.loads(body)
    assert told["event"] == "raised"
    assert told["alert"]["a_day"] == 120.0
    assert "payoff watch silence" in told["text"]
    assert headers["Idempotency-Key"] == "payoff-alert-7"
    parts = dict(part.split("=") for part in headers[SIGNATURE].split(","))
    assert abs(int(parts["t"]) - time.time()) < 60
    expected = hmac.new(b"shared", parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert parts["v1"] == expected


def test_without_a_secret_there_is_no_signature() -> None:
    with http_receiver() as server:
        Webhook(f"http://127.0.0.1:{server.server_port}").send(MESSAGE)
    assert server.got[0][0] == "/"
    assert SIGNATURE not in server.got[0][1]


def test_tries_again_and_gives_up() -> None:
    waits: list[float] = []
    with http_receiver(503, 429) as server:
        Webhook(f"http://127.0.0.1:{server.server_port}/", wait=waits.append).send(MESSAGE)
        assert len(server.got) == 3
        assert waits == [0.5, 1.0]
    with http_receiver(500, 500, 500) as server:
        webhook = Webhook(f"http://127.0.0.1:{server.server_port}/", wait=waits.append)
        with pytest.raises(ServiceError, match=r"PF747.*answers 500"):
            webhook.send(MESSAGE)
        assert len(server.got) == 3


@pytest.mark.parametrize("status", [302, 400, 404])
def test_a_refusal_is_not_repeated_and_no_redirection_followed(status: int) -> None:
    with http_receiver(status) as server:
        webhook = Webhook(f"http://127.0.0.1:{server.server_port}/", wait=lambda _: None)
        with pytest.raises(ServiceError, match=f"PF747.*answers {status}"):
            webhook.send(MESSAGE)
        assert len(server.got) == 1


def test_a_server_that_never_answers_is_left_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        webhook = Webhook(url, timeout_s=0.1, wait=lambda _: None)
        begin = time.monotonic()
        with pytest.raises(ServiceError, match="PF747"):
            webhook.send(MESSAGE)
        assert time.monotonic() - begin < 3


@pytest.mark.parametrize(
    "url",
    ["ftp://host/", "host/path", "https://", "https://user:pass@host/", "http://host:99999999/"],
)
def test_an_address_that_is_none_is_refused_without_its_secrets(url: str) -> None:
    with pytest.raises(ServiceError, match="PF749"):
        Webhook(url)
