"""Parts: the rows of a search as arrays, each row's role known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from payoff.core.findings import Finding, Status
from payoff.data.dataset import Dataset
from payoff.data.splits import Split
from payoff.economics.value_tables import Segments, segment_names

_FEW_TEST_ROWS = 100


@dataclass(frozen=True)
class Parts:
    """Texts and classes of a split.

    Args:
        labels: Class names, sorted: those that occur in training.
        learnt_texts: Training texts, then validation texts.
        learnt_targets: Their classes as indices into ``labels``.
        n_train: How many are training texts.
        test_texts: Texts to report on.
        test_targets: Their classes.
        findings: What was left out, and why.
        validation_segments: Segments of the validation texts; None where none are known.
        test_segments: Those of the test texts; None where none are known.
    """

    labels: tuple[str, ...]
    learnt_texts: tuple[str, ...]
    learnt_targets: NDArray[np.int64]
    n_train: int
    test_texts: tuple[str, ...]
    test_targets: NDArray[np.int64]
    findings: tuple[Finding, ...]
    validation_segments: Segments | None = None
    test_segments: Segments | None = None

    @property
    def train(self) -> NDArray[np.int64]:
        """Training rows among the learnt."""
        return np.arange(self.n_train)

    @property
    def validation(self) -> NDArray[np.int64]:
        """Validation rows among the learnt."""
        return np.arange(self.n_train, len(self.learnt_texts))

    @property
    def train_texts(self) -> tuple[str, ...]:
        """Training texts."""
        return self.learnt_texts[: self.n_train]


def parts_of(cut: Split) -> Parts:
    """Turn a split into arrays; rows of a class that training lacks are left out, and said."""
    labels = cut.train.labels
    validation, lost_validation = known_rows(cut.validation, labels)
    test, lost_test = known_rows(cut.test, labels)
    lost = lost_validation + lost_test
    finding = Finding(
        "PF470",
        "Every class to be judged occurs in training",
        Status.FAILED if lost else Status.PASSED,
        f"{lost} validation and test rows are of classes that training never saw, and were left out"
        if lost
        else "",
        mend="Add training rows of those classes." if lost else "",
        n_affected=lost,
    )
    return Parts(
        labels,
        (*cut.train.texts, *validation.texts),
        np.concatenate([cut.train.codes(labels), validation.codes(labels)]),
        len(cut.train),
        tuple(test.texts),
        test.codes(labels),
        (*cut.findings, finding, _enough_to_report(len(test))),
        validation_segments=segments_of(validation),
        test_segments=segments_of(test),
    )


def segments_of(dataset: Dataset) -> Segments | None:
    """Segment of each row, ``(n,)``; None where no column of segments is named.

    Example:
        >>> import polars as pl
        >>> rows = pl.DataFrame({"text": ["a", "b"], "plan": ["free", None]})
        >>> segments_of(Dataset.from_frame(rows, text="text", segment="plan")).tolist()
        ['free', '']
    """
    return None if dataset.segment is None else segment_names(dataset.column("segment"))


def _enough_to_report(n_test: int) -> Finding:
    """A resampled row can show no error that no row shows; few rows show few of them."""
    few = n_test < _FEW_TEST_ROWS
    return Finding(
        "PF471",
        "There are enough test rows to trust the interval",
        Status.FAILED if few else Status.PASSED,
        f"{n_test} test rows",
        mend=f"Label at least {_FEW_TEST_ROWS} rows to report on; until then, read the interval "
        "as too narrow."
        if few
        else "",
        n_affected=n_test if few else 0,
    )


def known_rows(dataset: Dataset, labels: tuple[str, ...]) -> tuple[Dataset, int]:
    """The rows of labels that training knows, and how many others there are."""
    known = set(labels)
    rows = [i for i, target in enumerate(dataset.targets) if target in known]
    if len(rows) == len(dataset):
        return dataset, 0
    return dataset.take(rows), len(dataset) - len(rows)


def validation_share(dataset: Dataset, test: Dataset | None) -> float:
    """Enough rows to choose and calibrate by, and no more: 12 % where the test is apart."""
    share = 0.12 if test is not None else 0.15
    return float(np.clip(share, 200 / max(len(dataset), 1), 0.3))
