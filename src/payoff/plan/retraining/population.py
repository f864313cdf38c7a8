"""Population: the requests that labelled ones are to speak for, and how they weigh for that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from payoff.core.findings import Finding, Status
from payoff.learn.kinds import Kind

_LEAST_IN_GROUP = 10
_LEAST_ROWS = 100
_KINDS = {False: "acted", True: "handed over"}
_MIX = "The forecast is for the mix of labels that comes now"


def row_weights(
    kinds: Sequence[Kind], asked: Mapping[Kind, int]
) -> tuple[NDArray[np.float64], Finding]:
    """Weights that let labelled requests count as often as such requests come.

    People are asked for what was handed over and what the model was unsure of. Requests are put
    into groups of one action and like sureness, each of which counts by its share of all requests
    (Holt and Smith 1979, "Post stratification", JRSS A 142(1)). Groups with fewer than ten labelled
    requests are put together with their neighbours.

    Args:
        kinds: Of each labelled request, ``(n,)``.
        asked: How many requests of each kind came.

    Returns:
        Weights ``(n,)``, and PF778: whether what was labelled tells of all that was asked.

    Example:
        >>> handed, acted = Kind.of(True, 0.4), Kind.of(False, 0.9)
        >>> weights, finding = row_weights([handed, handed, acted], {acted: 90, handed: 10})
        >>> weights.round(2).tolist(), finding.status.value
        ([0.15, 0.15, 2.7], 'passed')
    """
    title = "What was labelled tells of all that was asked"
    n, total = len(kinds), sum(asked.values())
    weights, silent = np.ones(n), []
    labelled = Counter(kinds)
    for over in (False, True):
        came = sum(k for kind, k in asked.items() if kind.handed == over)
        if not any(kind.handed == over for kind in kinds):
            if came:
                told = f"{came / total:.0%} of the decisions {_KINDS[over]}, and none was labelled"
                silent.append(told)
            continue
        own = sorted(kind for kind in {*asked, *labelled} if kind.handed == over)
        for group in _groups(own, labelled):
            share = sum(asked.get(kind, 0) for kind in group) / total if total else 0.0
            rows = np.array([kind in group for kind in kinds])
            weights[rows] = share * n / rows.sum()
    if not weights.any():
        weights = np.ones(n)
    if not silent:
        return weights, Finding("PF778", title, Status.PASSED)
    mend = "Label a few of those too."
    return weights, Finding("PF778", title, Status.FAILED, "; ".join(silent), mend)


def _groups(kinds: Sequence[Kind], labelled: Mapping[Kind, int]) -> list[set[Kind]]:
    """Neighbours together until each group has labelled requests enough."""
    groups: list[set[Kind]] = []
    open_one: set[Kind] = set()
    for kind in kinds:
        open_one.add(kind)
        if sum(labelled.get(one, 0) for one in open_one) >= _LEAST_IN_GROUP:
            groups.append(open_one)
            open_one = set()
    if groups:
        groups[-1] |= open_one
        return groups
    return [open_one]


def mix_now(
    labels: Sequence[str], weights: NDArray[np.float64], rows: Mapping[str, int]
) -> dict[str, float]:
    """Share of each label among the requests that come now.

    The weighted shares of labelled requests, with as many rows of the mix of what is learnt from
    as there are labels, so that none has no share.

    Args:
        labels: Of each labelled request, ``(n,)``.
        weights: Of each, ``(n,)``, as `row_weights` gives them.
        rows: How many rows of each label are learnt from.

    Example:
        >>> mix = mix_now(["a", "a", "b", "b"], np.array([1.5, 1.5, 0.5, 0.5]), {"a": 1, "b": 1})
        >>> {label: round(share, 3) for label, share in mix.items()}
        {'a': 0.667, 'b': 0.333}
    """
    counts = dict.fromkeys(sorted(rows), 0.0)
    for label, weight in zip(labels, weights, strict=True):
        if label in counts:
            counts[label] += float(weight)
    whole, n_rows = sum(counts.values()) + len(counts), sum(rows.values())
    return {
        label: (count + len(counts) * rows[label] / n_rows) / whole
        for label, count in counts.items()
    }


def expected_mix(
    stated: Mapping[str, float] | None,
    labels: Sequence[str],
    kinds: Sequence[Kind],
    asked: Mapping[Kind, int],
    *,
    rows: Mapping[str, int],
) -> tuple[Mapping[str, float] | None, Finding]:
    """The mix of labels that a retraining chooses and forecasts for.

    What the project states counts, where it names every label that is learnt; else what labelled
    requests tell, where there are 100 and some of every kind were labelled; else that of the rows.

    Args:
        stated: The project's; None where it states none.
        labels: Of each labelled request of now that does not judge, ``(n,)``.
        kinds: Of each, ``(n,)``.
        asked: How many requests of each kind came.
        rows: How many rows of each label are learnt from, the project's among them.

    Returns:
        The mix, None for that of the rows; and PF790.

    Example:
        >>> kinds = [Kind.of(False, 0.9)] * 100
        >>> labels = ["a"] * 80 + ["b"] * 20
        >>> mix, finding = expected_mix(None, labels, kinds, {kinds[0]: 500}, rows={"a": 9, "b": 9})
        >>> {label: round(share, 2) for label, share in mix.items()}, finding.detail
        ({'a': 0.79, 'b': 0.21}, "from 100 labelled requests; most has grown 'a': 50% to 79%")
    """
    if stated is not None and set(rows) <= set(stated):
        told = "the project states the mix"
        return stated, Finding("PF790", _MIX, Status.NOT_APPLICABLE, told)
    if len(labels) < _LEAST_ROWS:
        told = f"{len(labels)} labels of now do not judge, {_LEAST_ROWS} are needed"
        return None, Finding("PF790", _MIX, Status.NOT_CHECKED, told)
    weights, covered = row_weights(kinds, asked)
    if covered.failed:
        return None, Finding("PF790", _MIX, Status.NOT_CHECKED, covered.detail)
    mix, n_rows = mix_now(labels, weights, rows), sum(rows.values())
    most = max(mix, key=lambda label: mix[label] - rows[label] / n_rows)
    told = f"from {len(labels)} labelled requests; most has grown '{most}': "
    told += f"{rows[most] / n_rows:.0%} to {mix[most]:.0%}"
    return mix, Finding("PF790", _MIX, Status.PASSED, told)
