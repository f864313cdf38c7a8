"""How probable a decoder finds each label as the continuation of a prompt.

All labels are scored in one pass after the text: they form a tree whose nodes are the token
sequences that some label begins with, each node attends to the text and to its own ancestors only,
and a node that several labels share is computed once. The keys and values of what stands before
every text are computed once as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from payoff.artifact.runtime.label_tree import LabelTree
from payoff.artifact.runtime.prompt import Prompt
from payoff.core.errors import AdaptError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from payoff.adapt.engine.decoder import Decoder, DecoderLayer

_MOST_NUMBERS = 1 << 25
"""Scores, keys or values that one group of texts may hold at once: 128 MiB in fp32."""


class LabelScorer:
    """Scores of a prompt's labels for any text.

    The score of a label is log P(its tokens | before, text, after), divided by their number where
    the prompt says so, less the prompt's prior. Before, text, after and labels are tokenised each
    for itself and without special tokens of the tokenizer's own.

    Args:
        decoder: The model, in evaluation mode.
        tokenizer: Its tokenizer; truncation and padding off.
        prompt: What stands around a text.

    Attributes:
        tree: The labels' tokens.
        token_counts: Tokens of each label, ``(n_labels,)``.

    Raises:
        AdaptError: PF405 where a label or everything around the text has no token, or where
            prompt, text and label are longer than the model's window.
    """

    def __init__(self, decoder: Decoder, tokenizer: Tokenizer, prompt: Prompt) -> None:
        self.decoder = decoder
        self.tokenizer = tokenizer
        self.prompt = prompt
        self._before = token_ids(tokenizer, prompt.before)
        self._after = token_ids(tokenizer, prompt.after)
        labels = [token_ids(tokenizer, label) for label in prompt.labels]
        self.tree = LabelTree.of(labels)
        self.token_counts = np.array([max(1, len(label)) for label in labels], np.float32)
        for label, ids in zip(prompt.labels, labels, strict=True):
            if not ids:
                raise _refused(f"label {label!r}", "it has no token", "a label that can be said")
        if not self._before and not self._after:
            raise _refused("the prompt", "nothing stands around the text", "an instruction")
        around = len(self._before) + len(self._after) + int(self.token_counts.max())
        window = decoder.shape.positions
        if around + prompt.max_tokens > window:
            raise _refused(
                "the prompt",
                f"it needs {around} tokens beside the text's {prompt.max_tokens}",
                f"at most {window} in all",
            )

    @torch.inference_mode()
    def scores(
        self, texts: Sequence[str], tell: Callable[[int], object] | None = None
    ) -> NDArray[np.float32]:
        """Scores of the labels after each text.

        Args:
            texts: ``n_texts`` of them.
            tell: Called with the number of texts done so far.

        Returns:
            ``(n_texts, n_labels)``, in the order of ``texts``.
        """
        rest = [self._rest(text) for text in texts]
        found = np.empty((len(rest), len(self.token_counts)), np.float32)
        done = 0
        for rows in self._groups(rest):
            ids = torch.tensor([rest[row] for row in rows])
            found[rows] = self._group_scores(ids).numpy()
            done += len(rows)
            if tell is not None:
                tell(done)
        if self.prompt.by_token:
            found /= self.token_counts
        return found - np.asarray(self.prompt.prior or 0.0, np.float32)

    def _rest(self, text: str) -> list[int]:
        """What follows `_past`: the last token before the text, the text, and what is after."""
        own = token_ids(self.tokenizer, text, plain=True)[: self.prompt.max_tokens]
        return self._before[-1:] + own + self._after

    def _groups(self, rest: Sequence[Sequence[int]]) -> Iterator[NDArray[np.int64]]:
        """Rows of equal length, as many at once as there is room for."""
        shape = self.decoder.shape
        lengths = np.array([len(ids) for ids in rest], np.int64)
        n_nodes = len(self.tree.tokens) + 1
        for length in np.unique(lengths):
            rows = np.flatnonzero(lengths == length)
            seen = len(self._before) + int(length) + n_nodes
            kept = 2 * shape.layers * shape.key_heads * shape.head_width * seen
            attention = shape.heads * max(n_nodes, int(length)) * seen
            each = max(kept, attention, n_nodes * shape.vocabulary)
            count = max(1, _MOST_NUMBERS // each)
            for start in range(0, len(rows), count):
                yield rows[start : start + count]

    @cached_property
    def _past(self) -> Tensor | None:
        """Keys and values of all but the last token before the text, of one text."""
        if len(self._before) < 2:
            return None
        past: Tensor = self.decoder(torch.tensor([self._before[:-1]]))[1]
        return past

    def _group_scores(self, ids: Tensor) -> Tensor:
        """Log-probabilities of the labels, ``(n, n_labels)``, after ``(n, length)``."""
        past = self._past
        if past is not None:
            past = past.expand(-1, -1, len(ids), -1, -1, -1)
        hidden, past = self.decoder(ids, past)
        nodes = hidden[:, -1:]
        if len(self.tree.tokens):
            nodes = torch.cat([nodes, _continued(self.decoder, self.tree, past)], dim=1)
        scores = self.decoder.scores(nodes)
        of_edges = scores[:, self.tree.edge_nodes, self.tree.edge_tokens]
        of_edges = of_edges - scores.logsumexp(dim=-1)[:, self.tree.edge_nodes]
        return of_edges @ torch.from_numpy(self.tree.members).T


def _continued(decoder: Decoder, tree: LabelTree, past: Tensor) -> Tensor:
    """Vectors of a tree's nodes after each of ``n`` texts, ``(n, n_nodes - 1, width)``.

    Args:
        decoder: The model.
        tree: Of at least one node beside the text.
        past: Keys and values of the texts, as `Decoder.forward` gives them.
    """
    count, n_past = past.shape[2], past.shape[4]
    depths = torch.from_numpy(tree.depths)
    cosine, sine = decoder.rotation(int(depths.max()) + 1, n_past)
    cosine, sine = cosine[depths], sine[depths]
    own = torch.from_numpy(tree.seen)
    seen = torch.cat([torch.ones(len(own), n_past, dtype=torch.bool), own], dim=1)
    hidden = decoder.words(torch.from_numpy(tree.tokens)).expand(count, -1, -1)
    for module, before in zip(decoder.layers, past, strict=True):
        layer = cast("DecoderLayer", module)
        entered = layer.attention_norm(hidden)
        query, key, value = (
            part(entered).view(count, len(own), -1, layer.head_width).transpose(1, 2)
            for part in (layer.query, layer.key, layer.value)
        )
        query, key = _turned(query, cosine, sine), _turned(key, cosine, sine)
        key, value = torch.cat([before[0], key], dim=2), torch.cat([before[1], value], dim=2)
        shared = query.shape[1] // key.shape[1]
        mixed = functional.scaled_dot_product_attention(
            query,
            key.repeat_interleave(shared, dim=1),
            value.repeat_interleave(shared, dim=1),
            attn_mask=seen,
        )
        hidden = hidden + layer.out(mixed.transpose(1, 2).reshape(count, len(own), -1))
        inner = layer.norm(hidden)
        hidden = hidden + layer.down(functional.silu(layer.gate(inner)) * layer.up(inner))
    normed: Tensor = decoder.norm(hidden)
    return normed


def _turned(vectors: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    first, second = vectors.chunk(2, dim=-1)
    return vectors * cosine + torch.cat([-second, first], dim=-1) * sine


def token_ids(tokenizer: Tokenizer, text: str, *, plain: bool = False) -> list[int]:
    """Tokens of a piece of a prompt, without those that a tokenizer adds by itself.

    Args:
        tokenizer: The decoder's.
        text: The piece.
        plain: Read marks such as ``<|im_end|>`` as the characters they are made of, so that what
            a user writes cannot end the instruction.
    """
    if not text:
        return []
    before = tokenizer.encode_special_tokens
    tokenizer.encode_special_tokens = plain
    try:
        return list(tokenizer.encode(text, add_special_tokens=False).ids)
    finally:
        tokenizer.encode_special_tokens = before


def _refused(where: str, found: str, expected: str) -> AdaptError:
    return AdaptError("PF405", where, found, expected=expected)
