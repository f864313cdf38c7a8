"""Sessions of people who signed in: kept in the process, and gone with it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

_WHOLE_S = 12 * 3600.0
_IDLE_S = 2 * 3600.0
_MOST = 1_000
_ID_CHARACTERS = 43  # 256 bits in base64


@dataclass(slots=True)
class Session:
    """Somebody who signed in.

    Args:
        key_sha256: Hash of the key, which must go on being good.
        begun_s: When, by the store's clock.
        seen_s: When last, by the store's clock.
    """

    key_sha256: str
    begun_s: float
    seen_s: float


class Sessions:
    """Sessions by the hash of their id, and the tokens of their forms.

    An id is 256 random bits that only the cookie holds. A form's token is an HMAC of the id by a
    secret of the process: whoever cannot read the cookie cannot make one.

    Args:
        clock: Seconds that only grow.

    Example:
        >>> sessions = Sessions()
        >>> visit = sessions.begin("hash of a key")
        >>> sessions.key_of(visit), sessions.key_of(sessions.new_id())
        ('hash of a key', None)
        >>> sessions.is_token(visit, sessions.token(visit)), sessions.is_token(visit, "x")
        (True, False)
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._found: dict[str, Session] = {}
        self._lock = threading.Lock()

    @staticmethod
    def new_id() -> str:
        """A new id, of a visit that is not signed in."""
        return secrets.token_urlsafe(32)

    @staticmethod
    def is_id(text: str) -> bool:
        """Whether it has the shape of an id."""
        return len(text) == _ID_CHARACTERS and text.isascii()

    def begin(self, key_sha256: str) -> str:
        """Sign in; gives the id of the new session."""
        visit, now = self.new_id(), self._clock()
        with self._lock:
            self._found = {k: one for k, one in self._found.items() if not self._is_over(one, now)}
            while len(self._found) >= _MOST:
                del self._found[min(self._found, key=lambda k: self._found[k].seen_s)]
            self._found[_hash(visit)] = Session(key_sha256, now, now)
        return visit

    def key_of(self, visit: str) -> str | None:
        """Hash of the key that a session was begun with; None where nobody is signed in."""
        now = self._clock()
        with self._lock:
            found = self._found.get(_hash(visit))
            if found is None or self._is_over(found, now):
                return None
            found.seen_s = now
            return found.key_sha256

    def end(self, visit: str) -> None:
        """Sign out."""
        with self._lock:
            self._found.pop(_hash(visit), None)

    def token(self, visit: str) -> str:
        """What every form of a visit holds."""
        return hmac.new(self._secret, visit.encode(), hashlib.sha256).hexdigest()

    def is_token(self, visit: str, sent: str) -> bool:
        """Whether a form was made for this visit."""
        return hmac.compare_digest(self.token(visit).encode(), sent.encode("utf-8", "replace"))

    @staticmethod
    def _is_over(one: Session, now: float) -> bool:
        return now - one.begun_s > _WHOLE_S or now - one.seen_s > _IDLE_S


def _hash(visit: str) -> str:
    return hashlib.sha256(visit.encode()).hexdigest()
