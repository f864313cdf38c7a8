"""The encoding of a text file, told from its bytes alone.

The rules, in order:

1. A byte-order mark decides (UTF-8, UTF-16, UTF-32).
2. Bytes that are valid UTF-8 are UTF-8.
3. Bytes that are nearly all valid UTF-8 are a damaged UTF-8 file: an error, not a guess.
4. Bytes that are valid GB18030, and of whose characters beyond ASCII at least
   `MIN_COMMON_CHINESE` are level-1 characters or punctuation of GB 2312, are GB18030.
5. Otherwise Windows-1252 (or Latin-1, where bytes that Windows-1252 lacks occur), as long as at
   most `MAX_ACCENTED` of the letters are beyond ASCII, as in every language it was made for.
6. Anything else is an error that asks for ``encoding=``.

Rules 4 and 5 are guesses and are said in the notes of the data set.
"""

from __future__ import annotations

import codecs
from itertools import islice

import numpy as np

from payoff.core.errors import DataError

MIN_COMMON_CHINESE = 0.8
MAX_ACCENTED = 0.4

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
_CHUNK = 1 << 20
_SAMPLE = 1 << 16
_MAX_CHINESE = 20_000
_MEND = "Save it as UTF-8, or name the encoding, as in encoding='cp1251'."


def detect_encoding(content: bytes, source: str) -> tuple[str, tuple[str, ...]]:
    r"""Name the codec of a text file, with a note where it was guessed.

    Raises:
        DataError: PF102 where the bytes are binary, damaged, or of no encoding told here.

    Example:
        >>> detect_encoding("退款".encode("gb18030") * 9, "t.csv")[0]
        'gb18030'
        >>> detect_encoding("café, crème\n".encode("latin-1"), "t.csv")[0]
        'cp1252'
    """
    for bom, codec in _BOMS:
        if content.startswith(bom):
            return codec, ()
    _refuse_controls(content, source)
    fault = _first_fault(content, "utf-8")
    if fault is None:
        return "utf-8", ()
    _refuse_nearly_utf8(content, fault, source)
    if _is_chinese(content):
        return "gb18030", (
            f"{source} is no UTF-8; it was read as GB18030 (Chinese), since its bytes fit that.",
        )
    if _accented_share(content) <= MAX_ACCENTED:
        codec = "cp1252" if _first_fault(content, "cp1252") is None else "latin-1"
        return codec, (
            f"{source} is no UTF-8; it was read as {codec} (Western European),"
            " which cannot be verified from the bytes.",
        )
    raise DataError(
        "PF102",
        source,
        f"it is no UTF-8 from byte {fault + 1} on, and its encoding cannot be told",
        mend=_MEND,
    )


def _first_fault(content: bytes, codec: str) -> int | None:
    """Offset of the first byte that does not decode, or None."""
    decoder = codecs.getincrementaldecoder(codec)("strict")
    view = memoryview(content)
    for start in range(0, len(content) or 1, _CHUNK):
        try:
            decoder.decode(view[start : start + _CHUNK], start + _CHUNK >= len(content))
        except UnicodeDecodeError as error:
            return start + error.start
    return None


def _refuse_controls(content: bytes, source: str) -> None:
    """Raise where the first 64 KiB hold more control bytes than any text does."""
    head = np.frombuffer(content[:_SAMPLE], dtype=np.uint8)
    common = np.isin(head, np.array([0, 9, 10, 12, 13, 27], dtype=np.uint8))
    control_share = float(np.mean((head < 32) & ~common))
    nul_share = float(np.mean(head == 0))
    if nul_share > 0.3 and len(head) > 3:
        for codec, blank in (("utf-16-le", head[1:8:2]), ("utf-16-be", head[0:8:2])):
            if not blank.any():
                raise DataError(
                    "PF102",
                    source,
                    "it looks like UTF-16 without a byte-order mark",
                    mend=f"Save it as UTF-8, or say encoding='{codec}'.",
                )
    decodes = _first_fault(content[:_SAMPLE].rsplit(b"\n", 1)[0], "utf-8") is None
    if control_share <= 0.1 and nul_share <= 0.3 and (decodes or control_share + nul_share == 0):
        return
    raise DataError(
        "PF102",
        source,
        "it is a binary file, not text",
        mend="Give a CSV, Parquet, JSON lines or Excel file.",
    )


def _refuse_nearly_utf8(content: bytes, fault: int, source: str) -> None:
    """Raise where valid UTF-8 sequences outnumber the bad bytes ten to one."""
    text = content.decode("utf-8", "surrogateescape")
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    bad = (points >= 0xDC80) & (points <= 0xDCFF)
    n_bad = int(bad.sum())
    n_good = int(((points > 127) & ~bad).sum())
    if n_good > 10 * n_bad:
        line = content.count(b"\n", 0, fault) + 1
        raise DataError(
            "PF102",
            source,
            f"line {line} holds a byte that is no UTF-8"
            f" (0x{content[fault]:02X}), though the rest of the file is UTF-8"
            f" ({n_bad} such bytes)",
            mend="Mend those bytes, or name the encoding.",
        )


def _is_chinese(content: bytes) -> bool:
    """Whether the bytes are valid GB18030 with mostly common Chinese characters."""
    if _first_fault(content, "gb18030") is not None:
        return False
    decoder = codecs.getincrementaldecoder("gb18030")("strict")
    every = (c for c in decoder.decode(content[:_CHUNK]) if ord(c) > 127)
    beyond = list(islice(every, _MAX_CHINESE))
    encoded = [c.encode("gb18030") for c in beyond]
    common = sum(
        len(pair) == 2 and pair[1] >= 0xA1 and (0xB0 <= pair[0] <= 0xD7 or 0xA1 <= pair[0] <= 0xA3)
        for pair in encoded
    )
    return bool(beyond) and common >= MIN_COMMON_CHINESE * len(beyond)


def _accented_share(content: bytes) -> float:
    """Share of bytes above 0x7F among those and the ASCII letters."""
    head = np.frombuffer(content[:_CHUNK], dtype=np.uint8)
    high = int((head > 127).sum())
    folded = head | 0x20
    letters = int(((folded >= ord("a")) & (folded <= ord("z")) & (head < 128)).sum())
    return high / (high + letters) if high + letters else 0.0
