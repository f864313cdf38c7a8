"""A cascade of a real search's options: bag of words, static table and a tiny encoder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import payoff.plan.cascade_of as cascades
import payoff.plan.search as searching
from payoff.artifact.tier import TierSpec
from payoff.core.errors import EconomicsError
from payoff.core.files import to_json
from payoff.data.dataset import Dataset
from payoff.economics.charge import PerInstance
from payoff.economics.desk import load
from payoff.economics.payoff import Payoff
from payoff.economics.prices.llm import price_llm_call
from payoff.economics.traffic import Traffic
from payoff.plan.cascade_of import CascadePlan, asking_cost, cascade_of, write_cascade
from payoff.plan.options import Option, Workshop
from payoff.plan.parts import Parts
from payoff.plan.report.charts.cascade import draw_cascade, read_cascade
from payoff.plan.report.charts.sheet import Sheet
from payoff.plan.search import search
from payoff.plan.terms import Terms


class Searched:
    """What a search hands to its conclusion."""

    workshop: Workshop
    options: list[Option]
    parts: Parts


@pytest.fixture(scope="module")
def searched(
    requests: Dataset,
    worth: Payoff,
    backbones: tuple[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Searched:
    found = Searched()
    conclude = searching.conclude

    def listening(workshop, chosen, options, tried, **told):  # type: ignore[no-untyped-def]
        found.workshop, found.options, found.parts = workshop, options, told["parts"]
        return conclude(workshop, chosen, options, tried, **told)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searching, "conclude", listening)
        search(
            requests,
            worth,
            traffic=Traffic(40_000),
            minutes=2,
            runs=tmp_path_factory.mktemp("cascade"),
            backbones=backbones,
            only=("bag-of-words", "static-head"),
        )
    return found


@pytest.fixture(scope="module")
def planned(searched: Searched) -> Iterator[CascadePlan]:
    """The weaker model is taken to be free, the better one to cost so much that both are needed.

    Which price that is depends on vocabularies that are not the same in every run: it is looked
    for between those at which one of the two answers alone.
    """
    worlds = searched.workshop.reckoning.worlds(searched.parts.test_targets, 0)
    low, high = 0.0, 0.8
    with pytest.MonkeyPatch.context() as patch:
        for _ in range(12):
            price = (low + high) / 2
            patch.setattr(cascades, "asking_cost", partial(assumed_cost, price))
            found = cascade_of(searched.workshop, searched.options, searched.parts, worlds)
            if len(found.options) > 1:
                break
            if found.options[0].candidate.recipe == "static-head":
                high = price
            else:
                low = price
        yield found


def assumed_cost(price: float, option: Option, terms: Terms) -> float:
    return 0.0 if option.candidate.recipe == "static-head" else price


def test_the_better_model_is_asked_where_the_free_one_is_not_sure(planned: CascadePlan) -> None:
    assert [o.candidate.recipe for o in planned.options] == ["static-head", "bag-of-words"]
    _, paid = planned.test_outcome.shares(2)
    assert 0.0 < paid < 0.95
    assert planned.cascade.policy.tiers == tuple(option.name for option in planned.options)
    assert planned.name == " → ".join(planned.cascade.policy.tiers)
    alone = {p.tiers: p.worth - p.cost for p in planned.frontier if len(p.tiers) == 1}
    (own,) = [p for p in planned.frontier if p.chosen]
    assert own.worth - own.cost == pytest.approx(planned.cascade.judged.value)
    assert own.worth - own.cost > max(alone.values())


def test_it_is_served_as_it_was_reported(
    planned: CascadePlan, searched: Searched, tmp_path: Path
) -> None:
    target = write_cascade(planned, searched.workshop, tmp_path / "desk.payoff", name="desk")
    parts = searched.parts
    with load(target) as desk:
        decisions = desk.decide_many(parts.test_texts)
        said = desk.probabilities(parts.test_texts)
    names = (*parts.labels, "handoff")
    assert [d.action for d in decisions] == [names[a] for a in planned.test_outcome.actions]
    assert [d.tier for d in decisions] == [
        planned.cascade.policy.tiers[tier] for tier in planned.test_outcome.tiers
    ]
    costs = [float(d.cost) for d in decisions if d.cost is not None]
    assert costs == pytest.approx(planned.test_outcome.costs.tolist())
    np.testing.assert_allclose(said, planned.test_outcome.probabilities, atol=1e-6)


def test_both_sets_of_rows_are_measured_and_forecast(
    planned: CascadePlan, searched: Searched
) -> None:
    validation, latency = planned.validation, planned.validation.latency
    assert latency is not None
    assert latency.texts_per_s > 0
    footprint = validation.footprint
    assert footprint is not None
    alone = [option.evidence.footprint for option in planned.options]
    assert footprint.peak_rss_bytes == sum(f.peak_rss_bytes or 0 for f in alone if f)
    assert planned.test.split == "test"
    right = planned.test_outcome.probabilities.argmax(axis=1) == searched.parts.test_targets
    assert planned.test.quality.accuracy == pytest.approx(right.mean())
    assert planned.hosting.meets_limits
    # All but the worlds is worth about what the mean row is worth.
    each = float(planned.test_forecast.per_request.mean)
    assert each == pytest.approx(planned.test_outcome.worth, abs=0.3)
    assert planned.test_forecast.worlds_key != planned.forecast.worlds_key
    assert not list(searched.workshop.run.folder.glob("trial*"))


def test_the_section_of_the_summary_draws_and_reads(planned: CascadePlan) -> None:
    section = planned.as_dict()
    assert json.loads(to_json(section)) == section
    shares = [tier["share"] for tier in section["tiers"]]
    assert sum(shares) == pytest.approx(1.0)
    summary = {"currency": "USD", "cascade": section}
    sentence = read_cascade(summary)
    assert sentence.startswith("Ask “static-head")
    assert "then" not in sentence
    for narrow in (False, True):
        drawn = draw_cascade(summary, Sheet(narrow=narrow))
        assert drawn is not None
        ElementTree.fromstring(drawn)
        assert "chosen: " in drawn


def test_what_asking_costs_is_seconds_times_price(searched: Searched) -> None:
    terms = searched.workshop.terms
    for option in searched.options:
        (rent,) = [c for c in option.reference.charges if isinstance(c.quantity, PerInstance)]
        instances = rent.quantity.each
        expected = float(rent.unit_price) * rent.quantity.units / instances
        assert asking_cost(option, terms) == pytest.approx(expected, rel=1e-6)


def test_an_api_costs_its_tokens_or_is_no_tier(searched: Searched) -> None:
    terms, option = searched.workshop.terms, searched.options[0]
    settings = {
        "base_url": "https://api.openai.com/v1",
        "model": "gpt-4o-mini",
        "key_variable": "OPENAI_API_KEY",
        "input_tokens_a_text": 999.5,
        "output_tokens_a_text": 4.0,
    }
    api = replace(option, spec=TierSpec("api", "endpoint", settings=settings))
    priced = price_llm_call("gpt-4o-mini", input_tokens=1000, output_tokens=4, on=terms.on)
    assert asking_cost(api, terms) == pytest.approx(float(priced.cost))
    for change in ({"model": "nobody-sells-this"}, {"input_tokens_a_text": None}):
        spec = TierSpec("api", "endpoint", settings=settings | change)
        with pytest.raises(EconomicsError, match="PF607"):
            asking_cost(replace(option, spec=spec), terms)
