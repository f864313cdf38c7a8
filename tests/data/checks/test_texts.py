"""Checks of texts, and how rows are shown."""

from __future__ import annotations

from payoff.data.checks import texts
from payoff.data.checks.subject import Subject, shortened


def test_repeats_are_counted_without_their_first_and_empty_texts_are_none() -> None:
    finding = texts.repeated_texts(Subject.of(["a b", "A, b!", "c", "", "", "c", "C"]))
    assert finding.n_affected == 3
    assert finding.rows == (
        {"row": 3, "text": "c", "times": 3},
        {"row": 1, "text": "a b", "times": 2},
    )


def test_a_row_of_each_label_is_shown_of_a_torn_text() -> None:
    subject = Subject.of(["hi", "Hi", "HI", "bye", "bye"], ["x", "x", "y", "z", "z"])
    finding = texts.contradictory_texts(subject)
    assert [(row["row"], row["label"]) for row in finding.rows] == [(1, "x"), (3, "y")]
    assert finding.n_affected == 3


def test_near_pairs_within_the_test_set_or_across_are_not_of_the_data() -> None:
    long = "where is the parcel that I ordered on the first of this month"
    assert not texts.near_texts(Subject.of([long], test=[long + "s"])).failed


def test_chinese_counts_a_token_a_character() -> None:
    assert texts.long_texts(Subject.of(["字" * 513])).failed
    assert not texts.long_texts(Subject.of(["字" * 512])).failed
    assert not texts.long_texts(Subject.of(["abcd" * 512])).failed
    assert texts.long_texts(Subject.of(["abcd" * 513])).failed


def test_damage_is_told_from_accents() -> None:
    fine = ["café", "Ãrvore Â", "São", "好", "“quoted”", "5 €"]
    assert not texts.damaged_texts(Subject.of(fine)).failed
    hurt = ["Ã¼ber", "itâ€™s".replace("™", "™"), "lost \ufffd", "锟斤拷", "Â£5"]
    assert texts.damaged_texts(Subject.of(hurt)).n_affected == 5


def test_shown_texts_are_short_on_one_line_and_redacted() -> None:
    assert shortened("two\n lines\tof  ann@example.org") == "two lines of [email]"
    long = shortened("x " * 500_000)
    assert len(long) <= 120
    assert long.endswith("…")
    assert shortened(" " * 30_000 + "a").endswith("…")
    address = "a@example.org "
    assert "@" not in shortened(address * 1000)
