"""Allotment: which row goes to which part, by class, by group or by time."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

TRAIN, VALIDATION, TEST = 0, 1, 2


def allot_by_class(
    texts: Sequence[str],
    targets: Sequence[str],
    clusters: Ints,
    fractions: tuple[float, float],
    seed: int,
) -> Ints:
    """Whole clusters to parts, each class in proportion; shape ``(n,)`` of part numbers.

    A cluster counts for the class most of its rows have. A class of three clusters or more stands
    in each part that is asked for; one of fewer goes to training.

    Args:
        texts: The texts; their hashes with the seed give the random order.
        targets: The labels.
        clusters: Rows of the same number stay together.
        fractions: Of validation and of test; 0 leaves a part empty.
        seed: Seed of the order.

    Example:
        >>> part = allot_by_class(list("abcdef"), ["y"] * 6, np.arange(6), (0.2, 0.2), 0)
        >>> np.bincount(part).tolist()
        [4, 1, 1]
    """
    members: dict[int, list[int]] = defaultdict(list)
    for row, cluster in enumerate(clusters.tolist()):
        members[cluster].append(row)
    of_class: dict[str, list[list[int]]] = defaultdict(list)
    for rows in members.values():
        counts = Counter(targets[row] for row in rows)
        of_class[min(counts, key=lambda label: (-counts[label], label))].append(rows)
    part = np.full(len(texts), TRAIN, dtype=np.int64)
    for units in of_class.values():
        units.sort(key=lambda rows: min(_lot(texts[row], seed) for row in rows))
        for number, rows in _cut_class(units, fractions):
            part[rows] = number
    return part


def _cut_class(
    units: list[list[int]], fractions: tuple[float, float]
) -> Iterable[tuple[int, list[int]]]:
    """Units of one class that go to test or validation; the rest stay in training."""
    n_rows = sum(map(len, units))
    wanted = [(TEST, fractions[1]), (VALIDATION, fractions[0])]
    wanted = [(number, fraction) for number, fraction in wanted if fraction > 0]
    free = list(units)
    if len(free) <= len(wanted):
        return
    for place, (number, fraction) in enumerate(wanted):
        target = max(1, round(fraction * n_rows))
        to_leave = len(wanted) - place
        taken = 0
        for rows in list(free):
            if taken + len(rows) <= target and len(free) > to_leave:
                free.remove(rows)
                taken += len(rows)
                yield number, rows
        if not taken:
            # All clusters are larger than the share: the smallest comes nearest to it.
            smallest = min(free, key=len)
            free.remove(smallest)
            yield number, smallest


def allot_groups(
    groups: Sequence[str],
    texts: Sequence[str],
    targets: Sequence[str],
    fractions: tuple[float, float],
    seed: int,
) -> Ints:
    """Whole groups to parts, each class as near to its proportion as groups allow.

    Groups are dealt from the largest to the part that lacks most of the classes they hold
    (after Sechidis, Tsoumakas and Vlahavas 2011). A row without a group is a group of its own.

    Args:
        groups: Group of each row; empty for none.
        texts: The texts.
        targets: The labels.
        fractions: Of validation and of test; 0 leaves a part empty.
        seed: Seed of the order among groups of one size.

    Example:
        >>> part = allot_groups(list("aabbcc"), list("uvwxyz"), ["y"] * 6, (0.3, 0.3), 0)
        >>> bool(part[0] == part[1]), np.bincount(part).tolist()
        (True, [2, 2, 2])
    """
    labels, codes = np.unique(np.array(targets, dtype=object).astype(str), return_inverse=True)
    members: dict[tuple[str, int], list[int]] = defaultdict(list)
    for row, group in enumerate(groups):
        members[(group, 0) if group.strip() else ("", row + 1)].append(row)

    def turn(item: tuple[tuple[str, int], list[int]]) -> tuple[int, bytes]:
        (group, _), rows = item
        return -len(rows), _lot(group or texts[rows[0]], seed)

    shares = np.array([1 - sum(fractions), *fractions])
    wanted = shares[:, None] * np.bincount(codes, minlength=len(labels))
    have = np.zeros_like(wanted)
    part = np.empty(len(groups), dtype=np.int64)
    for _, rows in sorted(members.items(), key=turn):
        own, counts = np.unique(codes[rows], return_counts=True)
        # The share of each class that a part would still lack after taking the group.
        lack = (wanted[:, own] - have[:, own] - counts / 2) / np.maximum(wanted[:, own], 1e-9)
        score = np.where(shares > 0, lack @ counts, -np.inf)
        number = int(np.argmax(score))
        have[number, own] += counts
        part[rows] = number
    return _without_empty_parts(part, members.values(), shares)


def _without_empty_parts(
    part: Ints, members: Iterable[list[int]], shares: NDArray[np.float64]
) -> Ints:
    """Give a part that was left empty the smallest group of a part that has several."""
    held: dict[int, list[list[int]]] = defaultdict(list)
    for rows in members:
        held[int(part[rows[0]])].append(rows)
    for number in (TRAIN, VALIDATION, TEST):
        if shares[number] > 0 and not held[number]:
            donors = [units for units in held.values() if len(units) > 1]
            if donors:
                donor = max(donors, key=lambda units: sum(map(len, units)))
                rows = min(donor, key=len)
                donor.remove(rows)
                held[number].append(rows)
                part[rows] = number
    return part


def allot_times(times: NDArray[np.float64], fractions: tuple[float, float]) -> Ints:
    """Earliest rows to training, the next to validation, the latest to test.

    Rows of the same moment stay in one part: the earlier one.

    Example:
        >>> allot_times(np.array([3.0, 1.0, 2.0, 4.0]), (0.25, 0.25)).tolist()
        [1, 0, 0, 2]
    """
    n = len(times)
    order = np.argsort(times, kind="stable")
    n_test = max(1, round(fractions[1] * n)) if fractions[1] > 0 else 0
    n_validation = max(1, round(fractions[0] * n))
    part = np.full(n, TRAIN, dtype=np.int64)
    part[order[n - n_test - n_validation :]] = VALIDATION
    if n_test:
        part[order[n - n_test :]] = TEST
    first_of_moment: dict[float, int] = {}
    for moment, number in zip(times[order].tolist(), part[order].tolist(), strict=True):
        first_of_moment.setdefault(moment, number)
    return np.array([first_of_moment[moment] for moment in times.tolist()], dtype=np.int64)


def _lot(text: str, seed: int) -> bytes:
    """A number drawn for a text: the same in any order of rows and any file format."""
    return hashlib.blake2b(text.encode(), digest_size=16, key=str(seed).encode()).digest()
