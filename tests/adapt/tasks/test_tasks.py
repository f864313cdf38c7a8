"""What cells mean, where training starts, and what is told where they do not fit."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.linear_model import LogisticRegression, Ridge

from payoff.adapt.tasks import TASKS, task_named
from payoff.adapt.tasks.cells import labels_of, number_of
from payoff.artifact.task_outputs import answers
from payoff.core.errors import AdaptError, DataError, PayoffError

RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(40, 5)).astype(np.float32)


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("3", 3.0),
        (" -3.5 ", -3.5),
        ("1,234,567.25", 1234567.25),
        ("+.5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("", None),
        (".", None),
        ("1,23", None),
        ("1.234,5", None),
        ("12,34,567", None),
        ("1_000", None),
        ("inf", None),
        ("nan", None),
        ("1e999", None),
        ("e5", None),
        ("E5", None),
        ("five", None),
        ("3 EUR", None),
    ],
)
def test_numbers(cell: str, number: float | None) -> None:
    assert number_of(cell) == number


@given(st.floats(allow_nan=False, allow_infinity=False, width=64))
def test_every_number_is_read_back(value: float) -> None:
    assert number_of(repr(value)) == value
    assert number_of(f"{value:,.2f}") == pytest.approx(round(value, 2), abs=0.011)


@given(st.lists(st.text(max_size=8), max_size=4))
def test_lists_of_labels_are_read_back(labels: list[str]) -> None:
    wanted = tuple(dict.fromkeys(label.strip() for label in labels if label.strip()))
    assert labels_of(json.dumps(labels)) == wanted


@given(st.text(max_size=30))
def test_any_cell_is_a_list_or_none(cell: str) -> None:
    found = labels_of(cell)
    assert found is None or all(label and label == label.strip() for label in found)


def refused(task: str, cells: list[str], *, order: str = "") -> PayoffError:
    with pytest.raises(DataError) as told:
        task_named(task, order=tuple(filter(None, order.split(",")))).read(cells, "t.csv [y]")
    return told.value


def test_all_cells_that_do_not_fit_are_told_at_once() -> None:
    told = refused("regression", ["1", "x", "", "2", *"abcdef"])
    assert told.code == "PF114"
    assert "8 of 10 cells do not fit: row 2 'x', row 3 (empty)" in str(told)
    assert "and 3 more" in str(told)


def test_a_grade_outside_the_order_is_told_with_what_was_meant() -> None:
    told = refused("ordinal", ["low", "hihg", "high"], order="low,mid,high")
    assert (told.code, told.mend) == ("PF114", "Did you mean 'high'?")
    assert "row 2 'hihg'" in told.found
    assert "--order" in refused("ordinal", ["low", "high"]).mend
    assert refused("ordinal", ["a", "b"], order="a,b,a").code == "PF114"
    assert "several ways" in refused("ordinal", ["1", "1.0", "2"]).found
    assert "regression" in refused("ordinal", [str(i) for i in range(51)]).mend
    assert refused("ordinal", ["3", "3"]).code == "PF104"


def test_grades_stand_in_their_order() -> None:
    assert task_named("ordinal").read(["10", "2", "-1"], "y").labels == ("-1", "2", "10")
    read = task_named("ordinal", order=("low", "mid", "high")).read([" high", "low"], "y")
    assert (read.labels, read.targets.tolist()) == (("low", "mid", "high"), [2, 0])


def test_labels_that_seem_to_be_separated_otherwise_are_told() -> None:
    told = refused("multi-label", ["late, rude", "late"])
    assert told.code == "PF114"
    assert "a;b" in told.mend
    read = task_named("multi-label").read(['["Paris, Texas"]', "late"], "y")
    assert read.labels == ("Paris, Texas", "late")
    assert refused("multi-label", ["Late;x", "late"]).code == "PF104"
    assert refused("multi-label", ["a;b", "b|a"]).code == "PF104"
    assert refused("multi-label", ['["a"', "a;b"]).code == "PF114"


def test_one_class_a_text() -> None:
    task = task_named("classes")
    read = task.read(["b", "a", "b", "b"], "y")
    assert (read.labels, read.targets.tolist()) == (("a", "b"), [1, 0, 1, 1])
    assert refused("classes", ["a", "a"]).code == "PF104"
    assert task.strata(read.targets) == ["1", "0", "1", "1"]
    outputs = task.nothing(read.targets, 4, n_outputs=2)
    np.testing.assert_allclose(np.exp(outputs[0]), [1.5 / 5, 3.5 / 5])
    decided = task.fitted(read.targets).decided(outputs, read.targets)
    assert decided.measure(outputs, read.targets).n == 4
    assert decided.cross_measure(outputs, read.targets, seed=0).n == 4
    assert decided.settings(read.labels)["labels"] == ["a", "b"]


def test_an_unknown_task_is_told() -> None:
    with pytest.raises(AdaptError, match="Did you mean 'regression'"):
        task_named("regresion")
    with pytest.raises(AdaptError, match="PF407"):
        task_named("classes", order=("a", "b"))
    with pytest.raises(AdaptError, match=r"Did you mean 'entities'"):
        task_named("entites")
    with pytest.raises(AdaptError, match=r"PF407.*--task entities"):
        task_named("entities")
    assert [task_named(name).name for name in TASKS] == list(TASKS)


def test_strata_hold_rare_labels_and_bands_of_numbers() -> None:
    multi = task_named("multi-label")
    cells = ["a;b", "a", "a", "", "a;c"]
    assert multi.strata(multi.read(cells, "y").targets) == ["1", "0", "0", "-1", "2"]
    numbers = task_named("regression")
    bands = numbers.strata(np.arange(80.0))
    assert len(set(bands)) == 8
    assert max(map(bands.count, set(bands))) <= 11
    for odd in ([0.0] * 39 + [1.0], [1.0] * 20 + [0.0] * 20, [0.0, 1.0]):
        assert len(set(numbers.strata(np.array(odd)))) == 2


def test_the_head_of_several_labels_is_one_logistic_regression_each() -> None:
    targets = (RNG.random((40, 4)) < 0.4).astype(np.float32)
    targets[:, 1], targets[:, 2] = 0.0, 1.0
    task = task_named("multi-label")
    head = task.head(VECTORS, targets, n_outputs=4, strength=3.0)
    for label in (0, 3):
        own = LogisticRegression(C=3.0, max_iter=1000).fit(VECTORS, targets[:, label])
        np.testing.assert_allclose(
            head(VECTORS)[:, label], own.decision_function(VECTORS), atol=1e-3
        )
    none, every = head(VECTORS)[:, 1], head(VECTORS)[:, 2]
    np.testing.assert_allclose(none, np.log(0.5 / 40.5), rtol=1e-5)
    np.testing.assert_allclose(every, np.log(40.5 / 0.5), rtol=1e-5)


def test_a_grade_without_a_row_is_never_said() -> None:
    targets = RNG.choice([0, 2, 3], 40)
    head = task_named("ordinal").head(VECTORS, targets, n_outputs=5, strength=1.0)
    outputs = head(VECTORS)
    assert outputs.shape == (40, 5)
    assert not np.isin(outputs.argmax(1), [1, 4]).any()


def test_the_head_of_a_number_is_a_ridge_regression() -> None:
    targets = VECTORS @ np.arange(5) * 100 + 7 + RNG.normal(size=40)
    task = task_named("regression").fitted(targets)
    own = Ridge(2.0).fit(VECTORS, targets)
    for vectors in (VECTORS, sparse.csr_matrix(VECTORS)):
        head = task.head(vectors, targets, n_outputs=1, strength=5.0)
        said = answers(task.settings(("value",)), head(VECTORS))
        np.testing.assert_allclose(said, own.predict(VECTORS), rtol=1e-3, atol=0.5)


def test_who_reads_no_text_says_the_same_of_every_row() -> None:
    targets = np.array([1.0, 2.0, 9.0])
    task = task_named("regression").fitted(targets)
    outputs = task.nothing(targets, 2, n_outputs=1)
    assert answers(task.settings(("value",)), outputs) == pytest.approx([2.0, 2.0])
    quality = task.measure(task.nothing(targets, 3, n_outputs=1), targets).as_dict()
    assert quality["mae"] == pytest.approx(quality["constant_mae"]) == pytest.approx(8 / 3)
    grades = task_named("ordinal").nothing(np.array([0, 1, 1]), 2, n_outputs=3)
    assert answers({"name": "ordinal", "labels": "abc"}, grades) == ["b", "b"]
    shares = task_named("multi-label").nothing(np.array([[1.0, 0.0]] * 3), 1, n_outputs=2)
    np.testing.assert_allclose(shares, [[np.log(7), -np.log(7)]])


def test_thresholds_are_kept_in_the_settings() -> None:
    task = task_named("multi-label")
    outputs = np.array([[-1.0], [-1.2], [-3.0], [-4.0]])
    decided = task.decided(outputs, np.array([[1], [1], [0], [0]]))
    settings = decided.settings(("late",))
    assert answers(settings, outputs) == [("late",), ("late",), (), ()]
    assert answers(task.settings(("late",)), outputs) == [(), (), (), ()]
    assert json.loads(json.dumps(settings)) == settings
