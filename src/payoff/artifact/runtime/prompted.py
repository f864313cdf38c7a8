"""The runtime for prompts: how probable a decoder finds each label after a text.

The score of a label is log P(its tokens | before, text, after), divided by their number where the
prompt says so, less the prompt's prior. Keys and values of what stands before every text are
computed once, when the tier is opened. Behind each text all labels lie side by side as one tree
(`LabelTree`), so that one pass scores them all and a beginning that several share is run once;
labels of one token need no pass beyond the text's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from payoff.artifact.runtime.decoder import DecoderSession, Floats, Ids, joined
from payoff.artifact.runtime.label_tree import LabelTree
from payoff.artifact.runtime.prompt import WHERE, Prompt, parse_prompt, read_prompts
from payoff.artifact.runtime.prompt_tokens import PromptTokens
from payoff.artifact.texts import check_texts
from payoff.artifact.tier import TierSpec
from payoff.core.errors import ArtifactError

BATCH_TOKENS = 1024
"""Tokens of one pass, those of the labels included."""

BATCH_SCORES = 1 << 24
"""Scores of words that one pass may give: 64 MiB."""

MAX_NODES = 512
"""Nodes of one tree; more labels are scored in several passes."""


class PromptedRuntime:
    """Scores of labels from ``model.onnx``, ``tokenizer.json`` and ``prompt.json``.

    Args:
        decoder: The model.
        tokens: Its tokenizer.
        prompts: One or several of the same labels; their scores are averaged.

    Raises:
        ArtifactError: PF504 where a label or all that stands around the text has no token.

    Example:
        >>> runtime = PromptedRuntime.open(spec, read, n_labels=77)  # doctest: +SKIP
        >>> runtime.logits(["where is my card?"]).shape  # doctest: +SKIP
        (1, 77)
    """

    def __init__(
        self, decoder: DecoderSession, tokens: PromptTokens, prompts: Sequence[Prompt]
    ) -> None:
        self._tokens = tokens
        self._n_labels = len(prompts[0].labels)
        self._scorers = [_Scorer(decoder, tokens, prompt) for prompt in prompts]

    @classmethod
    def open(
        cls,
        spec: TierSpec,
        read: Callable[[str], bytes],
        *,
        n_labels: int | None = None,
        threads: int = 0,
        file: Callable[[str], AbstractContextManager[Path]] | None = None,
    ) -> PromptedRuntime:
        """Make the tier ready; see `payoff.artifact.runtime.open_tier`.

        Raises:
            ArtifactError: PF504 where a member cannot be used.
        """
        prompts = read_prompts(parse_prompt(read(WHERE)))
        found = len(prompts[0].labels)
        if n_labels is not None and found != n_labels:
            raise ArtifactError("PF504", WHERE, f"it has {found} labels", expected=f"{n_labels}")
        tokens = PromptTokens.open(spec, read)
        decoder = DecoderSession.open(spec, read, threads=threads, file=file)
        tokens.check(decoder.vocabulary)
        return cls(decoder, tokens, prompts)

    def logits(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Scores, ``(n_texts, n_labels)``, in the caller's order.

        Raises:
            DataError: PF105 where a text is unusable.
        """
        check_texts(texts)
        scores = np.zeros((len(texts), self._n_labels), np.float32)
        if texts:
            ids = self._tokens.of_texts(texts)
            for scorer in self._scorers:
                scores += scorer.scores(ids) / len(self._scorers)
        return scores


class _Scorer:
    """Scores under one prompt."""

    def __init__(self, decoder: DecoderSession, tokens: PromptTokens, prompt: Prompt) -> None:
        self._decoder = decoder
        self._max_tokens = prompt.max_tokens
        before = tokens.of_prompt(prompt.before)
        after = tokens.of_prompt(prompt.after)
        if not before and not after:
            raise ArtifactError(
                "PF504", WHERE, "nothing stands around the text", expected="an instruction"
            )
        labels = [tokens.of_prompt(label) for label in prompt.labels]
        for label, ids in zip(prompt.labels, labels, strict=True):
            if not ids:
                raise ArtifactError("PF504", WHERE, f"label {label[:40]!r} has no token")
        counts = np.array([len(ids) for ids in labels], np.float32)
        self._divisors = counts if prompt.by_token else np.ones_like(counts)
        self._prior = np.array(prompt.prior or [0.0] * len(labels), np.float32)
        self._trees = [_Laid(tree) for tree in LabelTree.cut(labels, MAX_NODES)]
        # The last token before the text belongs to what is run, so that something always is.
        self._around = before[-1:], after
        self._past = self._past_of(before[:-1])

    def _past_of(self, ids: Sequence[int]) -> Floats:
        empty = self._decoder.empty_past()
        if not ids:
            return empty
        return self._decoder.run(np.array([ids], np.int64), empty, [0])[1]

    def scores(self, texts: Sequence[Sequence[int]]) -> Floats:
        """``(n_texts, n_labels)`` for the tokens of texts, in their order."""
        before, after = self._around
        rows = [[*before, *text[: self._max_tokens], *after] for text in texts]
        found = np.empty((len(rows), len(self._prior)), np.float32)
        for batch in self._batches(np.array([len(row) for row in rows])):
            ids = np.array([rows[i] for i in batch], np.int64)
            found[batch] = self._of_batch(ids)
        return found / self._divisors - self._prior

    def _batches(self, lengths: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.intp]]:
        """Texts of equal length, as many as one pass takes."""
        n_nodes = max(len(laid.tokens) for laid in self._trees)
        most_scores = BATCH_SCORES // ((n_nodes + 1) * self._decoder.vocabulary)
        for length in np.unique(lengths):
            size = max(1, min(BATCH_TOKENS // (int(length) + n_nodes), most_scores))
            rows = np.flatnonzero(lengths == length)
            for start in range(0, len(rows), size):
                yield rows[start : start + size]

    def _of_batch(self, ids: Ids) -> Floats:
        """Log-probabilities of all labels, ``(n, n_labels)``, after ``(n, length)``."""
        first, new = self._of_tree(self._trees[0], ids, self._past)
        if len(self._trees) == 1:
            return first
        # Further trees follow the same text; its last token is run again with each of them.
        past = joined(self._past, new[:, :, :, :, : ids.shape[1] - 1])
        rest = [self._of_tree(laid, ids[:, -1:], past)[0] for laid in self._trees[1:]]
        return np.concatenate([first, *rest], axis=1)

    def _of_tree(self, laid: _Laid, ids: Ids, past: Floats) -> tuple[Floats, Floats]:
        """Log-probabilities of a tree's labels, and keys and values of what was run."""
        n, length = ids.shape
        tokens = np.concatenate([ids, np.tile(laid.tokens, (n, 1))], axis=1)
        scores, new = self._decoder.run(tokens, past, **laid.behind(length))
        edges = scores[:, laid.edge_nodes, laid.edge_tokens]
        edges = edges - _log_sum_exp(scores)[:, laid.edge_nodes]
        return edges @ laid.members.T, new


class _Laid:
    """A tree with what a pass needs of it, computed once."""

    def __init__(self, tree: LabelTree) -> None:
        self.tokens, self.members = tree.tokens, tree.members
        self.edge_nodes, self.edge_tokens = tree.edge_nodes, tree.edge_tokens
        self._depths, self._seen = tree.depths, tree.seen

    def behind(self, length: int) -> Mapping[str, Any]:
        """Places, depths and who sees whom where the tree follows ``length`` tokens."""
        n_nodes = len(self.tokens)
        seen = np.tri(length + n_nodes, dtype=np.bool_)
        seen[length:, length:] = self._seen
        return {
            "places": np.arange(length - 1, length + n_nodes),
            "depths": np.concatenate([np.arange(length), length + self._depths]),
            "seen": seen,
        }


def _log_sum_exp(scores: Floats) -> Floats:
    """Over the last axis."""
    highest: Floats = scores.max(axis=-1)
    total: Floats = np.exp(scores - highest[..., None]).sum(axis=-1)
    found: Floats = highest + np.log(total)
    return found
