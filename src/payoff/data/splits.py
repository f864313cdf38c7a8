"""Splits: rows to learn from, rows to choose by, rows to report on, without leakage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from payoff.core.errors import DataError
from payoff.core.findings import Finding, Status
from payoff.data.allotment import TEST, TRAIN, VALIDATION, allot_by_class, allot_groups, allot_times
from payoff.data.checks.subject import counted, searched, shown_rows
from payoff.data.dataset import Dataset
from payoff.data.duplicates import NearPairs, alike, clusters, near_pairs, touching
from payoff.data.times import order_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

By = Literal["auto", "random", "group", "time"]
MIN_TRAIN_ROWS = 2
"""Rows of a class in the training part below which it cannot be learnt."""


@dataclass(frozen=True, slots=True)
class Split:
    """Three parts of the data that share no text, and what had to be done for it.

    Attributes:
        train: Rows to learn from.
        validation: Rows to choose and calibrate by.
        test: Rows to report on; used once.
        findings: What was dropped or lacks, one finding each.
        how: One sentence on how the parts were cut.

    Example:
        >>> import polars as pl
        >>> table = pl.DataFrame({"t": list("abcdefgh"), "y": ["x", "y"] * 4})
        >>> split(Dataset.from_frame(table, text="t", label="y")).how
        'at random in proportion to the classes, seed 0: 4 training, 2 validation, 2 test'
    """

    train: Dataset
    validation: Dataset
    test: Dataset
    findings: tuple[Finding, ...]
    how: str


def split(
    dataset: Dataset,
    *,
    by: By = "auto",
    validation: float = 0.15,
    test: float = 0.15,
    test_set: Dataset | None = None,
    seed: int = 0,
) -> Split:
    """Cut a data set into training, validation and test rows.

    Rows with an empty text are left out. Texts that are alike or near (see
    `payoff.data.duplicates`) never stand in two parts:

    - at random, clusters of such texts go to one part as a whole;
    - by group or time, where that would break the groups or the order, the later part (test
      after validation after training) loses the rows that an earlier part has;
    - a ``test_set`` is never altered: the other parts lose the rows that it has, and those of its
      groups where the split is by group.

    One text with two labels stays where it is: which is right is for the user to say.
    The same rows, fractions and seed give the same parts, in whatever order the rows came
    (by group or at random).

    Args:
        dataset: Labelled rows.
        by: ``"random"`` in proportion to the classes; ``"group"``, where no group stands in two
            parts; ``"time"``, earliest rows first; ``"auto"`` takes group, else time, else random
            by the columns that the data set names.
        validation: Fraction of rows to choose by; with ``test_set``, of the rows not in it.
        test: Fraction of rows to report on; ignored with ``test_set``.
        test_set: Rows to report on, where they are kept apart already.
        seed: Seed of the random order.

    Raises:
        DataError: PF103 no label, group or time column; PF104 fewer than two classes;
            PF106 too few rows; PF109 times that cannot be ordered; PF110 fractions that
            leave nothing.

    Example:
        >>> import polars as pl
        >>> words = "one two three four five six seven eight nine ten".split()
        >>> table = pl.DataFrame({"t": words, "y": ["odd", "even"] * 5})
        >>> parts = split(Dataset.from_frame(table, text="t", label="y"), test=0.2, validation=0.2)
        >>> len(parts.train), len(parts.validation), len(parts.test)
        (6, 2, 2)
    """
    way = _way(dataset, by)
    fractions = _fractions(validation, 0.0 if test_set is not None else test)
    rows = np.array([i for i, t in enumerate(dataset.texts) if t.strip()], dtype=np.int64)
    findings = [_empty_finding(dataset, rows)]
    kept = dataset.take(rows)
    _require_classes(kept)
    if test_set is not None:
        fresh, said = _without_test_rows(kept, test_set, way)
        findings += said
        kept = kept.take(fresh)
        _require_classes(kept)
    keys, place = alike(kept.texts)
    near = near_pairs(keys)
    alike_rows = clusters(len(keys), near.pairs)[place]
    part, repeats = _without_repeats(
        kept, _WAYS[way](kept, alike_rows, fractions, seed), alike_rows, way
    )
    findings.append(_with_note(repeats, near))
    parts = [kept.take(np.flatnonzero(part == number)) for number in (TRAIN, VALIDATION, TEST)]
    if test_set is not None:
        parts[TEST] = test_set
    _require_rows(parts, dataset.source)
    findings += _class_findings(parts)
    how = _how(way, parts, test_set, seed)
    return Split(parts[TRAIN], parts[VALIDATION], parts[TEST], tuple(findings), how)


def _way(dataset: Dataset, by: str) -> str:
    if by == "auto":
        return "group" if dataset.group else "time" if dataset.time else "random"
    if by not in get_args(By):
        raise DataError(
            "PF110", "split by", f"'{by}' is no way to split", expected=f"one of {get_args(By)}"
        )
    if by in ("group", "time"):
        dataset.column(by)
    return by


def _fractions(validation: float, test: float) -> tuple[float, float]:
    if not (0 < validation < 1 and 0 <= test < 1 and validation + test < 1):
        raise DataError(
            "PF110",
            "split fractions",
            f"validation {validation} and test {test} leave no three parts",
            expected="positive fractions whose sum is below 1, such as 0.15 and 0.15",
        )
    return validation, test


def _require_classes(dataset: Dataset) -> None:
    if not len(dataset):
        raise DataError(
            "PF106", dataset.source, "no row is left to train on", mend="Add labelled rows."
        )
    if len(dataset.labels) < 2:
        raise DataError(
            "PF104",
            dataset.source,
            f"all rows have the label '{dataset.labels[0]}'",
            expected="at least two classes",
            mend="Check that the label column is the right one.",
        )


def _empty_finding(dataset: Dataset, rows: Ints) -> Finding:
    title = "No empty text had to be left out"
    n_empty = len(dataset) - len(rows)
    if not n_empty:
        return Finding("PF171", title, Status.PASSED)
    empty = np.setdiff1d(np.arange(len(dataset)), rows)
    return Finding(
        "PF171",
        title,
        Status.FAILED,
        f"{counted(n_empty, 'row')} with an empty text were left out of all parts",
        "Remove those rows, or fill in the texts.",
        shown_rows(dataset, empty.tolist()),
        n_empty,
    )


def _without_test_rows(kept: Dataset, test_set: Dataset, way: str) -> tuple[Ints, list[Finding]]:
    """Positions of rows that a given test set does not hold, and what was dropped."""
    keys, place = alike(kept.texts + test_set.texts)
    tested = np.isin(np.arange(len(keys)), place[len(kept) :])
    near = near_pairs(keys)
    repeated = touching(tested, near.pairs)[place[: len(kept)]]
    title = "No row had to be dropped because the test set has its text"
    dropped = _dropped(kept, "PF172", title, repeated, "repeat a test text, exactly or nearly,")
    findings = [_with_note(dropped, near)]
    if way == "group" and test_set.group is not None:
        groups = {group for group in test_set.column("group") if group.strip()}
        shared = np.array([group in groups for group in kept.column("group")], dtype=bool)
        title = "No row had to be dropped because the test set has its group"
        findings.append(_dropped(kept, "PF173", title, shared, "belong to a group of the test set"))
        repeated |= shared
    if way == "time" and test_set.time is not None:
        findings.append(_late_finding(kept, test_set))
    return np.flatnonzero(~repeated), findings


def _with_note(finding: Finding, near: NearPairs) -> Finding:
    """The finding with what was not compared; it has not passed where that may hide something."""
    if not finding.failed:
        return searched(finding.code, finding.title, near)
    return replace(finding, detail="; ".join(filter(None, [finding.detail, near.note])))


def _dropped(kept: Dataset, code: str, title: str, rows: NDArray[np.bool_], why: str) -> Finding:
    n_rows = int(rows.sum())
    if not n_rows:
        return Finding(code, title, Status.PASSED)
    return Finding(
        code,
        title,
        Status.FAILED,
        f"{n_rows:,} of {counted(len(kept), 'row')} {why} and were dropped from training and"
        " validation; the test set was left as it is",
        "Nothing need be done.",
        shown_rows(kept, np.flatnonzero(rows).tolist()),
        n_rows,
    )


def _late_finding(kept: Dataset, test_set: Dataset) -> Finding:
    title = "All rows to train on are earlier than the test set"
    times = order_values(
        kept.column("time") + test_set.column("time"), f"{kept.source} {kept.time}"
    )
    late = np.flatnonzero(times[: len(kept)] >= times[len(kept) :].min())
    if not len(late):
        return Finding("PF174", title, Status.PASSED)
    return Finding(
        "PF174",
        title,
        Status.FAILED,
        f"{counted(len(late), 'row')} are not earlier than the first test row; they were kept",
        "Give rows from before the test period only.",
        shown_rows(kept, late.tolist()),
        len(late),
    )


def _without_repeats(kept: Dataset, part: Ints, alike_rows: Ints, way: str) -> tuple[Ints, Finding]:
    """Parts in which later ones have lost (-1) the texts of earlier ones, and how many."""
    title = "No text had to be kept from standing in two parts"
    earliest: dict[int, int] = {}
    for cluster, number in zip(alike_rows.tolist(), part.tolist(), strict=True):
        earliest[cluster] = min(earliest.get(cluster, number), number)
    own = np.array([earliest[cluster] for cluster in alike_rows.tolist()], dtype=np.int64)
    repeated = part > own
    n_rows = int(repeated.sum())
    if n_rows:
        return np.where(repeated, -1, part), Finding(
            "PF175",
            title,
            Status.FAILED,
            f"{counted(n_rows, 'row')} of validation or test repeat, exactly or nearly, a text of"
            f" an earlier part and were dropped, since the split is by {way}",
            "Nothing need be done; the figures are those of new texts.",
            shown_rows(kept, np.flatnonzero(repeated).tolist()),
            n_rows,
        )
    sizes = Counter(alike_rows.tolist())
    together = [i for i, cluster in enumerate(alike_rows.tolist()) if sizes[cluster] > 1]
    if not together:
        return part, Finding("PF175", title, Status.PASSED)
    return part, Finding(
        "PF175",
        title,
        Status.FAILED,
        f"{counted(len(together), 'row')} repeat one another, exactly or nearly; those that do"
        " were kept in one part",
        "Nothing need be done.",
        shown_rows(kept, together),
        len(together),
    )


def _require_rows(parts: list[Dataset], source: str) -> None:
    learnable = [n for n in Counter(parts[TRAIN].targets).values() if n >= MIN_TRAIN_ROWS]
    names = ("training", "validation", "test")
    empty = [name for name, rows in zip(names, parts, strict=True) if not len(rows)]
    if len(learnable) >= 2 and not empty:
        return
    sizes = ", ".join(f"{name} {len(rows)}" for name, rows in zip(names, parts, strict=True))
    found = (
        f"no row is left for {' and '.join(empty)}"
        if empty
        else f"fewer than two classes have {MIN_TRAIN_ROWS} rows to train on"
    )
    raise DataError(
        "PF106",
        source,
        f"{found} ({sizes})",
        expected="two classes with at least 4 different texts each, from several groups or times"
        " where the split is by those",
        mend="Add labelled rows.",
    )


def _class_findings(parts: list[Dataset]) -> list[Finding]:
    """Classes that cannot be learnt (PF176), and classes that a part lacks (PF177)."""
    sizes = [Counter(part.targets) for part in parts]
    labels = sorted(set().union(*sizes))
    few = [label for label in labels if sizes[TRAIN][label] < MIN_TRAIN_ROWS]
    title = f"Every class has at least {MIN_TRAIN_ROWS} rows to train on"
    told = [Finding("PF176", title, Status.PASSED)]
    if few:
        rows = [i for i, label in enumerate(parts[TRAIN].targets) if label in set(few)]
        told = [
            Finding(
                "PF176",
                title,
                Status.FAILED,
                f"too few rows of {_named(few)}",
                "Label more rows of these, or leave the classes out.",
                shown_rows(parts[TRAIN], rows),
                len(few),
            )
        ]
    lacking = [label for label in labels if not all(size[label] for size in sizes)]
    title = "Every class stands in every part"
    if not lacking:
        return [*told, Finding("PF177", title, Status.PASSED)]
    return [
        *told,
        Finding(
            "PF177",
            title,
            Status.FAILED,
            f"{_named(lacking)} are missing in training, validation or test",
            "Figures for these are not measured in every part; label more rows of them.",
            n_affected=len(lacking),
        ),
    ]


def _named(labels: list[str]) -> str:
    return ", ".join(f"'{label}'" for label in labels[:5]) + (
        f" and {len(labels) - 5} more" if len(labels) > 5 else ""
    )


def _how(way: str, parts: list[Dataset], test_set: Dataset | None, seed: int) -> str:
    ways = {
        "random": f"at random in proportion to the classes, seed {seed}",
        "group": f"by '{parts[TRAIN].group}', whole groups, seed {seed}",
        "time": f"by '{parts[TRAIN].time}', earliest rows first",
    }
    given = f"; the test set is {test_set.source}" if test_set is not None else ""
    sizes = ", ".join(
        f"{len(part):,} {name}"
        for part, name in zip(parts, ("training", "validation", "test"), strict=True)
    )
    return f"{ways[way]}: {sizes}{given}"


def _random(kept: Dataset, alike_rows: Ints, fractions: tuple[float, float], seed: int) -> Ints:
    return allot_by_class(kept.texts, kept.targets, alike_rows, fractions, seed)


def _group(kept: Dataset, alike_rows: Ints, fractions: tuple[float, float], seed: int) -> Ints:
    return allot_groups(kept.column("group"), kept.texts, kept.targets, fractions, seed)


def _time(kept: Dataset, alike_rows: Ints, fractions: tuple[float, float], seed: int) -> Ints:
    return allot_times(order_values(kept.column("time"), f"{kept.source} {kept.time}"), fractions)


_WAYS: dict[str, Callable[[Dataset, Ints, tuple[float, float], int], Ints]] = {
    "random": _random,
    "group": _group,
    "time": _time,
}
