"""Times as numbers that can be put in order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from payoff.core.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def order_values(values: Sequence[str], where: str) -> NDArray[np.float64]:
    """Times as numbers in one order, shape ``(n,)``.

    All values must be numbers (such as seconds since 1970), or all ISO 8601 dates or times; one
    without a zone is taken as UTC.

    Args:
        values: The cells of the time column, row by row.
        where: What an error calls them.

    Raises:
        DataError: PF109 where a value is empty or neither.

    Example:
        >>> order_values(["2024-05-02", "2024-05-01T10:00:00+02:00"], "when").argsort().tolist()
        [1, 0]
    """
    try:
        numbers = np.array([float(value) for value in values])
        if np.isfinite(numbers).all():
            return numbers
    except ValueError:
        pass
    seconds = np.empty(len(values))
    for i, value in enumerate(values):
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError as error:
            raise DataError(
                "PF109",
                f"{where} row {i + 1}",
                f"'{value}' is no time that can be put in order",
                expected="ISO 8601 such as 2025-03-31 or 2025-03-31T14:00:00Z in all rows,"
                " or numbers in all rows",
                mend="Convert the column, or split in another way.",
            ) from error
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds[i] = moment.timestamp()
    return seconds
