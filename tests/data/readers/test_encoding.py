"""Encodings are told from bytes, and guesses are said."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payoff.core.errors import DataError
from payoff.data.dataset import Dataset
from payoff.data.readers import encoding
from payoff.data.readers.encoding import detect_encoding

CHINESE = "分量很足，就是送餐速度太慢了。味道还不错，希望下次改进！\n"
FRENCH = "Où est ma carte bancaire ? Elle n'a pas été livrée à temps, c'est très gênant.\n"


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_valid_utf8_is_utf8(text: str) -> None:
    assert detect_encoding(text.removeprefix("\ufeff").encode() or b"a", "t")[0] == "utf-8"


@pytest.mark.parametrize(
    ("codec", "text", "expected"),
    [
        ("utf-8", CHINESE, "utf-8"),
        ("utf-8-sig", CHINESE, "utf-8-sig"),
        ("utf-16", CHINESE, "utf-16"),
        ("utf-32", CHINESE, "utf-32"),
        ("gb18030", CHINESE, "gb18030"),
        ("gbk", CHINESE * 50_000, "gb18030"),
        ("gb18030", CHINESE + "𠀀", "gb18030"),
        ("latin-1", FRENCH, "cp1252"),
        ("cp1252", FRENCH + "prix: 5 €", "cp1252"),
        ("latin-1", FRENCH + "\x81", "latin-1"),
        ("latin-1", "Überweisung: größer als üblich, schön\n", "cp1252"),
        ("ascii", "plain\n", "utf-8"),
    ],
)
def test_what_it_is_told_to_be(codec: str, text: str, expected: str) -> None:
    told, notes = detect_encoding(text.encode(codec), "t.csv")
    assert told == expected
    assert bool(notes) == (expected in ("gb18030", "cp1252", "latin-1"))


@pytest.mark.parametrize(
    ("codec", "text"),
    [
        ("cp1251", "Где моя карта? Я жду её уже две недели.\n"),
        ("cp1253", "Πού είναι η κάρτα μου;\n"),
        ("shift-jis", "カードはまだ届いていません。いつ届きますか。\n"),
        ("big5", "我的卡片還沒有收到，請問什麼時候會寄到呢\n"),
        ("euc-jp", "カードはまだ届いていません。いつ届きますか。\n"),
    ],
)
def test_what_cannot_be_told_is_not_guessed(codec: str, text: str) -> None:
    with pytest.raises(DataError, match="encoding") as caught:
        detect_encoding(text.encode(codec), "t.csv")
    assert caught.value.code == "PF102"


def test_a_damaged_utf8_file_is_no_guess() -> None:
    content = CHINESE.encode() * 20 + b"\xff\n"
    with pytest.raises(DataError, match=r"line 21 holds a byte that is no UTF-8 \(0xFF\)"):
        detect_encoding(content, "t.csv")


def test_utf8_cut_within_a_character_is_told() -> None:
    with pytest.raises(DataError, match="though the rest of the file is UTF-8"):
        detect_encoding(CHINESE.encode()[:-3], "t.csv")


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_names_the_codec(codec: str) -> None:
    with pytest.raises(DataError, match=f"encoding='{codec}'"):
        detect_encoding("text,label\nhi,a\n".encode(codec), "t.csv")


def test_characters_on_the_border_of_two_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "_CHUNK", 7)
    assert detect_encoding(CHINESE.encode(), "t")[0] == "utf-8"
    monkeypatch.setattr(encoding, "_CHUNK", 7)
    assert encoding._first_fault(b"abcdefghij\xff", "utf-8") == 10


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_the_same_rows_from_every_encoding(tmp_path: Path, codec: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(("text,label\n" + f"{CHINESE.strip()},差评\n" * 3).encode(codec))
    read = Dataset.from_csv(path, text="text", label="label")
    assert read.texts == [CHINESE.strip()] * 3
    assert read.labels == ("差评",)
    assert any("GB18030" in note for note in read.notes) == (codec == "gb18030")
