"""The key of an endpoint: read from the environment when it is needed, sent where it may go."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from payoff.core.errors import MachineError

NO_KEY = "none"
"""Value of ``key_variable`` for an endpoint that needs no key."""


def key_headers(base_url: str, key_variable: str) -> dict[str, str]:
    """The headers that carry the key; none where none is needed.

    Raises:
        MachineError: PF811 without a key, or where nobody confirmed that it may be sent there.

    Example:
        >>> key_headers("http://127.0.0.1:8000/v1", "none")
        {}
    """
    if key_variable == NO_KEY:
        return {}
    key = os.environ.get(key_variable, "").strip()
    if not key:
        raise MachineError(
            "PF811",
            f"environment variable {key_variable}",
            "it is not set",
            expected=f"the key of {base_url}",
            mend=f"Run: export {key_variable}=… (or, where none is needed, set key_variable=none).",
        )
    confirm_address(base_url, key_variable)
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
