from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from payoff.adapt.engine.batches import by_tokens, cut, pack, places, shuffled_by_tokens
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


@given(
    st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=4), min_size=1, max_size=12),
    st.randoms(use_true_random=False),
)
def test_pieces_are_packed_by_length_and_belong_to_their_texts(
    texts: list[list[int]],
    random,  # type: ignore[no-untyped-def]
) -> None:
    pieces = np.concatenate([[0], np.cumsum([n for text in texts for n in text])])
    offsets = np.concatenate([[0], np.cumsum([sum(text) for text in texts])])
    tokens = Tokens(np.arange(100, 100 + offsets[-1]), offsets, pieces)
    rows = np.array(random.sample(range(len(texts)), random.randint(1, len(texts))))
    batch = pack(tokens, rows)
    assert sorted(batch.rows) == sorted(rows)
    assert (np.diff(tokens.lengths[batch.rows]) >= 0).all()
    assert np.array_equal(tokens.ids[places(tokens, batch)], batch.ids.numpy())
    assert sorted(batch.ids.tolist()) == sorted(i for row in rows for i in tokens.of(row).tolist())
    lengths = [length for _, count, length in batch.groups for _ in range(count)]
    assert lengths == sorted(lengths)
    assert batch.positions.tolist() == [p for length in lengths for p in range(length)]
    values = torch.randn(len(lengths), 3, generator=torch.Generator().manual_seed(0))
    if batch.pieces is None:
        assert max(len(texts[row]) for row in rows) == 1
        return
    means = batch.pieces.mean(values)
    starts = np.cumsum(lengths) - lengths
    for place, row in enumerate(batch.rows):
        own = [
            (n, value)
            for n, start, value in zip(lengths, starts, values, strict=True)
            if batch.ids[start] in tokens.of(row)
        ]
        assert sorted(n for n, _ in own) == sorted(texts[row])
        by_hand = sum(n * value for n, value in own) / sum(texts[row])
        torch.testing.assert_close(means[place], by_hand)


@given(
    st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=4), min_size=1, max_size=12),
    st.integers(1, 40),
)
def test_runs_of_a_batch_are_the_batch_in_order(texts: list[list[int]], max_tokens: int) -> None:
    pieces = np.concatenate([[0], np.cumsum([n for text in texts for n in text])])
    offsets = np.concatenate([[0], np.cumsum([sum(text) for text in texts])])
    tokens = Tokens(np.arange(100, 100 + offsets[-1]), offsets, pieces)
    batch = pack(tokens, np.arange(len(texts)))
    runs = cut(batch, max_tokens)
    assert (len(runs) == 1) == (batch.n_tokens <= max_tokens or len(batch.piece_lengths) == 1)
    assert torch.equal(torch.cat([run.ids for run in runs]), batch.ids)
    assert torch.equal(torch.cat([run.positions for run in runs]), batch.positions)
    found = np.concatenate([places(tokens, run) for run in runs])
    assert np.array_equal(found, places(tokens, batch))
    assert np.array_equal(np.concatenate([run.piece_lengths for run in runs]), batch.piece_lengths)
    for run in runs:
        assert run.n_tokens <= max_tokens or len(run.piece_lengths) == 1
        starts = [start for start, _, _ in run.groups]
        sizes = [count * length for _, count, length in run.groups]
        assert starts == np.concatenate([[0], np.cumsum(sizes)[:-1]]).tolist()
        assert run.padding_share == 0.0
        if run is not batch:
            values = torch.randn(len(run.piece_lengths), 3)
            assert len(run.rows) == len(values)
            if run.pieces is not None:
                torch.testing.assert_close(run.pieces.mean(values), values)


def test_padding_would_be_seen() -> None:
    batch = pack(tokens_of([3, 3, 5]), np.arange(3))
    assert batch.padding_share == 0.0
    padded = replace(batch, groups=((0, 3, 5),))  # as if all were as long as the longest
    assert padded.padding_share == pytest.approx(4 / 15)
