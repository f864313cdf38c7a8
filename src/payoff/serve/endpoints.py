"""Endpoints inside a service: nobody waits long for one that fails, and it is then left alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from payoff.artifact.runtime.breaker import Breaker

if TYPE_CHECKING:
    from payoff.artifact.runtime.endpoint_client import EndpointClient
    from payoff.economics.desk import Desk

TIMEOUT_S = 10.0
"""Longest time without a sign of an endpoint; a caller of the service waits for it."""

TRIES = 2
"""How often a question is sent; the model before it answers then."""

_LONGEST_WAIT_S = 1.0


def keep_answering(desk: Desk) -> None:
    """Make a desk one of a service: where an endpoint cannot be asked, the model before it answers.

    Each endpoint among its models gets a circuit breaker of this process and short patience.

    Args:
        desk: Before its first answer.

    Example:
        >>> keep_answering(load("support.payoff"))  # doctest: +SKIP
    """
    desk.keeps_answering = True
    for _, client in asked_endpoints(desk):
        client.breaker = Breaker(f"{client.model} at {client.base_url}")
        client.timeout_s = min(client.timeout_s, TIMEOUT_S)
        client.tries, client.longest_wait_s = TRIES, _LONGEST_WAIT_S


def asked_endpoints(desk: Desk) -> Iterator[tuple[str, EndpointClient]]:
    """Those models of a desk that are endpoints: the name of each, and who asks it.

    Example:
        >>> [tier for tier, _ in asked_endpoints(load("support.payoff"))]  # doctest: +SKIP
        ['large']
    """
    kinds = [tier.name for tier in desk.artifact.tiers if tier.kind == "endpoint"]
    yield from zip(kinds, desk.artifact.endpoints(), strict=True)
