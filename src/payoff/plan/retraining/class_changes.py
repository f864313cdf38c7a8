"""Class changes: whether a new version is still right where the old one was, class by class."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.core.findings import Finding, Status
from payoff.economics.binomial import binomial_tail
from payoff.learn.wilson import interval

_LEAST_ROWS = 5
_MARGIN = 0.02  # of recall: less is not worth keeping an old version for
_LEVEL = 0.05  # that any class of all is taken for lost by chance
_Z = 1.96

Recalls = Mapping[str, tuple[int, int]]
"""Of each class: how often its rows were told rightly, and how many there were."""


@dataclass(frozen=True, slots=True)
class ClassChange:
    """How often one class is told rightly by the old and by the new version.

    Args:
        label: The class.
        n: Rows of it that neither learnt from.
        old_recall: Share that the old one tells rightly; None without rows.
        new_recall: Share that the new one tells rightly; None without rows.
        p_value: That the new one loses so many by chance.
        old_run: Right and all, on the test rows of the old version's run; None where not kept.
        new_run: The same of the new version's run.
        state: ``"kept"``, ``"lost"``, ``"new"``, or ``"not checked"`` where rows are too few.
    """

    label: str
    n: int
    old_recall: float | None
    new_recall: float | None
    p_value: float
    old_run: tuple[int, int] | None
    new_run: tuple[int, int] | None
    state: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "label": self.label,
            "n": self.n,
            "old_recall": self.old_recall,
            "new_recall": self.new_recall,
            "p_value": self.p_value,
            "old_run": self.old_run,
            "new_run": self.new_run,
            "state": self.state,
        }


def class_changes(
    truth: Sequence[str],
    old: Sequence[str],
    new: Sequence[str],
    *,
    old_labels: Collection[str],
    new_labels: Collection[str],
    old_run: Recalls | None = None,
    new_run: Recalls | None = None,
) -> list[ClassChange]:
    """Compare two versions on the same rows, class by class.

    A class is lost where the new version does not know it; where it is told rightly less often on
    the same rows, by an exact one-sided sign test of those that changed (McNemar 1947, "Note on
    the sampling error of the difference between correlated proportions", Psychometrika 12(2)), at
    a level of 5 % over all classes; or where the intervals of the two runs' test rows lie apart.

    Args:
        truth: Label of each row, ``(n,)``.
        old: The old version's most probable label of each.
        new: The new version's.
        old_labels: That the old version knows.
        new_labels: That the new version knows.
        old_run: Recalls on the test rows of the old version's run.
        new_run: Those of the new one's.

    Example:
        >>> truth, old = ["a"] * 20, ["a"] * 20
        >>> found, = class_changes(truth, old, ["b"] * 20, old_labels="a", new_labels="ab")[:1]
        >>> found.label, found.state
        ('a', 'lost')
    """
    labels = sorted({*old_labels, *new_labels, *truth})
    told, before, after = (np.array(one, dtype=object) for one in (truth, old, new))
    n_old = max(1, len(set(old_labels)))
    changes = []
    for label in labels:
        rows = told == label
        was, now = before[rows] == label, after[rows] == label
        runs = ((old_run or {}).get(label), (new_run or {}).get(label))
        p_value = _sign_test(was, now)
        if label not in old_labels:
            state = "new"
        elif label not in new_labels:
            state = "lost"
        else:
            state = _state(was, now, p_value, _LEVEL / n_old, *runs)
        n = int(rows.sum())
        recall = (float(was.mean()), float(now.mean())) if n else (None, None)
        changes.append(
            ClassChange(label, n, recall[0], recall[1], p_value, runs[0], runs[1], state)
        )
    return changes


def _sign_test(was: NDArray[np.bool_], now: NDArray[np.bool_]) -> float:
    """Probability of so many losses among the rows that changed, were both equally good."""
    lost, won = int((was & ~now).sum()), int((~was & now).sum())
    return binomial_tail(won, lost + won, 0.5) if lost + won else 1.0


def _state(
    was: NDArray[np.bool_],
    now: NDArray[np.bool_],
    p_value: float,
    level: float,
    old_run: tuple[int, int] | None,
    new_run: tuple[int, int] | None,
) -> str:
    if len(was) and p_value < level and was.mean() - now.mean() > _MARGIN:
        return "lost"
    if old_run and new_run and min(old_run[1], new_run[1]) >= _LEAST_ROWS:
        if interval(*new_run, _Z)[1] < interval(*old_run, _Z)[0]:
            return "lost"
        return "kept"
    return "kept" if len(was) >= _LEAST_ROWS else "not checked"


def non_regression(changes: Sequence[ClassChange]) -> Finding:
    """PF774: whether no class is lost."""
    title = "No class is lost"
    lost = [one for one in changes if one.state == "lost"]
    checked = [one for one in changes if one.state in ("kept", "lost")]
    untold = sum(one.state == "not checked" for one in changes)
    if lost:
        told = "; ".join(_told(one) for one in lost)
        mend = "Look at the labels of that class; --anyway writes the version all the same."
        return Finding("PF774", title, Status.FAILED, told, mend, n_affected=len(lost))
    if not checked:
        return Finding("PF774", title, Status.NOT_CHECKED, "no class has rows enough")
    told = f"{len(checked)} classes were checked, {untold} have too few rows"
    return Finding("PF774", title, Status.PASSED, told)


def _told(one: ClassChange) -> str:
    if one.old_recall is None or one.new_recall is None or one.new_recall >= one.old_recall:
        if one.old_run and one.new_run:
            return (
                f"'{one.label}' was told rightly {one.old_run[0]} of {one.old_run[1]} times on the"
                f" old run's test rows, {one.new_run[0]} of {one.new_run[1]} on the new one's"
            )
        return f"'{one.label}' is not known to the new version"
    return (
        f"'{one.label}' was told rightly {one.old_recall:.0%} of {one.n} times, and now"
        f" {one.new_recall:.0%}"
    )
