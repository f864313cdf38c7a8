"""Costs: every line of a plan with its quantity, its price, and where both come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError
from payoff.core.money import Money
from payoff.economics.person import Person

if TYPE_CHECKING:
    from payoff.economics.hosting import Hosting


class Step(StrEnum):
    """The step of a plan that a cost belongs to."""

    PEOPLE = "people"
    INFERENCE = "inference"
    API = "api"
    TRANSFER = "transfer"
    STORAGE = "storage"
    TRAINING = "training"
    LABELS = "labels"
    BUILD = "build"


@dataclass(frozen=True, slots=True)
class CostLine:
    """One line of the bill: ``amount = quantity × unit_price``, exactly.

    Args:
        step: The step that it belongs to.
        what: What is paid for.
        quantity: How much of it, in ``unit``.
        unit: What one price buys.
        unit_price: Price of one unit.
        as_of: Day on which the price held; None where it is no market price.
        source: Where the price comes from.
        measured: Whether the quantity rests on measurements alone; False where a part is assumed.
        note: What was assumed, converted or left out.

    Raises:
        EconomicsError: PF604 where the quantity is negative or not finite.

    Example:
        >>> line = CostLine(Step.LABELS, "labels bought", 300, "label", Money.of("0.08", "USD"),
        ...                 as_of=None, source="stated", measured=True)
        >>> line.amount
        Money(24.00 USD)
    """

    step: Step
    what: str
    quantity: float
    unit: str
    unit_price: Money
    as_of: date | None = field(kw_only=True)
    source: str = field(kw_only=True)
    measured: bool = field(kw_only=True)
    note: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        _check_quantity(self.what, self.quantity)

    @property
    def amount(self) -> Money:
        """``quantity × unit_price``, not rounded."""
        return self.unit_price * self.quantity

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; prices and amounts as decimal text."""
        return {
            "step": self.step.value,
            "what": self.what,
            "quantity": self.quantity,
            "unit": self.unit,
            "unit_price": format(self.unit_price.amount, "f"),
            "amount": format(self.amount.amount, "f"),
            "currency": self.unit_price.currency,
            "as_of": None if self.as_of is None else self.as_of.isoformat(),
            "source": self.source,
            "measured": self.measured,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class PlanCosts:
    """All that a plan costs, except the worth of its answers.

    Args:
        once: Lines paid at the start. Those of the step training are paid again at every
            retraining and spread over the months until then; the others over the horizon.
        monthly: Lines of every month that do not depend on the number of requests.
        hosting: Where the model runs; None for a plan without a machine.
        person: Who answers what is handed over; None where wages are in the payoff already.
        per_request: Anything else that every request costs, in the forecast's currency.
        months_until_retraining: None where the plan is not retrained within the horizon.

    Raises:
        EconomicsError: PF604 where a figure is negative or not finite.

    Example:
        >>> label = CostLine(Step.LABELS, "labels", 120, "label", Money.of(1, "USD"), as_of=None,
        ...                  source="stated", measured=True)
        >>> PlanCosts(once=(label,)).fixed_per_month(12)
        {<Step.LABELS: 'labels'>: 10.0}
    """

    once: tuple[CostLine, ...] = ()
    monthly: tuple[CostLine, ...] = ()
    hosting: Hosting | None = None
    person: Person | None = field(default=None, kw_only=True)
    per_request: float = field(default=0.0, kw_only=True)
    months_until_retraining: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        _check_quantity("per_request", self.per_request)
        if self.months_until_retraining is not None and not self.months_until_retraining >= 1:
            raise EconomicsError(
                "PF604",
                "months_until_retraining",
                f"it is {self.months_until_retraining}",
                expected="a number of 1 or more",
            )

    def check_currency(self, currency: str) -> None:
        """Refuse lines of another currency.

        Raises:
            EconomicsError: PF605 where a line or the hosting is priced in another currency.
        """
        for line in (*self.once, *self.monthly):
            _ = line.unit_price + Money.of(0, currency)
        if self.hosting is not None:
            _ = Money.of(0, self.hosting.currency) + Money.of(0, currency)

    def fixed_per_month(self, horizon_months: int) -> dict[Step, float]:
        """Cost a month that does not depend on the requests, by step; what is paid once, spread."""
        fixed: dict[Step, float] = {}
        for line in self.monthly:
            fixed[line.step] = fixed.get(line.step, 0.0) + float(line.amount)
        for line in self.once:
            months = float(horizon_months)
            if line.step is Step.TRAINING and self.months_until_retraining is not None:
                months = self.months_until_retraining
            fixed[line.step] = fixed.get(line.step, 0.0) + float(line.amount) / months
        return fixed

    def paid_once(self, horizon_months: int) -> NDArray[np.float64]:
        """Cash paid at the start of each month for `once` lines, shape ``(horizon_months,)``."""
        cash = np.zeros(horizon_months)
        for line in self.once:
            months = [0]
            if line.step is Step.TRAINING and self.months_until_retraining is not None:
                every = self.months_until_retraining
                starts = np.arange(0.0, horizon_months, every)
                months = [int(start) for start in starts]
            for month in months:
                cash[month] += float(line.amount)
        return cash

    def per_month(self, requests: NDArray[np.float64]) -> NDArray[np.float64]:
        """Cost of a month with so many requests, without people and without what is paid once.

        Args:
            requests: Requests a month, any shape.

        Returns:
            Money, the same shape.
        """
        cost = self.per_request * requests + sum(float(line.amount) for line in self.monthly)
        if self.hosting is not None:
            cost = cost + self.hosting.cost_per_month(requests)
        return cost


def training_line(
    seconds: float,
    runs: int,
    *,
    machine: str,
    price_per_hour: Money,
    as_of: date | None,
    source: str,
    speed_ratio: float | None = None,
) -> CostLine:
    """Machine time for one training, search runs included.

    Args:
        seconds: Measured seconds of one run on this machine.
        runs: Runs of the search, the last one included.
        machine: The priced machine, as people name it.
        price_per_hour: Its rent.
        as_of: Day of the price.
        source: Where the price comes from.
        speed_ratio: How many times faster the priced machine is than this one; None assumes 1.

    Raises:
        EconomicsError: PF604 where a figure is negative, or the ratio not above 0.

    Example:
        >>> training_line(1800, 4, machine="c7i.large", price_per_hour=Money.of("0.10", "USD"),
        ...               as_of=None, source="stated").amount
        Money(0.200 USD)
    """
    _check_quantity("training seconds", seconds)
    _check_quantity("training runs", runs)
    ratio = 1.0 if speed_ratio is None else speed_ratio
    if not ratio > 0:
        raise EconomicsError("PF604", "speed_ratio", f"it is {ratio}", expected="above 0")
    return CostLine(
        Step.TRAINING,
        f"{runs} {'run' if runs == 1 else 'runs'} of {seconds:,.0f} s on {machine}",
        seconds * runs / ratio / 3600.0,
        "hour",
        price_per_hour,
        as_of=as_of,
        source=source,
        measured=speed_ratio is not None,
        note="" if speed_ratio is not None else "assumed: as fast as the machine measured on",
    )


def labels_line(n_labels: int, price_each: Money, *, source: str = "stated") -> CostLine:
    """Labels to be bought.

    Example:
        >>> labels_line(500, Money.of("0.10", "USD")).amount
        Money(50.00 USD)
    """
    return CostLine(
        Step.LABELS,
        "labels",
        n_labels,
        "label",
        price_each,
        as_of=None,
        source=source,
        measured=True,
    )


def build_line(hours: float, wage_per_hour: Money, *, source: str = "stated") -> CostLine:
    """People's hours to build and to introduce the plan, once.

    Example:
        >>> build_line(8, Money.of(50, "EUR")).amount
        Money(400 EUR)
    """
    return CostLine(
        Step.BUILD,
        "people's hours to build",
        hours,
        "hour",
        wage_per_hour,
        as_of=None,
        source=source,
        measured=False,
        note="stated, not measured",
    )


def _check_quantity(what: str, quantity: float) -> None:
    if not (np.isfinite(quantity) and quantity >= 0):
        raise EconomicsError("PF604", what, f"its quantity is {quantity}", expected="0 or more")
