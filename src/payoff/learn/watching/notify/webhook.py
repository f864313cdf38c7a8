"""Webhook: alerts posted to an address, signed."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import ssl
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from payoff.core.errors import ServiceError
from payoff.learn.watching.notify.channel import Message

SIGNATURE = "X-Payoff-Signature"
"""Header: ``t=SECONDS,v1=HEX``, the HMAC-SHA-256 of ``SECONDS.BODY`` under the shared secret."""
_TRIES = 3
_WAIT_S = 0.5


class Webhook:
    """Posts JSON to one address; redirections are not followed.

    It tries again where the line breaks or the server answers 408, 429 or 5xx, and gives up
    after three tries: whoever calls it keeps what could not be told.

    Args:
        url: ``https://…``; ``http://…`` is not encrypted.
        secret: Shared with the receiver, so that it can tell ours from others'; no signature
            where it is empty.
        timeout_s: Of each try.
        wait: How to wait between tries.

    Raises:
        ServiceError: PF749 where the address is none.

    Example:
        >>> Webhook("https://ops.example.com/hooks/payoff?token=1").name
        'webhook ops.example.com 5b18dc27'
    """

    def __init__(
        self,
        url: str,
        *,
        secret: str = "",
        timeout_s: float = 5.0,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ServiceError(
                "PF749",
                "webhook",
                f"'{url.split('?', maxsplit=1)[0][:100]}' is no address",
                expected="https://HOST/PATH, without user and password",
            )
        self._host, self._port, self._encrypted = parts.hostname, port, parts.scheme == "https"
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        place = f":{port}" if port else ""
        told_apart = hashlib.sha256(self._target.encode("utf-8", "replace")).hexdigest()[:8]
        self._name = f"webhook {parts.hostname}{place} {told_apart}"
        self._secret = secret
        self._timeout_s = timeout_s
        self._wait = wait

    @property
    def name(self) -> str:
        """What the journal calls it: its host, and a hash of the rest, which may be the secret."""
        return self._name

    def send(self, message: Message) -> None:
        """Post the message.

        Raises:
            ServiceError: PF747 where it did not arrive.
        """
        body = json.dumps(message.as_dict(), sort_keys=True).encode()
        reason = ""
        for number in range(_TRIES):
            if number:
                self._wait(_WAIT_S * 2 ** (number - 1))
            try:
                status = self._post(body, message.number)
            except (OSError, http.client.HTTPException) as error:
                reason = f"{type(error).__name__}: {error}"[:200]
                continue
            except UnicodeError as error:  # no machine can be called that, and no path
                reason = f"it cannot be spelt ({error})"[:200]
                break
            if 200 <= status < 300:
                return
            reason = f"it answers {status}"
            if status not in (408, 429) and status < 500:
                break
        raise ServiceError(
            "PF747",
            self._name,
            reason,
            expected="an answer of 2xx",
            mend="Check the address; it is tried again at the next look.",
        )

    def _post(self, body: bytes, number: int) -> int:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "payoff",
            "Idempotency-Key": f"payoff-alert-{number}",
        }
        if self._secret:
            headers[SIGNATURE] = signature(body, self._secret, at_s=int(time.time()))
        connection: http.client.HTTPConnection
        if self._encrypted:
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=self._timeout_s, context=context
            )
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
        try:
            connection.request("POST", self._target, body, headers)
            return connection.getresponse().status
        finally:
            connection.close()


def signature(body: bytes, secret: str, *, at_s: int) -> str:
    """What the header says of a body.

    The time is signed too, so that a receiver can refuse what somebody sends again later.

    Args:
        body: As it was sent.
        secret: Shared with the receiver.
        at_s: Seconds since 1970.

    Example:
        >>> signature(b"{}", "secret", at_s=1)[:22]
        't=1,v1=1122767b193110c'
    """
    digest = hmac.new(secret.encode(), f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"
