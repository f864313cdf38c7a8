from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from payoff.core.errors import MachineError
from payoff.learn.journal import Journal
from payoff.serve import run as run_module
from payoff.serve.run import listen, run

PROGRAM = """
import sys
from pathlib import Path
from payoff.serve.run import run

class Told:
    def step(self, what, done, total): pass
    def say(self, message):
        Path(sys.argv[2]).write_text(message.rsplit(" ", 1)[1])

run(sys.argv[1], port=0, journal=sys.argv[3], threads=1, progress=Told())
heavy = ("torch", "transformers", "polars", "pandas", "sklearn", "scipy", "genai_prices", "onnx")
print([m for m in heavy if m in sys.modules])
"""


@contextmanager
def running(artifact: Path, folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    told = folder / "told.txt"
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(artifact), str(told), str(folder / "j.sqlite")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while not (told.exists() and told.read_text()):
            assert process.poll() is None, process.communicate()
            assert time.perf_counter() - begin < 300
            time.sleep(0.005)
        yield process, told.read_text()
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_start_answer_stop(artifact: Path, tmp_path: Path) -> None:
    with running(artifact, tmp_path) as (process, url):
        answer = httpx.post(f"{url}/v1/decide", json={"text": "我要退款"}, timeout=30)
        assert answer.json()["decision"]["action"] == "refund"
        status = Path(f"/proc/{process.pid}/status")
        if status.exists():
            peak = next(s for s in status.read_text().splitlines() if s.startswith("VmHWM"))
            assert int(peak.split()[1]) * 1024 < 250_000_000
            used = status.with_name("stat").read_text().rpartition(")")[2].split()[11:13]
            start_s = sum(map(int, used)) / os.sysconf("SC_CLK_TCK")
            assert start_s < 10  # of processors: about 1; what else the machine does is not in it
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        assert process.returncode == 0, err
        assert out.strip() == "[]"
        assert "Traceback" not in err
    with Journal.open(tmp_path / "j.sqlite") as journal:
        assert journal.count() == 1


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_requests_under_way_are_finished_on_ctrl_c(artifact: Path, tmp_path: Path) -> None:
    with running(artifact, tmp_path) as (process, url):
        port = int(url.rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port)) as raw:
            body = b'{"text": "hello"}'
            raw.sendall(
                b"POST /v1/decide HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                b"Content-Length: %d\r\n\r\n" % len(body)
            )
            time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            time.sleep(0.1)
            raw.sendall(body)
            received = b""
            while chunk := raw.recv(4096):
                received += chunk
        assert b"200 OK" in received
        assert b"handoff" in received
        process.communicate(timeout=30)
        assert process.returncode == 0


def test_a_taken_port_is_told_before_the_model_is_loaded(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as other:
        port = other.getsockname()[1]
        with pytest.raises(MachineError, match=r"PF805.*another process listens there.*--port"):
            run(tmp_path / "there is no such artifact", port=port)


@pytest.mark.parametrize(
    ("host", "port"),
    [("127.0.0.1", 70_000), ("127.0.0.1", -1), ("no such host", 0), ("203.0.113.7", 0)],
)
def test_addresses_that_cannot_be_used(host: str, port: int) -> None:
    with pytest.raises(MachineError, match="PF805"):
        listen(host, port)


@pytest.fixture
def nothing_is_frozen() -> Iterator[None]:
    """As in a process of a user; the tests' own freezing is done again afterwards."""
    gc.unfreeze()
    yield
    gc.freeze()


@pytest.mark.usefixtures("nothing_is_frozen")
def test_runs_in_a_thread_too(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import uvicorn

    servers: list[uvicorn.Server] = []
    told: list[str] = []
    start = uvicorn.Server.run

    def watched(self: uvicorn.Server, sockets: list[socket.socket] | None = None) -> None:
        servers.append(self)
        start(self, sockets)

    class Told:
        def step(self, what: str, done: float, total: float) -> None: ...

        def say(self, message: str) -> None:
            told.append(message)

    monkeypatch.setattr(uvicorn.Server, "run", watched)
    thread = threading.Thread(
        target=run_module.run, args=(artifact,), kwargs={"port": 0, "progress": Told()}
    )
    thread.start()
    while not (servers and servers[0].started):
        assert thread.is_alive()
        time.sleep(0.01)
    url = told[0].rsplit(" ", 1)[1]
    assert httpx.get(f"{url}/readyz").json() == {"status": "ready", "journal": False}
    assert gc.get_freeze_count() > 10_000  # collections of garbage do not look at libraries
    servers[0].should_exit = True
    thread.join(timeout=20)
    assert not thread.is_alive()
    assert gc.get_freeze_count() == 0
