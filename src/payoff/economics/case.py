"""Case: a plan that is to be forecast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError
from payoff.economics.costs import PlanCosts
from payoff.economics.outcome import Outcome

if TYPE_CHECKING:
    from payoff.economics.hosting import Hosting


@dataclass(frozen=True, eq=False)
class Case:
    """A plan that is to be forecast.

    Args:
        name: The plan.
        outcome: What it does with each test row.
        costs: What it pays.
        reference: The hosting that its own is compared with; None where there is none.
    """

    name: str
    outcome: Outcome
    costs: PlanCosts
    reference: Hosting | None = None

    def check_currency(self, currency: str) -> None:
        """Refuse costs of another currency.

        Raises:
            EconomicsError: PF605 where a cost is priced in another currency.
        """
        self.costs.check_currency(currency)
        if self.reference is not None:
            PlanCosts(hosting=self.reference).check_currency(currency)

    def row_values(self, n_rows: int) -> NDArray[np.float64]:
        """Row values of right answers, wrong answers and handoffs, and the handoffs, ``(4, n)``.

        Raises:
            EconomicsError: PF618 where they are not finite, or not of so many rows.

        Example:
            >>> outcome = Outcome(np.array([3.0, -7.0, -2.0]), np.array([False, False, True]),
            ...                   np.array([3.0, 0.0, 0.0]))
            >>> Case("plan", outcome, PlanCosts()).row_values(3)
            array([[ 3.,  0.,  0.],
                   [ 0., -7., -0.],
                   [ 0., -0., -2.],
                   [ 0.,  0.,  1.]])
        """
        gross = self.outcome.gross_values
        handed_over, right = self.outcome.handed_over, self.outcome.right_values
        arrays = [gross, handed_over, right]
        shapes = {np.shape(array) for array in arrays}
        if shapes != {(n_rows,)} or not all(np.isfinite(array).all() for array in arrays):
            raise EconomicsError(
                "PF618",
                "row values",
                f"shapes {sorted(shapes)}, or one is not finite",
                expected=f"({n_rows},) finite amounts",
            )
        values = np.asarray(gross, dtype=np.float64)
        handed = np.asarray(handed_over, dtype=np.float64)
        answered = values * (1.0 - handed)
        earned = np.asarray(right, dtype=np.float64) * (1.0 - handed)
        return np.stack([earned, answered - earned, values * handed, handed])
