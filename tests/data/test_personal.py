"""Personal data: check digits by property, forms by example, and what is none."""

from __future__ import annotations

import time
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payoff.data.personal import (
    KINDS,
    card_valid,
    chinese_id_valid,
    find_personal,
    iban_valid,
    luhn_valid,
    redact,
    ssn_valid,
)

DIGITS = "0123456789"


def luhn_digit(payload: str) -> str:
    """The check digit as ISO/IEC 7812-1 puts it: double every second digit from the right."""
    doubled = [int(d) * (2 if i % 2 == 0 else 1) for i, d in enumerate(payload[::-1])]
    return str(-sum(sum(map(int, str(value))) for value in doubled) % 10)


def iban(country: str, account: str) -> str:
    number = "".join(str(int(sign, 36)) for sign in account + country + "00")
    return f"{country}{98 - int(number) % 97:02d}{account}"


def chinese_id(region: str, born: date, serial: int) -> str:
    number = f"{region}{born:%Y%m%d}{serial:03d}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(d) * w for d, w in zip(number, weights, strict=True))
    return number + "10X98765432"[total % 11]


@given(st.text(DIGITS, min_size=1, max_size=25))
def test_luhn_accepts_exactly_one_check_digit(payload: str) -> None:
    assert [d for d in DIGITS if luhn_valid(payload + d)] == [luhn_digit(payload)]


def test_luhn_of_nothing() -> None:
    assert not luhn_valid("")


@given(
    st.text(DIGITS, min_size=14, max_size=14), st.integers(0, 15), st.sampled_from([" ", "-", ""])
)
def test_cards_are_found_and_a_wrong_digit_is_not(payload: str, place: int, gap: str) -> None:
    number = "4" + payload
    number += luhn_digit(number)
    written = gap.join(number[i : i + 4] for i in range(0, 16, 4))
    assert card_valid(number)
    assert redact(f"card {written}, exp 12/25") == "card [card], exp 12/25"
    wrong = number[:place] + str((int(number[place]) + 1) % 10) + number[place + 1 :]
    assert not card_valid(wrong)


@pytest.mark.parametrize(
    "number",
    [
        "4111111111111111",
        "5555555555554444",
        "2223003122003222",
        "378282246310005",
        "6011111111111117",
        "30569309025904",
        "3530111333300000",
        "6200000000000005",
    ],
)
def test_the_schemes_test_numbers_are_cards(number: str) -> None:
    assert card_valid(number)


@pytest.mark.parametrize("number", ["", "4111", "1234567812345670", "0000000000000000"])
def test_what_is_no_card(number: str) -> None:
    assert not card_valid(number)


@given(
    st.sampled_from([("DE", 18), ("FR", 23), ("GB", 18), ("NL", 14), ("NO", 11)]),
    st.data(),
)
def test_ibans_are_found_and_a_wrong_sign_is_not(
    country: tuple[str, int], data: st.DataObject
) -> None:
    account = data.draw(st.text(DIGITS + "ABCXYZ", min_size=country[1], max_size=country[1]))
    number = iban(country[0], account)
    assert iban_valid(number)
    spaced = " ".join(number[i : i + 4] for i in range(0, len(number), 4))
    for written in (number, number.lower(), spaced):
        assert redact(f"pay to {written} please") == "pay to [iban] please"
    place = data.draw(st.integers(4, len(number) - 1))
    if number[place].isdigit():
        wrong = number[:place] + str((int(number[place]) + 1) % 10) + number[place + 1 :]
        assert not iban_valid(wrong)


@pytest.mark.parametrize(
    "number",
    ["", "DE", "XX89370400440532013000", "DEXX370400440532013000", "DE8937040044053201300é"],
)
def test_what_is_no_iban(number: str) -> None:
    assert not iban_valid(number)
    assert not find_personal(number)


def test_an_iban_ends_where_it_ends() -> None:
    assert redact("DE89370400440532013000X") == "DE89370400440532013000X"
    assert not [s for s in find_personal("DE89  3704 0044 0532 0130 00") if s.kind == "iban"]
    assert redact("DE89,3704") == "DE89,3704"


@given(
    st.sampled_from(["110105", "440308", "810000"]),
    st.dates(date(1900, 1, 1), date(2024, 12, 31)),
    st.integers(0, 999),
)
def test_chinese_ids_are_found_and_a_wrong_sign_is_not(
    region: str, born: date, serial: int
) -> None:
    number = chinese_id(region, born, serial)
    assert chinese_id_valid(number)
    assert chinese_id_valid(number.lower())
    assert redact(f"身份证{number}，谢谢") == "身份证[id_number]，谢谢"
    others = [number[:17] + sign for sign in DIGITS + "X" if sign != number[17]]
    assert not any(map(chinese_id_valid, others))


def test_chinese_ids_need_a_region_and_a_date() -> None:
    assert not chinese_id_valid(chinese_id("990105", date(1990, 1, 1), 1))
    good = chinese_id("110105", date(1990, 12, 31), 1)
    assert not chinese_id_valid(good.replace("19901231", "19901331"))
    assert not chinese_id_valid("1" * 17)


@pytest.mark.parametrize(
    ("number", "valid"),
    [
        ("219-09-1234", True),
        ("899-99-9999", True),
        ("000-09-1234", False),
        ("666-09-1234", False),
        ("900-09-1234", False),
        ("219-00-1234", False),
        ("219-09-0000", False),
        ("219091234", False),
    ],
)
def test_social_security_numbers(number: str, valid: bool) -> None:
    assert ssn_valid(number) == valid
    assert bool(find_personal(f"my ssn is {number}.")) == valid


@pytest.mark.parametrize(
    "address",
    ["ann@example.org", "a.b+c_d@sub-domain.example.co.uk", "x%y-z@e.io", "A1@EXAMPLE.COM"],
)
def test_mail_addresses(address: str) -> None:
    (span,) = find_personal(f"（{address}）")
    assert (span.kind, span.text, span.start, span.end) == ("email", address, 1, 1 + len(address))
    assert redact(f"Write to {address}.") == "Write to [email]."


@pytest.mark.parametrize("text", ["@user", "a@b", "me @ home.com", "50@2.00", "a@@b.com", "@"])
def test_what_is_no_mail_address(text: str) -> None:
    assert not [span for span in find_personal(text) if span.kind == "email"]


@pytest.mark.parametrize(
    "phone",
    [
        "+49 30 1234567",
        "+1 (415) 555-2671",
        "+44 20 7946 0958",
        "+8613812345678",
        "415-555-2671",
        "(415) 555-2671",
        "415.555.2671",
        "1-800-555-0199",
        "13812345678",
        "138-1234-5678",
        "138 1234 5678",
        "020 7946 0958",
        "07700 900123",
        "010-12345678",
        "(030) 1234 5678",
    ],
)
def test_phones(phone: str) -> None:
    assert redact(f"Call me: {phone}, thanks") == "Call me: [phone], thanks"
    assert redact(f"我的电话：{phone}。") == "我的电话：[phone]。"


@pytest.mark.parametrize(
    "text",
    [
        "on 2024-05-12 at 10:30:00",
        "between 01-02-2024 and 12.05.2024",
        "from 2019-2020 to 2023-2024",
        "I paid 1,234,567.89 and $415-555-2671",
        "order number 13812345678",
        "Order #13812345678",
        "订单号：13812345678",
        "tracking no. 415-555-2671",
        "invoice 0123 456 7890",
        "1234567890123456",
        "0123456789",
        "version 192.168.100.1",
        "at 1715500000 or 1715500000000",
        "+1000000 points",
        "ref A13812345678B",
        "1/3 of 500 000 000 people",
    ],
)
def test_what_is_no_phone(text: str) -> None:
    assert redact(text) == text


def test_a_cue_outweighs_the_word_before() -> None:
    assert redact("order by phone, number 415-555-2671") == "order by phone, number [phone]"


def test_several_kinds_in_one_text() -> None:
    text = (
        "ann@example.org, DE89 3704 0044 0532 0130 00, 4111-1111-1111-1111,"
        " 11010519491231002X, +49 30 1234567"
    )
    assert tuple(span.kind for span in find_personal(text)) == KINDS
    assert redact(text) == "[email], [iban], [card], [id_number], [phone]"


@given(st.text(st.sampled_from("0123456789 -+@.()aDEé订"), max_size=60))
def test_spans_are_in_order_apart_and_what_they_say(text: str) -> None:
    spans = find_personal(text)
    assert all(text[s.start : s.end] == s.text for s in spans)
    assert all(a.end <= b.start for a, b in pairwise(spans))
    if not spans:
        assert redact(text) == text


@pytest.mark.parametrize(
    "piece",
    ["a", "1", "1 ", "a@", "a.", "+1-", "DE89 ", "(", "0 ", "@a.", "1-", "a@b.co ", "4111 1111 "],
)
def test_hostile_texts_take_no_longer_than_their_length(piece: str) -> None:
    text = piece * (50_000 // len(piece))
    begin = time.process_time()
    redact(text)
    assert time.process_time() - begin < 5  # a tenth of a second to one, where idle
