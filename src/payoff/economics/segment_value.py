"""SegmentValue: where decisions are worth something else to one segment of the customers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from payoff.economics.class_value import ClassValue
from payoff.economics.stated import Stated

_FIGURES = ("correct", "wrong", "handoff")
_UNCHANGED: Callable[[float], float] = float


@dataclass(frozen=True, slots=True)
class SegmentValue:
    """What replaces the figures of a payoff for requests of one segment; None keeps the payoff's.

    Args:
        correct: Worth of acting rightly.
        wrong: Worth of acting wrongly.
        handoff: Worth of handing over, all in. Where the payoff has a person, it follows from that
            person's time and errors in every segment, and is not stated here.
        classes: Overrides by true label. They stand above those of the payoff, figure by figure;
            those in turn stand above the three figures here, being more special.

    Example:
        >>> SegmentValue(wrong=-50.0, classes={"fraud": ClassValue(wrong=-900.0)}).as_dict()
        {'wrong': -50.0, 'classes': {'fraud': {'wrong': -900.0}}}
    """

    correct: float | None = None
    wrong: float | None = None
    handoff: float | None = None
    classes: Mapping[str, ClassValue] = field(default_factory=dict)

    def check(
        self, name: str, stated: Stated, *, whole_matrix: bool = False, has_person: bool = False
    ) -> None:
        """Note what is not finite, says nothing, or contradicts the payoff (PF203).

        Args:
            name: Of the segment.
            stated: Collects what is wrong.
            whole_matrix: Whether the payoff is a full matrix.
            has_person: Whether it has a person.
        """
        where = f"payoff.toml [value.segments.{name}]"
        own = Stated(where)
        if not name.strip():
            own.wrong("its name is empty", expected="a value of the column [data] segment")
        if whole_matrix:
            own.wrong(
                "beside a full matrix it would not count",
                mend="Write correct, wrong and handoff instead of matrix, or remove the segment.",
            )
        elif not self.as_dict():
            own.wrong("it says nothing", expected="correct, wrong, handoff, or classes")
        if has_person and self.handoff is not None:
            own.wrong(
                "both 'handoff' and [person] say what handing over is worth",
                expected="one of them",
                mend="Remove 'handoff' to have it computed from the person's time.",
            )
        for key in _FIGURES:
            own.optional(key, getattr(self, key))
        stated.problems += own.problems
        for label, value in self.classes.items():
            section = Stated(f"payoff.toml [value.segments.{name}.classes.{label}]")
            value.check(section)
            stated.problems += section.problems

    def replacing(self, classes: Mapping[str, ClassValue]) -> dict[str, Any]:
        """Arguments of a payoff that take the place of those it has.

        Args:
            classes: Those of the payoff.

        Example:
            >>> SegmentValue(handoff=-1.0).replacing({})
            {'handoff': -1.0, 'classes': {}}
        """
        given = {key: getattr(self, key) for key in _FIGURES}
        changed = {key: value for key, value in given.items() if value is not None}
        merged = dict(classes)
        for label, value in self.classes.items():
            merged[label] = replace(merged.get(label, ClassValue()), **value.as_dict())
        return {**changed, "classes": merged}

    def changed(
        self,
        *,
        wrong: Callable[[float], float] = _UNCHANGED,
        handoff: Callable[[float], float] = _UNCHANGED,
    ) -> SegmentValue:
        """The same with every stated figure of two kinds put through a function.

        Example:
            >>> SegmentValue(correct=1.0, wrong=-5.0).changed(wrong=lambda amount: 2 * amount)
            SegmentValue(correct=1.0, wrong=-10.0, handoff=None, classes={})
        """

        def own(value: Any) -> Any:
            return replace(
                value,
                wrong=None if value.wrong is None else wrong(value.wrong),
                handoff=None if value.handoff is None else handoff(value.handoff),
            )

        classes = {label: own(value) for label, value in self.classes.items()}
        changed: SegmentValue = replace(own(self), classes=classes)
        return changed

    def as_dict(self) -> dict[str, Any]:
        """The values that are set, under the keys of ``[value.segments.NAME]``."""
        table = {key: getattr(self, key) for key in _FIGURES if getattr(self, key) is not None}
        if self.classes:
            table["classes"] = {label: value.as_dict() for label, value in self.classes.items()}
        return table

    @classmethod
    def from_dict(
        cls, table: Mapping[str, Any], classes: Mapping[str, ClassValue], stated: Stated
    ) -> SegmentValue:
        """Read ``[value.segments.NAME]``; unknown keys are noted in ``stated`` (PF202).

        Args:
            table: The section.
            classes: Its section ``classes``, read already.
            stated: Collects what is wrong.

        Example:
            >>> SegmentValue.from_dict({"wrong": -9.0}, {}, Stated("here")).wrong
            -9.0
        """
        stated.keys(table, (*_FIGURES, "classes"))
        return cls(**{key: table[key] for key in _FIGURES if key in table}, classes=classes)
