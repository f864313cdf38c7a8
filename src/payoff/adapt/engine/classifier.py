"""The classifier that is trained: upper layers of an encoder, pooling and a linear head."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from payoff.adapt.engine.batches import Packed, by_tokens, cut, pack
from payoff.adapt.engine.encoder import Encoder, Layer
from payoff.adapt.engine.precision import mixed_precision
from payoff.adapt.engine.trunk import BATCH_TOKENS, Trunk

if TYPE_CHECKING:
    from payoff.adapt.engine.adaptations.adaptation import Adaptation


class Classifier(nn.Module):
    """Upper layers of an encoder, its pooling and normalisation, and a linear head.

    Args:
        encoder: The pretrained encoder; its layers from ``depth`` on are copied, the rest shared.
        depth: First own layer.
        weight: Head's start, ``(n_labels, width)``.
        bias: Head's start, ``(n_labels,)``.
        adaptation: Decides which weights of the layers are trained and adds its own; None trains
            all of them.

    Attributes:
        max_tokens: Most tokens of which activations are kept at once; see `in_parts`.
    """

    max_tokens: int | None = None

    def __init__(
        self,
        encoder: Encoder,
        depth: int,
        weight: NDArray[Any],
        bias: NDArray[Any],
        *,
        adaptation: Adaptation | None = None,
    ) -> None:
        super().__init__()
        self.depth = depth
        self.trunk = [encoder]  # in a list, so that it is not a part of this module's state
        self.layers = nn.ModuleList(copy.deepcopy(layer) for layer in encoder.layers[depth:])
        self.layers.requires_grad_(adaptation is None)
        self.head = nn.Linear(weight.shape[1], weight.shape[0])
        with torch.no_grad():
            self.head.weight.copy_(torch.as_tensor(weight))
            self.head.bias.copy_(torch.as_tensor(bias))
        self.prompt: nn.Module | None = None
        self.adaptation = adaptation
        if adaptation is not None:
            adaptation.attach(self)

    def forward(self, hidden: Tensor, batch: Packed) -> Tensor:
        """``(n_tokens, width)`` below layer ``depth`` to logits ``(n_texts, n_labels)``."""
        logits: Tensor = self.head(self.vectors(hidden, batch))
        return logits

    def vectors(self, hidden: Tensor, batch: Packed) -> Tensor:
        """``(n_tokens, width)`` below layer ``depth`` to those of texts, ``(n_texts, width)``."""
        encoder = self.trunk[0]
        vectors = self.in_parts(
            hidden, batch, lambda own, part: encoder.pool_pieces(self.climbed(own, part), part)
        )
        return vectors if batch.pieces is None else batch.pieces.mean(vectors)

    def in_parts(
        self, hidden: Tensor, batch: Packed, compute: Callable[[Tensor, Packed], Tensor]
    ) -> Tensor:
        """``compute(hidden, batch)``, in parts where the batch has more than `max_tokens` tokens.

        What a part keeps for its gradient is dropped and computed again when the gradient is
        taken: about a third more work, and memory for one part only, while the loss may still be of
        all texts together (Chen et al. 2016, section 4; Gao et al. 2021, "Scaling Deep Contrastive
        Learning Batch Size under Memory Limited Setup", section 3).

        Args:
            hidden: ``(n_tokens, width)``.
            batch: How the tokens belong to pieces.
            compute: Gives each piece, or each token, a row, whatever stands beside it; called again
                it gives the same.
        """
        parts = [batch] if self.max_tokens is None else cut(batch, self.max_tokens)
        if len(parts) == 1:
            return compute(hidden, batch)
        split = torch.split_with_sizes(hidden, [part.n_tokens for part in parts])
        found: list[Tensor] = [
            checkpoint(compute, own, part, use_reentrant=False)
            for own, part in zip(split, parts, strict=True)
        ]
        return torch.cat(found)

    def climbed(self, hidden: Tensor, batch: Packed) -> Tensor:
        """``(n_tokens, width)`` below layer ``depth`` to the same above the last layer."""
        groups = batch.groups
        n_prompt = 0
        if self.prompt is not None:
            prompt = self.prompt()
            n_prompt = len(prompt)
            hidden, groups = _with_prompt(hidden, groups, prompt)
        bias = self.trunk[0].relative_bias(max(length for _, _, length in groups))
        n_tokens = len(hidden)
        with mixed_precision(self, hidden) as hidden:
            for layer in self.own_layers():
                hidden = layer(hidden, groups, bias)
        hidden = hidden[:n_tokens]
        if n_prompt:
            hidden = _without_prompt(hidden, groups, n_prompt)
        return hidden

    def own_layers(self) -> Iterable[Layer]:
        """The layers from ``depth`` on."""
        for layer in self.layers:
            assert isinstance(layer, Layer)
            yield layer

    def trained_share(self) -> float:
        """Trained weights over all weights of the encoder and the head, 0–1."""
        own = {id(p): p.numel() for p in self.parameters()}
        frozen = [*self.trunk[0].layers[: self.depth].parameters()]
        rest = [p for n, p in self.trunk[0].named_parameters() if not n.startswith("layers.")]
        n_all = sum(own.values()) + sum(p.numel() for p in [*frozen, *rest])
        return sum(p.numel() for p in self.parameters() if p.requires_grad) / n_all


Groups = tuple[tuple[int, int, int], ...]


def _with_prompt(hidden: Tensor, groups: Groups, prompt: Tensor) -> tuple[Tensor, Groups]:
    """Put ``prompt``, ``(n, width)``, before the tokens of every piece of a text."""
    n, width = prompt.shape
    parts, longer, start = [], [], 0
    split = torch.split_with_sizes(hidden, [count * length for _, count, length in groups])
    for part, (_, count, length) in zip(split, groups, strict=True):
        texts = part.view(count, length, width)
        parts.append(torch.cat([prompt.expand(count, n, width), texts], dim=1).flatten(0, 1))
        longer.append((start, count, length + n))
        start += count * (length + n)
    return torch.cat(parts), tuple(longer)


def _without_prompt(hidden: Tensor, groups: Groups, n: int) -> Tensor:
    """Take the first ``n`` vectors of every piece away."""
    split = torch.split_with_sizes(hidden, [count * length for _, count, length in groups])
    return torch.cat(
        [
            part.view(count, length, hidden.shape[1])[:, n:].flatten(0, 1)
            for part, (_, count, length) in zip(split, groups, strict=True)
        ]
    )


def classifier_logits(
    classifier: Classifier, trunk: Trunk, rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Logits of some texts of a trunk, ``(len(rows), n_labels)``, in the order of ``rows``."""
    return _by_text(classifier, trunk, rows, classifier.forward, classifier.head.out_features)


def classifier_vectors(
    classifier: Classifier, trunk: Trunk, rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Vectors of some texts, before the head: ``(len(rows), width)``, in their order."""
    return _by_text(classifier, trunk, rows, classifier.vectors, classifier.head.in_features)


def _by_text(
    classifier: Classifier,
    trunk: Trunk,
    rows: NDArray[np.int64],
    compute: Callable[[Tensor, Packed], Tensor],
    width: int,
) -> NDArray[np.float32]:
    found = np.empty((len(rows), width), np.float32)
    place = np.zeros(len(trunk.tokens), np.int64)
    place[rows] = np.arange(len(rows))
    with torch.inference_mode():
        for part in by_tokens(trunk.tokens.lengths[rows], BATCH_TOKENS):
            batch = pack(trunk.tokens, rows[part])
            below = trunk.below(classifier.depth, batch)
            found[place[batch.rows]] = compute(below, batch).numpy()
    return found
