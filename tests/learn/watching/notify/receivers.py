"""Servers that receive what channels send: HTTP, and SMTP with and without STARTTLS."""

from __future__ import annotations

import http.server
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Posts(http.server.BaseHTTPRequestHandler):
    """Keeps what is posted and answers what it is told to."""

    def do_POST(self) -> None:
        server: Any = self.server
        length = int(self.headers["Content-Length"])
        server.got.append((self.path, dict(self.headers), self.rfile.read(length)))
        status = server.answers.pop(0) if server.answers else 204
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def http_receiver(*answers: int) -> Iterator[Any]:
    """A server of HTTP; its ``got`` has path, headers and body of every request."""
    server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Posts)
    server.got, server.answers = [], list(answers)
    with _running(server):
        yield server


class Letters(socketserver.StreamRequestHandler):
    """As much of RFC 5321 as a client needs that behaves."""

    timeout = 5

    def handle(self) -> None:
        server: Any = self.server
        self.say("220 mail.test")
        while line := self.rfile.readline().decode().strip():
            word = line.split(" ")[0].upper()
            server.said.append(line)
            if word == "EHLO":
                offers = ["mail.test"]
                if server.context is not None and not isinstance(self.request, ssl.SSLSocket):
                    offers.append("STARTTLS")
                offers.append("AUTH PLAIN")
                for offer in offers[:-1]:
                    self.say(f"250-{offer}")
                self.say(f"250 {offers[-1]}")
            elif word == "STARTTLS":
                self.say("220 go on")
                self.request = server.context.wrap_socket(self.request, server_side=True)
                self.rfile = self.request.makefile("rb")
                self.wfile = self.request.makefile("wb", buffering=0)
                server.encrypted = True
            elif word == "AUTH":
                self.say("235 welcome" if server.welcomes else "535 who are you?")
            elif word == "DATA":
                self.say("354 go on")
                lines = []
                while (part := self.rfile.readline().decode().rstrip("\r\n")) != ".":
                    lines.append(part)
                server.letters.append("\n".join(lines))
                self.say("250 taken")
            elif word == "QUIT":
                self.say("221 bye")
                break
            else:
                self.say("250 well")
        if isinstance(self.request, ssl.SSLSocket):
            self.rfile.close()
            self.wfile.close()
            self.request.close()

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class LetterBox(socketserver.ThreadingTCPServer):
    """Listens on a free port of this machine."""

    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that refuses our certificate is no news."""


@contextmanager
def smtp_receiver(*, context: ssl.SSLContext | None = None, welcomes: bool = True) -> Iterator[Any]:
    """A mail server; its ``letters`` are what it took, ``said`` what clients said in clear."""
    server: Any = LetterBox(("127.0.0.1", 0), Letters)
    server.context, server.welcomes = context, welcomes
    server.letters, server.said, server.encrypted = [], [], False
    with _running(server):
        yield server


@contextmanager
def _running(server: Any) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
