"""The price book: dated prices to look up, extend and check."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from payoff.core.errors import EconomicsError, PayoffError, raise_all
from payoff.core.findings import Finding, Status
from payoff.economics.prices.currencies import CURRENCIES
from payoff.economics.prices.price import UNITS, Price, PriceKey
from payoff.economics.prices.price_file import read_prices, write_prices

_EXAMPLES_PER_FINDING = 5
_NAMES_PER_MESSAGE = 6


@dataclass(frozen=True, slots=True)
class PriceBook:
    """Price facts with their history; nothing in it is ever overwritten.

    Several facts of one thing with different days are its history: the newest at or before
    the day asked for holds, so that a past run reproduces its money.

    Args:
        prices: The facts, in any order. Facts told twice are kept once.

    Raises:
        EconomicsError: PF606 where two facts of one thing and one day differ in price.

    Example:
        >>> book = PriceBook.builtin()
        >>> lambda_ = book.get(kind="serverless_request", provider="aws")
        >>> lambda_.money * 1_000_000
        Money(0.2000000 USD)
    """

    prices: tuple[Price, ...] = ()
    _found: dict[Any, list[Price]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _fingerprint: list[str] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "prices", _merged(self.prices))

    def __iter__(self) -> Iterator[Price]:
        return iter(self.prices)

    def __len__(self) -> int:
        return len(self.prices)

    @classmethod
    def builtin(cls) -> PriceBook:
        """The facts that come with payoff: the CSV files beside this module."""
        return _builtin()

    @classmethod
    def from_csv(cls, path: Path | str) -> PriceBook:
        """Read a price file of your own.

        Columns are those of the built-in files (`price.COLUMNS`), in any order; only
        `price.REQUIRED_COLUMNS` must be there. Add it to the built-in book with
        ``PriceBook.builtin().with_prices(PriceBook.from_csv("prices.csv"))``.

        Raises:
            EconomicsError: PF602, PF603 or PF604 with file and line; `Problems` where
                several lines are wrong, PF606 where two lines contradict each other.
        """
        name = Path(path).name
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise EconomicsError(
                "PF602",
                name,
                f"it cannot be read ({error.__class__.__name__})",
                expected="a CSV file in UTF-8",
                mend="Check the path; it is taken relative to where you stand.",
            ) from error
        return cls(tuple(read_prices(text, name)))

    def with_prices(self, prices: Iterable[Price]) -> PriceBook:
        """A book with more facts; this one stays as it is.

        Raises:
            EconomicsError: PF606 where a fact contradicts one of the same day.

        Example:
            >>> old = PriceBook.builtin().get(kind="instance", provider="hetzner", item="cx33")
            >>> from dataclasses import replace
            >>> PriceBook((old,)).with_prices([replace(old, price=old.price + 1)])
            Traceback (most recent call last):
            ...
            payoff.core.errors.EconomicsError: PF606 hetzner cloud cx33 eu (EUR/month): \
8.49 and 9.49 are both given for 2026-09-24. History is appended, never overwritten: give the \
new price its own day.
        """
        return PriceBook((*self.prices, *prices))

    def times(self, factor: Decimal) -> PriceBook:
        """The book with every price so many times as high.

        Example:
            >>> book = PriceBook.builtin()
            >>> asked = {"kind": "instance", "provider": "hetzner", "item": "cx33"}
            >>> book.times(Decimal(2)).get(**asked).price / book.get(**asked).price
            Decimal('2')
        """
        return PriceBook(tuple(replace(one, price=one.price * factor) for one in self.prices))

    def find(
        self,
        *,
        kind: str | None = None,
        provider: str | None = None,
        service: str | None = None,
        item: str | None = None,
        region: str | None = None,
        unit: str | None = None,
        currency: str | None = None,
        commitment: str | None = "on_demand",
        on: date | None = None,
    ) -> list[Price]:
        """The prices that hold on a day, one for each thing that matches.

        Args:
            kind: What it is for; any of these is ignored where it is ``None``.
            provider: Who sells it.
            service: The provider's service.
            item: What is sold.
            region: The provider's region.
            unit: What one price buys.
            currency: Currency of the price.
            commitment: How firmly it is bought.
            on: The day; the newest fact of each thing where it is ``None``.

        Returns:
            Prices ordered by provider, service, kind, item and region; empty where none is.
        """
        asked = _asked(
            kind=kind,
            provider=provider,
            service=service,
            item=item,
            region=region,
            unit=unit,
            currency=currency,
            commitment=commitment,
        )
        key = (*asked.items(), on)
        if key not in self._found:  # hosting asks the same of every plan, a hundred times each
            self._found[key] = _newest(_matching(self.prices, asked), on)
        return list(self._found[key])

    def get(
        self,
        *,
        kind: str,
        provider: str | None = None,
        service: str | None = None,
        item: str | None = None,
        region: str | None = None,
        unit: str | None = None,
        currency: str | None = None,
        commitment: str = "on_demand",
        on: date | None = None,
    ) -> Price:
        """The one price that matches; arguments as for `find`.

        Raises:
            EconomicsError: PF601 where none matches, with what is near, or where several do.
        """
        asked = _asked(
            kind=kind,
            provider=provider,
            service=service,
            item=item,
            region=region,
            unit=unit,
            currency=currency,
            commitment=commitment,
        )
        matching = _matching(self.prices, asked)
        found = _newest(matching, on)
        if len(found) == 1:
            return found[0]
        where = "price book, " + " ".join(asked.values())
        if found:
            raise EconomicsError(
                "PF601",
                where,
                f"{len(found)} prices match: " + _listed([price.label for price in found]),
                expected="one",
                mend="Narrow it by provider, item, region, unit or currency.",
            )
        raise EconomicsError("PF601", where, self._nothing(asked, matching, on=on))

    def _nothing(self, asked: dict[str, str], matching: list[Price], *, on: date | None) -> str:
        """Why nothing was found, with what would be."""
        if matching and on is not None:
            first = min(price.as_of for price in matching)
            return f"no price is known on {on}; the first is of {first}"
        for name in ("item", "region", "provider", "service", "unit", "currency", "commitment"):
            if name not in asked:
                continue
            others = {key: value for key, value in asked.items() if key != name}
            known = sorted({str(getattr(p, name)) for p in _matching(self.prices, others)})
            if known:
                near = difflib.get_close_matches(asked[name], known, n=_NAMES_PER_MESSAGE)
                told = _listed([f"'{value}'" for value in near or known])
                kind = "near" if near else "there are"
                return f"no price has {name} '{asked[name]}'; {kind}: {told}"
        return f"there is none among {len(self.prices)} prices"

    @property
    def providers(self) -> tuple[str, ...]:
        """Names of the providers that have a price, sorted."""
        return tuple(sorted({price.provider for price in self.prices}))

    def check(self, today: date, max_age_days: int = 180) -> list[Finding]:
        """Look for prices that are old or incomplete.

        Only the prices that hold today are judged for their age: history is old by nature.

        Args:
            today: The day of the check.
            max_age_days: Age in days from which a price counts as stale.
        """
        current = _newest(list(self.prices), today)
        return [
            _finding(
                "PF608",
                f"No price in force is older than {max_age_days} days",
                current,
                bad=lambda price: (today - price.as_of).days > max_age_days,
                mend="Read the provider's page, and append a row with the new day.",
            ),
            _finding(
                "PF609",
                "Every price names its source",
                self.prices,
                bad=lambda price: not price.source,
                mend="Write where the price was read into the column source.",
            ),
            _finding(
                "PF609",
                "Every price's source shows a date",
                current,
                bad=lambda price: not price.date_known,
                mend="Find a dated source; until then the day of reading stands for it.",
            ),
            _finding(
                "PF609",
                "Every unit is known",
                self.prices,
                bad=lambda price: price.unit not in UNITS,
                mend="Use one of " + ", ".join(UNITS) + ".",
            ),
            _finding(
                "PF609",
                "Every currency is in ISO 4217",
                self.prices,
                bad=lambda price: price.currency not in CURRENCIES,
                mend="Write the three-letter code of a currency in use.",
            ),
        ]

    def fingerprint(self) -> str:
        """SHA-256 of all facts, the same for the same facts in any order."""
        if not self._fingerprint:
            digest = hashlib.sha256()
            for price in self.prices:
                digest.update("\x1f".join(price.as_dict().values()).encode())
                digest.update(b"\x1e")
            self._fingerprint.append(digest.hexdigest())
        return self._fingerprint[0]

    def to_csv(self) -> str:
        """All facts as the text of a price file that `from_csv` reads."""
        return write_prices(self.prices)


@lru_cache(maxsize=1)
def _builtin() -> PriceBook:
    prices: list[Price] = []
    folder = resources.files("payoff.economics.prices") / "data"
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".csv"):
            prices += read_prices(file.read_text(encoding="utf-8"), file.name)
    return PriceBook(tuple(prices))


def _merged(prices: Iterable[Price]) -> tuple[Price, ...]:
    """Facts in order of key and day, each once."""
    facts: dict[tuple[PriceKey, date], Price] = {}
    problems: list[PayoffError] = []
    for price in prices:
        known = facts.setdefault((price.key, price.as_of), price)
        if known.price != price.price:
            problems.append(
                EconomicsError(
                    "PF606",
                    price.label,
                    f"{known.price} and {price.price} are both given for {price.as_of}",
                    mend="History is appended, never overwritten: give the new price its own day.",
                )
            )
    raise_all(problems)
    return tuple(facts[fact] for fact in sorted(facts))


def _asked(**wanted: str | None) -> dict[str, str]:
    return {name: value for name, value in wanted.items() if value is not None}


def _matching(prices: Iterable[Price], asked: dict[str, str]) -> list[Price]:
    return [
        price
        for price in prices
        if all(getattr(price, name) == value for name, value in asked.items())
    ]


def _newest(prices: list[Price], on: date | None) -> list[Price]:
    """Of each key the newest fact at or before a day; the facts come in order of day."""
    newest = {price.key: price for price in prices if on is None or price.as_of <= on}
    return list(newest.values())


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:_NAMES_PER_MESSAGE])
    more = len(names) - _NAMES_PER_MESSAGE
    return f"{shown} and {more} more" if more > 0 else shown


def _finding(
    code: str,
    title: str,
    prices: Iterable[Price],
    *,
    bad: Callable[[Price], bool],
    mend: str,
) -> Finding:
    judged = list(prices)
    failed = [price for price in judged if bad(price)]
    if not judged:
        return Finding(code, title, Status.NOT_APPLICABLE, "The book holds no price.")
    if not failed:
        return Finding(code, title, Status.PASSED, f"{len(judged)} prices.")
    oldest = sorted(failed, key=lambda price: (price.as_of, price.key))
    return Finding(
        code,
        title,
        Status.FAILED,
        f"{len(failed)} of {len(judged)} prices, the oldest of {oldest[0].as_of}.",
        mend,
        rows=tuple(
            {"price": price.label, "as_of": price.as_of.isoformat(), "source": price.source}
            for price in oldest[:_EXAMPLES_PER_FINDING]
        ),
        n_affected=len(failed),
    )
