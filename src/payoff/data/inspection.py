"""Inspection: every check of a data set, in one stable order."""

from __future__ import annotations

from collections.abc import Callable

from payoff.core.findings import Finding
from payoff.data.checks import label_errors, labels, language, leakage, privacy, texts
from payoff.data.checks.subject import Subject
from payoff.data.dataset import Dataset

Check = Callable[[Subject], Finding]

CHECKS: tuple[Check, ...] = (
    texts.empty_texts,
    texts.repeated_texts,
    texts.contradictory_texts,
    texts.near_texts,
    texts.long_texts,
    texts.damaged_texts,
    language.mixed_languages,
    labels.alike_labels,
    labels.small_classes,
    labels.imbalance,
    labels.out_of_scope,
    label_errors.label_errors,
    privacy.personal_data,
    leakage.repeated_test_texts,
    leakage.near_test_texts,
    leakage.shared_groups,
    leakage.later_rows,
)
"""All checks, in the order of their codes."""


def inspect(
    dataset: Dataset, *, test_set: Dataset | None = None, label_noise: bool = False
) -> list[Finding]:
    """Run every check; one finding each, in the order of `CHECKS`.

    Args:
        dataset: The rows to train on.
        test_set: Rows kept apart for the last measurement; adds the checks of leakage.
        label_noise: Also train a cheap model that looks for label errors (extra ``tune``;
            seconds to minutes).

    Raises:
        DataError: PF109 where times cannot be put in order.

    Example:
        >>> import polars as pl
        >>> table = pl.DataFrame({"t": ["lost card", "", "Lost card!"], "y": ["a", "a", "b"]})
        >>> found = inspect(Dataset.from_frame(table, text="t", label="y"))
        >>> [f.code for f in found if f.failed]
        ['PF151', 'PF152', 'PF153', 'PF159']
    """
    subject = Subject(dataset, test_set, label_noise)
    return [check(subject) for check in CHECKS]
