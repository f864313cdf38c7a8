from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from payoff.adapt.engine.batches import by_tokens, pack, shuffled_by_tokens
from payoff.adapt.engine.tokens import Tokens

lengths_of_texts = st.lists(st.integers(1, 9), min_size=1, max_size=30)


def tokens_of(lengths: list[int]) -> Tokens:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Tokens(np.arange(offsets[-1], dtype=np.int64), offsets)


@given(lengths_of_texts, st.randoms(use_true_random=False))
def test_packing_is_a_permutation_in_groups_of_one_length(lengths: list[int], random) -> None:  # type: ignore[no-untyped-def]
    tokens = tokens_of(lengths)
    rows = np.array(random.sample(range(len(lengths)), random.randint(1, len(lengths))))
    batch = pack(tokens, rows)
    assert sorted(batch.rows) == sorted(rows)
    assert batch.n_tokens == sum(lengths[row] for row in rows) == len(batch.positions)
    expected_start, row = 0, 0
    for start, count, length in batch.groups:
        assert start == expected_start
        for text in range(count):
            place = slice(start + text * length, start + (text + 1) * length)
            assert batch.ids[place].tolist() == tokens.of(batch.rows[row]).tolist()
            assert batch.positions[place].tolist() == list(range(length))
            row += 1
        expected_start += count * length
    assert row == len(rows)
    found = [length for _, _, length in batch.groups]
    assert found == sorted(set(found)), "each length has one group, the shortest first"


@given(lengths_of_texts, st.integers(1, 20), st.integers(1, 5))
def test_batches_hold_each_text_once_within_the_limits(
    lengths: list[int], max_tokens: int, max_texts: int
) -> None:
    array = np.array(lengths)
    rng = np.random.default_rng(0)
    for batches in (
        by_tokens(array, max_tokens, max_texts=max_texts),
        shuffled_by_tokens(array, max_tokens, max_texts, rng),
    ):
        assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
        for batch in batches:
            assert len(batch) <= max_texts
            assert array[batch].sum() <= max_tokens or len(batch) == 1


def test_no_texts_are_no_batches() -> None:
    assert by_tokens(np.zeros(0, dtype=np.int64), 10) == []


def test_shuffled_batches_differ_by_epoch_and_are_of_like_lengths() -> None:
    lengths = np.random.default_rng(1).integers(3, 40, 320)
    first, again, second = (
        shuffled_by_tokens(lengths, 10_000, 32, np.random.default_rng([0, epoch]))
        for epoch in (0, 0, 1)
    )
    assert len(first) == len(second) == 10
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert all(np.ptp(lengths[batch]) <= 8 for batch in first)
