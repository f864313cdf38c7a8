"""Keys of the service: who may ask it for what. Only their hashes are kept."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, update

from payoff.core.errors import ServiceError, did_you_mean
from payoff.learn.entry import now_utc
from payoff.learn.journal import Journal
from payoff.learn.tables import api_keys

SCOPES = ("decide", "feedback", "review", "metrics", "admin")
"""What a key may allow: ask for decisions, tell what came out, label what waits for people, read
figures, change what is served."""

_PREFIX = "payoff"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is kept of a key.

    Args:
        key_id: Names it; a part of the key itself.
        name: Whose it is, for people.
        scopes: Some of `SCOPES`.
        made_utc: When it was made.
        until_utc: When it ends; empty for never.
        withdrawn_utc: When it was withdrawn; empty while it is good.

    Example:
        >>> ApiKey("3f", "shop", ("decide",), "2026-01-01", "2026-07-01").is_good("2026-08-01")
        False
    """

    key_id: str
    name: str
    scopes: tuple[str, ...]
    made_utc: str
    until_utc: str = ""
    withdrawn_utc: str = ""

    def is_good(self, now: str) -> bool:
        """Whether it is neither withdrawn nor over."""
        return not self.withdrawn_utc and (not self.until_utc or now < self.until_utc)

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "key_id": self.key_id,
            "name": self.name,
            "scopes": list(self.scopes),
            "made_utc": self.made_utc,
            "until_utc": self.until_utc or None,
            "withdrawn_utc": self.withdrawn_utc or None,
        }


def key_hash(key: str) -> str:
    """What is kept of a key: its SHA-256; 192 random bits need no slow hash.

    Example:
        >>> len(key_hash("payoff_a_b"))
        64
    """
    return hashlib.sha256(key.encode()).hexdigest()


def make_key(
    journal: Journal, name: str, scopes: Sequence[str], *, days: float | None = None
) -> tuple[ApiKey, str]:
    """Make a key.

    Args:
        journal: Keeps its hash.
        name: Whose it is.
        scopes: Some of `SCOPES`.
        days: How long it is good; None for ever.

    Returns:
        What is kept of it, and the key itself, which nobody can tell again.

    Raises:
        ServiceError: PF722 for an unknown scope, or none; PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     kept, key = make_key(journal, "shop", ["decide"])
        >>> key.startswith(f"payoff_{kept.key_id}_")
        True
    """
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise ServiceError(
            "PF722",
            "scope",
            f"'{unknown[0]}'" if unknown else "none",
            expected=", ".join(SCOPES),
            mend=did_you_mean(unknown[0] if unknown else "", SCOPES),
        )
    key_id = secrets.token_hex(6)
    key = f"{_PREFIX}_{key_id}_{secrets.token_urlsafe(24)}"
    until = "" if days is None else now_utc(days * 86_400)
    kept = ApiKey(key_id, name, tuple(dict.fromkeys(scopes)), now_utc(), until)
    row = {
        "key_id": key_id,
        "key_sha256": key_hash(key),
        "name": name,
        "scopes": " ".join(kept.scopes),
        "made_utc": kept.made_utc,
        "until_utc": until,
        "withdrawn_utc": "",
    }
    with journal.writing() as connection:
        connection.execute(insert(api_keys), [row])
    return kept, key


def all_keys(journal: Journal) -> dict[str, ApiKey]:
    """Every key that was ever made, by its hash, the oldest first.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     all_keys(journal)
        {}
    """
    with journal.reading() as connection:
        rows = connection.execute(select(api_keys).order_by(api_keys.c.made_utc)).mappings().all()
    names = ("key_id", "name", "made_utc", "until_utc", "withdrawn_utc")
    return {
        row["key_sha256"]: ApiKey(
            scopes=tuple(row["scopes"].split()), **{name: row[name] for name in names}
        )
        for row in rows
    }


def withdraw_key(journal: Journal, key_id: str) -> None:
    """Let a key be good no longer; services that run know it within seconds.

    Raises:
        ServiceError: PF723 where there is none of that id; PF703 to PF706 where the database fails.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     withdraw_key(journal, "3f")
        Traceback (most recent call last):
        ...
        payoff.core.errors.ServiceError: PF723 key: there is no '3f' that is still good\
 (expected none was made).
    """
    good = (api_keys.c.key_id == key_id) & (api_keys.c.withdrawn_utc == "")
    with journal.writing() as connection:
        done = connection.execute(update(api_keys).where(good).values(withdrawn_utc=now_utc()))
        if not done.rowcount:
            ids = list(connection.execute(select(api_keys.c.key_id)).scalars())
            raise ServiceError(
                "PF723",
                "key",
                f"there is no '{key_id[:100]}' that is still good",
                expected=", ".join(ids[:10]) or "none was made",
            )
