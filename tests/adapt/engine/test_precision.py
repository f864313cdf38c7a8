from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from payoff.adapt.engine import precision
from payoff.adapt.engine.batches import pack
from payoff.adapt.engine.classifier import Classifier, classifier_logits
from payoff.adapt.engine.encoder import Encoder
from payoff.adapt.engine.finetuning import FineTuning, Schedule
from payoff.adapt.engine.trunk import Trunk
from payoff.core.errors import AdaptError
from payoff.core.progress import Silent
from payoff.plan.versions import versions

MakeTrunk = Callable[[], Trunk]


@pytest.fixture
def mixed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Products in 16 bits, computed in software where the processor has no units for them."""
    monkeypatch.setattr(precision, "has_units", lambda: True)
    monkeypatch.setenv(precision.PRECISION, "mixed")


def classifier(encoder: Encoder) -> Classifier:
    weight = np.random.default_rng(0).normal(size=(3, 32)).astype(np.float32)
    return Classifier(encoder, 0, weight, np.zeros(3, np.float32))


def gradients(encoder: Encoder, trunk: Trunk, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Loss and all gradients of a batch of texts of several lengths."""
    tuned = classifier(encoder).train()
    batch = pack(trunk.tokens, np.arange(20))
    logits = tuned(trunk.below(0, batch), batch)
    assert logits.dtype == torch.float32
    loss = torch.nn.functional.cross_entropy(logits, targets[batch.rows])
    loss.backward()  # type: ignore[no-untyped-call]
    found = [p.grad.flatten() for p in tuned.parameters() if p.grad is not None]
    assert {grad.dtype for grad in found} == {torch.float32}
    return loss.detach(), torch.cat(found)


def test_gradients_are_those_of_full_precision_but_for_rounding(
    encoder: Encoder,
    make_trunk: MakeTrunk,
    some_targets: np.ndarray,
    request: pytest.FixtureRequest,
) -> None:
    trunk, targets = make_trunk(), torch.from_numpy(some_targets)
    loss, whole = gradients(encoder, trunk, targets)
    request.getfixturevalue("mixed")
    rounded_loss, rounded = gradients(encoder, trunk, targets)
    assert not torch.equal(whole, rounded)
    torch.testing.assert_close(loss, rounded_loss, rtol=0.02, atol=0)
    assert torch.cosine_similarity(whole, rounded, dim=0) > 0.995


@pytest.mark.usefixtures("mixed")
def test_what_is_measured_and_served_is_in_full_precision(
    encoder: Encoder, make_trunk: MakeTrunk, monkeypatch: pytest.MonkeyPatch
) -> None:
    trunk, tuned = make_trunk(), classifier(encoder).eval()
    in_mixed = classifier_logits(tuned, trunk, np.arange(20))
    monkeypatch.setenv(precision.PRECISION, "full")
    assert np.array_equal(in_mixed, classifier_logits(tuned, trunk, np.arange(20)))


@pytest.mark.usefixtures("mixed")
def test_a_training_learns_and_is_repeatable(
    encoder: Encoder, make_trunk: MakeTrunk, some_targets: np.ndarray
) -> None:
    def trained() -> FineTuning:
        schedule = Schedule(depth=0, epochs=8.0, batch_texts=8, learning_rate=2e-3)
        rows = np.arange(50)
        tuning = FineTuning(
            classifier(encoder),
            make_trunk(),
            some_targets,
            rows=rows,
            schedule=schedule,
            progress=Silent(),
        )
        tuning.advance(1.0)
        return tuning

    one, other = trained(), trained()
    states = one.classifier.state_dict(), other.classifier.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    found = classifier_logits(one.classifier, one.trunk, one.rows).argmax(1)
    assert (found == some_targets[one.rows]).mean() > 0.9


@pytest.mark.usefixtures("mixed")
def test_rows_that_belong_to_no_text_do_not_stay(encoder: Encoder, make_trunk: MakeTrunk) -> None:
    trunk, tuned = make_trunk(), classifier(encoder).train()
    batch = pack(trunk.tokens, np.arange(3))
    assert batch.n_tokens % 64
    assert tuned.climbed(trunk.below(0, batch), batch).shape == (batch.n_tokens, 32)


@pytest.mark.usefixtures("mixed")
def test_a_run_tells_that_it_trained_in_mixed_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    assert versions()["precision"] == "mixed"
    monkeypatch.setenv(precision.PRECISION, "full")
    assert "precision" not in versions()


def test_an_unknown_precision_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(precision.PRECISION, "half")
    with pytest.raises(AdaptError, match=r"PF416 PAYOFF_PRECISION.*'half'.*mixed or full"):
        precision.training_precision()


def test_what_would_be_computed_in_software_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_units", lambda: False)
    monkeypatch.setenv(precision.PRECISION, "mixed")
    with pytest.raises(AdaptError, match="PF416"):
        precision.training_precision()
    monkeypatch.delenv(precision.PRECISION)
    assert precision.training_precision() == "full"
