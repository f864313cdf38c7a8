"""A small OpenAI-compatible endpoint on a real port, which can also fail in every known way."""

from __future__ import annotations

import json
import math
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

Reply = dict[str, Any]


@dataclass
class Fault:
    """What is sent instead of an answer; one that is ``charged`` is paid for all the same."""

    status: int = 500
    body: bytes = b'{"error": {"message": "not now"}}'
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    charged: bool = False


@dataclass
class ChatServer:
    """Answers chats by a function from messages to the choice of a completion.

    Attributes:
        faults: Sent first, one a request.
        key: Demanded of every request; none where empty.
        unknown: Options that it refuses with 400.
        schema: Whether it holds an answer to the schema that it is told; else it does not mind it.
        thoughts: Tokens that it writes beside every answer, allowed or not.
        words: Counts the tokens of a text; words where nothing is said.
        charged: Its books: tokens read and written that it charged for, one entry an attempt.
        bodies: All requests with a body that could be read, also those answered by a fault.
        most_at_once: Requests that were under way at the same time.
    """

    choose: Callable[[list[dict[str, str]]], Reply]
    faults: deque[Fault] = field(default_factory=deque)
    key: str = ""
    unknown: set[str] = field(default_factory=set)
    usage: bool = True
    schema: bool = True
    thoughts: int = 0
    words: Callable[[str], int] = lambda text: len(text.split())
    delay_s: float = 0.0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    charged: list[tuple[int, int]] = field(default_factory=list)
    most_at_once: int = 0
    url: str = ""
    _under_way: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reset(self, choose: Callable[[list[dict[str, str]]], Reply]) -> None:
        """Forget all that was asked and set."""
        url = self.url
        self.__init__(choose, url=url)  # type: ignore[misc]

    async def answer(self, request: Request) -> Response:
        body = await request.json()
        header = request.headers.get("authorization", "")
        return await run_in_threadpool(self._answered, body, header)

    def _answered(self, body: dict[str, Any], header: str) -> Response:
        with self._lock:
            self.bodies.append(body)
            self._under_way += 1
            self.most_at_once = max(self.most_at_once, self._under_way)
            fault = self.faults.popleft() if self.faults else None
        try:
            if fault is not None:
                if fault.charged:  # the most that it may: all it was allowed to write
                    most = body.get("max_tokens") or body["max_completion_tokens"]
                    self._charge(self._read(body), most)
                time.sleep(fault.delay_s)
                return Response(fault.body, fault.status, headers=fault.headers)
            if self.key and header != f"Bearer {self.key}":
                return Response(b'{"error": {"message": "Incorrect API key"}}', 401)
            if wrong := sorted(self.unknown & set(body)):
                said = f'{{"error": {{"message": "unknown {wrong[0]}"}}}}'
                return Response(said.encode(), 400)
            time.sleep(self.delay_s)
            return self._completion(body)
        finally:
            with self._lock:
                self._under_way -= 1

    def _completion(self, body: dict[str, Any]) -> Response:
        choice = self.choose(body["messages"])
        if self.schema and "response_format" in body:
            choice = in_schema(choice)
        if not body.get("logprobs"):
            choice.pop("logprobs", None)
        content: dict[str, Any] = {"choices": [choice], "model": body["model"]}
        n_read = self._read(body)
        n_written = self.words(choice["message"]["content"]) + self.thoughts
        self._charge(n_read, n_written)
        if self.usage:
            content["usage"] = {"prompt_tokens": n_read, "completion_tokens": n_written}
        return Response(json.dumps(content).encode(), media_type="application/json")

    def _read(self, body: dict[str, Any]) -> int:
        """Tokens of the messages' texts, and three a message."""
        return sum(self.words(message["content"]) + 3 for message in body["messages"])

    def _charge(self, n_read: int, n_written: int) -> None:
        with self._lock:
            self.charged.append((n_read, n_written))


def in_schema(choice: Reply) -> Reply:
    """An answer as an object with the label alone, its tokens and all."""
    content = choice["message"]["content"]
    wrapped = said(json.dumps({"label": content}, ensure_ascii=False))
    places = (choice.get("logprobs") or {}).get("content") if "logprobs" in choice else None
    if not isinstance(places, list):
        return {**choice, **wrapped}
    before, after = (
        [{"token": part, "logprob": 0.0, "top_logprobs": []} for part in parts]
        for parts in (('{"', "label", '":', ' "'), ('"}',))
    )
    return {**wrapped, "logprobs": {"content": [*before, *places, *after]}}


def said(text: str) -> Reply:
    """An answer without probabilities."""
    return {"message": {"role": "assistant", "content": text}}


def sampled(labels: Sequence[str], probabilities: Sequence[float]) -> Reply:
    """The most probable label, word by word, with the other words' probabilities."""
    ways = [[word if i == 0 else f" {word}" for i, word in enumerate(x.split())] for x in labels]
    best = ways[max(range(len(labels)), key=lambda i: probabilities[i])]
    places = []
    for place, word in enumerate(best):
        after: dict[str, float] = {}
        for way, probability in zip(ways, probabilities, strict=True):
            if way[:place] == best[:place] and len(way) > place:
                after[way[place]] = after.get(way[place], 0.0) + probability
        total = sum(after.values())
        logs = {w: math.log(max(p / total, 1e-30)) for w, p in after.items()}
        ordered = sorted(logs, key=lambda w: -logs[w])[:20]
        top = [{"token": w, "logprob": logs[w]} for w in ordered]
        places.append({"token": word, "logprob": logs[word], "top_logprobs": top})
    return {**said("".join(best)), "logprobs": {"content": places}}


@contextmanager
def serving(server: ChatServer) -> Iterator[ChatServer]:
    """The server on a free port of this machine, for as long as the block lasts."""
    app = FastAPI()
    app.add_route("/v1/chat/completions", server.answer, methods=["POST"])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        running = uvicorn.Server(
            uvicorn.Config(app, log_level="error", ws="none", access_log=False, lifespan="off")
        )
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not running.started:
                assert thread.is_alive()
                time.sleep(0.005)
            yield server
        finally:
            running.should_exit = True
            thread.join(timeout=20)
            assert not thread.is_alive()
