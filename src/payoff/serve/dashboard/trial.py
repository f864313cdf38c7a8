"""A trial: what the model would do with a text, and why. Nothing of it is written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from payoff.core.pair import SIGN
from payoff.economics.actions import HANDOFF
from payoff.serve.dashboard.occlusion import Piece, occlusion

if TYPE_CHECKING:
    from payoff.economics.decision import Decision
    from payoff.economics.desk import Desk

_MOST_PROBABILITIES = 8
_MOST_TRUTHS = 4
_MOST_ACTIONS = 4
_MOST_CHARACTERS = 4_000


@dataclass(frozen=True, slots=True)
class Term:
    """What one truth adds to the worth of one action.

    Args:
        value: Money, were it the truth.
        product: The same times its probability.
    """

    value: float
    product: float


@dataclass(frozen=True, slots=True)
class Row:
    """One truth and what it adds to each action.

    Args:
        truth: A label; empty for all others together.
        probability: Of it.
        terms: One an action.
    """

    truth: str
    probability: float
    terms: Sequence[Term]


@dataclass(frozen=True, slots=True)
class Trial:
    """What the model would do with a text, and why.

    Args:
        decision: What it would do.
        probabilities: The most probable labels.
        actions: The one that is taken, then those that are worth most, handing over among them.
        worth: What each is expected to be worth.
        rows: What each truth adds to that.
        held_back: Whether a promise (a floor, people's capacity) chose another action than the
            one that is worth most.
        pieces: The text, with what leaving out each word changes; empty where that was not tried.
        not_tried: Why not: ``"endpoint"``, ``"long"`` or nothing.
    """

    decision: Decision
    probabilities: Sequence[tuple[str, float]]
    actions: Sequence[str]
    worth: Sequence[float]
    rows: Sequence[Row]
    held_back: bool
    pieces: Sequence[Piece]
    not_tried: str


def trial(desk: Desk, text: str, *, pair: str | None = None, segment: str | None = None) -> Trial:
    """Decide on a text, and take the decision apart.

    Args:
        desk: What decides.
        text: The text; the first one of a pair.
        pair: The second one, for models that were trained on pairs.
        segment: Of the customer.

    Raises:
        DataError: PF105 where the text is unusable.
    """
    (decision,), said = desk.decide_fully(
        [text], pairs=None if pair is None else [pair], segments=[segment]
    )
    row = said[0]
    values = desk.policy.segment_values.get(decision.segment, desk.policy.values)
    actions = (*desk.labels, HANDOFF)
    worth = row @ values
    chosen = actions.index(decision.action)
    best = [int(a) for a in np.argsort(-worth, kind="stable")[:_MOST_ACTIONS]]
    shown = sorted({*best, chosen, len(actions) - 1}, key=lambda a: (a != chosen, -worth[a]))
    pieces, not_tried = _pieces(desk, decision, text, pair)
    top = np.argsort(-row, kind="stable")
    return Trial(
        decision=decision,
        probabilities=[(desk.labels[j], float(row[j])) for j in top[:_MOST_PROBABILITIES]],
        actions=[actions[a] for a in shown],
        worth=[float(worth[a]) for a in shown],
        rows=_rows(desk.labels, row, values, shown),
        held_back=bool(worth[chosen] < worth.max() - 1e-9),
        pieces=pieces,
        not_tried=not_tried,
    )


def _rows(
    labels: Sequence[str],
    said: NDArray[np.float64],
    values: NDArray[np.float64],
    shown: Sequence[int],
) -> list[Row]:
    """The most probable truths, and all others together."""
    top = [int(j) for j in np.argsort(-said, kind="stable")]
    made = [
        Row(
            labels[j],
            float(said[j]),
            [Term(float(values[j, a]), float(said[j] * values[j, a])) for a in shown],
        )
        for j in top[:_MOST_TRUTHS]
    ]
    rest = top[_MOST_TRUTHS:]
    if rest:
        mass = float(said[rest].sum())
        products = said[rest] @ values[rest]
        each = products / mass if mass else np.zeros(values.shape[1])
        made.append(Row("", mass, [Term(float(each[a]), float(products[a])) for a in shown]))
    return made


def _pieces(
    desk: Desk, decision: Decision, text: str, pair: str | None
) -> tuple[Sequence[Piece], str]:
    """What each word changes, by the model that answered; an endpoint is not asked for that."""
    names = [tier.name for tier in desk.artifact.tiers]
    tier = names.index(decision.tier) if decision.tier in names else len(names) - 1
    if desk.artifact.tiers[tier].kind == "endpoint":
        return (), "endpoint"
    if len(text) > _MOST_CHARACTERS:
        return (), "long"
    end = "" if pair is None else SIGN + pair

    def answer(texts: Sequence[str]) -> NDArray[np.float64]:
        said = desk.artifact.probabilities([one + end for one in texts], tier=tier)
        return desk.policy.shifted(said)

    return occlusion(text, answer), ""
