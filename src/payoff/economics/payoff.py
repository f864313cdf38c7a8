"""Payoff: what one decision is worth."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.core.findings import Finding
from payoff.core.money import Money
from payoff.economics.actions import HANDOFF
from payoff.economics.class_value import ClassValue
from payoff.economics.payoff_check import check_labels, check_segments, findings_of
from payoff.economics.payoff_file import read_matrix
from payoff.economics.payoff_table import read_table
from payoff.economics.person import Person
from payoff.economics.segment_value import SegmentValue
from payoff.economics.stated import Stated
from payoff.economics.value_tables import Segments, ValueTables

_WHERE = "payoff.toml [value]"
Pair = tuple[str, str, float]


@dataclass(frozen=True)
class Payoff:
    """Worth of every action on every kind of request, in money per request.

    From simple to full: three scalars; `classes` for labels that are worth something else;
    `pairs` for single confusions; `matrix_values` for every cell. The more special one wins:
    pair over class over scalar.

    With a `person`, handing over a request whose true label is ``i`` is worth
    ``(1 − error_rate) × correct_i + error_rate × wrong_i − delay_cost − minutes / 60 × wage``:
    people err too, and their errors cost what the machine's do. A ``handoff`` value that is stated
    as a number is taken as all in, net of any wage.

    Args:
        correct: Worth of acting rightly.
        wrong: Worth of acting wrongly; usually negative.
        handoff: Worth of handing over to a person. Give this or ``person``, not both.
        currency: ISO 4217 code in capitals.
        classes: Overrides by true label.
        pairs: Overrides ``(truth, action, value)``; ``action`` is a label or ``"handoff"``.
        person: The people who answer what is handed over.
        nothing: Worth of not answering at all.
        matrix_values: Truth → action → value, every cell; the scalars are then not used.
        segments: What is worth something else to some customers, by the name of their segment. A
            figure that is stated there replaces the same one of the payoff.

    Raises:
        ProjectError: PF203 for each figure that is wrong; `EconomicsError` PF610 for the
            currency; `Problems` where there are several.

    Example:
        >>> worth = Payoff(correct=3.20, wrong=-7.50, handoff=-4.10, currency="USD")
        >>> worth.matrix(("billing", "refund"))
        array([[ 3.2, -7.5, -4.1],
               [-7.5,  3.2, -4.1]])
        >>> worth.of(truth="refund", action="handoff")
        Money(-4.1 USD)
    """

    correct: float
    wrong: float
    handoff: float | None = None
    currency: str = field(kw_only=True)
    classes: Mapping[str, ClassValue] = field(default_factory=dict, kw_only=True)
    pairs: Sequence[Pair] = field(default=(), kw_only=True)
    person: Person | None = field(default=None, kw_only=True)
    nothing: float = field(default=0.0, kw_only=True)
    matrix_values: Mapping[str, Mapping[str, float]] | None = field(default=None, kw_only=True)
    segments: Mapping[str, SegmentValue] = field(default_factory=dict, kw_only=True)

    def __post_init__(self) -> None:
        stated = Stated(_WHERE)
        stated.currency(self.currency)
        for key in ("correct", "wrong", "nothing"):
            stated.number(key, getattr(self, key))
        stated.optional("handoff", self.handoff)
        for label, value in self.classes.items():
            section = Stated(f"payoff.toml [value.classes.{label}]")
            value.check(section)
            stated.problems += section.problems
        self._check_pairs(stated)
        self._check_handoff(stated)
        for name, of_segment in self.segments.items():
            of_segment.check(
                name,
                stated,
                whole_matrix=self.matrix_values is not None,
                has_person=self.person is not None,
            )
        stated.raise_all()

    def _check_pairs(self, stated: Stated) -> None:
        seen: set[tuple[str, str]] = set()
        where = "payoff.toml [value.pairs]"
        for truth, action, value in self.pairs:
            pairs = Stated(where)
            pairs.number(f"{truth} -> {action}", value)
            stated.problems += pairs.problems
            if (truth, action) in seen:
                stated.wrong(f"the pair {truth} -> {action} is given twice", where=where)
            seen.add((truth, action))

    def _check_handoff(self, stated: Stated) -> None:
        if self.handoff is not None and self.person is not None:
            stated.wrong(
                "both 'handoff' and [person] say what handing over is worth",
                expected="one of them",
                mend="Remove 'handoff' to have it computed from the person's time.",
            )
        known = self.handoff is not None or self.person is not None
        by_class = any(value.handoff is not None for value in self.classes.values())
        if not known and not by_class and self.matrix_values is None:
            stated.wrong(
                "neither 'handoff' nor [person] is given",
                expected="what handing a request to a person is worth",
                mend="Write handoff = -4.10, or the person's minutes and wage_per_hour.",
            )

    def of_segment(self, name: str) -> Payoff:
        """What decisions are worth to one segment; to all of them where it has nothing of its own.

        Raises:
            Problems: PF203 where figures of the segment and of the payoff contradict each other.

        Example:
            >>> worth = Payoff(3, -7, -2, currency="EUR", segments={"vip": SegmentValue(wrong=-50)})
            >>> worth.of_segment("vip").wrong, worth.of_segment("others").wrong
            (-50, -7)
        """
        plain = replace(self, segments={})
        own = self.segments.get(name)
        return plain if own is None else replace(plain, **own.replacing(self.classes))

    def of(self, *, truth: str, action: str, segment: str = "") -> Money:
        """Worth of one action on a request with a known true label, net of the person's wage.

        Args:
            truth: Its label.
            action: A label, or ``"handoff"``.
            segment: The customer's; empty where it is not known.

        Raises:
            ProjectError: PF203 where the full matrix lacks the cell, or where nothing says what
                handing over a request with this label is worth.
        """
        if segment in self.segments:
            return self.of_segment(segment).of(truth=truth, action=action)
        if self.matrix_values is not None:
            cell = self._full_cell(truth, action)
        else:
            labels = tuple(dict.fromkeys((truth, truth if action == HANDOFF else action)))
            named = (*labels, HANDOFF)
            own = [pair for pair in self.pairs if pair[0] == truth and pair[1] in named]
            cell = float(self._filled(labels, own)[0, named.index(action)])
            self._check_valued((truth,), [cell])
        return Money.of(round(cell, 10), self.currency)

    def matrix(self, labels: Sequence[str], *, source: str = "the data") -> NDArray[np.float64]:
        """Worth of every action, net of the person's wage.

        Args:
            labels: The ``k`` labels in the order of the rows and columns.
            source: Name of the data for messages, such as ``"tickets.csv"``.

        Returns:
            Money per request, shape ``(k, k+1)``: rows are true labels, columns the actions, with
            ``handoff`` last.

        Raises:
            ProjectError: PF203 for every override of an unknown label and every missing cell;
                `Problems` where there are several.
        """
        check_labels(self, labels, source=source)
        if self.matrix_values is not None:
            rows = [self._full_row(label) for label in labels]
            return np.array([[row[action] for action in (*labels, HANDOFF)] for row in rows])
        values = self._filled(labels, self.pairs)
        self._check_valued(labels, values[:, -1])
        return values

    def gross_matrix(
        self, labels: Sequence[str], *, source: str = "the data"
    ) -> NDArray[np.float64]:
        """`matrix` without the wage: ``person.cost_each`` added back to the handoff column.

        The forecast books the wage as a cost of its own, so that ``gross − wage = net`` in every
        cell. Without a person, gross and net are the same.
        """
        values = self.matrix(labels, source=source)
        if self.person is not None:
            values[:, -1] += self.person.cost_each
        return values

    def gross_tables(self, labels: Sequence[str]) -> ValueTables:
        """`gross_matrix`, in general and by segment.

        Raises:
            ProjectError: PF203 as `matrix` does.
        """
        own = {name: self.of_segment(name).gross_matrix(labels) for name in self.segments}
        return ValueTables(self.gross_matrix(labels), own)

    def _filled(self, labels: Sequence[str], pairs: Sequence[Pair]) -> NDArray[np.float64]:
        """The matrix from scalars, classes and pairs; NaN where handing over is not valued."""
        k = len(labels)
        correct, wrong = np.full(k, float(self.correct)), np.full(k, float(self.wrong))
        index = {label: place for place, label in enumerate(labels)}
        for label, value in self.classes.items():
            if label in index:
                if value.correct is not None:
                    correct[index[label]] = value.correct
                if value.wrong is not None:
                    wrong[index[label]] = value.wrong
        values = np.empty((k, k + 1))
        values[:, :k] = wrong[:, None]
        np.fill_diagonal(values, correct)
        values[:, k] = self._handoff(correct, wrong)
        for label, value in self.classes.items():
            if label in index and value.handoff is not None:
                values[index[label], k] = value.handoff
        for truth, action, amount in pairs:
            values[index[truth], k if action == HANDOFF else index[action]] = amount
        return values

    def _handoff(
        self, correct: NDArray[np.float64], wrong: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Worth of handing over for each true label, before overrides, shape ``(k,)``."""
        if self.person is None:
            return np.full(len(correct), math.nan if self.handoff is None else self.handoff)
        error = self.person.error_rate
        answered = (1.0 - error) * correct + error * wrong
        return answered - self.person.delay_cost - self.person.cost_each

    def _full_row(self, truth: str) -> dict[str, float]:
        """One row of the full matrix, with ``handoff`` computed where a person is stated."""
        assert self.matrix_values is not None
        row = dict(self.matrix_values[truth])
        if self.person is not None:
            others = [value for action, value in row.items() if action != truth]
            wrong = sum(others) / len(others) if others else 0.0
            row[HANDOFF] = float(self._handoff(np.array([row[truth]]), np.array([wrong]))[0])
        return row

    def _full_cell(self, truth: str, action: str) -> float:
        if self.matrix_values is not None and truth in self.matrix_values:
            row = self._full_row(truth)
            if action in row:
                return row[action]
        stated = Stated("payoff matrix")
        stated.wrong(f"it has no cell for truth '{truth}' and action '{action}'")
        raise stated.problems[0]

    def _check_valued(self, labels: Sequence[str], handoffs: Iterable[float]) -> None:
        stated = Stated(_WHERE)
        for label, value in zip(labels, handoffs, strict=True):
            if math.isnan(value):
                stated.wrong(
                    f"nothing says what handing over a request of '{label}' is worth",
                    expected="'handoff', [person], or 'handoff' in this label's section",
                    where=f"payoff.toml [value.classes.{label}]",
                )
        stated.raise_all()

    def check_fits(
        self, labels: Sequence[str], segments: Segments | None, *, source: str = "the data"
    ) -> None:
        """Refuse a payoff for labels or segments that the data lack.

        Args:
            labels: The ``k`` labels.
            segments: Segment of each row; None where no column of segments is named.
            source: Name of the data for messages.

        Raises:
            ProjectError: PF203 for each; `Problems` where there are several.
        """
        self.matrix(labels, source=source)
        check_segments(self, segments, source=source)
        for name in self.segments:
            self.of_segment(name).matrix(labels, source=source)

    def check(self, labels: Sequence[str], *, source: str = "the data") -> list[Finding]:
        """Look for values that are possible but strange: PF651, PF652, PF653 and PF627.

        Raises:
            ProjectError: PF203 as `matrix` does.

        Example:
            >>> odd = Payoff(correct=1.0, wrong=2.0, handoff=1.5, currency="EUR")
            >>> [finding.code for finding in odd.check(("a", "b")) if finding.failed]
            ['PF651', 'PF652', 'PF653', 'PF627']
        """
        return findings_of(self.matrix(labels, source=source), labels)

    @classmethod
    def from_csv(
        cls,
        path: Path | str,
        *,
        currency: str,
        person: Person | None = None,
        nothing: float = 0.0,
    ) -> Payoff:
        """Read a full matrix: a header ``truth,LABEL,…,handoff`` and one row per true label.

        Args:
            path: CSV file in UTF-8.
            currency: Currency of all cells.
            person: Instead of the column ``handoff``, the people who answer. Their errors cost
                the mean of the row's wrong actions.
            nothing: Worth of not answering at all.

        Raises:
            ProjectError: PF203 for every missing, unknown or non-numeric cell, told together.
        """
        cells = read_matrix(Path(path), needs_handoff=person is None)
        return cls(0.0, 0.0, currency=currency, person=person, nothing=nothing, matrix_values=cells)

    def as_dict(self) -> dict[str, Any]:
        """The same under the keys of ``[value]``; the inverse of `from_dict`."""
        table: dict[str, Any] = {"currency": self.currency, "nothing": self.nothing}
        if self.matrix_values is not None:
            table["matrix"] = {truth: dict(row) for truth, row in self.matrix_values.items()}
        else:
            table |= {"correct": self.correct, "wrong": self.wrong}
        if self.handoff is not None:
            table["handoff"] = self.handoff
        if self.classes:
            table["classes"] = {label: value.as_dict() for label, value in self.classes.items()}
        if self.pairs:
            keys = ("truth", "action", "value")
            table["pairs"] = [dict(zip(keys, pair, strict=True)) for pair in self.pairs]
        if self.person is not None:
            table["person"] = self.person.as_dict()
        if self.segments:
            table["segments"] = {name: value.as_dict() for name, value in self.segments.items()}
        return table

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Payoff:
        """Read ``[value]``, telling all that is wrong with it at once.

        Raises:
            ProjectError: PF202 for unknown keys, PF203 for missing or wrong figures.

        Example:
            >>> worth = Payoff(3.2, -7.5, -4.1, currency="USD")
            >>> Payoff.from_dict(worth.as_dict()) == worth
            True
        """
        return cls(**read_table(table))
