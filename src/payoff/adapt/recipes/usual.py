"""The recipe to take where nothing is there to choose by."""

from __future__ import annotations

_PAIRS = 3  # rows a label: with fewer there are too few pairs to learn from
_FEW = 20  # up to here contrastive tuning was best on validation rows, beyond fine-tuning

MANY_ROWS = "fine-tune"
"""The recipe beyond; there are then rows enough to choose by."""

TAUGHT = "distil-encoder"
"""The recipe with fewer, where there are texts without labels: it is taught by the usual one."""


def usual_recipe(n_rows: int, n_labels: int) -> str:
    """The recipe for an encoder that was best on validation rows with so many rows a label.

    Measured by ``benchmarks/labels_curve.py``; docs/recipes.md has the figures.

    Example:
        >>> [usual_recipe(rows, 10) for rows in (0, 10, 30, 200, 210)]
        ['zero-shot', 'named-head', 'contrastive', 'contrastive', 'fine-tune']
    """
    each = n_rows / max(1, n_labels)
    if not n_rows:
        return "zero-shot"
    if each < _PAIRS:
        return "named-head"
    return "contrastive" if each <= _FEW else MANY_ROWS
