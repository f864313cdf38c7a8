"""UncertainMoney: an amount as a distribution over possible worlds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError
from payoff.core.money import Money, format_money

QUANTILES: Final = (0.01, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99)
"""The quantiles by which samples are summarised on disk."""

_LOW, _HIGH = 0.05, 0.95
_MANY, _FEW = 20_000, 2_000


def ends(samples: NDArray[np.floating[Any]]) -> tuple[float, float]:
    """5 % and 95 % quantile, as `numpy.quantile` gives them; several times as fast for many.

    Of many samples each is looked for in its own tail, which a few of them tell from the rest.
    Where these mislead, and of few samples, the second is looked for among what the first left
    above it.

    Args:
        samples: Amounts, shape ``(n_worlds,)``.

    Example:
        >>> [round(end, 9) for end in ends(np.arange(101.0))]
        [5.0, 95.0]
    """
    if len(samples) >= _MANY:
        few = np.sort(samples[:: len(samples) // _FEW])
        low, high = _lower_end(samples, few), _upper_end(samples, few)
        if low is not None and high is not None:
            return low, high
    parted = samples.copy()
    return _quantile(parted, _LOW), _quantile(parted, _HIGH, parted_at=_place(parted, _LOW)[0])


def ends_alike(rows: NDArray[np.floating[Any]]) -> list[tuple[float, float]]:
    """`ends` of several amounts that put the worlds into nearly the same order.

    The worlds at either end of one of them are looked at first in the others. Where another world
    has come among them, which counting tells, all worlds are looked at.

    Args:
        rows: Amounts, shape ``(n, n_worlds)``.

    Example:
        >>> rows = np.outer([1, 2], np.arange(101.0))
        >>> [[round(end, 9) for end in told] for told in ends_alike(rows)]
        [[5.0, 95.0], [10.0, 190.0]]
    """
    if not len(rows) or rows.shape[1] < _MANY:
        return [ends(row) for row in rows]
    middle = rows[len(rows) // 2]
    few = np.sort(middle[:: len(middle) // _FEW])
    lowest = np.flatnonzero(middle <= few[3 * len(few) // 20])
    highest = np.flatnonzero(middle >= few[17 * len(few) // 20])
    told = []
    for row in rows:
        low, high = _end_among(row, lowest, upper=False), _end_among(row, highest, upper=True)
        told.append(ends(row) if low is None or high is None else (low, high))
    return told


def _end_among(
    row: NDArray[np.floating[Any]], places: NDArray[np.intp], *, upper: bool
) -> float | None:
    """The end of a row if it lies among some of its places, and None where it does not."""
    among = row[places]
    below, way = _place(row, _HIGH if upper else _LOW)
    below -= (len(row) - len(places)) if upper else 0
    if below < 0 or below + 1 >= len(among):
        return None
    end = _between(among, below, way)
    if upper:
        first = among[below]
        return end if np.count_nonzero(row >= first) == np.count_nonzero(among >= first) else None
    above = among[below + 1 :].min()
    return end if np.count_nonzero(row <= above) == np.count_nonzero(among <= above) else None


def _margin(few: NDArray[np.floating[Any]]) -> int:
    """By how many places a quantile of a few may be off: four standard deviations, and two."""
    return int(4.0 * (len(few) * _LOW * _HIGH) ** 0.5) + 2


def _lower_end(samples: NDArray[np.floating[Any]], few: NDArray[np.floating[Any]]) -> float | None:
    tail = samples[samples <= few[int(len(few) * _LOW) + _margin(few)]]
    below, way = _place(samples, _LOW)
    return _between(tail, below, way) if len(tail) > below + 1 else None


def _upper_end(samples: NDArray[np.floating[Any]], few: NDArray[np.floating[Any]]) -> float | None:
    tail = samples[samples >= few[int(len(few) * _HIGH) - _margin(few)]]
    below, way = _place(samples, _HIGH)
    below -= len(samples) - len(tail)
    return _between(tail, below, way) if below >= 0 else None


def _place(samples: NDArray[np.floating[Any]], share: float) -> tuple[int, float]:
    """Samples below a quantile, and how far it lies from that one to the next."""
    place = (len(samples) - 1) * share
    return int(place), place - int(place)


def _quantile(parted: NDArray[np.floating[Any]], share: float, parted_at: int = 0) -> float:
    """A quantile of what is parted at a lower place already; parts it at this one, in place."""
    below, way = _place(parted, share)
    return _between(parted[parted_at:], below - parted_at, way)


def _between(rest: NDArray[np.floating[Any]], below: int, way: float) -> float:
    """Part of the way from one place to the next, once they are sorted; parts them in place."""
    rest.partition(below)
    first, above = float(rest[below]), rest[below + 1 :]
    return first + (float(above.min(initial=np.inf)) - first) * way if way else first


@dataclass(frozen=True, eq=False, slots=True)
class UncertainMoney:
    """One amount in each of ``n_worlds`` equally probable worlds.

    World ``w`` is the same world in every amount drawn from the same `Worlds`, so that a
    difference of two amounts is paired.

    Args:
        samples: Amounts, shape ``(n_worlds,)``.
        currency: ISO 4217 code.

    Raises:
        EconomicsError: PF610 where the currency is no code, there is no sample, or one is not
            finite.

    Example:
        >>> profit = UncertainMoney(np.arange(101.0) * 100, "USD")
        >>> print(profit)
        5,000 USD (5–95 %: 500.00 to 9,500 USD)
        >>> profit.interval(0.5)
        (Money(2500.0 USD), Money(7500.0 USD))
    """

    samples: NDArray[np.float64]
    currency: str

    def __post_init__(self) -> None:
        Money.of(0, self.currency)
        if self.samples.ndim != 1 or not len(self.samples) or not np.isfinite(self.samples).all():
            raise EconomicsError(
                "PF610",
                "samples",
                f"they have the shape {self.samples.shape}, or are not all finite",
                expected="one finite amount per world",
            )

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def mean(self) -> Money:
        """Mean over the worlds."""
        return Money.of(float(self.samples.mean()), self.currency)

    def quantile(self, share: float) -> Money:
        """The amount below which that share of the worlds lies."""
        return Money.of(float(np.quantile(self.samples, share)), self.currency)

    def interval(self, level: float = 0.9) -> tuple[Money, Money]:
        """The middle ``level`` of the worlds: from 5 % to 95 % for 0.9."""
        tail = round((1.0 - level) / 2.0, 12)
        return self.quantile(tail), self.quantile(1.0 - tail)

    def probability_below(self, amount: float = 0.0) -> float:
        """Share of the worlds with less than that.

        Example:
            >>> UncertainMoney(np.array([-1.0, 2.0, 3.0, 4.0]), "EUR").probability_below()
            0.25
        """
        return float(np.mean(self.samples < amount))

    def tail_mean(self, share: float = 0.05) -> Money:
        """Mean of the worst ``share`` of the worlds, at least of one: what a bad year looks like.

        Source: Rockafellar and Uryasev 2000, "Optimization of conditional value-at-risk",
        Journal of Risk 2(3); with the sign of profit, not of loss.

        Example:
            >>> UncertainMoney(np.array([-10.0, 0.0, 5.0, 9.0]), "EUR").tail_mean(0.5)
            Money(-5.0 EUR)
        """
        n_worst = max(1, round(share * len(self.samples)))
        worst = np.partition(self.samples, n_worst - 1)[:n_worst]
        return Money.of(float(worst.mean()), self.currency)

    def risk_adjusted(self, aversion: float = 0.0) -> Money:
        """``mean − λ · CVaR₅``: the mean, and λ times what the worst 5 % of the worlds bring.

        Args:
            aversion: λ; 0 gives the mean.

        Example:
            >>> profit = UncertainMoney(np.array([-10.0, 0.0, 5.0, 9.0]), "EUR")
            >>> profit.risk_adjusted(), profit.risk_adjusted(0.5)
            (Money(1.0 EUR), Money(-4.00 EUR))
        """
        return self.mean if aversion == 0 else self.mean + self.tail_mean(0.05) * aversion

    def __sub__(self, other: UncertainMoney) -> UncertainMoney:
        """Paired difference, world by world.

        Raises:
            EconomicsError: PF605 for another currency, PF615 for another number of worlds.
        """
        _ = self.mean - other.mean
        if len(self) != len(other):
            raise EconomicsError(
                "PF615", "difference", f"{len(self)} worlds are compared with {len(other)}"
            )
        return UncertainMoney(self.samples - other.samples, self.currency)

    def as_dict(self) -> dict[str, Any]:
        """Mean and quantiles as plain values; the samples themselves are not written."""
        amounts = np.quantile(self.samples, QUANTILES)
        return {
            "currency": self.currency,
            "mean": float(self.samples.mean()),
            "n_worlds": len(self.samples),
            "quantiles": {
                f"{share:.2f}": float(amount)
                for share, amount in zip(QUANTILES, amounts, strict=True)
            },
        }

    def __str__(self) -> str:
        low, high = self.interval(0.9)
        start = format_money(float(low), self.currency).rsplit(" ", 1)[0]
        return f"{self.mean} (5–95 %: {start} to {high})"
