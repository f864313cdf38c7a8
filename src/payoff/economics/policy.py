"""Policy: the action of highest expected worth for each request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError
from payoff.economics.actions import Actions
from payoff.economics.label_mix import Mix, label_mix
from payoff.economics.payoff import Payoff
from payoff.economics.value_tables import Segments, ValueTables

_SUM_TOLERANCE = 1e-4
_TIE_TOLERANCE = 1e-9
_FORMAT, _PENALISED_FORMAT, _SEGMENT_FORMAT = 1, 2, 3


@dataclass(frozen=True, eq=False)
class Policy:
    """Acts by expected worth: ``value(a | x) = Σ_i p(i | x) · M[i, a]``, and the largest wins.

    No threshold is tuned: all of them follow from the payoff (Elkan 2001, "The foundations of
    cost-sensitive learning", IJCAI, eq. 1; with handing over as one more action, Chow 1970, "On
    optimum recognition error and reject tradeoff", IEEE Trans. Inf. Theory 16(1)).

    Ties, that is values within a billionth of the payoff's largest amount, go to the action of
    the lowest index, so that handing over, the last one, happens only where it is worth more.

    Args:
        labels: The ``k`` labels, in the order of the probabilities' columns.
        values: Money per request, shape ``(k, k+1)``, net of wages, handoff last.
        prior_shift: ``π'_i / π_i``, shape ``(k,)``: the expected mix of labels over that of the
            training data; None where they are the same.
        penalties: Shadow prices, shape ``(k, k+1)``, taken off ``values`` in choosing and never
            in counting: what keeps a promised floor (`hold_floors`) and people's capacity
            (`within_capacity`); None for none. The same in all segments.
        segment_values: What replaces ``values`` for requests of some segments, by name.

    Example:
        >>> worth = Payoff(correct=3.20, wrong=-7.50, handoff=-4.10, currency="USD")
        >>> policy = Policy.from_payoff(worth, ("billing", "refund"))
        >>> done = policy.decide(np.array([[0.9, 0.1], [0.5, 0.5]]))
        >>> done.actions, done.values.round(2)
        (array([0, 0]), array([ 2.13, -2.15]))
    """

    labels: tuple[str, ...]
    values: NDArray[np.float64]
    prior_shift: NDArray[np.float64] | None = None
    penalties: NDArray[np.float64] | None = None
    segment_values: Mapping[str, NDArray[np.float64]] = field(default_factory=dict, kw_only=True)

    def __post_init__(self) -> None:
        k = len(self.labels)
        for name in ("values", "penalties"):
            self._check_table(name, getattr(self, name))
        self.tables  # noqa: B018  (told now where one does not fit)
        shift = self.prior_shift
        if shift is not None and (
            shift.shape != (k,) or not np.isfinite(shift).all() or (shift <= 0).any()
        ):
            raise EconomicsError(
                "PF613", "policy prior shift", "it is wrong", expected=f"{k} ratios above 0"
            )

    @cached_property
    def tables(self) -> ValueTables:
        """What is worth what, in general and by segment."""
        return ValueTables(self.values, self.segment_values)

    def _check_table(self, name: str, table: NDArray[np.float64] | None) -> None:
        k = len(self.labels)
        if table is not None and (table.shape != (k, k + 1) or not np.isfinite(table).all()):
            raise EconomicsError(
                "PF613",
                f"policy {name}",
                f"they have the shape {table.shape}, or are not finite",
                expected=f"({k}, {k + 1}) finite amounts",
            )

    @classmethod
    def from_payoff(
        cls,
        payoff: Payoff,
        labels: Sequence[str],
        *,
        expected_mix: Mix | None = None,
        training_mix: Mix | None = None,
    ) -> Policy:
        """The policy that a payoff implies.

        Args:
            payoff: Worth of every action.
            labels: The labels in the order of the probabilities' columns.
            expected_mix: Shares of the labels among the requests to come; None where they come as
                in the training data.
            training_mix: Shares (or counts) of the labels in the data that the probabilities were
                fitted on; needed with ``expected_mix``.

        Raises:
            EconomicsError: PF612 where a mix is wrong or only the expected one is given.
            ProjectError: PF203 where the payoff does not fit the labels.
        """
        shift = None
        if expected_mix is not None:
            if training_mix is None:
                raise EconomicsError(
                    "PF612",
                    "training mix",
                    "it is missing",
                    expected="the label counts of the training data beside the expected mix",
                )
            expected = label_mix(expected_mix, labels, "expected mix")
            shift = expected / label_mix(training_mix, labels, "training mix")
        names = payoff.segments
        own = {name: payoff.of_segment(name).matrix(labels) for name in names}
        return cls(tuple(labels), payoff.matrix(labels), shift, segment_values=own)

    def decide(
        self, probabilities: NDArray[np.floating[Any]], segments: Segments | None = None
    ) -> Actions:
        """The best action of each request.

        Args:
            probabilities: Calibrated, shape ``(n, k)``, rows summing to 1 within 1e-4.
            segments: Segment of each, ``(n,)``; None where none is known.

        Raises:
            EconomicsError: PF611 where they are no probabilities of these labels; PF614 where
                there are more or fewer segments than requests.

        Example:
            >>> values = np.array([[1.0, -1.0, -0.5], [-1.0, 1.0, -0.5]])
            >>> dear = {"clinics": np.array([[1.0, -9.0, -0.5], [-9.0, 1.0, -0.5]])}
            >>> policy = Policy(("a", "b"), values, segment_values=dear)
            >>> p = np.array([[0.8, 0.2], [0.8, 0.2]])
            >>> policy.decide(p, np.array(["shops", "clinics"])).actions
            array([0, 2])
        """
        expected = self.expected_values(probabilities, segments)
        return _taken(expected, self.best(self._priced(expected, probabilities)))

    def scores(
        self, probabilities: NDArray[np.floating[Any]], segments: Segments | None = None
    ) -> NDArray[np.float64]:
        """What actions are chosen by: expected worth less shadow prices, ``(n, k+1)``.

        Raises:
            EconomicsError: PF611 or PF614 as `decide` does.
        """
        return self._priced(self.expected_values(probabilities, segments), probabilities)

    def _priced(
        self, expected: NDArray[np.float64], probabilities: NDArray[np.floating[Any]]
    ) -> NDArray[np.float64]:
        if self.penalties is None:
            return expected
        priced: NDArray[np.float64] = expected - self.shifted(probabilities) @ self.penalties
        return priced

    def best(self, scores: NDArray[np.float64]) -> NDArray[np.intp]:
        """The action of the highest score of each request, ties as above: ``(n,)``.

        Args:
            scores: Of every action, ``(n, k+1)``, money per request.

        Example:
            >>> Policy(("a", "b"), np.eye(2, 3)).best(np.array([[0.1, 0.3, 0.3]]))
            array([1])
        """
        top = scores[np.arange(len(scores)), scores.argmax(axis=1)]
        least = top - _TIE_TOLERANCE * self.tables.largest
        first: NDArray[np.intp] = np.argmax(scores >= least[:, None], axis=1)
        return first

    def penalised(self, penalties: NDArray[np.float64]) -> Policy:
        """The same policy with more shadow prices, ``(k, k+1)``, on top of those it has.

        Raises:
            EconomicsError: PF613 where they do not fit the labels.

        Example:
            >>> policy = Policy(("a", "b"), np.array([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0]]))
            >>> careful = policy.penalised(np.array([[0.0, 4.0, 0.0], [0.0, 0.0, 0.0]]))
            >>> p = np.array([[0.3, 0.7]])  # to take an "a" for a "b" now counts 5 in choosing
            >>> policy.decide(p).actions, careful.decide(p).actions
            (array([1]), array([2]))
        """
        return replace(
            self, penalties=penalties if self.penalties is None else self.penalties + penalties
        )

    def argmax(
        self, probabilities: NDArray[np.floating[Any]], segments: Segments | None = None
    ) -> Actions:
        """The most probable label of each request, never a handoff: what to compare with.

        The same prior shift applies, so that the two differ by the payoff alone.

        Raises:
            EconomicsError: PF611 or PF614 as `decide` does.
        """
        shifted = self.shifted(probabilities)
        return _taken(self.tables.expected(shifted, segments), np.argmax(shifted, axis=1))

    def expected_values(
        self, probabilities: NDArray[np.floating[Any]], segments: Segments | None = None
    ) -> NDArray[np.float64]:
        """Expected worth of every action, shape ``(n, k+1)``.

        Raises:
            EconomicsError: PF611 or PF614 as `decide` does.
        """
        return self.tables.expected(self.shifted(probabilities), segments)

    def realised(
        self,
        truth: NDArray[np.integer[Any]],
        actions: NDArray[np.integer[Any]],
        segments: Segments | None = None,
    ) -> NDArray[np.float64]:
        """Worth of each action once the true label is known, ``(n,)``.

        Raises:
            EconomicsError: PF614 where shapes differ or an index is out of range.

        Example:
            >>> policy = Policy(("a", "b"), np.array([[3.0, -7.0, -4.0], [-7.0, 3.0, -4.0]]))
            >>> policy.realised(np.array([0, 1, 1]), np.array([0, 0, 2]))
            array([ 3., -7., -4.])
        """
        return self.tables.realised(truth, actions, segments)

    def checked(self, probabilities: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """The probabilities, ``(n, k)``, if they are those of these labels.

        Raises:
            EconomicsError: PF611 as `decide` does.

        Example:
            >>> Policy(("a", "b"), np.zeros((2, 3))).checked(np.array([[0.5, 0.5]]))
            array([[0.5, 0.5]])
        """
        return _probabilities(probabilities, len(self.labels))

    def shifted(self, probabilities: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Probabilities under the expected mix: ``p'_i ∝ (π'_i / π_i) · p_i``.

        Source: Saerens, Latinne and Decaestecker 2002, "Adjusting the outputs of a classifier to
        new a priori probabilities", Neural Computation 14(1), eq. 2.4.

        Raises:
            EconomicsError: PF611 as `decide` does.

        Example:
            >>> policy = Policy(("a", "b"), np.zeros((2, 3)), np.array([1.8, 0.2]))
            >>> policy.shifted(np.array([[0.5, 0.5]]))
            array([[0.9, 0.1]])
        """
        checked = self.checked(probabilities)
        if self.prior_shift is None:
            return checked
        weighed = checked * self.prior_shift
        normalised: NDArray[np.float64] = weighed / weighed.sum(axis=1, keepdims=True)
        return normalised

    def thresholds(self) -> dict[str, float | None]:
        """The probability above which acting as a label beats handing over, for reports.

        Two outcomes are distinguished: the request has this label, with probability ``p``, or any
        of the others, whose values are averaged with equal weights. Acting is worth more by
        ``d(p) = p · (M[j,j] − M[j,h]) + (1 − p) · mean_{i≠j}(M[i,j] − M[i,h])``, and the threshold
        is its root (Chow 1970). It is exact for a payoff of three scalars. `decide` does not use
        it: it looks at all probabilities.

        Returns:
            By label: 0 where acting is always worth more, None where it never is.

        Example:
            >>> worth = Payoff(correct=3.20, wrong=-7.50, handoff=-4.10, currency="USD")
            >>> round(Policy.from_payoff(worth, ("a", "b")).thresholds()["a"], 4)  # 3.4 / 10.7
            0.3178
        """
        k = len(self.labels)
        gain = self.values[:, :k] - self.values[:, k:]
        right = np.diag(gain)
        wrong = (gain.sum(axis=0) - right) / (k - 1) if k > 1 else right
        return {
            label: _threshold(float(at_one), float(at_zero))
            for label, at_one, at_zero in zip(self.labels, right, wrong, strict=True)
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `from_dict` gives back the very same numbers."""
        plain: dict[str, Any] = {
            "format": _FORMAT if self.penalties is None else _PENALISED_FORMAT,
            "labels": list(self.labels),
            "values": self.values.tolist(),
            "prior_shift": None if self.prior_shift is None else self.prior_shift.tolist(),
        }
        if self.penalties is not None:
            plain["penalties"] = self.penalties.tolist()
        if self.segment_values:
            own = {name: table.tolist() for name, table in self.segment_values.items()}
            plain |= {"format": _SEGMENT_FORMAT, "segments": own}
        return plain

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Policy:
        """The inverse of `to_dict`.

        Raises:
            EconomicsError: PF613 where it is no policy, or one of a later format.

        Example:
            >>> document = Policy(("a", "b"), np.eye(2, 3)).to_dict()
            >>> Policy.from_dict(document).to_dict() == document
            True
        """
        found = document.get("format", _FORMAT)
        if found not in (_FORMAT, _PENALISED_FORMAT, _SEGMENT_FORMAT):
            raise EconomicsError(
                "PF613",
                "policy",
                f"it is of format {found!r}",
                expected=f"{_FORMAT} to {_SEGMENT_FORMAT}",
                mend="Upgrade payoff.",
            )
        try:
            shift, penalties = document["prior_shift"], document.get("penalties")
            own = document.get("segments", {})
            return cls(
                tuple(document["labels"]),
                np.array(document["values"], dtype=np.float64),
                None if shift is None else np.array(shift, dtype=np.float64),
                None if penalties is None else np.array(penalties, dtype=np.float64),
                segment_values={n: np.array(own[n], dtype=np.float64) for n in own},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise EconomicsError(
                "PF613", "policy", f"it cannot be read ({error!r})", expected="labels and values"
            ) from error


def _taken(expected: NDArray[np.float64], chosen: NDArray[np.intp]) -> Actions:
    actions = chosen.astype(np.int64)
    return Actions(actions, np.take_along_axis(expected, actions[:, None], axis=1)[:, 0])


def _threshold(at_one: float, at_zero: float) -> float | None:
    """Smallest ``p`` from which ``p · at_one + (1 − p) · at_zero`` is never below 0."""
    if at_one < 0:
        return None
    return 0.0 if at_zero >= 0 else at_zero / (at_zero - at_one)


def _probabilities(given: NDArray[np.floating[Any]], k: int) -> NDArray[np.float64]:
    """The same as float64, once they are known to be probabilities of ``k`` labels."""
    checked = np.asarray(given, dtype=np.float64)
    if checked.ndim != 2 or checked.shape[1] != k:
        raise EconomicsError(
            "PF611",
            "probabilities",
            f"they have the shape {checked.shape}",
            expected=f"(n, {k}): one column per label",
        )
    with np.errstate(invalid="ignore"):  # what is not finite passes neither
        good = np.abs(checked @ np.ones(k) - 1.0) <= _SUM_TOLERANCE
        if not (good.all() and checked.min(initial=0.0) >= 0):
            good &= checked.min(axis=1, initial=0.0) >= 0
    if not good.all():
        row = int(np.argmin(good))
        raise EconomicsError(
            "PF611",
            f"probabilities, row {row}",
            f"the smallest is {checked[row].min():g} and they sum to {checked[row].sum():g}",
            expected="finite numbers of 0 or more that sum to 1 within 0.0001",
        )
    return checked
