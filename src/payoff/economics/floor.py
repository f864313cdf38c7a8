"""Floor: what a founder wants promised about errors, and how rows are counted for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import PayoffError, Problems, ProjectError, did_you_mean, raise_all
from payoff.economics.stated import Stated

Kind = Literal["missed", "wrong action"]
_WHERE = "payoff.toml [[floors]]"


@dataclass(frozen=True, slots=True)
class Floor:
    """A limit on errors that the machine makes by itself; handing over is no error.

    Two kinds, each for one label or for all:

    - ``"missed"``: among requests that truly have the label, the share that the machine answers as
      something else. For all labels: among all requests, the share that it answers wrongly.
    - ``"wrong action"``: among requests on which the machine acts as the label, the share that
      truly has another. For all labels: among those that it answers at all.

    Args:
        label: The label, or None for all.
        kind: Which of the two.
        at_most: The limit, above 0 and below 1.
        confidence: Probability, over the rows that it is proved on, that the limit holds for
            requests to come; above 0.5 and below 1. None promises the mean over such sets of rows
            only (`hold_floors`), which takes fewer of them; for ``"missed"`` alone.

    Raises:
        ProjectError: PF203 for each figure that is out of range, or where the kind is unknown.

    Example:
        >>> str(Floor("card_stolen", at_most=0.01))
        'at most 1% of card_stolen answered as something else, with 95% confidence'
    """

    label: str | None
    kind: Kind = "missed"
    at_most: float = field(kw_only=True)
    confidence: float | None = field(default=0.95, kw_only=True)

    def __post_init__(self) -> None:
        stated = Stated(_WHERE)
        if stated.number("at_most", self.at_most, above=0) >= 1:
            stated.wrong(f"'at_most' is {self.at_most!r}", expected="a share below 1")
        if self.kind not in get_args(Kind):
            stated.wrong(
                f"kind '{self.kind}' is unknown", expected=f"one of {', '.join(get_args(Kind))}"
            )
        if self.confidence is None:
            if self.kind == "wrong action":
                stated.wrong("a wrong action without a confidence", expected="confidence = 0.95")
        elif not 0.5 < stated.number("confidence", self.confidence) < 1:
            stated.wrong(f"'confidence' is {self.confidence!r}", expected="above 0.5, below 1")
        stated.raise_all()

    def __str__(self) -> str:
        if self.kind == "missed":
            told = f"of {self.label} answered as something else"
            told = told if self.label else "of all requests answered wrongly"
        else:
            told = f"of what is answered as {self.label}" if self.label else "of all answers"
            told += " wrong"
        sure = (
            f", with {_percent(self.confidence)} confidence" if self.confidence else " on average"
        )
        return f"at most {_percent(self.at_most)} {told}{sure}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values under the keys of ``[[floors]]``."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Floor:
        """Read one ``[[floors]]``; the inverse of `as_dict`.

        ``label`` left out means all labels; ``confidence = 0`` means the mean only, since TOML has
        no word for nothing.

        Raises:
            ProjectError: PF202 for unknown keys, PF203 for missing or wrong figures.

        Example:
            >>> Floor.from_dict({"label": "refund", "at_most": 0.02}).confidence
            0.95
        """
        stated = Stated(_WHERE)
        stated.keys(table, (item.name for item in fields(cls)))
        if "at_most" not in table:
            stated.wrong("'at_most' is missing", expected="a share above 0 and below 1")
        for key in ("label", "kind"):
            if not isinstance(table.get(key, ""), str | None):
                stated.wrong(f"'{key}' is {table[key]!r}", expected="text in quotes")
        stated.raise_all()
        given = dict(table)
        if given.get("confidence") == 0:
            given["confidence"] = None
        return cls(given.pop("label", None), given.pop("kind", "missed"), **given)

    def place(self, labels: Sequence[str]) -> int | None:
        """Index of its label; None where it is for all.

        Raises:
            ProjectError: PF203 where the labels lack it.

        Example:
            >>> Floor("b", at_most=0.1).place(("a", "b"))
            1
        """
        if self.label is None:
            return None
        if self.label not in labels:
            raise ProjectError(
                "PF203",
                _WHERE,
                f"label '{self.label}' is not in the data",
                expected=f"one of {', '.join(labels[:10])}",
                mend=did_you_mean(self.label, labels),
            )
        return list(labels).index(self.label)

    def cells(self, labels: Sequence[str]) -> NDArray[np.bool_]:
        """The errors that it limits, by truth and action: ``(k, k+1)``.

        Example:
            >>> Floor("b", at_most=0.1).cells(("a", "b")).astype(int)
            array([[0, 0, 0],
                   [1, 0, 0]])
        """
        k, place = len(labels), self.place(labels)
        wrong = np.zeros((k, k + 1), dtype=np.bool_)
        wrong[:, :k] = ~np.eye(k, dtype=np.bool_)
        if place is None:
            return wrong
        mine = np.zeros_like(wrong)
        mine[(place, ...) if self.kind == "missed" else (..., place)] = True
        limited: NDArray[np.bool_] = wrong & mine
        return limited

    def counted(
        self, labels: Sequence[str], truth: NDArray[np.int64], actions: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Which rows the share is of; ``truth`` and ``actions`` of one shape, ``(…, n)``.

        Example:
            >>> floor = Floor("b", "wrong action", at_most=0.1)
            >>> floor.counted(("a", "b"), np.array([0, 1, 1]), np.array([1, 1, 2]))
            array([ True,  True, False])
        """
        place = self.place(labels)
        told: NDArray[np.bool_]
        if self.kind == "missed":
            told = np.ones(actions.shape, bool) if place is None else truth == place
        else:
            told = actions < len(labels) if place is None else actions == place
        return np.broadcast_to(told, actions.shape)


def floors_of(tables: Sequence[Any]) -> tuple[Floor, ...]:
    """All ``[[floors]]`` of a project file.

    Raises:
        ProjectError: PF202 and PF203 as `Floor.from_dict`; `Problems` where there are several.

    Example:
        >>> floors_of([{"at_most": 0.05}, {"label": "refund", "at_most": 0.02}])[1].label
        'refund'
    """
    problems: list[PayoffError] = []
    floors = []
    for number, table in enumerate(tables, 1):
        where = f"payoff.toml [[floors]] {number}"
        if not isinstance(table, Mapping):
            problems.append(ProjectError("PF203", where, f"{table!r} is wrong", expected="a table"))
            continue
        try:
            floors.append(Floor.from_dict(table))
        except Problems as found:
            problems.extend(found.problems)
        except PayoffError as error:
            problems.append(error)
    raise_all(problems)
    return tuple(floors)


def floor_problems(floors: Sequence[Floor], labels: Sequence[str]) -> list[PayoffError]:
    """A PF203 for each floor on a label that the labels lack.

    Example:
        >>> floor_problems([Floor("b", at_most=0.1)], ("a", "b"))
        []
    """
    problems: list[PayoffError] = []
    for floor in floors:
        try:
            floor.place(labels)
        except PayoffError as error:
            problems.append(error)
    return problems


def _percent(share: float) -> str:
    return f"{100 * share:.4g}%"
