from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from payoff.artifact.runtime.windows import cut_windows


def encoded(words: list[str], prefix: str = "") -> tuple[SimpleNamespace, str]:
    """As a tokenizer of whole words encodes them: ids from 10 on between 1 and 2."""
    text = " ".join(words)
    offsets, ids, place = [(0, 0)], [1], 0
    for number, word in enumerate((prefix + text).split(" ")):
        if word:
            ids.append(10 + number)
            offsets.append((place, place + len(word)))
        place += len(word) + 1
    marks = [1] + [0] * (len(ids) - 1) + [1]
    return SimpleNamespace(
        ids=[*ids, 2], offsets=[*offsets, (0, 0)], special_tokens_mask=marks
    ), text


@given(
    n=st.integers(0, 60), max_tokens=st.integers(4, 20), overlap=st.integers(0, 12), data=st.data()
)
def test_every_word_counts_once_and_in_order(
    n: int, max_tokens: int, overlap: int, data: st.DataObject
) -> None:
    prefix = data.draw(st.sampled_from(["", "q: "]))
    encoding, text = encoded([f"w{i}" for i in range(n)], prefix)
    windows = cut_windows(encoding, text, max_tokens=max_tokens, overlap=overlap, prefix=prefix)
    counted = np.concatenate([window.places[window.counting] for window in windows])
    assert [text[a:b] for a, b in counted] == [f"w{i}" for i in range(n)]
    for window in windows:
        assert len(window.ids) == len(window.places) <= max_tokens
        assert (window.ids[0], window.ids[-1]) == (1, 2)
        assert not prefix or window.ids[1] == 10
    if n + 2 + bool(prefix) <= max_tokens:
        assert len(windows) == 1


@given(st.integers(20, 90), st.integers(10, 16), st.integers(2, 7), st.integers(0, 80))
def test_what_is_no_longer_than_the_overlap_is_whole_somewhere(
    n: int, max_tokens: int, overlap: int, start: int
) -> None:
    encoding, text = encoded([f"w{i}" for i in range(n)])
    windows = cut_windows(encoding, text, max_tokens=max_tokens, overlap=overlap)
    wanted = {10 + min(start, n - overlap) + i for i in range(overlap)}
    assert any(wanted <= set(window.ids.tolist()) for window in windows)
    half = set(sorted(wanted)[: overlap // 2])
    judging = [w for w in windows if half & set(w.ids[w.counting].tolist())]
    assert all(half <= set(window.ids.tolist()) for window in judging)


def test_a_word_is_never_judged_at_an_edge_that_is_not_the_texts() -> None:
    encoding, text = encoded([f"w{i}" for i in range(40)])
    windows = cut_windows(encoding, text, max_tokens=12, overlap=6)
    for number, window in enumerate(windows):
        counting = np.flatnonzero(window.counting)
        assert number == 0 or counting[0] >= 1 + 3
        assert number == len(windows) - 1 or counting[-1] <= len(window.ids) - 2 - 3


def test_white_space_belongs_to_no_token() -> None:
    encoding = SimpleNamespace(
        ids=[5, 6, 7], offsets=[(0, 3), (3, 5), (5, 9)], special_tokens_mask=[0, 0, 0]
    )
    (window,) = cut_windows(encoding, "ab   \u3000cd ", max_tokens=9, overlap=0)
    assert window.places.tolist() == [[0, 2], [-1, -1], [6, 8]]
    assert window.counting.tolist() == [True, False, True]


def test_nothing_still_shows_the_model_a_token() -> None:
    nothing = SimpleNamespace(ids=[], offsets=[], special_tokens_mask=[])
    (window,) = cut_windows(nothing, "", max_tokens=9, overlap=3)
    assert window.ids.tolist() == [0]
    assert not window.counting.any()
