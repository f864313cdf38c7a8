"""Label Studio: requests that wait for a label as its tasks, and its annotations as feedback.

The format is that of Label Studio's JSON import and export for text classification, with
`<Text name="text" value="$text"/>` and `<Choices name="label" toName="text">`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from payoff.artifact.texts import check_text
from payoff.core.errors import DataError, PayoffError, ServiceError, raise_all
from payoff.learn.entry import as_utc
from payoff.learn.feedback import Feedback
from payoff.learn.labelled import Labelled

_FROM, _TO = "label", "text"
_MOST_PROBLEMS = 20


def label_studio_tasks(waiting: Sequence[Labelled]) -> list[dict[str, Any]]:
    """Tasks to import, each with what the model said as a prediction.

    Args:
        waiting: Requests whose text is kept.

    Example:
        >>> from payoff.learn.labelled import Decided
        >>> decided = Decided("a" * 64, "handoff", "refund", 0.4, -2.0)
        >>> task, = label_studio_tasks([Labelled("r-1", (), decided, "money back")])
        >>> task["data"], task["predictions"][0]["result"][0]["value"]
        ({'text': 'money back', 'request_id': 'r-1'}, {'choices': ['refund']})
    """
    return [_task(one) for one in waiting if one.text is not None]


def _task(one: Labelled) -> dict[str, Any]:
    task: dict[str, Any] = {"data": {"text": one.text, "request_id": one.request_id}}
    if one.decided is None:
        return task
    return task | {
        "predictions": [
            {
                "model_version": one.decided.artifact_sha256[:12],
                "score": one.decided.probability,
                "result": [_choice(one.decided.label)],
            }
        ]
    }


def _choice(label: str) -> dict[str, Any]:
    value = {"choices": [label]}
    return {"from_name": _FROM, "to_name": _TO, "type": "choices", "value": value}


def label_studio_feedback(document: str, where: str) -> list[Feedback]:
    """What the annotations of an export tell; skipped tasks tell nothing.

    An annotation is named by what it says, so that the same export taken twice counts once, and
    one that was changed counts anew.

    Args:
        document: JSON as Label Studio exports it (not JSON-MIN).
        where: What the file is called.

    Raises:
        ServiceError: PF776 for each task that is malformed; `Problems` where there are several.

    Example:
        >>> result = [{"type": "choices", "value": {"choices": ["refund"]}}]
        >>> annotation = {"completed_by": 3, "lead_time": 4.5, "result": result}
        >>> task = {"data": {"request_id": "r-1"}, "annotations": [annotation]}
        >>> told, = label_studio_feedback(json.dumps([task]), "export.json")
        >>> told.label, told.person, told.seconds
        ('refund', 'label-studio-3', 4.5)
    """
    try:
        tasks = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise _wrong(where, f"it is no JSON ({str(error)[:80]})") from error
    if not isinstance(tasks, list):
        raise _wrong(where, f"it is a {type(tasks).__name__}")
    found: list[Feedback] = []
    problems: list[PayoffError] = []
    for number, task in enumerate(tasks, 1):
        try:
            found += _told(task, f"{where} task {number}")
        except PayoffError as error:
            problems.append(error)
            if len(problems) == _MOST_PROBLEMS:
                break
    raise_all(problems)
    return found


def _told(task: Any, where: str) -> list[Feedback]:
    data = task.get("data") if isinstance(task, dict) else None
    request_id = data.get("request_id") if isinstance(data, dict) else None
    if not isinstance(request_id, str) or not request_id:
        raise _wrong(where, "its data name no request_id")
    annotations = task.get("annotations", [])
    if not isinstance(annotations, list):
        raise _wrong(where, "its annotations are no list")
    return [
        _feedback(request_id, one, where)
        for one in annotations
        if not (isinstance(one, dict) and one.get("was_cancelled"))
    ]


def _feedback(request_id: str, annotation: Any, where: str) -> Feedback:
    if not isinstance(annotation, dict):
        raise _wrong(where, "an annotation is no object")
    label, person = _label(annotation, where), _person(annotation.get("completed_by"))
    time = str(annotation.get("updated_at") or annotation.get("created_at") or "")
    if time and as_utc(time) is None:
        raise _wrong(where, f"an annotation has the time {time[:50]!a}")
    own = "\x1f".join(("label-studio", request_id, str(annotation.get("id")), person, label, time))
    try:
        check_text(own)
    except DataError as error:
        raise _wrong(where, f"an annotation is no text: {error.found}") from error
    return Feedback(
        request_id=request_id,
        label=label,
        source="person",
        person=person,
        seconds=_seconds(annotation.get("lead_time"), where),
        feedback_id=hashlib.sha256(own.encode()).hexdigest()[:32],
        time_utc=time,
    )


def _seconds(lead_time: Any, where: str) -> float | None:
    """What an annotation took; None where it does not say."""
    if isinstance(lead_time, bool) or not isinstance(lead_time, int | float):
        return None
    try:
        seconds = float(lead_time)
    except OverflowError:
        seconds = math.inf
    if not 0 <= seconds < math.inf:
        raise _wrong(where, f"an annotation took {seconds} seconds")
    return seconds


def _label(annotation: Mapping[str, Any], where: str) -> str:
    """The one choice of an annotation."""
    results = annotation.get("result")
    chosen = [
        choice
        for one in (results if isinstance(results, list) else [])
        if isinstance(one, dict) and one.get("type") == "choices"
        for choice in _choices(one.get("value"))
    ]
    if len(chosen) != 1 or not isinstance(chosen[0], str) or not chosen[0].strip():
        raise _wrong(where, f"an annotation has the choices {str(chosen)[:80]}")
    return chosen[0]


def _choices(value: Any) -> list[Any]:
    found = value.get("choices") if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _person(completed_by: Any) -> str:
    """Who annotated: the address where the export has it, else the number there."""
    if isinstance(completed_by, dict):
        completed_by = completed_by.get("email") or completed_by.get("id")
    if completed_by is None or completed_by == "":
        return ""
    return completed_by if isinstance(completed_by, str) else f"label-studio-{completed_by}"


def _wrong(where: str, found: str) -> ServiceError:
    wanted = "a list of tasks with data.request_id, and annotations of one choice each"
    return ServiceError(
        "PF776", where, found, expected=wanted, mend="Export as JSON, not as JSON-MIN."
    )
