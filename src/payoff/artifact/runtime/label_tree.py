"""Labels of several tokens as one tree, so that a decoder scores all of them in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class LabelTree:
    """Token sequences of labels, with their common beginnings shared.

    Node 0 is the end of the text itself; every other node is a sequence that some label begins
    with and goes on after. An edge is a token that some label has after a node.

    Args:
        tokens: Last token of each node but node 0, ``(n_nodes - 1,)``.
        parents: Node that each of them follows, ``(n_nodes - 1,)``; parents come first.
        edge_nodes: Node of each edge, ``(n_edges,)``.
        edge_tokens: Its token, ``(n_edges,)``.
        members: 1 where an edge is on the way to a label, ``(n_labels, n_edges)``.

    Example:
        >>> tree = LabelTree.of([[5, 7], [5, 8], [6]])
        >>> tree.tokens.tolist(), tree.edge_nodes.tolist(), tree.edge_tokens.tolist()
        ([5], [0, 1, 1, 0], [5, 7, 8, 6])
    """

    tokens: npt.NDArray[np.int64]
    parents: npt.NDArray[np.int64]
    edge_nodes: npt.NDArray[np.int64]
    edge_tokens: npt.NDArray[np.int64]
    members: npt.NDArray[np.float32]

    @classmethod
    def of(cls, labels: Sequence[Sequence[int]]) -> LabelTree:
        """The tree of labels of one token or more."""
        nodes: dict[tuple[int, ...], int] = {(): 0}
        edges: dict[tuple[int, int], int] = {}
        ways = []
        for label in labels:
            way = []
            for place, token in enumerate(label):
                node = nodes.setdefault(tuple(label[:place]), len(nodes))
                way.append(edges.setdefault((node, token), len(edges)))
            ways.append(way)
        members = np.zeros((len(ways), len(edges)), np.float32)
        for row, way in enumerate(ways):
            members[row, way] = 1.0
        inner = [sequence for sequence in nodes if sequence]
        return cls(
            np.array([sequence[-1] for sequence in inner], np.int64),
            np.array([nodes[sequence[:-1]] for sequence in inner], np.int64),
            np.array([node for node, _ in edges], np.int64),
            np.array([token for _, token in edges], np.int64),
            members,
        )

    @classmethod
    def cut(cls, labels: Sequence[Sequence[int]], max_nodes: int) -> Iterator[LabelTree]:
        """Trees of consecutive labels, of at most ``max_nodes`` each where a label allows it."""
        start, nodes = 0, set[tuple[int, ...]]()
        for end, label in enumerate(labels):
            own = {tuple(label[:place]) for place in range(len(label))}
            if end > start and len(nodes | own) > max_nodes:
                yield cls.of(labels[start:end])
                start, nodes = end, set()
            nodes |= own
        yield cls.of(labels[start:])

    @property
    def depths(self) -> npt.NDArray[np.int64]:
        """How many nodes stand between node 0 and each other node, ``(n_nodes - 1,)``."""
        depths = np.zeros(len(self.parents) + 1, np.int64)
        for node, parent in enumerate(self.parents, 1):
            depths[node] = depths[parent] + 1
        return depths[1:] - 1

    @property
    def seen(self) -> npt.NDArray[np.bool_]:
        """Whether a node (row) sees another (column): ``(n_nodes - 1, n_nodes - 1)``."""
        seen = np.eye(len(self.parents), dtype=np.bool_)
        for node, parent in enumerate(self.parents):
            if parent:
                seen[node] |= seen[parent - 1]
        return seen
