"""One request to an endpoint, which ends whatever the endpoint does."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from payoff.core.extras import require

MOST_BYTES = 16_000_000
"""A body that is longer is no answer to a question about labels."""

# Nothing was sent: no connection, or none to be had.
_UNSENT = ("ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "InvalidURL")


@dataclass(frozen=True, slots=True)
class Sent:
    """How a request ended.

    Args:
        status: Of the answer; 0 where there is none.
        content: Its body, or why there is none.
        retry_after: What the header of that name says; None where there is none.
        unsent: Whether it surely was not sent.
    """

    status: int
    content: bytes
    retry_after: str | None = None
    unsent: bool = False


def post(
    client: Any, url: str, body: Mapping[str, Any], headers: Mapping[str, str], *, within_s: float
) -> Sent:
    """Send a JSON body, and read all of the answer.

    httpx's own limit is one for each piece that comes: a body in drops would never reach it.

    Args:
        client: An ``httpx.Client``.
        url: Where to.
        body: Is sent as JSON.
        headers: Beside the usual ones.
        within_s: All of the answer has to be there by then, once its head is.

    Example:
        >>> import httpx
        >>> with httpx.Client(trust_env=False) as client:
        ...     sent = post(client, "http://127.0.0.1:9", {}, {}, within_s=1.0)
        >>> sent.status, sent.unsent, sent.content[:12]
        (0, True, b'ConnectError')
    """
    httpx = require("httpx", "api", "asking an endpoint")
    try:
        with client.stream("POST", url, json=dict(body), headers=dict(headers)) as response:
            content = bytearray()
            end = time.monotonic() + within_s
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > MOST_BYTES:
                    return Sent(0, b"an answer of more than %d bytes" % MOST_BYTES)
                if time.monotonic() > end:
                    return Sent(0, b"an answer that was not whole in %g s" % within_s)
            status, after = int(response.status_code), response.headers.get("retry-after")
            return Sent(status, bytes(content), after)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        name = type(error).__name__
        told = f"{name}: {str(error)[:150]}"
        return Sent(0, told.encode(), unsent=name in _UNSENT)
