"""payoff: from labelled texts and a pretrained model to the service that earns the most.

The names below are the whole public interface; they are imported when first used, so that
loading an artifact stays fast and never imports torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "ArtifactClassifier": "payoff.plan.artifact_classifier",
    "Client": "payoff.serve.client",
    "Dataset": "payoff.data.dataset",
    "Desk": "payoff.economics.desk",
    "Money": "payoff.core.money",
    "Payoff": "payoff.economics.payoff",
    "PayoffClassifier": "payoff.plan.classifier",
    "PayoffError": "payoff.core.errors",
    "Person": "payoff.economics.person",
    "Traffic": "payoff.economics.traffic",
    "evaluate": "payoff.economics.evaluate",
    "load": "payoff.economics.desk",
    "search": "payoff.plan.search",
    "tune": "payoff.plan.tuning.tune",
}

__all__ = sorted([*_HOME, "__version__"])

if TYPE_CHECKING:
    from payoff.core.errors import PayoffError
    from payoff.core.money import Money
    from payoff.data.dataset import Dataset
    from payoff.economics.desk import Desk, load
    from payoff.economics.evaluate import evaluate
    from payoff.economics.payoff import Payoff
    from payoff.economics.person import Person
    from payoff.economics.traffic import Traffic
    from payoff.plan.artifact_classifier import ArtifactClassifier
    from payoff.plan.classifier import PayoffClassifier
    from payoff.plan.search import search
    from payoff.plan.tuning.tune import tune
    from payoff.serve.client import Client


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'payoff' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
