"""Splits: no text, group or moment on both sides, and everything that is dropped is said."""

from __future__ import annotations

import random
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from payoff.core.errors import DataError
from payoff.core.findings import Finding, Status
from payoff.data.dataset import Dataset
from payoff.data.duplicates import normalise
from payoff.data.splits import Split, split

WORDS = [f"{a}{b}" for a in "bcdfghjklmnp" for b in ("ano", "elu", "iro", "ost", "uff")]


def sentences(n: int, seed: int = 0, n_words: int = 6) -> list[str]:
    rng = random.Random(seed)
    return list(dict.fromkeys(" ".join(rng.choices(WORDS, k=n_words)) for _ in range(2 * n)))[:n]


def made(texts: list[str], labels: list[str], **columns: list[str]) -> Dataset:
    frame = pl.DataFrame({"text": texts, "label": labels, **columns})
    return Dataset.from_frame(frame, text="text", label="label", **{name: name for name in columns})


def found(parts: Split, code: str) -> Finding:
    (finding,) = [finding for finding in parts.findings if finding.code == code]
    return finding


def told(parts: Split) -> list[str]:
    return [finding.code for finding in parts.findings if finding.failed]


def keys(dataset: Dataset) -> set[str]:
    return {normalise(text) for text in dataset.texts}


@pytest.fixture(scope="module")
def plain() -> Dataset:
    return made(sentences(300), ["x", "y", "z"] * 100)


def test_at_random_in_proportion(plain: Dataset) -> None:
    parts = split(plain)
    assert [len(parts.train), len(parts.validation), len(parts.test)] == [210, 45, 45]
    assert all(part.targets.count("x") == len(part) // 3 for part in (parts.train, parts.test))
    rows = np.concatenate([parts.train.rows, parts.validation.rows, parts.test.rows])
    assert sorted(rows.tolist()) == list(range(1, 301))
    assert told(parts) == []
    assert parts.how == (
        "at random in proportion to the classes, seed 0: 210 training, 45 validation, 45 test"
    )


def test_the_same_rows_and_seed_give_the_same_parts_in_any_order(plain: Dataset) -> None:
    shuffled = plain.take(np.random.default_rng(5).permutation(300))
    one, other, third = split(plain), split(shuffled), split(plain, seed=1)
    assert keys(one.test) == keys(other.test)
    assert keys(one.validation) == keys(other.validation)
    assert keys(one.test) != keys(third.test)


def test_alike_and_near_texts_stay_on_one_side() -> None:
    texts = sentences(100, n_words=20)
    labels = ["x", "y"] * 50
    near = [text + "s" for text in texts[:40]]
    alike = [f"  {text.upper()}!!" for text in texts[40:70]]
    parts = split(made(texts + near + alike, labels + labels[:40] + labels[40:70]))
    sides = {t: i for i, part in enumerate((parts.train, parts.validation, parts.test))
             for t in part.texts}  # fmt: skip
    assert all(sides[text] == sides[text + "s"] for text in texts[:40])
    assert all(sides[text] == sides[f"  {text.upper()}!!"] for text in texts[40:70])
    assert told(parts) == ["PF175"]
    assert found(parts, "PF175").n_affected == 140
    assert {len(parts.validation), len(parts.test)} <= set(range(23, 28))


def test_a_text_with_two_labels_is_kept_on_one_side() -> None:
    texts = sentences(60)
    parts = split(made([*texts, texts[0].upper()], ["x", "y"] * 30 + ["y"]))
    homes = [part for part in (parts.train, parts.validation, parts.test)
             if normalise(texts[0]) in keys(part)]  # fmt: skip
    assert len(homes) == 1
    labels = [t for t, text in zip(homes[0].targets, homes[0].texts, strict=True)
              if normalise(text) == normalise(texts[0])]  # fmt: skip
    assert sorted(labels) == ["x", "y"]


def test_empty_texts_are_left_out_and_said() -> None:
    texts = sentences(60)
    parts = split(made([*texts, "", "  "], ["x", "y"] * 31))
    assert found(parts, "PF171").n_affected == 2
    assert found(parts, "PF171").rows[0]["row"] == 61
    assert sum(map(len, (parts.train, parts.validation, parts.test))) == 60


def test_classes_of_three_reach_every_part_and_smaller_ones_are_trained_on() -> None:
    texts = sentences(66)
    labels = ["x", "y"] * 30 + ["three"] * 3 + ["two"] * 2 + ["one"]
    parts = split(made(texts, labels))
    assert [
        part.targets.count("three") for part in (parts.train, parts.validation, parts.test)
    ] == [
        1,
        1,
        1,
    ]
    assert parts.train.targets.count("two") == 2
    assert parts.train.targets.count("one") == 1
    assert found(parts, "PF176").detail == "too few rows of 'one', 'three'"
    assert found(parts, "PF177").detail.startswith("'one', 'two' are missing")


def test_what_was_not_compared_has_not_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payoff.data.duplicates._MAX_MEMBERS", 1)
    texts = [f"a beginning that all of the texts have {word}" for word in sentences(60)]
    dataset = made(texts, ["x", "y"] * 30)
    parts = split(dataset, test_set=made(["a beginning that all have", "new"], ["x", "y"]))
    for code in ("PF172", "PF175"):
        assert found(parts, code).status is Status.NOT_CHECKED
        assert "not all texts were compared" in found(parts, code).detail
    parts = split(made([*texts, texts[0] + "!"], ["x", "y"] * 30 + ["x"]))
    assert found(parts, "PF175").failed
    assert "were not followed" in found(parts, "PF175").detail


# --- a test set of its own -------------------------------------------------------------------


def test_a_test_set_is_never_altered_and_training_loses_what_it_holds() -> None:
    texts = sentences(200, n_words=20)
    test_set = made([texts[0].upper(), texts[1] + "s", texts[1] + "s", "", "new"], list("xyyxx"))
    parts = split(made(texts, ["x", "y"] * 100), test_set=test_set)
    assert parts.test is test_set
    assert texts[0] not in parts.train.texts + parts.validation.texts
    assert texts[1] not in parts.train.texts + parts.validation.texts
    assert found(parts, "PF172").n_affected == 2
    assert [row["row"] for row in found(parts, "PF172").rows] == [1, 2]
    assert len(parts.validation) == 30
    assert len(parts.train) == 168
    assert "the test set is frame" in parts.how


def test_near_a_near_text_is_not_near() -> None:
    base = " ".join(WORDS[:40])
    chain = [base, base + "s", base + "sos tum"]
    texts = sentences(60)
    dataset = made([*texts, chain[1], chain[2]], ["x", "y"] * 31)
    parts = split(dataset, test_set=made([chain[0], "other"], ["x", "y"]))
    dropped = set(dataset.texts) - set(parts.train.texts) - set(parts.validation.texts)
    assert chain[1] in dropped


def test_a_test_set_takes_its_groups_out_of_training() -> None:
    texts = sentences(100)
    dataset = made(texts, ["x", "y"] * 50, group=[str(i // 4) for i in range(100)])
    test_set = made(["new one", "new two"], ["x", "y"], group=["0", ""])
    parts = split(dataset, test_set=test_set)
    assert found(parts, "PF173").n_affected == 4
    assert "0" not in parts.train.column("group") + parts.validation.column("group")
    alone = made(["new one", "new two"], ["x", "y"])
    assert "PF173" not in [finding.code for finding in split(dataset, test_set=alone).findings]


def test_training_later_than_the_test_set_is_said() -> None:
    texts = sentences(40)
    dataset = made(texts, ["x", "y"] * 20, time=[str(i) for i in range(40)])
    late = made(["new one", "new two"], ["x", "y"], time=["38", "50"])
    after = made(["new one", "new two"], ["x", "y"], time=["40", "50"])
    assert found(split(dataset, test_set=late), "PF174").n_affected == 2
    assert not found(split(dataset, test_set=after), "PF174").failed
    assert max(split(dataset, test_set=after).train.column("time"), key=int) == "33"


def test_a_test_set_with_a_class_that_is_nowhere_trained_on() -> None:
    parts = split(
        made(sentences(40), ["x", "y"] * 20), test_set=made(["new", "newer"], ["x", "oos"])
    )
    assert "'oos'" in found(parts, "PF176").detail


def test_a_test_set_that_holds_everything_leaves_nothing() -> None:
    dataset = made(sentences(40), ["x", "y"] * 20)
    with pytest.raises(DataError, match="no row is left") as caught:
        split(dataset, test_set=dataset)
    assert caught.value.code == "PF106"


# --- by group and by time --------------------------------------------------------------------


def test_no_group_stands_on_two_sides() -> None:
    texts = sentences(400)
    groups = [str(i // 8) for i in range(400)]
    parts = split(made(texts, ["x", "y"] * 200, group=groups))
    sides = [set(part.column("group")) for part in (parts.train, parts.validation, parts.test)]
    assert all(not a & b for a, b in combinations(sides, 2))
    assert sum(map(len, (parts.train, parts.validation, parts.test))) == 400
    assert 40 <= len(parts.test) <= 80
    assert parts.how.startswith("by 'group', whole groups, seed 0")


def test_by_group_later_parts_lose_repeated_texts() -> None:
    texts = sentences(200)
    groups = [str(i // 5) for i in range(200)] + [str(i) for i in range(40)]
    parts = split(made(texts + ["Thanks!"] * 40, ["x", "y"] * 100 + ["x"] * 40, group=groups))
    homes = [part for part in (parts.train, parts.validation, parts.test) if "thanks" in keys(part)]
    assert homes == [parts.train]
    assert "dropped, since the split is by group" in found(parts, "PF175").detail
    total = sum(map(len, (parts.train, parts.validation, parts.test)))
    assert total + found(parts, "PF175").n_affected == 240


def test_by_time_is_in_order() -> None:
    texts = sentences(100)
    order = np.random.default_rng(0).permutation(100)
    times = [f"2024-{1 + i // 28:02d}-{1 + i % 28:02d}" for i in order.tolist()]
    parts = split(made(texts, ["x", "y"] * 50, time=times))
    assert max(parts.train.column("time")) < min(parts.validation.column("time"))
    assert max(parts.validation.column("time")) < min(parts.test.column("time"))
    assert [len(parts.train), len(parts.validation), len(parts.test)] == [70, 15, 15]
    assert parts.how.startswith("by 'time', earliest rows first")


def test_group_comes_before_time_unless_said() -> None:
    columns = {"group": [str(i // 2) for i in range(60)], "time": [str(i) for i in range(60)]}
    dataset = made(sentences(60), ["x", "y"] * 30, **columns)
    assert split(dataset).how.startswith("by 'group'")
    assert split(dataset, by="time").how.startswith("by 'time'")
    assert split(dataset, by="random").how.startswith("at random")


# --- what cannot be split --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "options", "code"),
    [
        (["x"] * 40, {}, "PF104"),
        (["x", "y"] * 20, {"by": "group"}, "PF103"),
        (["x", "y"] * 20, {"by": "time"}, "PF103"),
        (["x", "y"] * 20, {"by": "moon"}, "PF110"),
        (["x", "y"] * 20, {"validation": 0.0}, "PF110"),
        (["x", "y"] * 20, {"validation": 0.5, "test": 0.5}, "PF110"),
        (["x", "y"] * 20, {"test": -0.1}, "PF110"),
        (["x", "y"] * 20, {"test": float("nan")}, "PF110"),
        (["x", "y"], {}, "PF106"),
        (["x", "x", "y", "y"], {}, "PF106"),
        (["x"] * 39 + ["y"], {}, "PF106"),
        (["x", "y"] * 20, {"test": 0.0}, "PF106"),
    ],
)
def test_what_cannot_be_split(labels: list[str], options: dict[str, Any], code: str) -> None:
    with pytest.raises(DataError) as caught:
        split(made(sentences(len(labels)), labels), **options)
    assert caught.value.code == code


def test_texts_that_are_all_empty_or_all_one_text() -> None:
    with pytest.raises(DataError, match="no row is left to train on"):
        split(made([""] * 9, ["x", "y", "z"] * 3))
    with pytest.raises(DataError) as caught:
        split(made(["same text"] * 40, ["x", "y"] * 20))
    assert caught.value.code == "PF106"


def test_too_few_groups_or_moments() -> None:
    texts = sentences(40)
    with pytest.raises(DataError, match="PF106"):
        split(made(texts, ["x", "y"] * 20, group=["a", "b"] * 20))
    with pytest.raises(DataError, match="PF106"):
        split(made(texts, ["x", "y"] * 20, time=["1"] * 40))
    with pytest.raises(DataError, match="PF109"):
        split(made(texts, ["x", "y"] * 20, time=["soon"] * 40))


def test_unlabelled_texts_cannot_be_split() -> None:
    with pytest.raises(DataError, match="PF103"):
        split(Dataset.from_frame(pl.DataFrame({"t": sentences(9)}), text="t"))


def test_real_data_with_its_own_test_set(shared_data: Path) -> None:
    folder = shared_data / "banking77"
    train, test = (
        Dataset.from_csv(folder / f"{name}.csv", text="text", label="label")
        for name in ("train", "test")
    )
    parts = split(train, test_set=test)
    assert parts.test.fingerprint == test.fingerprint
    assert not keys(parts.train) & keys(test)
    assert not keys(parts.train) & keys(parts.validation)
    assert 0 < found(parts, "PF172").n_affected < 100
