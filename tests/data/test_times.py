"""Times in order."""

from __future__ import annotations

import pytest

from payoff.core.errors import DataError
from payoff.data.times import order_values


def test_iso_times_with_and_without_zone() -> None:
    values = [
        "2024-05-01T12:00:00+02:00",
        "2024-05-01T10:00:00",
        "2024-05-01 10:00:01Z",
        "20240501",
    ]
    seconds = order_values(values, "t")
    assert (seconds - seconds[1]).tolist() == [0.0, 0.0, 1.0, -36000.0]


def test_dates_are_midnight_utc() -> None:
    assert order_values(["1970-01-02", " 1970-01-01 "], "t").tolist() == [86400.0, 0.0]


def test_numbers() -> None:
    assert order_values(["10", "9.5", "-1e3"], "t").tolist() == [10.0, 9.5, -1000.0]


@pytest.mark.parametrize(
    "values",
    [["1", "x"], ["1", ""], ["nan", "1"], ["2024-01-01", "01/02/2024"], ["2024-01-01", ""]],
)
def test_what_has_no_order_is_told_with_its_row(values: list[str]) -> None:
    with pytest.raises(DataError, match=r"row [12]:") as caught:
        order_values(values, "tickets.csv when")
    assert caught.value.code == "PF109"
