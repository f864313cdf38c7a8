"""What is inspected, with the costly views of it made once for all checks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from payoff.core.findings import Finding, Status
from payoff.data.dataset import Dataset
from payoff.data.duplicates import NearPairs, alike, near_pairs
from payoff.data.personal import redact

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

N_SHOWN = 5
"""Rows shown with a finding."""
N_CHARACTERS_SHOWN = 120
_N_CHARACTERS_READ = 20_000


@dataclass(frozen=True, eq=False)
class Subject:
    """A data set under inspection.

    Attributes:
        dataset: The rows.
        test_set: Rows kept apart for the last measurement, or None.
        label_noise: Whether to train a cheap model in search of label errors.

    Example:
        >>> subject = Subject.of(["Hello!", "hello", "bye"])
        >>> subject.keys, subject.place.tolist()
        (['hello', 'bye'], [0, 0, 1])
    """

    dataset: Dataset
    test_set: Dataset | None = None
    label_noise: bool = False

    @classmethod
    def of(
        cls, texts: list[str], labels: list[str] | None = None, *, test: list[str] | None = None
    ) -> Subject:
        """A subject from lists of texts, labels and test texts."""
        columns = {"text": texts} if labels is None else {"text": texts, "label": labels}
        label = None if labels is None else "label"
        rows = Dataset.from_frame(_frame(columns), text="text", label=label)
        if test is None:
            return cls(rows)
        return cls(rows, Dataset.from_frame(_frame({"text": test}), text="text"))

    @cached_property
    def _alike(self) -> tuple[list[str], NDArray[np.int64]]:
        own = self.dataset.texts
        return alike(own if self.test_set is None else own + self.test_set.texts)

    @property
    def keys(self) -> list[str]:
        """Distinct normalised texts of the data set and the test set."""
        return self._alike[0]

    @property
    def place(self) -> NDArray[np.int64]:
        """Place in ``keys`` of each row of the data set, shape ``(n,)``."""
        return self._alike[1][: len(self.dataset)]

    @property
    def test_place(self) -> NDArray[np.int64]:
        """Place in ``keys`` of each row of the test set, shape ``(n_test,)``."""
        return self._alike[1][len(self.dataset) :]

    @cached_property
    def near(self) -> NearPairs:
        """Near pairs among ``keys``."""
        return near_pairs(self.keys)

    def show(self, indices: Iterable[int], **more: Any) -> tuple[dict[str, Any], ...]:
        """The first few of these rows, see `shown_rows`."""
        return shown_rows(self.dataset, indices, **more)


def _frame(columns: dict[str, list[str]]) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame(columns)


def shown_rows(dataset: Dataset, indices: Iterable[int], **more: Any) -> tuple[dict[str, Any], ...]:
    """Up to five rows as a finding shows them: numbered, redacted, shortened.

    Args:
        dataset: The rows.
        indices: Positions, from 0.
        **more: Further facts, the same for each row.

    Example:
        >>> import polars as pl
        >>> shown_rows(Dataset.from_frame(pl.DataFrame({"t": ["I am a@b.org"]}), text="t"), [0])
        ({'row': 1, 'text': 'I am [email]'},)
    """
    rows = []
    for index in list(indices)[:N_SHOWN]:
        row = {"row": int(dataset.rows[index]), "text": shortened(dataset.texts[index])}
        if dataset.label is not None:
            row["label"] = dataset.targets[index]
        rows.append(row | more)
    return tuple(rows)


def shortened(text: str) -> str:
    """A text without personal data, on one line, of at most 120 characters.

    Example:
        >>> len(shortened("word " * 100))
        120
    """
    # Far more than is shown, so that no address is cut in two and escapes.
    line = " ".join(redact(text[:_N_CHARACTERS_READ]).split())
    if len(line) <= N_CHARACTERS_SHOWN and len(text) <= _N_CHARACTERS_READ:
        return line
    return line[: N_CHARACTERS_SHOWN - 1].rstrip() + "…"


def passed(code: str, title: str, detail: str = "") -> Finding:
    """A finding that all is well.

    Example:
        >>> passed("PF151", "No text is empty").status.value
        'passed'
    """
    return Finding(code, title, Status.PASSED, detail)


def not_applicable(code: str, title: str, detail: str) -> Finding:
    """A finding that the question does not arise.

    Example:
        >>> not_applicable("PF158", "No two labels look alike", "no labels").status.value
        'not applicable'
    """
    return Finding(code, title, Status.NOT_APPLICABLE, detail)


def searched(code: str, title: str, near: NearPairs) -> Finding:
    """The finding where no near text was seen: passed only if all were compared.

    Example:
        >>> near = NearPairs(np.empty((0, 2), np.int64), "9 were not followed", complete=False)
        >>> searched("PF154", "No text nearly repeats another", near).status.value
        'not checked'
    """
    if near.complete:
        return passed(code, title, near.note)
    return Finding(
        code,
        title,
        Status.NOT_CHECKED,
        f"none was seen, but not all texts were compared: {near.note}",
        "Inspect a part of the rows.",
    )


def counted(n: int, noun: str) -> str:
    """A number with its noun.

    Example:
        >>> counted(1, "row"), counted(1200, "row")
        ('1 row', '1,200 rows')
    """
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
