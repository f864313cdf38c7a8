"""A tier to compress."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.adapt.tiny_backbones import messages

from payoff.adapt.export.tokens_tier import write_encoder_tier
from payoff.adapt.recipes.linear import fit_logistic
from payoff.artifact.tier import TierSpec


@pytest.fixture
def tier(
    make_bench: Callable[..., Any], bert_folder: Path, tmp_path: Path
) -> tuple[TierSpec, Path, list[str]]:
    """A fitted head on a frozen encoder, written as a tier, and its texts."""
    texts, targets = messages([40, 40, 40])
    opened = make_bench(texts, targets, [bert_folder]).opened(str(bert_folder))
    head = fit_logistic(opened.trunk.pooled(), targets, n_labels=3, strength=30.0)
    target = tmp_path / "tier"
    spec = write_encoder_tier(opened, opened.encoder.layers, head, target, name="tiny")
    return spec, target, texts
