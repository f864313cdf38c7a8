"""Assignment: which arm a customer is in, the same at every request and on every machine."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from payoff.learn.experiments.course import Course

CONTROL = "control"
TREATMENT = "treatment"

SHADOW = "#shadow"
"""How the request id ends under which a shadow's decision is written."""

_BYTES = 8


def bucket_of(name: str, salt: str, unit: str) -> float:
    """Where a unit falls in ``[0, 1)``, spread evenly and independently of other experiments.

    Args:
        name: Of the experiment.
        salt: Of the experiment; another one shares the customers out anew.
        unit: A customer's hash, or a request id where nobody was named.

    Example:
        >>> bucket_of("new-head", "", "c1") == bucket_of("new-head", "", "c1")
        True
        >>> 0 <= bucket_of("new-head", "", "c2") < 1
        True
    """
    hashed = hashlib.sha256("\x1f".join((salt, name, unit)).encode("utf-8")).digest()
    # 53 bits: a float holds them exactly, so that the largest is still below 1.
    return (int.from_bytes(hashed[:_BYTES], "big") >> 11) / 2.0**53


def arm_of(course: Course, customer_hash: str, request_id: str) -> str:
    """The arm whose model decides on a request: ``"control"`` or ``"treatment"``.

    A unit is treated where its bucket is below the share. A share that grows therefore moves nobody
    out of the treatment, and a customer has one arm however many requests it sends. Requests that
    name no customer are units of their own.

    In the shadow (`Course.in_shadow`) the control decides on all requests; the treatment is asked
    too, and its decision is written under `shadow_id`.

    Args:
        course: The experiment as it stands.
        customer_hash: As `payoff.learn.entry.customer_hash` makes it; may be empty.
        request_id: Of the request.

    Example:
        >>> from payoff.learn.experiments.course import EXAMPLE
        >>> arm_of(EXAMPLE, "c1", "r-1") == arm_of(EXAMPLE, "c1", "r-2")
        True
    """
    if course.share <= 0.0:
        return CONTROL
    experiment = course.experiment
    # The prefix keeps a request id from falling where a customer of that name does.
    unit = f"c{customer_hash}" if customer_hash else f"r{request_id}"
    bucket = bucket_of(experiment.name, experiment.salt, unit)
    return TREATMENT if bucket < course.share else CONTROL


def shadow_id(request_id: str) -> str:
    """The request id under which the treatment's decision in the shadow is written.

    Example:
        >>> shadow_id("r-1")
        'r-1#shadow'
    """
    return request_id + SHADOW


def decided_id(request_id: str) -> str:
    """The request that a shadow's decision is about; any other id as it is.

    Example:
        >>> decided_id("r-1#shadow"), decided_id("r-1")
        ('r-1', 'r-1')
    """
    return request_id.removesuffix(SHADOW)
