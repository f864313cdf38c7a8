"""A tier to compress."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.adapt.tiny_backbones import messages

from payoff.adapt.export.tokens_tier import write_encoder_tier
from payoff.adapt.recipes.linear import fit_logistic
from payoff.adapt.workbench import Workbench
from payoff.artifact.tier import TierSpec

Tier = tuple[TierSpec, Path, list[str]]


@pytest.fixture(scope="session")
def written_tier(bert_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Tier:
    """A fitted head on a frozen encoder, written as a tier, and its texts."""
    texts, targets = messages([40, 40, 40])
    folder, name, rows = tmp_path_factory.mktemp("tier"), str(bert_folder), np.arange(120)
    bench = Workbench(
        tuple(texts),
        targets,
        ("a", "b", "c"),
        rows[:80],
        rows[80:],
        (name,),
        folder / "activations",
    )
    opened = bench.opened(name)
    head = fit_logistic(opened.trunk.pooled(), targets, n_labels=3, strength=30.0)
    spec = write_encoder_tier(opened, opened.encoder.layers, head, folder / "tier", name="tiny")
    return spec, folder / "tier", texts


@pytest.fixture
def tier(written_tier: Tier, tmp_path: Path) -> Tier:
    """The same in a folder of its own."""
    spec, folder, texts = written_tier
    return spec, Path(shutil.copytree(folder, tmp_path / "tier")), texts
