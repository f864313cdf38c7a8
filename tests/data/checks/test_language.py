"""Languages by script and stop words."""

from __future__ import annotations

from pathlib import Path

import pytest

from payoff.core.findings import Status
from payoff.data.checks.language import guess_language, mixed_languages
from payoff.data.checks.subject import Subject
from payoff.data.dataset import Dataset


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Where is my card?", "en"),
        ("Ich habe meine Karte verloren und kann nicht zahlen", "de"),
        ("Je ne sais pas où est ma carte", "fr"),
        ("No sé dónde está mi tarjeta, y los pagos", "es"),
        ("Não sei onde está o meu cartão", "pt"),
        ("Non so dove sono le mie carte", "it"),
        ("Ik weet niet waar mijn kaart is", "nl"),
        ("我的卡在哪里", "zh"),
        ("我的 iPhone 坏了", "zh"),
        ("カードはどこですか", "ja"),
        ("私のカード", "ja"),
        ("내 카드는 어디에 있나요", "ko"),
        ("где моя карта", "cyrillic"),
        ("أين بطاقتي", "arabic"),
        ("card lost", "latin"),
        ("Zażółć gęślą jaźń", "latin"),
        ("12:30", "none"),
        ("👍", "none"),
        ("", "none"),
    ],
)
def test_guesses(text: str, language: str) -> None:
    assert guess_language(text) == language


def test_untold_latin_texts_belong_to_a_latin_main_language() -> None:
    assert not mixed_languages(Subject.of(["where is my card", "card lost", "404"])).failed
    assert mixed_languages(Subject.of(["我的卡在哪里", "我的卡", "card lost"])).failed


def test_nothing_to_tell_is_not_applicable() -> None:
    assert mixed_languages(Subject.of(["card", "1"])).status is Status.NOT_APPLICABLE


@pytest.mark.parametrize(("name", "main"), [("zh_waimai_10k", "Chinese"), ("clinc150", "English")])
def test_real_data_are_in_one_language(shared_data: Path, name: str, main: str) -> None:
    read = Dataset.from_csv(shared_data / name / "test.csv", text="text", label="label")
    finding = mixed_languages(Subject(read))
    assert finding.status is Status.PASSED
    assert finding.detail.startswith(main)
