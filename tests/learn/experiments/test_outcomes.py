"""From the journal to requests: worth, late and double feedback, stages, the shadow."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import insert

from payoff.economics.policy import Policy
from payoff.learn.entry import Entry
from payoff.learn.experiments.assignment import shadow_id
from payoff.learn.experiments.course import EXAMPLE, Course, Stage
from payoff.learn.experiments.look import look_at
from payoff.learn.experiments.outcomes import requests_before, requests_of
from payoff.learn.experiments.requests import Requests
from payoff.learn.journal import Journal
from payoff.learn.tables import decisions, feedback

PLAIN = Entry(
    "r", "a" * 64, "t" * 64, "a", "a", 0.9, 1.0, "USD", 20.0, "2026-01-01T12:00:00.000000Z",
    customer="c1", experiment="new-head", arm="control", cost=0.25,
)  # fmt: skip


def write(journal: Journal, *entries: dict[str, Any]) -> None:
    journal.append([replace(PLAIN, **{"request_id": f"r{n}"} | e) for n, e in enumerate(entries)])


def tell(journal: Journal, *rows: dict[str, Any]) -> None:
    usual = {
        "request_id": "r0", "time_utc": "2026-01-03T00:00:00.000000Z", "label": "",
        "correct": None, "worth": None, "source": "customer", "person": "", "seconds": None,
    }  # fmt: skip
    numbered = [usual | {"feedback_id": f"f{n}"} | row for n, row in enumerate(rows)]
    with journal.writing() as connection:
        connection.execute(insert(feedback), numbered)


def worth(requests: Requests) -> list[float | None]:
    return [None if np.isnan(x) else round(float(x), 6) for x in requests.realised]


def test_worth_is_the_payoff_s_less_the_cost(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        write(journal, {}, {"action": "b"}, {"action": "handoff"}, {"cost": 0.0}, {})
        tell(journal, *({"request_id": f"r{n}", "label": "a"} for n in range(4)))
        requests = requests_of(journal, EXAMPLE)
    assert worth(requests) == [2.75, -25.25, -2.25, 3.0, None]
    assert requests.expected.tolist() == [0.75, 0.75, 0.75, 1.0, 0.75]
    assert requests.handed_over.tolist() == [False, False, True, False, False]
    assert requests.latency_ms.tolist() == [20.0] * 5


@pytest.mark.parametrize(
    ("said", "action", "expected"),
    [
        ({"correct": 1}, "a", 2.75),
        ({"correct": 0}, "a", -8.25),
        ({"correct": 0}, "b", -25.25),
        ({"correct": 1}, "handoff", -2.25),
        ({"worth": 7.0}, "a", 6.75),
        ({"worth": 7.0, "label": "b"}, "a", 6.75),
        ({"label": "never heard of"}, "a", -8.25),
        ({"label": "b", "correct": 1}, "a", -8.25),
        ({}, "a", None),
    ],
)
def test_what_feedback_may_say(
    tmp_path: Path, said: dict[str, Any], action: str, expected: float | None
) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        write(journal, {"action": action})
        tell(journal, said)
        assert worth(requests_of(journal, EXAMPLE)) == [expected]


def test_of_many_labels_a_wrong_action_is_worth_the_mean_of_the_others(tmp_path: Path) -> None:
    table = np.array([[3.0, -1.0, -2.0, -9.0], [-4.0, 3.0, -2.0, -6.0], [-8.0, -1.0, 3.0, -3.0]])
    course = replace(EXAMPLE, policy=Policy(("a", "b", "c"), table))
    with Journal.open(tmp_path / "j.db") as journal:
        write(journal, {"cost": 0.0}, {"cost": 0.0, "action": "handoff"})
        tell(journal, {"correct": 0}, {"request_id": "r1", "correct": 1})
        assert worth(requests_of(journal, course)) == [-6.0, -6.0]


def test_segments_have_their_own_worth(tmp_path: Path) -> None:
    own = Policy(
        EXAMPLE.policy.labels,
        EXAMPLE.policy.values,
        segment_values={"clinics": 10 * EXAMPLE.policy.values},
    )
    with Journal.open(tmp_path / "j.db") as journal:
        write(journal, {"segment": "clinics"}, {"segment": "shops"})
        tell(journal, *({"request_id": f"r{n}", "label": "a"} for n in range(2)))
        assert worth(requests_of(journal, replace(EXAMPLE, policy=own))) == [29.75, 2.75]


FEEDBACK: list[dict[str, Any]] = [
    {"feedback_id": "f-a", "time_utc": "2026-01-02T00:00:00.000000Z", "label": "b"},
    {"feedback_id": "f-b", "time_utc": "2026-01-04T00:00:00.000000Z", "label": "a"},
    {"feedback_id": "f-c", "time_utc": "2026-01-03T00:00:00.000000Z", "correct": 0},
    {"feedback_id": "f-d", "time_utc": "2026-01-05T00:00:00.000000Z"},
]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[::5])
def test_the_latest_feedback_counts_in_whatever_order_it_arrives(
    tmp_path: Path, order: Sequence[int]
) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        write(journal, {}, {"customer": "c2"})
        tell(journal, *(FEEDBACK[n] for n in order))
        assert worth(requests_of(journal, EXAMPLE)) == [2.75, None]


def test_the_same_feedback_twice_or_for_nobody_changes_nothing(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        write(journal, {}, {"customer": "c2"}, {"experiment": "", "arm": ""})
        tell(journal, {"label": "b"})
        once = requests_of(journal, EXAMPLE)
        tell(
            journal,
            {"feedback_id": "again", "label": "b"},
            {"feedback_id": "nobody", "request_id": "unknown", "label": "a"},
            {"feedback_id": "elsewhere", "request_id": "r2", "label": "a"},
        )
        twice = requests_of(journal, EXAMPLE)
    assert worth(once) == worth(twice) == [-8.25, None]
    assert once.customer.tolist() == twice.customer.tolist()


def test_late_feedback_changes_its_request_and_the_correction_of_its_kind_alone(
    tmp_path: Path,
) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        write(journal, *({"customer": f"c{n}"} for n in range(5)))
        tell(journal, {"label": "a"})
        before = requests_of(journal, EXAMPLE)
        tell(journal, {"feedback_id": "late", "request_id": "r3", "label": "b"})
        after = requests_of(journal, EXAMPLE)
    assert worth(before) == [2.75, None, None, None, None]
    assert worth(after) == [2.75, None, None, -8.25, None]
    assert after.expected.tolist() == before.expected.tolist()


def test_stages_customers_and_what_is_left_out(books_url: str) -> None:
    times = {
        "before": ("2025-12-31T00:00:00.000000Z", {}),
        "first": ("2026-01-01T10:00:00.000000Z", {}),
        "settling": ("2026-01-02T00:00:59.000000Z", {}),
        "second": ("2026-01-02T00:01:01.000000Z", {"arm": "treatment"}),
        "nobody-1": ("2026-01-02T00:02:00.000000Z", {"customer": ""}),
        "nobody-2": ("2026-01-02T00:03:00.000000Z", {"customer": ""}),
        "after": ("2026-01-09T00:00:00.000000Z", {}),
        "other": ("2026-01-03T00:00:00.000000Z", {"experiment": "other"}),
    }
    over = replace(EXAMPLE, over="stopped", over_utc="2026-01-08T00:00:00.000000Z")
    with Journal.open(books_url) as journal:
        rows = [{"request_id": k, "time_utc": t, **more} for k, (t, more) in times.items()]
        write(journal, *reversed(rows))
        requests = requests_of(journal, over)
    assert requests.stage.tolist() == [0, 1, 1, 1]
    assert requests.treated.tolist() == [False, True, False, False]
    assert len(set(requests.customer)) == 3
    assert requests.customer[0] == requests.customer[1]
    assert requests.day.tolist() == sorted(requests.day)
    assert requests.day[0] == pytest.approx(10 / 24)


def test_what_customers_brought_before(books_url: str) -> None:
    before = {"experiment": "", "arm": "", "time_utc": "2025-12-20T00:00:00.000000Z", "cost": 0.5}
    with Journal.open(books_url) as journal:
        write(
            journal,
            before | {"worth": 3.0},
            before | {"worth": 1.0},
            before | {"customer": "c9"},
            {},
            {"customer": "c2"},
        )
        requests = requests_of(journal, EXAMPLE)
        past = requests_before(journal, "a" * 64, EXAMPLE.policy)
    assert requests.earlier[0] == pytest.approx(1.5)
    assert np.isnan(requests.earlier[1])
    assert len(past) == 3
    assert sorted(past.expected) == [0.5, 0.5, 2.5]


def test_the_shadow_has_the_truth_of_the_request_and_not_the_verdict(books_url: str) -> None:
    shadow = {"arm": "treatment", "action": "b", "cost": 0.0, "worth": 2.0}
    pairs: list[dict[str, Any]] = []
    for name in ("label", "right", "money", "same"):
        mine = shadow | ({"action": "a"} if name == "same" else {})
        pairs += [{"request_id": name, "customer": ""}]
        pairs += [{"request_id": shadow_id(name), "customer": ""} | mine]
    begun = (Stage("2026-01-01T00:00:00.000000Z", 0.0),)
    with Journal.open(books_url) as journal:
        write(journal, *pairs)
        tell(
            journal,
            {"request_id": "label", "label": "b"},
            {"request_id": "right", "correct": 1},
            {"request_id": "money", "worth": 5.0},
            {"request_id": "same", "worth": 5.0},
        )
        requests = requests_of(journal, replace(EXAMPLE, stages=begun))
    assert worth(requests) == [-8.25, 3.0, 2.75, None, 4.75, None, 4.75, 5.0]
    assert requests.customer.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_an_action_that_the_payoff_lacks_has_no_worth(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        write(journal, {"action": "gone"}, {"action": "gone"})
        tell(journal, {"label": "a"}, {"request_id": "r1", "worth": 1.0})
        assert worth(requests_of(journal, EXAMPLE)) == [None, 0.75]


def test_many_decisions_are_looked_at_in_seconds(tmp_path: Path) -> None:
    n = 60_000
    rng = np.random.default_rng(0)
    bucket, customer = rng.random(9000), rng.integers(0, 9000, n)
    usual = {c.name: None for c in decisions.columns} | {
        "artifact_sha256": "a", "text_sha256": "t", "action": "a", "label": "a",
        "probability": 0.9, "worth": 1.0, "currency": "USD", "latency_ms": 3.0, "segment": "",
        "tier": "", "cost": 0.0, "experiment": "new-head",
    }  # fmt: skip
    rows = [
        usual
        | {
            "id": i + 1,
            "request_id": f"r{i}",
            "time_utc": f"2026-01-0{2 + i * 7 // n}T12:00:00.{i:06d}Z",
            "customer": f"c{customer[i]}",
            "arm": "treatment" if bucket[customer[i]] < 0.05 else "control",
        }
        for i in range(n)
    ]
    with Journal.open(tmp_path / "j.db") as journal:
        with journal.writing() as connection:
            connection.execute(insert(decisions), rows)
        tell(
            journal,
            *({"feedback_id": f"f{i}", "request_id": f"r{i}", "label": "ab"[i % 2]}
              for i in range(0, n, 3)),
        )  # fmt: skip
        begin = time.perf_counter()
        course: Course = EXAMPLE
        requests = requests_of(journal, course)
        found = look_at(course, requests, "2026-01-10T00:00:00.000000Z")
        assert time.perf_counter() - begin < 10
    assert found.control.requests + found.treatment.requests == n
    assert not [one.code for one in found.findings if one.failed]
