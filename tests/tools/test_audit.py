"""What is told of dependencies: known, not known, and not checked are three things."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

Answer = Callable[[list[dict[str, Any]]], tuple[int, bytes]]


@contextmanager
def source(answer: Answer) -> Iterator[tuple[str, list[list[dict[str, Any]]]]]:
    """A source that speaks OSV's batch protocol, and the questions that it got."""
    asked: list[list[dict[str, Any]]] = []

    class Source(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            asked.append(json.loads(body)["queries"])
            status, content = answer(asked[-1])
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *told: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Source) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1/querybatch", asked
        finally:
            server.shutdown()
            thread.join(timeout=20)


@pytest.fixture
def audit(repository: Path, tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Run the tool on pins; its status and what it prints."""

    def _audit(pins: str, url: str, *more: str) -> tuple[int, str]:
        path = tmp_path / "constraints.txt"
        path.write_text(pins, "utf-8")
        command = [sys.executable, str(repository / "tools/audit.py"), str(path), "--source", url]
        done = subprocess.run([*command, *more], capture_output=True, text=True, timeout=60)
        assert done.stderr == ""
        return done.returncode, done.stdout

    return _audit


def known(queries: list[dict[str, Any]]) -> tuple[int, bytes]:
    """Something is known against old jinja2, on two pages."""
    results: list[dict[str, Any]] = []
    for one in queries:
        if one["package"] != {"name": "jinja2", "ecosystem": "PyPI"} or one["version"] != "2.4":
            results.append({})
        elif "page_token" not in one:
            results.append({"vulns": [{"id": "GHSA-a"}], "next_page_token": "two"})
        else:
            assert one["page_token"] == "two"
            results.append({"vulns": [{"id": "GHSA-b"}]})
    return 200, json.dumps({"results": results}).encode()


def test_known_ignored_and_nothing_known(audit: Callable[..., tuple[int, str]]) -> None:
    pins = "# pinned\njinja2==2.4\nnumpy==2.1.0  # fast\ntorch==2.13.0+cpu\n"
    with source(known) as (url, asked):
        status, told = audit(pins, url)
        assert status == 1
        assert "jinja2==2.4: GHSA-a\njinja2==2.4: GHSA-b\n2 advisories on 3 pinned" in told
        assert [(q["package"]["name"], q["version"]) for q in asked[0]] == [
            ("jinja2", "2.4"),
            ("numpy", "2.1.0"),
            ("torch", "2.13.0"),
        ]
        assert [len(batch) for batch in asked] == [3, 1]
        assert audit(pins, url, "--ignore", "GHSA-a")[0] == 1
        status, told = audit(pins, url, "--ignore", "GHSA-a", "--ignore", "GHSA-b")
        assert status == 0
        assert "GHSA-b (ignored)" in told
        status, told = audit("numpy==2.1.0\n", url)
        assert (status, told.split(",")[0]) == (0, "0 advisories on 1 pinned versions")


def test_many_pins_go_in_parts(audit: Callable[..., tuple[int, str]]) -> None:
    with source(known) as (url, asked):
        assert audit("".join(f"a{n}==1.0\n" for n in range(1001)) + "jinja2==2.4\n", url)[0] == 1
    assert [len(batch) for batch in asked] == [500, 500, 2, 1]


@pytest.mark.parametrize(
    "answer",
    [
        (500, b"no"),
        (403, b"no"),
        (200, b"<html>"),
        (200, b"{}"),
        (200, b'{"results": []}'),
        (200, b'{"results": [7]}'),
        (200, b'{"results": [{"vulns": [{}]}]}'),
        (200, b'{"results": [{"next_page_token": "for ever"}]}'),
    ],
)
def test_a_source_that_answers_something_else_has_checked_nothing(
    audit: Callable[..., tuple[int, str]], answer: tuple[int, bytes]
) -> None:
    with source(lambda queries: answer) as (url, _):
        status, told = audit("numpy==2.1.0\n", url, "--may-be-offline")
    assert status == 2
    assert told.startswith("Dependencies are not checked: ")
    assert "advisories" not in told


def test_without_network_it_says_so_and_fails_only_where_it_must(
    audit: Callable[..., tuple[int, str]],
) -> None:
    with socket.socket() as taken:  # bound and not listening: whoever connects is refused
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        for more, status in ((), 2), (("--may-be-offline",), 0):
            found, told = audit("numpy==2.1.0\n", url, *more)
            assert found == status
            assert "not checked" in told
            assert "no network" in told


def test_what_is_no_pin_or_no_address_is_told(audit: Callable[..., tuple[int, str]]) -> None:
    assert audit("numpy>=2\n", "http://127.0.0.1:1/")[0] == 2
    status, told = audit("numpy==2\n", "http://example.org/", "--may-be-offline")
    assert (status, "no address of https" in told) == (2, True)


def test_make_asks_for_our_own_pins(repository: Path) -> None:
    makefile = (repository / "Makefile").read_text("utf-8")
    assert "tools/audit.py --may-be-offline" in makefile
    tool = (repository / "tools/audit.py").read_text("utf-8")
    assert 'REPOSITORY / "constraints.txt"' in tool
