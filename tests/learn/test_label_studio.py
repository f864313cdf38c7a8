"""To Label Studio and back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert

from payoff.core.errors import Problems, ServiceError
from payoff.learn.entry import Entry
from payoff.learn.feedback import Feedback, take
from payoff.learn.journal import Journal
from payoff.learn.label_studio import label_studio_feedback, label_studio_tasks
from payoff.learn.labelled import Labelled, labelled_requests
from payoff.learn.tables import asked
from payoff.learn.waiting import waiting_requests

ENTRY = Entry("r-1", "a" * 64, "t", "handoff", "refund", 0.4, -2.0, "USD", 4.0)


def annotated(tasks: list[dict[str, Any]], label: str, **more: Any) -> str:
    """What Label Studio exports once somebody annotated its tasks."""
    for number, task in enumerate(tasks):
        task |= {"id": number}
        task["annotations"] = [
            {
                "id": 7 + number,
                "completed_by": {"id": 3, "email": "ann@example.com"},
                "was_cancelled": False,
                "lead_time": 4.25,
                "created_at": "2026-11-01T10:00:00.000000Z",
                "updated_at": "2026-11-01T10:01:00.000000Z",
                "result": [
                    {
                        "id": "x",
                        "type": "choices",
                        "from_name": "label",
                        "to_name": "text",
                        "value": {"choices": [label]},
                    }
                ],
            }
            | more
        ]
    return json.dumps(tasks)


def test_requests_go_out_and_come_back_as_labels(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        journal.append([ENTRY], texts={"r-1": "退款 please"})
        tasks = label_studio_tasks(waiting_requests(journal))
        assert tasks[0]["data"] == {"text": "退款 please", "request_id": "r-1"}
        assert tasks[0]["predictions"][0]["score"] == pytest.approx(0.4)
        told = label_studio_feedback(annotated(tasks, "refund"), "export.json")
        assert (take(journal, told).n_new, take(journal, told).n_new) == (1, 0)
        changed = label_studio_feedback(
            annotated(tasks, "billing", updated_at="2026-11-02T10:00:00Z"), "export.json"
        )
        assert take(journal, changed).n_new == 1
        ((found,),) = labelled_requests(journal)
        assert waiting_requests(journal) == []
    (vote,) = found.votes
    assert (vote.label, vote.person, vote.seconds) == ("billing", "ann@example.com", 4.25)


def test_what_was_drawn_waits_for_a_person_whatever_a_program_says(books_url: str) -> None:
    """As in the review queue: else what programs label would be no part of the sample."""
    with Journal.open(books_url) as journal:
        entries = [replace(ENTRY, request_id=f"r-{n}") for n in range(4)]
        journal.append(entries, texts={one.request_id: "text" for one in entries})
        drawn = [
            {"request_id": f"r-{n}", "time_utc": "2026-11-01", "chance": 0.5, "round_id": 1}
            for n in (0, 1)
        ]
        with journal.writing() as connection:
            connection.execute(insert(asked), drawn)
        take(journal, [Feedback(f"r-{n}", label="refund") for n in (0, 1, 2)])
        assert [one.request_id for one in waiting_requests(journal)] == ["r-0", "r-1", "r-3"]
        take(journal, [Feedback("r-0", label="refund", source="person", person="ann")])
        assert [one.request_id for one in waiting_requests(journal)] == ["r-1", "r-3"]


def test_what_nobody_labelled_tells_nothing() -> None:
    tasks = label_studio_tasks([Labelled("r-1", (), None, "a"), Labelled("r-2", (), None, None)])
    assert len(tasks) == 1
    assert "predictions" not in tasks[0]
    assert label_studio_feedback(json.dumps(tasks), "x") == []
    assert label_studio_feedback(annotated(tasks, "card", was_cancelled=True), "x") == []
    (told,) = label_studio_feedback(annotated(tasks, "card", completed_by=3), "x")
    assert told.person == "label-studio-3"
    (nobody,) = label_studio_feedback(annotated(tasks, "card", completed_by=None), "x")
    assert nobody.person == ""


@pytest.mark.parametrize(
    "document",
    [
        "{",
        "{}",
        "[3]",
        '[{"data": {"text": "x"}}]',
        '[{"data": {"request_id": "r-1"}, "annotations": 3}]',
        '[{"data": {"request_id": "r-1"}, "annotations": [3]}]',
        '[{"data": {"request_id": "r-1"}, "annotations": [{"result": []}]}]',
        '[{"data": {"request_id": "r-1"}, "annotations": [{"result": [{"type": "choices", '
        '"value": {"choices": ["a", "b"]}}]}]}]',
    ],
)
def test_what_is_no_export_is_refused(document: str) -> None:
    with pytest.raises(ServiceError, match="PF776"):
        label_studio_feedback(document, "export.json")


@pytest.mark.parametrize(
    "more",
    [
        '"lead_time": 1' + "0" * 400,
        '"lead_time": NaN',
        '"lead_time": -1e999',
        '"completed_by": {"email": "\\ud800"}',
        '"updated_at": "\\ud800"',
        '"updated_at": "yesterday"',
    ],
)
def test_what_no_annotation_says_is_refused(more: str) -> None:
    document = (
        '[{"data": {"request_id": "r-1"}, "annotations": [{"result": [{"type": "choices", '
        f'"value": {{"choices": ["a"]}}}}], {more}}}]}}]'
    )
    with pytest.raises(ServiceError, match=r"PF776 export\.json task 1"):
        label_studio_feedback(document, "export.json")


@pytest.mark.parametrize("label", ["\ud800", "\0"])
def test_a_label_that_is_no_text_is_refused(label: str) -> None:
    document = annotated([{"data": {"request_id": "r-1"}}], label)
    with pytest.raises(ServiceError, match=r"PF776 export\.json task 1"):
        label_studio_feedback(document, "export.json")


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(Problems) as caught:
        label_studio_feedback(json.dumps([{}] * 30), "export.json")
    assert len(caught.value.problems) == 20
