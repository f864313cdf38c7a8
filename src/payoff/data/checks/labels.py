"""Checks of the labels: spelling, size of classes, imbalance, the out-of-scope class."""

from __future__ import annotations

import re
from collections import Counter
from itertools import combinations

from payoff.core.errors import did_you_mean
from payoff.core.findings import Finding, Status
from payoff.data.checks.subject import Subject, counted, not_applicable, passed
from payoff.data.roles import folded_label

MIN_CLASS_ROWS = 10
"""Rows below which a class counts as too small to learn well, and to measure."""
MAX_IMBALANCE = 20
"""Ratio of the largest to the smallest class from which imbalance is told."""
_MIN_SPELLING = 5
_NO_LABELS = "the rows have no labels"
_SEPARATORS = re.compile(r"[\s_\-./]+")


def alike_labels(subject: Subject) -> Finding:
    """Labels that may be one label written twice (PF158).

    Example:
        >>> alike_labels(Subject.of(["a", "b"], ["refund", "refunds"])).detail
        "'refund' (1) and 'refunds' (1)"
    """
    code, title = "PF158", "No two labels look like typos of each other"
    dataset = subject.dataset
    if dataset.label is None:
        return not_applicable(code, title, _NO_LABELS)
    padded = [label for label in dataset.labels if label != label.strip()]
    pairs = similar_labels(dataset.labels)
    if not pairs and not padded:
        return passed(code, title)
    sizes = Counter(dataset.targets)
    told = [f"'{a}' ({sizes[a]}) and '{b}' ({sizes[b]})" for a, b in pairs[:5]]
    told += [f"{label!r} has white space around it" for label in padded[:5]]
    rarer = {min(pair, key=lambda label: (sizes[label], label)) for pair in pairs} | set(padded)
    rows = [i for i, label in enumerate(dataset.targets) if label in rarer]
    return Finding(
        code,
        title,
        Status.FAILED,
        "; ".join(told) + ("; …" if len(pairs) + len(padded) > len(told) else ""),
        "Where they mean the same, write them one way.",
        subject.show(rows),
        len(pairs) + len(padded),
    )


def similar_labels(labels: tuple[str, ...]) -> list[tuple[str, str]]:
    """Pairs of labels that differ only by separators, or by one letter or a swap of two.

    Labels that differ in a digit, and short ones, are taken as meant.

    Example:
        >>> similar_labels(("card_lost", "card-lost", "refund", "refnud", "tier_1", "tier_2"))
        [('card-lost', 'card_lost'), ('refnud', 'refund')]
    """
    bare = {label: _SEPARATORS.sub("", folded_label(label)) for label in labels}
    variants: dict[str, set[str]] = {}
    for label, letters in bare.items():
        variants.setdefault(letters, set()).add(label)
        if len(letters) >= _MIN_SPELLING:
            for i in range(len(letters)):
                variants.setdefault(letters[:i] + letters[i + 1 :], set()).add(label)
    candidates = {pair for same in variants.values() for pair in combinations(sorted(same), 2)}
    return sorted((a, b) for a, b in candidates if _one_slip(bare[a], bare[b]))


def _one_slip(a: str, b: str) -> bool:
    """Whether at most one letter was added, lost, changed, or swapped with its neighbour."""
    if a == b:
        return True
    if min(len(a), len(b)) < _MIN_SPELLING or abs(len(a) - len(b)) > 1:
        return False
    while a and b and a[0] == b[0]:
        a, b = a[1:], b[1:]
    while a and b and a[-1] == b[-1]:
        a, b = a[:-1], b[:-1]
    if re.search(r"\d", a + b):
        return False
    return max(len(a), len(b)) <= 1 or (len(a) == len(b) == 2 and a == b[::-1])


def small_classes(subject: Subject) -> Finding:
    """Classes of too few rows (PF159).

    Example:
        >>> small_classes(Subject.of(["a", "b"], ["x", "y"])).n_affected
        2
    """
    code, title = "PF159", f"Every class has at least {MIN_CLASS_ROWS} rows"
    dataset = subject.dataset
    if dataset.label is None:
        return not_applicable(code, title, _NO_LABELS)
    sizes = Counter(dataset.targets)
    small = sorted((n, label) for label, n in sizes.items() if n < MIN_CLASS_ROWS)
    if not small:
        return passed(code, title, f"smallest class: {min(sizes.values()):,} rows")
    names = ", ".join(f"'{label}' ({n})" for n, label in small[:5])
    rows = {label: i for i, label in reversed(list(enumerate(dataset.targets)))}
    return Finding(
        code,
        title,
        Status.FAILED,
        f"{len(small)} of {counted(len(sizes), 'class').replace('classs', 'classes')} are smaller:"
        f" {names}{', …' if len(small) > 5 else ''}",
        "Label more rows of these, or merge them into another class.",
        subject.show([rows[label] for _, label in small]),
        len(small),
    )


def imbalance(subject: Subject) -> Finding:
    """Some classes far larger than others (PF160).

    Example:
        >>> imbalance(Subject.of(["t"] * 22, ["x"] * 21 + ["y"])).detail
        "'x' has 21 rows, 'y' 1 row"
    """
    code, title = "PF160", f"No class is more than {MAX_IMBALANCE} times as large as another"
    dataset = subject.dataset
    if dataset.label is None:
        return not_applicable(code, title, _NO_LABELS)
    sizes = Counter(dataset.targets).most_common()
    (most, n_most), (least, n_least) = sizes[0], sizes[-1]
    if len(sizes) < 2:
        return not_applicable(code, title, f"there is one class, '{most}'")
    seen = f"'{most}' has {counted(n_most, 'row')}, '{least}' {counted(n_least, 'row')}"
    if n_most <= MAX_IMBALANCE * n_least:
        return passed(code, title, seen)
    rare = [label for label, n in sizes if n_most > MAX_IMBALANCE * n]
    return Finding(
        code,
        title,
        Status.FAILED,
        seen,
        "Look at the figures of the rare classes; give their errors their own worth.",
        subject.show([i for i, label in enumerate(dataset.targets) if label in set(rare)]),
        len(rare),
    )


def out_of_scope(subject: Subject) -> Finding:
    """The out-of-scope class is named and does not occur (PF161).

    Example:
        >>> out_of_scope(Subject.of(["a"], ["x"])).detail
        'no out-of-scope class was named'
    """
    code, title = "PF161", "The out-of-scope class has rows"
    dataset = subject.dataset
    if dataset.label is None or dataset.out_of_scope is None:
        return not_applicable(code, title, "no out-of-scope class was named")
    n_rows = dataset.targets.count(dataset.out_of_scope)
    if n_rows:
        return passed(code, title, counted(n_rows, "row"))
    return Finding(
        code,
        title,
        Status.FAILED,
        f"no row has the label '{dataset.out_of_scope}'",
        did_you_mean(dataset.out_of_scope, dataset.labels)
        or "Label some requests that belong to no class with it.",
        n_affected=1,
    )
