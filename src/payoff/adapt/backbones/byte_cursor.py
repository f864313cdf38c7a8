"""A cursor over the bytes of a binary file of weights."""

from __future__ import annotations

import struct
from typing import Any


class ByteCursor:
    """Reads little-endian numbers one after the other.

    Args:
        content: The whole file.

    Attributes:
        at: Next byte to read.

    Example:
        >>> cursor = ByteCursor(bytes([7, 0, 1]))
        >>> cursor.take("H"), cursor.at
        ((7,), 2)
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.at = 0

    def take(self, form: str) -> tuple[Any, ...]:
        """Numbers in the format of `struct`, without padding.

        Raises:
            struct.error: Where the file ends before.
        """
        values = struct.unpack_from("<" + form, self.content, self.at)
        self.at += struct.calcsize("<" + form)
        return values
