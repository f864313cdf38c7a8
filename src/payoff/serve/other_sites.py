"""Other sites: what their pages make a browser send to a service that asks for no key.

A page of any site can make a browser send a request to this machine. It cannot read the answer,
but a decision or feedback would be written down in the name of whoever sits there; and a name that
its own DNS first gives it and then this machine ("DNS rebinding") lets it read answers too.
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from payoff.core.errors import ServiceError

_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
_OWN = ("same-origin", "none")
_BROWSER = "mozilla/"


def place_of(origin: str) -> str | None:
    """Host and port of an origin; None where it is none.

    Example:
        >>> place_of("http://localhost:8000"), place_of("http://[")
        ('localhost:8000', None)
    """
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def is_local(scope: Scope, headers: Headers) -> bool:
    """Whether the caller is at this machine and means it by a name that is always its own."""
    return _between_loopbacks(scope) and _is_own_name(headers.get("host", ""))


def refuse_other_sites(scope: Scope) -> None:
    """Let a request pass unless it looks like one that another site's page made a browser send.

    Browsers say by ``Sec-Fetch-Site`` whose page it was wherever this machine is meant by its own
    name (Fetch Metadata, W3C 2021). Where they do not, ``Origin`` must be this service, and a
    browser at this machine must name it as one does here.

    Args:
        scope: Of an HTTP request.

    Raises:
        ServiceError: PF724.
    """
    headers = Headers(scope=scope)
    site = headers.get("sec-fetch-site")
    if site is not None:
        opened = scope["method"] in ("GET", "HEAD") and headers.get("sec-fetch-mode") == "navigate"
        if site not in _OWN and not opened:
            raise _refused("Sec-Fetch-Site", site, " or ".join(_OWN))
        return
    origin, host = headers.get("origin"), headers.get("host", "")
    if origin is not None and place_of(origin) != host:
        raise _refused("Origin", origin, "none, or this service")
    is_browser = origin is not None or _BROWSER in headers.get("user-agent", "").lower()
    if is_browser and _between_loopbacks(scope) and not _is_own_name(host):
        raise _refused("Host", host, " or ".join(_LOCAL_NAMES))


def _between_loopbacks(scope: Scope) -> bool:
    ends = [(scope.get(end) or ("",))[0] for end in ("client", "server")]
    try:
        return all(ip_address(end).is_loopback for end in ends)
    except ValueError:
        return False


def _is_own_name(host: str) -> bool:
    return host in _LOCAL_NAMES or host.rsplit(":", 1)[0] in _LOCAL_NAMES


def _refused(header: str, found: str, expected: str) -> ServiceError:
    return ServiceError("PF724", header, repr(found[:100]), expected=expected)
