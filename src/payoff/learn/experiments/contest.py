"""Contest: two artifacts that can be compared, and what they were used for so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from payoff.artifact.artifact import Artifact
from payoff.core.errors import ArtifactError, ServiceError
from payoff.economics.desk import POLICY
from payoff.economics.policy import Policy
from payoff.learn.experiments.gain import spread_of
from payoff.learn.experiments.hold_back import HoldBack, stated_hold_back
from payoff.learn.experiments.late_labels import counted_worth
from payoff.learn.experiments.outcomes import requests_before
from payoff.learn.experiments.requests import Requests
from payoff.learn.journal import Journal
from payoff.learn.stated_project import stated_project

LEAST_REQUESTS = 200
"""With fewer earlier requests nobody knows how noisy they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """Two artifacts for the same requests.

    Args:
        model: Name of the one that decides now: what requests ask for.
        control: SHA-256 of the one that decides now.
        treatment: SHA-256 of the one that is to prove itself; empty where none is named.
        policy: The control's; both are counted by it.
        currency: Of its amounts.
        places: Where the artifact of each lies, by SHA-256.
        stated: Section ``[experiment]`` of the project of the one that is to prove itself, or else
            of the other one.

    Example:
        >>> from payoff.learn.experiments.course import EXAMPLE
        >>> made = Contest(model="m", control="a", treatment="b", policy=EXAMPLE.policy,
        ...                currency="USD", stated={"hold_back": 0.1})
        >>> made.low, made.high, made.hold_back()
        (-25.0, 3.0, HoldBack(share=0.1, days=28.0))
    """

    model: str
    control: str
    treatment: str
    policy: Policy
    currency: str
    places: Mapping[str, Path] = field(default_factory=dict)
    stated: Mapping[str, Any] = field(default_factory=dict)

    def hold_back(
        self, *, share: float | None = None, days: float | None = None
    ) -> HoldBack | None:
        """Who is held back after a promotion; the figures go before what the project states.

        Raises:
            ProjectError: PF202 or PF203 where the section is wrong.
            ServiceError: PF730 where a figure is.
        """
        return stated_hold_back(self.stated, share=share, days=days)

    @property
    def low(self) -> float:
        """Least that one request can bring, before what asking the models costs."""
        return float(self.policy.tables.stacked.min())

    @property
    def high(self) -> float:
        """Most that one request can bring."""
        return float(self.policy.tables.stacked.max())


def contest_of(control: str | Path, treatment: str | Path | None = None) -> Contest:
    """Open two artifacts, without their models, and see whether they can be compared.

    The treatment may know labels that the control does not: a new version has learnt them. Outcomes
    of both are then counted by its policy, which knows what they are worth.

    Args:
        control: The artifact that decides now.
        treatment: The one that is to prove itself; None where only the first is asked about.

    Raises:
        ServiceError: PF736 where they are the same, where the treatment lacks a label of the
            control's, or for another currency.
        ArtifactError: PF501 to PF504 where one cannot be used.

    Example:
        >>> contest_of("support.payoff", "candidate.payoff").model  # doctest: +SKIP
        'support'
    """
    with Artifact.open(control) as now:
        policy, currency = _policy(now)
        model, labels, sha256 = now.name, now.labels, now.sha256
        stated = stated_project(now).get("experiment", {})
    other = ""
    if treatment is not None:
        with Artifact.open(treatment) as new:
            newer, found = _policy(new)
            lost = sorted(set(labels) - set(new.labels))
            _refuse(sha256 == new.sha256, treatment, "it is the control itself", "another one")
            _refuse(
                bool(lost), treatment, f"it lacks {', '.join(lost[:5])}", ", ".join(labels[:10])
            )
            _refuse(found != currency, treatment, f"its amounts are in {found}", currency)
            policy = newer if new.labels != labels else policy
            other = new.sha256
            stated = stated_project(new).get("experiment", stated)
    places = {sha256: Path(control).resolve()}
    if treatment is not None:
        places[other] = Path(treatment).resolve()
    return Contest(
        model=model,
        control=sha256,
        treatment=other,
        policy=policy,
        currency=currency,
        places=places,
        stated=stated,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What is known of a model's requests before an experiment.

    Args:
        requests: How many there were.
        per_day: On average.
        per_customer: On average.
        spread: What one adds to the noise (`payoff.learn.experiments.gain.spread_of`).
        profit: A request.
    """

    requests: int
    per_day: float
    per_customer: float
    spread: float
    profit: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


def past_of(journal: Journal, contest: Contest) -> Past | None:
    """What the journal tells of the control's requests so far.

    Returns:
        None where there are fewer than `LEAST_REQUESTS`.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> from payoff.learn.experiments.course import EXAMPLE
        >>> made = Contest(model="m", control="a", treatment="", policy=EXAMPLE.policy,
        ...                currency="USD")
        >>> with Journal.open("sqlite://") as journal:
        ...     past_of(journal, made)
    """
    return past(requests_before(journal, contest.control, contest.policy))


def past(requests: Requests) -> Past | None:
    """The same from requests at hand; None where there are too few.

    Example:
        >>> from payoff.learn.experiments.requests import drawn
        >>> past(drawn(1000)).per_day
        100.0
    """
    n = len(requests)
    if n < LEAST_REQUESTS:
        return None
    counted = counted_worth(
        requests.expected, requests.realised, requests.treated, requests.handed_over
    )
    days = max(1.0, np.ceil(float(requests.day.max() - requests.day.min())))
    return Past(
        requests=n,
        per_day=n / float(days),
        per_customer=n / len(requests.newcomers),
        spread=spread_of(counted.worth, requests.customer),
        profit=float(counted.worth.mean()),
    )


def _policy(artifact: Artifact) -> tuple[Policy, str]:
    document = artifact.read_json(POLICY)
    currency = document.get("currency") if isinstance(document, dict) else None
    if not isinstance(currency, str):
        raise ArtifactError("PF504", f"{artifact.path} [{POLICY}]", "it names no currency")
    return Policy.from_dict(document), currency


def _refuse(wrong: bool, path: str | Path, found: str, expected: str) -> None:
    if wrong:
        raise ServiceError(
            "PF736",
            str(path),
            found,
            expected=expected,
            mend="Compare two artifacts of one task and one payoff.",
        )
