"""The versions, and the precision, that what is learnt depends on."""

from __future__ import annotations

import platform
from importlib.metadata import version


def versions() -> dict[str, str]:
    """Version by name of payoff, Python and the libraries that train and serve.

    Where trainings of this process run in mixed precision, that is told too: another processor
    would learn a model with other last digits.

    Raises:
        AdaptError: PF416 where the environment asks for a precision that cannot be had.

    Example:
        >>> "onnxruntime" in versions()
        True
    """
    from payoff.adapt.engine.precision import training_precision

    libraries = ("numpy", "onnxruntime", "payoff", "scikit-learn", "tokenizers", "torch")
    found = {"python": platform.python_version()} | {name: version(name) for name in libraries}
    return found | ({"precision": "mixed"} if training_precision() == "mixed" else {})
