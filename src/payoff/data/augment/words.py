"""Words left out or changed in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from payoff.data.augment.augmenter import check_share

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Words:
    """Random deletion or random swap of words, one of the two for each text.

    The two operations of EDA (Wei & Zou 2019, section 2) that need no list of words; a fixed number
    of words is deleted, where EDA draws for each. Words are what stands between spaces, and come
    back with one space between them. A text of one word, or written without spaces as Chinese is,
    comes back as it is.

    Args:
        share: Words deleted, or pairs swapped, over the words of a text; at least one.

    Raises:
        DataError: PF113 where ``share`` is not above 0 and at most 1.

    Example:
        >>> import numpy as np
        >>> made = Words().augment(["where is my card", "卡丢了"], np.random.default_rng(0))
        >>> set(made[0].split()) <= {"where", "is", "my", "card"}, made[1]
        (True, '卡丢了')
    """

    name = "words"
    share: float = 0.1

    def __post_init__(self) -> None:
        check_share(self.name, self.share)

    def augment(self, texts: Sequence[str], rng: np.random.Generator) -> list[str]:
        """Each text with words missing or in another order."""
        return [self._disordered(text, rng) for text in texts]

    def _disordered(self, text: str, rng: np.random.Generator) -> str:
        words = text.split()
        if len(words) < 2:
            return text
        n_edits = max(1, round(self.share * len(words)))
        if rng.random() < 0.5:
            left = len(words) - min(n_edits, len(words) - 1)
            kept = sorted(rng.choice(len(words), left, replace=False))
            return " ".join(words[i] for i in kept)
        for _ in range(n_edits):
            one, other = rng.choice(len(words), 2, replace=False)
            words[one], words[other] = words[other], words[one]
        return " ".join(words)
