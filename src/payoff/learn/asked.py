"""Asked: requests whose labels people are asked for by chance, and by which chance."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Connection, Row, exists, func, insert, select

from payoff.core.errors import ServiceError
from payoff.economics.actions import HANDOFF
from payoff.economics.stated import Stated
from payoff.economics.value_tables import segment_names
from payoff.learn.acted import ACTED
from payoff.learn.entry import now_utc, read_probabilities
from payoff.learn.journal import Journal
from payoff.learn.stated_project import stated_project
from payoff.learn.tables import asked, audit_rounds, decisions, feedback
from payoff.learn.watching.audit import audit_sample, inclusions
from payoff.learn.watching.window import Window

if TYPE_CHECKING:
    from payoff.artifact.artifact import Artifact
    from payoff.economics.policy import Policy

AUDIT_SHARE = 0.2
"""Share of the review queue that is drawn by chance, so that its labels tell of all requests."""

_LEAST_RATE = 0.01
_LEAST_DECISIONS = 50
_MOST_DECISIONS = 5000
_BLOCK = 500


def stated_audit_share(section: Mapping[str, Any]) -> float:
    """What a project states in ``[review]`` as the share that is drawn by chance.

    Args:
        section: The section; may be empty.

    Raises:
        ProjectError: PF202 for unknown keys; PF203 where the share is none.

    Example:
        >>> stated_audit_share({}), stated_audit_share({"audit_share": 0.5})
        (0.2, 0.5)
    """
    stated = Stated("payoff.toml [review]")
    stated.keys(section, ("audit_share",))
    told = section.get("audit_share", AUDIT_SHARE)
    share = stated.number("audit_share", told, at_least=0)
    if share >= 1:
        stated.wrong(f"'audit_share' is {share:g}", expected="0 to below 1")
    stated.raise_all()
    return share


def audit_share_of(artifact: Artifact, share: float | None = None) -> float:
    """The share that is drawn by chance of what an artifact decided.

    Args:
        artifact: Its project states the share.
        share: In place of the stated one.

    Raises:
        ProjectError: PF202 or PF203 where the project's ``[review]`` is wrong.
        ServiceError: PF798 where the share that replaces it is none.

    Example:
        >>> audit_share_of(artifact)  # doctest: +SKIP
        0.2
    """
    if share is None:
        return stated_audit_share(stated_project(artifact).get("review", {}))
    return _checked(share)


def _checked(share: float) -> float:
    if not 0 <= share < 1:
        raise ServiceError("PF798", "audit share", f"{share}", expected="0 to below 1")
    return share


def draw_audit(
    journal: Journal,
    policy: Policy,
    *,
    audit_share: float = AUDIT_SHARE,
    seed: int | None = None,
) -> int:
    """Draw, among the decisions since the last draw, those whose labels people are asked for.

    Chances are those of `payoff.learn.watching.audit.inclusions`: the dearer an error would be and
    the likelier, the larger; none is 0 where something is at stake, whether the model acted or
    handed over. Each chance is kept beside its request. So many are drawn that they make up the
    stated share of a queue which has every request that was handed over besides, and of a hundred
    decisions one at least. With fewer than 50 new decisions nothing is drawn yet.

    Args:
        journal: Of the decisions.
        policy: What is worth what.
        audit_share: 0 draws none; below 1.
        seed: The same one draws the same; by chance where None, so that nobody can foresee who is
            looked at.

    Returns:
        How many were drawn.

    Raises:
        ServiceError: PF798 where the share is none; PF703 to PF706 where the database fails.

    Example:
        >>> from payoff.economics.policy import Policy
        >>> policy = Policy(("a", "b"), np.array([[3.0, -7.0, -1.0], [-7.0, 3.0, -1.0]]))
        >>> with Journal.open("sqlite://") as journal:
        ...     draw_audit(journal, policy)
        0
    """
    labels = labels_hash(policy.labels)
    if not _checked(audit_share) or not _new(journal, labels):
        return 0
    with journal.writing() as connection:
        rows = _undrawn(connection, labels)
        if len(rows) < _LEAST_DECISIONS:
            return 0
        usable = [row for row in rows if _fits(row, policy.labels)]
        chances = _chances(usable, policy, audit_share)
        drawn = [] if not usable else audit_sample(chances, seed=_seed(seed)).tolist()
        time_utc = now_utc()
        round_row = {
            "time_utc": time_utc,
            "labels_sha256": labels,
            "until_id": rows[-1].id,
            "n_decisions": len(usable),
            "n_asked": len(drawn),
            "audit_share": audit_share,
        }
        made = connection.execute(insert(audit_rounds).values(**round_row))
        (round_id,) = made.inserted_primary_key or (0,)
        about = {"time_utc": time_utc, "round_id": round_id}
        if len(drawn):
            connection.execute(
                insert(asked),
                [
                    about | {"request_id": usable[i].request_id, "chance": float(chances[i])}
                    for i in drawn
                ],
            )
    return len(drawn)


def _seed(seed: int | None) -> int:
    return secrets.randbits(64) if seed is None else seed


def answered_chances(connection: Connection, request_ids: Sequence[str]) -> dict[str, float]:
    """The chance of each request, of some, that was drawn and that a person has labelled.

    Of a request that was drawn others may speak too, but they do so for what came of it: only who
    was asked answers by chance.

    Args:
        connection: To the journal.
        request_ids: Which.

    Example:
        >>> with Journal.open("sqlite://") as journal, journal.reading() as connection:
        ...     answered_chances(connection, ["r-1"])
        {}
    """
    told = (feedback.c.request_id == asked.c.request_id) & (feedback.c.label != "")
    by_person = exists().where(told, feedback.c.source == "person")
    found: dict[str, float] = {}
    for start in range(0, len(request_ids), _BLOCK):
        block = asked.c.request_id.in_(request_ids[start : start + _BLOCK])
        wanted = select(asked.c.request_id, asked.c.chance).where(block, by_person)
        found |= {str(name): float(chance) for name, chance in connection.execute(wanted)}
    return found


def labels_hash(labels: Sequence[str]) -> str:
    """Names a set of labels: versions that share it share a queue.

    Example:
        >>> labels_hash(("a", "b"))[:8]
        'f04cdced'
    """
    return hashlib.sha256("\x1f".join(labels).encode()).hexdigest()


def _new(journal: Journal, labels: str) -> bool:
    """Whether enough decisions have come, as far as their numbers tell: asked often, and cheap."""
    with journal.reading() as connection:
        newest = connection.execute(select(func.max(decisions.c.id))).scalar_one() or 0
        return int(newest) - _until(connection, labels) >= _LEAST_DECISIONS


def _until(connection: Connection, labels: str) -> int:
    mine = audit_rounds.c.labels_sha256 == labels
    last = connection.execute(select(func.max(audit_rounds.c.until_id)).where(mine)).scalar_one()
    return int(last or 0)


def _undrawn(connection: Connection, labels: str) -> list[Row[Any]]:
    """The newest decisions since the last draw, in their order; a shadow's are nobody's."""
    names = ("id", "request_id", "action", "label", "segment", "probabilities")
    wanted = (
        select(*(decisions.c[name] for name in names))
        .where(decisions.c.id > _until(connection, labels))
        .where(ACTED)
        .order_by(decisions.c.id.desc())
        .limit(_MOST_DECISIONS)
    )
    return list(connection.execute(wanted).all())[::-1]


def _fits(row: Row[Any], labels: Sequence[str]) -> bool:
    """Whether it was decided among these labels, with the probability of each kept."""
    if row.probabilities is None or row.action not in (*labels, HANDOFF):
        return False
    said = read_probabilities(bytes(row.probabilities))
    return len(said) == len(labels) and labels[int(said.argmax())] == row.label


def _chances(rows: Sequence[Row[Any]], policy: Policy, audit_share: float) -> Any:
    if not rows:
        return np.empty(0)
    place = {label: i for i, label in enumerate((*policy.labels, HANDOFF))}
    said = np.stack([read_probabilities(bytes(row.probabilities)) for row in rows])
    window = Window(
        probabilities=said / said.sum(axis=1, keepdims=True),
        actions=np.array([place[row.action] for row in rows], dtype=np.int64),
        tables=policy.tables,
        segments=segment_names([row.segment for row in rows]),
    )
    n_handed = sum(row.action == HANDOFF for row in rows)
    wanted = max(n_handed * audit_share / (1 - audit_share), _LEAST_RATE * len(rows))
    return inclusions(window, wanted)
