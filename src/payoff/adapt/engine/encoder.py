"""A transformer encoder over packed tokens: no padding is computed, also in attention.

One implementation serves the encoders that differ only in names and in how positions enter
(BERT, MPNet, RoBERTa and XLM-R); `architectures.py` has what is particular to each. Linear layers
run over all tokens of a batch at once, attention over groups of texts of equal length, so that
neither masks nor padding exist. The queries, keys and values of a layer are one product.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from payoff.adapt.engine.batches import Packed
from payoff.adapt.engine.precision import full_precision


@dataclass(frozen=True, slots=True)
class EncoderShape:
    """Sizes of an encoder, and how positions enter it."""

    vocabulary: int
    width: int
    layers: int
    heads: int
    inner: int
    positions: int
    first_position: int
    norm_eps: float
    relative_buckets: int = 0


class Layer(nn.Module):
    """Attention and feed-forward, each followed by its normalisation (Vaswani et al. 2017).

    Attributes:
        attention_adapter: Applied to what attention adds, ``(n_tokens, width)`` to the same; None
            for none.
        inner_adapter: Applied to what the feed-forward part adds, alike.
        prefix: Called without arguments, gives keys and values that every text attends to as
            well, ``(2, heads, n, width / heads)``; None for none.
    """

    attention_adapter: nn.Module | None
    inner_adapter: nn.Module | None
    prefix: nn.Module | None

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.qkv = nn.Linear(shape.width, 3 * shape.width)
        self.out = nn.Linear(shape.width, shape.width)
        self.attention_norm = nn.LayerNorm(shape.width, eps=shape.norm_eps)
        self.up = nn.Linear(shape.width, shape.inner)
        self.down = nn.Linear(shape.inner, shape.width)
        self.norm = nn.LayerNorm(shape.width, eps=shape.norm_eps)
        for name in ("attention_adapter", "inner_adapter", "prefix"):
            self.register_module(name, None)

    def forward(
        self, hidden: Tensor, groups: tuple[tuple[int, int, int], ...], bias: Tensor | None
    ) -> Tensor:
        """``(n_tokens, width)`` to the same shape; rows behind the groups' belong to no text."""
        qkv = self.qkv(hidden)
        with full_precision():
            mixed = self._attend(qkv.float(), groups, bias)
        attended = self.out(mixed)
        if self.attention_adapter is not None:
            attended = self.attention_adapter(attended)
        hidden = self.attention_norm(hidden + attended)
        inner = self.down(functional.gelu(self.up(hidden)))
        if self.inner_adapter is not None:
            inner = self.inner_adapter(inner)
        out: Tensor = self.norm(hidden + inner)
        return out

    def _attend(
        self, qkv: Tensor, groups: tuple[tuple[int, int, int], ...], bias: Tensor | None
    ) -> Tensor:
        mixed_parts = []
        width = qkv.shape[1] // 3
        prefix = None if self.prefix is None else self.prefix()
        n_prefix = 0 if prefix is None else prefix.shape[2]
        # One split, not slices: the gradient of each slice would be as large as the whole.
        sizes = [count * length for _, count, length in groups]
        *parts, behind = torch.split_with_sizes(qkv, [*sizes, len(qkv) - sum(sizes)])
        for part, (_, count, length) in zip(parts, groups, strict=True):
            part = part.view(count, length, 3, self.heads, width // self.heads)
            query, key, value = part.permute(2, 0, 3, 1, 4)
            mask = None if bias is None else bias[:, :length, :length].unsqueeze(0)
            if prefix is not None:
                key = torch.cat([prefix[0].expand(count, -1, -1, -1), key], dim=2)
                value = torch.cat([prefix[1].expand(count, -1, -1, -1), value], dim=2)
                mask = None if mask is None else functional.pad(mask, (n_prefix, 0))
            mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
            mixed_parts.append(mixed.transpose(1, 2).reshape(count * length, width))
        if len(behind):
            mixed_parts.append(behind[:, :width])
        return mixed_parts[0] if len(mixed_parts) == 1 else torch.cat(mixed_parts)


class Encoder(nn.Module):
    """Token ids to one vector a token, layer by layer.

    Args:
        shape: Sizes; the weights are random until loaded by `architectures.load`.
        pooling: How token vectors become a text's vector: their ``"mean"``, or the first
            token's (``"cls"``).
    """

    def __init__(self, shape: EncoderShape, *, pooling: str = "mean") -> None:
        super().__init__()
        self.shape = shape
        self.pooling = pooling
        self.words = nn.Embedding(shape.vocabulary, shape.width)
        self.positions = nn.Embedding(shape.positions, shape.width)
        self.embedding_norm = nn.LayerNorm(shape.width, eps=shape.norm_eps)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        if shape.relative_buckets:
            self.relative = nn.Embedding(shape.relative_buckets, shape.heads)

    def embed(self, batch: Packed) -> Tensor:
        """Embeddings below the first layer, ``(n_tokens, width)``."""
        places = batch.positions + self.shape.first_position
        embedded: Tensor = self.embedding_norm(self.words(batch.ids) + self.positions(places))
        return embedded

    def run(
        self, hidden: Tensor, batch: Packed, *, first: int = 0, last: int | None = None
    ) -> Tensor:
        """Layers ``first`` up to, not including, ``last``, over ``(n_tokens, width)``."""
        bias = self.relative_bias(max(length for _, _, length in batch.groups))
        for layer in self.layers[first:last]:
            hidden = layer(hidden, batch.groups, bias)
        return hidden

    def pool(self, hidden: Tensor, batch: Packed) -> Tensor:
        """Vectors of texts, ``(n_tokens, width)`` to ``(n_texts, width)``.

        A text of one piece has a vector of length 1; one of several has the mean of theirs,
        weighted by their tokens and no longer than 1: what a linear head makes of it is the mean
        of what it makes of each piece.
        """
        vectors = self.pool_pieces(hidden, batch)
        return vectors if batch.pieces is None else batch.pieces.mean(vectors)

    def pool_pieces(self, hidden: Tensor, batch: Packed) -> Tensor:
        """Normalised vectors of pieces, ``(n_tokens, width)`` to ``(n_pieces, width)``."""
        take = first_of_tokens if self.pooling == "cls" else mean_of_tokens
        return functional.normalize(take(hidden, batch.groups), dim=1)

    def relative_bias(self, length: int) -> Tensor | None:
        """What MPNet adds to attention scores, ``(heads, length, length)``; else ``None``."""
        if not self.shape.relative_buckets:
            return None
        place = torch.arange(length)
        buckets = relative_bucket(place[None, :] - place[:, None], self.shape.relative_buckets)
        bias: Tensor = self.relative(buckets).permute(2, 0, 1)
        return bias


def mean_of_tokens(hidden: Tensor, groups: tuple[tuple[int, int, int], ...]) -> Tensor:
    """Mean of each piece's token vectors, ``(n_tokens, width)`` to ``(n_pieces, width)``."""
    return torch.cat([part.mean(dim=1) for part in _by_text(hidden, groups)])


def first_of_tokens(hidden: Tensor, groups: tuple[tuple[int, int, int], ...]) -> Tensor:
    """First token's vector of each piece, ``(n_tokens, width)`` to ``(n_pieces, width)``."""
    return torch.cat([part[:, 0] for part in _by_text(hidden, groups)])


def _by_text(hidden: Tensor, groups: tuple[tuple[int, int, int], ...]) -> list[Tensor]:
    """Each group's vectors as ``(n_pieces, length, width)``."""
    parts = torch.split_with_sizes(hidden, [count * length for _, count, length in groups])
    return [
        part.view(count, length, hidden.shape[1])
        for part, (_, count, length) in zip(parts, groups, strict=True)
    ]


def relative_bucket(distance: Tensor, buckets: int, max_distance: int = 128) -> Tensor:
    """Bucket of a relative position (Raffel et al. 2020, section 2.1, as MPNet uses it).

    Half of the buckets are for each direction; in each, half are exact and the rest grow
    logarithmically up to ``max_distance``.
    """
    half = buckets // 2
    exact = half // 2
    side = (distance > 0).long() * half
    distance = distance.abs()
    far = torch.log(distance.clamp(min=1).float() / exact) / math.log(max_distance / exact)
    far = (exact + (far * (half - exact)).long()).clamp(max=half - 1)
    return side + torch.where(distance < exact, distance, far)
