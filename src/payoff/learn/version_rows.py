"""Version rows: what became of each version of a model, one row a version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from payoff.learn.versions import (
    MADE,
    PLACE,
    RELEASED,
    WITHDRAWN,
    VersionEvent,
    standing_releases,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """What became of a version.

    Args:
        artifact_sha256: Names it.
        number: Of the version, where `payoff retrain` made it; None where another verb did.
        state: ``"released"``, ``"before"`` for the one that a roll back brings again,
            ``"withdrawn"``, ``"earlier"`` where it was released and another one followed, or
            ``"made"``.
        made_utc: When it was made; empty where that is not noted.
        released_utc: When it was released last; empty for never.
        withdrawn_utc: When it was withdrawn last; empty for never.
        why: Why the last of these happened, where somebody said so.
        by: Who did it, where that is known.
        artifact: Where it lies, where that is noted.
        accuracy: Measured by those who made it, of the labels that judged it; None where not noted.
        gain_month: Mean gain a month over the version before, by the comparison that was noted
            last; None where not noted.
        currency: Of the gain.
    """

    artifact_sha256: str
    number: int | None
    state: str
    made_utc: str
    released_utc: str
    withdrawn_utc: str
    why: str
    by: str
    artifact: str
    accuracy: float | None
    gain_month: float | None
    currency: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def version_rows(events: Sequence[VersionEvent]) -> list[VersionRow]:
    """A row for each version, that with the newest event first.

    Args:
        events: The history of one model (`payoff.learn.versions.history`).

    Example:
        >>> done = [(MADE, "b"), (RELEASED, "a"), (RELEASED, "b")]
        >>> found = version_rows([VersionEvent("m", event, sha) for event, sha in done])
        >>> [(one.artifact_sha256, one.state) for one in found]
        [('b', 'released'), ('a', 'before')]
    """
    order = list(dict.fromkeys(one.artifact_sha256 for one in reversed(events)))
    standing = [one.artifact_sha256 for one in standing_releases(events)]
    return [
        _row([one for one in events if one.artifact_sha256 == sha256], standing) for sha256 in order
    ]


def _row(events: Sequence[VersionEvent], standing: Sequence[str]) -> VersionRow:
    """The row of one version from its own events, the oldest first."""
    times = {one.event: one.time_utc for one in events}
    known: dict[str, Any] = {}
    for one in events:
        known |= {key: value for key, value in one.facts.items() if value not in (None, "")}
    last, sha256 = events[-1].facts, events[0].artifact_sha256
    gain = known.get("gain_month")
    gain = gain if isinstance(gain, dict) else {}
    return VersionRow(
        artifact_sha256=sha256,
        number=known["version"] if isinstance(known.get("version"), int) else None,
        state=_state(sha256, events[-1].event, standing),
        made_utc=times.get(MADE, ""),
        released_utc=times.get(RELEASED, ""),
        withdrawn_utc=times.get(WITHDRAWN, ""),
        why=str(last.get("why") or ""),
        by=str(last.get("by") or ""),
        artifact=str(known.get(PLACE) or ""),
        accuracy=_number(known.get("accuracy")),
        gain_month=_number(gain.get("mean")),
        currency=str(gain.get("currency") or ""),
    )


def _state(sha256: str, last: str, standing: Sequence[str]) -> str:
    if sha256 in standing[-1:]:
        return "released"
    if sha256 in standing[-2:]:
        return "before"
    if sha256 in standing:
        return "earlier"
    return "withdrawn" if last == WITHDRAWN else "made"


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
