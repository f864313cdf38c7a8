"""What holds for every augmenter, on any text."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.core import registry
from payoff.core.errors import AdaptError, DataError
from payoff.data.augment import augmenter_named, augmenters
from payoff.data.augment.augmenter import Augmenter, check_share
from payoff.data.augment.generator import Generator
from payoff.data.augment.synonyms import Synonyms
from payoff.data.augment.typos import Typos
from payoff.data.augment.words import Words

TABLE = {"card": ["bank card", "plastic"], "a": ["b"], "退款": ["退钱", "还钱"], "the 卡": ["x"]}
ALL: list[Augmenter] = [
    Typos(),
    Typos(1.0),
    Words(),
    Words(1.0),
    Synonyms(TABLE),
    Synonyms(TABLE, 1.0),
    Generator("backwards", lambda texts: [text[::-1] for text in texts], 3),
]
WORDS = st.sampled_from(
    [*TABLE, "where", "is", "my", "ß", "İ", "👩‍👩‍👧", "é", "卡丢了", "4471", "?"]
)
TEXTS = st.one_of(st.text(), st.lists(WORDS).map(" ".join), st.lists(WORDS).map("".join))


def name(augmenter: Augmenter) -> str:
    return f"{augmenter.name} {getattr(augmenter, 'share', '')}"


@pytest.mark.parametrize("augmenter", ALL, ids=name)
@settings(max_examples=60)
@given(st.lists(TEXTS, max_size=8), st.integers(0, 2**32))
def test_as_many_texts_none_of_them_emptied_and_the_same_again(
    augmenter: Augmenter, texts: list[str], seed: int
) -> None:
    given = list(texts)
    made = augmenter.augment(texts, np.random.default_rng(seed))
    assert texts == given, "the texts given are left alone"
    assert len(made) == len(texts)
    for text, source in zip(made, texts, strict=True):
        assert isinstance(text, str)
        assert bool(text.strip()) == bool(source.strip())
        text.encode("utf-8")
    assert augmenter.augment(tuple(texts), np.random.default_rng(seed)) == made


@pytest.mark.parametrize("augmenter", ALL, ids=name)
def test_nothing_in_nothing_out(augmenter: Augmenter) -> None:
    assert augmenter.augment([], np.random.default_rng(0)) == []
    assert augmenter.augment(["", " \n"], np.random.default_rng(0)) == ["", " \n"]


@pytest.mark.parametrize("augmenter", ALL[:4], ids=name)
def test_another_seed_gives_other_texts(augmenter: Augmenter) -> None:
    texts = ["please tell me where the card is that I ordered last week"] * 20
    one, other = (augmenter.augment(texts, np.random.default_rng(seed)) for seed in (0, 1))
    assert one != other
    assert len(set(one)) > 3, "each text has its own chance"


@pytest.mark.parametrize("share", [0, -0.1, 1.1, float("nan")])
@pytest.mark.parametrize("make", [Typos, Words, lambda share: Synonyms(TABLE, share)])
def test_a_wrong_share_is_refused(make: Any, share: float) -> None:
    with pytest.raises(DataError, match=r"PF113 (typos|words|synonyms), share"):
        make(share)
    with pytest.raises(DataError, match="PF113 here, share"):
        check_share("here", share)


def test_augmenters_come_in_by_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    place = "payoff.data.augment"
    entries = [
        EntryPoint(kind, f"{place}.{kind}:{kind.title()}", "payoff.augmenters")
        for kind in ("words", "typos")
    ]
    monkeypatch.setattr(
        registry, "entry_points", lambda group: [e for e in entries if e.group == group]
    )
    assert augmenters() == [Typos(), Words()]
    assert augmenter_named("words") == Words()
    with pytest.raises(AdaptError, match=r"PF401 augmenter 'typo'.*Did you mean 'typos'"):
        augmenter_named("typo")
