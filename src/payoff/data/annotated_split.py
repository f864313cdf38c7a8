"""Annotated texts to learn from, to choose by and to report on, without leakage."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from payoff.core.errors import DataError
from payoff.core.findings import Finding, Status
from payoff.data.allotment import TEST, TRAIN, VALIDATION, allot_by_class
from payoff.data.annotations import Annotated
from payoff.data.duplicates import alike, clusters, near_pairs, touching

_NONE = ""  # the class of texts that name nothing


@dataclass(frozen=True, slots=True)
class AnnotatedSplit:
    """Three parts that share no text, and what had to be done for it.

    Attributes:
        train: Texts to learn from.
        validation: Texts to choose by.
        test: Texts to report on; used once.
        findings: What was left out.

    Example:
        >>> from payoff.data.annotations import Span
        >>> one = Annotated(("is Ann in?",), ((Span(3, 6, "PERSON"),),))
        >>> len(AnnotatedSplit(one, one, one, ()).train)
        1
    """

    train: Annotated
    validation: Annotated
    test: Annotated
    findings: tuple[Finding, ...]


def split_annotated(
    annotated: Annotated,
    *,
    validation: float = 0.15,
    test: float = 0.15,
    test_set: Annotated | None = None,
    seed: int = 0,
) -> AnnotatedSplit:
    """Cut annotated texts into training, validation and test texts.

    Texts that are alike or near (`payoff.data.duplicates`) stay in one part; a ``test_set`` is
    never altered, and the other parts lose what it has. Each text counts for the rarest of its
    labels, so that every part has its share of all of them.

    Args:
        annotated: The texts; empty ones are left out.
        validation: Fraction to choose by.
        test: Fraction to report on; ignored with ``test_set``.
        test_set: Texts to report on, where they are kept apart already.
        seed: Seed of the random order.

    Raises:
        DataError: PF104 where no entity is left to learn; PF106 where a part would be empty;
            PF110 for fractions that leave nothing.

    Example:
        >>> from payoff.data.annotations import Span
        >>> texts = tuple(f"{word} is late" for word in ("alpha", "beta", "gamma", "delta", "eta"))
        >>> spans = tuple((Span(0, text.index(" "), "PARCEL"),) for text in texts)
        >>> parts = split_annotated(Annotated(texts, spans), validation=0.2, test=0.2)
        >>> len(parts.train), len(parts.validation), len(parts.test)
        (3, 1, 1)
    """
    fractions = (validation, 0.0 if test_set is not None else test)
    if not (0 < fractions[0] < 1 and 0 <= fractions[1] < 1 and sum(fractions) < 1):
        raise DataError(
            "PF110",
            "split fractions",
            f"validation {validation} and test {test} leave no three parts",
            expected="positive fractions whose sum is below 1, such as 0.15 and 0.15",
        )
    kept, findings = _without_empty(annotated)
    if test_set is not None:
        kept, finding = _without_test(kept, test_set)
        findings.append(finding)
    keys, place = alike(kept.texts)
    together = clusters(len(keys), near_pairs(keys).pairs)[place]
    part = allot_by_class(kept.texts, _rarest(kept), together, fractions, seed)
    train, chosen, tested = (
        kept.take(np.flatnonzero(part == number)) for number in (TRAIN, VALIDATION, TEST)
    )
    tested = test_set if test_set is not None else tested
    _require(train, chosen, tested, annotated.source)
    findings.append(_lacking(train, chosen, tested))
    return AnnotatedSplit(train, chosen, tested, tuple(findings))


def _without_empty(annotated: Annotated) -> tuple[Annotated, list[Finding]]:
    rows = [row for row, text in enumerate(annotated.texts) if text.strip()]
    title = "No empty text had to be left out"
    n_empty = len(annotated) - len(rows)
    if not n_empty:
        return annotated, [Finding("PF171", title, Status.PASSED)]
    detail = f"{n_empty:,} empty texts were left out of all parts"
    finding = Finding(
        "PF171", title, Status.FAILED, detail, "Remove those texts.", n_affected=n_empty
    )
    return annotated.take(rows), [finding]


def _without_test(kept: Annotated, test_set: Annotated) -> tuple[Annotated, Finding]:
    keys, place = alike(kept.texts + test_set.texts)
    tested = np.isin(np.arange(len(keys)), place[len(kept) :])
    repeated = touching(tested, near_pairs(keys).pairs)[place[: len(kept)]]
    title = "No row had to be dropped because the test set has its text"
    n_rows = int(repeated.sum())
    if not n_rows:
        return kept, Finding("PF172", title, Status.PASSED)
    detail = f"{n_rows:,} texts repeat a test text, exactly or nearly, and were dropped"
    finding = Finding(
        "PF172", title, Status.FAILED, detail, "Nothing need be done.", n_affected=n_rows
    )
    return kept.take(np.flatnonzero(~repeated)), finding


def _rarest(kept: Annotated) -> list[str]:
    """The rarest label of each text, by the number of entities in all texts."""
    counts = kept.counts
    return [
        min((span.label for span in spans), key=lambda label: (counts[label], label), default=_NONE)
        for spans in kept.spans
    ]


def _require(train: Annotated, chosen: Annotated, tested: Annotated, source: str) -> None:
    parts = {"training": train, "validation": chosen, "test": tested}
    empty = [name for name, part in parts.items() if not len(part)]
    if empty:
        raise DataError(
            "PF106",
            source,
            f"no text is left for {' and '.join(empty)}",
            expected="at least 4 different texts with entities",
            mend="Annotate more texts.",
        )
    if not train.labels:
        raise DataError(
            "PF104", source, "no training text names anything", mend="Annotate entities."
        )
    known = {*train.labels, *chosen.labels}
    unknown = [label for label in tested.labels if label not in known]
    if unknown:
        raise DataError(
            "PF104",
            tested.source,
            f"it has {', '.join(map(repr, unknown))}, which no other text has",
            expected=f"some of {', '.join(sorted(known))}",
            mend="Annotate training texts with those, or correct the labels.",
        )


def _lacking(train: Annotated, chosen: Annotated, tested: Annotated) -> Finding:
    found: Counter[str] = Counter()
    for part in (train, chosen, tested):
        found.update(part.labels)
    lacking = sorted(label for label, n in found.items() if n < 3)
    title = "Every class stands in every part"
    if not lacking:
        return Finding("PF177", title, Status.PASSED)
    detail = f"{', '.join(map(repr, lacking))} are missing in training, validation or test"
    mend = "Figures for these are not measured in every part; annotate more of them."
    return Finding("PF177", title, Status.FAILED, detail, mend, n_affected=len(lacking))
