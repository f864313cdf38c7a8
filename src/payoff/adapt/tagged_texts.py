"""Annotated texts on a backbone: windows, tags, activations, and the head to start from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from payoff.adapt.engine.batches import Packed, places
from payoff.adapt.engine.tag_windows import IGNORED, Labelled, Tags, TagWindows, windows_for
from payoff.adapt.engine.tagger import token_vectors
from payoff.adapt.engine.trunk import Trunk
from payoff.adapt.recipes.linear import LinearHead, fit_logistic
from payoff.artifact.runtime.tag_sequence import tag_names, within_word
from payoff.core.progress import Progress

if TYPE_CHECKING:
    from payoff.adapt.workbench import Opened

_MOST_TOKENS = 20_000  # that a head is fitted on; it is but a start, and a line needs no more


@dataclass
class TaggedTexts:
    """All that taggers on one backbone share.

    Args:
        opened: The backbone.
        texts: ``n_texts`` of them.
        spans: Their entities.
        labels: Kinds of entities, in the order of the tags.
        folder: Where activations may be kept.
        progress: Who listens.
        seed: Draws the texts that a head is fitted on, where there are too many.
    """

    opened: Opened
    texts: Sequence[str]
    spans: Sequence[Sequence[Labelled]]
    labels: tuple[str, ...]
    folder: Path
    progress: Progress
    seed: int = 0

    @cached_property
    def windows(self) -> TagWindows:
        """The texts as windows of tokens."""
        return windows_for(
            self.texts,
            self.spans,
            self.opened.tokenizer,
            limit=self.opened.window,
            prefix=self.opened.backbone.prefix,
        )

    @cached_property
    def tags(self) -> Tags:
        """The tag of every token."""
        tags = self.windows.tags(self.spans, self.labels)
        if tags.n_inexact:
            n_entities = sum(map(len, self.spans))
            self.progress.say(
                f"{tags.n_inexact:,} of {n_entities:,} entities do not begin and end where tokens"
                f" of {self.opened.backbone.name} do: they will be found with other borders"
            )
        return tags

    @cached_property
    def whole_words(self) -> bool:
        """Whether all of these entities begin and end where words do, as those to be found will."""
        return not any(
            within_word(text, place)
            for text, spans in zip(self.texts, self.spans, strict=True)
            for span in spans
            for place in (span.start, span.end)
        )

    @property
    def n_tags(self) -> int:
        """Columns of a tagger's logits."""
        return len(tag_names(self.labels))

    @cached_property
    def trunk(self) -> Trunk:
        """Activations of all windows."""
        weights = str(self.opened.folder.resolve()).encode()
        which = hashlib.sha256(weights + self.windows.tokens.ids.tobytes()).hexdigest()[:12]
        return Trunk(
            self.opened.encoder,
            self.windows.tokens,
            self.progress,
            folder=self.folder / f"{self.opened.folder.name}-windows-{which}",
        )

    def targets(self, batch: Packed) -> torch.Tensor:
        """Tags of a batch's tokens, ``(n_tokens,)``."""
        return torch.from_numpy(self.tags.indices[places(self.windows.tokens, batch)])

    def counting_logits(
        self, logits: NDArray[np.float32], texts: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Of the logits of all tokens of some texts' windows, those of the tokens that count."""
        windows = self.windows.of(texts)
        offsets = self.windows.tokens.offsets
        flat = np.concatenate([np.arange(offsets[w], offsets[w + 1]) for w in windows])
        counting: NDArray[np.float32] = logits[self.windows.places[flat, 0] >= 0]
        return counting

    def places_of(self, text: int) -> NDArray[np.int64]:
        """Characters of a text's tokens that count, ``(n_tokens, 2)``."""
        windows = self.windows.of(np.array([text]))
        return self.windows.places[self.windows.counting(windows)]

    def fit_head(self, train: NDArray[np.int64], strength: float) -> LinearHead:
        """Logistic regression on the frozen token vectors of some texts.

        Args:
            train: Texts to fit on; where their tokens are too many, some of them, drawn at random.
            strength: Inverse of the penalty.
        """
        rows = self.windows.of(np.random.default_rng(self.seed).permutation(train))
        lengths = self.windows.tokens.lengths[rows]
        rows = rows[: max(1, int(np.searchsorted(np.cumsum(lengths), _MOST_TOKENS, side="right")))]
        offsets = self.windows.tokens.offsets
        tags = np.concatenate([self.tags.indices[offsets[r] : offsets[r + 1]] for r in rows])
        vectors = token_vectors(self.trunk, rows)
        counts = tags != IGNORED
        return fit_logistic(vectors[counts], tags[counts], n_labels=self.n_tags, strength=strength)
