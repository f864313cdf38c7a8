"""What the tests of planning share: small data, tiny backbones, quick measurements."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from tests.adapt.tiny_backbones import encoder_folder, messages, static_folder

from payoff.data.dataset import Dataset
from payoff.economics.payoff import Payoff

LABELS = ("billing", "card", "loan", "refund")


def dataset_of(counts: list[int], *, seed: int = 0, noise: float = 0.05) -> Dataset:
    texts, targets = messages(counts, seed=seed, noise=noise)
    table = pl.DataFrame({"text": texts, "label": [LABELS[target] for target in targets]})
    return Dataset.from_frame(table, text="text", label="label")


@pytest.fixture(scope="session")
def requests() -> Dataset:
    return dataset_of([70, 60, 60, 50])


@pytest.fixture(scope="session")
def worth() -> Payoff:
    return Payoff(correct=3.0, wrong=-6.0, handoff=-2.0, currency="USD")


@pytest.fixture(scope="session")
def backbones(tmp_path_factory: pytest.TempPathFactory, requests: Dataset) -> tuple[str, str]:
    """Folders of a tiny encoder and of a tiny static table."""
    folder = tmp_path_factory.mktemp("backbones")
    return (
        str(encoder_folder(folder / "tiny-bert", requests.texts)),
        str(static_folder(folder / "tiny-table", requests.texts)),
    )


@pytest.fixture(scope="session", autouse=True)
def quick_measurements() -> Iterator[None]:
    """Latency is measured for a twentieth of the time, and torch has one thread."""
    import torch

    from payoff.evidence.latency import measure_latency
    from payoff.plan import options, shipped
    from payoff.plan.tuning import tune

    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        for module in (options, shipped, tune):
            patch.setattr(module, "measure_latency", partial(measure_latency, seconds=0.05))
        yield


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"
