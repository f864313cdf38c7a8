"""An answer without a web framework: what a host of functions sends on."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from payoff.core.codes import http_status
from payoff.core.errors import PayoffError, ServiceError

_LOG = logging.getLogger("payoff.serve")
_RETRY_AFTER_S = {"PF703": "2", "PF704": "30", "PF707": "1", "PF710": "2", "PF821": "5"}
_JSON = MappingProxyType({"content-type": "application/json"})


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, headers and JSON content of an answer.

    Args:
        status: The HTTP status.
        content: What the body says.
        headers: Beside those that every answer has.

    Example:
        >>> Reply(200, {"status": "ok"}).body
        '{"status":"ok"}'
    """

    status: int
    content: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=lambda: _JSON)

    @property
    def body(self) -> str:
        """The content as JSON."""
        return json.dumps(self.content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))

    @classmethod
    def of_error(cls, error: PayoffError) -> Reply:
        """A coded error with the status that the catalogue gives it, and when to try again.

        Example:
            >>> reply = Reply.of_error(ServiceError("PF702", "body", "9 texts", expected="8"))
            >>> reply.status, reply.content["error"]["code"]
            (413, 'PF702')
        """
        retry = {"retry-after": _RETRY_AFTER_S[error.code]} if error.code in _RETRY_AFTER_S else {}
        return cls(http_status(error.code), {"error": error.as_dict()}, _JSON | retry)


def unforeseen(error: Exception) -> ServiceError:
    """What nobody foresaw as PF799, with an id that is also in the log.

    Example:
        >>> unforeseen(KeyError("x")).code
        'PF799'
    """
    told = uuid.uuid4().hex
    _LOG.error("PF799 %s: %s: %s", told, type(error).__name__, error, exc_info=error)
    return ServiceError(
        "PF799",
        f"failure {told}",
        "the service failed in a way that nobody foresaw",
        mend="Report this id with the line of the service's log that holds it.",
    )
