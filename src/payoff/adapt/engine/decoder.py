"""A Llama-style decoder: from token ids to scores of the token that follows each.

Normalisation comes before attention and before the feed-forward part (root mean square; Zhang &
Sennrich 2019), positions enter by rotation (Su et al. 2021, in the half-split layout), several
heads share their keys and values (Ainslie et al. 2023), the feed-forward part is gated (SwiGLU;
Shazeer 2020), and the table of the words also gives their scores.

As in `encoder.Encoder`, linear layers run over all tokens of a batch at once and attention over
groups of texts of equal length: neither padding nor masks of it exist.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from payoff.adapt.engine.batches import Packed
from payoff.adapt.engine.precision import mixed_precision

Groups = tuple[tuple[int, int, int], ...]
Rotation = tuple[Tensor, Tensor]
KeysValues = tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class DecoderShape:
    """Sizes of a decoder.

    Args:
        vocabulary: Rows of the table of words.
        width: Length of a token's vector.
        layers: Layers.
        heads: Heads of queries.
        key_heads: Heads of keys and values; each serves ``heads / key_heads`` of the queries.
        inner: Width of the feed-forward part.
        norm_eps: Added to the mean square before its root.
        rope_base: Base of the rotation's wavelengths.
        positions: Longest text that it was trained for, in tokens.

    Example:
        >>> DecoderShape(49152, 576, 30, 9, 3, 1536, 1e-5, 1e5, 8192).head_width
        64
    """

    vocabulary: int
    width: int
    layers: int
    heads: int
    key_heads: int
    inner: int
    norm_eps: float
    rope_base: float
    positions: int

    @property
    def head_width(self) -> int:
        """Length of a head's query, key and value."""
        return self.width // self.heads


class DecoderLayer(nn.Module):
    """Attention to what came before and a gated feed-forward part, each added to its input.

    Attributes:
        query, key, value, out: Linear parts of attention, without bias.
        gate, up, down: Linear parts of the feed-forward part, without bias.
        attention_norm: Before attention.
        norm: Before the feed-forward part.
    """

    def __init__(self, shape: DecoderShape) -> None:
        super().__init__()
        self.head_width = shape.head_width
        keys = shape.key_heads * shape.head_width
        self.query = nn.Linear(shape.width, shape.width, bias=False)
        self.key = nn.Linear(shape.width, keys, bias=False)
        self.value = nn.Linear(shape.width, keys, bias=False)
        self.out = nn.Linear(shape.width, shape.width, bias=False)
        self.gate = nn.Linear(shape.width, shape.inner, bias=False)
        self.up = nn.Linear(shape.width, shape.inner, bias=False)
        self.down = nn.Linear(shape.inner, shape.width, bias=False)
        self.attention_norm = nn.RMSNorm(shape.width, eps=shape.norm_eps)
        self.norm = nn.RMSNorm(shape.width, eps=shape.norm_eps)

    def forward(
        self, hidden: Tensor, groups: Groups, rotation: Rotation, past: Tensor | None = None
    ) -> tuple[Tensor, KeysValues]:
        """Run over the texts of a batch.

        Args:
            hidden: ``(n_tokens, width)``.
            groups: ``(first token, texts, length)`` of the texts of equal length.
            rotation: Cosines and sines, ``(longest, head_width)`` each.
            past: Keys and values of what the texts follow, ``(2, n_texts, key_heads, n_past,
                head_width)``; only where all texts are of one length.

        Returns:
            ``(n_tokens, width)``, and keys and values of the last group with what it follows,
            ``(n_texts, key_heads, n_past + length, head_width)`` each.
        """
        attended, present = self._attend(self.attention_norm(hidden), groups, rotation, past)
        hidden = hidden + self.out(attended)
        inner = self.norm(hidden)
        hidden = hidden + self.down(functional.silu(self.gate(inner)) * self.up(inner))
        return hidden, present

    def _attend(
        self, hidden: Tensor, groups: Groups, rotation: Rotation, past: Tensor | None
    ) -> tuple[Tensor, KeysValues]:
        sizes = [count * length for _, count, length in groups]
        split = [
            torch.split_with_sizes(part(hidden), sizes)
            for part in (self.query, self.key, self.value)
        ]
        mixed_parts = []
        for (_, count, length), *parts in zip(groups, *split, strict=True):
            # (count, heads, length, head_width) each
            query, key, value = (
                part.view(count, length, -1, self.head_width).transpose(1, 2) for part in parts
            )
            query, key = _rotated(query, rotation, length), _rotated(key, rotation, length)
            if past is not None:
                key, value = torch.cat([past[0], key], dim=2), torch.cat([past[1], value], dim=2)
            mixed = _attention(query, key, value)
            mixed_parts.append(mixed.transpose(1, 2).reshape(count * length, -1))
        return torch.cat(mixed_parts), (key, value)


class Decoder(nn.Module):
    """Token ids to vectors, layer by layer, each token seeing those before it.

    Args:
        shape: Sizes; the weights are random until loaded by `decoder_file.load_decoder`.
    """

    def __init__(self, shape: DecoderShape) -> None:
        super().__init__()
        self.shape = shape
        self.words = nn.Embedding(shape.vocabulary, shape.width)
        self.layers = nn.ModuleList(DecoderLayer(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.width, eps=shape.norm_eps)

    def forward(self, ids: Tensor, past: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Run texts of one length, or the next part of them.

        Args:
            ids: Token ids, ``(n, length)``.
            past: Keys and values of the ``n_past`` tokens that they follow, as returned before,
                ``(layers, 2, n, key_heads, n_past, head_width)``; None for none.

        Returns:
            Vectors after the last normalisation, ``(n, length, width)``, and the keys and values
            so far, ``(layers, 2, n, key_heads, n_past + length, head_width)``.
        """
        count, length = ids.shape
        n_past = 0 if past is None else past.shape[4]
        rotation = self.rotation(length, n_past)
        hidden, groups = self.words(ids.flatten()), ((0, count, length),)
        present: list[Tensor] = []
        for index, layer in enumerate(self.layers):
            before = None if past is None else past[index]
            hidden, own = layer(hidden, groups, rotation, before)
            present += own
        so_far = torch.stack(present).view(len(self.layers), 2, *present[0].shape)
        return self.norm(hidden).view(count, length, -1), so_far

    def packed(self, batch: Packed) -> Tensor:
        """Vectors of whole texts of several lengths, ``(n_tokens, width)``; nothing is kept."""
        hidden = self.words(batch.ids)
        rotation = self.rotation(max(length for _, _, length in batch.groups))
        with mixed_precision(self, hidden) as hidden:
            for layer in self.layers:
                hidden, _ = layer(hidden, batch.groups, rotation)
        hidden = hidden[: batch.n_tokens]
        normed: Tensor = self.norm(hidden)
        return normed

    def scores(self, hidden: Tensor) -> Tensor:
        """Scores of the token that follows, ``(..., width)`` to ``(..., vocabulary)``."""
        return functional.linear(hidden, self.words.weight)

    def rotation(self, length: int, first: int = 0) -> Rotation:
        """Cosines and sines of ``length`` positions from ``first`` on (Su et al., section 3.2.2).

        Returns:
            Two of ``(length, head_width)``; both halves of a row are alike.
        """
        width = self.shape.head_width
        rates = self.shape.rope_base ** (-torch.arange(0, width, 2, dtype=torch.float32) / width)
        places = torch.arange(first, first + length, dtype=torch.float32)
        angles = torch.outer(places, rates).repeat(1, 2)
        return angles.cos(), angles.sin()


def _rotated(vectors: Tensor, rotation: Rotation, length: int) -> Tensor:
    """Turn the pairs (i, i + half) of each vector of ``(n, heads, length, head_width)``."""
    cosine, sine = (part[:length] for part in rotation)
    first, second = vectors.chunk(2, dim=-1)
    return vectors * cosine + torch.cat([-second, first], dim=-1) * sine


def _attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Each of the last ``length`` tokens attends to itself and to all before it."""
    shared = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(shared, dim=1), value.repeat_interleave(shared, dim=1)
    length, total = query.shape[2], key.shape[2]
    if length == 1 or length == total:
        return functional.scaled_dot_product_attention(query, key, value, is_causal=length > 1)
    seen = torch.ones(length, total, dtype=torch.bool).tril(total - length)
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
