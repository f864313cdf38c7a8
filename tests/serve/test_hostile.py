"""Headers, cookies and forms that somebody changed: 4xx or no answer, and nobody is let in.

Over raw sockets, so that nothing tidies up what is sent. ``PAYOFF_FUZZ=2000 pytest
tests/serve/test_hostile.py`` tries so many of each, with another seed each time.
"""

from __future__ import annotations

import os
import re
import select
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.serve.conftest import answering

from payoff.economics.desk import load
from payoff.learn.api_keys import make_key
from payoff.learn.journal import Journal
from payoff.serve.app import create_app
from payoff.serve.connection import PatientProtocol

pytest.importorskip("jinja2", reason="pip install 'payoff[dashboard]'")

N = int(os.environ.get("PAYOFF_FUZZ", "0"))
BODY = b'{"text": "my card"}'


@dataclass(frozen=True)
class House:
    """A service with a key, and somebody signed in at its dashboard."""

    client: httpx.Client
    key: str
    visit: str
    token: str

    @property
    def port(self) -> int:
        port = self.client.base_url.port
        assert port
        return port


@pytest.fixture(scope="module")
def house(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("hostile")
    with load(artifact, threads=1) as desk, Journal.open(folder / "j.db") as journal:
        _, key = make_key(journal, "all", ["admin"])
        app = create_app(desk, journal=journal, dashboard=True, texts="whole")
        with answering(app, http=PatientProtocol) as client:
            client.timeout = httpx.Timeout(60.0)
            shown = client.get("/dashboard/login").text
            (token,) = re.findall(r'name="token" value="([0-9a-f]{64})"', shown)
            done = client.post("/dashboard/login", data={"token": token, "key": key})
            assert done.status_code == 303
            visit = client.cookies["payoff_visit"]
            shown = client.get("/dashboard/try").text
            token = re.findall(r'name="token" value="([0-9a-f]{64})"', shown)[0]
            yield House(client, key, visit, token)


def sent(house: House, raw: bytes, *, patience_s: float = 0.15) -> tuple[int, bytes]:
    """Status and all of what comes back; 0 where the connection just ends.

    Where nothing comes for a while, more is waited for than was sent: then it is told that this is
    all, and what comes after that is read to its end.
    """
    with socket.create_connection(("127.0.0.1", house.port), timeout=60) as one:
        received = b""
        try:
            one.sendall(raw)
            if not select.select([one], [], [], patience_s)[0]:
                one.shutdown(socket.SHUT_WR)
            while chunk := one.recv(65536):
                received += chunk
        except (ConnectionError, BrokenPipeError):
            pass
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", received)
    assert found or not received, received[:100]
    return (int(found[1]) if found else 0), received


def request(
    headers: list[tuple[str, bytes]], *, line: bytes = b"POST /v1/decide", body: bytes = BODY
) -> bytes:
    names = {name.lower() for name, _ in headers}
    if "host" not in names:
        headers = [("Host", b"x"), *headers]
    if not names & {"content-length", "transfer-encoding"}:
        headers = [*headers, ("Content-Length", b"%d" % len(body))]
    head = b"".join(name.encode() + b": " + value + b"\r\n" for name, value in headers)
    return line + b" HTTP/1.1\r\n" + head + b"Connection: close\r\n\r\n" + body


def fuzz(n: int) -> Any:
    return settings(
        max_examples=N or n,
        derandomize=not N,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def changed(text: str) -> st.SearchStrategy[bytes]:
    """The text with some of its bytes other ones, cut, longer, or something else."""
    raw = text.encode()
    at = st.integers(0, len(raw) - 1)
    byte = st.integers(0x20, 0xFF).map(lambda b: bytes([b]))
    return st.one_of(
        st.tuples(at, byte).map(lambda p: raw[: p[0]] + p[1] + raw[p[0] + 1 :]),
        at.map(lambda i: raw[:i]),
        st.tuples(at, byte).map(lambda p: raw[: p[0]] + p[1] + raw[p[0] :]),
        byte.map(lambda b: raw + b),
        st.sampled_from([raw[::-1], raw.swapcase(), raw * 2, raw + b"\0", b"\0" + raw, b'"' + raw]),
        ODD,
    )


ODD = st.one_of(
    st.binary(max_size=60).map(lambda b: re.sub(rb"[\r\n]", b"?", b)),
    st.sampled_from(
        [b"", b" ", b"\t", b"\0", b"%00", b"-1", b"+1", b"0x1", b"1e3", b"1, 1", b"99999999999999",
         b"[", b"[::1", b"]:80", b"a:b:c", b"http://[", b"//", b"x" * 5000, b"x" * 70_000,
         b"\xff\xfe", "卡".encode(), b"a;b=c;d", b"=;=;==", b"chunked, chunked", b"\x0bchunked",
         b"identity", b"xchunked", b"null", b"true", b"{}", b"' OR 1=1 --", b"../../etc/passwd"]
    ),
)  # fmt: skip
NAMES = [
    "Host", "Authorization", "Cookie", "Content-Length", "Transfer-Encoding", "Content-Type",
    "Content-Encoding", "Expect", "Upgrade", "Origin", "Referer", "Sec-Fetch-Site", "Accept",
    "Accept-Language", "Idempotency-Key", "X-Request-Id", "X-Forwarded-For", "X-Forwarded-Proto",
    "Forwarded", "traceparent", "tracestate", "baggage", "Range", "If-None-Match", "TE", "Trailer",
    "Inference-Header-Content-Length", "X-HTTP-Method-Override", "Date",
]  # fmt: skip
LINES = [
    b"POST /v1/decide", b"POST /v1/feedback", b"GET /v1/model", b"GET /nothing", b"GET /v1/decide/",
    b"GET /dashboard", b"POST /dashboard/login", b"POST /dashboard/try", b"GET /v2/models/x",
    b"GET /healthz", b"GET /metrics", b"OPTIONS *", b"GET http://[/",
    b"GET /%ff?model=%ff&model=%00",
    b"GET /nothing?\xff", b"GET /v1/model?model=\xff", b"GET /dashboard?lang=\xff\xfe",
    b"GET /v1/models/?\xff", b"POST /v1/feedback%0A", b"GET /metrics%0A", b"POST /v1/review%0D%0A",
]  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_breaks(house: House, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Whatever was sent, the log has no traceback and the next caller is answered."""
    yield
    answer = house.client.post(
        "/v1/decide", content=BODY, headers={"authorization": f"Bearer {house.key}"}, timeout=60
    )
    assert answer.status_code == 200
    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("with_key", [True, False], ids=["key", "no key"])
def test_any_header_with_anything_in_it(house: House, with_key: bool) -> None:
    own = [("Authorization", f"Bearer {house.key}".encode())] if with_key else []

    @fuzz(80)
    @given(
        st.sampled_from(LINES),
        st.lists(st.tuples(st.sampled_from(NAMES), ODD), min_size=1, max_size=3),
    )
    def hold(line: bytes, headers: list[tuple[str, bytes]]) -> None:
        status, received = sent(house, request([*own, *headers], line=line))
        assert status < 500, (status, received[:500])
        if not with_key and status and not line.endswith((b"/healthz", b"/login")):
            assert status >= 300, received[:500]  # nobody without a key gets anything

    hold()


def test_every_header_once_with_every_oddity_that_has_a_name(house: House) -> None:
    """What is known to be odd for a host, a length or an origin is tried at each address."""
    odd = {
        "Host": [b"[", b"[::1", b"a:b:c", b"", b"http://[", b"\xff", b"x@y", b"x/../y"],
        "Origin": [b"http://[", b"[", b"//", b"http://x:y:z"],
        "Content-Length": [b"-1", b"+1", b"0x10", b"1, 1", b"9" * 30, b"", b"\xb2"],
        "Transfer-Encoding": [b"identity", b"xchunked", b"chunked, chunked", b"chunked"],
        "Cookie": [b"payoff_visit=\xff" + b"x" * 42, b"payoff_visit=" + b"\x80" * 43, b"=;=", b";"],
    }
    for name, values in odd.items():
        for value in values:
            for line in LINES:
                raw = request([(name, value), ("Authorization", b"Bearer " + house.key.encode())],
                              line=line)  # fmt: skip
                status, received = sent(house, raw)
                assert status < 500, (name, value, line, received[:500])


def test_a_key_that_was_changed_lets_nobody_in(house: House) -> None:
    @fuzz(80)
    @given(changed(house.key), st.sampled_from([b"Bearer ", b"bearer ", b"Basic ", b"", b"Bearer"]))
    def hold(key: bytes, scheme: bytes) -> None:
        status, received = sent(house, request([("Authorization", scheme + key)]))
        is_it = scheme.lower() == b"bearer " and key.strip() == house.key.encode()
        assert is_it or status in (0, 400, 401, 413, 431), received[:300]

    hold()


def test_a_cookie_that_was_changed_lets_nobody_in(house: House) -> None:
    own = b"payoff_visit=" + house.visit.encode()
    good = request([("Cookie", own)], line=b"GET /dashboard", body=b"")
    assert sent(house, good, patience_s=60)[0] == 200

    @fuzz(60)
    @given(changed(house.visit))
    def hold(visit: bytes) -> None:
        raw = request([("Cookie", b"payoff_visit=" + visit)], line=b"GET /dashboard", body=b"")
        status, received = sent(house, raw)
        read = visit.split(b";")[0].strip().strip(b'"')
        assert read == house.visit.encode() or status in (0, 303, 400, 431), received[:300]
        assert status != 303 or b"location: /dashboard/login" in received

    hold()


def test_a_token_that_was_changed_changes_nothing(house: House) -> None:
    cookie = ("Cookie", b"payoff_visit=" + house.visit.encode())
    kind = ("Content-Type", b"application/x-www-form-urlencoded")

    def form(token: bytes, **more: str) -> tuple[int, bytes]:
        body = urlencode({"token": token, "text": "my card", **more}).encode()
        raw = request([cookie, kind], line=b"POST /dashboard/try", body=body)
        return sent(house, raw, patience_s=60)

    assert form(house.token.encode())[0] == 200

    @fuzz(50)
    @given(changed(house.token), st.dictionaries(st.text(max_size=8), st.text(max_size=30)))
    def hold(token: bytes, more: dict[str, str]) -> None:
        status, received = form(token, **{k: v for k, v in more.items() if k != "token"})
        assert token == house.token.encode() or status in (400, 403, 413, 422), received[:300]

    hold()


def test_bodies_in_chunks_that_lie(house: House) -> None:
    own = [("Authorization", f"Bearer {house.key}".encode()), ("Transfer-Encoding", b"chunked")]
    line = st.one_of(ODD, st.integers(0, 1 << 70).map(lambda n: b"%x" % n))

    @fuzz(60)
    @given(st.lists(st.tuples(line, st.sampled_from([b"\r\n", b"\n", b";x=y\r\n", b""]))))
    def hold(chunks: list[tuple[bytes, bytes]]) -> None:
        body = b"".join(size + end + BODY + b"\r\n" for size, end in chunks) + b"0\r\n\r\n"
        status, received = sent(house, request(own, body=body))
        assert status < 500, received[:300]

    hold()
