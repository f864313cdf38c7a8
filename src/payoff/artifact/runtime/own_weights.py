"""What tells the models of one backbone apart: the weights of a graph that are its own.

ONNX lets a graph's input have a default, an initialiser of the same name; whoever runs the graph
may give another value. Models that were adapted without folding are written so: what was trained
has defaults, everything else is constant and the same in all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from payoff.artifact.runtime.graph_file import GraphFile


@dataclass(frozen=True, slots=True)
class OwnWeights:
    """The weights of a graph that are its own, and what the rest of it is.

    Args:
        values: Name to value.
        frozen_sha256: Of everything but these values and their shapes: equal for graphs that
            differ in nothing else.
    """

    values: Mapping[str, npt.NDArray[np.generic]]
    frozen_sha256: str


def own_weights(file: GraphFile) -> OwnWeights | None:
    """The own weights of an ONNX file; None where nothing is its own.

    Raises:
        ValueError: Where it is no ONNX file.

    Example:
        >>> own_weights(GraphFile(memoryview(b""))) is None
        True
    """
    values, places = {}, {}
    for name in file.inputs & set(file.initialisers):
        tensor = file.tensor(file.initialisers[name])
        if tensor is None:
            return None
        values[name] = file.array(tensor)
        places[file.initialisers[name]] = name
    if not values:
        return None
    digest = hashlib.sha256()
    for field in [*file.outer, *file.graph]:
        # What is its own counts by its name alone, everything else by its bytes.
        own = field in places
        counted = places[field].encode() if own else file.view[field.start : field.end]
        digest.update(f"{field.number} {own} {len(counted)}\n".encode())
        digest.update(counted)
    return OwnWeights(values, digest.hexdigest())
