"""Share limits: how many labels of each labeller are learnt, so that nobody weighs too much."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping


def share_limits(
    counts: Mapping[str, int],
    most_share: float,
    *,
    unchecked: Collection[str] = (),
    most_unchecked: float = 0.1,
) -> dict[str, int]:
    """How many labels of each are learnt, so that nobody's share is above a limit.

    Persons have one limit, and programs that people have not checked a narrower one. Other tellers
    in brackets, such as the project's own rows, are not bounded. Where nobody unbounded tells, and
    there are fewer persons than their limit needs, an even share is theirs: who tells alone is
    bounded by nothing.

    Args:
        counts: Labels of each teller that could be learnt.
        most_share: Of a person; above 0, at most 1.
        unchecked: Programs that people have not checked.
        most_unchecked: Of each of those.

    Example:
        >>> share_limits({"(project)": 300, "ann": 900, "bob": 100}, 0.5)
        {'(project)': 300, 'ann': 400, 'bob': 100}
        >>> share_limits({"ann": 900}, 0.5)
        {'ann': 900}
        >>> share_limits({"ann": 900, "(crm)": 900}, 0.5, unchecked=["(crm)"])
        {'ann': 900, '(crm)': 100}
    """
    told = [name for name, n in counts.items() if n]
    people = [name for name in told if not name.startswith("(")]
    programs = [name for name in told if name in unchecked]
    free = len(told) > len(people) + len(programs)
    own = most_share if free else max(most_share, 1 / max(len(people), 1))
    narrow = most_unchecked if free or people else max(most_unchecked, 1 / max(len(programs), 1))
    shares = dict.fromkeys(people, own) | dict.fromkeys(programs, narrow)
    bounded = sorted((one for one in shares if shares[one] < 1), key=lambda one: -counts[one])
    kept = dict(counts)
    before: dict[str, int] = {}
    while kept != before:
        before = dict(kept)
        for name in bounded:
            others = sum(number for other, number in kept.items() if other != name)
            share = shares[name]
            kept[name] = min(kept[name], math.floor(others * share / (1 - share) + 1e-9))
    return kept
