"""Held-out rows: those that an artifact neither learnt from nor was chosen by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from payoff.artifact.manifest import Manifest
from payoff.core.errors import DataError
from payoff.data.dataset import Dataset
from payoff.data.splits import Split, split
from payoff.plan.parts import validation_share


@dataclass(frozen=True, eq=False, slots=True)
class HeldOut:
    """Rows on which an artifact may be judged.

    Args:
        rows: Positions in the data set, ascending.
        certain: Whether it is known that the artifact did not learn from them.
        note: How they were found, in one sentence.
    """

    rows: NDArray[np.int64]
    certain: bool
    note: str


def held_out(dataset: Dataset, test: Dataset | None, manifest: Manifest) -> HeldOut:
    """Find the rows of ``dataset`` and ``test`` together that an artifact has not seen.

    The data set is cut as the search that made the artifact cuts it, under its seed. Where the
    rows to learn from have the artifact's fingerprint, it was made from this very data, and the
    test rows are those it has not seen. Else all rows are taken, and it is said that nobody knows
    whether it has seen them.

    Args:
        dataset: Labelled rows.
        test: Rows to report on in a file of their own, which stand after those of ``dataset``.
        manifest: The artifact's.

    Example:
        >>> held_out(tickets, None, artifact.manifest).note  # doctest: +SKIP
        'quality is measured on the 459 test rows of 3,060, which the artifact has not seen'
    """
    n = len(dataset) + (len(test) if test is not None else 0)
    unknown = HeldOut(
        np.arange(n),
        certain=False,
        note=f"quality is measured on all {n:,} rows; whether the artifact learnt from some of"
        " them is not known, and then it is too good",
    )
    cut = next(
        (
            cut
            for rows in _as_learnt(dataset)
            if (cut := _cut(rows, test, manifest.seed)) is not None
            and _learnt(cut) == manifest.data_fingerprint
        ),
        None,
    )
    if cut is None:
        return unknown
    if test is not None:
        rows = np.arange(len(dataset), n)
    else:
        rows = np.flatnonzero(np.isin(dataset.rows, cut.test.rows))
    return HeldOut(
        rows,
        certain=True,
        note=f"quality is measured on the {len(rows):,} test rows of {n:,}, which the artifact has"
        " not seen",
    )


def _as_learnt(dataset: Dataset) -> Iterator[Dataset]:
    """The data set with the roles that its columns may have had for the search."""
    variants = (dataset, replace(dataset, segment=None), replace(dataset, segment=None, time=None))
    seen = []
    for variant in variants:
        columns = list(variant.roles.named.values())
        if variant.roles not in seen and len(set(columns)) == len(columns):
            seen.append(variant.roles)
            yield variant


def _cut(dataset: Dataset, test: Dataset | None, seed: int) -> Split | None:
    try:
        share = validation_share(dataset, test)
        return split(dataset, test_set=test, seed=seed, validation=share)
    except DataError:  # it cannot be cut, so nothing was learnt from it
        return None


def _learnt(cut: Split) -> str:
    return cut.train.concat(cut.validation).fingerprint
