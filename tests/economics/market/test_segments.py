"""Segments in money: the arithmetic restated by hand, and what must always hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.core.errors import EconomicsError, ProjectError
from payoff.economics.decided import Decided
from payoff.economics.market.segment_models import NOT_MEASURED, OWN, SHARED, choose_models
from payoff.economics.market.segment_terms import SegmentTerms
from payoff.economics.market.segments import Market, entry_sentence, segment_shares
from payoff.economics.market.shrinkage import Shrinkage, drawn_means, segment_means
from payoff.economics.traffic import Traffic
from payoff.economics.worlds import Worlds

EXACT = Traffic(1000, 1000, 1000)
RIGHT, WRONG, HANDED = 3.0, -7.0, -1.0


def worlds_of(codes: np.ndarray, k: int, *, n: int = 300, seed: int = 0) -> Worlds:
    steady = {"person_spread": 0.0, "price_spread": 0.0}
    return Worlds.draw(codes, k, EXACT, n_worlds=n, seed=seed, **steady)


def decided_of(kinds: str) -> Decided:
    """``r`` right, ``w`` wrong, ``h`` handed over."""
    values = np.array([{"r": RIGHT, "w": WRONG, "h": HANDED}[kind] for kind in kinds])
    return Decided(
        values, np.array([kind == "r" for kind in kinds]), np.array([kind == "h" for kind in kinds])
    )


def three_segments(seed: int = 0) -> tuple[np.ndarray, Decided, list[SegmentTerms]]:
    rng = np.random.default_rng(seed)
    codes = np.repeat([0, 1, 2], [120, 60, 20])
    shares = np.array([[0.85, 0.05, 0.1], [0.5, 0.3, 0.2], [0.7, 0.2, 0.1]])
    kinds = "".join(rng.choice(list("rwh"), p=shares[code]) for code in codes)
    return codes, decided_of(kinds), [SegmentTerms(name) for name in ("a", "b", "c")]


def test_shrinkage_restated_by_hand() -> None:
    shrinkage = Shrinkage(np.array([30.0, 10.0, 0.0]), 10.0, 1.0)
    assert shrinkage.own.tolist() == [0.75, 0.5, 0.0]
    centre = (0.75 * 4.0 + 0.5 * 1.0) / 1.25  # 2.8
    expected = [0.75 * 4.0 + 0.25 * centre, 0.5 * 1.0 + 0.5 * centre, centre]
    assert shrinkage.mean(np.array([4.0, 1.0, 99.0])).tolist() == pytest.approx(expected)


def test_variance_between_restated_on_a_grid() -> None:
    codes, decided, _ = three_segments()
    found = Shrinkage.between(decided.values, codes, 3)
    means = [decided.values[codes == s].mean() for s in range(3)]
    within = sum(((decided.values[codes == s] - means[s]) ** 2).sum() for s in range(3)) / 197
    best, highest = 0.0, -np.inf
    for tau in np.geomspace(1e-4, 1e3, 4000):
        total = tau + within / np.array([120, 60, 20])
        centre = (means / total).sum() / (1 / total).sum()
        fit = np.log(tau) - 0.5 * (np.log(total) + (means - centre) ** 2 / total).sum()
        best, highest = (tau, fit) if fit > highest else (best, highest)
    assert found.between_sd**2 == pytest.approx(best, rel=0.05)
    assert found.prior_rows == pytest.approx(within / best, rel=0.05)


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(-9, 9)), min_size=6, max_size=60))
@settings(deadline=None)
def test_shrunk_means_add_up_to_what_the_rows_do(rows: list[tuple[int, float]]) -> None:
    codes = np.unique([code for code, _ in rows], return_inverse=True)[1].reshape(-1)
    values = np.array([value for _, value in rows])
    k = int(codes.max()) + 1
    shrinkage = Shrinkage.between(values, codes, k)
    shrunk = shrinkage.mean(segment_means(values, codes, k))
    assert float(shrunk @ np.bincount(codes)) == pytest.approx(values.sum(), abs=1e-6)
    plain = segment_means(values, codes, k)
    assert shrunk.min() >= plain.min() - 1e-9
    assert shrunk.max() <= plain.max() + 1e-9


def test_few_rows_are_drawn_further_than_many() -> None:
    codes, decided, _ = three_segments()
    own = Shrinkage.between(decided.values, codes, 3).own
    assert own[0] > own[1] > own[2]


@pytest.mark.parametrize("spread", [0.0, 0.05, 0.12])
def test_intervals_hold_the_truth_where_a_plain_bootstrap_does_not(spread: float) -> None:
    rng = np.random.default_rng(7)
    held, plain = [], []
    for seed in range(30):
        rates = np.clip(0.8 + spread * rng.normal(size=12), 0.05, 0.99)
        codes = np.repeat(np.arange(12), rng.choice([4, 8, 15, 40, 120], 12))
        values = np.where(rng.random(len(codes)) < rates[codes], RIGHT, WRONG)
        truth = RIGHT * rates + WRONG * (1 - rates)
        drawn = drawn_means(values, codes, worlds_of(codes, 12, seed=seed))
        shrunk = Shrinkage.between(values, codes, 12).draws(drawn, seed=seed)
        for kept, draws in ((held, shrunk), (plain, drawn)):
            low, high = np.quantile(draws, [0.05, 0.95], axis=1)
            kept += list((low <= truth) & (truth <= high))
    assert 0.83 <= np.mean(held) <= 0.995
    assert np.mean(held) > np.mean(plain)


def test_profit_restated_by_hand_without_shrinkage() -> None:
    # Two segments: nothing is shrunk. 8 rows right of 10; 5 right, 3 wrong, 2 handed of 10.
    codes = np.repeat([0, 1], 10)
    decided = decided_of("rrrrrrrrww" + "rrrrrwwwhh")
    terms = [
        SegmentTerms("a", cost_each=0.25, won=0.5),
        SegmentTerms("b", cost_month=10.0, cost_once=120.0, competitors="Acme"),
    ]
    market = Market.of(
        codes, terms, worlds_of(codes, 2, n=20_000), "EUR", decided=decided, person_each=0.5
    )
    found = {one.name: one for one in market.segments}
    a, b = found["a"], found["b"]
    assert market.prior_rows == 0
    assert a.requests == pytest.approx(250, rel=0.01)  # half of 1,000, half of them won
    assert (a.value_each, a.serve_each) == pytest.approx((1.0, 0.25))
    assert float(a.profit.mean) == pytest.approx(250 * 0.75, rel=0.03)
    assert b.fixed == 20.0  # 10 + 120 / 12
    assert b.serve_each == pytest.approx(0.2 * 0.5)
    assert b.value_each == pytest.approx((5 * 3 - 3 * 7 - 2) / 10 + 0.1)
    assert float(b.profit.mean) == pytest.approx(500 * -0.8 - 20, rel=0.1)
    assert (b.automated_share, b.accuracy) == pytest.approx((0.8, 5 / 8))
    assert b.break_even_requests is None
    # 0.8 (q 3 − (1 − q) 7) − 0.2 = 20 / 500 gives q = (0.24 / 0.8 + 7) / 10
    assert b.break_even_accuracy == pytest.approx(0.73, abs=0.001)
    assert a.break_even_requests == 0
    assert [one.name for one in market.to_enter] == ["a"]
    assert "'b' until 73%" in entry_sentence(market)


@given(st.integers(0, 50), st.floats(0, 50), st.floats(0, 1))
@settings(deadline=None, max_examples=15)
def test_segments_add_up_to_the_whole_world_by_world(seed: int, service: float, won: float) -> None:
    codes, decided, terms = three_segments(seed)
    terms = [SegmentTerms(one.segment, won=won, cost_month=3.0) for one in terms]
    market = Market.of(
        codes, terms, worlds_of(codes, 3), "EUR", decided=decided, service_per_month=service
    )
    total = sum(one.profit.samples for one in market.segments) - service
    assert np.allclose(market.whole.samples, total)
    means = [float(one.profit.mean) for one in market.segments]
    assert means == sorted(means, reverse=True)


def test_the_whole_is_what_the_rows_earn() -> None:
    codes, decided, terms = three_segments()
    market = Market.of(codes, terms, worlds_of(codes, 3, n=20_000), "EUR", decided=decided)
    assert float(market.whole.mean) == pytest.approx(1000 * decided.values.mean(), rel=0.02)


def test_relabelling_changes_nothing_but_the_order() -> None:
    codes, decided, terms = three_segments()
    order = np.array([2, 0, 1])
    other = Market.of(
        order[codes],
        [terms[int(np.flatnonzero(order == s)[0])] for s in range(3)],
        worlds_of(order[codes], 3, n=20_000),
        "EUR",
        decided=decided,
    )
    one = Market.of(codes, terms, worlds_of(codes, 3, n=20_000), "EUR", decided=decided)
    assert [s.name for s in one.segments] == [s.name for s in other.segments]
    for a, b in zip(one.segments, other.segments, strict=True):
        assert (a.accuracy, a.value_each) == pytest.approx((b.accuracy, b.value_each))
        assert float(a.profit.mean) == pytest.approx(float(b.profit.mean), rel=0.03)


def test_more_requests_more_profit_and_dearer_service_less() -> None:
    codes, decided, terms = three_segments()
    options = {"decided": decided}
    small = Market.of(codes, terms, worlds_of(codes, 3), "EUR", **options)
    busy = Worlds.draw(codes, 3, Traffic(3000, 3000, 3000), n_worlds=300, seed=0)
    large = Market.of(codes, terms, busy, "EUR", **options)
    paying = {one.name for one in small.segments if one.pays}
    before = {one.name: float(one.profit.mean) for one in small.segments}
    assert paying
    assert all(float(one.profit.mean) > before[one.name] for one in large.segments if one.pays)
    dear = [SegmentTerms(one.segment, cost_each=0.5) for one in terms]
    after = Market.of(codes, dear, worlds_of(codes, 3), "EUR", **options)
    assert all(float(one.profit.mean) < before[one.name] for one in after.segments)


def test_sizes_count_rows_that_were_not_judged() -> None:
    codes, decided, terms = three_segments()
    sizes = np.array([100, 100, 800])
    market = Market.of(codes, terms, worlds_of(codes, 3), "EUR", decided=decided, sizes=sizes)
    assert {one.name: round(one.requests, -2) for one in market.segments}["c"] == 800


def test_a_segment_without_judged_rows_is_as_the_others_and_less_sure() -> None:
    codes, decided, terms = three_segments()
    more = [*terms, SegmentTerms("new")]
    sizes = np.array([120, 60, 20, 60])
    market = Market.of(codes, more, worlds_of(codes, 4), "EUR", decided=decided, sizes=sizes)
    found = {one.name: one for one in market.segments}
    assert found["new"].own_share == 0
    assert found["new"].n_rows == 0
    spread = {name: one.profit.samples.std() / one.requests for name, one in found.items()}
    assert spread["new"] > spread["b"]
    values = [one.value_each for one in found.values()]
    assert min(values) < found["new"].value_each < max(values)


def test_stated_worth_stands_where_nothing_was_measured() -> None:
    codes = np.repeat([0, 1], [75, 25])
    terms = [SegmentTerms("a", value_each=2.0), SegmentTerms("b", value_each=1.0, cost_month=500)]
    market = Market.of(codes, terms, worlds_of(codes, 2, n=5000), "EUR", service_per_month=100.0)
    assert not market.measured
    a, b = market.segments
    assert (a.accuracy, a.own_share, b.break_even_accuracy) == (None, None, None)
    assert float(market.whole.mean) == pytest.approx(750 * 2 + 250 - 500 - 100, rel=0.02)
    assert b.break_even_requests == pytest.approx(500)
    assert market.as_dict()["segments"][1]["enter"] is False


def test_segments_that_do_not_carry_the_service_are_not_entered() -> None:
    codes = np.repeat([0, 1], 50)
    terms = [SegmentTerms("a", value_each=0.1), SegmentTerms("b", value_each=0.2)]
    market = Market.of(codes, terms, worlds_of(codes, 2), "EUR", service_per_month=900.0)
    assert market.to_enter == ()
    assert entry_sentence(market).startswith(
        "Enter none: together they do not carry the 900.00 EUR"
    )


def test_a_segment_that_may_lose_is_named_with_its_risk() -> None:
    codes = np.repeat([0, 1], [400, 12])
    decided = decided_of("r" * 400 + "rrrrrrrrrwww")
    terms = [SegmentTerms("sure"), SegmentTerms("shaky")]
    market = Market.of(codes, terms, worlds_of(codes, 2, n=2000), "EUR", decided=decided)
    shaky = market.segments[1]
    assert shaky.pays
    risk = shaky.profit.probability_below()
    assert 0.05 < risk < 0.6
    assert entry_sentence(market).endswith(f"probability of a loss: 'shaky' ({risk:.0%}).")


def test_where_nothing_helps_it_is_said() -> None:
    codes = np.repeat([0, 1], 50)
    terms = [SegmentTerms("a", value_each=-0.1), SegmentTerms("b", value_each=-0.2)]
    market = Market.of(codes, terms, worlds_of(codes, 2), "EUR")
    assert entry_sentence(market) == (
        "Enter none: each loses money; 'a': no volume and no quality makes it pay on these terms."
    )


@pytest.mark.parametrize("measured", [True, False])
def test_worth_is_measured_or_stated_and_not_both(measured: bool) -> None:
    codes, decided, _ = three_segments()
    value = 2.0 if measured else None
    terms = [SegmentTerms(name, value_each=value) for name in "abc"]
    with pytest.raises(ProjectError, match="PF203"):
        Market.of(codes, terms, worlds_of(codes, 3), "EUR", decided=decided if measured else None)


def test_worlds_of_other_segments_are_refused() -> None:
    codes, decided, terms = three_segments()
    with pytest.raises(EconomicsError, match="PF618"):
        Market.of(codes, terms, worlds_of(codes[::-1], 3), "EUR", decided=decided)
    with pytest.raises(EconomicsError, match="PF618"):
        Shrinkage.between(np.zeros(4), np.array([0, 0, 1, 1]), 3)


def test_shares_are_the_mix_unless_sizes_are_known() -> None:
    codes, _, _ = three_segments()
    worlds = worlds_of(codes, 3)
    assert (segment_shares(worlds) == worlds.mix.T).all()
    assert np.allclose(segment_shares(worlds, np.array([1, 2, 3])).sum(axis=0), 1)


def test_a_segment_gets_a_model_of_its_own_only_where_that_pays() -> None:
    codes, shared, terms = three_segments()
    rows = {name: codes == s for s, name in enumerate("abc")}
    better = decided_of("r" * 60)
    same = Decided(shared.values[rows["a"]], shared.right[rows["a"]], shared.handed_over[rows["a"]])
    own = {"a": same, "b": better}
    found = choose_models(
        codes, terms, worlds_of(codes, 3), "EUR", shared=shared, own=own, model_per_month=1.0
    )
    verdicts = {one.segment: one.verdict for one in found}
    assert verdicts == {"a": SHARED, "b": OWN, "c": NOT_MEASURED}
    assert found[2].gain is None
    assert float(found[0].gain.mean) == pytest.approx(-1.0)
    expected = 1000 * 60 / 200 * (RIGHT - shared.values[rows["b"]].mean()) - 1.0
    assert float(found[1].gain.mean) == pytest.approx(expected, rel=0.05)


def test_no_own_model_no_verdict() -> None:
    codes, shared, terms = three_segments()
    found = choose_models(codes, terms, worlds_of(codes, 3), "EUR", shared=shared, own={})
    assert {one.verdict for one in found} == {NOT_MEASURED}
    assert found[0].as_dict() == {"segment": "a", "verdict": NOT_MEASURED, "gain_month": None}


# --- weights ------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(-9, 9), st.integers(1, 3)), min_size=4))
@settings(deadline=None)
def test_a_weight_of_three_is_three_rows(rows: list[tuple[int, float, int]]) -> None:
    codes = np.array([code for code, _, _ in rows])
    values = np.array([value for _, value, _ in rows])
    weights = np.array([weight for _, _, weight in rows])
    weighted = segment_means(values, codes, 4, weights.astype(float))
    repeated = segment_means(np.repeat(values, weights), np.repeat(codes, weights), 4)
    assert np.allclose(weighted, repeated)


def test_weights_of_one_change_nothing_and_uneven_ones_are_worth_fewer_rows() -> None:
    codes, decided, _ = three_segments()
    plain = Shrinkage.between(decided.values, codes, 3)
    same = Shrinkage.between(decided.values, codes, 3, np.full(len(codes), 2.5))
    assert same.rows == pytest.approx(plain.rows)
    assert same.prior_rows == pytest.approx(plain.prior_rows)
    uneven = np.where(np.arange(len(codes)) % 2, 1.9, 0.1)
    fewer = Shrinkage.between(decided.values, codes, 3, uneven)
    assert (fewer.rows < plain.rows).all()


def test_drawn_means_follow_the_weights() -> None:
    codes = np.repeat([0, 1], 60)
    values = np.tile([0.0, 1.0], 60)
    weights = np.tile([1.0, 3.0], 60)
    worlds = worlds_of(codes, 2, n=4000)
    drawn = drawn_means(values, codes, worlds, weights)
    assert drawn.mean(axis=1) == pytest.approx([0.75, 0.75], abs=0.01)
    assert ((drawn >= 0) & (drawn <= 1 + 1e-6)).all()
