from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from payoff.core.errors import DataError
from payoff.data.augment.synonyms import Synonyms

TABLE = {
    "card": ["plastic"],
    "credit card": ["visa"],
    "Refund": ["money back"],
    "退款": ["退钱"],
    "退款单": ["凭证"],
    "don't": ["do not"],
}


def replaced(text: str, table: dict[str, list[str]] = TABLE, *, seed: int = 0) -> str:
    (made,) = Synonyms(table, 1.0).augment([text], np.random.default_rng(seed))
    return made


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("my card, my CARD", "my plastic, my Plastic"),
        ("my credit card", "my visa"),
        ("my credit\n card", "my visa"),
        ("Credit card lost", "Visa lost"),
        ("a refund!", "a money back!"),
        ("cards discard card_id card2", "cards discard card_id card2"),
        ("iphone卡的card退款", "iphone卡的plastic退钱"),
        ("退款单在哪", "凭证在哪"),
        ("怎么退款？", "怎么退钱？"),
        ("I don't know", "I do not know"),
        ("nothing here", "nothing here"),
    ],
)
def test_words_are_found_whole_and_the_longest_first(text: str, expected: str) -> None:
    assert replaced(text) == expected


def test_as_many_words_are_replaced_as_asked_for() -> None:
    text = " ".join(["card"] * 10 + ["other"] * 10)
    for share, n_replaced in ((0.01, 1), (0.2, 4), (0.35, 7), (1.0, 10)):
        (made,) = Synonyms(TABLE, share).augment([text], np.random.default_rng(0))
        assert made.split().count("plastic") == n_replaced
        assert made.split()[10:] == ["other"] * 10


def test_every_synonym_and_place_has_its_turn() -> None:
    table = {"card": ["visa", "plastic"], "CARD": ["amex"]}
    made = Synonyms(table).augment(["a card b card"] * 100, np.random.default_rng(0))
    assert set(made) == {
        text.replace("_", word)
        for text in ("a _ b card", "a card b _")
        for word in ("visa", "plastic", "amex")
    }


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({}, "the table has no entry"),
        ({" ": ["x"]}, "word ' '"),
        ({"card": []}, "word 'card'"),
        ({"card": ["visa", " "]}, "word 'card'"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(table: dict[str, list[str]], told: str) -> None:
    with pytest.raises(DataError, match=f"PF113 synonyms.*{told}"):
        Synonyms(table)


def read(folder: Path, content: bytes) -> Synonyms:
    path = folder / "table.csv"
    path.write_bytes(content)
    return Synonyms.from_csv(path, share=0.3)


@pytest.mark.parametrize(
    "write",
    [
        lambda text: text.encode("utf-8"),
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.replace(",", ";").encode("utf-8"),
        lambda text: text.replace("\n", "\r\n").encode("utf-16"),
        lambda text: "\n".join(f"{line},note" for line in text.splitlines()).encode("utf-8"),
    ],
)
def test_a_table_is_read_however_it_was_saved(
    write: Callable[[str], bytes], tmp_path: Path
) -> None:
    synonyms = read(tmp_path, write("word,synonym\ncard, plastic\n退款,退钱\ncard,visa\n"))
    assert synonyms == Synonyms({"card": ["plastic", "visa"], "退款": ["退钱"]}, 0.3)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"word,other\na,b\n", r"PF103 .*\[synonym\].*word, other"),
        (b"a,b\n", r"PF103 .*\[word, synonym\]"),
        (b"word,synonym\n", "PF106 .*no row"),
        (b"", "PF102"),
        (b"word,synonym\na,b\n,c\nd, \n", "PF105 .*row 2, 3: "),
        (b"word,synonym\n" + b"a,\n" * 7, "PF105 .*row 1, 2, 3, 4, 5 and 2 more"),
    ],
)
def test_what_is_wrong_in_a_table_is_told(content: bytes, told: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=told):
        read(tmp_path, content)


def test_a_table_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="PF101"):
        Synonyms.from_csv(tmp_path / "nowhere.csv")
