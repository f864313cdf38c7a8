"""Feedback as rows of the project: the same columns, so that one search learns from both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import polars as pl

from payoff.core.pair import SIGN
from payoff.data.dataset import Dataset
from payoff.data.later import one_after_the_other
from payoff.plan.retraining.gathered import LabelledRow


def with_feedback(dataset: Dataset, rows: Sequence[LabelledRow]) -> tuple[Dataset, str]:
    """The project's rows, then those of feedback, which are marked as having come later.

    Args:
        dataset: The project's rows.
        rows: Labelled requests.

    Returns:
        All rows, and what had to be given up for it; empty where nothing had.
    """
    note = ""
    if dataset.time is not None and not _are_dates(dataset):
        note = f"the column '{dataset.time}' holds no dates: rows are not cut by time"
        dataset = replace(dataset, time=None)
    columns = dataset.roles.named
    cells: dict[str, list[str]] = {
        columns["text"]: [row.text.partition(SIGN)[0] for row in rows],
        columns["label"]: [row.label for row in rows],
    }
    for role, values in (
        ("group", [row.customer or row.request_id for row in rows]),
        ("time", [row.time_utc for row in rows]),
        ("segment", [row.segment for row in rows]),
        ("pair", [row.text.partition(SIGN)[2] for row in rows]),
    ):
        if role in columns:
            cells.setdefault(columns[role], values)
    named = {role: column for role, column in columns.items() if role not in ("text", "label")}
    told = Dataset.from_frame(
        pl.DataFrame(cells, schema=dict.fromkeys(cells, pl.String)),
        text=columns["text"],
        label=columns["label"],
        **named,
        out_of_scope=dataset.out_of_scope,
        source="feedback",
    )
    return one_after_the_other(dataset, told), note


def _are_dates(dataset: Dataset) -> bool:
    for value in dataset.column("time")[:1]:
        try:
            float(value)
        except ValueError:
            pass
        else:
            return False
        try:
            datetime.fromisoformat(value)
        except ValueError:
            return False
    return True
