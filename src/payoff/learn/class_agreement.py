"""Class agreement: whether a labeller labels each class as others do, not only most of them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import NormalDist

from payoff.core.findings import Finding, Status
from payoff.learn.wilson import interval

_CODE = "PF795"


@dataclass(frozen=True, slots=True)
class ClassVerdict:
    """What was found of one labeller.

    Args:
        finding: PF795.
        is_proven: Whether the others bear out that the labeller is wrong.
    """

    finding: Finding
    is_proven: bool


@dataclass(slots=True)
class ClassAgreement:
    """Counts how often each labeller agrees, class by class, where the model is sure.

    Whoever turns a part of one class over agrees nearly always in all; of that class, seldom
    enough. A class whose meaning has changed is another case: there the others disagree with the
    model as well, and nothing is proven.

    Args:
        least_agreement: Of a class, where the model is sure of it.
        least_labels: Cases of a class below which nothing is concluded.
        confidence: That no honest labeller of all fails.

    Example:
        >>> classes = ClassAgreement()
        >>> for number in range(60):
        ...     classes.count("ann", "card", agreed=True)
        ...     classes.count("(crm)", "card", agreed=number % 10 < 6)
        >>> {name: one.is_proven for name, one in classes.judged().items()}
        {'(crm)': True, 'ann': False}
    """

    least_agreement: float = 0.9
    least_labels: int = 20
    confidence: float = 0.99
    _counts: dict[str, dict[str, list[int]]] = field(default_factory=dict, init=False)

    def count(self, name: str, label: str, *, agreed: bool) -> None:
        """Take account of one label, of a request that the model is sure is of a class."""
        own = self._counts.setdefault(name, {}).setdefault(label, [0, 0])
        own[0] += 1
        own[1] += agreed

    def judged(self) -> dict[str, ClassVerdict]:
        """The verdict on each labeller, by name."""
        of_all: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for classes in self._counts.values():
            for label, (n, agreed) in classes.items():
                of_all[label][0] += n
                of_all[label][1] += agreed
        n_tests = sum(
            n >= self.least_labels for classes in self._counts.values() for n, _ in classes.values()
        )
        z = NormalDist().inv_cdf(1 - (1 - self.confidence) / max(1, n_tests))
        return {name: self._verdict(name, of_all, z) for name in sorted(self._counts)}

    def _verdict(self, name: str, of_all: Mapping[str, list[int]], z: float) -> ClassVerdict:
        title = f"{name} labels every class as others do"
        told, n_affected, is_proven, n_tests = [], 0, False, 0
        for label, (n, agreed) in sorted(self._counts[name].items()):
            if n < self.least_labels:
                continue
            n_tests += 1
            if interval(agreed, n, z)[1] >= self.least_agreement:
                continue
            n_others, agreed_others = of_all[label][0] - n, of_all[label][1] - agreed
            told.append(f"of '{label}' {agreed} of {n} agree with the model where it is sure")
            if n_others < self.least_labels:
                told[-1] += ", and nobody else labelled enough of it"
            else:
                told[-1] += f", of all others' {agreed_others} of {n_others}"
                is_proven |= _apart(agreed, n, agreed_others, n_others) > z
            n_affected += n - agreed
        if not n_tests:
            detail = f"no class has {self.least_labels} labels to tell by"
            return ClassVerdict(Finding(_CODE, title, Status.NOT_CHECKED, detail), False)
        if not told:
            return ClassVerdict(Finding(_CODE, title, Status.PASSED), False)
        mend = "Look at these labels; say --trust NAME where they are right."
        detail = "; ".join(told)
        failed = Finding(_CODE, title, Status.FAILED, detail, mend, n_affected=n_affected)
        return ClassVerdict(failed, is_proven)


def _apart(agreed: int, n: int, agreed_others: int, n_others: int) -> float:
    """By how many standard errors others agree more often (two shares, pooled)."""
    pooled = (agreed + agreed_others) / (n + n_others)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / n_others))
    return (agreed_others / n_others - agreed / n) / error if error else 0.0
