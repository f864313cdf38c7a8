"""Lessons: questions with their answers as tokens, and which tokens are to be learnt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from payoff.adapt.engine.batches import Packed
from payoff.adapt.engine.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Lessons:
    """Token ids of prompts, each followed by its answer.

    Args:
        tokens: Both, ``n_lessons`` of them.
        prompts: How many tokens of each are prompt, at least 1, ``(n_lessons,)``.

    Example:
        >>> lessons = Lessons.of([[7, 8], [7]], [[1, 2], [3, 2]])
        >>> lessons.tokens.of(0).tolist(), lessons.prompts.tolist()
        ([7, 8, 1, 2], [2, 1])
    """

    tokens: Tokens
    prompts: NDArray[np.int64]

    @classmethod
    def of(cls, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]) -> Lessons:
        """Lessons of prompts and answers of one token or more each."""
        rows = [[*prompt, *answer] for prompt, answer in zip(prompts, answers, strict=True)]
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum([len(row) for row in rows], out=offsets[1:])
        ids = np.array([token for row in rows for token in row], np.int64)
        return cls(Tokens(ids, offsets), np.array([len(prompt) for prompt in prompts], np.int64))

    def __len__(self) -> int:
        return len(self.prompts)

    def places(self, batch: Packed) -> tuple[Tensor, Tensor]:
        """What is to be learnt of a batch of these.

        Args:
            batch: As `batches.pack` lays ``tokens``.

        Returns:
            Places in the batch of the tokens that an answer's token follows, and those tokens'
            ids, both ``(n_answer_tokens,)``.

        Example:
            >>> from payoff.adapt.engine.batches import pack
            >>> lessons = Lessons.of([[7, 8], [7]], [[1, 2], [3, 2]])
            >>> batch = pack(lessons.tokens, np.array([0, 1]))
            >>> batch.ids.tolist(), [found.tolist() for found in lessons.places(batch)]
            ([7, 3, 2, 7, 8, 1, 2], [[0, 1, 4, 5], [3, 2, 1, 2]])
        """
        lengths = self.tokens.lengths[batch.rows]
        first = np.repeat(self.prompts[batch.rows], lengths)
        learnt = np.flatnonzero(batch.positions.numpy() >= first)
        places = torch.from_numpy(learnt)
        return places - 1, batch.ids[places]
