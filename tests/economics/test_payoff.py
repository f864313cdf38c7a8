"""Payoff: every form of it, restated cell by cell, and every way to get it wrong."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.core.errors import EconomicsError, PayoffError, Problems, ProjectError
from payoff.core.findings import Status
from payoff.core.money import Money
from payoff.economics.class_value import ClassValue
from payoff.economics.payoff import Payoff
from payoff.economics.person import Person

LABELS = ("billing", "other", "refund")
amounts = st.floats(-1e6, 1e6, allow_nan=False)


def found(error: PayoffError) -> list[str]:
    return [str(problem) for problem in getattr(error, "problems", (error,))]


def test_three_scalars() -> None:
    worth = Payoff(correct=3.20, wrong=-7.50, handoff=-4.10, currency="USD")
    expected = [[3.2, -7.5, -7.5, -4.1], [-7.5, 3.2, -7.5, -4.1], [-7.5, -7.5, 3.2, -4.1]]
    np.testing.assert_array_equal(worth.matrix(LABELS), expected)
    np.testing.assert_array_equal(worth.gross_matrix(LABELS), expected)


def test_more_special_values_win() -> None:
    worth = Payoff(
        3, -7, -4, currency="USD",
        classes={"refund": ClassValue(correct=5, wrong=-50, handoff=-1)},
        pairs=[("refund", "other", -20.0), ("billing", "handoff", -2.0)],
    )  # fmt: skip
    expected = [[3, -7, -7, -2], [-7, 3, -7, -4], [-50, -20, 5, -1]]
    np.testing.assert_array_equal(worth.matrix(LABELS), expected)
    assert worth.of(truth="refund", action="other") == Money.of("-20", "USD") * 1
    assert worth.of(truth="refund", action="billing").amount == Decimal("-50.0")
    assert worth.of(truth="billing", action="handoff").amount == Decimal("-2.0")
    assert worth.of(truth="other", action="other").amount == Decimal("3.0")


def test_a_person_is_worth_what_their_answers_are_less_their_time() -> None:
    person = Person(minutes=4, wage_per_hour=30, error_rate=0.1, delay_cost=0.5)
    worth = Payoff(10, -20, currency="EUR", person=person, classes={"other": ClassValue(wrong=-40)})
    # billing: 0.9 * 10 - 0.1 * 20 - 0.5 - 2 = 4.5; other: 0.9 * 10 - 0.1 * 40 - 0.5 - 2 = 2.5
    np.testing.assert_allclose(worth.matrix(LABELS)[:, -1], [4.5, 2.5, 4.5])
    difference = worth.gross_matrix(LABELS) - worth.matrix(LABELS)
    np.testing.assert_allclose(difference[:, -1], 2.0)  # 4 / 60 h at 30
    np.testing.assert_array_equal(difference[:, :-1], 0.0)
    assert worth.of(truth="other", action="handoff") == Money.of("2.5", "EUR")


def test_stated_handoff_of_a_class_is_net_of_the_wage_too() -> None:
    worth = Payoff(
        10, -20, currency="EUR", person=Person(6, 10), classes={"other": ClassValue(handoff=-9)}
    )
    assert worth.matrix(LABELS)[1, -1] == -9
    assert worth.gross_matrix(LABELS)[1, -1] == pytest.approx(-8)


def test_handoff_may_come_from_every_class_alone() -> None:
    classes = {label: ClassValue(handoff=-1.0) for label in LABELS}
    worth = Payoff(3, -7, currency="USD", classes=classes)
    np.testing.assert_array_equal(worth.matrix(LABELS)[:, -1], -1.0)
    with pytest.raises(ProjectError, match=r"value.classes.new.*handing over"):
        worth.matrix((*LABELS, "new"))
    with pytest.raises(ProjectError, match="PF203"):
        worth.of(truth="new", action="handoff")
    assert worth.of(truth="new", action="new").amount == 3


def test_both_or_neither_way_to_value_handing_over_is_refused() -> None:
    with pytest.raises(ProjectError, match="both 'handoff' and"):
        Payoff(1, -1, 0, currency="USD", person=Person(1, 1))
    with pytest.raises(ProjectError, match="neither 'handoff' nor"):
        Payoff(1, -1, currency="USD")


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(Problems) as caught:
        Payoff(
            math.nan, "much", math.inf, currency="usd", nothing=None,  # type: ignore[arg-type]
            classes={"a": ClassValue(wrong=math.inf)},
            pairs=[("a", "b", math.nan), ("a", "b", 1.0)],
        )  # fmt: skip
    told = found(caught.value)
    assert len(told) == 8
    assert sum(text.startswith("PF610") for text in told) == 1
    assert any("payoff.toml [value.classes.a]" in text for text in told)
    assert any("given twice" in text for text in told)


def test_unknown_labels_are_errors_in_the_style_of_the_design() -> None:
    worth = Payoff(1, -1, 0, currency="USD", classes={"refnd": ClassValue(wrong=-9)})
    with pytest.raises(ProjectError) as caught:
        worth.matrix(LABELS, source="tickets.csv")
    assert str(caught.value) == (
        "PF203 payoff.toml [value.classes.refnd]: label 'refnd' is not in tickets.csv "
        "(labels: billing, other, refund). Did you mean 'refund'?"
    )


def test_unknown_labels_of_pairs_and_bad_label_lists() -> None:
    worth = Payoff(1, -1, 0, currency="USD", pairs=[("x", "y", 1.0), ("x", "handoff", 2.0)])
    with pytest.raises(Problems) as caught:
        worth.matrix(LABELS)
    assert len(found(caught.value)) == 2
    plain = Payoff(1, -1, 0, currency="USD")
    for labels in ((), ("a", "a"), ("a", "handoff")):
        with pytest.raises(ProjectError, match="PF203 labels"):
            plain.matrix(labels)
    many = tuple(f"l{i:02}" for i in range(30))
    with pytest.raises(ProjectError, match="and 20 more"):
        Payoff(1, -1, 0, currency="USD", classes={"zz": ClassValue(wrong=1)}).matrix(many)


@given(correct=amounts, wrong=amounts, handoff=amounts, factor=st.sampled_from([0.5, 2.0, 8.0]))
@settings(deadline=None)
def test_scaling_the_currency_scales_every_cell(
    correct: float, wrong: float, handoff: float, factor: float
) -> None:
    one = Payoff(correct, wrong, handoff, currency="USD").matrix(LABELS)
    other = Payoff(correct * factor, wrong * factor, handoff * factor, currency="USD")
    np.testing.assert_array_equal(other.matrix(LABELS), one * factor)


@given(order=st.permutations(range(3)))
@settings(deadline=None)
def test_relabelling_permutes_rows_and_columns(order: list[int]) -> None:
    worth = Payoff(
        3, -7, -4, currency="USD",
        classes={"refund": ClassValue(wrong=-50)}, pairs=[("other", "refund", -1.0)],
    )  # fmt: skip
    plain = worth.matrix(LABELS)
    shuffled = worth.matrix([LABELS[i] for i in order])
    np.testing.assert_array_equal(shuffled, plain[np.ix_(order, [*order, 3])])


# --- findings ---------------------------------------------------------------------------------


def statuses(worth: Payoff, labels: tuple[str, ...] = LABELS) -> dict[str, bool]:
    return {finding.code: finding.failed for finding in worth.check(labels)}


def test_a_sound_payoff_passes_all_checks() -> None:
    worth = Payoff(3, -7, -1, currency="USD")
    assert all(finding.status is Status.PASSED for finding in worth.check(LABELS))
    assert not any(statuses(worth, ("only",)).values())


@pytest.mark.parametrize(
    ("values", "code", "detail"),
    [
        ((1, 2, 0.5), "PF651", "billing, other, refund"),
        ((1, -1, 1), "PF652", "never act"),
        ((1, -1, -2), "PF653", "never be handed|nothing would ever be handed over"),
    ],
)
def test_strange_payoffs_are_found(
    values: tuple[float, float, float], code: str, detail: str
) -> None:
    failed = {f.code: f for f in Payoff(*values, currency="USD").check(LABELS) if f.failed}
    assert code in failed
    assert failed[code].n_affected == 3
    assert any(part in failed[code].detail for part in detail.split("|"))


def test_findings_name_only_the_labels_concerned() -> None:
    worth = Payoff(1, -9, 0, currency="USD", classes={"refund": ClassValue(handoff=5)})
    finding = next(f for f in worth.check(LABELS) if f.code == "PF652")
    assert (finding.n_affected, "refund" in finding.detail) == (1, True)
    assert "never act" not in finding.detail


# --- tables and files -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "worth",
    [
        Payoff(3.2, -7.5, -4.1, currency="USD", nothing=-1.0),
        Payoff(3, -7, currency="CNY", person=Person(4, 30, 0.05, capacity_per_month=100)),
        Payoff(
            3, -7, -4, currency="USD",
            classes={"a": ClassValue(wrong=-9)}, pairs=(("a", "b", 1.0),),
        ),
        Payoff(
            0, 0, currency="EUR",
            matrix_values={
                "a": {"a": 1, "b": -1, "handoff": 0},
                "b": {"a": 0, "b": 2, "handoff": 1},
            },
        ),
    ],
)  # fmt: skip
def test_round_trip_through_a_table(worth: Payoff) -> None:
    assert Payoff.from_dict(worth.as_dict()) == worth


def test_everything_wrong_with_a_table_is_told_at_once() -> None:
    with pytest.raises(Problems) as caught:
        Payoff.from_dict(
            {
                "corect": 1, "wrong": -1, "currency": "USD", "person": {"minutes": -4},
                "classes": {"a": 3, "b": {"rong": 1}}, "pairs": [{"truth": "a"}, 7],
            }
        )  # fmt: skip
    told = "\n".join(found(caught.value))
    for part in ("'corect'", "'correct' is missing", "wage_per_hour", "classes.a", "'rong'"):
        assert part in told
    assert told.count("[value.pairs]") == 2


@pytest.mark.parametrize(
    "table",
    [
        {"currency": "USD", "matrix": {"a": 3}},
        {"currency": "USD", "matrix": {"a": {"a": "x"}}},
        {"currency": "USD", "matrix": 3},
        {"correct": 1, "wrong": 1, "handoff": 1, "currency": "USD", "pairs": 3},
        {
            "correct": 1,
            "wrong": 1,
            "currency": "USD",
            "person": {"minutes": -1, "wage_per_hour": 1},
        },
        {"correct": 1, "wrong": 1, "handoff": 0, "currency": 7},
    ],
)
def test_misshapen_tables_are_errors(table: dict[str, object]) -> None:
    with pytest.raises(PayoffError, match=r"PF203|PF610"):
        Payoff.from_dict(table)


def write(folder: Path, text: str) -> Path:
    file = folder / "worth.csv"
    file.write_text(text, encoding="utf-8")
    return file


FULL = "truth,b,a,handoff\na,-2,1,-0.5\nb,3.5,-4,-0.25\n"


def test_full_matrix_from_a_file(tmp_path: Path) -> None:
    worth = Payoff.from_csv(write(tmp_path, "\ufeff" + FULL), currency="USD", nothing=-3)
    np.testing.assert_array_equal(worth.matrix(("a", "b")), [[1, -2, -0.5], [-4, 3.5, -0.25]])
    assert worth.of(truth="b", action="handoff") == Money.of("-0.25", "USD")
    assert worth.nothing == -3
    for truth, action in (("a", "z"), ("z", "a")):
        with pytest.raises(ProjectError, match="no cell for truth"):
            worth.of(truth=truth, action=action)


def test_full_matrix_with_a_person(tmp_path: Path) -> None:
    file = write(tmp_path, "truth,a,b\na,10,-2\nb,-4,6\n")
    worth = Payoff.from_csv(file, currency="USD", person=Person(6, 10, 0.5))
    # a: (10 - 2) / 2 - 1 = 3; b: (6 - 4) / 2 - 1 = 0
    np.testing.assert_allclose(worth.matrix(("a", "b"))[:, -1], [3.0, 0.0])
    np.testing.assert_allclose(worth.gross_matrix(("a", "b"))[:, -1], [4.0, 1.0])


def test_full_matrix_must_fit_the_labels(tmp_path: Path) -> None:
    worth = Payoff.from_csv(write(tmp_path, FULL), currency="USD")
    with pytest.raises(Problems) as caught:
        worth.matrix(("a", "c"))
    told = "\n".join(found(caught.value))
    assert "truth 'c' has no row" in told
    assert "no cell for action c" in told
    assert "label 'b' is not in" in told


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("truth,a,b,handoff\na,x,,inf\nb,1,2,3\n", ["is 'x'", "is empty", "is 'inf'"]),
        ("truth,a,b\na,1,2\nb,1,2\n", ["column 'handoff' is missing"]),
        ("truth,a,handoff\na,1,2\nb,1,2\n", ["row 'b' has no column"]),
        ("truth,a,b,handoff\na,1,2,3\n", ["column 'b' has no row"]),
        (
            "truth,a,a,handoff\na,1,2,3\na,1,2,3,4\n",
            ["column 'a' is given twice", "row 'a' is given"],
        ),
        ("truth,a,handoff\na,1,2,3\n", ["row 'a' has 3 cells"]),
        ("truth,a,handoff\n", ["no rows"]),
        ("", ["no rows"]),
    ],
)
def test_hostile_files_are_told_in_full(tmp_path: Path, text: str, parts: list[str]) -> None:
    with pytest.raises(ProjectError if len(parts) == 1 else PayoffError) as caught:
        Payoff.from_csv(write(tmp_path, text), currency="USD")
    told = "\n".join(found(caught.value))
    assert all(part in told for part in parts)
    assert all(line.startswith("PF203 worth.csv") for line in found(caught.value))


def test_unreadable_files_and_contradictions(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="cannot be read"):
        Payoff.from_csv(tmp_path / "absent.csv", currency="USD")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ProjectError, match="cannot be read"):
        Payoff.from_csv(tmp_path / "binary.csv", currency="USD")
    with pytest.raises(ProjectError, match="both column 'handoff' and a person"):
        Payoff.from_csv(write(tmp_path, FULL), currency="USD", person=Person(1, 1))
    with pytest.raises(EconomicsError, match="PF610"):
        Payoff.from_csv(write(tmp_path, FULL), currency="dollars")


def never_best(worth: Payoff, labels: tuple[str, ...] = LABELS) -> str:
    return next(f.detail for f in worth.check(labels) if f.code == "PF627")


def test_a_handoff_that_no_doubt_makes_worth_it_is_told() -> None:
    # Of three labels the most likely one has a third at least: (3 − 2) / 3 is more than −0.9.
    assert "handing over" in never_best(Payoff(3, -1, -0.9, currency="USD"))
    assert never_best(Payoff(3, -7, -3, currency="USD")) == ""
    # The same handoff is worth it once a fourth label makes room for more doubt.
    four = (*LABELS, "fourth")
    assert "handing over" in never_best(Payoff(3, -7, -4, currency="USD"))
    assert never_best(Payoff(3, -7, -4, currency="USD"), four) == ""


def test_a_class_that_can_never_be_acted_on_is_told() -> None:
    worth = Payoff(3, -7, -2, currency="USD", classes={"refund": ClassValue(correct=-3)})
    assert never_best(worth) == "at no probabilities is it worth most: 'refund'."
    dominated = Payoff(3, -7, 4, currency="USD")
    assert all(label in never_best(dominated) for label in LABELS)
