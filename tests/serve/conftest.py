"""The service on a real port, in a thread of this process."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from payoff.economics.desk import Desk, load
from payoff.learn.journal import Journal
from payoff.serve.app import create_app
from payoff.serve.run import listen

Result = TypeVar("Result")


@pytest.fixture(scope="session")
def artifact(repository: Path) -> Path:
    return repository / "tests/artifact/frozen/format-1.zip"


@pytest.fixture
def desk(artifact: Path) -> Iterator[Desk]:
    with load(artifact, threads=1) as desk:
        yield desk


def run_apart(work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run it on a loop of a thread of its own: a browser of other tests may hold this one's."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(work())).result(timeout=60)


@contextmanager
def answering(app: FastAPI, **options: Any) -> Iterator[httpx.Client]:
    """A client of the app, over TCP."""
    with listen("127.0.0.1", 0) as listener:
        config = uvicorn.Config(app, log_level="error", ws="none", access_log=False, **options)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.005)
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            with httpx.Client(base_url=url, timeout=60) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join(timeout=20)
            assert not thread.is_alive()


@pytest.fixture
def serve(desk: Desk) -> Iterator[Callable[..., httpx.Client]]:
    """Serve the frozen artifact with limits of choice."""
    opened: list[Any] = []

    def _serve(**limits: Any) -> httpx.Client:
        context = answering(create_app(desk, **limits))
        opened.append(context)
        return context.__enter__()

    yield _serve
    for context in reversed(opened):
        context.__exit__(None, None, None)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "journal.sqlite", timeout_s=0.2) as journal:
        yield journal
