"""Dearer: the same payoff with dearer mistakes, or with dearer people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from payoff.economics.actions import HANDOFF
from payoff.economics.payoff import Payoff


def dearer_mistakes(payoff: Payoff, factor: float) -> Payoff:
    """The payoff where every wrong answer that loses money loses so many times as much.

    People's mistakes follow where handing over is computed from their errors; a ``handoff`` that is
    stated as a number stays. A wrong answer that loses nothing stays too.

    Args:
        payoff: As stated.
        factor: How many times as dear, above 0.

    Example:
        >>> worth = Payoff(3, -7, -2, currency="EUR", pairs=[("a", "b", 0.5), ("b", "a", -9)])
        >>> dearer_mistakes(worth, 2).matrix(("a", "b"))
        array([[  3. ,   0.5,  -2. ],
               [-18. ,   3. ,  -2. ]])
    """
    return replace(
        payoff,
        wrong=_more(payoff.wrong, factor),
        classes={
            label: replace(value, wrong=None if value.wrong is None else _more(value.wrong, factor))
            for label, value in payoff.classes.items()
        },
        pairs=tuple(
            (truth, action, _more(value, factor) if action not in (truth, HANDOFF) else value)
            for truth, action, value in payoff.pairs
        ),
        matrix_values=_changed(payoff, factor, handoff=False),
        segments={
            name: value.changed(wrong=lambda amount: _more(amount, factor))
            for name, value in payoff.segments.items()
        },
    )


def dearer_people(payoff: Payoff, factor: float) -> Payoff:
    """The payoff where people cost so many times as much: their wage, or what a handoff loses.

    A ``handoff`` that is stated as a number is all in; where it loses money, all of that is scaled.

    Args:
        payoff: As stated.
        factor: How many times as dear, above 0.

    Example:
        >>> from payoff.economics.person import Person
        >>> worth = Payoff(3, -7, currency="EUR", person=Person(4, 30))
        >>> dearer_people(worth, 1.5).of(truth="a", action="handoff")
        Money(0.0 EUR)
        >>> dearer_people(Payoff(3, -7, -2, currency="EUR"), 1.5).handoff
        -3.0
    """
    person = payoff.person
    if person is not None:
        person = replace(person, wage_per_hour=person.wage_per_hour * factor)
    return replace(
        payoff,
        handoff=None if payoff.handoff is None else _more(payoff.handoff, factor),
        person=person,
        classes={
            label: replace(
                value, handoff=None if value.handoff is None else _more(value.handoff, factor)
            )
            for label, value in payoff.classes.items()
        },
        pairs=tuple(
            (truth, action, _more(value, factor) if action == HANDOFF else value)
            for truth, action, value in payoff.pairs
        ),
        matrix_values=_changed(payoff, factor, handoff=True),
        segments={
            name: value.changed(handoff=lambda amount: _more(amount, factor))
            for name, value in payoff.segments.items()
        },
    )


def _changed(
    payoff: Payoff, factor: float, *, handoff: bool
) -> Mapping[str, Mapping[str, float]] | None:
    """The full matrix with the column ``handoff`` changed, or with all that is wrong."""
    if payoff.matrix_values is None:
        return None
    return {
        truth: {
            action: _more(value, factor)
            if action != truth and (action == HANDOFF) == handoff
            else value
            for action, value in row.items()
        }
        for truth, row in payoff.matrix_values.items()
    }


def _more(value: float, factor: float) -> float:
    return value * factor if value < 0 else value
