"""Checks of a payoff against the labels of the data: errors first, then what looks strange."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import did_you_mean
from payoff.core.findings import Finding, Status
from payoff.economics.actions import HANDOFF
from payoff.economics.matrix_game import game_value
from payoff.economics.stated import Stated
from payoff.economics.value_tables import Segments

if TYPE_CHECKING:
    from payoff.economics.payoff import Payoff

_LABELS_SHOWN = 10
_TIE = 1e-9


def check_labels(payoff: Payoff, labels: Sequence[str], *, source: str = "the data") -> None:
    """Raise where the payoff names labels that the data lack, or lacks labels that they have.

    Args:
        payoff: The payoff to check.
        labels: Labels of the data.
        source: Name of the data for messages.

    Raises:
        ProjectError: PF203 for each; `Problems` where there are several.

    Example:
        >>> from payoff.economics.class_value import ClassValue
        >>> from payoff.economics.payoff import Payoff
        >>> worth = Payoff(1, -1, 0, currency="USD", classes={"refnd": ClassValue(wrong=-9)})
        >>> check_labels(worth, ("billing", "refund"), source="tickets.csv")
        Traceback (most recent call last):
        ...
        payoff.core.errors.ProjectError: PF203 payoff.toml [value.classes.refnd]: label 'refnd'\
 is not in tickets.csv (labels: billing, refund). Did you mean 'refund'?
    """
    stated = Stated("labels")
    if not labels or len(set(labels)) < len(labels):
        stated.wrong(f"the labels are {_listed(labels)}", expected="one or more, each once")
    if HANDOFF in labels:
        stated.wrong(f"a label is called '{HANDOFF}'", mend="Rename it: this is an action's name.")
    named = [(f"payoff.toml [value.classes.{label}]", label) for label in payoff.classes]
    for truth, action, _ in payoff.pairs:
        named.append(("payoff.toml [value.pairs]", truth))
        if action != HANDOFF:
            named.append(("payoff.toml [value.pairs]", action))
    if payoff.matrix_values is not None:
        named += [("payoff matrix", label) for label in payoff.matrix_values]
        _check_matrix(payoff, labels, stated)
    for where, label in dict.fromkeys(named):
        if label not in labels:
            stated.wrong(
                f"label '{label}' is not in {source} (labels: {_listed(labels)})",
                mend=did_you_mean(label, labels),
                where=where,
            )
    stated.raise_all()


def check_segments(payoff: Payoff, segments: Segments | None, *, source: str = "the data") -> None:
    """Raise where the payoff values segments that the data lack.

    Args:
        payoff: The payoff to check.
        segments: Segment of each row; None where no column of segments is named.
        source: Name of the data for messages.

    Raises:
        ProjectError: PF203 for each; `Problems` where there are several.

    Example:
        >>> from payoff.economics.payoff import Payoff
        >>> from payoff.economics.segment_value import SegmentValue
        >>> worth = Payoff(1, -1, 0, currency="USD", segments={"vips": SegmentValue(wrong=-9)})
        >>> check_segments(worth, np.array(["vip", "free"]), source="tickets.csv")
        Traceback (most recent call last):
        ...
        payoff.core.errors.ProjectError: PF203 payoff.toml [value.segments.vips]: no row of\
 tickets.csv is of this segment (segments: free, vip). Did you mean 'vip'?
    """
    stated = Stated("payoff.toml [value.segments]")
    if segments is None and payoff.segments:
        stated.wrong(
            f"no column of {source} says which segment a row is of",
            mend='Name it: segment = "plan" in [data], or --segment plan.',
        )
    known = [] if segments is None else sorted({str(name) for name in segments} - {""})
    for name in payoff.segments if segments is not None else ():
        if name not in known:
            stated.wrong(
                f"no row of {source} is of this segment (segments: {_listed(known)})",
                mend=did_you_mean(name, known),
                where=f"payoff.toml [value.segments.{name}]",
            )
    stated.raise_all()


def _check_matrix(payoff: Payoff, labels: Sequence[str], stated: Stated) -> None:
    """Note the rows and cells of the full matrix that the labels need and that are not there."""
    assert payoff.matrix_values is not None
    actions = [*labels, *([] if payoff.person else [HANDOFF])]
    for truth in labels:
        row = payoff.matrix_values.get(truth)
        missing = actions if row is None else [action for action in actions if action not in row]
        if missing:
            what = "no row" if row is None else f"no cell for action {_listed(missing)}"
            stated.wrong(f"truth '{truth}' has {what}", where="payoff matrix")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_LABELS_SHOWN])
    more = len(names) - _LABELS_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown or "none"


def findings_of(values: NDArray[np.float64], labels: Sequence[str]) -> list[Finding]:
    """What is possible but strange in a payoff matrix.

    Args:
        values: Money per request, shape ``(k, k+1)``, handoff last.
        labels: The ``k`` labels.

    Returns:
        PF651 (acting wrongly pays more than acting rightly), PF652 (handing over is worth at
        least as much as acting rightly), PF653 (handing over is worth less than acting wrongly)
        and PF627 (an action is never the best), each passed or failed.

    Example:
        >>> [f.failed for f in findings_of(np.array([[3.0, -7, -1], [-7, 3, -1]]), ("a", "b"))]
        [False, False, False, False]
    """
    k = len(labels)
    acting, handoff = values[:, :k], values[:, k]
    right = np.diag(acting)
    off = ~np.eye(k, dtype=bool)
    too_good = np.asarray((off & (acting > right[:, None])).any(axis=1))
    lonely = np.inf if k > 1 else -np.inf
    worst_wrong = np.where(off, acting, lonely).min(axis=1)
    too_bad = np.asarray(handoff < worst_wrong)
    too_dear = np.asarray(handoff >= right)
    handed = "Then the machine would never act." if too_dear.all() else ""
    kept = "Then nothing would ever be handed over." if too_bad.all() else ""
    titles = {
        "PF651": "Acting rightly is worth more than acting wrongly",
        "PF652": "Acting rightly is worth more than handing over",
        "PF653": "Handing over is worth more than acting wrongly",
    }
    return [
        _finding("PF651", titles["PF651"], too_good, labels),
        _finding("PF652", titles["PF652"], too_dear, labels, so=handed),
        _finding("PF653", titles["PF653"], too_bad, labels, so=kept),
        _never_best(values, labels),
    ]


def _never_best(values: NDArray[np.float64], labels: Sequence[str]) -> Finding:
    """PF627: whether each action is strictly the best at some probabilities of the labels."""
    names = [f"'{label}'" for label in labels]
    if len(labels) > 1:  # with one label there is nothing to be unsure of
        names.append("handing over")
    never = [name for a, name in enumerate(names) if not _best_somewhere(values, a)]
    title = "Every action is the best one for some request"
    if not never:
        return Finding("PF627", title, Status.PASSED)
    return Finding(
        "PF627",
        title,
        Status.FAILED,
        f"at no probabilities is it worth most: {_listed(never)}.",
        "Check the signs and sizes in payoff.toml [value].",
        n_affected=len(never),
    )


def _best_somewhere(values: NDArray[np.float64], action: int) -> bool:
    """Whether an action is worth more than every other for some probabilities of the labels."""
    gains = values[:, [action]] - np.delete(values, action, axis=1)
    least = _TIE * float(np.abs(values).max())
    if bool((gains.min(axis=1) > least).any()) or gains.mean(axis=0).min() > least:
        return True  # for a label that is certain, or for all alike
    return game_value(gains) > least


def _finding(
    code: str, title: str, bad: NDArray[np.bool_], labels: Sequence[str], *, so: str = ""
) -> Finding:
    names = [label for label, failed in zip(labels, bad, strict=True) if failed]
    if not names:
        return Finding(code, title, Status.PASSED)
    return Finding(
        code,
        title,
        Status.FAILED,
        f"not so for {_listed(names)}. {so}".strip(),
        "Check the signs and sizes in payoff.toml [value].",
        n_affected=len(names),
    )
