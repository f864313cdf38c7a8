"""What the tests of adapting share: one thread, tiny backbones, a workbench."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.adapt.tiny_backbones import encoder_folder, messages, static_folder


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def corpus() -> list[str]:
    """Texts that the tiny tokenizers are trained on, of both scripts."""
    return messages([40] * 12)[0] + messages([30] * 6, chinese=True)[0]


@pytest.fixture(scope="session")
def bert_folder(tmp_path_factory: pytest.TempPathFactory, corpus: list[str]) -> Path:
    return encoder_folder(tmp_path_factory.mktemp("bert") / "tiny-bert", corpus)


@pytest.fixture(scope="session")
def mpnet_folder(tmp_path_factory: pytest.TempPathFactory, corpus: list[str]) -> Path:
    return encoder_folder(tmp_path_factory.mktemp("mpnet") / "tiny-mpnet", corpus, kind="mpnet")


@pytest.fixture(scope="session")
def table_folder(tmp_path_factory: pytest.TempPathFactory, corpus: list[str]) -> Path:
    return static_folder(tmp_path_factory.mktemp("table") / "tiny-table", corpus)


@pytest.fixture
def make_bench(tmp_path: Path) -> Callable[..., object]:
    """A workbench of some messages: a third of them to judge by, unless said otherwise."""
    from payoff.adapt.workbench import Workbench

    def make(
        texts: Sequence[str],
        targets: NDArray[np.int64],
        backbones: Sequence[Path | str],
        *,
        n_train: int | None = None,
        seed: int = 0,
        folder: str = "activations",
    ) -> Workbench:
        rows = np.arange(len(texts))
        cut = n_train if n_train is not None else 2 * len(texts) // 3
        return Workbench(
            tuple(texts),
            targets,
            tuple(f"label {i:02}" for i in range(int(targets.max()) + 1)),
            rows[:cut],
            rows[cut:],
            tuple(str(backbone) for backbone in backbones),
            tmp_path / folder,
            seed,
        )

    return make
