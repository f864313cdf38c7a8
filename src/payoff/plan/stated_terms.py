"""Stated terms: the sections of ``payoff.toml`` that say what the business is like."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from payoff.core.errors import (
    EconomicsError,
    PayoffError,
    Problems,
    ProjectError,
    did_you_mean,
    raise_all,
)
from payoff.economics.build_work import BuildWork
from payoff.economics.floor import floors_of
from payoff.economics.own_machine import OwnMachine
from payoff.economics.payoff import Payoff
from payoff.economics.person import Person
from payoff.economics.prices.book import PriceBook
from payoff.economics.prices.currencies import CURRENCIES
from payoff.economics.prices.exchange import ExchangeRates
from payoff.economics.prices.price import Price
from payoff.economics.stated import Stated
from payoff.economics.traffic import Traffic
from payoff.plan.terms import Terms

FILE = "payoff.toml"

_RANGES: dict[str, dict[str, dict[str, Any]]] = {
    "search": {
        "minutes": {"above": 0},
        "seed": {"at_least": 0, "at_most": 2**32 - 1},
        "horizon_months": {"at_least": 1, "at_most": 1200},
        "months_until_retraining": {"at_least": 1},
        "risk_aversion": {"at_least": 0},
        "hour_of_waiting": {"at_least": 0},
    },
    "labels": {"price_each": {"at_least": 0}},
    "llm": {"accuracy": {"at_least": 0, "at_most": 1}},
    "hosting": {
        "latency_limit_ms": {"above": 0},
        "speed_ratio": {"above": 0},
        "retention_months": {"at_least": 0},
    },
}
"""What no other room checks; TOML also has nan and inf."""

_RARE = "Give a small share to a label that hardly ever comes."
_MIX_TOLERANCE = 0.01
"""Shares are written down rounded, such as 0.33 three times."""


def terms_of(content: Mapping[str, Any], folder: Path) -> Terms:
    """The terms that the sections of a project file state.

    Args:
        content: The sections, their keys and types being right (`section_problems`).
        folder: Where the file lies, for the paths in it.

    Raises:
        ProjectError: PF202 or PF203; `EconomicsError` for currencies and rates; `Problems` where
            there are several.

    Example:
        >>> value = {"currency": "USD", "correct": 3, "wrong": -7, "handoff": -2}
        >>> terms_of({"value": value, "traffic": {"per_month": 1000}}, Path()).currency
        'USD'
    """
    problems: list[PayoffError] = []

    def attempt(make: Any) -> Any:
        try:
            return make()
        except Problems as found:
            problems.extend(found.problems)
        except PayoffError as error:
            problems.append(error)
        return None

    search = content.get("search", {})
    payoff = attempt(lambda: _payoff(content, folder))
    traffic = attempt(lambda: Traffic.from_dict(content["traffic"]))
    rates = attempt(lambda: _rates(content))
    floors = attempt(lambda: floors_of(content.get("floors", ())))
    prices = attempt(lambda: _prices(content, folder))
    own, build = (
        attempt(lambda kind=kind, name=name: kind.from_dict(content[name]))
        if name in content
        else None
        for name, kind in (("own_machine", OwnMachine), ("build", BuildWork))
    )
    problems += [*_range_problems(content), *_list_problems(content), *_mix_problems(content)]
    raise_all(problems)
    hosting = content.get("hosting", {})
    return Terms(
        payoff,
        traffic,
        label_price=content.get("labels", {}).get("price_each"),
        horizon_months=search.get("horizon_months", 12),
        months_until_retraining=search.get("months_until_retraining", 6),
        latency_limit_ms=hosting.get("latency_limit_ms"),
        risk_aversion=search.get("risk_aversion", 0.0),
        llm=content.get("llm", {}),
        rates=rates,
        providers=tuple(hosting.get("providers", ())),
        region=hosting.get("region", ""),
        prices=prices,
        on=search.get("prices_on", date.today()),
        expected_mix=content.get("mix") or None,
        hour_of_waiting=search.get("hour_of_waiting", 0.0),
        floors=floors,
        own_machine=own,
        build=build,
        speed_ratio=hosting.get("speed_ratio"),
        retention_months=hosting.get("retention_months", 12.0),
    )


def _prices(content: Mapping[str, Any], folder: Path) -> PriceBook:
    """The built-in book, with the prices of one's own that a file or a list of rows states."""
    own, book = content.get("hosting", {}).get("prices", ()), PriceBook.builtin()
    if isinstance(own, str):
        return book.with_prices(PriceBook.from_csv(folder / own))
    if not own:
        return book
    return book.with_prices([Price.from_row(row, f"{FILE} [hosting.prices]") for row in own])


def check_currency(currency: str) -> None:
    """Refuse a currency that is none: no price and no rate would ever be in it.

    Raises:
        EconomicsError: PF610.

    Example:
        >>> check_currency("EUR")
    """
    if currency in CURRENCIES:
        return
    raise EconomicsError(
        "PF610",
        f"{FILE} [value.currency]",
        f"'{currency}' is no currency in use",
        expected="three capital letters such as USD, EUR, CNY",
        mend=did_you_mean(currency.upper(), sorted(CURRENCIES)) or "Correct the three letters.",
    )


def _payoff(content: Mapping[str, Any], folder: Path) -> Payoff:
    value, person = content["value"], content.get("person")
    check_currency(value["currency"])
    if "matrix" in value:
        beside = [key for key in value if key not in ("matrix", "currency", "nothing")]
        if beside:
            raise ProjectError(
                "PF203",
                f"{FILE} [value]",
                f"beside matrix, {', '.join(beside)} would not count",
                mend="Remove them, or remove matrix.",
            )
    if isinstance(value.get("matrix"), str):
        return Payoff.from_csv(
            folder / value["matrix"],
            currency=value["currency"],
            person=None if person is None else Person.from_dict(person),
            nothing=value.get("nothing", 0.0),
        )
    return Payoff.from_dict({**value, "person": person})


def _rates(content: Mapping[str, Any]) -> ExchangeRates | None:
    section = content.get("currency")
    if section is None:
        return None
    missing = [key for key in ("as_of", "source", "rates") if key not in section]
    if missing:
        raise ProjectError(
            "PF203",
            f"{FILE} [currency]",
            f"{', '.join(missing)} missing",
            expected='as_of = 2026-11-01, source = "where you read it", rates = {EUR = 1.08}',
            mend="A rate counts with its day and its source only: add them.",
        )
    base = content["value"]["currency"]
    return ExchangeRates.of(
        base, section["rates"], as_of=section["as_of"], source=section["source"]
    )


def _range_problems(content: Mapping[str, Any]) -> list[PayoffError]:
    problems: list[PayoffError] = []
    for section, ranges in _RANGES.items():
        stated = Stated(f"{FILE} [{section}]")
        for key, limits in ranges.items():
            if key in content.get(section, {}):
                stated.number(key, content[section][key], **limits)
        problems += stated.problems
    return problems


def _mix_problems(content: Mapping[str, Any]) -> list[PayoffError]:
    """Shares that are none, or that do not sum to 1."""
    shares, mix = content.get("mix", {}), Stated(f"{FILE} [mix]")
    figures = [mix.number(label, share, above=0, mend=_RARE) for label, share in shares.items()]
    whole = sum(figures)
    if shares and not mix.problems and abs(whole - 1.0) > _MIX_TOLERANCE:
        told = EconomicsError(
            "PF612",
            f"{FILE} [mix]",
            f"the shares sum to {whole:.6g}",
            expected="1",
            mend="Give every label its share of the requests to come, such as refund = 0.2.",
        )
        return [told]
    return mix.problems


def _list_problems(content: Mapping[str, Any]) -> list[PayoffError]:
    return [
        wrong_entry(section, key, entry, "a list of names in quotes")
        for section, key in (("hosting", "providers"), ("search", "backbones"))
        for entry in content.get(section, {}).get(key, ())
        if not isinstance(entry, str)
    ]


def sections_of(terms: Terms) -> dict[str, Any]:
    """The sections that state these terms, as plain values; the inverse of `terms_of`.

    ``floors`` is a list of tables, all else a section. Days are dates. A matrix is a table of its
    cells, and prices of one's own are a list of their rows, not the name of a file.

    Example:
        >>> worth = Payoff(3, -7, -2, currency="USD")
        >>> sections_of(Terms(worth, Traffic(1000)))["traffic"]["per_month"]
        1000
    """
    value = terms.payoff.as_dict()
    sections: dict[str, dict[str, Any]] = {
        "person": value.pop("person", None) or {},
        "value": value,
        "traffic": terms.traffic.as_dict(),
        "mix": dict(terms.expected_mix or {}),
        "labels": {"price_each": terms.label_price},
        "build": {} if terms.build is None else dict(terms.build.as_dict()),
        "own_machine": {} if terms.own_machine is None else terms.own_machine.as_dict(),
        "currency": _rates_section(terms),
        "llm": dict(terms.llm),
        "hosting": {
            "providers": list(terms.providers),
            "region": terms.region,
            "latency_limit_ms": terms.latency_limit_ms,
            "speed_ratio": terms.speed_ratio,
            "retention_months": terms.retention_months,
            "prices": _own_prices(terms) or None,
        },
        "search": {
            "horizon_months": terms.horizon_months,
            "months_until_retraining": terms.months_until_retraining,
            "risk_aversion": terms.risk_aversion,
            "hour_of_waiting": terms.hour_of_waiting,
            "prices_on": terms.on,
        },
    }
    said = {
        name: {key: entry for key, entry in section.items() if entry is not None}
        for name, section in sections.items()
    }
    floors = {"floors": [floor.as_dict() for floor in terms.floors]} if terms.floors else {}
    return {name: section for name, section in said.items() if section} | floors


def _own_prices(terms: Terms) -> list[dict[str, str]]:
    """The rows that the built-in price book lacks."""
    builtin = set(PriceBook.builtin())
    return [price.as_dict() for price in terms.prices if price not in builtin]


def _rates_section(terms: Terms) -> dict[str, Any]:
    """The rates that hold on the day of the terms."""
    if terms.rates is None:
        return {}
    held = {rate.currency: rate for rate in terms.rates.rates if rate.as_of <= terms.on}
    return {
        "as_of": max((rate.as_of for rate in held.values()), default=terms.on),
        "source": "; ".join(dict.fromkeys(rate.source for rate in held.values())),
        "rates": {name: str(rate.value) for name, rate in held.items()},
    }


def wrong_entry(section: str, key: str, value: Any, expected: str) -> ProjectError:
    """PF203 for one entry of the file.

    Example:
        >>> print(wrong_entry("traffic", "per_month", "many", "a number"))
        PF203 payoff.toml [traffic.per_month]: 'many' is wrong (expected a number).
    """
    where = ".".join(part for part in (section, key) if part)
    return ProjectError("PF203", f"{FILE} [{where}]", f"{value!r} is wrong", expected=expected)
