"""What every runtime offers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt


class Runtime(Protocol):
    """A model ready to answer; safe to call from several threads."""

    def logits(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Uncalibrated scores, ``(n_texts, n_labels)``, in the caller's order.

        Raises:
            DataError: PF105 where a text is unusable.
        """
