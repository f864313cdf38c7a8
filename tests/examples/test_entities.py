"""The sample data of finding entities: repeatable, right, and new words in the test part."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from payoff.data.annotations import Annotated
from payoff.evidence.entities import measure_entities
from payoff.plan.tuning.dictionary_lookup import DictionaryLookup

FOLDER = Path(__file__).parents[2] / "examples" / "entities"
LABELS = ("AMOUNT", "DATE", "ORDER", "PERSON", "PRODUCT")


@pytest.fixture(scope="module")
def train() -> Annotated:
    return Annotated.read(FOLDER / "train.jsonl")


@pytest.fixture(scope="module")
def test() -> Annotated:
    return Annotated.read(FOLDER / "test.jsonl")


def names(annotated: Annotated, label: str) -> set[str]:
    return {
        text[span.start : span.end]
        for text, spans in zip(annotated.texts, annotated.spans, strict=True)
        for span in spans
        if span.label == label
    }


def test_the_same_bytes_each_time(tmp_path: Path) -> None:
    subprocess.run([sys.executable, FOLDER / "make.py", tmp_path], check=True)
    for name in ("train.jsonl", "test.jsonl"):
        assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes()


def test_sizes_and_labels(train: Annotated, test: Annotated) -> None:
    assert (len(train), len(test)) == (340, 130)
    assert train.labels == test.labels == LABELS
    assert min(train.counts.values()) >= 100
    assert min(test.counts.values()) >= 40
    for part in (train, test):
        assert len(set(part.texts)) == len(part)
        assert 5 <= sum(not spans for spans in part.spans) < len(part) / 4
        chinese = sum(any("\u4e00" <= c <= "\u9fff" for c in text) for text in part.texts)
        assert chinese / len(part) == pytest.approx(0.385, abs=0.01)


@pytest.mark.parametrize("label", ["PERSON", "PRODUCT"])
def test_test_messages_name_what_was_never_named(
    train: Annotated, test: Annotated, label: str
) -> None:
    assert not names(train, label) & names(test, label)


def test_a_dictionary_finds_little(train: Annotated, test: Annotated) -> None:
    lookup = DictionaryLookup(train)
    known = measure_entities(lookup.entities(train.texts), train.spans)
    assert known.strict.f1 > 0.95
    new = measure_entities(lookup.entities(test.texts), test.spans)
    assert new.by_label["DATE"].f1 > 0.9
    assert max(new.by_label[label].f1 for label in ("PERSON", "PRODUCT")) < 0.2
    assert new.strict.f1 < 0.5
