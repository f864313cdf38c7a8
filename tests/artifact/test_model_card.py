"""Facts in front of a card, as the hub's own library reads them."""

from __future__ import annotations

import pytest
from huggingface_hub import ModelCard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payoff.artifact.model_card import hub_facts, split_front, with_front

EVIDENCE = {"quality": {"accuracy": 0.9125, "macro_f1": 0.9, "auc": None, "n": 100, "brier": 0.1}}


def test_the_hubs_library_reads_what_is_known() -> None:
    facts = hub_facts(
        name="desk: 退款",
        licences=["Apache-2.0", "Apache-2.0"],
        languages=["English", "about 100, with Chinese"],
        base_models=["a/b"],
        evidence=EVIDENCE,
    )
    card = ModelCard(with_front("# desk\n\nwords\n", facts))
    assert card.data.license == "apache-2.0"
    assert card.data.language == ["en", "multilingual"]
    assert card.data.base_model == ["a/b"]
    assert card.data.tags == ["payoff", "text-classification"]
    metrics = {one.metric_type: one.metric_value for one in card.data.eval_results}
    assert metrics == {"accuracy": 0.9125, "macro_f1": 0.9, "brier": 0.1}
    assert card.data.model_name == "desk: 退款"
    assert card.text.strip() == "# desk\n\nwords"


def test_what_is_not_known_is_left_out() -> None:
    facts = hub_facts(name="desk", licences=["not stated"], languages=["not stated"])
    assert set(facts) == {"pipeline_tag", "tags"}
    mixed = hub_facts(name="desk", licences=["MIT", "Apache-2.0"])
    assert mixed["license"] == "other"
    assert mixed["license_name"] == "Apache-2.0; MIT"


names = st.text("ab_", min_size=1, max_size=5)
values = st.none() | st.integers() | st.text(max_size=9) | st.lists(st.text(max_size=5), max_size=3)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(names, values, max_size=4), st.text(max_size=20))
def test_front_and_words_come_apart_again(facts: dict[str, object], words: str) -> None:
    body = "# desk\n" + words
    assert split_front(with_front(body, facts)) == (facts, body)
    assert with_front(with_front(body, {"old": 1}), facts) == with_front(body, facts)


@pytest.mark.parametrize("card", ["", "---\n", "---\nno facts\n---\nx", "# a\n---\nb\n---\n"])
def test_what_only_looks_like_facts_stays_words(card: str) -> None:
    assert split_front(card)[1] == card
