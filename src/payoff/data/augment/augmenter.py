"""The interface of every augmenter: a text in, another of the same meaning out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from payoff.core.errors import DataError

if TYPE_CHECKING:
    import numpy as np


class Augmenter(Protocol):
    """Makes a new text from each text, such as a client could have written it too.

    What it makes has the label of the text that it is made from; whether that helps is for a
    measurement to say.

    Attributes:
        name: As registered under the entry point ``payoff.augmenters``.
    """

    @property
    def name(self) -> str:
        """What people read."""

    def augment(self, texts: Sequence[str], rng: np.random.Generator) -> list[str]:
        """One new text for each of ``texts``, in their order.

        A text that cannot be changed comes back as it is; none that says something comes back
        empty. The same texts and state of ``rng`` give the same texts.

        Args:
            texts: ``n_texts`` of them.
            rng: Where all chance comes from.
        """


def check_share(where: str, share: float) -> None:
    """Refuse a share that is not above 0 and at most 1.

    Raises:
        DataError: PF113.

    Example:
        >>> check_share("typos", 0.05)
        >>> check_share("typos", 5)
        Traceback (most recent call last):
        ...
        payoff.core.errors.DataError: PF113 typos, share: 5 (expected above 0 and at most 1).
    """
    if not 0 < share <= 1:
        raise DataError("PF113", f"{where}, share", f"{share}", expected="above 0 and at most 1")
