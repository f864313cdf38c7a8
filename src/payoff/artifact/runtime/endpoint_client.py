"""Questions to any OpenAI-compatible endpoint: in parallel, paid once, within a cap."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from payoff.artifact.runtime.allowance import Allowance
from payoff.artifact.runtime.answered_label import Answer
from payoff.artifact.runtime.breaker import Breaker
from payoff.artifact.runtime.chat_reply import complaint, read_reply, retry_after_s
from payoff.artifact.runtime.endpoint_budget import EndpointBudget, Settle, unpriced
from payoff.artifact.runtime.endpoint_http import Sent, post
from payoff.artifact.runtime.endpoint_key import key_headers
from payoff.artifact.runtime.label_schema import is_object
from payoff.artifact.runtime.paid_answers import PaidAnswers, question_key
from payoff.artifact.runtime.rate_limit import RateLimit
from payoff.artifact.runtime.request_options import Messages, RequestOptions
from payoff.artifact.runtime.token_price import TokenPrice
from payoff.core.errors import MachineError
from payoff.core.extras import require

TRIES = 6
"""How often a question is sent before it is given up, where nobody says otherwise."""

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 60.0
_BUSY = {408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529}
_KEY_OR_ADDRESS = {401, 403, 404, 405, 407, 410}  # of these too, all requests fail
_MAY_BE_CHARGED = {408, 409, 425, 499}  # among those that blame the request


@dataclass(frozen=True, slots=True)
class _Asked:
    """One attempt: an answer, or why there is none."""

    answer: Answer | None = None
    status: int = 0
    told: str = ""
    wait_s: float | None = None


@dataclass
class EndpointClient:
    """A client of one model at one endpoint; safe to use from several threads.

    Every attempt, be it the first, a repetition or one with fewer options, reserves the most that
    it can cost in each budget before it is sent. Where nobody knows how an attempt ended (no
    answer in time, a broken line, an error of the server), what it reserved stays spent.

    Args:
        base_url: Such as ``"https://api.openai.com/v1"``.
        model: Name of the model there.
        key_variable: Environment variable that holds the key, or ``"none"``. The key is read
            when it is needed, and kept nowhere.
        max_parallel: Requests under way at once.
        timeout_s: Longest time without a sign of the endpoint.
        first_wait_s: Before the second try; doubled with each try.
        paid: Answers that need no request.
        budgets: What may be spent; all of them hold.
        price: Of a token; needed where a budget caps money.
        rate: How fast it may be asked.
        allowance: What a service may still spend, beside the budgets; counts what is charged.
        tries: How often a question is sent before it is given up.
        longest_wait_s: Before another try, also where the endpoint asks for more.
        breaker: Says when the endpoint is left alone; None asks it however often it fails.

    Attributes:
        n_requests: Attempts that were sent.
        n_beyond: Answers for which more tokens were charged than they were allowed.

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
    budgets: tuple[EndpointBudget, ...] = field(default=(), kw_only=True)
    price: TokenPrice | None = field(default=None, kw_only=True)
    rate: RateLimit = field(default_factory=RateLimit, kw_only=True)
    allowance: Allowance | None = field(default=None, kw_only=True)
    tries: int = field(default=TRIES, kw_only=True)
    longest_wait_s: float = field(default=_LONGEST_WAIT_S, kw_only=True)
    breaker: Breaker | None = field(default=None, kw_only=True)
    n_requests: int = field(default=0, init=False)
    n_beyond: int = field(default=0, init=False)
    _ways: dict[bool, RequestOptions] = field(default_factory=dict, init=False)
    _holds_schema: bool = field(default=False, init=False)
    _excess: tuple[int, int] = field(default=(0, 0), init=False)
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
        key_headers(self.base_url, self.key_variable)

    def check_price(self, why: str = "") -> None:
        """Whether a cap in money can be held.

        Args:
            why: Why there is no price, where that is known.

        Raises:
            MachineError: PF817 where money is capped and no price in its currency is known.
        """
        for budget in self.budgets:
            cap, price = budget.money, self.price
            if cap is not None and (price is None or price.currency != cap.currency):
                raise unpriced(cap, price, f"model '{self.model}' at {self.base_url}", why)

    def key_of(self, messages: Messages, max_answer_tokens: int, labels: Sequence[str] = ()) -> str:
        """What `PaidAnswers` keeps the answer under."""
        asked = [dict(message) for message in messages]
        return question_key(self.base_url, self.model, asked, max_answer_tokens, labels)

    def ask(
        self,
        questions: Sequence[Messages],
        *,
        max_answer_tokens: int,
        labels: Sequence[str] = (),
        tell: Callable[[int], object] | None = None,
    ) -> list[Answer]:
        """Answers to chats, in their order; the same question is asked once.

        Args:
            questions: ``n`` chats.
            max_answer_tokens: Longest answer.
            labels: Held to one of these by a schema, where the endpoint takes one.
            tell: Called with the number of requests done so far.

        Raises:
            MachineError: PF811 and PF812 for the key; PF813 where the endpoint cannot be reached
                or stays busy; PF814 for an answer that is none; PF815 at the cap, PF820 at what a
                service may spend; PF816 where it
                refuses the request; PF817 where money is capped and no price is known; PF821 while
                it is left alone. What was answered by then is kept.
            EconomicsError: PF620 where the month's budget of a verb does not hold it; see
                `payoff.learn.answer_books`.
        """
        keys = [self.key_of(question, max_answer_tokens, labels) for question in questions]
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
            self.check_price()
            _ = self._http  # made once, before threads ask for it
            passage = nullcontext() if self.breaker is None else self.breaker.passage()
            with passage, self._job(missing, max_answer_tokens, labels):
                found |= self._asked(missing, max_answer_tokens, tuple(labels), tell)
        return [found[key] for key in keys]

    def _job(
        self, missing: Mapping[str, Messages], most: int, labels: Sequence[str]
    ) -> AbstractContextManager[None]:
        """Tell the allowance the most that all of it can be charged for at the first attempts."""
        if self.allowance is None:
            return nullcontext()
        way = self._ways.get(bool(labels), RequestOptions(strict=bool(labels)))
        read = sum(way.most_read(messages, labels) for messages in missing.values())
        n, (more_read, more_written) = len(missing), self._excess
        written = n * (way.most_written(most) + more_written)
        return self.allowance.job(n, read + n * more_read, written)

    def _asked(
        self,
        missing: Mapping[str, Messages],
        most: int,
        labels: tuple[str, ...],
        tell: Callable[[int], object] | None,
    ) -> dict[str, Answer]:
        stop = threading.Event()
        found: dict[str, Answer] = {}
        tries_it = self.breaker is not None and self.breaker.state != "closed"
        if len(missing) == 1 or tries_it:  # needs no threads; and one alone is the trial
            key, question = next(iter(missing.items()))
            found[key] = self._paid_for(key, question, most, labels, stop)
            missing = {key: question for key, question in missing.items() if key not in found}
        if not missing:
            return found
        with ThreadPoolExecutor(self.max_parallel) as pool:
            try:
                under_way: dict[Future[Answer], str] = {
                    pool.submit(self._paid_for, key, question, most, labels, stop): key
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
        self,
        key: str,
        messages: Messages,
        most: int,
        labels: tuple[str, ...],
        stop: threading.Event,
    ) -> Answer:
        begun = time.perf_counter()
        answer = self._tried(messages, most, labels, stop)
        answer = replace(answer, seconds=round(time.perf_counter() - begun, 4))
        if self.paid is not None:
            self.paid.keep(key, answer)
        return answer

    def _tried(
        self, messages: Messages, most: int, labels: tuple[str, ...], stop: threading.Event
    ) -> Answer:
        """One question, until it is answered or hopeless."""
        tries, told = 0, ""
        way = self._ways.get(bool(labels), RequestOptions(strict=bool(labels)))
        while tries < self.tries and not stop.is_set():
            if self.breaker is not None:
                self.breaker.check()
            asked = self._attempt(messages, most, labels, way, stop)
            if asked.answer is not None:
                return self._judged(asked.answer, way, bool(labels))
            less = way.after()
            if asked.status in (400, 422) and less is not None:
                way = less
                continue
            if asked.status:
                self._refuse(asked.status, asked.told)
            told = f"{asked.status}: {asked.told}" if asked.status else asked.told
            tries += 1
            if self.breaker is not None:
                self.breaker.check()  # that one may have opened it: then nobody waits for the next
            if tries < self.tries:
                pause = self.first_wait_s * 2 ** (tries - 1)
                stop.wait(min(pause if asked.wait_s is None else asked.wait_s, self.longest_wait_s))
        raise MachineError(
            "PF813",
            self.base_url,
            f"it was asked {tries} times, and at last: {told or 'another request had failed'}",
            expected="an answer",
            mend="Check the address and the limits of your account, then run the same command "
            "again: what was answered is kept.",
        )

    def _judged(self, answer: Answer, way: RequestOptions, has_labels: bool) -> Answer:
        """Note which way works, and whether the endpoint held the answer to the schema."""
        with self._lock:
            strict = way.strict
            if strict and is_object(answer.text):
                self._holds_schema = True
            elif strict and answer.text.strip() and not self._holds_schema:
                strict, way = False, way.plain()  # it takes a schema and does not mind it
            self._ways[has_labels] = way
        return replace(answer, strict=strict)

    def _attempt(
        self,
        messages: Messages,
        most: int,
        labels: tuple[str, ...],
        way: RequestOptions,
        stop: threading.Event,
    ) -> _Asked:
        """Send a question once; what it costs is reserved before."""
        body = {"model": self.model, "messages": [dict(m) for m in messages]}
        body |= way.body(most, labels)
        headers = key_headers(self.base_url, self.key_variable)
        url = f"{self.base_url}/chat/completions"
        read, written = way.most_read(messages, labels), way.most_written(most)
        with self._reserved(read + self._excess[0], written + self._excess[1]) as settle:
            turn = self.rate.turn(read + written, stop)
            if turn is None:
                settle(0, 0)
                return _Asked(told="another request had failed")
            with self._lock:
                self.n_requests += 1
            sent = post(self._http, url, body, headers, within_s=2 * self.timeout_s)
            with self._heard(sent):
                if sent.status == 200:
                    answer = read_reply(sent.content, self.base_url, most_tokens=read + written)
                    if answer.metered:
                        used = answer.input_tokens, answer.output_tokens
                        settle(*used)
                        self.rate.settle(turn, sum(used))
                        self._compare(used, (read, written))
                    return _Asked(answer)
            if sent.unsent:
                settle(0, 0)
            if not sent.status:
                return _Asked(told=sent.content.decode())
            if 400 <= sent.status < 500 and sent.status not in _MAY_BE_CHARGED:
                settle(0, 0)  # it did not begin to answer
                self.rate.settle(turn, 0)
            wait_s = retry_after_s(sent.retry_after)
            return _Asked(status=sent.status, told=complaint(sent.content), wait_s=wait_s)

    @contextmanager
    def _heard(self, sent: Sent) -> Iterator[None]:
        """Tell the breaker of an attempt: whether it was answered, and could be read."""
        told = f"it answered {sent.status}" if sent.status else sent.content.decode()
        failed = True
        try:
            yield
            failed = not sent.status or sent.status in _BUSY | _KEY_OR_ADDRESS
        except MachineError as error:
            told = str(error)
            raise
        finally:
            if self.breaker is not None:
                self.breaker.tell(not failed, told, wait_s=retry_after_s(sent.retry_after))

    @contextmanager
    def _reserved(self, read: int, written: int) -> Iterator[Settle]:
        """Reserve in every budget; what an attempt was charged is told to all."""
        with ExitStack() as stack:
            told: list[Settle] = []

            def settle(read: int, written: int) -> None:
                for one in told:
                    one(read, written)

            try:
                more = () if self.allowance is None else (self.allowance,)
                for budget in (*self.budgets, *more):
                    held = budget.reserved(read, written, self.price)
                    told.append(stack.enter_context(held))
            except BaseException:
                settle(0, 0)  # nothing was sent: those that had room get it back
                raise
            yield settle

    def _compare(self, used: tuple[int, int], allowed: tuple[int, int]) -> None:
        """Count an answer that took more than it was allowed, and reserve more from now on."""
        more = used[0] - allowed[0], used[1] - allowed[1]
        if max(more) > 0:
            with self._lock:
                self.n_beyond += 1
                self._excess = max(self._excess[0], more[0]), max(self._excess[1], more[1])

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
