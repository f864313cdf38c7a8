"""Outages: models that cannot be asked, told once, and once again when they can."""

from __future__ import annotations

import logging
import threading

_LOG = logging.getLogger("payoff.desk")
_BREAKER = "PF821"  # that an endpoint is left alone its circuit breaker tells


class Outages:
    """Tells the log what cannot be asked; safe to use from several threads.

    Example:
        >>> outages = Outages()
        >>> outages.tell("large", "PF820", "the month's budget is spent")
        >>> outages.tell("large")
    """

    def __init__(self) -> None:
        self._codes: dict[str, str] = {}
        self._lock = threading.Lock()

    def tell(self, name: str, code: str = "", why: str = "") -> None:
        """Log that a model cannot be asked, or can be asked again, where that is new.

        Args:
            name: Of the model.
            code: Of the error; empty where it answered.
            why: It cannot be asked.
        """
        with self._lock:
            if code == _BREAKER or self._codes.get(name, "") == code:
                return
            self._codes[name] = code
        told = f"{name} is not asked, the model before it answers: {why}"
        _LOG.warning(told if code else f"{name} is asked again")
