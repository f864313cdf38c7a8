from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.artifact.runtime.tag_sequence import best_tags, log_softmax, spell, tag_names


def valid(tags: tuple[int, ...], joined: np.ndarray) -> bool:
    """Every I, an even number above 0, follows its own B or itself; joined tokens go on."""
    for before, tag, goes_on in zip((0, *tags), tags, joined, strict=False):
        if tag and tag % 2 == 0 and before not in (tag, tag - 1):
            return False
        if goes_on and (tag % 2 or (tag == 0 and before != 0)):
            return False
    return True


@settings(max_examples=150)
@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 2))
def test_no_valid_sequence_is_more_probable(seed: int, n: int, n_labels: int) -> None:
    rng = np.random.default_rng(seed)
    scores = log_softmax(rng.normal(scale=2.0, size=(n, 1 + 2 * n_labels)))
    scores[:, 2::2] += rng.integers(0, 2) * 2  # often enough what is alone best is not valid
    joined = rng.random(n) < rng.choice([0.0, 0.5])
    joined[0] = False
    best = best_tags(scores, joined)
    assert valid(tuple(best.tolist()), joined)
    every = [tags for tags in product(range(scores.shape[1]), repeat=n) if valid(tags, joined)]
    most = max(sum(scores[i, tag] for i, tag in enumerate(tags)) for tags in every)
    assert np.isclose(scores[np.arange(n), best].sum(), most)


def spelt(text: str, tags: list[int], places: list[list[int]]) -> list[tuple[int, int, str]]:
    logits = np.full((len(tags), 5), -9.0)
    logits[np.arange(len(tags)), tags] = 9.0
    found = spell(text, np.array(places).reshape(-1, 2), logits, ["DATE", "ORDER"])
    assert all(text[e.start : e.end] == e.text for e in found)
    return [(entity.start, entity.end, entity.label) for entity in found]


def test_entities_next_to_each_other_stay_apart() -> None:
    places = [[0, 1], [1, 2], [2, 3], [3, 4]]
    assert spelt("abcd", [1, 1, 2, 3], places) == [(0, 1, "DATE"), (1, 3, "DATE"), (3, 4, "ORDER")]


def test_bytes_of_one_character_make_one_entity() -> None:
    assert spelt("字 x", [3, 4, 4, 0], [[0, 1], [0, 1], [0, 1], [2, 3]]) == [(0, 1, "ORDER")]
    assert spelt("字x", [3, 1, 3], [[0, 1], [0, 1], [1, 2]]) == [(0, 1, "ORDER"), (1, 2, "ORDER")]


def test_words_stay_whole_where_they_are_said_to_be() -> None:
    p = np.array([[0.1, 0.8, 0.1], [0.1, 0.6, 0.3], [0.2, 0.1, 0.7], [0.9, 0.05, 0.05]])
    places = np.array([[0, 3], [3, 5], [6, 9], [9, 10]])
    loose = spell("Priya Nai.", places, np.log(p), ["X"])
    assert [entity.text for entity in loose] == ["Pri", "ya Nai"]
    whole = spell("Priya Nai.", places, np.log(p), ["X"], whole_words=True)
    assert [entity.text for entity in whole] == ["Priya Nai"]


def test_no_token_names_nothing() -> None:
    assert spelt("", [], []) == []


def test_an_entity_is_as_sure_as_its_least_sure_token() -> None:
    p = np.array([[0.1, 0.8, 0.1], [0.3, 0.1, 0.6], [0.9, 0.05, 0.05]])
    (entity,) = spell("a b c", np.array([[0, 1], [2, 3], [4, 5]]), np.log(p), ["X"])
    assert (entity.text, entity.label, round(entity.probability, 6)) == ("a b", "X", 0.6)
    assert entity.as_dict()["end"] == 3


def test_names_of_tags() -> None:
    assert tag_names(["A", "B"]) == ("O", "B-A", "I-A", "B-B", "I-B")
