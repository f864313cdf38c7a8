from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from payoff.core.errors import AdaptError, DataError
from payoff.data.augment import augmenter_named
from payoff.data.augment.generator import Generator, generator_of


def made(generate: Callable[[list[str]], Any], texts: list[str], n: int = 64) -> list[str]:
    return Generator("there and back", generate, n).augment(texts, np.random.default_rng(0))


def test_texts_are_given_in_pieces_and_blank_ones_are_not() -> None:
    seen: list[list[str]] = []

    def shout(texts: list[str]) -> tuple[str, ...]:
        seen.append(texts)
        return tuple(text.upper() for text in texts)

    assert made(shout, ["a", " ", "b", "c", "", "卡"], 3) == ["A", " ", "B", "C", "", "卡"]
    assert seen == [["a", "b", "c"], ["卡"]]


def test_a_function_that_empties_its_list_does_no_harm() -> None:
    def popping(texts: list[str]) -> list[str]:
        return [texts.pop(0) + "!" for _ in range(len(texts))]

    assert made(popping, ["a", "b"]) == ["a!", "b!"]


def fail(texts: list[str]) -> list[str]:
    raise ConnectionError("no route to host")


@pytest.mark.parametrize(
    ("generate", "told"),
    [
        (lambda texts: texts[:1], "it gave 1 texts for a list of 2"),
        (lambda texts: [*texts, "more"], "it gave 3 texts for a list of 2"),
        (lambda texts: "ab", "it gave one text for a list of 2"),
        (lambda texts: None, "it failed .TypeError"),
        (lambda texts: ["fine", " \n"], "it made ' .n' of 'two'"),
        (lambda texts: ["fine", None], "it made a NoneType of 'two'"),
        (lambda texts: ["fine", "\ud800"], "it made '.ud800' of 'two'"),
        (fail, "it failed .ConnectionError: no route to host"),
    ],
)
def test_a_broken_promise_is_told(generate: Callable[[list[str]], Any], told: str) -> None:
    with pytest.raises(DataError, match=f"PF113 generator 'there and back': {told}"):
        made(generate, ["one", "two"])


def test_stopping_it_by_hand_stops_all() -> None:
    def stopped(texts: list[str]) -> list[str]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made(stopped, ["one"])


def test_a_batch_of_none_is_refused() -> None:
    with pytest.raises(DataError, match=r"PF113 generator 'x', batch_texts: 0"):
        Generator("x", list, 0)


def test_a_function_is_found_by_module_and_name() -> None:
    found = augmenter_named("textwrap:dedent")
    assert found == generator_of("textwrap:dedent")
    with pytest.raises(DataError, match=r"PF113 generator 'textwrap:dedent': it failed"):
        found.augment(["a"], np.random.default_rng(0))  # it takes one text, and no list


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("no_such_module:there", r"it cannot be loaded \(ModuleNotFoundError"),
        ("textwrap:no_such_name", r"it cannot be loaded \(AttributeError"),
        ("not a module:x", "it cannot be loaded"),
        (":x", "it cannot be loaded"),
        ("sys:maxsize", "it is a int"),
    ],
)
def test_what_is_no_function_is_told(reference: str, told: str) -> None:
    with pytest.raises(AdaptError, match=f"PF401 augmenter '{reference}': {told}"):
        augmenter_named(reference)
