from __future__ import annotations

from typing import Any

import pytest

from payoff.artifact.texts import MAX_TEXT_BYTES, check_request, check_text, check_texts
from payoff.core.errors import DataError


@pytest.mark.parametrize("text", ["a", "退款", "😀" * 1000, "x" * MAX_TEXT_BYTES, "\x01\t\n"])
def test_any_text_passes(text: str) -> None:
    check_text(text)
    check_request(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, "NoneType"),
        (b"a", "bytes"),
        (1.5, "float"),
        ("a\0", "NUL at position 1"),
        ("\ud800", "surrogate"),
        ("x" * (MAX_TEXT_BYTES + 1), "1,000,001 bytes"),
        ("退" * 400_000, "1,200,000 bytes"),
    ],
)
def test_what_is_refused(text: Any, found: str) -> None:
    with pytest.raises(DataError, match=found) as caught:
        check_texts(["fine", text])
    assert caught.value.code == "PF105"
    assert caught.value.where == "text 2"


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\u3000"])
def test_a_request_says_something(text: str) -> None:
    check_text(text)
    with pytest.raises(DataError, match=r"PF105 text: it is empty"):
        check_request(text)


def test_one_string_is_no_list() -> None:
    with pytest.raises(DataError, match=r"a list of strings"):
        check_texts("abc")
