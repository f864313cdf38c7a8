from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.learn.watching.requests_of import LABELS, requests_of

from payoff.core.errors import ServiceError
from payoff.economics.value_tables import ValueTables
from payoff.learn.watching.reference import Reference


def test_figures_are_means_over_the_requests() -> None:
    window = replace(requests_of(500, 0), costs=np.full(500, 0.25))
    reference = Reference.of(window, LABELS)
    assert reference.worth == pytest.approx(window.realised.mean())
    assert reference.bias == pytest.approx((window.realised - window.expected).mean())
    assert reference.cost == 0.25
    assert reference.n_labels == 500
    assert reference.awaited == reference.worth
    assert reference.mix == pytest.approx(window.probabilities.mean(axis=0))
    for label in range(4):
        p = window.probabilities[:, label]
        assert reference.worth_by_label[label] == pytest.approx(
            (p * window.expected).sum() / p.sum()
        )


def test_without_labels_the_probabilities_are_taken_at_their_word_within_their_error() -> None:
    window = requests_of(500, 0, known=False)
    reference = Reference.of(window, LABELS, forecast=2.5, calibration_error=0.03)
    assert reference.worth == pytest.approx(window.expected.mean())
    assert reference.bias_se == pytest.approx(0.03 * (3.2 + 7.5))
    assert reference.n_labels == 0
    assert reference.awaited == 2.5


def test_through_json_and_back() -> None:
    texts = tuple(f"where is my card {i}" for i in range(300))
    window = replace(requests_of(300, 1), texts=texts)
    reference = Reference.of(window, LABELS, forecast=2.5, key="salt")
    told = json.dumps(reference.to_dict())
    assert "where" not in told.replace("where it", "")
    again = Reference.from_dict(json.loads(told), key="salt")
    assert again.to_dict() == reference.to_dict()


def test_one_dear_label_does_not_make_losses_too_small_to_speak_of() -> None:
    """A label that hardly ever comes and costs 120: what half a percent of the range would be."""
    window = requests_of(500, 0)
    values = window.tables.stacked[0].copy()
    values[3, :3] = -120.0
    p = window.probabilities.copy()
    p[:, 3] = 1e-6
    p /= p.sum(axis=1, keepdims=True)
    dear = replace(window, tables=ValueTables(values), probabilities=p, truth=None)
    found = Reference.of(dear, LABELS)
    assert found.least_gap == pytest.approx(max(0.05 * found.outcome_sd, 0.05 * abs(found.worth)))
    assert found.least_gap < 0.005 * 123.2


def test_too_few_requests_are_refused() -> None:
    with pytest.raises(ServiceError, match="PF750"):
        Reference.of(requests_of(199, 0), LABELS)


@pytest.mark.parametrize("wrong", [{"format": 2}, {"worth": None, "mix": "many"}, {"features": 3}])
def test_what_is_no_reference_is_refused(wrong: dict[str, object]) -> None:
    content = Reference.of(requests_of(300, 0), LABELS).to_dict()
    with pytest.raises(ServiceError, match="PF750"):
        Reference.from_dict(content | wrong)
    del content["n"]
    with pytest.raises(ServiceError, match="PF750"):
        Reference.from_dict(content)
