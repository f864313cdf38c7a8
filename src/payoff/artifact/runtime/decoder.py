"""A decoder on onnxruntime: tokens that follow a past, and the scores of what follows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from payoff.artifact.runtime.session import broken, first_line, open_session
from payoff.artifact.runtime.threads import physical_cores
from payoff.artifact.tier import TierSpec
from payoff.core.errors import ArtifactError

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_INPUTS = {"input_ids", "past", "places", "positions", "seen"}
_OUTPUTS = ["scores", "present"]


class DecoderSession:
    """Runs ``model.onnx`` of a decoder, as `payoff.adapt.export.onnx_decoder` describes it.

    Args:
        session: An ``onnxruntime.InferenceSession``.
        past_shape: ``(layers, key_heads, head_width)``.
        vocabulary: Tokens it knows.

    Example:
        >>> decoder = DecoderSession.open(spec, read)  # doctest: +SKIP
        >>> ids = np.array([[4, 9, 7]])  # doctest: +SKIP
        >>> scores, new = decoder.run(ids, decoder.empty_past(), [2])  # doctest: +SKIP
        >>> scores.shape  # doctest: +SKIP
        (1, 1, 49152)
    """

    def __init__(self, session: Any, *, past_shape: tuple[int, int, int], vocabulary: int) -> None:
        self._session = session
        self._past_shape = past_shape
        self.vocabulary = vocabulary

    @classmethod
    def open(
        cls,
        spec: TierSpec,
        read: Callable[[str], bytes],
        *,
        threads: int = 0,
        file: Callable[[str], AbstractContextManager[Path]] | None = None,
    ) -> DecoderSession:
        """Make the graph of a tier ready; see `payoff.artifact.runtime.open_tier`.

        Raises:
            ArtifactError: PF504 where it is no decoder's graph.
        """
        session = open_session(spec, read, threads or physical_cores(), file)
        inputs = {one.name: one.shape for one in session.get_inputs()}
        if set(inputs) != _INPUTS:
            raise broken(spec, f"the graph takes {sorted(inputs)}", f"{sorted(_INPUTS)}")
        outputs = {one.name: one.shape for one in session.get_outputs()}
        if set(outputs) != set(_OUTPUTS):
            raise broken(spec, f"the graph gives {sorted(outputs)}", f"{sorted(_OUTPUTS)}")
        sizes = [*inputs["past"][:1], *inputs["past"][3:4], *inputs["past"][5:6]]
        sizes += outputs["scores"][2:]
        if len(sizes) != 4 or not all(isinstance(size, int) for size in sizes):
            raise broken(spec, f"its past is {inputs['past']}", "layers, heads and widths")
        return cls(session, past_shape=(sizes[0], sizes[1], sizes[2]), vocabulary=sizes[3])

    def empty_past(self, n: int = 1) -> Floats:
        """The past of ``n`` texts that have none, ``(layers, 2, n, key_heads, 0, head_width)``."""
        layers, key_heads, head_width = self._past_shape
        return np.zeros((layers, 2, n, key_heads, 0, head_width), np.float32)

    def run(
        self,
        ids: Ids,
        past: Floats,
        places: Sequence[int],
        *,
        depths: Ids | None = None,
        seen: npt.NDArray[np.bool_] | None = None,
    ) -> tuple[Floats, Floats]:
        """Run tokens that follow a past.

        Args:
            ids: Token ids, ``(n, length)``, all below `vocabulary`.
            past: Keys and values of what they follow, ``(layers, 2, n, key_heads, n_past,
                head_width)``; with 1 in place of ``n`` all follow the same.
            places: Tokens whose successors' scores are wanted, ``(n_places,)`` in each text.
            depths: How many of the tokens stand before each, ``(length,)``; counted where None.
            seen: Which token (column) each token (row) sees, ``(length, length)``; itself and
                those before it where None.

        Returns:
            Scores, ``(n, n_places, vocabulary)``, and keys and values of the new tokens alone,
            ``(layers, 2, n, key_heads, length, head_width)``; see `joined`.

        Raises:
            ArtifactError: PF504 where the graph fails.
        """
        n, length = ids.shape
        if depths is None:
            depths = np.arange(length, dtype=np.int64)
        if seen is None:
            seen = np.tri(length, dtype=np.bool_)
        given = {
            "input_ids": ids,
            "positions": depths + past.shape[4],
            "seen": seen,
            "past": past,
            "places": np.tile(np.asarray(places, np.int64), (n, 1)),
        }
        try:
            scores, new = self._session.run(_OUTPUTS, given)
        except Exception as error:  # onnxruntime has no public base class for its errors
            raise ArtifactError(
                "PF504", "model.onnx", f"it failed on {ids.shape}: {first_line(error)}"
            ) from error
        return scores, new


def joined(past: Floats, new: Floats) -> Floats:
    """A past with what followed it.

    Args:
        past: ``(layers, 2, n_pasts, key_heads, n_past, head_width)``, ``n_pasts`` 1 or ``n``.
        new: ``(layers, 2, n, key_heads, length, head_width)``.

    Returns:
        ``(layers, 2, n, key_heads, n_past + length, head_width)``.

    Example:
        >>> past, new = (np.zeros((6, 2, n, 3, 4, 8), np.float32) for n in (1, 5))
        >>> joined(past, new).shape
        (6, 2, 5, 3, 8, 8)
    """
    shape = (*past.shape[:2], new.shape[2], *past.shape[3:])
    return np.concatenate([np.broadcast_to(past, shape), new], axis=4)
