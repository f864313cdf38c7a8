"""What is said of a cascade, for each way in which it may stand beside the best model."""

from __future__ import annotations

import numpy as np
import pytest

from payoff.economics.uncertain_money import UncertainMoney
from payoff.plan.cascades.cascade_section import _sentence


@pytest.mark.parametrize(
    ("own", "chosen", "begins", "part"),
    [
        (110.0, True, "The cascade a → b pays: ", "EUR more than b alone"),
        (99.0, True, "The cascade a → b is the surer one: ", "cannot tell apart"),
        (100.05, False, "No cascade is clearly better: ", "b alone 100.00 EUR"),
        (90.0, False, "No cascade pays: ", "b alone 100.00 EUR"),
    ],
)
def test_the_sentence_says_why(own: float, chosen: bool, begins: str, part: str) -> None:
    earned, alone = (UncertainMoney(np.full(4, amount), "EUR") for amount in (own, 100.0))
    told = _sentence("a → b", earned, "b", alone, chosen=chosen).replace("\N{NO-BREAK SPACE}", " ")
    assert told.startswith(begins)
    assert part in told
