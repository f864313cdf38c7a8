"""The runtime for answers: what a decoder says after a text, token by token."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from payoff.artifact.runtime.decoder import DecoderSession, Ids, joined
from payoff.artifact.runtime.prompt import WHERE, AnswerPrompt, parse_prompt
from payoff.artifact.runtime.prompt_tokens import PromptTokens
from payoff.artifact.texts import check_texts
from payoff.artifact.tier import TierSpec
from payoff.core.errors import ArtifactError

BATCH_TOKENS = 1024
"""Tokens of one pass over texts; as many texts are then answered side by side."""

BATCH_TEXTS = 16
"""Most texts side by side: each adds its keys and values to what is kept."""


class AnswerRuntime:
    """Answers from ``model.onnx``, ``tokenizer.json`` and ``prompt.json``.

    At every step the most probable token is taken ("greedy"); the same text gives the same answer.

    Args:
        decoder: The model.
        tokens: Its tokenizer.
        prompt: What stands around a text, and where an answer ends.

    Raises:
        ArtifactError: PF504 where nothing stands around the text, or where a token that ends an
            answer is none of the model's.

    Example:
        >>> runtime = AnswerRuntime.open(spec, read)  # doctest: +SKIP
        >>> runtime.answers(["where is my card?"])  # doctest: +SKIP
        ['It is on its way.']
    """

    def __init__(self, decoder: DecoderSession, tokens: PromptTokens, prompt: AnswerPrompt) -> None:
        self._decoder = decoder
        self._tokens = tokens
        self._prompt = prompt
        before, after = tokens.of_prompt(prompt.before), tokens.of_prompt(prompt.after)
        if not before and not after:
            raise ArtifactError(
                "PF504", WHERE, "nothing stands around the text", expected="an instruction"
            )
        self._ends, self._marks = _stops(prompt.stop, tokens, decoder.vocabulary)
        # The last token before the text belongs to what is run, so that something always is.
        self._around = before[-1:], after
        self._past = decoder.empty_past()
        if before[:-1]:
            self._past = decoder.run(np.array([before[:-1]], np.int64), self._past, [0])[1]

    @classmethod
    def open(
        cls,
        spec: TierSpec,
        read: Callable[[str], bytes],
        *,
        threads: int = 0,
        file: Callable[[str], AbstractContextManager[Path]] | None = None,
    ) -> AnswerRuntime:
        """Make the tier ready; arguments as of `payoff.artifact.runtime.open_tier`.

        Raises:
            ArtifactError: PF504 where a member cannot be used.
        """
        prompt = AnswerPrompt.from_dict(parse_prompt(read(WHERE)))
        tokens = PromptTokens.open(spec, read)
        decoder = DecoderSession.open(spec, read, threads=threads, file=file)
        tokens.check(decoder.vocabulary)
        return cls(decoder, tokens, prompt)

    def answers(self, texts: Sequence[str], max_new_tokens: int | None = None) -> list[str]:
        """Answers to texts, in their order.

        Args:
            texts: ``n_texts`` of them; what is beyond the prompt's ``max_tokens`` is cut.
            max_new_tokens: Longest answer in tokens; the prompt's own where None.

        Raises:
            DataError: PF105 where a text is unusable.
        """
        check_texts(texts)
        if not texts:
            return []
        limit = self._prompt.max_new_tokens if max_new_tokens is None else max_new_tokens
        before, after = self._around
        rows = [
            [*before, *ids[: self._prompt.max_tokens], *after]
            for ids in self._tokens.of_texts(texts)
        ]
        found = [""] * len(rows)
        for batch in _batches(np.array([len(row) for row in rows])):
            ids = np.array([rows[i] for i in batch], np.int64)
            for place, answer in zip(batch, self._of_batch(ids, limit), strict=True):
                found[place] = answer
        return found

    def _of_batch(self, ids: Ids, limit: int) -> list[str]:
        """Answers after ``(n, length)`` tokens."""
        said: list[list[int]] = [[] for _ in ids]
        open_rows, past = np.arange(len(ids)), self._past
        for _ in range(limit):
            scores, new = self._decoder.run(ids, past, [ids.shape[1] - 1])
            chosen = scores[:, 0].argmax(axis=-1)
            goes_on = np.array(
                [self._say(said[row], int(one)) for row, one in zip(open_rows, chosen, strict=True)]
            )
            if not goes_on.any():
                break
            past = joined(past, new)[:, :, goes_on]
            open_rows, ids = open_rows[goes_on], chosen[goes_on, None]
        return [self._cut(self._decoded(one))[0].strip() for one in said]

    def _say(self, said: list[int], token: int) -> bool:
        """Add a token to an answer; False where the answer ends before or with it."""
        if token in self._ends:
            return False
        said.append(token)
        return not (self._marks and self._cut(self._decoded(said))[1])

    def _decoded(self, said: Sequence[int]) -> str:
        return self._tokens.tokenizer.decode(list(said), skip_special_tokens=True)

    def _cut(self, text: str) -> tuple[str, bool]:
        """The text before the first mark that ends an answer, and whether there is one."""
        places = [place for mark in self._marks if (place := text.find(mark)) >= 0]
        return (text[: min(places)], True) if places else (text, False)


def _stops(
    stops: Sequence[int | str], tokens: PromptTokens, vocabulary: int
) -> tuple[frozenset[int], tuple[str, ...]]:
    """Tokens that end an answer, and texts that do."""
    ends, marks = set(), []
    for stop in stops:
        token = tokens.tokenizer.token_to_id(stop) if isinstance(stop, str) else stop
        if token is None:
            marks.append(str(stop))
        elif token < vocabulary:
            ends.add(token)
        else:
            raise ArtifactError(
                "PF504", WHERE, f"'stop' holds {token}", expected=f"a token below {vocabulary}"
            )
    return frozenset(ends), tuple(marks)


def _batches(lengths: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.intp]]:
    """Texts of equal length, as many as are answered side by side."""
    for length in np.unique(lengths):
        size = max(1, min(BATCH_TOKENS // int(length), BATCH_TEXTS))
        rows = np.flatnonzero(lengths == length)
        for start in range(0, len(rows), size):
            yield rows[start : start + size]
