"""The frontier keeps what no other is better than in everything."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from payoff.plan.compressing.frontier import Position, frontier

figures = st.floats(0.1, 10.0)
positions = st.lists(
    st.builds(Position, st.just("form"), figures, figures, figures, figures, figures),
    min_size=1,
    max_size=12,
)


@given(positions)
def test_nothing_kept_is_better_in_everything_and_whatever_went_has_a_better_one(
    found: list[Position],
) -> None:
    kept = frontier(found)
    assert kept, "something is always left"
    for one in found:
        better = [
            other
            for other in found
            if other.value >= one.value
            and other.size_bytes <= one.size_bytes
            and other.memory_bytes <= 1.05 * one.memory_bytes
            and other.p50_ms <= 1.05 * one.p50_ms
            and other.seconds_a_text <= 1.05 * one.seconds_a_text
            and (
                other.value > one.value
                or other.size_bytes < one.size_bytes
                or 1.05 * other.memory_bytes < one.memory_bytes
                or 1.05 * other.p50_ms < one.p50_ms
                or 1.05 * other.seconds_a_text < one.seconds_a_text
            )
        ]
        assert (one in kept) is not bool(better)


def test_times_within_the_noise_do_not_tell_forms_apart() -> None:
    one = Position("one", 1.0, 10.0, 5.0, 1.00, 1.0)
    two = Position("two", 1.0, 10.0, 5.0, 1.04, 1.0)
    far = Position("far", 1.0, 10.0, 5.0, 1.06, 1.0)
    assert frontier([one, two]) == [one, two]
    assert frontier([one, far]) == [one]
