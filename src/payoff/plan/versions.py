"""The versions that what is learnt depends on."""

from __future__ import annotations

import platform
from importlib.metadata import version


def versions() -> dict[str, str]:
    """Version by name of payoff, Python and the libraries that train and serve.

    Example:
        >>> "onnxruntime" in versions()
        True
    """
    libraries = ("numpy", "onnxruntime", "payoff", "scikit-learn", "tokenizers", "torch")
    return {"python": platform.python_version()} | {name: version(name) for name in libraries}
