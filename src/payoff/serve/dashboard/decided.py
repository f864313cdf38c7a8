"""What was decided: by class and by model, and what errors cost, by class and by pair."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from payoff.economics.actions import HANDOFF
from payoff.economics.binomial import upper_bound
from payoff.learn.outcomes import Confusion, Outcome, confusions
from payoff.learn.tally import DaySum
from payoff.serve.dashboard.span import Span
from payoff.serve.dashboard.subject import Subject

CONFIDENCE = 0.9
_MOST_PAIRS = 200


@dataclass(frozen=True, slots=True)
class Share:
    """Decisions that are alike.

    Args:
        name: What they have in common.
        n: How many.
        share: Of all.
        worth: Sum of their expected worth.
        cost: What asking the models cost.
    """

    name: str
    n: int
    share: float
    worth: float
    cost: float


@dataclass(frozen=True, slots=True)
class Errors:
    """What feedback tells of requests of one class, or of all.

    Args:
        truth: What they were; empty for all.
        n: How many were acted upon and have feedback.
        n_wrong: Those of them that were taken for something else.
        low: Lower end of the share of those, 5 %.
        high: Upper end, 95 %.
        lost: What the best actions would have earned more.
    """

    truth: str
    n: int
    n_wrong: int
    low: float
    high: float
    lost: float

    @property
    def share(self) -> float:
        """Of those that have feedback, how many were wrong."""
        return self.n_wrong / self.n


@dataclass(frozen=True, slots=True)
class Decided:
    """All that the page shows.

    Args:
        n: Decisions.
        n_handed: Those that were handed over.
        actions: By what was done.
        tiers: By the model that answered.
        all_errors: Of all classes together; None where nothing is known.
        errors: By class, the dearest first.
        pairs: What was taken for what, the dearest first.
    """

    n: int
    n_handed: int
    actions: Sequence[Share]
    tiers: Sequence[Share]
    all_errors: Errors | None
    errors: Sequence[Errors]
    pairs: Sequence[Confusion]


def decided(subject: Subject, span: Span) -> Decided:
    """What was decided in some days.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.
    """
    sums = subject.sums(span)
    found = subject.outcomes(span.since)
    pairs = costly(found, subject)
    errors = _errors(found, pairs, subject.desk.labels)
    return Decided(
        n=sum(one.n for one in sums),
        n_handed=sum(one.n for one in sums if one.action == HANDOFF),
        actions=by_action(sums),
        tiers=by_tier(sums, subject),
        all_errors=_made("", [(one.n, one.n_wrong, one.lost) for one in errors]),
        errors=errors,
        pairs=pairs[:_MOST_PAIRS],
    )


def by_action(sums: Sequence[DaySum]) -> list[Share]:
    """Decisions by what was done, the most frequent first."""
    return _shares(sums, lambda one: one.action)


def by_tier(sums: Sequence[DaySum], subject: Subject) -> list[Share]:
    """Decisions by the model that answered, the most frequent first."""
    last = subject.desk.artifact.tiers[-1].name
    return _shares(sums, lambda one: one.tier or last)


def costly(found: Sequence[Outcome], subject: Subject) -> list[Confusion]:
    """What was taken for what and cost something, the dearest first."""
    return [one for one in confusions(found, subject.desk.policy) if one.lost > 0]


def _shares(sums: Sequence[DaySum], name: Callable[[DaySum], str]) -> list[Share]:
    n: dict[str, int] = defaultdict(int)
    worth: dict[str, float] = defaultdict(float)
    cost: dict[str, float] = defaultdict(float)
    for one in sums:
        n[name(one)] += one.n
        worth[name(one)] += one.worth
        cost[name(one)] += one.cost
    total = sum(n.values())
    made = [Share(key, n[key], n[key] / total, worth[key], cost[key]) for key in n]
    return sorted(made, key=lambda one: (-one.n, one.name))


def _errors(
    found: Sequence[Outcome], pairs: Sequence[Confusion], labels: Sequence[str]
) -> list[Errors]:
    told: dict[str, int] = defaultdict(int)
    for one in found:
        truth = one.word.truth(one.action)
        if truth in labels and one.action != HANDOFF:
            told[truth] += one.n
    made = []
    for truth, n in told.items():
        mine = [one for one in pairs if one.truth == truth]
        row = (n, sum(one.n for one in mine), sum(one.lost for one in mine))
        errors = _made(truth, [row])
        made += [errors] if errors is not None else []
    return sorted(made, key=lambda one: (-one.lost, one.truth))


def _made(truth: str, rows: Sequence[tuple[int, int, float]]) -> Errors | None:
    """Rows of how many, how many wrong and what was lost, together."""
    n, n_wrong = sum(row[0] for row in rows), sum(row[1] for row in rows)
    if not n:
        return None
    sure = (1 + CONFIDENCE) / 2
    low, high = 1 - upper_bound(n - n_wrong, n, sure), upper_bound(n_wrong, n, sure)
    return Errors(truth, n, n_wrong, low, high, sum(row[2] for row in rows))
