"""Figures as people read them; a figure that was not measured says so.

Every function takes whatever the summary holds. What is no finite number becomes
`NOT_MEASURED`, never a blank and never a zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

NOT_MEASURED = "not measured"
_MINUS = "\N{MINUS SIGN}"
_THIN = "\N{NARROW NO-BREAK SPACE}"


def finite(value: Any) -> float | None:
    """The value as a finite number, or None.

    Example:
        >>> finite(3), finite(None), finite(float("nan")), finite("7"), finite(True)
        (3.0, None, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) + 0.0 if math.isfinite(value) else None  # + 0.0: no minus zero


def pick(summary: Any, *keys: str) -> Any:
    """What nested mappings hold under a path of keys; None where any step is missing.

    Example:
        >>> pick({"a": {"b": 1}}, "a", "b"), pick({"a": None}, "a", "b")
        (1, None)
    """
    for key in keys:
        if not isinstance(summary, Mapping):
            return None
        summary = summary.get(key)
    return summary


def entries(summary: Any, *keys: str) -> list[Mapping[str, Any]]:
    """The mappings of a list under a path of keys; empty where it is missing.

    Example:
        >>> entries({"plans": [{"name": "a"}, None]}, "plans")
        [{'name': 'a'}]
    """
    found = pick(summary, *keys)
    if not isinstance(found, list | tuple):
        return []
    return [entry for entry in found if isinstance(entry, Mapping)]


def words(value: Any, *, missing: str = NOT_MEASURED) -> str:
    """Text as it stands; ``missing`` for what is not there.

    Example:
        >>> words("int8"), words(""), words(None, missing="not stated")
        ('int8', 'not measured', 'not stated')
    """
    text = "" if value is None else str(value).strip()
    return text or missing


def money(value: Any, currency: str) -> str:
    """An amount with its currency.

    Example:
        >>> money(18240.4, "USD"), money(-3.5, "EUR"), money(None, "USD")
        ('18,240 USD', '−3.50 EUR', 'not measured')
    """
    text = amount(value)
    return text if finite(value) is None else f"{text} {currency}".rstrip()


def amount(value: Any) -> str:
    """An amount without its currency: whole from 100 up, cents below, two digits under a dime.

    Example:
        >>> amount(18240.4), amount(310), amount(45), amount(-0.0421), amount(0), amount(None)
        ('18,240', '310', '45.00', '−0.042', '0', 'not measured')
    """
    figure = finite(value)
    if figure is None:
        return NOT_MEASURED
    size = abs(figure)
    if size >= 0.1:
        return _signed(f"{figure:,.0f}" if size >= 100 else f"{figure:.2f}")
    return quantity(round(figure, 1 - math.floor(math.log10(size))) if size else 0)


def cents(value: Any) -> str:
    """An amount to the cent, so that a reader can add up what stands there.

    Example:
        >>> cents(18240.4), cents(-0.042), cents(None)
        ('18,240.40', '−0.04', 'not measured')
    """
    figure = finite(value)
    return NOT_MEASURED if figure is None else _signed(f"{figure:,.2f}")


def compact(value: Any) -> str:
    """A number short enough to stand in a picture.

    Example:
        >>> [compact(v) for v in (0, 0.042, 8.25, 840, 12345, -1.5e6, None)]
        ['0', '0.042', '8.2', '840', '12.3k', '−1.5M', '?']
    """
    number = finite(value)
    if number is None:
        return "?"
    size = abs(number)
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size >= limit * 0.9995:
            scaled = size / limit
            text = f"{scaled:.0f}" if scaled >= 99.95 else f"{scaled:.1f}".removesuffix(".0")
            return f"{_MINUS if number < 0 else ''}{text}{unit}"
    text = f"{size:.0f}" if size >= 10 else f"{size:.2g}"
    return f"{_MINUS if number < 0 and float(text) else ''}{text}"


def interval(value: Any, currency: str = "") -> str:
    """The ends of an interval: a mapping with ``low`` and ``high``.

    Example:
        >>> interval({"low": -80, "high": 910}, "USD"), interval({"low": 1, "high": None})
        ('−80.00 to 910 USD', 'not measured')
    """
    low, high = finite(pick(value, "low")), finite(pick(value, "high"))
    if low is None or high is None:
        return NOT_MEASURED
    return f"{amount(low)} to {money(high, currency) if currency else amount(high)}"


def percent(value: Any, places: int = 1) -> str:
    r"""A share as per cent; some is never shown as none, nor almost all as all.

    Example:
        >>> percent(0.923), percent(0.00001), percent(1), percent(None)
        ('92.3\u202f%', 'under 0.1\u202f%', '100\u202f%', 'not measured')
    """
    share = finite(value)
    if share is None:
        return NOT_MEASURED
    if 0 < share < 0.5 * 10 ** -(places + 2):
        return f"under {10**-places:g}{_THIN}%"
    if 1 - 0.5 * 10 ** -(places + 2) <= share < 1:
        return f"over {100 - 10**-places:g}{_THIN}%"
    text = f"{share * 100:.{places}f}"
    return _signed((text.rstrip("0").rstrip(".") if "." in text else text) + f"{_THIN}%")


def number(value: Any, places: int = 3) -> str:
    """A plain number with a fixed count of decimals.

    Example:
        >>> number(0.01234), number(40000, 0), number(None)
        ('0.012', '40,000', 'not measured')
    """
    figure = finite(value)
    return NOT_MEASURED if figure is None else _signed(f"{figure:,.{places}f}")


def quantity(value: Any) -> str:
    """A number with as many decimals as it needs.

    Example:
        >>> quantity(40000), quantity(0.00001234), quantity(2.5), quantity(None)
        ('40,000', '0.0000123', '2.5', 'not measured')
    """
    figure = finite(value)
    if figure is None:
        return NOT_MEASURED
    size = abs(figure)
    if size >= 100 or figure == int(figure):
        return _signed(f"{figure:,.0f}")
    places = 2 if size >= 1 else min(12, 2 - math.floor(math.log10(size)))
    return _signed(f"{figure:.{places}f}".rstrip("0").rstrip("."))


def milliseconds(value: Any) -> str:
    r"""A latency.

    Example:
        >>> milliseconds(3.41), milliseconds(128.2), milliseconds(None)
        ('3.4\u202fms', '128\u202fms', 'not measured')
    """
    ms = finite(value)
    if ms is None:
        return NOT_MEASURED
    places = 0 if ms >= 100 else 1 if ms >= 1 else 2
    return _signed(f"{ms:,.{places}f}{_THIN}ms")


def size(value: Any) -> str:
    r"""Bytes, in decimal units.

    Example:
        >>> size(22_900_000), size(812), size(None)
        ('22.9\u202fMB', '812\u202fB', 'not measured')
    """
    n_bytes = finite(value)
    if n_bytes is None:
        return NOT_MEASURED
    for limit, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if n_bytes >= limit:
            return f"{n_bytes / limit:.1f}{_THIN}{unit}"
    return _signed(f"{n_bytes:.0f}{_THIN}B")


def duration(value: Any) -> str:
    """Seconds as people say them.

    Example:
        >>> duration(4.25), duration(200), duration(7260), duration(None)
        ('4.2 s', '3 min 20 s', '2 h 1 min', 'not measured')
    """
    seconds = finite(value)
    if seconds is None:
        return NOT_MEASURED
    if seconds < 60:
        return _signed(f"{seconds:.1f} s".replace(".0 ", " "))
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s".removesuffix(" 0 s")
    return f"{whole // 3600} h {whole % 3600 // 60} min".removesuffix(" 0 min")


def _signed(text: str) -> str:
    return text.replace("-", _MINUS, 1) if text.startswith("-") else text
