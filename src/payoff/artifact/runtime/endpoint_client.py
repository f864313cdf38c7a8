"""Questions to any OpenAI-compatible endpoint: in parallel, paid once, within a cap."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from payoff.artifact.runtime.answered_label import Answer
from payoff.artifact.runtime.chat_reply import complaint, read_reply, retry_after_s
from payoff.artifact.runtime.paid_answers import PaidAnswers, question_key
from payoff.artifact.runtime.token_budget import TokenBudget
from payoff.core.errors import MachineError
from payoff.core.extras import require

NO_KEY = "none"
"""Value of ``key_variable`` for an endpoint that needs no key."""

Messages = Sequence[Mapping[str, str]]

_TRIES = 6
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 60.0
_TOKENS_A_MESSAGE = 16  # what a chat's own marks take, from above
_ALTERNATIVES = 20  # the most that OpenAI gives
_BUSY = {408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529}
# What an endpoint may not know is left out in turn: probabilities first, then the older name.
_VARIANTS: tuple[Callable[[int], dict[str, Any]], ...] = (
    lambda most: {
        "temperature": 0,
        "max_tokens": most,
        "logprobs": True,
        "top_logprobs": _ALTERNATIVES,
    },
    lambda most: {"temperature": 0, "max_tokens": most, "logprobs": True, "top_logprobs": 5},
    lambda most: {"temperature": 0, "max_tokens": most},
    lambda most: {"max_completion_tokens": most},
)


@dataclass
class EndpointClient:
    """A client of one model at one endpoint; safe to use from several threads.

    Args:
        base_url: Such as ``"https://api.openai.com/v1"``.
        model: Name of the model there.
        key_variable: Environment variable that holds the key, or ``"none"``. The key is read
            when it is needed, and kept nowhere.
        max_parallel: Requests under way at once.
        timeout_s: Longest time without a sign of the endpoint.
        first_wait_s: Before the second try; doubled with each try.
        paid: Answers that need no request.
        budget: Tokens that may be used.

    Example:
        >>> client = EndpointClient("http://127.0.0.1:8000/v1", "small", key_variable="none")
        >>> client.model
        'small'
        >>> client.ask([[{"role": "user", "content": "hi"}]], max_answer_tokens=8)
        ... # doctest: +SKIP
        [Answer(text='Hello!', …)]
    """

    base_url: str
    model: str
    key_variable: str = field(default="OPENAI_API_KEY", kw_only=True)
    max_parallel: int = field(default=4, kw_only=True)
    timeout_s: float = field(default=60.0, kw_only=True)
    first_wait_s: float = field(default=_FIRST_WAIT_S, kw_only=True)
    paid: PaidAnswers | None = field(default=None, kw_only=True)
    budget: TokenBudget = field(default_factory=TokenBudget, kw_only=True)
    n_requests: int = field(default=0, init=False)
    _variant: int = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        self.base_url = self.base_url.rstrip("/")

    def check(self) -> None:
        """Whether it could be asked: the library, and a key that may be sent.

        Raises:
            MachineError: PF803 without httpx; PF811 without a key, or where a key would be sent
                to an address that nobody confirmed.
        """
        require("httpx", "api", "asking an endpoint")
        self._headers()

    def key_of(self, messages: Messages, max_answer_tokens: int) -> str:
        """What `PaidAnswers` keeps the answer under."""
        asked = [dict(message) for message in messages]
        return question_key(self.base_url, self.model, asked, max_answer_tokens)

    def ask(
        self,
        questions: Sequence[Messages],
        *,
        max_answer_tokens: int,
        tell: Callable[[int], object] | None = None,
    ) -> list[Answer]:
        """Answers to chats, in their order; the same question is asked once.

        Args:
            questions: ``n`` chats.
            max_answer_tokens: Longest answer.
            tell: Called with the number of requests done so far.

        Raises:
            MachineError: PF811 and PF812 for the key; PF813 where the endpoint cannot be reached
                or stays busy; PF814 for an answer that is none; PF815 at the cap; PF816 where it
                refuses the request. What was answered by then is kept.
        """
        keys = [self.key_of(question, max_answer_tokens) for question in questions]
        found: dict[str, Answer] = {}
        missing: dict[str, Messages] = {}
        for key, question in zip(keys, questions, strict=True):
            kept = None if self.paid is None else self.paid.get(key)
            if kept is not None:
                found[key] = kept
            else:
                missing[key] = question
        if missing:
            self.check()
            _ = self._http  # made once, before threads ask for it
            found |= self._asked(missing, max_answer_tokens, tell)
        return [found[key] for key in keys]

    def _asked(
        self,
        missing: Mapping[str, Messages],
        most: int,
        tell: Callable[[int], object] | None,
    ) -> dict[str, Answer]:
        if len(missing) == 1:  # a service's single request needs no threads
            return {key: self._paid_for(key, q, most, None) for key, q in missing.items()}
        stop = threading.Event()
        found: dict[str, Answer] = {}
        with ThreadPoolExecutor(self.max_parallel) as pool:
            try:
                under_way: dict[Future[Answer], str] = {
                    pool.submit(self._paid_for, key, question, most, stop): key
                    for key, question in missing.items()
                }
                for future in as_completed(under_way):
                    found[under_way[future]] = future.result()
                    if tell is not None:
                        tell(len(found))
            except BaseException:
                stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return found

    def _paid_for(
        self, key: str, messages: Messages, most: int, stop: threading.Event | None
    ) -> Answer:
        n_bytes = sum(len(m["content"].encode()) + _TOKENS_A_MESSAGE for m in messages)
        reserve = n_bytes + most  # a token is a byte or more
        with self.budget.reserved(reserve) as settle:
            begun = time.perf_counter()
            answer = self._tried(messages, most, stop or threading.Event(), reserve)
            answer = replace(answer, seconds=round(time.perf_counter() - begun, 4))
            settle(answer.input_tokens + answer.output_tokens)
            if self.paid is not None:
                self.paid.keep(key, answer)
        return answer

    def _tried(self, messages: Messages, most: int, stop: threading.Event, reserve: int) -> Answer:
        """One question, until it is answered or hopeless."""
        tries, told, variant = 0, "", self._variant
        while tries < _TRIES and not stop.is_set():
            response, told = self._sent(messages, _VARIANTS[variant](most))
            wait: float | None = None
            if response is not None:
                if response.status_code == 200:
                    answer = read_reply(response.content, self.base_url, most_tokens=reserve)
                    self._variant = variant  # known to work
                    return answer
                if response.status_code in (400, 422) and variant + 1 < len(_VARIANTS):
                    variant += 1
                    continue
                self._refuse(response.status_code, complaint(response.content))
                told = f"{response.status_code}: {complaint(response.content)}"
                wait = retry_after_s(response.headers.get("retry-after"))
            tries += 1
            if tries < _TRIES:
                pause = self.first_wait_s * 2 ** (tries - 1) if wait is None else wait
                stop.wait(min(pause, _LONGEST_WAIT_S))
        raise MachineError(
            "PF813",
            self.base_url,
            f"it was asked {tries} times, and at last: {told or 'another request had failed'}",
            expected="an answer",
            mend="Check the address and the limits of your account, then run the same command "
            "again: what was answered is kept.",
        )

    def _sent(self, messages: Messages, options: Mapping[str, Any]) -> tuple[Any, str]:
        """The response, or None and why there is none."""
        httpx = require("httpx", "api", "asking an endpoint")
        body = {"model": self.model, "messages": [dict(m) for m in messages], **options}
        with self._lock:
            self.n_requests += 1
        try:
            url = f"{self.base_url}/chat/completions"
            return self._http.post(url, json=body, headers=self._headers()), ""
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return None, f"{type(error).__name__}: {str(error)[:150]}"

    def _refuse(self, status: int, said: str) -> None:
        """Give up where another try would not help.

        Raises:
            MachineError: PF812 for the key, PF816 for anything else.
        """
        if status in (401, 403):
            raise MachineError(
                "PF812",
                self.base_url,
                f"it refuses the key in {self.key_variable} ({status}: {said})",
                mend=f"Put a key that is valid there into the variable {self.key_variable}.",
            )
        if status not in _BUSY:
            raise MachineError(
                "PF816",
                self.base_url,
                f"it refuses the request for the model '{self.model}' ({status}: {said})",
                mend="Check the address and the name of the model.",
            )

    @cached_property
    def _http(self) -> Any:
        httpx = require("httpx", "api", "asking an endpoint")
        client = httpx.Client(timeout=self.timeout_s)
        weakref.finalize(self, client.close)
        return client

    def _headers(self) -> dict[str, str]:
        if self.key_variable == NO_KEY:
            return {}
        key = os.environ.get(self.key_variable, "").strip()
        if not key:
            raise MachineError(
                "PF811",
                f"environment variable {self.key_variable}",
                "it is not set",
                expected=f"the key of {self.base_url}",
                mend=f"Run: export {self.key_variable}=… (or, where none is needed, set "
                "key_variable=none).",
            )
        confirm_address(self.base_url, self.key_variable)
        return {"Authorization": f"Bearer {key}"}


def confirm_address(base_url: str, key_variable: str) -> None:
    """Refuse to send a key where nobody confirmed that it may go.

    An artifact may come from somebody else, and names an address and a variable: without this,
    it could have any secret of the environment sent to it. A key goes to the address that the
    variable ``PAYOFF_ENDPOINT`` names, and ``OPENAI_API_KEY`` also to OpenAI; in both cases
    encrypted, unless to this machine.

    Raises:
        MachineError: PF811.

    Example:
        >>> confirm_address("https://api.openai.com/v1", "OPENAI_API_KEY")
        >>> confirm_address("https://elsewhere.example/v1", "AWS_SECRET")
        Traceback (most recent call last):
        ...
        payoff.core.errors.MachineError: PF811 https://elsewhere.example/v1: nobody confirmed\
 that the key in AWS_SECRET may be sent there. If you trust that address, run: export\
 PAYOFF_ENDPOINT=https://elsewhere.example/v1
    """
    parts = urlsplit(base_url)
    if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
        raise MachineError(
            "PF811",
            base_url,
            f"the key in {key_variable} would be sent unencrypted",
            expected="an address that begins with https://",
        )
    confirmed = os.environ.get("PAYOFF_ENDPOINT", "").rstrip("/") == base_url.rstrip("/")
    own = (parts.hostname, key_variable) == ("api.openai.com", "OPENAI_API_KEY")
    if not confirmed and not own:
        raise MachineError(
            "PF811",
            base_url,
            f"nobody confirmed that the key in {key_variable} may be sent there",
            mend=f"If you trust that address, run: export PAYOFF_ENDPOINT={base_url}",
        )
