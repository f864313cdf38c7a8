"""The runtime for transformers and static embeddings: a tokenizer, then an ONNX graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from payoff.artifact.runtime.early_exit import REST, EarlyExit, exit_confidence
from payoff.artifact.runtime.long_texts import cut_into_pieces, mean_by_text
from payoff.artifact.runtime.session import broken, first_line, open_session
from payoff.artifact.runtime.threads import physical_cores
from payoff.artifact.texts import check_texts
from payoff.artifact.tier import TierSpec
from payoff.core.errors import ArtifactError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BATCH_TOKENS = 1024
"""Tokens of one call, padding included. On two cores, MiniLM was as fast with 512 as with 4,096
within the noise of the measurement, and activations take memory in proportion."""

MAX_PADDING = 0.1
"""Share of a batch that may be padding before the next length starts a batch of its own."""

FREE_PADDING_TOKENS = 32
"""Padding below this is cheaper than another call of the graph (about 0.3 ms)."""

_INPUTS = {"input_ids", "attention_mask"}


class TokenRuntime:
    """Logits from ``model.onnx`` over the tokens of ``tokenizer.json``.

    Args:
        session: An ``onnxruntime.InferenceSession``, or two as one `EarlyExit`; takes
            ``input_ids`` and ``attention_mask``, both int64 ``(batch, length)``.
        tokenizer: Truncates at ``max_tokens`` by itself; pads never.
        max_tokens: Longest piece of a text, in tokens.
        max_pieces: Most pieces that a longer text is cut into; what is beyond is left out. The
            scores of a text are the mean of its pieces' scores, weighted by their tokens.
        prefix: Put before every piece, as some encoders need (``"query: "``).
        separator: Put between the texts of a pair; see `payoff.core.pair`.
        pad_id: Token that fills the rows of a batch.
        output: Name of the output, float32 ``(batch, n_labels)``.

    Example:
        >>> runtime = TokenRuntime.open(spec, read, n_labels=77)  # doctest: +SKIP
        >>> runtime.logits(["where is my card?"]).shape  # doctest: +SKIP
        (1, 77)
    """

    def __init__(
        self,
        session: Any,
        tokenizer: Tokenizer,
        *,
        max_tokens: int,
        max_pieces: int = 1,
        prefix: str = "",
        separator: str = "",
        pad_id: int = 0,
        output: str = "logits",
    ) -> None:
        self._session = session
        self._tokenizer = tokenizer
        self._max_tokens = max_tokens
        self._max_pieces = max_pieces
        self._prefix = prefix
        self._separator = separator
        self._pad_id = pad_id
        self._outputs = [output]

    @classmethod
    def open(
        cls,
        spec: TierSpec,
        read: Callable[[str], bytes],
        *,
        n_labels: int | None = None,
        threads: int = 0,
        file: Callable[[str], AbstractContextManager[Path]] | None = None,
    ) -> TokenRuntime:
        """Make the tier ready; see `payoff.artifact.runtime.open_tier`.

        Raises:
            ArtifactError: PF504 where the tokenizer, the graph or a setting cannot be used.
        """
        max_tokens = _setting(spec, "max_tokens", int, 128)
        if max_tokens < 1:
            raise broken(spec, f"max_tokens is {max_tokens}", "1 or more")
        max_pieces = _setting(spec, "max_pieces", int, 1)  # older tiers cut what is beyond
        if max_pieces < 1:
            raise broken(spec, f"max_pieces is {max_pieces}", "1 or more")
        threads = threads or physical_cores()
        session = open_session(spec, read, threads, file)
        confidence = exit_confidence(spec)
        if confidence is not None:
            rest = open_session(spec, read, threads, file, REST)
            session = EarlyExit(session, rest, confidence=confidence)
        runtime = cls(
            session,
            _tokenizer(spec, read, max_tokens),
            max_tokens=max_tokens,
            max_pieces=max_pieces,
            prefix=_setting(spec, "prefix", str, ""),
            separator=_setting(spec, "separator", str, ""),
            pad_id=_setting(spec, "pad_id", int, 0),
            output=_setting(spec, "outputs", str, "logits"),
        )
        runtime._check(spec, n_labels)
        return runtime

    def _check(self, spec: TierSpec, n_labels: int | None) -> None:
        inputs = {one.name for one in self._session.get_inputs()}
        if inputs != _INPUTS:
            raise broken(spec, f"the graph takes {sorted(inputs)}", f"{sorted(_INPUTS)}")
        outputs = {one.name: one.shape for one in self._session.get_outputs()}
        if self._outputs[0] not in outputs:
            raise broken(spec, f"the graph gives {sorted(outputs)}", f"'{self._outputs[0]}'")
        columns = (outputs[self._outputs[0]] or [None])[-1]
        if n_labels is not None and isinstance(columns, int) and columns != n_labels:
            raise broken(spec, f"the graph gives {columns} columns", f"{n_labels} labels")

    def logits(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Uncalibrated scores, ``(n_texts, n_labels)``, in the caller's order.

        Pieces are sorted by length, so that rows of one batch need little padding.

        Raises:
            DataError: PF105 where a text is unusable.
        """
        check_texts(texts)
        if not texts:
            return self._none()
        rows, counts, _ = cut_into_pieces(
            texts,
            self._tokenizer,
            max_tokens=self._max_tokens,
            max_pieces=self._max_pieces,
            prefix=self._prefix,
            separator=self._separator,
        )
        if len(rows) == 1:
            ids = np.array([rows[0] or [self._pad_id]], dtype=np.int64)
            return self._run(ids, np.ones_like(ids))
        lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
        scores: npt.NDArray[np.float32] | None = None
        for batch in batches(lengths):
            part = self._run(*self._pad([rows[i] for i in batch]))
            if scores is None:
                scores = np.empty((len(rows), part.shape[1]), dtype=np.float32)
            scores[batch] = part
        assert scores is not None
        return scores if counts is None else mean_by_text(scores, lengths, counts)

    def _pad(
        self, rows: Sequence[Sequence[int]]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Token ids and mask, both ``(batch, longest)``."""
        longest = max(1, *map(len, rows)) if len(rows) > 1 else max(1, len(rows[0]))
        ids = np.full((len(rows), longest), self._pad_id, dtype=np.int64)
        mask = np.zeros_like(ids)
        for i, row in enumerate(rows):
            # A text without any token still shows the model one, rather than nothing at all.
            mask[i, : max(1, len(row))] = 1
            ids[i, : len(row)] = row
        return ids, mask

    def _run(
        self, ids: npt.NDArray[np.int64], mask: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        try:
            scores: npt.NDArray[np.float32] = self._session.run(
                self._outputs, {"input_ids": ids, "attention_mask": mask}
            )[0]
        except Exception as error:  # onnxruntime has no public base class for its errors
            raise ArtifactError(
                "PF504", "model.onnx", f"it failed on {ids.shape}: {first_line(error)}"
            ) from error
        return scores

    def _none(self) -> npt.NDArray[np.float32]:
        ids = np.full((1, 1), self._pad_id, dtype=np.int64)
        return self._run(ids, np.ones_like(ids))[:0]


def batches(
    lengths: npt.NDArray[np.int64], *, max_tokens: int = BATCH_TOKENS
) -> Iterator[npt.NDArray[np.intp]]:
    """Cut rows into batches of like lengths, longest first.

    Args:
        lengths: Tokens of each row, ``(n,)``.
        max_tokens: Tokens of one batch, padding included; a single longer row is a batch alone.

    Yields:
        Positions ``(batch,)``; every row is in exactly one batch.

    Example:
        >>> import numpy as np
        >>> [b.tolist() for b in batches(np.array([9, 300, 290, 8]), max_tokens=1000)]
        [[1, 2], [0, 3]]
    """
    order = np.argsort(-lengths, kind="stable")
    start, wasted = 0, 0
    for end in range(len(order)):
        longest = max(1, int(lengths[order[start]]))
        gap = longest - int(lengths[order[end]])
        padded = (end - start + 1) * longest
        too_wasteful = wasted + gap > max(FREE_PADDING_TOKENS, MAX_PADDING * padded)
        if end > start and (padded > max_tokens or too_wasteful):
            yield order[start:end]
            start, wasted = end, 0
        else:
            wasted += gap
    if start < len(order):
        yield order[start:]


def _tokenizer(spec: TierSpec, read: Callable[[str], bytes], max_tokens: int) -> Tokenizer:
    from tokenizers import Tokenizer

    content = read("tokenizer.json")
    try:
        tokenizer = Tokenizer.from_buffer(content)
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_tokens)
    except Exception as error:  # tokenizers raises plain Exception and ValueError
        raise broken(spec, f"tokenizer.json: {first_line(error)}", "a tokenizer") from error
    return tokenizer


def _setting(spec: TierSpec, key: str, kind: type[Any], default: Any) -> Any:
    value = spec.settings.get(key, default)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise broken(spec, f"setting '{key}' is {value!r}", kind.__name__)
    return value
