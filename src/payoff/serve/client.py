"""A service asked from Python."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any
from urllib.parse import quote

from payoff.core.errors import MachineError, PayoffError, Problems
from payoff.core.extras import require
from payoff.economics.decision import Decision

_AGAIN = (429, 502, 503, 504)
_TEXTS = 256


class Client:
    """Asks a service as a `Desk` is asked, over HTTP.

    A request that gets no answer, or is told to come back, is sent again with its request id, so
    that it is written down once.

    Args:
        url: Where the service is, such as ``"http://localhost:8000"``.
        key: A key of the service, where it asks for one.
        timeout_s: How long one attempt may take.
        attempts: How often a request is sent at most.

    Raises:
        MachineError: PF803 where httpx is not installed.

    Example:
        >>> with Client("http://localhost:8000") as desk:  # doctest: +SKIP
        ...     desk.decide("where is my card?", request_id="mail-17").action
        ...     desk.tell("mail-17", label="card_arrival")
        'card_arrival'
    """

    def __init__(
        self, url: str, *, key: str = "", timeout_s: float = 30.0, attempts: int = 4
    ) -> None:
        httpx = require("httpx", "client", "asking a service")
        headers = {"authorization": f"Bearer {key}"} if key else {}
        self._failures = httpx.TransportError
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_s)
        self._attempts = attempts

    def decide(self, text: str, **options: Any) -> Decision:
        """The action of highest expected worth for one text.

        Args:
            text: The text.
            **options: ``pair``, ``segment``, ``customer``, ``model``, ``within_ms`` and
                ``request_id``, as ``/v1/decide`` takes them.

        Raises:
            PayoffError: What the service told, with its code.
            MachineError: PF809 where it cannot be reached.
        """
        asked = {"request_id": uuid.uuid4().hex, **options, "text": text}
        return Decision.from_dict(self._post("/v1/decide", asked)["decision"])

    def decide_many(self, texts: Sequence[str], **options: Any) -> list[Decision]:
        """`decide` for several texts, in the same order.

        Args:
            texts: The texts; sent 256 at a time.
            **options: ``customer``, ``model`` and ``within_ms``.

        Raises:
            PayoffError: What the service told, with its code.
            MachineError: PF809 where it cannot be reached.
        """
        decisions: list[Decision] = []
        for start in range(0, len(texts), _TEXTS):
            part = list(texts[start : start + _TEXTS])
            asked = {"request_id": uuid.uuid4().hex, **options, "texts": part}
            told = self._post("/v1/decide", asked)["decisions"]
            decisions += [Decision.from_dict(one) for one in told]
        return decisions

    def tell(self, request_id: str, **told: Any) -> bool:
        """Tell what came out of a decision.

        Args:
            request_id: Of the decision.
            **told: ``label``, ``correct``, ``worth``, ``source``, ``person``, ``seconds``,
                ``feedback_id`` and ``model``, as ``/v1/feedback`` takes them.

        Returns:
            Whether the service knows that decision.

        Raises:
            PayoffError: What the service told, with its code.
            MachineError: PF809 where it cannot be reached.
        """
        model = {"model": told.pop("model")} if "model" in told else {}
        one = {"feedback_id": uuid.uuid4().hex, **told, "request_id": request_id}
        return not self._post("/v1/feedback", {"feedback": [one]} | model)["unknown"]

    def models(self) -> list[dict[str, Any]]:
        """What the service decides with.

        Raises:
            PayoffError: What the service told, with its code.
            MachineError: PF809 where it cannot be reached.
        """
        found: list[dict[str, Any]] = self._ask("GET", "/v1/models", None)["models"]
        return found

    def release(self, model: str, artifact_sha256: str, *, why: str = "") -> dict[str, Any]:
        """Let a version serve from now on; done twice, it is released once.

        Args:
            model: Its name.
            artifact_sha256: Of the version, which the service's journal has noted.
            why: Noted with it.

        Returns:
            What is ``released`` now and what is ``serving``, by SHA-256.

        Raises:
            PayoffError: What the service told, with its code.
            MachineError: PF809 where it cannot be reached.
        """
        return self._version(model, "release", artifact_sha256, why)

    def roll_back(self, model: str, artifact_sha256: str, *, why: str = "") -> dict[str, Any]:
        """Withdraw a version; the one that was released before it serves again.

        Args:
            model: Its name.
            artifact_sha256: Of the version that is to be withdrawn; done twice, that one goes, and
                no other.
            why: Noted with it.

        Returns:
            What is ``released`` now and what is ``serving``, by SHA-256.

        Raises:
            PayoffError: What the service told, with its code.
            MachineError: PF809 where it cannot be reached.
        """
        return self._version(model, "rollback", artifact_sha256, why)

    def _version(self, model: str, verb: str, sha256: str, why: str) -> dict[str, Any]:
        path = f"/v1/models/{quote(model, safe='')}/{verb}"
        return self._post(path, {"artifact_sha256": sha256, "why": why})

    def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._ask("POST", path, body)

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        for attempt in range(1, self._attempts + 1):
            last = attempt == self._attempts
            try:
                answer = self._http.request(method, path, json=body)
            except self._failures as error:
                if last:
                    raise self._gone(error) from error
                self._wait(attempt, "")
                continue
            if answer.status_code in _AGAIN and not last:
                self._wait(attempt, answer.headers.get("retry-after", ""))
                continue
            return self._content(answer)
        raise AssertionError("the last attempt returns or raises")

    def _content(self, answer: Any) -> dict[str, Any]:
        try:
            content: dict[str, Any] = answer.json()
            if answer.status_code < 400:
                return content
            raise _told(content["error"])
        except (ValueError, KeyError, TypeError) as error:
            raise self._gone(f"status {answer.status_code}, and no answer of payoff's") from error

    def _gone(self, why: object) -> MachineError:
        return MachineError(
            "PF809", str(self._http.base_url), str(why) or type(why).__name__, mend="Is it running?"
        )

    def _wait(self, attempt: int, told: str) -> None:
        """As long as the service said, else longer each time, and never all callers at once."""
        wait_s = float(told) if told.isdigit() else 0.1 * 2.0**attempt
        time.sleep(wait_s * random.uniform(0.8, 1.2))

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _told(facts: Mapping[str, Any]) -> PayoffError:
    """The error that a service told."""
    if "problems" in facts:
        return Problems(_told(one) for one in facts["problems"])
    words = [facts[name] for name in ("code", "where", "found")]
    return PayoffError(*words, expected=facts.get("expected", ""), mend=facts.get("mend", ""))
