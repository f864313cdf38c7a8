"""The entrance: who may see the dashboard, and whether a form was sent from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import Request

from payoff.core.errors import ServiceError
from payoff.learn.api_keys import key_hash
from payoff.learn.entry import now_utc
from payoff.serve.dashboard.form import Form
from payoff.serve.dashboard.sessions import Sessions
from payoff.serve.guard import Rates
from payoff.serve.other_sites import is_local, place_of

if TYPE_CHECKING:
    from payoff.learn.api_keys import ApiKey
    from payoff.serve.guard import Keys

COOKIE = "payoff_visit"
PATH = "/dashboard"
SCOPES = ("review", "admin")
"""A key that allows one of them opens the dashboard."""

_MOST_ADDRESSES = 10_000


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at the dashboard.

    Args:
        visit: Id of the visit, as the cookie has it.
        token: What the forms of this visit hold.
        name: Of the key; empty where nobody signed in.
        is_in: Whether the pages are shown.
        is_known: Whether somebody signed in, who can sign out again.
        is_admin: Whether they may change what is served.
    """

    visit: str
    token: str
    name: str = ""
    is_in: bool = False
    is_known: bool = False
    is_admin: bool = False


class Entrance:
    """Lets people in by a key, and by a cookie from then on.

    Where the service has no keys at all, whoever is at this machine is let in.

    Args:
        keys: Of the service.
        sessions: Of those who signed in.
    """

    def __init__(self, keys: Keys, sessions: Sessions | None = None) -> None:
        self._keys = keys
        self.sessions = sessions or Sessions()
        self._everybody = Rates(1.0, burst=30)
        self._addresses = self._new_rates()

    async def visitor(self, request: Request) -> Visitor:
        """Who asks; a new visit is begun where the cookie is missing or nobody's.

        Raises:
            ServiceError: PF703 to PF706 where the keys cannot be read.
        """
        await self._keys.freshen()
        known = self._keys.read()
        sent = request.cookies.get(COOKIE, "")
        visit = sent if self.sessions.is_id(sent) else self.sessions.new_id()
        token = self.sessions.token(visit)
        if not known:
            local = is_local(request.scope, request.headers)
            return Visitor(visit, token, name="local", is_in=local, is_admin=local)
        key = known.get(self.sessions.key_of(visit) or "")
        if key is None or not _opens(key):
            return Visitor(visit, token)
        admin = "admin" in key.scopes
        return Visitor(visit, token, name=key.name, is_in=True, is_known=True, is_admin=admin)

    async def asks_for_key(self) -> bool:
        """Whether the service has keys at all."""
        await self._keys.freshen()
        return bool(self._keys.read())

    def check_form(self, request: Request, visitor: Visitor, form: Form) -> None:
        """Refuse a form that was not made for this visit, or is sent by another site's page.

        Raises:
            ServiceError: PF762.
        """
        # Browsers send "null" from these pages, which tell nobody where they came from.
        origin = request.headers.get("origin", "null")
        host = request.headers.get("host", "")
        elsewhere = origin != "null" and place_of(origin) != host
        site = request.headers.get("sec-fetch-site", "same-origin")
        if elsewhere or site not in ("same-origin", "none"):
            raise ServiceError("PF762", "form", "another site's page sent it")
        if not self.sessions.is_token(visitor.visit, form.one("token")):
            raise ServiceError("PF762", "form", "its token is missing or another visit's")

    def sign_in(self, request: Request, key: str) -> str:
        """Begin a session; gives its id.

        Raises:
            ServiceError: PF763 where too many tries were made, PF764 where the key does not open
                the dashboard.
        """
        address = "" if request.client is None else request.client.host
        if len(self._addresses._left) > _MOST_ADDRESSES:
            self._addresses = self._new_rates()
        # What an address may not try takes nothing from all others.
        wait_s = self._addresses.wait_s(address) or self._everybody.wait_s("")
        if wait_s:
            raise ServiceError("PF763", "sign in", f"the next is taken in {wait_s:.0f} s")
        sha256 = key_hash(key)
        found = self._keys.read().get(sha256)
        if found is None or not found.is_good(now_utc()):
            raise ServiceError("PF764", "key", "it is unknown or no longer good")
        if not _opens(found):
            raise ServiceError(
                "PF764",
                f"key {found.key_id}",
                f"it allows {', '.join(found.scopes)}",
                expected=" or ".join(SCOPES),
            )
        return self.sessions.begin(sha256)

    @staticmethod
    def _new_rates() -> Rates:
        return Rates(1 / 12, burst=5)


def put_cookie(response: Any, request: Request, name: str, value: str, **more: Any) -> None:
    """Set a cookie that no script reads and no other site sends."""
    response.set_cookie(
        name,
        value,
        path=PATH,
        httponly=True,
        samesite="strict",
        secure=request.scope["scheme"] == "https",
        **more,
    )


def _opens(key: ApiKey) -> bool:
    return key.is_good(now_utc()) and any(scope in key.scopes for scope in SCOPES)
