"""Worth of labels: what more of them earn over the horizon, and how many to buy at a price."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError
from payoff.core.findings import Finding, Status
from payoff.core.money import Money, format_money
from payoff.economics.labels.label_curve import LabelCurve
from payoff.economics.uncertain_money import UncertainMoney

_N_LINE: Final = 25
_MORE: Final = (1.25, 1.5, 2.0, 4.0)
_HALVINGS: Final = 60


@dataclass(frozen=True, eq=False, slots=True)
class Purchase:
    """How many more labels to buy at a price.

    Args:
        labels: How many; 0 where the next one is not worth its price.
        low: 5 % of the equally probable curves ask for no more than this.
        high: And 95 % for no more than this.
        at_limit: Whether more may pay, but the curve may not be read further.
        price: Of one label.
        gain: What they bring over the horizon, before their price.

    Example:
        >>> gain = UncertainMoney(np.array([50.0]), "EUR")
        >>> Purchase(100, 80, 130, False, Money.of(0.2, "EUR"), gain).net.mean
        Money(30.0 EUR)
    """

    labels: int
    low: int
    high: int
    at_limit: bool
    price: Money
    gain: UncertainMoney

    @property
    def cost(self) -> Money:
        """What they cost."""
        return self.price * self.labels

    @property
    def net(self) -> UncertainMoney:
        """What they bring over the horizon, less what they cost."""
        return UncertainMoney(self.gain.samples - float(self.cost), self.gain.currency)


@dataclass(frozen=True, eq=False)
class LabelWorth:
    """What more labels are worth over the horizon.

    Only the worth of decisions counts: that a longer training takes more machine time does not.
    Labels are taken to be there from the first day, and to be drawn as those at hand were.

    Args:
        curve: Worth of a request over the number of labels.
        requests: Requests over the horizon in each world, ``(n_worlds,)``.
        currency: Of the curve.
        n_now: Labels that the model at hand learns from.
        price: What one label costs; None where nobody said.

    Raises:
        EconomicsError: PF624 where there is no request, or no label at hand.

    Example:
        >>> one = np.ones(1)
        >>> curve = LabelCurve(np.array([400]), one, one, 3 * one, 20 * one, 0.5 * one)
        >>> worth = LabelWorth(curve, np.array([1000.0]), "USD", 400, Money.of(0.5, "USD"))
        >>> print(worth.next_label)  # 1000 · 20 · 0.5 · 400^-1.5
        1.25 USD (5–95 %: 1.25 to 1.25 USD)
        >>> worth.purchase.labels  # until 1000 · 10 · n^-1.5 = 0.5, at n = 736.8
        336
    """

    curve: LabelCurve
    requests: NDArray[np.float64]
    currency: str
    n_now: int
    price: Money | None = None

    def __post_init__(self) -> None:
        counted = self.requests.ndim == 1 and len(self.requests) and (self.requests > 0).all()
        if not counted or self.n_now < 1:
            raise EconomicsError(
                "PF624",
                "worth of labels",
                f"{self.n_now} labels at hand, requests of the shape {self.requests.shape}",
                expected="at least one label, and requests above 0 in every world",
            )

    @property
    def doubt(self) -> str:
        """Why nothing can be said; empty where something can."""
        if self.curve.doubt:
            return self.curve.doubt
        if self.n_now > self.furthest:
            return (
                f"the model learns from {self.n_now} labels, and the curve was measured up to "
                f"{self.curve.sizes[-1]}"
            )
        return ""

    @property
    def furthest(self) -> int:
        """The largest number of labels that something is said of."""
        return self.curve.furthest

    @property
    def next_label(self) -> UncertainMoney:
        """What the next label brings over the horizon.

        Raises:
            EconomicsError: PF625 where nothing can be told, as of all that follows.
        """
        return self._money(self.curve.slope(self.n_now))

    def gain(self, n: float) -> UncertainMoney:
        """What ``n`` labels bring over the horizon, beyond those at hand.

        Raises:
            EconomicsError: PF625 where nothing can be told, or not so far.
        """
        if n > self.furthest:
            raise EconomicsError(
                "PF625",
                f"worth of {n:g} labels",
                f"the curve was measured up to {self.curve.sizes[-1]} labels",
                expected=f"at most {self.furthest} labels",
            )
        self._told()
        return self._money(self.curve.at(n) - self.curve.at(self.n_now))

    @property
    def purchase(self) -> Purchase | None:
        """How many more labels to buy; None where no price was stated.

        As long as the expected worth of the next label over the horizon is above its price.

        Raises:
            EconomicsError: PF625 where nothing can be told.
        """
        self._told()
        if self.price is None:
            return None
        price = float(self.price)
        if self.price.currency != self.currency:
            raise EconomicsError(
                "PF605", "price of a label", f"it is in {self.price.currency}, not {self.currency}"
            )
        last = float(self.furthest)
        until = _last_above(lambda n: self._marginal(n) - price, self.n_now, last)
        each = self._each_until(price)
        low, high = np.quantile(np.clip(each, self.n_now, last), (0.05, 0.95)) - self.n_now
        n = int(until) - self.n_now
        return Purchase(
            n, int(low), int(high), until >= last, self.price, self.gain(self.n_now + n)
        )

    def _each_until(self, price: float) -> NDArray[np.float64]:
        """Up to how many labels each curve asks for: the root of ``R b c n^(−c−1) = price``."""
        steep = self._requests * self.curve.scale * self.curve.exponent
        if price <= 0:
            return np.where(steep > 0, np.inf, 0.0)
        return np.asarray((steep / price) ** (1.0 / (self.curve.exponent + 1.0)))

    def _marginal(self, n: float) -> float:
        return float((self._requests * self.curve.slope(n)).mean())

    @property
    def _requests(self) -> NDArray[np.float64]:
        """Requests beside each curve; curves come in random order, so that any pairing will do."""
        return np.resize(self.requests, len(self.curve))

    def _money(self, each: NDArray[np.float64]) -> UncertainMoney:
        self._told()
        return UncertainMoney(self._requests * each, self.currency)

    def _told(self) -> None:
        if self.doubt:
            raise EconomicsError("PF625", "worth of labels", f"cannot tell: {self.doubt}")

    @property
    def sentence(self) -> str:
        """What to do, in one sentence."""
        if self.doubt:
            return f"Whether more labels would pay cannot be told: {self.doubt}."
        low, high = self.next_label.interval(0.9)
        ends = f"{format_money(float(low), self.currency).split()[0]} to {high}"
        worth = f"{self.next_label.mean} over the horizon (5 to 95 %: {ends})"
        purchase = self.purchase
        if purchase is None:
            return f"Buy labels that cost less than the next one is worth: {worth}."
        if not purchase.labels:
            return f"Buy no labels at {purchase.price} each: the next is worth {worth}."
        more = f"{purchase.labels:,} more labels at {purchase.price} each"
        net = purchase.net
        low, high = net.interval(0.9)
        ends = f"{format_money(float(low), self.currency).split()[0]} to {high}"
        gain = f"over the horizon they bring {net.mean} beyond their cost (5 to 95 %: {ends})"
        if purchase.at_limit:
            return f"Buy {more} and measure again, since more may still pay: {gain}."
        return f"Buy {more}: {gain}."

    @property
    def finding(self) -> Finding:
        """Whether it can be said what a label is worth, and what."""
        return Finding(
            "PF623",
            "What the next label is worth can be told",
            Status.NOT_CHECKED if self.doubt else Status.PASSED,
            self.doubt or self.sentence,
            mend="More rows to judge by, or more minutes, would tell." if self.doubt else "",
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; money over the horizon."""
        told: dict[str, Any] = {
            "sentence": self.sentence,
            "doubt": self.doubt,
            "currency": self.currency,
            "labels_now": self.n_now,
            "furthest": self.furthest,
            "price_each": None if self.price is None else float(self.price),
            "next_label": None,
            "purchase": None,
            "more": [],
        }
        if self.doubt:
            return told | {"curve": self.curve.as_dict()}
        line = np.geomspace(self.curve.sizes[0], self.furthest, _N_LINE)
        told["next_label"] = _plain(self.next_label)
        told["more"] = [
            {"labels": round(times * self.n_now) - self.n_now}
            | {"gain": _plain(self.gain(round(times * self.n_now)))}
            for times in _MORE
            if round(times * self.n_now) <= self.furthest
        ]
        if purchase := self.purchase:
            told["purchase"] = {
                "labels": purchase.labels,
                "low": purchase.low,
                "high": purchase.high,
                "at_limit": purchase.at_limit,
                "cost": float(purchase.cost),
                "gain": _plain(purchase.gain),
                "net": _plain(purchase.net),
            }
        return told | {"curve": self.curve.as_dict(line.tolist())}


def _last_above(excess: Callable[[float], float], first: float, last: float) -> float:
    """Where a falling function crosses 0, within bounds; found from below."""
    if excess(first) <= 0:
        return first
    if excess(last) >= 0:
        return last
    for _ in range(_HALVINGS):
        middle = 0.5 * (first + last)
        first, last = (middle, last) if excess(middle) > 0 else (first, middle)
    return first


def _plain(amount: UncertainMoney) -> dict[str, float]:
    low, high = amount.interval(0.9)
    return {"mean": float(amount.mean), "low": float(low), "high": float(high)}
