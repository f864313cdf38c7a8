"""Personal data in texts: found where it can be verified, and taken out.

Found are e-mail addresses, phone numbers, payment cards, IBANs, Chinese resident identity numbers
and United States social security numbers. Whatever carries a check digit is verified by it.
Names and addresses are not found: that would need a language model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args

Kind = Literal["email", "iban", "card", "id_number", "phone"]
KINDS: tuple[str, ...] = get_args(Kind)
"""Kinds in the order in which they claim a stretch of text."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of text that holds personal data.

    Attributes:
        kind: ``"email"``, ``"iban"``, ``"card"``, ``"id_number"`` or ``"phone"``.
        start: Offset of its first character.
        end: Offset after its last character.
        text: The stretch itself.

    Example:
        >>> Span("card", 3, 19, "4111111111111111").kind
        'card'
    """

    kind: Kind
    start: int
    end: int
    text: str


def find_personal(text: str) -> list[Span]:
    """All personal data in a text, by position, without overlaps.

    Example:
        >>> [(s.kind, s.text) for s in find_personal("ann@example.org or +44 20 7946 0958")]
        [('email', 'ann@example.org'), ('phone', '+44 20 7946 0958')]
    """
    found: list[Span] = []
    if not _ANY_CUE.search(text):
        return found
    claimed = bytearray(len(text))
    for kind, finder in _FINDERS:
        for start, end in finder(text):
            if not any(claimed[start:end]):
                claimed[start:end] = b"\1" * (end - start)
                found.append(Span(kind, start, end, text[start:end]))
    return sorted(found, key=lambda span: span.start)


def redact(text: str) -> str:
    """The text with each stretch of personal data replaced by its kind in brackets.

    Example:
        >>> redact("my card 4111 1111 1111 1111 was stolen")
        'my card [card] was stolen'
    """
    pieces, done = [], 0
    for span in find_personal(text):
        pieces += [text[done : span.start], f"[{span.kind}]"]
        done = span.end
    return "".join([*pieces, text[done:]])


def luhn_valid(digits: str) -> bool:
    """Whether a string of digits ends in its Luhn check digit (ISO/IEC 7812-1, annex B).

    Example:
        >>> luhn_valid("4111111111111111"), luhn_valid("4111111111111112")
        (True, False)
    """
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return bool(digits) and total % 10 == 0


def card_valid(digits: str) -> bool:
    """Whether digits are a card number: an issuer's prefix, its length, and the Luhn digit.

    Example:
        >>> card_valid("378282246310005"), card_valid("1234567812345670")
        (True, False)
    """
    issued = any(
        low <= int(digits[: len(str(low))]) <= high and len(digits) in lengths
        for low, high, lengths in _ISSUERS
        if len(digits) >= 13
    )
    return issued and luhn_valid(digits)


def iban_valid(iban: str) -> bool:
    """Whether an IBAN without spaces has its country's length and check digits (ISO 13616).

    Example:
        >>> iban_valid("DE89370400440532013000"), iban_valid("DE88370400440532013000")
        (True, False)
    """
    iban = iban.upper()
    if _IBAN_LENGTHS.get(iban[:2]) != len(iban) or not (iban.isascii() and iban.isalnum()):
        return False
    if not iban[2:4].isdigit():
        return False
    moved = iban[4:] + iban[:4]
    return int("".join(str(int(sign, 36)) for sign in moved)) % 97 == 1


def chinese_id_valid(number: str) -> bool:
    """Whether 18 signs are a Chinese resident identity number (GB 11643-1999).

    The region's first two digits, the date of birth and the check sign (ISO 7064 MOD 11-2) must
    be right.

    Example:
        >>> chinese_id_valid("11010519491231002X"), chinese_id_valid("110105194912310021")
        (True, False)
    """
    if not re.fullmatch("[0-9]{17}[0-9Xx]", number) or number[:2] not in _CHINESE_REGIONS:
        return False
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    total = sum(int(number[i]) * pow(2, 17 - i, 11) for i in range(17))
    return 1850 <= born.year <= 2099 and "10X98765432"[total % 11] == number[17].upper()


def ssn_valid(number: str) -> bool:
    """Whether ``AAA-GG-SSSS`` may be a social security number; it has no check digit.

    Area 000, 666 and 900-999, group 00 and serial 0000 are never given out (SSA).

    Example:
        >>> ssn_valid("219-09-1234"), ssn_valid("666-09-1234")
        (True, False)
    """
    match = re.fullmatch("([0-9]{3})-([0-9]{2})-([0-9]{4})", number)
    if match is None:
        return False
    area, group, serial = match.groups()
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


_ANY_CUE = re.compile("[@0-9]")
_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9_%+-][A-Za-z0-9._%+-]{0,63}"
    r"@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9-])"
)
_IBAN_START = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}")
_DIGIT_RUN = re.compile(r"(?<![A-Za-z0-9])[0-9]+(?:[ -][0-9]+)*(?![A-Za-z0-9])")
_CHINESE_ID = re.compile(r"(?<![A-Za-z0-9])[0-9]{17}[0-9Xx](?![A-Za-z0-9])")
_SSN = re.compile(r"(?<![A-Za-z0-9-])[0-9]{3}-[0-9]{2}-[0-9]{4}(?![A-Za-z0-9-])")
_MOST_GROUPS = 7
_BEFORE, _AFTER = r"(?<![A-Za-z0-9.,/+$€£¥-])", r"(?![A-Za-z0-9/%]|[.,:-][0-9]|-[A-Za-z])"
_PHONES = (
    # International: a plus, then 8 to 15 digits in groups.
    re.compile(r"(?<![A-Za-z0-9+])\+[1-9](?:[ .-]?\(?[0-9]\)?){7,14}" + _AFTER),
    # North American, written in its three groups.
    re.compile(
        _BEFORE
        + r"(?:1[ .-])?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[ .-])[2-9][0-9]{2}[ .-][0-9]{4}"
        + _AFTER
    ),
    # Chinese mobile.
    re.compile(_BEFORE + r"1[3-9][0-9](?:[0-9]{8}|([ -])[0-9]{4}\1[0-9]{4})" + _AFTER),
    # National with a trunk zero, in two to four groups, ten to twelve digits.
    re.compile(
        _BEFORE
        + r"(?=\(?0(?:[ ()-]{0,2}[0-9]){9,11}(?![0-9]))"
        + r"\(?0[0-9]{1,4}\)?[ -][0-9]{3,8}(?:[ -][0-9]{2,4}){0,2}"
        + _AFTER
    ),
)
_NO_PHONE = re.compile(
    r"(?:\b(?:order|invoice|ticket|tracking|reference|ref|case|parcel|account|transaction)"
    r"|订单|单号|编号|流水号|运单)\W{0,3}(?:is|was|no|number|nr|id|号)?\W{0,3}$|#\s?$",
    re.IGNORECASE,
)
_PHONE_CUE = re.compile(r"phone|mobile|call|cell|tel|fax|whatsapp|电话|手机|联系", re.IGNORECASE)


def _emails(text: str) -> Iterator[tuple[int, int]]:
    if "@" in text:
        yield from (match.span() for match in _EMAIL.finditer(text))


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    for match in _IBAN_START.finditer(text):
        length = _IBAN_LENGTHS.get(match.group()[:2].upper(), 0)
        signs, at = "", match.start()
        while at < len(text) and len(signs) < length:
            sign = text[at]
            if sign.isascii() and sign.isalnum():
                signs += sign
            elif sign not in " -" or text[at - 1] in " -":
                break
            at += 1
        if iban_valid(signs) and not re.match("[A-Za-z0-9]", text[at : at + 1]):
            yield match.start(), at


def _cards(text: str) -> Iterator[tuple[int, int]]:
    """Within each run of digit groups, the stretches of whole groups that are a card."""
    for run in _DIGIT_RUN.finditer(text):
        groups = [
            (run.start() + group.start(), run.start() + group.end())
            for group in re.finditer("[0-9]+", run.group())
        ]
        i = 0
        while i < len(groups):
            last = _card_at(text, groups, i)
            if last >= i:
                yield groups[i][0], groups[last][1]
            i = max(i, last) + 1


def _card_at(text: str, groups: list[tuple[int, int]], first: int) -> int:
    """The last of the digit groups that are a card from ``first`` on; -1 where none are."""
    found, digits = -1, ""
    if text[groups[first][0]] in "23456":
        for place in range(first, min(len(groups), first + _MOST_GROUPS)):
            digits += text[slice(*groups[place])]
            if len(digits) > 19:
                break
            if card_valid(digits):
                found = place
    return found


def _id_numbers(text: str) -> Iterator[tuple[int, int]]:
    for pattern, valid in ((_CHINESE_ID, chinese_id_valid), (_SSN, ssn_valid)):
        for match in pattern.finditer(text):
            if valid(match.group()):
                yield match.span()


def _phones(text: str) -> Iterator[tuple[int, int]]:
    for pattern in _PHONES:
        for match in pattern.finditer(text):
            before = text[max(0, match.start() - 24) : match.start()]
            if not _NO_PHONE.search(before) or _PHONE_CUE.search(before):
                yield match.span()


_FINDERS: tuple[tuple[Kind, Callable[[str], Iterator[tuple[int, int]]]], ...] = (
    ("email", _emails),
    ("iban", _ibans),
    ("card", _cards),
    ("id_number", _id_numbers),
    ("phone", _phones),
)

# First and last prefix of an issuer, and the lengths of its numbers (ISO/IEC 7812 ranges).
_ISSUERS = (
    (4, 4, (13, 16, 19)),  # Visa
    (51, 55, (16,)),  # Mastercard
    (2221, 2720, (16,)),  # Mastercard
    (34, 34, (15,)),  # American Express
    (37, 37, (15,)),  # American Express
    (300, 305, (14,)),  # Diners Club
    (36, 36, (14,)),  # Diners Club
    (38, 39, (14,)),  # Diners Club
    (3528, 3589, (16, 17, 18, 19)),  # JCB
    (6011, 6011, (16, 17, 18, 19)),  # Discover
    (644, 659, (16, 17, 18, 19)),  # Discover
    (62, 62, (16, 17, 18, 19)),  # UnionPay
)
_CHINESE_REGIONS = frozenset(
    str(region)
    for low, high in (
        (11, 15),
        (21, 23),
        (31, 37),
        (41, 46),
        (50, 54),
        (61, 65),
        (71, 71),
        (81, 83),
    )
    for region in range(low, high + 1)
)
# Length by country, from the IBAN registry that SWIFT keeps for ISO 13616.
_IBAN_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FK FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}
