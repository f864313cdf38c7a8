"""What every adaptation promises."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.adapt.tiny_backbones import encoder_folder, messages, tiny_model
from torch import Tensor, nn

from payoff.adapt.backbones.tokenizer import load_tokenizer
from payoff.adapt.engine.adaptations.adaptation import Adaptation
from payoff.adapt.engine.adaptations.adaptive_low_rank import AdaptiveLowRank
from payoff.adapt.engine.adaptations.biases import Biases
from payoff.adapt.engine.adaptations.bottleneck import Bottleneck
from payoff.adapt.engine.adaptations.low_rank import LowRank
from payoff.adapt.engine.adaptations.prefix import Prefix
from payoff.adapt.engine.adaptations.prompt import MadePrompt, Prompt
from payoff.adapt.engine.adaptations.scaling import Scaling
from payoff.adapt.engine.architectures import load
from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.encoder import Encoder
from payoff.adapt.engine.finetuning import FineTuning, Schedule
from payoff.adapt.engine.tokens import tokenise
from payoff.adapt.engine.trunk import Trunk
from payoff.core.progress import Silent

Attach = Callable[..., Classifier]
Tune = Callable[..., FineTuning]
Outputs = Callable[[Classifier], Tensor]
Save = Callable[[dict[str, Any]], tuple[dict[str, Any], int]]


@dataclass(frozen=True)
class Case:
    """An adaptation, what it trains beside the head, and how many numbers of one layer that is.

    The tiny encoder is 32 wide, 48 inside, with four heads: its matrices are 96, 32, 48 and 32
    by 32, 32, 32 and 48.
    """

    make: Callable[[], Adaptation]
    trains: str
    n_trained: int
    starts_equal: bool = True


CASES = {
    "lora": Case(
        lambda: LowRank(4, 8.0),
        r"layers\.0\.(qkv|out|up|down)\.lora_[AB]\.default\.weight",
        4 * (96 + 32 + 32 + 32 + 48 + 32 + 32 + 48),
    ),
    "adalora": Case(
        lambda: AdaptiveLowRank(2, 4, 8.0),
        r"layers\.0\.(qkv|out|up|down)\.lora_[ABE]\.default",
        4 * (96 + 32 + 32 + 32 + 48 + 32 + 32 + 48) + 4 * 4,
    ),
    "ia3": Case(Scaling, r"layers\.0\.(qkv|down)\.ia3_l\.default", 96 + 48),
    "adapter": Case(
        lambda: Bottleneck(8),
        r"layers\.0\.((attention|inner)_adapter\.(down|up)|(attention_)?norm)\.(weight|bias)",
        2 * (2 * 32 * 8 + 8 + 32) + 2 * 2 * 32,
    ),
    "bitfit": Case(
        Biases,
        r"layers\.0\.(\w+\.bias|(attention_)?norm\.weight)",
        96 + 32 + 48 + 32 + 2 * 2 * 32,
    ),
    "prefix": Case(
        lambda: Prefix(5), r"layers\.0\.prefix\.values", 2 * 4 * 5 * 8, starts_equal=False
    ),
    "prompt": Case(lambda: Prompt(6), r"prompt\.values", 6 * 32, starts_equal=False),
    "p-tuning": Case(
        lambda: MadePrompt(6, 16),
        r"prompt\.(values|recurrent\.\w+|network\.[02]\.(weight|bias))",
        # The vectors; two directions of four gates of 8 from 32 and 8; two linear layers.
        6 * 32 + 2 * 4 * 8 * (32 + 8 + 2) + 16 * (16 + 1) + 32 * (16 + 1),
        starts_equal=False,
    ),
}
every = pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))


def weights(classifier: Classifier) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in classifier.named_parameters()}


def in_training(classifier: Classifier) -> set[str]:
    return {name for name, weight in classifier.named_parameters() if weight.requires_grad}


@every
def test_what_is_trained_is_what_is_promised(case: Case, attach: Attach, encoder: Encoder) -> None:
    classifier = attach(case.make())
    named = in_training(classifier)
    assert {"head.weight", "head.bias"} <= named
    rest = named - {"head.weight", "head.bias"}
    assert rest
    assert all(re.fullmatch(case.trains, name) for name in rest)
    # 32 + 1 numbers a class; all of the encoder, the added weights and the head are the whole.
    n_trained = case.n_trained + 3 * 33
    n_encoder = sum(weight.numel() for weight in encoder.parameters())
    added = sum(
        weight.numel()
        for name, weight in classifier.named_parameters()
        if re.search("lora|ranknum|ia3|adapter|prefix|prompt", name)
    )
    share = n_trained / (n_encoder + added + 3 * 33)
    assert classifier.trained_share() == pytest.approx(share, rel=1e-12)
    assert 0 < classifier.trained_share() < 0.15
    assert attach(None).trained_share() > 0.2, "the layer as a whole is more"


@every
def test_outputs_start_as_they_were(case: Case, attach: Attach, outputs: Outputs) -> None:
    plain, adapted = outputs(attach(None)), outputs(attach(case.make()))
    assert torch.isfinite(adapted).all()
    if case.starts_equal:
        torch.testing.assert_close(adapted, plain, atol=1e-6, rtol=0)
    else:
        assert (adapted - plain).abs().max() > 1e-6


@every
def test_training_changes_what_is_promised_and_nothing_else(
    case: Case, tune: Tune, encoder: Encoder
) -> None:
    pretrained = {name: value.clone() for name, value in encoder.state_dict().items()}
    tuning = tune(case.make())
    before = weights(tuning.classifier)
    tuning.advance(1.0)
    after = weights(tuning.classifier)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == in_training(tuning.classifier)
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, pretrained[name])


@every
def test_it_learns_beside_a_frozen_head(
    case: Case, tune: Tune, outputs: Outputs, some_targets: Any
) -> None:
    plan = {"epochs": 12.0, "learning_rate": 2e-2, "head_learning_rate": 0.0, "weight_decay": 0.0}
    tuning = tune(case.make(), depth=0, **plan)
    truth = torch.from_numpy(some_targets[:50])
    losses = []
    for share in (0.0, 1.0):
        tuning.advance(share)
        losses.append(nn.functional.cross_entropy(outputs(tuning.classifier)[:50], truth))
    assert losses[1] < losses[0] - 0.05, "how far depends on how much is trained"


@every
def test_merging_keeps_the_outputs(
    case: Case, attach: Attach, outputs: Outputs, disturb: Callable[[Classifier], Classifier]
) -> None:
    adaptation = case.make()
    classifier = disturb(attach(adaptation))
    before = outputs(classifier)
    assert (before - outputs(attach(None))).abs().max() > 1e-2
    adaptation.merge(classifier)
    torch.testing.assert_close(outputs(classifier), before, atol=1e-5, rtol=1e-5)
    for layer in classifier.own_layers():
        for matrix in (layer.qkv, layer.out, layer.up, layer.down):
            assert type(matrix) is nn.Linear
    left = {name for name, _ in classifier.named_parameters()}
    assert not any(re.search(r"lora|ia3|network", name) for name in left)


@every
@pytest.mark.parametrize("share", [0.15, 0.5, 0.9])
def test_going_on_from_a_file_gives_the_very_same(
    case: Case, tune: Tune, save: Save, share: float
) -> None:
    whole = tune(case.make())
    whole.advance(1.0)
    first = tune(case.make())
    first.advance(share)
    assert 0 < first.step < first.n_steps
    second = tune(case.make())
    second.resume(save(first.state())[0])
    second.advance(1.0)
    assert second.step == whole.step
    expected, found = weights(whole.classifier), weights(second.classifier)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


@every
def test_what_is_frozen_is_not_saved(case: Case, tune: Tune) -> None:
    tuning = tune(case.make())
    named = {name for name in tuning.state()["classifier"] if "extra_state" not in name}
    assert named == in_training(tuning.classifier)


@every
def test_a_state_of_something_else_is_not_taken(case: Case, tune: Tune) -> None:
    state = tune(case.make()).state()
    state["classifier"].pop(next(n for n in state["classifier"] if not n.startswith("head")))
    with pytest.raises(RuntimeError, match="Missing key"):
        tune(case.make()).resume(state)


def test_a_small_adaptation_makes_a_small_file(tmp_path: Path, save: Save) -> None:
    """An encoder 128 wide, since at 32 even rank 4 is not thin."""
    texts, targets = messages([10, 10])
    folder = encoder_folder(tmp_path / "encoder", texts)
    vocabulary = load_tokenizer(folder).get_vocab_size()
    tiny_model(
        "bert", vocabulary=vocabulary, hidden_size=128, intermediate_size=512
    ).save_pretrained(folder)
    encoder = load(folder)
    tokens = tokenise(texts, load_tokenizer(folder), max_tokens=32)
    sizes = {}
    for name, adaptation in {"all": None, **{n: case.make() for n, case in CASES.items()}}.items():
        tuning = FineTuning(
            Classifier(encoder, 0, np.ones((2, 128)), np.ones(2), adaptation=adaptation),
            Trunk(encoder, tokens, Silent(), folder=tmp_path / "trunk"),
            targets,
            rows=np.arange(20),
            schedule=Schedule(depth=0, epochs=1.0, batch_texts=10),
            progress=Silent(),
        )
        tuning.advance(1.0)
        sizes[name] = save(tuning.state())[1]
    assert sizes["all"] > 12 * 2 * 12 * 128 * 128, "weights and two averages in four bytes each"
    assert all(10 * size < sizes["all"] for name, size in sizes.items() if name != "all")


def test_nothing_of_peft_is_imported_before_it_is_needed() -> None:
    names = ("low_rank", "adaptive_low_rank", "scaling", "bottleneck", "biases", "prefix", "prompt")
    lines = [f"import payoff.adapt.engine.adaptations.{name}" for name in names]
    recipes = ("lora", "adalora", "ia3", "bottleneck_adapter", "bitfit", "prefix_tuning")
    lines += [f"import payoff.adapt.recipes.{name}" for name in (*recipes, "p_tuning")]
    lines += ["import sys", "assert not {'peft', 'transformers'} & set(sys.modules)"]
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True)
