"""The runtime for entities: a tokenizer, an ONNX graph that scores tokens, valid tags, spans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from payoff.artifact.runtime.long_texts import encoded
from payoff.artifact.runtime.session import broken, first_line, open_session
from payoff.artifact.runtime.tag_sequence import Entity, spell, tag_names
from payoff.artifact.runtime.threads import physical_cores
from payoff.artifact.runtime.tokens import batches
from payoff.artifact.runtime.windows import Window, cut_windows
from payoff.artifact.texts import check_texts
from payoff.artifact.tier import TierSpec
from payoff.core.errors import ArtifactError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_INPUTS = {"input_ids", "attention_mask"}
_LEAST_WINDOW = 8  # tokens: special ones, a prefix and something of the text


class EntityRuntime:
    """Entities from ``model.onnx`` over the tokens of ``tokenizer.json``; safe for threads.

    Texts longer than ``max_tokens`` are read in overlapping windows, see
    `payoff.artifact.runtime.windows`.

    Args:
        session: An ``onnxruntime.InferenceSession``; takes ``input_ids`` and ``attention_mask``,
            both int64 ``(batch, length)``, and gives ``logits``, float32
            ``(batch, length, 1 + 2 n_labels)``.
        tokenizer: Neither truncates nor pads.
        labels: Kinds of entities, in the order of the tags.
        max_tokens: Longest window.
        overlap: Tokens that a window shares with the next.
        prefix: Put before every window, as some encoders need (``"query: "``).
        pad_id: Token that fills the rows of a batch.
        whole_words: No entity begins or ends within a word.

    Example:
        >>> runtime = EntityRuntime.open(spec, read)  # doctest: +SKIP
        >>> [e.text for e in runtime.entities(["where is PO-1881?"])[0]]  # doctest: +SKIP
        ['PO-1881']
    """

    def __init__(
        self,
        session: Any,
        tokenizer: Tokenizer,
        labels: Sequence[str],
        *,
        max_tokens: int,
        overlap: int = 0,
        prefix: str = "",
        pad_id: int = 0,
        whole_words: bool = False,
    ) -> None:
        self._session = session
        self._tokenizer = tokenizer
        self.labels = tuple(labels)
        self._max_tokens = max_tokens
        self._overlap = overlap
        self._prefix = prefix
        self._pad_id = pad_id
        self._whole_words = whole_words

    @classmethod
    def open(
        cls,
        spec: TierSpec,
        read: Callable[[str], bytes],
        *,
        threads: int = 0,
        file: Callable[[str], AbstractContextManager[Path]] | None = None,
    ) -> EntityRuntime:
        """Make a tier of kind ``entities`` ready.

        Args:
            spec: What the tier is made of.
            read: Gives the bytes of one of its members.
            threads: Threads the model may use; 0 takes the physical cores.
            file: Gives a member as a file for as long as a block lasts.

        Raises:
            ArtifactError: PF504 where the kind, a setting, the tokenizer or the graph is wrong.
        """
        if spec.kind != "entities":
            raise broken(spec, f"its kind is '{spec.kind}'", "'entities'")
        labels = _labels(spec)
        runtime = cls(
            open_session(spec, read, threads or physical_cores(), file),
            _tokenizer(spec, read),
            labels,
            max_tokens=_number(spec, "max_tokens", _LEAST_WINDOW),
            overlap=_number(spec, "overlap", 0),
            prefix=_prefix(spec),
            pad_id=_number(spec, "pad_id", 0),
            whole_words=_whole_words(spec),
        )
        runtime._check(spec)
        return runtime

    def _check(self, spec: TierSpec) -> None:
        if self._overlap >= self._max_tokens:
            raise broken(spec, f"overlap is {self._overlap}", f"below {self._max_tokens}")
        inputs = {one.name for one in self._session.get_inputs()}
        if inputs != _INPUTS:
            raise broken(spec, f"the graph takes {sorted(inputs)}", f"{sorted(_INPUTS)}")
        outputs = {one.name: one.shape for one in self._session.get_outputs()}
        shape = outputs.get("logits")
        if shape is None or len(shape) != 3:
            raise broken(spec, f"the graph gives {outputs}", "'logits' of every token")
        n_tags = len(tag_names(self.labels))
        if isinstance(shape[-1], int) and shape[-1] != n_tags:
            raise broken(spec, f"the graph gives {shape[-1]} tags", f"{n_tags}")

    def entities(self, texts: Sequence[str]) -> list[list[Entity]]:
        """What each text names, in the order of the text.

        Raises:
            DataError: PF105 where a text is unusable.
        """
        return [
            spell(text, places, logits, self.labels, whole_words=self._whole_words)
            for text, (places, logits) in zip(texts, self.token_logits(texts), strict=True)
        ]

    def token_logits(
        self, texts: Sequence[str]
    ) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
        """Places ``(n_tokens, 2)`` and scores ``(n_tokens, n_tags)`` of each text's tokens.

        Raises:
            DataError: PF105 where a text is unusable.
        """
        check_texts(texts)
        if not texts:
            return []
        prefixed = [self._prefix + text for text in texts]
        encodings = encoded(self._tokenizer.encode_batch, prefixed)
        cut = [
            cut_windows(
                encoding,
                text,
                max_tokens=self._max_tokens,
                overlap=self._overlap,
                prefix=self._prefix,
            )
            for encoding, text in zip(encodings, texts, strict=True)
        ]
        scored = iter(self._scores([window for windows in cut for window in windows]))
        found = []
        for windows in cut:
            places = np.concatenate([window.places[window.counting] for window in windows])
            found.append((places, np.concatenate([next(scored) for _ in windows])))
        return found

    def _scores(self, windows: Sequence[Window]) -> list[npt.NDArray[np.float32]]:
        """Scores of the tokens that count in each window, ``(n_counting, n_tags)``."""
        lengths = np.array([len(window.ids) for window in windows], dtype=np.int64)
        found: list[npt.NDArray[np.float32]] = [np.empty(0, np.float32)] * len(windows)
        for batch in batches(lengths):
            ids = np.full((len(batch), int(lengths[batch].max())), self._pad_id, dtype=np.int64)
            mask = np.zeros_like(ids)
            for row, number in enumerate(batch):
                ids[row, : lengths[number]] = windows[number].ids
                mask[row, : lengths[number]] = 1
            scores = self._run(ids, mask)
            for row, number in enumerate(batch):
                found[number] = scores[row, : lengths[number]][windows[number].counting]
        return found

    def _run(
        self, ids: npt.NDArray[np.int64], mask: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        try:
            scores: npt.NDArray[np.float32] = self._session.run(
                ["logits"], {"input_ids": ids, "attention_mask": mask}
            )[0]
        except Exception as error:  # onnxruntime has no public base class for its errors
            raise ArtifactError(
                "PF504", "model.onnx", f"it failed on {ids.shape}: {first_line(error)}"
            ) from error
        return scores


def _labels(spec: TierSpec) -> tuple[str, ...]:
    found = spec.settings.get("labels")
    is_list = isinstance(found, (list, tuple)) and len(found) > 0
    if not is_list or not all(isinstance(label, str) and label for label in found or ()):
        raise broken(spec, f"setting 'labels' is {found!r}", "a list of names")
    labels = tuple(found or ())
    if len(set(labels)) < len(labels):
        raise broken(spec, f"setting 'labels' is {found!r}", "names that differ")
    return labels


def _number(spec: TierSpec, key: str, least: int) -> int:
    value = spec.settings.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise broken(spec, f"setting '{key}' is {value!r}", f"a number from {least} on")
    return value


def _prefix(spec: TierSpec) -> str:
    value = spec.settings.get("prefix", "")
    if not isinstance(value, str):
        raise broken(spec, f"setting 'prefix' is {value!r}", "a text")
    return value


def _whole_words(spec: TierSpec) -> bool:
    value = spec.settings.get("whole_words", False)
    if not isinstance(value, bool):
        raise broken(spec, f"setting 'whole_words' is {value!r}", "true or false")
    return value


def _tokenizer(spec: TierSpec, read: Callable[[str], bytes]) -> Tokenizer:
    from tokenizers import Tokenizer

    content = read("tokenizer.json")
    try:
        tokenizer = Tokenizer.from_buffer(content)
        tokenizer.no_padding()
        tokenizer.no_truncation()
    except Exception as error:  # tokenizers raises plain Exception and ValueError
        raise broken(spec, f"tokenizer.json: {first_line(error)}", "a tokenizer") from error
    return tokenizer
