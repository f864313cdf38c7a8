"""The guard: who may ask for what, and how often."""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from payoff.core.errors import PayoffError, ServiceError
from payoff.serve.failures import failure
from payoff.serve.other_sites import refuse_other_sites

if TYPE_CHECKING:
    from payoff.learn.api_keys import ApiKey
    from payoff.learn.journal import Journal

_FRESH_S = 5.0  # a key that was withdrawn is good for so long at most
_DUE_S = 4.0  # from here on one request reads them again, and the others go on
_BEARER = "bearer "
_FREE = ("/healthz", "/readyz", "/ping", "/v2/health/live", "/v2/health/ready")
_SCOPES = (
    ("/v1/feedback", "feedback"),
    ("/v1/review", "review"),
    ("/v1/admin", "admin"),
    ("/metrics", "metrics"),
    ("/dashboard", ""),  # asks by itself: people have a cookie and no header
)
_RELEASES = re.compile(r"/v1/models/[^/]+/(release|rollback)/?")
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
)


def scope_of(path: str) -> str:
    r"""The scope that an address needs; empty for none.

    Example:
        >>> scope_of("/v1/decide"), scope_of("/v1/review/next"), scope_of("/healthz")
        ('decide', 'review', '')
        >>> scope_of("/v1/models"), scope_of("/v1/models/support/release")
        ('decide', 'admin')
        >>> scope_of("/v1/feedback\n")  # the router takes it for the address without its end
        'feedback'
    """
    path = path.rstrip("\r\n")
    if path in _FREE:
        return ""
    if _RELEASES.fullmatch(path):
        return "admin"
    for start, scope in _SCOPES:
        if path == start or path.startswith(f"{start}/"):
            return scope
    return "decide"


class Keys:
    """The keys of a journal, read again every few seconds.

    Args:
        journal: Keeps them.
        clock: Seconds that only grow.
    """

    def __init__(self, journal: Journal, clock: Callable[[], float] = time.monotonic) -> None:
        self._journal = journal
        self._clock = clock
        self._known: dict[str, ApiKey] = {}
        self._read_at = -math.inf
        self._reading: asyncio.Lock | None = None

    def read(self) -> dict[str, ApiKey]:
        """All keys by their hash; none where the service is open to all.

        Raises:
            ServiceError: PF703 to PF706 where the database fails.
        """
        if self._age_s >= _FRESH_S:
            self._read_again()
        return self._known

    async def freshen(self) -> None:
        """Read the keys again where that is due: once, whoever asks meanwhile.

        Had each request of a busy service done so, many would have waited for the same few rows.

        Raises:
            ServiceError: PF703 to PF706 where the database fails and what is known is too old.
        """
        if self._age_s < _DUE_S:
            return
        self._reading = self._reading or asyncio.Lock()
        if self._reading.locked() and self._age_s < _FRESH_S:
            return
        async with self._reading:
            if self._age_s < _DUE_S:
                return
            try:
                await run_in_threadpool(self._read_again)
            except ServiceError:
                if self._age_s >= _FRESH_S:
                    raise

    @property
    def _age_s(self) -> float:
        return self._clock() - self._read_at

    def _read_again(self) -> None:
        from payoff.learn.api_keys import all_keys

        begin = self._clock()
        self._known, self._read_at = all_keys(self._journal), begin

    def check(self, key: str, scope: str) -> ApiKey | None:
        """The key that is sent; None where the service has none at all.

        Raises:
            ServiceError: PF718 where it is missing, unknown or withdrawn; PF719 where it does not
                allow this.
        """
        known = self.read()
        if not known:
            return None
        from payoff.learn.api_keys import key_hash
        from payoff.learn.entry import now_utc

        found = known.get(key_hash(key)) if key else None
        if found is None or not found.is_good(now_utc()):
            told = "it is unknown or no longer good" if key else "there is none"
            raise ServiceError("PF718", "Authorization", told, expected="Bearer KEY")
        if scope not in found.scopes and "admin" not in found.scopes:
            raise ServiceError(
                "PF719",
                f"key {found.key_id}",
                f"it allows {', '.join(found.scopes)}",
                expected=scope,
            )
        return found


class Rates:
    """How often each key may ask (a token bucket; Turner 1986).

    Args:
        per_second: Requests a second, on average.
        burst: Requests at once.
        clock: Seconds that only grow.

    Example:
        >>> rates = Rates(1.0, burst=2, clock=lambda: 0.0)
        >>> [rates.wait_s("a") for _ in range(3)], rates.wait_s("b")
        ([0.0, 0.0, 1.0], 0.0)
    """

    def __init__(
        self, per_second: float, *, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.per_second = per_second
        self.burst = burst
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}

    def wait_s(self, who: str) -> float:
        """Take one; 0, or the seconds after which there is one again."""
        now = self._clock()
        left, at = self._left.get(who, (float(self.burst), now))
        left = min(float(self.burst), left + (now - at) * self.per_second)
        if left < 1.0:
            self._left[who] = (left, now)
            return (1.0 - left) / self.per_second
        self._left[who] = (left - 1.0, now)
        return 0.0


class Guard:
    """Lets in whom the keys let in, and puts safe headers on every answer.

    Where there is no key, all come in but browsers that another site's page sends.

    Args:
        app: What is guarded.
        keys: Who may come; None asks for none.
        rates: How often; None for as often as they like.
    """

    def __init__(self, app: ASGIApp, *, keys: Keys | None, rates: Rates | None) -> None:
        self._app = app
        self._keys = keys
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        try:
            await self._let_in(scope)
        except PayoffError as error:
            await failure(error, headers=_more(error))(scope, receive, with_headers)
            return
        await self._app(scope, receive, with_headers)

    async def _let_in(self, scope: Scope) -> None:
        needed = scope_of(scope["path"])
        if not needed:
            return
        if self._keys is None:
            refuse_other_sites(scope)
            return
        await self._keys.freshen()
        sent = Headers(scope=scope).get("authorization", "")
        key = sent[len(_BEARER) :].strip() if sent.lower().startswith(_BEARER) else ""
        found = self._keys.check(key, needed)
        if found is None:
            refuse_other_sites(scope)
            return
        scope.setdefault("state", {})["key_name"] = found.name
        if self._rates is None:
            return
        wait_s = self._rates.wait_s(found.key_id)
        if wait_s:
            raise ServiceError(
                "PF720",
                f"key {found.key_id}",
                f"the next is taken in {wait_s:.1f} s",
                expected=f"at most {self._rates.per_second:g} a second",
            )


def _more(error: PayoffError) -> dict[str, str]:
    if error.code == "PF718":
        return {"www-authenticate": "Bearer"}
    return {"retry-after": "1"} if error.code == "PF720" else {}
