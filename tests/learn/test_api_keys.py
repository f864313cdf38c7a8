from __future__ import annotations

import pytest

from payoff.core.errors import ServiceError
from payoff.learn.api_keys import SCOPES, all_keys, key_hash, make_key, withdraw_key
from payoff.learn.entry import now_utc
from payoff.learn.journal import Journal


def test_only_the_hash_of_a_key_is_kept(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        kept, key = make_key(journal, "shop", ["decide", "feedback", "decide"])
        other, _ = make_key(journal, "ops", ["admin"], days=1)
        found = all_keys(journal)
    assert found[key_hash(key)] == kept
    assert kept.scopes == ("decide", "feedback")
    assert list(found.values()) == [kept, other]
    assert key.startswith(f"payoff_{kept.key_id}_")
    assert len(key.split("_", 2)[2]) == 32
    assert key not in repr(found)
    assert kept.is_good("9999")
    assert other.is_good(now_utc())
    assert not other.is_good(now_utc(2 * 86_400))


def test_a_key_that_is_withdrawn_is_good_no_longer(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        kept, _ = make_key(journal, "shop", ["decide"])
        withdraw_key(journal, kept.key_id)
        (found,) = all_keys(journal).values()
        assert not found.is_good(now_utc())
        assert found.as_dict()["withdrawn_utc"]
        for key_id in (kept.key_id, "nothing"):
            with pytest.raises(ServiceError, match="PF723"):
                withdraw_key(journal, key_id)


@pytest.mark.parametrize("scopes", [[], ["decide", "Admin"], ["*"]])
def test_unknown_scopes_are_refused(books_url: str, scopes: list[str]) -> None:
    with Journal.open(books_url) as journal:
        with pytest.raises(ServiceError, match="PF722") as caught:
            make_key(journal, "shop", scopes)
        assert caught.value.expected == ", ".join(SCOPES)
        assert not all_keys(journal)
