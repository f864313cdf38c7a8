from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch

from payoff.adapt.engine.adaptations.adaptive_low_rank import AdaptiveLowRank
from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.finetuning import FineTuning
from payoff.core.errors import AdaptError

Tune = Callable[..., FineTuning]


def ranks(classifier: Classifier) -> list[int]:
    """Entries that are not 0, of each matrix."""
    return [
        int((weight != 0).sum()) for n, weight in classifier.named_parameters() if ".lora_E." in n
    ]


def test_ranks_are_cut_to_the_wanted_average_and_stay_so(tune: Tune) -> None:
    tuning = tune(AdaptiveLowRank(2, 6), depth=0, epochs=6.0)
    assert tuning.n_steps == 42
    seen = []
    for step in range(1, 43):
        tuning.advance(step / 42)
        seen.append(sum(ranks(tuning.classifier)))
    assert len(ranks(tuning.classifier)) == 8, "four matrices of each of two layers"
    # 4 steps of waiting (a tenth), then cuts until 13 steps (three tenths) are left.
    assert seen[:4] == [48] * 4
    assert all(later <= earlier for earlier, later in pairwise(seen))
    # A third of the way, (1 - 8 / 25) cubed of the 32 are left to be cut.
    assert seen[11] == 16 + int(32 * 0.68**3) == 26
    assert seen[28:] == [16] * 14


def test_matrices_end_with_ranks_of_their_own(tune: Tune) -> None:
    tuning = tune(AdaptiveLowRank(2, 6), depth=0, epochs=6.0)
    tuning.advance(1.0)
    assert len(set(ranks(tuning.classifier))) > 1


def test_the_penalty_is_the_distance_from_orthonormal(attach: Callable[..., Classifier]) -> None:
    adaptation = AdaptiveLowRank(2, 4, orthogonality=0.3, targets=("out",))
    classifier = attach(adaptation)
    named = dict(classifier.named_parameters())
    a = named["layers.0.out.lora_A.default"].detach().numpy()
    b = named["layers.0.out.lora_B.default"].detach().numpy()
    by_hand = 0.0
    for gram in (a @ a.T, b.T @ b):
        for i in range(4):
            for j in range(4):
                by_hand += (gram[i, j] - (i == j)) ** 2
    penalty = adaptation.penalty(classifier)
    assert penalty is not None
    assert penalty.item() == pytest.approx(0.3 * by_hand / 2, rel=1e-5)
    with torch.no_grad():
        for name in ("lora_A", "lora_B"):
            torch.nn.init.orthogonal_(named[f"layers.0.out.{name}.default"])
    assert adaptation.penalty(classifier).item() == pytest.approx(0.0, abs=1e-9)  # type: ignore[union-attr]


@pytest.mark.parametrize("epochs", [1 / 7, 2 / 7, 3 / 7, 4 / 7, 5 / 7])
def test_short_trainings_do_not_fail(tune: Tune, epochs: float) -> None:
    tuning = tune(AdaptiveLowRank(2, 4), epochs=epochs)
    tuning.advance(1.0)
    # Importance is known from the second step on, so that a third of three can cut.
    assert sum(ranks(tuning.classifier)) == (16 if tuning.n_steps < 3 else 8)


def test_what_the_allocation_remembers_is_needed(tune: Tune, save: Any) -> None:
    """Else resuming would be exact by chance."""
    states = []
    for forget in (False, True):
        first = tune(AdaptiveLowRank(2, 6), epochs=4.0)
        first.advance(0.5)
        state = save(first.state())[0]
        memory = state["classifier"]["ranks._extra_state"]
        assert memory["importance"].keys() == memory["uncertainty"].keys()
        assert len(memory["importance"]) == 12
        if forget:
            memory["importance"] = {k: -v for k, v in memory["importance"].items()}
        second = tune(AdaptiveLowRank(2, 6), epochs=4.0)
        second.resume(state)
        second.advance(1.0)
        states.append(second.classifier.state_dict())
    kept = [name for name in states[0] if "lora_E" in name]
    assert not all(torch.equal(states[0][name], states[1][name]) for name in kept)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"rank": 0}, "'rank'"),
        ({"rank": 8, "start_rank": 8}, "'start_rank'.*more than rank 8"),
        ({"alpha": 0.0}, "'alpha'"),
        ({"targets": ("all",)}, "'targets'"),
    ],
)
def test_settings_that_cannot_be_meant_are_told(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(AdaptError, match=f"PF406.*{told}"):
        AdaptiveLowRank(**settings)
