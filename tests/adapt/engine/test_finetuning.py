from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from payoff.adapt.engine.batches import pack
from payoff.adapt.engine.classifier import Classifier, classifier_logits
from payoff.adapt.engine.encoder import Encoder
from payoff.adapt.engine.finetuning import MAX_TOKENS, FineTuning, Schedule
from payoff.adapt.engine.tokens import Tokens
from payoff.adapt.engine.trunk import Trunk
from payoff.core.errors import AdaptError
from payoff.core.progress import Silent

MakeTrunk = Callable[[], Trunk]
Make = Callable[..., FineTuning]
TRAIN = np.arange(50)


@pytest.fixture
def make(make_trunk: MakeTrunk, encoder: Encoder, some_targets: np.ndarray) -> Make:
    def tuning(*, progress: Any = None, bias: float = 0.0, **plan: Any) -> FineTuning:
        schedule = Schedule(**({"depth": 1, "epochs": 2.0, "batch_texts": 8} | plan))
        weight = np.random.default_rng(0).normal(size=(3, 32)).astype(np.float32)
        classifier = Classifier(encoder, schedule.depth, weight, np.full(3, bias, np.float32))
        return FineTuning(
            classifier,
            make_trunk(),
            some_targets,
            rows=TRAIN,
            schedule=schedule,
            progress=progress or Silent(),
        )

    return tuning


def weights(tuning: FineTuning) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in tuning.classifier.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    assert one.keys() == other.keys()
    return all(torch.equal(one[name], other[name]) for name in one)


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    loaded: dict[str, Any] = torch.load(file, weights_only=True)
    return loaded


@pytest.mark.parametrize("max_tokens", [MAX_TOKENS, 100])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_going_on_from_a_file_gives_the_very_same_weights(
    make: Make, share: float, max_tokens: int
) -> None:
    whole = make(max_tokens=max_tokens)
    whole.advance(1.0)
    first = make(max_tokens=max_tokens)
    first.advance(share)
    assert 0 < first.step < first.n_steps
    second = make(max_tokens=max_tokens)
    second.resume(through_a_file(first.state()))
    second.advance(1.0)
    assert second.step == whole.step == whole.n_steps == 14
    assert same(weights(whole), weights(second))


def test_the_same_seed_gives_the_same_and_another_seed_does_not(make: Make) -> None:
    tunings = [make(seed=seed) for seed in (0, 0, 1)]
    for tuning in tunings:
        tuning.advance(1.0)
    assert same(weights(tunings[0]), weights(tunings[1]))
    assert not same(weights(tunings[0]), weights(tunings[2]))


@pytest.mark.parametrize("depth", [0, 1])
def test_only_the_upper_layers_and_the_head_change(
    make: Make, encoder: Encoder, depth: int
) -> None:
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    tuning = make(depth=depth)
    start = weights(tuning)
    tuning.advance(1.0)
    assert same(before, encoder.state_dict()), "the pretrained encoder is shared, and not touched"
    after = weights(tuning)
    assert not any("words" in name or "trunk" in name for name in after)
    assert {name.split(".")[1] for name in after if name.startswith("layers.")} == {
        str(i) for i in range(2 - depth)
    }
    unchanged = [name for name in after if torch.equal(start[name], after[name])]
    assert unchanged == []
    assert not any(p.requires_grad for p in encoder.parameters())


def test_training_learns_what_it_is_shown(make: Make, some_targets: np.ndarray) -> None:
    tuning = make(epochs=20.0, learning_rate=1e-3, head_learning_rate=2e-2)
    before = classifier_logits(tuning.classifier, tuning.trunk, TRAIN).argmax(1)
    tuning.advance(1.0)
    after = classifier_logits(tuning.classifier, tuning.trunk, TRAIN).argmax(1)
    truth = some_targets[TRAIN]
    assert (before == truth).mean() < 0.7
    assert (after == truth).mean() > 0.95


class _Rates(Silent):
    """Notes the rates of each step."""

    def __init__(self) -> None:
        self.tuning: FineTuning | None = None
        self.seen: list[list[float]] = []

    def step(self, what: str, done: float, total: float) -> None:
        if what == "fine-tuning":
            assert self.tuning is not None
            groups = self.tuning._optimiser.param_groups
            self.seen.append([group["lr"] for group in groups])


def test_the_rate_rises_then_falls_to_zero_and_is_lower_for_lower_layers(make: Make) -> None:
    notes = _Rates()
    tuning = make(
        depth=0,
        epochs=20 / 7,
        warmup=0.2,
        decay=0.5,
        learning_rate=0.008,
        head_learning_rate=0.1,
        progress=notes,
    )
    notes.tuning = tuning
    assert tuning.n_steps == 20
    tuning.advance(1.0)
    # Four steps up, then 16 down: (step + 1) / 4, and (20 - step) / 16.
    factors = [0.25, 0.5, 0.75, 1.0, 1.0] + [n / 16 for n in range(15, 0, -1)]
    peaks = [0.004, 0.004, 0.008, 0.008, 0.1, 0.1]
    np.testing.assert_allclose(notes.seen, np.outer(factors, peaks), rtol=1e-12)


def test_matrices_alone_decay(make: Make) -> None:
    tuning = make(weight_decay=0.3)
    for group in tuning._optimiser.param_groups:
        assert {parameter.ndim > 1 for parameter in group["params"]} == {
            group["weight_decay"] == 0.3
        }
    trained = sum(len(group["params"]) for group in tuning._optimiser.param_groups)
    assert trained == len(list(tuning.classifier.parameters()))


def test_the_first_step_is_adamw_on_the_smoothed_loss(
    make: Make, some_tokens: Tokens, some_targets: np.ndarray
) -> None:
    """AdamW's first step moves each weight by its rate, against the sign of its gradient."""
    tuning = make(warmup=0.0, weight_decay=0.0)
    batch = pack(some_tokens, tuning._batches(0)[0])
    hidden = tuning.trunk.below(1, batch)
    logits = tuning.classifier(hidden, batch)
    truth = torch.from_numpy(some_targets[batch.rows])
    right = functional.one_hot(truth, 3).float()
    loss = -((0.9 * right + 0.1 / 3) * logits.log_softmax(1)).sum(1).mean()
    (gradient,) = torch.autograd.grad(loss, [tuning.classifier.head.bias])
    before = tuning.classifier.head.bias.detach().clone()
    tuning.advance(1 / tuning.n_steps)
    assert tuning.step == 1
    moved = tuning.classifier.head.bias.detach() - before
    torch.testing.assert_close(moved, -2e-3 * gradient.sign(), atol=2e-6, rtol=0)


def test_a_loss_that_is_no_number_is_told_with_its_step(make: Make) -> None:
    tuning = make(bias=float("nan"))
    with pytest.raises(AdaptError, match="PF402 step 0 of 14"):
        tuning.advance(1.0)
    assert tuning.step == 0


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_gradient_that_is_no_number_leaves_the_last_good_state(make: Make, value: float) -> None:
    """The loss may be finite where its gradient is not; then no weight may take the step."""
    tuning, good = make(), make()
    tuning.advance(3 / tuning.n_steps)
    good.advance(3 / good.n_steps)
    tuning.classifier.head.bias.register_hook(lambda gradient: gradient * value)
    with pytest.raises(AdaptError, match=r"PF402 step 3 of 14: the gradient is (inf|nan)"):
        tuning.advance(1.0)
    assert tuning.step == 3
    assert same(weights(tuning), weights(good))
    going_on = make()
    going_on.resume(through_a_file(tuning.state()))
    going_on.advance(1.0)
    good.advance(1.0)
    assert same(weights(going_on), weights(good))


class Runs:
    """Counts the tokens and places of each run through the first trained layer."""

    def __init__(self, tuning: FineTuning) -> None:
        self.tokens: list[int] = []
        layer = tuning.classifier.layers[0]
        layer.register_forward_hook(lambda _, given, out: self.tokens.append(len(given[0])))


def test_a_step_within_the_bound_is_computed_as_one_to_the_last_bit(
    make: Make, some_tokens: Tokens, some_targets: np.ndarray
) -> None:
    tuning, restated = make(), make()
    runs = Runs(tuning)
    tuning.advance(1.0)
    optimiser = torch.optim.AdamW(restated._parameter_groups(), fused=True)
    restated.classifier.train()
    sizes = []
    for step in range(restated.n_steps):
        rows = restated._batches(step // 7)[step % 7]
        batch = pack(some_tokens, rows)
        sizes.append(batch.n_tokens)
        restated.step = step
        restated._set_rates()
        for group, own in zip(
            optimiser.param_groups, restated._optimiser.param_groups, strict=True
        ):
            group["lr"] = own["lr"]
        logits = restated.classifier(restated.trunk.below(1, batch), batch)
        truth = torch.from_numpy(some_targets)[batch.rows]
        loss = functional.cross_entropy(logits, truth, label_smoothing=0.1)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(restated.classifier.parameters(), 1.0)
        optimiser.step()
    assert same(weights(tuning), weights(restated))
    assert runs.tokens == sizes
    assert max(sizes) <= MAX_TOKENS


@pytest.mark.parametrize("max_tokens", [100, 40, 1])
def test_a_step_in_parts_is_the_whole_step(make: Make, max_tokens: int) -> None:
    whole, parts = make(), make(max_tokens=max_tokens)
    assert parts.n_steps == whole.n_steps, "a step is so many texts"
    runs = Runs(parts)
    longest = int(parts.trunk.tokens.lengths.max())
    for tuning in (whole, parts):
        tuning.advance(1 / tuning.n_steps)
    for (name, one), other in zip(
        whole.classifier.named_parameters(), parts.classifier.parameters(), strict=True
    ):
        assert one.grad is not None
        assert other.grad is not None
        torch.testing.assert_close(one.grad, other.grad, atol=1e-6, rtol=1e-4, msg=name)
    assert len(runs.tokens) > 1
    assert max(runs.tokens) <= max(max_tokens, longest)
    assert sum(runs.tokens) == whole.trunk.tokens.lengths[whole._batches(0)[0]].sum()
    whole.advance(1.0)
    parts.advance(1.0)
    for name, value in weights(whole).items():
        # Steps that rounding alone decides: a constant added to all keys changes no attention.
        limit = 1e-3 if name.endswith("qkv.bias") else 1e-4
        assert float((value - weights(parts)[name]).abs().max()) < limit, name


def test_the_loss_told_is_that_of_the_whole_step(make: Make) -> None:
    found = []
    for max_tokens in (MAX_TOKENS, 40):
        notes = Losses()
        make(max_tokens=max_tokens, progress=notes).advance(1.0)
        found.append(notes.seen)
    assert len(found[0]) == 14
    np.testing.assert_allclose(*found, atol=1e-4)


class Losses(Silent):
    """Notes the loss of each step."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def measured(self, name: str, value: float, step: int) -> None:
        self.seen.append(value)


def test_no_step_computes_padding(make: Make) -> None:
    """Seen from outside: a layer is given as many rows as there are tokens, and no more."""
    for max_tokens in (MAX_TOKENS, 60):
        tuning = make(max_tokens=max_tokens)
        assert len({*tuning.trunk.tokens.lengths.tolist()}) > 5
        runs = Runs(tuning)
        tuning.advance(0.5)  # of two epochs
        assert sum(runs.tokens) == tuning.trunk.tokens.lengths[TRAIN].sum()
        assert tuning.largest_batch().padding_share == 0.0


def test_what_is_computed_at_once_is_bounded(make: Make) -> None:
    whole = make().largest_batch()
    assert len(whole.rows) == 8
    bounded = make(max_tokens=100)
    assert 40 < bounded.largest_batch().n_tokens <= 100
    assert bounded.training_bytes() < make().training_bytes()
    longest = make().trunk.tokens.lengths[TRAIN].max()
    assert make(max_tokens=1).largest_batch().n_tokens == longest


def test_advancing_to_where_it_is_does_nothing(make: Make) -> None:
    tuning = make()
    tuning.advance(0.5)
    step, before = tuning.step, weights(tuning)
    tuning.advance(0.5)
    tuning.advance(0.2)
    assert tuning.step == step
    assert same(before, weights(tuning))


def test_logits_come_in_the_order_asked_for(make: Make) -> None:
    tuning = make()
    rows = np.array([59, 2, 31, 0, 7])
    together = classifier_logits(tuning.classifier, tuning.trunk, rows)
    alone = [
        classifier_logits(tuning.classifier, tuning.trunk, rows[i : i + 1])[0] for i in range(5)
    ]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert classifier_logits(tuning.classifier, tuning.trunk, rows[:0]).shape == (0, 3)
