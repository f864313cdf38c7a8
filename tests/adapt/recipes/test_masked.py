"""Masked language modelling, on tiny models that have the head for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from tests.adapt.recipes import test_contract as contract
from tests.adapt.tiny_backbones import messages, write_tokenizer
from tokenizers import Tokenizer

from payoff.adapt.engine.batches import pack
from payoff.adapt.engine.masked_head import has_masked_head, load_masked_head
from payoff.adapt.engine.masked_language import MaskedLanguage
from payoff.adapt.recipes.masked import Masked, MaskedAttempt
from payoff.adapt.workbench import Workbench
from payoff.core.errors import AdaptError, BackboneError

Make = Callable[..., Any]
KINDS = {
    "bert": ("BertConfig", "BertForMaskedLM", "[MASK]"),
    "roberta": ("RobertaConfig", "RobertaForMaskedLM", "<mask>"),
    "mpnet": ("MPNetConfig", "MPNetForMaskedLM", "<mask>"),
}


def masked_folder(folder: Path, texts: list[str], kind: str, **more: Any) -> Path:
    """A tiny model with its masked-LM head, as `transformers` saves it."""
    write_tokenizer(folder, texts)
    config, model, mask = KINDS[kind]
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_special_tokens([mask])
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    sizes = {
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "max_position_embeddings": 66,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }
    sizes |= {"pad_token_id": 1} if kind != "bert" else {}
    made = getattr(transformers, model)(getattr(transformers, config)(**sizes | more))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
        made.get_input_embeddings().weight.mul_(8)  # words far enough apart to be told apart
    made.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=KINDS)
def folder(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, corpus: list[str]
) -> Path:
    kind = request.param
    return masked_folder(tmp_path_factory.mktemp(kind) / f"tiny-{kind}-mlm", corpus, kind)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory, corpus: list[str]) -> Path:
    return masked_folder(tmp_path_factory.mktemp("bert") / "tiny-bert-mlm", corpus, "bert")


@pytest.fixture
def make(make_bench: Make, bert: Path, table_folder: Path) -> Callable[..., Workbench]:
    def bench(name: str, **options: Any) -> Workbench:
        texts, targets, n_train = contract.learn_from(name)
        made: Workbench = make_bench(
            texts, targets, [bert, table_folder], n_train=n_train, **options
        )
        return replace(made, unlabelled=tuple(contract.unlabelled(name)))

    return bench


def attempt_on(folder: Path, make_bench: Make, **settings: Any) -> MaskedAttempt:
    texts, targets = messages([40, 40], seed=2)
    bench = make_bench(texts, targets, [folder])
    (usual,) = Masked().standard(bench)
    changed = tuple((name, settings.get(name, value)) for name, value in usual.settings)
    return Masked().start(replace(usual, settings=changed), bench)


def masked_loss(attempt: MaskedAttempt, rows: np.ndarray) -> float:
    """Mean over five ways to hide words in the texts."""
    training = attempt.training
    batch = pack(training.trunk.tokens, rows)
    with torch.no_grad():
        losses = [
            training.task(training.classifier, batch, torch.Generator().manual_seed(seed))
            for seed in range(5)
        ]
    return float(torch.stack(losses).mean())


@pytest.mark.parametrize("name", contract.DATA)
def test_the_contract(name: str, make: Make, tmp_path: Path) -> None:
    contract.test_a_recipe_keeps_its_promises(Masked(), name, make, tmp_path)


def test_the_contract_on_all_rows(make: Make) -> None:
    contract.test_training_on_all_rows_sees_them_all(Masked(), make)
    contract.test_candidates_are_told_apart(Masked(), make)


def test_scores_are_those_of_transformers(folder: Path, make_bench: Make) -> None:
    attempt = attempt_on(folder, make_bench, depth=0)
    training = attempt.training
    model = transformers.AutoModelForMaskedLM.from_pretrained(folder).eval()
    encoder = training.classifier.trunk[0]
    task = training.task
    assert isinstance(task, MaskedLanguage)
    batch = pack(training.trunk.tokens, np.array([3]))
    with torch.no_grad():
        theirs = model(batch.ids[None]).logits[0]
        hidden = encoder.run(encoder.embed(batch), batch)
        ours = task.head.scores(hidden, training.classifier.head, encoder.words.weight)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_the_masked_loss_falls_on_its_own_texts(folder: Path, make_bench: Make) -> None:
    attempt = attempt_on(folder, make_bench, depth=0, epochs=100.0)
    attempt.recipe.learning_rate = 3e-3
    rows = attempt.bench.train
    before = masked_loss(attempt, rows)
    attempt.advance(1.0)
    after = masked_loss(attempt, rows)
    assert after < 0.8 * before, (before, after)


def test_a_step_in_parts_has_the_gradient_of_the_whole(bert: Path, make_bench: Make) -> None:
    training = attempt_on(bert, make_bench, depth=1).training
    task, classifier = training.task, training.classifier
    batch = pack(training.trunk.tokens, np.arange(8))
    found = []
    for max_tokens in (batch.n_tokens, 20):
        classifier.max_tokens = max_tokens
        classifier.zero_grad()
        loss = task(classifier, batch, torch.Generator().manual_seed(0))
        loss.backward()
        found.append(
            [
                loss.detach(),
                *(p.grad.clone() for p in classifier.parameters() if p.grad is not None),
            ]
        )
    assert len(found[0]) > 10
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-3)


def test_words_are_hidden_as_the_paper_says(bert: Path, make_bench: Make) -> None:
    training = attempt_on(bert, make_bench).training
    task = training.task
    assert isinstance(task, MaskedLanguage)
    batch = pack(training.trunk.tokens, np.arange(80))
    words = ~torch.isin(batch.ids, task.special)
    assert 0 < int(words.sum()) < batch.n_tokens
    n_asked = n_masked = n_kept = 0
    for seed in range(60):
        shown, asked = task.hidden_words(batch, 400, torch.Generator().manual_seed(seed))
        assert bool(words[asked].all())
        rest = torch.ones(batch.n_tokens, dtype=torch.bool)
        rest[asked] = False
        assert torch.equal(shown.ids[rest], batch.ids[rest])
        n_asked += len(asked)
        n_masked += int((shown.ids[asked] == task.mask).sum())
        n_kept += int((shown.ids[asked] == batch.ids[asked]).sum())
    assert n_asked / (60 * int(words.sum())) == pytest.approx(0.15, abs=0.01)
    assert n_masked / n_asked == pytest.approx(0.8, abs=0.02)
    assert n_kept / n_asked == pytest.approx(0.1, abs=0.02)


def test_one_word_at_least_is_asked_for_where_there_is_one(bert: Path, make_bench: Make) -> None:
    training = attempt_on(bert, make_bench).training
    task = training.task
    assert isinstance(task, MaskedLanguage)
    batch = pack(training.trunk.tokens, np.array([0]))
    never = replace(task, share=0.0)
    assert len(never.hidden_words(batch, 400, torch.Generator().manual_seed(0))[1]) == 1
    nothing = replace(batch, ids=torch.full_like(batch.ids, int(task.special[0])))
    assert len(task.hidden_words(nothing, 400, torch.Generator().manual_seed(0))[1]) == 0
    loss = task(training.classifier, nothing, torch.Generator().manual_seed(0))
    assert loss.item() == 0.0
    assert loss.requires_grad


def test_it_goes_on_from_where_it_was_saved(bert: Path, make_bench: Make, tmp_path: Path) -> None:
    whole, first, second = (attempt_on(bert, make_bench) for _ in range(3))
    whole.advance(1.0)
    first.advance(0.4)
    assert 0 < first.training.step < first.training.n_steps
    first.save(tmp_path)
    second.restore(tmp_path)
    second.advance(1.0)
    rows = whole.bench.validation
    np.testing.assert_array_equal(second.logits(rows), whole.logits(rows))


class TestRefusals:
    def test_a_backbone_without_the_head_is_told(
        self, bert: Path, bert_folder: Path, make_bench: Make
    ) -> None:
        texts, targets = messages([10, 10])
        bench = make_bench(texts, targets, [bert_folder, bert])
        (candidate,) = Masked().standard(bench)
        assert candidate.backbone == str(bert)
        assert not has_masked_head(bert_folder)
        with pytest.raises(AdaptError, match=r"PF405 .*no masked-LM head in its weights"):
            Masked().start(replace(candidate, backbone=str(bert_folder)), bench)

    def test_a_tokenizer_without_a_mask_is_told(
        self, bert: Path, make_bench: Make, tmp_path: Path, corpus: list[str]
    ) -> None:
        for path in bert.iterdir():
            (tmp_path / path.name).write_bytes(path.read_bytes())
        write_tokenizer(tmp_path, corpus)
        texts, targets = messages([10, 10])
        bench = make_bench(texts, targets, [tmp_path])
        (candidate,) = Masked().standard(bench)
        with pytest.raises(AdaptError, match=r"PF405 .*no token that hides"):
            Masked().start(candidate, bench)

    def test_a_head_of_another_size_is_told(self, bert: Path, make_bench: Make) -> None:
        texts, targets = messages([10, 10])
        encoder = make_bench(texts, targets, [bert]).opened(str(bert)).encoder
        other = replace(encoder.shape, vocabulary=7)
        with pytest.raises(BackboneError, match="PF304"):
            load_masked_head(bert, other)
