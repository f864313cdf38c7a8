"""Own machine: a computer that the founder has or would buy, as a place to run a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from payoff.core.money import Money
from payoff.economics.hosting import Hosting
from payoff.economics.instance import owned
from payoff.economics.requirement import Requirement
from payoff.economics.stated import Stated

PROVIDER = "own"
"""Provider of what nobody rents out."""

_NOTE = "what goes in and out, and storage, are taken to be in hosting_per_month"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnMachine:
    """A machine of one's own: purchase over its life, power, and the place where it stands.

    It is taken to be as fast, processor for processor, as the machine that measured.

    Args:
        vcpu: Hardware threads.
        memory_gib: Memory in GiB.
        purchase: Price of one machine, in the plan's currency, as are all prices here.
        life_months: Months over which the purchase is spread.
        watts: Mean power drawn, at all hours.
        price_per_kwh: Price of electricity.
        hosting_per_month: Place, network and care of one machine.
        name: What it is called.

    Raises:
        ProjectError: PF203 where a figure is missing or out of range.

    Example:
        >>> box = OwnMachine(vcpu=2, memory_gib=8, purchase=360, life_months=36, watts=20,
        ...                  price_per_kwh=0.30, hosting_per_month=5)
        >>> need = Requirement(100.0, 5.0, 2e8, 9e7, 0.5, 4.0)
        >>> round(box.hosting(need, "EUR").cost_at(1000.0), 2)
        19.38
    """

    vcpu: float
    memory_gib: float
    purchase: float
    life_months: float
    watts: float
    price_per_kwh: float
    hosting_per_month: float = 0.0
    name: str = "own machine"

    def __post_init__(self) -> None:
        stated = Stated("payoff.toml [own_machine]")
        for key in ("vcpu", "memory_gib", "life_months"):
            stated.number(key, getattr(self, key), above=0)
        for key in ("purchase", "watts", "price_per_kwh", "hosting_per_month"):
            stated.number(key, getattr(self, key), at_least=0)
        if not self.name.strip():
            stated.wrong("'name' is empty", expected="what the machine is called")
        stated.raise_all()

    @classmethod
    def from_dict(cls, section: Mapping[str, Any]) -> OwnMachine:
        """From the section ``[own_machine]``; a figure that is missing is told as wrong."""
        named = {field.name for field in fields(cls)}
        needed = named - {"hosting_per_month", "name"}
        figures: dict[str, Any] = dict.fromkeys(needed) | dict(section)
        return cls(**figures)

    def as_dict(self) -> dict[str, Any]:
        """The section ``[own_machine]``."""
        return asdict(self)

    def hosting(self, need: Requirement, currency: str) -> Hosting:
        """What running a model on as many of them as it takes costs, or why it cannot.

        Args:
            need: What was measured of the model.
            currency: Currency of the prices.
        """
        offer = owned(
            replace(need, speed_ratio=None),  # that of the rented ones
            name=self.name,
            vcpu=self.vcpu,
            memory_gib=self.memory_gib,
            purchase=Money.of(self.purchase, currency),
            life_months=self.life_months,
            watts=self.watts,
            price_per_kwh=Money.of(self.price_per_kwh, currency),
            hosting_per_month=Money.of(self.hosting_per_month, currency),
        )
        return Hosting(
            offer.name,
            PROVIDER,
            offer.item,
            offer.region,
            currency=currency,
            charges=offer.charges,
            why_not=offer.why_not,
            notes=(*offer.notes, _NOTE),
        )
