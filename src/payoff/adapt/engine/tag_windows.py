"""Annotated texts as windows of tokens with a tag each, as a tagger is trained on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.engine.tokens import Tokens
from payoff.artifact.runtime.windows import cut_windows

if TYPE_CHECKING:
    from tokenizers import Tokenizer

IGNORED = -100
"""Tag of tokens that count in no loss: special ones, and those that another window judges."""

_LEAST_OVERLAP = 16
_LEAST_WINDOW = 64  # tokens; what is served may be longer than what was learnt from


class Labelled(Protocol):
    """A span of characters with a label, `payoff.data.annotations.Span` for one."""

    @property
    def start(self) -> int:
        """First character."""

    @property
    def end(self) -> int:
        """Character behind the last."""

    @property
    def label(self) -> str:
        """What it is."""


@dataclass(frozen=True)
class TagWindows:
    """The windows of some texts.

    Args:
        tokens: One row a window, special tokens and prefix included.
        first: First window of each text and the end of the last, ``(n_texts + 1,)``.
        places: Characters of each token in its text, ``(n_tokens, 2)``; -1 where it does not count.
        max_tokens: Longest window.
        overlap: Tokens that a window shares with the next.
    """

    tokens: Tokens
    first: NDArray[np.int64]
    places: NDArray[np.int64]
    max_tokens: int
    overlap: int

    def of(self, texts: NDArray[np.int64]) -> NDArray[np.int64]:
        """The windows of some texts, one text after the other."""
        parts = [np.arange(self.first[text], self.first[text + 1]) for text in texts]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def counting(self, windows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Flat places of the tokens that count in some windows, in order."""
        offsets = self.tokens.offsets
        parts = [np.arange(offsets[window], offsets[window + 1]) for window in windows]
        flat = np.concatenate(parts) if parts else np.zeros(0, np.int64)
        counting: NDArray[np.int64] = flat[self.places[flat, 0] >= 0]
        return counting

    def tags(self, spans: Sequence[Sequence[Labelled]], labels: Sequence[str]) -> Tags:
        """The tag of every token, from the entities of each text.

        A token belongs to an entity if it shares a character with it; to the first of two.

        Args:
            spans: Entities of each text, ``n_texts`` of sequences.
            labels: Kinds of entities, in the order of the tags.
        """
        number = {label: 1 + 2 * place for place, label in enumerate(labels)}
        tags = np.where(self.places[:, 0] >= 0, 0, IGNORED)
        n_inexact, longest = 0, 0
        for text, entities in enumerate(spans):
            flat = self.counting(self.of(np.array([text])))
            starts, ends = self.places[flat].T
            free = 0
            for span in sorted(entities, key=lambda span: span.start):
                low = max(free, int(np.searchsorted(ends, span.start, side="right")))
                high = max(low, int(np.searchsorted(starts, span.end, side="left")))
                tags[flat[low:high]] = number[span.label] + 1
                tags[flat[low : low + 1][: high - low]] = number[span.label]
                fits = low < high and (starts[low], ends[high - 1]) == (span.start, span.end)
                n_inexact += not fits
                longest, free = max(longest, high - low), high
        return Tags(tags, n_inexact, longest)


@dataclass(frozen=True, slots=True)
class Tags:
    """What each token of some windows should be given.

    Args:
        indices: Tag of each token, `IGNORED` where it does not count, ``(n_tokens,)``.
        n_inexact: Entities that do not begin and end where tokens do, so that no tags spell them.
        longest: Most tokens of an entity.
    """

    indices: NDArray[np.int64]
    n_inexact: int
    longest: int


def windows_for(
    texts: Sequence[str],
    spans: Sequence[Sequence[Labelled]],
    tokenizer: Tokenizer,
    *,
    limit: int,
    prefix: str = "",
) -> TagWindows:
    """Cut texts into windows that suit them.

    A window is as long as the longest text, but no longer than ``limit``; windows overlap by twice
    the longest entity, so that every entity is whole in two windows where it lies at a cut, but by
    half a window at most.

    Args:
        texts: ``n_texts`` of them.
        spans: Their entities.
        tokenizer: The backbone's own.
        limit: Longest text that the backbone takes, in tokens.
        prefix: Put before every window.
    """
    whole = cut(texts, tokenizer, max_tokens=1 << 40, overlap=0, prefix=prefix)
    labels = sorted({span.label for entities in spans for span in entities})
    longest_text = int(whole.tokens.lengths.max(initial=1))
    max_tokens = min(limit, max(_LEAST_WINDOW, 16 * -(-longest_text // 16)))
    wanted = max(_LEAST_OVERLAP, 2 * whole.tags(spans, labels).longest)
    return cut(
        texts, tokenizer, max_tokens=max_tokens, overlap=min(max_tokens // 2, wanted), prefix=prefix
    )


def cut(
    texts: Sequence[str], tokenizer: Tokenizer, *, max_tokens: int, overlap: int, prefix: str = ""
) -> TagWindows:
    """Cut texts into windows by the rule of `payoff.artifact.runtime.windows`."""
    tokenizer.no_padding()
    tokenizer.no_truncation()
    encodings = tokenizer.encode_batch([prefix + text for text in texts])
    cuts = [
        cut_windows(encoding, text, max_tokens=max_tokens, overlap=overlap, prefix=prefix)
        for encoding, text in zip(encodings, texts, strict=True)
    ]
    windows = [window for found in cuts for window in found]
    offsets = np.cumsum([0, *(len(window.ids) for window in windows)])
    ids = np.concatenate([window.ids for window in windows] or [np.zeros(0, np.int64)])
    places = np.concatenate([window.places for window in windows] or [np.zeros((0, 2), np.int64)])
    first = np.cumsum([0, *(len(found) for found in cuts)])
    return TagWindows(Tokens(ids, offsets), first, places, max_tokens, overlap)
