"""Two texts as one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payoff.core.errors import DataError
from payoff.core.pair import SIGN, joined, separated

texts = st.text().filter(lambda text: SIGN not in text)


@given(texts, texts)
def test_a_pair_can_be_told_apart_again(first: str, second: str) -> None:
    assert joined(first, second).split(SIGN) == [first, second]
    assert separated([joined(first, second)], "[SEP]") == [f"{first}[SEP] {second}"]
    assert separated([joined(first, second)], "") == [joined(first, second)]


@pytest.mark.parametrize("pair", [("a\x1fb", "c"), ("a", "\x1f")])
def test_what_joins_may_not_be_inside(pair: tuple[str, str]) -> None:
    with pytest.raises(DataError, match=r"PF105 text: it holds U\+001F"):
        joined(*pair)
