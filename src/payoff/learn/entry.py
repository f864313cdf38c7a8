"""An entry of the journal: one decision, as it was made."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Entry:
    """What the journal keeps of one decision: never the text, only its hash.

    Args:
        request_id: Names the decision for ever; the same id is written once.
        artifact_sha256: Of the manifest of the artifact that decided.
        text_sha256: Of the text in UTF-8, with its segment where that decided.
        action: A label, or ``"handoff"``.
        label: The most probable label.
        probability: Of that label.
        worth: Expected worth of the action.
        currency: Of the worth.
        latency_ms: From the text's arrival to its decision.
        time_utc: When, as ISO 8601 with microseconds; now where it is empty.
        customer: The customer's hash (`customer_hash`); empty where nobody was named.
        segment: Of the customer, where its own worth decided.
        tier: The model that answered, in a cascade.
        cost: What asking the models cost, in the same currency.
        experiment: The experiment that chose who decides; empty where there is none.
        arm: The arm that the customer is in.
        probabilities: Of every label, as `packed_probabilities` has them; None where not kept.

    Example:
        >>> entry = Entry("r-1", "a" * 64, text_hash("hi"), "greet", "greet", 0.9, 3.2, "USD", 4.0)
        >>> entry.time_utc.endswith("Z")
        True
    """

    request_id: str
    artifact_sha256: str
    text_sha256: str
    action: str
    label: str
    probability: float
    worth: float
    currency: str
    latency_ms: float
    time_utc: str = ""
    customer: str = ""
    segment: str = ""
    tier: str = ""
    cost: float = 0.0
    experiment: str = ""
    arm: str = ""
    probabilities: bytes | None = None

    def __post_init__(self) -> None:
        if not self.time_utc:
            object.__setattr__(self, "time_utc", now_utc())


def now_utc(later_s: float = 0.0) -> str:
    """The time as the journal writes it: sortable as text.

    Args:
        later_s: Seconds from now; beyond the years 1 to 9999 it is their beginning or their end.

    Example:
        >>> len(now_utc()), now_utc(-1e15)
        (27, '0001-01-01T00:00:00.000000Z')
    """
    try:
        moment = datetime.now(UTC) + timedelta(seconds=later_s)
    except OverflowError:
        moment = datetime.max if later_s > 0 else datetime.min
    # Not strftime: it writes the year 300 with three digits, which sorts behind 2026.
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def as_utc(time: str) -> str | None:
    """A time in ISO 8601 as the journal writes it; None where it is none. No zone means UTC.

    Example:
        >>> as_utc("2026-11-30T09:00+01:00"), as_utc("2026-11-30"), as_utc("yesterday")
        ('2026-11-30T08:00:00.000000Z', '2026-11-30T00:00:00.000000Z', None)
    """
    try:
        moment = datetime.fromisoformat(time)
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def text_hash(text: str, segment: str = "") -> str:
    """SHA-256 of a text, so that the journal can tell texts apart without keeping them.

    Args:
        text: The text.
        segment: Of its customer, where another one would have been decided otherwise.

    Example:
        >>> text_hash("")[:8], text_hash("", "vip") == text_hash("vip")
        ('e3b0c442', False)
    """
    if segment:
        text = f"{text}\x1e{segment}"
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def customer_hash(customer: str, salt: str) -> str:
    """Names a customer without telling who it is: HMAC-SHA-256, half of it, in hex.

    The same customer has the same hash in one journal, so that it stays in its arm of an
    experiment and can ask to be forgotten.

    Args:
        customer: As the caller names it: an account number, an address.
        salt: A secret of the journal's own, without which a list of known customers could be
            hashed and compared.

    Example:
        >>> len(customer_hash("ann@example.com", "s")), customer_hash("", "s")
        (32, '')
    """
    if not customer:
        return ""
    return hmac.new(salt.encode(), customer.encode(), hashlib.sha256).hexdigest()[:32]


def packed_probabilities(probabilities: NDArray[np.float64]) -> bytes:
    """Probabilities of the labels, ``(n_labels,)``, as the journal keeps them: float32.

    Example:
        >>> read_probabilities(packed_probabilities(np.array([0.25, 0.75]))).tolist()
        [0.25, 0.75]
    """
    return probabilities.astype("<f4").tobytes()


def read_probabilities(packed: bytes) -> NDArray[np.float64]:
    """What `packed_probabilities` packed, ``(n_labels,)``.

    Example:
        >>> read_probabilities(bytes([0, 0, 128, 63])).tolist()
        [1.0]
    """
    return np.frombuffer(packed, "<f4").astype(np.float64)
