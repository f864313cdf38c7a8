from __future__ import annotations

import io
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from payoff.adapt.engine.batches import Packed, pack
from payoff.adapt.engine.domain_tuning import (
    DenoisingBag,
    DomainTuning,
    SimCse,
    Task,
    dropped,
    frozen_part,
    together,
    without_some_tokens,
)
from payoff.adapt.engine.encoder import Encoder
from payoff.adapt.engine.finetuning import Schedule
from payoff.adapt.engine.tokens import Tokens
from payoff.core.progress import Silent

Make = Callable[..., DomainTuning]
TASKS = [SimCse(), DenoisingBag()]
by_task = pytest.mark.parametrize("task", TASKS, ids=["simcse", "bag"])
ROWS = np.arange(50)


@pytest.fixture
def make(encoder: Encoder, some_tokens: Tokens) -> Make:
    def tuning(task: Task, **plan: Any) -> DomainTuning:
        schedule = Schedule(
            **({"depth": 1, "epochs": 2.0, "batch_texts": 8, "learning_rate": 1e-3} | plan)
        )
        return DomainTuning(
            encoder, some_tokens, rows=ROWS, task=task, schedule=schedule, progress=Silent()
        )

    return tuning


@pytest.fixture
def batch(some_tokens: Tokens) -> Packed:
    return pack(some_tokens, np.arange(20))


def weights(tuning: DomainTuning) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in tuning.classifier.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def loss(tuning: DomainTuning, batch: Packed, *, seed: int = 0) -> float:
    with torch.no_grad():
        generator = torch.Generator().manual_seed(seed)
        return float(tuning.task(tuning.classifier, batch, generator))


@pytest.mark.parametrize("task", [SimCse(dropout=0.0), DenoisingBag()], ids=["simcse", "bag"])
def test_a_step_in_parts_has_the_gradient_of_the_whole(make: Make, task: Task) -> None:
    whole, parts = make(task), make(task, max_tokens=40)
    sizes: list[int] = []
    parts.classifier.layers[0].register_forward_hook(lambda _, given, out: sizes.append(len(out)))
    for tuning in (whole, parts):
        tuning.advance(1 / tuning.n_steps)
    for one, other in zip(
        whole.classifier.layers.parameters(), parts.classifier.layers.parameters(), strict=True
    ):
        assert one.grad is not None
        assert other.grad is not None
        torch.testing.assert_close(one.grad, other.grad, atol=2e-6, rtol=1e-3)
    assert max(sizes) <= 40 < sum(sizes)


def test_a_part_that_is_computed_again_drops_the_same(
    make: Make, batch: Packed, monkeypatch: pytest.MonkeyPatch
) -> None:
    gradients = []
    for again in (True, False):
        if not again:
            monkeypatch.setattr(
                "payoff.adapt.engine.classifier.checkpoint",
                lambda compute, own, part, use_reentrant: compute(own, part),
            )
        tuning = make(SimCse(), max_tokens=40)
        found = tuning.task(tuning.classifier, batch, torch.Generator().manual_seed(0))
        found.backward()  # type: ignore[no-untyped-call]
        gradients.append([p.grad for p in tuning.classifier.layers.parameters()])
    for one, other in zip(*gradients, strict=True):
        assert one is not None
        assert other is not None
        assert torch.equal(one, other)


@by_task
@pytest.mark.parametrize(("share", "max_tokens"), [(0.1, 4096), (0.5, 4096), (0.5, 40)])
def test_going_on_from_a_file_gives_the_very_same_weights(
    make: Make, task: Task, share: float, max_tokens: int
) -> None:
    whole, first, second = (make(task, max_tokens=max_tokens) for _ in range(3))
    whole.advance(1.0)
    first.advance(share)
    assert 0 < first.step < first.n_steps
    file = io.BytesIO()
    torch.save(first.state(), file)
    file.seek(0)
    second.resume(torch.load(file, weights_only=True))
    second.advance(1.0)
    assert same(weights(whole), weights(second))


@by_task
def test_the_seed_decides(make: Make, task: Task) -> None:
    tunings = [make(task, seed=seed) for seed in (0, 0, 1)]
    for tuning in tunings:
        tuning.advance(1.0)
    assert same(weights(tunings[0]), weights(tunings[1]))
    assert not same(weights(tunings[0]), weights(tunings[2]))


@by_task
def test_what_is_random_is_drawn_anew_in_each_epoch(make: Make, task: Task) -> None:
    """Also where a single batch holds all texts, and no rate moves any weight."""
    tuning = make(task, batch_texts=50, epochs=3.0, learning_rate=0.0, head_learning_rate=0.0)
    seen: list[float] = []
    own = tuning.objective

    def noted(*arguments: Any) -> Tensor:
        found = own(*arguments)
        seen.append(float(found.detach()))
        return found

    if isinstance(task, DenoisingBag):  # at its start every word is as likely as another
        torch.nn.init.normal_(tuning.classifier.head.weight)
    tuning.objective = noted
    tuning.advance(1.0)
    assert len(set(seen)) == 3


@by_task
def test_only_the_upper_layers_change(make: Make, encoder: Encoder, task: Task) -> None:
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    tuning = make(task)
    start = weights(tuning)
    tuning.advance(1.0)
    assert same(before, encoder.state_dict())
    after = weights(tuning)
    unchanged = {name for name in after if torch.equal(start[name], after[name])}
    assert unchanged == (set() if task.trains_head else {"head.weight", "head.bias"})


@by_task
def test_the_task_is_learnt(make: Make, batch: Packed, task: Task) -> None:
    tuning = make(task, epochs=30.0, batch_texts=16, head_learning_rate=2e-2)
    before = np.mean([loss(tuning, batch, seed=seed) for seed in range(5)])
    tuning.advance(1.0)
    after = np.mean([loss(tuning, batch, seed=seed) for seed in range(5)])
    assert after < 0.95 * before


def test_simcse_without_dropout_is_cross_entropy_of_cosines(make: Make, batch: Packed) -> None:
    tuning = make(SimCse(temperature=0.2, dropout=0.0))
    classifier = tuning.classifier
    with torch.no_grad():
        hidden = frozen_part(classifier, batch)
        vectors = classifier.vectors(hidden, batch).numpy().astype(np.float64)
    scores = vectors @ vectors.T / 0.2
    expected = np.mean([np.log(np.exp(row).sum()) - row[i] for i, row in enumerate(scores)])
    assert loss(tuning, batch) == pytest.approx(expected, abs=1e-4)


def test_two_views_of_a_text_differ_and_are_near(make: Make, batch: Packed) -> None:
    task = SimCse()
    classifier = make(task).classifier
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        hidden = frozen_part(classifier, batch)
        one, other = (task._view(classifier, hidden, batch, generator, n) for n in range(2))
    own = (one * other).sum(dim=1)
    assert 0.5 < own.min() < own.max() < 1 - 1e-4


@pytest.mark.parametrize("depth", [0, 1])
def test_the_frozen_part_is_what_the_encoder_computes(
    make: Make, encoder: Encoder, batch: Packed, depth: int
) -> None:
    with torch.no_grad():
        hidden = encoder.embed(batch)
        for layer in encoder.layers[:depth]:
            bias = encoder.relative_bias(max(length for _, _, length in batch.groups))
            hidden = layer(hidden, batch.groups, bias)
    torch.testing.assert_close(frozen_part(make(SimCse(), depth=depth).classifier, batch), hidden)


def test_dropping_keeps_the_mean() -> None:
    values = torch.ones(400, 100)
    after = dropped(values, 0.2, torch.Generator().manual_seed(0))
    assert set(after.unique().tolist()) == {0.0, 1.25}
    assert (after == 0).float().mean() == pytest.approx(0.2, abs=0.01)
    assert torch.equal(dropped(values, 0.0, torch.Generator()), values)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 1.0])
def test_deleting_leaves_the_marks_and_one_token_and_loses_none(
    some_tokens: Tokens, share: float
) -> None:
    rows = np.arange(len(some_tokens))
    batch = pack(some_tokens, rows)
    left, texts, ids = without_some_tokens(batch, share, torch.Generator().manual_seed(3))
    assert sorted(left.rows.tolist()) == rows.tolist()
    n_inner = n_left = 0
    start = 0
    ends = np.cumsum(np.concatenate([[length] * count for _, count, length in left.groups]))
    for place, end in enumerate(ends):
        kept = left.ids[start:end].tolist()
        whole = some_tokens.of(batch.rows[left.rows[place]]).tolist()
        gone = ids[texts == place].tolist()
        start = end
        assert (kept[0], kept[-1]) == (whole[0], whole[-1])
        assert sorted(kept + gone) == sorted(whole)
        rest = iter(whole)
        assert all(token in rest for token in kept), "what is left is in its old order"
        assert len(kept) >= min(3, len(whole))
        n_inner, n_left = n_inner + len(whole) - 2, n_left + len(kept) - 2
    assert n_left / n_inner == pytest.approx(max(1 - share, len(rows) / n_inner), abs=0.06)


def test_texts_of_marks_alone_lose_nothing() -> None:
    tokens = Tokens(np.array([2, 3, 2, 2, 9, 3]), np.array([0, 2, 3, 6]))
    left, texts, ids = without_some_tokens(
        pack(tokens, np.arange(3)), 1.0, torch.Generator().manual_seed(0)
    )
    assert left.ids.tolist() == [2, 2, 3, 2, 9, 3]
    assert len(texts) == len(ids) == 0


def test_the_bag_starts_with_every_word_as_likely_as_another(
    make: Make, batch: Packed, encoder: Encoder
) -> None:
    found = loss(make(DenoisingBag()), batch)
    assert found == pytest.approx(math.log(encoder.shape.vocabulary), abs=1e-4)


def test_the_bag_restated_text_by_text(make: Make, batch: Packed, encoder: Encoder) -> None:
    tuning = make(DenoisingBag())
    torch.manual_seed(0)
    torch.nn.init.normal_(tuning.classifier.head.weight)
    classifier = tuning.classifier
    left, texts, ids = without_some_tokens(batch, 0.6, torch.Generator().manual_seed(0))
    with torch.no_grad():
        vectors = classifier.vectors(frozen_part(classifier, left), left)
        table = encoder.words.weight / encoder.words.weight[::16].norm(dim=1).mean()
        scores = (classifier.head(vectors) @ table.T).double().numpy()
    losses = []
    for place, row in enumerate(scores):
        own = ids[texts == place].numpy()
        if len(own):
            losses.append(np.mean([np.log(np.exp(row).sum()) - row[i] for i in own]))
    assert loss(tuning, batch) == pytest.approx(np.mean(losses), rel=1e-4)


def test_a_batch_with_nothing_to_delete_has_no_loss_and_a_gradient(make: Make) -> None:
    tuning = make(DenoisingBag())
    batch = pack(Tokens(np.array([2, 3]), np.array([0, 2])), np.arange(1))
    found = tuning.task(tuning.classifier, batch, torch.Generator().manual_seed(0))
    found.backward()  # type: ignore[no-untyped-call]
    assert found.item() == 0.0


def test_texts_are_put_behind_each_other(some_tokens: Tokens) -> None:
    none = Tokens(np.zeros(0, np.int64), np.zeros(1, np.int64))
    both = together(some_tokens, some_tokens)
    assert len(both) == 2 * len(some_tokens)
    for row in range(len(some_tokens)):
        assert both.of(row).tolist() == some_tokens.of(row).tolist()
        assert both.of(len(some_tokens) + row).tolist() == some_tokens.of(row).tolist()
    for one in (together(none, some_tokens), together(some_tokens, none)):
        assert one.offsets.tolist() == some_tokens.offsets.tolist()
        assert one.ids.tolist() == some_tokens.ids.tolist()
