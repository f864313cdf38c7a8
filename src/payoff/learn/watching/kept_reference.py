"""The reference of a model in a journal: made once, from its first requests, and kept."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from sqlalchemy import insert, select

from payoff.core.errors import ServiceError
from payoff.learn.journal import Journal
from payoff.learn.tables import settings
from payoff.learn.watching.journal_window import oldest
from payoff.learn.watching.reference import Reference
from payoff.learn.watching.watched_model import WatchedModel

_SURE = 3.0  # standard errors
FIRST_REQUESTS = 1000
"""How many of a model's first requests the quiet period has."""


@dataclass(frozen=True, eq=False, slots=True)
class KeptReference:
    """A reference, and where the requests after it begin.

    Args:
        reference: The quiet period.
        until_id: Row of the last decision that it was made from; 0 where it came with the
            artifact.
        of_launch: Whether it came with the artifact, from rows that did not train it.
    """

    reference: Reference
    until_id: int
    of_launch: bool = False

    def __str__(self) -> str:
        ref = self.reference
        if self.of_launch:
            return f"{ref.n:,} test rows that came with the artifact"
        return f"the first {ref.n:,} requests, whatever they were"


def kept_reference(journal: Journal, model: WatchedModel) -> KeptReference | None:
    """The reference of a model: the artifact's own, or that of its first requests here.

    The first requests are taken where the artifact has none, and where they were surely worth more
    than its test rows say: a market that turns from kind to as hard as the tests loses money. First
    requests that were worth less are never taken for normal.

    It is written into the journal's settings when there are enough requests, and read from there
    ever after, so that it stays what it was when old decisions are cleared away.

    Args:
        journal: Of the decisions.
        model: Which version.

    Returns:
        None where the model has not answered enough requests yet.

    Raises:
        ServiceError: PF703 to PF706 where the database fails; PF750 where what is kept is broken.

    Example:
        >>> import numpy as np
        >>> from payoff.economics.policy import Policy
        >>> policy = Policy(("a", "b"), np.eye(2, 3))
        >>> model = WatchedModel(name="m", sha256="0" * 64, policy=policy, currency="EUR")
        >>> with Journal.open("sqlite://") as journal:
        ...     kept_reference(journal, model) is None
        True
    """
    quiet = _of_first_requests(journal, model)
    if model.reference is None:
        return quiet
    launch = KeptReference(Reference.from_dict(model.reference), 0, of_launch=True)
    return quiet if quiet is not None and _surely_better(quiet, launch) else launch


def _surely_better(quiet: KeptReference, launch: KeptReference) -> bool:
    """Whether the market was kinder than the test rows: then it is what can be lost."""
    error = math.hypot(quiet.reference.worth_se, launch.reference.worth_se)
    return quiet.reference.worth - launch.reference.worth > _SURE * error


def _of_first_requests(journal: Journal, model: WatchedModel) -> KeptReference | None:
    name = f"reference:{model.sha256}"
    with journal.reading() as connection:
        wanted = select(settings.c.value).where(settings.c.name == name)
        value = connection.execute(wanted).scalar_one_or_none()
    if value is not None:
        return _read(str(value), journal.salt)
    first = oldest(journal, model, FIRST_REQUESTS)
    if len(first.window) < FIRST_REQUESTS:
        return None
    reference = Reference.of(
        first.window,
        model.labels,
        forecast=model.forecast,
        calibration_error=model.calibration_error,
        key=journal.salt,
    )
    until_id = int(first.ids[-1])
    written = json.dumps({"until_id": until_id, "reference": reference.to_dict()})
    with journal.writing() as connection:
        wanted = select(settings.c.value).where(settings.c.name == name)
        if connection.execute(wanted).scalar_one_or_none() is None:
            connection.execute(insert(settings), [{"name": name, "value": written}])
    return KeptReference(reference, until_id)


def _read(value: str, salt: str) -> KeptReference:
    try:
        content = json.loads(value)
        reference, until_id = content["reference"], int(content["until_id"])
    except (KeyError, TypeError, ValueError) as error:
        raise ServiceError("PF750", "reference", f"it cannot be read ({error!r})") from error
    return KeptReference(Reference.from_dict(reference, key=salt), until_id)
