from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payoff.core.errors import DataError
from payoff.data.annotations import Span
from payoff.evidence.entities import Matches, measure_entities

TRUTH = [
    [Span(0, 5, "ORDER"), Span(9, 12, "DATE")],
    [Span(2, 6, "PERSON")],
    [],
    [Span(0, 3, "DATE"), Span(4, 8, "ORDER")],
]
FOUND = [
    [Span(0, 5, "ORDER"), Span(9, 13, "DATE")],  # one right, one too long
    [Span(2, 6, "ORDER")],  # another label
    [Span(1, 2, "DATE")],  # nothing there
    [Span(0, 3, "DATE")],  # one right, one missed
]


def test_by_hand() -> None:
    quality = measure_entities(FOUND, TRUTH)
    assert quality.strict == Matches(n_right=2, n_found=5, n_true=5)
    assert quality.strict.f1 == pytest.approx(2 * 0.4 * 0.4 / 0.8)
    assert quality.by_label == {
        "DATE": Matches(1, 3, 2),
        "ORDER": Matches(1, 2, 2),
        "PERSON": Matches(0, 0, 1),
    }
    assert quality.by_label["DATE"].precision == pytest.approx(1 / 3)
    assert quality.by_label["DATE"].recall == 0.5
    assert (quality.by_label["PERSON"].precision, quality.by_label["PERSON"].f1) == (0.0, 0.0)
    assert quality.macro_f1 == pytest.approx((2 / 5 + 2 / 4 + 0) / 3)
    assert quality.macro_precision == pytest.approx((1 / 3 + 1 / 2 + 0) / 3)
    assert quality.macro_recall == pytest.approx((1 / 2 + 1 / 2 + 0) / 3)
    # 3 of 5 found touch a true one of their label; 3 of 5 true ones are touched.
    assert quality.overlapping_f1 == pytest.approx(0.6)
    low, high = quality.f1_interval
    assert 0 <= low < quality.strict.f1 < high <= 1
    assert quality.n_texts == 4


spans = st.lists(
    st.builds(
        lambda start, n, label: Span(start, start + n, label),
        st.integers(0, 8),
        st.integers(1, 4),
        st.sampled_from("AB"),
    ),
    max_size=3,
    unique_by=lambda span: (span.start, span.end, span.label),
)


@given(st.lists(st.tuples(spans, spans), min_size=1, max_size=6))
def test_restated_with_arrays(rows: list[tuple[list[Span], list[Span]]]) -> None:
    found, truth = [row[0] for row in rows], [row[1] for row in rows]
    quality = measure_entities(found, truth)

    def table(side: list[list[Span]]) -> np.ndarray:
        grid = np.zeros((len(rows), 13, 13, 2), bool)
        for row, entities in enumerate(side):
            for span in entities:
                grid[row, span.start, span.end, "AB".index(span.label)] = True
        return grid

    ours, theirs = table(found), table(truth)
    right = (ours & theirs).sum(axis=(0, 1, 2))
    n_found, n_true = ours.sum(axis=(0, 1, 2)), theirs.sum(axis=(0, 1, 2))
    assert quality.strict == Matches(int(right.sum()), int(n_found.sum()), int(n_true.sum()))
    present = (n_found + n_true) > 0
    f1 = 2 * right[present] / (n_found + n_true)[present]
    assert quality.macro_f1 == pytest.approx(f1.mean() if present.any() else 0.0)
    assert quality.overlapping_f1 >= quality.strict.f1 - 1e-12
    mirrored = measure_entities(truth, found)
    assert mirrored.strict.precision == quality.strict.recall
    assert mirrored.overlapping_f1 == pytest.approx(quality.overlapping_f1)


def test_nothing_to_find_and_nothing_found() -> None:
    quality = measure_entities([[]], [[]])
    assert (quality.strict.f1, quality.macro_f1, quality.by_label) == (0.0, 0.0, {})


def test_everything_right_has_a_sure_interval() -> None:
    quality = measure_entities(TRUTH, TRUTH)
    assert quality.f1_interval == (1.0, 1.0) or quality.f1_interval[1] == 1.0
    assert quality.as_dict()["strict"]["f1"] == 1.0


def test_bad_input() -> None:
    with pytest.raises(DataError) as told:
        measure_entities([], [])
    assert told.value.code == "PF106"
    with pytest.raises(ValueError, match="zip"):
        measure_entities([[]], [[], []])
