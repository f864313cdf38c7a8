from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.adapt.tagged_messages import tagged_messages
from tokenizers import Tokenizer

from payoff.adapt.backbones.tokenizer import load_tokenizer
from payoff.adapt.engine.tag_windows import IGNORED, cut, windows_for
from payoff.artifact.runtime.tag_sequence import spell, tag_names
from payoff.data.annotations import Annotated, Span

LABELS = ("CODE", "PLACE")


@pytest.fixture
def tokenizer(bert_folder: Path) -> Tokenizer:
    return load_tokenizer(bert_folder)


@pytest.mark.parametrize("chinese", [False, True])
@pytest.mark.parametrize("max_tokens", [12, 24, 512])
@pytest.mark.parametrize("prefix", ["", "query: "])
def test_tags_spell_the_entities_again(
    tokenizer: Tokenizer, max_tokens: int, prefix: str, *, chinese: bool
) -> None:
    annotated = tagged_messages(20, longest=40, chinese=chinese)
    windows = cut(annotated.texts, tokenizer, max_tokens=max_tokens, overlap=4, prefix=prefix)
    tags = windows.tags(annotated.spans, LABELS)
    assert tags.n_inexact == 0
    assert (len(windows.tokens) > len(annotated)) is (max_tokens < 512)
    assert windows.tokens.lengths.max() <= max_tokens
    n_tags = len(tag_names(LABELS))
    for text in range(len(annotated)):
        flat = windows.counting(windows.of(np.array([text])))
        logits = np.eye(n_tags)[tags.indices[flat]] * 9
        found = spell(annotated.texts[text], windows.places[flat], logits, LABELS)
        assert [(e.start, e.end, e.label) for e in found] == [
            (s.start, s.end, s.label) for s in annotated.spans[text]
        ]


def test_what_does_not_count_is_ignored(tokenizer: Tokenizer) -> None:
    annotated = tagged_messages(10, longest=30)
    windows = cut(annotated.texts, tokenizer, max_tokens=14, overlap=6, prefix="query: ")
    tags = windows.tags(annotated.spans, LABELS).indices
    assert ((tags == IGNORED) == (windows.places[:, 0] < 0)).all()
    starts = windows.tokens.offsets[:-1]
    assert (tags[starts] == IGNORED).all()
    for text, spoken in enumerate(annotated.texts):
        flat = windows.counting(windows.of(np.array([text])))
        covered = "".join(spoken[a:b] for a, b in windows.places[flat])
        assert covered == spoken.replace(" ", "")


def test_entities_that_no_tokens_spell_are_counted(tokenizer: Tokenizer) -> None:
    texts = ("hello you", "hello you")
    spans = ((Span(1, 5, "CODE"),), (Span(0, 5, "CODE"), Span(6, 9, "CODE")))
    tags = cut(texts, tokenizer, max_tokens=99, overlap=0).tags(spans, LABELS)
    inside = cut(("hello",), tokenizer, max_tokens=99, overlap=0)
    assert tags.n_inexact == (1 if len(inside.tokens.ids) == 3 else 0)


def test_two_entities_of_one_token_go_to_the_first(tokenizer: Tokenizer) -> None:
    tokenizer.add_tokens(["abcd"])
    spans = ((Span(0, 2, "CODE"), Span(2, 4, "PLACE")),)
    tags = cut(("abcd",), tokenizer, max_tokens=99, overlap=0).tags(spans, LABELS)
    assert tags.indices.tolist() == [IGNORED, 1, IGNORED]
    assert tags.n_inexact == 2


def test_windows_suit_the_texts(tokenizer: Tokenizer) -> None:
    short = tagged_messages(10)
    assert windows_for(short.texts, short.spans, tokenizer, limit=256).max_tokens == 64
    long = Annotated(("hello " * 400 + "ba123",), ((Span(2400, 2405, "CODE"),),))
    windows = windows_for(long.texts, long.spans, tokenizer, limit=60)
    assert (windows.max_tokens, windows.overlap) == (60, 16)
    assert windows_for([], [], tokenizer, limit=60).tokens.ids.size == 0
    wide = Annotated(("you " * 50 + "x",), ((Span(0, 199, "CODE"),),))
    assert windows_for(wide.texts, wide.spans, tokenizer, limit=40).overlap == 20
