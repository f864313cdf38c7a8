"""Experiment: two artifacts, whose requests are compared in money, and the rules stated before."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

from payoff.core.errors import PayoffError, ServiceError, did_you_mean, raise_all
from payoff.core.money import Money
from payoff.learn.experiments.guardrails import Guardrails
from payoff.learn.experiments.hold_back import HoldBack

RAMP = (0.01, 0.05, 0.25, 0.5, 1.0)
"""Shares of the customers that the treatment decides on, step by step."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Mode(StrEnum):
    """How customers come to the treatment."""

    LIVE = "live"
    """Step by step, as the ramp says."""
    SHADOW = "shadow"
    """At first nobody: the treatment is asked beside the control, and does not act."""
    BANDIT = "bandit"
    """By how likely the treatment is the better one (`payoff.learn.experiments.bandit`)."""
    HOLD_BACK = "hold back"
    """After a promotion: all but a few, who stay with the control for a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """What is compared and by which rules: all of it is stated before the first request.

    Args:
        name: Of the experiment: letters, digits, dots, hyphens; used once in a journal.
        model: Name of the model that requests ask for; one experiment a model at a time.
        control: SHA-256 of the artifact that decides now; of the one before, in a hold-back.
        treatment: SHA-256 of the artifact that is to prove itself.
        currency: Of all amounts.
        low: Least that one request can bring, cost included.
        high: Most that one request can bring.
        mode: How customers come to the treatment.
        ramp: Shares of the customers, rising; a last share of 1 is the promotion.
        step_days: How long each share is kept at least.
        least_days: No promotion before these: a week has all its days.
        horizon_days: After these the experiment is over, whatever was seen.
        planned_information: Requests times ``share · (1 − share)``, summed over the horizon; the
            intervals are sharpest there (`payoff.learn.experiments.sizing` gives it).
        minimum_gain: Gain a request that is worth the trouble; where less is sure, it is over.
        confidence: Of the intervals, at all looks together.
        maturity_days: Requests younger than this are not counted yet.
        guardrails: What stops it by itself, whatever it earns.
        hold_back: Who stays with the control for a time after a promotion; None for nobody.
        salt: Shares the customers out in another way.

    Raises:
        ServiceError: PF730 where a rule cannot be used; `Problems` where there are several.

    Example:
        >>> experiment = Experiment(
        ...     name="new-head", model="support", control="a" * 64, treatment="b" * 64,
        ...     currency="USD", low=-25.0, high=3.0, planned_information=2_000.0,
        ... )
        >>> Experiment.from_dict(experiment.as_dict()) == experiment
        True
    """

    name: str
    model: str
    control: str
    treatment: str
    currency: str
    low: float
    high: float
    planned_information: float
    mode: Mode = Mode.LIVE
    ramp: tuple[float, ...] = RAMP
    step_days: float = 1.0
    least_days: float = 7.0
    horizon_days: float = 28.0
    minimum_gain: float = 0.0
    confidence: float = 0.95
    maturity_days: float = 0.0
    guardrails: Guardrails = field(default_factory=Guardrails)
    hold_back: HoldBack | None = None
    salt: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "mode", _mode(self.mode))
        object.__setattr__(self, "ramp", tuple(float(share) for share in self.ramp))
        problems: list[PayoffError] = [
            _wrong(key, expected) for key, right, expected in self._checks() if not right
        ]
        try:
            Money.of(0, self.currency)
        except PayoffError as error:
            problems.append(error)
        raise_all(problems)

    def _checks(self) -> list[tuple[str, bool, str]]:
        rising = all(a < b for a, b in zip(self.ramp, self.ramp[1:], strict=False))
        return [
            ("name", bool(_NAME.fullmatch(self.name)), "1 to 100 letters, digits, . _ or -"),
            ("model", bool(self.model), "the model's name"),
            ("treatment", self.control != self.treatment, "another artifact than the control"),
            ("low", self.low < self.high, "less than high"),
            (
                "ramp",
                bool(self.ramp) and rising and 0 < self.ramp[0] < 1 and self.ramp[-1] <= 1,
                "rising shares above 0, at most 1, the first below 1",
            ),
            ("planned_information", self.planned_information > 0, "a number above 0"),
            ("step_days", self.step_days > 0, "a number above 0"),
            ("least_days", self.least_days >= 0, "0 or more"),
            ("horizon_days", self.horizon_days >= self.least_days, "least_days or more"),
            ("minimum_gain", self.minimum_gain >= 0, "0 or more"),
            ("confidence", 0.5 <= self.confidence < 1, "0.5 or more, below 1"),
            ("maturity_days", self.maturity_days >= 0, "0 or more"),
        ]

    @property
    def is_hold_back(self) -> bool:
        """Whether it follows a promotion."""
        return self.mode is Mode.HOLD_BACK

    @property
    def serving(self) -> str:
        """SHA-256 of the arm that decides where no experiment says otherwise."""
        return self.treatment if self.is_hold_back else self.control

    @property
    def beside(self) -> str:
        """SHA-256 of the other arm."""
        return self.control if self.is_hold_back else self.treatment

    @property
    def first_share(self) -> float:
        """The share it starts with: nobody in the shadow, half in a bandit's hands."""
        if self.mode is Mode.SHADOW:
            return 0.0
        return 0.5 if self.mode is Mode.BANDIT else self.ramp[0]

    def next_share(self, share: float) -> float | None:
        """The next step of the ramp below 1; None where there is none left.

        Example:
            >>> from payoff.learn.experiments.course import EXAMPLE
            >>> EXAMPLE.experiment.next_share(0.05), EXAMPLE.experiment.next_share(0.5)
            (0.25, None)
        """
        return next((step for step in self.ramp if share < step < 1.0), None)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as the journal keeps them; `from_dict` gives the same experiment back."""
        return asdict(self) | {"mode": self.mode.value, "ramp": list(self.ramp)}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Experiment:
        """The inverse of `as_dict`.

        Raises:
            ServiceError: PF730 where a rule is missing, unknown or wrong.
        """
        known = [one.name for one in fields(cls)]
        for key in document:
            if key not in known:
                raise ServiceError(
                    "PF730",
                    "experiment",
                    f"key '{key}' is unknown",
                    mend=did_you_mean(str(key), known) or "Upgrade payoff.",
                )
        rules = dict(document)
        try:
            rules["guardrails"] = Guardrails(**rules.get("guardrails", {}))
            held = rules.get("hold_back")
            rules["hold_back"] = None if held is None else HoldBack(**held)
            return cls(**rules)
        except TypeError as error:
            raise ServiceError("PF730", "experiment", str(error)) from error


def _mode(value: str) -> Mode:
    try:
        return Mode(value)
    except ValueError as error:
        known = [mode.value for mode in Mode]
        raise ServiceError(
            "PF730",
            "experiment [mode]",
            f"'{value}' is none",
            expected=", ".join(known),
            mend=did_you_mean(str(value), known),
        ) from error


def _wrong(key: str, expected: str) -> ServiceError:
    return ServiceError("PF730", f"experiment [{key}]", "it cannot be used", expected=expected)
