"""What goes through a graph when it reads texts of its domain.

Compressors that are made to measure look at this: ranges to round activations within, and second
moments, which say how much an error of a weight counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from payoff.adapt.compress.encoder_graph import IDS, Doubles, EncoderGraph, Floats
from payoff.adapt.compress.pieces import pieces_of
from payoff.artifact.runtime.threads import physical_cores
from payoff.artifact.tier import TierSpec
from payoff.core.errors import AdaptError

FEWEST_TEXTS = 32
"""Below this, ranges and moments would say more about the texts than about the domain."""

MOST_TEXTS = 512
"""Of more texts, so many are taken, evenly spread: some 7,000 tokens of short messages."""

_BATCH_TOKENS = 1024


@dataclass(frozen=True)
class Moment:
    """What is known of vectors that go into a product, over all tokens.

    Args:
        mean: ``(width,)``.
        second: Mean product of every two columns, ``(width, width)``.
    """

    mean: Doubles
    second: Doubles

    @property
    def covariance(self) -> Doubles:
        """``(width, width)``."""
        return self.second - np.outer(self.mean, self.mean)


def ranges(
    graph: EncoderGraph, spec: TierSpec, folder: Path, texts: Sequence[str], names: Iterable[str]
) -> dict[str, tuple[float, float]]:
    """The least and the greatest value of each of these, 0 between them.

    Args:
        graph: Is run; not changed.
        spec: The tier.
        folder: Its files.
        texts: Of the domain.
        names: Of values between the nodes.

    Raises:
        AdaptError: PF411 without texts; PF412 with too few.

    Example:
        >>> ranges(graph, spec, folder, texts, ["layers.in"])  # doctest: +SKIP
        {'layers.in': (-6.1, 4.9)}
    """
    found = dict.fromkeys(names, (0.0, 0.0))
    for seen in _passes(graph, spec, folder, texts, list(found)):
        for name, rows in seen.items():
            low, high = found[name]
            found[name] = (min(low, float(rows.min())), max(high, float(rows.max())))
    return found


def moments(
    graph: EncoderGraph, spec: TierSpec, folder: Path, texts: Sequence[str], names: Iterable[str]
) -> dict[str, Moment]:
    """First and second moments of each of these over all tokens.

    Arguments and errors as `ranges` has them.

    Example:
        >>> found = moments(graph, spec, folder, texts, ["layers.in"])  # doctest: +SKIP
        >>> found["layers.in"].second.shape  # doctest: +SKIP
        (384, 384)
    """
    sums: dict[str, Doubles] = {}
    products: dict[str, Doubles] = {}
    counts: dict[str, int] = {}
    for seen in _passes(graph, spec, folder, texts, list(dict.fromkeys(names))):
        for name, rows in seen.items():
            sums[name] = sums.get(name, 0.0) + rows.sum(0, dtype=np.float64)
            products[name] = products.get(name, 0.0) + (rows.T @ rows).astype(np.float64)
            counts[name] = counts.get(name, 0) + len(rows)
    return {name: Moment(sums[name] / n, products[name] / n) for name, n in counts.items()}


def _passes(
    graph: EncoderGraph, spec: TierSpec, folder: Path, texts: Sequence[str], names: list[str]
) -> Iterator[dict[str, Floats]]:
    """Values of each name, ``(n_rows, width)``, of one batch after the other."""
    import onnx
    import onnxruntime as ort  # type: ignore[import-untyped]

    rows = pieces_of(spec, folder, sample_of(spec, texts))
    if not names:
        return
    watched = onnx.ModelProto.FromString(graph.model.SerializeToString())
    del watched.graph.output[:]
    watched.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names
    )
    options = ort.SessionOptions()
    options.intra_op_num_threads = physical_cores()
    options.log_severity_level = 3
    session = ort.InferenceSession(
        watched.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    for ids in _batches(rows, spec.settings.get("pad_id", 0)):
        given = {IDS: ids, "attention_mask": np.ones_like(ids)}
        values = session.run(names, given)
        yield {
            name: value.reshape(-1, value.shape[-1])
            for name, value in zip(names, values, strict=True)
        }


def _batches(rows: Sequence[list[int]], pad_id: int) -> Iterator[npt.NDArray[np.int64]]:
    """Rows of one length at a time, so that nothing is padding, ``(n, length)``."""
    by_length: dict[int, list[list[int]]] = {}
    for row in rows:
        by_length.setdefault(max(1, len(row)), []).append(row or [pad_id])
    for length, same in sorted(by_length.items()):
        step = max(1, _BATCH_TOKENS // length)
        for start in range(0, len(same), step):
            yield np.array(same[start : start + step], np.int64)


def sample_of(
    spec: TierSpec, texts: Sequence[str], *, fewest: int = FEWEST_TEXTS, most: int = MOST_TEXTS
) -> list[str]:
    """At most ``most`` of the different texts, evenly taken.

    Raises:
        AdaptError: PF411 without texts; PF412 with fewer than ``fewest``.

    Example:
        >>> sample_of(TierSpec("small", "tokens"), ["a", "b", "a", "c"], fewest=2, most=2)
        ['a', 'b']
    """
    different = list(dict.fromkeys(texts))
    if not different:
        raise AdaptError(
            "PF411",
            f"tier '{spec.name}'",
            "there are no texts to see what goes through the model",
            expected="texts of the domain, without labels",
            mend="Give the data file that the model was made from.",
        )
    if len(different) < fewest:
        raise AdaptError(
            "PF412",
            f"tier '{spec.name}'",
            f"{len(different)} different texts to see what goes through the model",
            expected=f"{fewest} or more",
            mend="Give more texts of the domain; they need no labels.",
        )
    n = min(len(different), most)
    return [different[place * len(different) // n] for place in range(n)]
