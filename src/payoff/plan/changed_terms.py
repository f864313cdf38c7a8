"""Changed terms: the few what-ifs that every run reckons of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Final

from payoff.economics.dearer import dearer_mistakes, dearer_people
from payoff.economics.traffic import Traffic
from payoff.plan.terms import Terms

_MISTAKES: Final = 2.0
_PEOPLE: Final = 1.25
_CLOUDS: Final = Decimal(2)


def changed_terms(terms: Terms) -> Mapping[str, Terms]:
    """The terms with one of them changed at a time, by what was changed in words.

    Args:
        terms: Those of the run.

    Example:
        >>> from payoff.economics.payoff import Payoff
        >>> stated = Terms(Payoff(3, -7, -2, currency="EUR"), Traffic(1000, 800, 1500))
        >>> found = changed_terms(stated)
        >>> list(found)  # doctest: +NORMALIZE_WHITESPACE
        ['half the traffic', 'twice the traffic', 'wrong answers cost twice as much',
         'handing over costs a quarter more', 'clouds cost twice as much']
        >>> found["half the traffic"].traffic.range_per_month
        (400.0, 750.0)
    """
    people = "people cost a quarter more"
    if terms.payoff.person is None:
        people = "handing over costs a quarter more"
    return {
        "half the traffic": replace(terms, traffic=_more(terms.traffic, 0.5)),
        "twice the traffic": replace(terms, traffic=_more(terms.traffic, 2.0)),
        "wrong answers cost twice as much": replace(
            terms, payoff=dearer_mistakes(terms.payoff, _MISTAKES)
        ),
        people: replace(terms, payoff=dearer_people(terms.payoff, _PEOPLE)),
        "clouds cost twice as much": replace(terms, prices=terms.prices.times(_CLOUDS)),
    }


def _more(traffic: Traffic, factor: float) -> Traffic:
    """So many times the requests, the stated range with them."""
    return replace(
        traffic,
        per_month=traffic.per_month * factor,
        low=None if traffic.low is None else traffic.low * factor,
        high=None if traffic.high is None else traffic.high * factor,
    )
