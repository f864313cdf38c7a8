"""Every recipe that can find entities keeps what it promises, trained and served."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.adapt.tagged_messages import tagged_messages

from payoff.adapt.recipes import recipe_named, recipes
from payoff.adapt.recipes.tagging import TagAttempt, Tagging, can_tag
from payoff.adapt.tag_bench import TagBench
from payoff.artifact.runtime import open_tier
from payoff.artifact.runtime.entities import EntityRuntime
from payoff.artifact.runtime.tag_sequence import spell
from payoff.artifact.tier import TierSpec
from payoff.core.errors import AdaptError, ArtifactError, DataError
from payoff.core.progress import Silent
from payoff.data.annotations import Annotated, Span
from payoff.evidence.entities import measure_entities

NAMES = [
    *("frozen-head", "fine-tune", "lora", "adalora", "adapter", "ia3", "bitfit"),
    *("prefix-tuning", "prompt-tuning", "p-tuning"),
]


def bench_of(annotated: Annotated, folder: Path, place: Path, **more: Any) -> TagBench:
    """Two thirds to train on."""
    n = len(annotated)
    return TagBench(
        texts=annotated.texts,
        targets=np.zeros(n, np.int64),
        labels=annotated.labels,
        train=np.arange(2 * n // 3),
        validation=np.arange(2 * n // 3, n),
        backbones=(str(folder),),
        folder=place,
        spans=annotated.spans,
        **more,
    )


def usual(tagging: Tagging, bench: TagBench, **settings: Any) -> Any:
    candidate = tagging.standard(bench)[0]
    changed = tuple((name, settings.get(name, value)) for name, value in candidate.settings)
    return replace(candidate, settings=changed)


def spelt(bench: TagBench, logits: np.ndarray) -> list[list[tuple[int, int, str]]]:
    """Entities of the validation texts from the logits of their tokens."""
    tagged, found, done = bench.tagged(bench.backbones[0]), [], 0
    for row in bench.validation:
        places = tagged.places_of(int(row))
        scores = logits[done : done + len(places)]
        entities = spell(
            bench.texts[row], places, scores, bench.labels, whole_words=tagged.whole_words
        )
        found.append([(e.start, e.end, e.label) for e in entities])
        done += len(places)
    assert done == len(logits)
    return found


def served(spec: TierSpec, folder: Path) -> EntityRuntime:
    return EntityRuntime.open(spec, lambda name: (folder / name).read_bytes(), threads=1)


def check(name: str, bench: TagBench, place: Path, **settings: Any) -> float:
    """Train in two halves, save, restore, export, serve; returns F1 on validation."""
    tagging = Tagging(recipe_named(name))
    candidate = usual(tagging, bench, **settings)
    assert tagging.seconds(candidate, bench) > 0
    attempt = tagging.start(candidate, bench)
    for share in tagging.rungs:
        attempt.advance(share)
    logits = attempt.logits(bench.validation)
    assert np.isfinite(logits).all()
    (place / "saved").mkdir(parents=True)
    attempt.save(place / "saved")
    again = tagging.start(candidate, bench)
    again.restore(place / "saved")
    np.testing.assert_array_equal(again.logits(bench.validation), logits)
    spec = tagging.export(candidate, bench, place / "saved", place / "tier")
    runtime = served(spec, place / "tier")
    texts = [bench.texts[row] for row in bench.validation]
    scores = np.concatenate([found for _, found in runtime.token_logits(texts)])
    np.testing.assert_allclose(scores, logits, atol=1e-3)
    found = runtime.entities(texts)
    assert [[(e.start, e.end, e.label) for e in one] for one in found] == spelt(bench, logits)
    assert all(0 < e.probability <= 1 for one in found for e in one)
    return measure_entities(found, [bench.spans[row] for row in bench.validation]).strict.f1


@pytest.mark.parametrize("name", NAMES)
def test_trained_is_served(name: str, bert_folder: Path, tmp_path: Path) -> None:
    bench = bench_of(tagged_messages(90), bert_folder, tmp_path / "activations")
    f1 = check(name, bench, tmp_path, epochs=30.0, depth=1)
    assert f1 > 0.6, "it learns what can be learnt"


@pytest.mark.parametrize("name", ["fine-tune", "prompt-tuning", "prefix-tuning"])
def test_relative_positions_long_texts_and_chinese(
    name: str, mpnet_folder: Path, tmp_path: Path
) -> None:
    long = tagged_messages(30, longest=150)
    chinese = tagged_messages(15, longest=150, chinese=True)
    both = Annotated(long.texts + chinese.texts, long.spans + chinese.spans)
    bench = bench_of(both, mpnet_folder, tmp_path / "activations")
    windows = bench.tagged(str(mpnet_folder)).windows
    assert len(windows.tokens) > 1.5 * len(both)
    check(name, bench, tmp_path, epochs=2.0)


def test_a_pause_changes_nothing(bert_folder: Path, tmp_path: Path) -> None:
    bench = bench_of(tagged_messages(40), bert_folder, tmp_path / "activations")
    tagging = Tagging(recipe_named("lora"))
    candidate = usual(tagging, bench, epochs=2.0)
    whole, paused = tagging.start(candidate, bench), tagging.start(candidate, bench)
    whole.advance(1.0)
    paused.advance(0.5)
    paused.save(tmp_path)
    resumed = tagging.start(candidate, bench)
    resumed.restore(tmp_path)
    resumed.advance(1.0)
    expected = whole.logits(bench.validation)
    np.testing.assert_array_equal(resumed.logits(bench.validation), expected)
    assert isinstance(whole, TagAttempt)
    assert 0 < whole.training.classifier.trained_share() < 0.9


def test_a_texts_entities_do_not_depend_on_its_company(bert_folder: Path, tmp_path: Path) -> None:
    bench = bench_of(tagged_messages(40), bert_folder, tmp_path / "activations")
    tagging = Tagging(recipe_named("frozen-head"))
    candidate = usual(tagging, bench)
    attempt = tagging.start(candidate, bench)
    attempt.advance(1.0)
    attempt.save(tmp_path)
    runtime = served(
        tagging.export(candidate, bench, tmp_path, tmp_path / "tier"), tmp_path / "tier"
    )
    texts = [*bench.texts[:6], "", "ba123 " * 200]
    together = runtime.token_logits(texts)
    for text, (places, logits) in zip(texts, together, strict=True):
        ((alone_places, alone),) = runtime.token_logits([text])
        np.testing.assert_array_equal(alone_places, places)
        np.testing.assert_allclose(alone, logits, atol=1e-4)
    assert runtime.entities([]) == []
    assert runtime.entities([""]) == [[]]
    with pytest.raises(DataError):
        runtime.entities(["a\0b"])


def test_only_texts_that_are_known_to_fit_are_given_a_tag_head(bert_folder: Path) -> None:
    able = {recipe.name for recipe in recipes() if can_tag(recipe)}
    assert able >= set(NAMES)
    for name in ("bag-of-words", "mixup", "focal", "zero-shot"):
        assert name not in able
        with pytest.raises(AdaptError) as told:
            Tagging(recipe_named(name))
        assert told.value.code == "PF405"


def test_nothing_named_cannot_be_learnt(bert_folder: Path, tmp_path: Path) -> None:
    annotated = Annotated(("hello you", "about it", "ba123"), ((), (), (Span(0, 5, "CODE"),)))
    bench = bench_of(annotated, bert_folder, tmp_path)
    tagging = Tagging(recipe_named("frozen-head"))
    with pytest.raises(AdaptError) as told:
        tagging.start(usual(tagging, bench), bench).advance(1.0)
    assert told.value.code == "PF405"


def test_words_are_kept_whole_where_the_annotations_do(bert_folder: Path, tmp_path: Path) -> None:
    plain = tagged_messages(9)
    parted = Annotated((*plain.texts, "20kg"), (*plain.spans, (Span(0, 2, "CODE"),)))
    for annotated, expected in ((plain, True), (parted, False)):
        bench = bench_of(annotated, bert_folder, tmp_path)
        assert bench.tagged(str(bert_folder)).whole_words is expected


def test_borders_within_tokens_are_said(bert_folder: Path, tmp_path: Path) -> None:
    class Notes(Silent):
        def __init__(self) -> None:
            self.said: list[str] = []

        def say(self, message: str) -> None:
            self.said.append(message)

    plain = tagged_messages(30)
    odd = Annotated(("please hello",), ((Span(1, 5, "CODE"),),))
    notes = Notes()
    both = Annotated(plain.texts + odd.texts, plain.spans + odd.spans)
    tagged = bench_of(both, bert_folder, tmp_path, progress=notes).tagged(str(bert_folder))
    assert tagged.tags.n_inexact == 1
    assert any("1 of" in line and "borders" in line for line in notes.said)


@pytest.fixture(scope="module")
def tier(bert_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[TierSpec, Path]:
    """An untrained tagger, exported."""
    place = tmp_path_factory.mktemp("tier")
    bench = bench_of(tagged_messages(20), bert_folder, place / "activations")
    tagging = Tagging(recipe_named("frozen-head"))
    candidate = usual(tagging, bench)
    attempt = tagging.start(candidate, bench)
    attempt.advance(1.0)
    attempt.save(place)
    return tagging.export(candidate, bench, place, place / "tier"), place / "tier"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"labels": []}, "labels"),
        ({"labels": "CODE"}, "labels"),
        ({"labels": ["CODE", 7]}, "labels"),
        ({"labels": ["CODE", "CODE"]}, "differ"),
        ({"labels": ["CODE"]}, "5 tags"),
        ({"max_tokens": 2}, "max_tokens"),
        ({"max_tokens": "64"}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"overlap": -1}, "overlap"),
        ({"overlap": 64}, "overlap"),
        ({"prefix": 7}, "prefix"),
        ({"pad_id": None}, "pad_id"),
        ({"whole_words": 1}, "whole_words"),
    ],
)
def test_hostile_settings(tier: tuple[TierSpec, Path], settings: dict[str, Any], says: str) -> None:
    spec, folder = tier
    with pytest.raises(ArtifactError) as told:
        served(replace(spec, settings={**spec.settings, **settings}), folder)
    assert told.value.code == "PF504"
    assert says in str(told.value)


def test_hostile_members(tier: tuple[TierSpec, Path]) -> None:
    spec, folder = tier
    for broken in ("model.onnx", "tokenizer.json"):
        with pytest.raises(ArtifactError) as told:
            EntityRuntime.open(
                spec,
                lambda name, broken=broken: (
                    b"{}" if name == broken else (folder / name).read_bytes()
                ),
            )
        assert told.value.code == "PF504"
    with pytest.raises(ArtifactError, match="EntityRuntime"):
        open_tier(spec, lambda name: (folder / name).read_bytes())
    with pytest.raises(ArtifactError, match="'entities'"):
        served(TierSpec("words", "tokens"), folder)


def test_a_graph_that_fails_is_told(tier: tuple[TierSpec, Path]) -> None:
    spec, folder = tier
    runtime = served(replace(spec, settings={**spec.settings, "max_tokens": 4000}), folder)
    with pytest.raises(ArtifactError) as told:
        runtime.entities(["hello " * 900])
    assert told.value.code == "PF504"


def test_serving_needs_no_torch(tier: tuple[TierSpec, Path]) -> None:
    spec, folder = tier
    code = f"""
import sys
from pathlib import Path
from payoff.artifact.runtime.entities import EntityRuntime
from payoff.artifact.tier import TierSpec
spec = TierSpec("t", "entities", settings={dict(spec.settings)!r})
runtime = EntityRuntime.open(spec, lambda name: (Path({str(folder)!r}) / name).read_bytes())
runtime.entities(["where is ba123"])
print(sorted({{"torch", "onnx", "sklearn", "polars", "transformers"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_batch_without_tokens_that_count_has_no_loss(bert_folder: Path, tmp_path: Path) -> None:
    annotated = tagged_messages(30)
    texts = annotated.texts + tuple(" " * n for n in range(1, 70))
    spans = annotated.spans + ((),) * 69
    bench = replace(
        bench_of(Annotated(texts, spans), bert_folder, tmp_path), train=np.arange(len(texts))
    )
    tagging = Tagging(recipe_named("fine-tune"))
    attempt = tagging.start(usual(tagging, bench, epochs=1.0), bench)
    attempt.advance(1.0)
    assert isinstance(attempt, TagAttempt)
    assert all(torch.isfinite(p).all() for p in attempt.training.classifier.parameters())
