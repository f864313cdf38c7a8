from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from payoff.artifact.runtime.label_tree import LabelTree

labels_of_tokens = st.lists(
    st.lists(st.integers(0, 4), min_size=1, max_size=5), min_size=1, max_size=12
)


def ways(tree: LabelTree) -> list[list[int]]:
    """The tokens of each label, read back from the tree."""
    found = []
    for row in tree.members:
        edges = np.flatnonzero(row)
        depth = [len(ancestors(tree, int(tree.edge_nodes[edge]))) for edge in edges]
        found.append([int(tree.edge_tokens[edge]) for edge in edges[np.argsort(depth)]])
    return found


def ancestors(tree: LabelTree, node: int) -> list[int]:
    """The nodes on the way to a node, with itself, without node 0."""
    found: list[int] = []
    while node:
        found.insert(0, node)
        node = int(tree.parents[node - 1])
    return found


@given(labels_of_tokens)
def test_every_label_can_be_read_back(labels: list[list[int]]) -> None:
    tree = LabelTree.of(labels)
    assert ways(tree) == labels
    prefixes = {tuple(label[:place]) for label in labels for place in range(1, len(label))}
    assert len(tree.tokens) == len(prefixes)
    for node in range(1, len(tree.tokens) + 1):
        way = ancestors(tree, node)
        assert tree.depths[node - 1] == len(way) - 1
        assert np.flatnonzero(tree.seen[node - 1]).tolist() == [one - 1 for one in way]


@given(labels_of_tokens, st.integers(1, 6))
def test_cut_trees_hold_all_labels_in_order(labels: list[list[int]], max_nodes: int) -> None:
    trees = list(LabelTree.cut(labels, max_nodes))
    assert [way for tree in trees for way in ways(tree)] == labels
    for tree in trees:
        # Node 0 counts too; a single label may need more than is allowed.
        assert len(tree.tokens) + 1 <= max_nodes or len(tree.members) == 1


def test_labels_of_one_token_need_no_node() -> None:
    tree = LabelTree.of([[3], [1], [3]])
    assert tree.tokens.size == tree.depths.size == 0
    assert tree.seen.shape == (0, 0)
    assert tree.members.tolist() == [[1, 0], [0, 1], [1, 0]]
