"""Optional libraries: had, or told with the line that installs them."""

from __future__ import annotations

import importlib
from types import ModuleType

from payoff.core.errors import MachineError


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """Import an optional library, or say how to get it.

    Args:
        module: Name to import, such as ``"torch"``.
        extra: The extra of payoff that brings it, such as ``"tune"``.
        purpose: What it is needed for, as the end of "… is needed for".

    Raises:
        MachineError: PF803 where the library is not installed.

    Example:
        >>> require("nothing_of_that_name", "tune", "training")
        Traceback (most recent call last):
        ...
        payoff.core.errors.MachineError: PF803 nothing_of_that_name: it is needed for training\
 and is not installed. Run: pip install 'payoff[tune]'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):  # something within it is missing
            raise
        raise MachineError(
            "PF803",
            module,
            f"it is needed for {purpose} and is not installed",
            mend=f"Run: pip install 'payoff[{extra}]'",
        ) from error
